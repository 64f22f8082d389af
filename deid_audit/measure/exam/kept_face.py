"""One rendition's face as a certificate's job keeps it: the few points that the exam measures use, and the lids.

All landmarks of a video would be 8 kB a frame. Pictures and detectors are not known here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.measure.exam.eyes import LidTrack, eye_aspect_ratio
from deid_audit.measure.exam.points import FACE_USED, SIDES
from deid_audit.measure.exam.sampling import real_rate
from deid_audit.measure.motion_tracks import BODY_POINTS, FACE_POINTS, HAND_POINTS, MotionTracks

Signal = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeptFace:
    """`points_xy` float32 (n, k, 2) px of `FACE_USED`, NaN where no face; `left`, `right` (n,) are the eyes' ratios."""

    points_xy: NDArray[np.float32]
    left: Signal
    right: Signal

    def arrays(self) -> list[NDArray[np.float32]]:
        """What still draws the face, for whoever must overwrite it at the end."""
        return [self.points_xy]

    def lids(self, times_s: Signal, used: NDArray[np.bool_]) -> LidTrack:
        """The lids in the `used` frames (n,)."""
        left, right = (np.where(used, side, np.nan) for side in (self.left, self.right))
        real_hz = real_rate(self.points_xy.astype(np.float64), times_s)
        return LidTrack(left=left, right=right, times_s=times_s, real_hz=real_hz)

    def tracks(self, times_s: Signal, used: NDArray[np.bool_], body: tuple[Signal, Signal] | None) -> MotionTracks:
        """Movement in the `used` frames (n,): no hands, and of the `body` its points (n, 33, 2) and visibility (n, 33).

        Points of the face that no measure uses lie at 0 where the face is seen. Memory of 8 kB a frame.
        """
        count = len(times_s)
        seen = used & np.isfinite(self.points_xy).all(axis=(1, 2))
        face = np.zeros((count, FACE_POINTS, 2))
        face[:, list(FACE_USED)] = self.points_xy
        face[~seen] = np.nan
        hand = np.broadcast_to(np.nan, (count, HAND_POINTS, 2))
        nobody = np.broadcast_to(np.nan, (count, BODY_POINTS, 2)), np.broadcast_to(0.0, (count, BODY_POINTS))
        body_xy, visibility = body or nobody
        return MotionTracks(
            times_s=times_s,
            body_xy=body_xy,
            body_visibility=visibility,
            left_hand_xy=hand,
            right_hand_xy=hand,
            face_xy=face,
        )


def kept_face(landmarks: NDArray[np.float32]) -> KeptFace:
    """What is kept of landmarks (n, 478, 3) px, NaN where no face."""
    flat = landmarks[:, :, :2].astype(np.float64)
    left, right = (eye_aspect_ratio(flat, side) for side in SIDES)
    flat.fill(0)
    points = np.ascontiguousarray(landmarks[:, list(FACE_USED), :2], np.float32)
    return KeptFace(points_xy=points, left=left, right=right)


def joined_faces(parts: Sequence[KeptFace]) -> KeptFace:
    """Stretches of one rendition, one after the other."""
    return KeptFace(
        points_xy=np.concatenate([part.points_xy for part in parts]),
        left=np.concatenate([part.left for part in parts]),
        right=np.concatenate([part.right for part in parts]),
    )
