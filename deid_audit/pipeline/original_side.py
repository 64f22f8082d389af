"""What a second round of a video need not look for again: landmarks and keypoints of original, null edit and controls.

They depend on the original and the subject's boxes alone, not on how the faces were swapped.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Of
from deid_audit.frames import Float
from deid_audit.measure.keypoints import PoseTrack


@dataclass(slots=True, eq=False)
class OriginalSide:
    """One video's original side, filled by the first `observe`: landmarks (478, 3) a frame, keypoints of each edit.

    The landmarks are the subject's: whoever keeps this between two rounds must wipe it.
    """

    boxes: Float | None = None
    poses: dict[Of, PoseTrack | None] = field(default_factory=dict)
    landmarks: dict[Of, list[NDArray[np.float32]]] = field(default_factory=dict)

    def knows(self, boxes: Float) -> bool:
        """Whether it was seen with the same boxes (n, 4) of the subject; if not, it is emptied."""
        if self.boxes is not None and np.array_equal(self.boxes, boxes, equal_nan=True):
            return True
        self.wipe()
        self.boxes = boxes
        return False

    def of(self, edit: Of) -> list[NDArray[np.float32]]:
        """The landmarks of the original or one of its edits; empty before it was watched."""
        return self.landmarks.setdefault(edit, [])

    def wipe(self) -> None:
        """Overwrites the landmarks and forgets everything."""
        for rows in self.landmarks.values():
            for points in rows:
                points.fill(0)
        self.landmarks.clear()
        self.poses.clear()
        self.boxes = None
