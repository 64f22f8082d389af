"""What was seen of one person's movement: landmarks of body, hands and face, each frame at its own time."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

BODY_POINTS, HAND_POINTS, FACE_POINTS = 33, 21, 478


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MotionTracks:
    """Landmarks in pixels of the upright picture, float64, NaN where nothing was found; sides are the subject's.

    `times_s` (n,) rises; `body_xy` (n, 33, 2) in MediaPipe Pose's order, `body_visibility` (n, 33) in [0, 1];
    `left_hand_xy` and `right_hand_xy` (n, 21, 2) in MediaPipe Hands' order; `face_xy` (n, 478, 2) in FaceMesh's, the
    last ten of which are the irises.
    """

    times_s: NDArray[np.float64]
    body_xy: NDArray[np.float64]
    body_visibility: NDArray[np.float64]
    left_hand_xy: NDArray[np.float64]
    right_hand_xy: NDArray[np.float64]
    face_xy: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.times_s)

    def arrays(self) -> list[NDArray[np.float64]]:
        """All of them, for whoever must overwrite them."""
        return [getattr(self, one.name) for one in fields(self)]
