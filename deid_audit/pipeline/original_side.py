"""What a second round of a video need not look for again: the keypoints of original, null edit and controls.

They depend on the original and the subject's boxes alone, not on how the faces were swapped.
"""

from dataclasses import dataclass, field

import numpy as np

from deid_audit.findings import Of
from deid_audit.frames import Float
from deid_audit.measure.keypoints import PoseTrack


@dataclass(slots=True, eq=False)
class OriginalSide:
    """One video's original side, filled by the first `observe`: the keypoints of each edit."""

    boxes: Float | None = None
    poses: dict[Of, PoseTrack | None] = field(default_factory=dict)

    def knows(self, boxes: Float) -> bool:
        """Whether it was seen with the same boxes (n, 4) of the subject; if not, it is emptied."""
        if self.boxes is not None and np.array_equal(self.boxes, boxes, equal_nan=True):
            return True
        self.poses.clear()
        self.boxes = boxes
        return False
