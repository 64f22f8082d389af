"""The seam for body keypoint detectors: what a backend gives, and what has to be said of it. MediaPipe is the default.

One backend a file: `pose.py` behind this seam, `openpose.py`, `openpose_program.py`, `rtmpose.py`. Which one runs is
decided in `pipeline`; nothing is compared here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Of
from deid_audit.frames import Float, Image
from deid_audit.vision.pose import BodyPose, PoseTracker

Window = tuple[int, int, int, int]
Found = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Keypoints (n, 17, 3): x px, y px, visibility 0..1, a point or a person not found NaN in x and y; area (n,) in px²."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypointTraits:
    """What the measurements and the certificate say of a backend.

    `method` goes into every measurement, `text` onto the certificate. A keypoint counts from `visible_cut` on.
    `missing_because` says why some renditions are not known, and is empty where all are; `smooths` whether fast
    movement is lost.
    """

    method: str
    text: str
    visible_cut: float
    missing_because: str = ""
    smooths: bool = False
    settings: dict[str, str] = field(default_factory=dict)


class KeypointDetector(Protocol):
    """Follows the subject through one rendition of one video, with a state that nothing else has touched."""

    def add(self, image_rgb: Image, face_xyxy: Float) -> None:
        """The next frame uint8 (H, W, 3), and where the original has the subject's face: (4,) px, NaN where unknown."""
        ...

    def finish(self) -> Found:
        """What was found in all frames; the detector is closed."""
        ...


class KeypointBackend(Protocol):
    """A way to get keypoints; `start` gives a fresh detector a rendition, None for one the backend knows nothing of."""

    @property
    def traits(self) -> KeypointTraits: ...

    def start(self, of: Of, *, window_xyxy: Window | None) -> KeypointDetector | None:
        """`window_xyxy` is the part of the frame that holds the subject when others are in view, else None."""
        ...


MEDIAPIPE = KeypointTraits(
    method="MediaPipe Pose video mode, COCO-17; area: person mask",
    text=(
        "Keypoints: MediaPipe Pose in video mode on original, released, masked, blurred and pixelated video and on the "
        "re-encoded original (the noise floor); keypoints of visibility 0.5 or more count, the person mask is the "
        "area. The detector's own smoothing in video mode all but erases fast movement (a 5 Hz tremor of 8 px comes "
        "out as 1.1 px), so this table is blind to tremor."
    ),
    visible_cut=0.5,
    smooths=True,
)


class MediaPipePose:
    """The default backend."""

    traits = MEDIAPIPE

    def start(self, of: Of, *, window_xyxy: Window | None) -> KeypointDetector:
        return _Followed(PoseTracker(window_xyxy=window_xyxy))


class _Followed:
    def __init__(self, tracker: PoseTracker) -> None:
        self._tracker = tracker
        self._poses: list[BodyPose | None] = []

    def add(self, image_rgb: Image, face_xyxy: Float) -> None:
        self._poses.append(self._tracker.track(image_rgb))

    def finish(self) -> Found:
        self._tracker.close()
        return stacked(self._poses)


def stacked(poses: Sequence[BodyPose | None]) -> Found:
    """One pose a frame as arrays, NaN where the person was not found."""
    lost = np.full((17, 3), np.nan, np.float32)
    rows = [lost if pose is None else pose.keypoints for pose in poses]
    areas = [np.nan if pose is None else pose.area_px2 for pose in poses]
    return np.array(rows, np.float32).reshape(-1, 17, 3), np.array(areas, np.float32)
