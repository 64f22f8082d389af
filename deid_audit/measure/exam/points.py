"""Which landmark is which part: indices in MediaPipe's body, hand and face, and what follows from them frame by frame.

Left and right are the subject's. The face is laid onto its own rigid upper part here, so that turning and moving the
head in the picture's plane moves nothing else; turning it out of the plane does, since the tracks are flat.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.measure.motion_tracks import MotionTracks

MIN_VISIBILITY = 0.5
SIDES = ("left", "right")
SHOULDERS, HIPS, KNEES, ANKLES, HEELS, TOES = (11, 12), (23, 24), (25, 26), (27, 28), (29, 30), (31, 32)
ELBOWS, WRISTS = (13, 14), (15, 16)
WRIST, THUMB_TIP, INDEX_TIP, MIDDLE_KNUCKLE = 0, 4, 8, 9
WRIST_AND_KNUCKLES = (0, 5, 9, 13, 17)

OUTER_EYE_CORNERS, INNER_EYE_CORNERS = (263, 33), (362, 133)  # left, right, as in all pairs below
UPPER_LIDS, LOWER_LIDS = ((385, 387), (160, 158)), ((380, 373), (144, 153))
LID_MIDDLES = ((386, 374), (159, 145))  # upper, lower
IRISES = (range(473, 478), range(468, 473))
INNER_BROWS, OUTER_BROWS, BROWS = (336, 107), (300, 70), ((334, 296, 336), (105, 66, 107))
MOUTH_CORNERS, INNER_LIPS, CHIN, NOSE_TIP = (291, 61), (13, 14), 152, 4
# neither speech nor blinking moves these: eye corners, bridge of the nose
RIGID = (33, 133, 263, 362, 168, 6, 197)
FACE_USED = tuple(
    sorted({
        *(*OUTER_EYE_CORNERS, *INNER_EYE_CORNERS, *INNER_BROWS, *OUTER_BROWS, *MOUTH_CORNERS, *INNER_LIPS, *RIGID),
        *(point for side in (*UPPER_LIDS, *LOWER_LIDS, *LID_MIDDLES, *BROWS, *IRISES) for point in side),
        *(CHIN, NOSE_TIP),
    })
)  # fmt: skip
"""Every point of the face that a measure uses."""

Signal = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SteadyFace:
    """The face laid onto its rigid upper part.

    `xy` (n, 478, 2) in inter-ocular distances (outer eye corners), x to the picture's right and y down the face, NaN
    where there is none; `unit_px` is the median inter-ocular distance; `seen` (n,) marks the frames with a face.
    """

    xy: Signal
    unit_px: float
    seen: NDArray[np.bool_]


def steady_face(face_xy: Signal) -> SteadyFace | None:
    """Lay every frame's face (n, 478, 2) px onto the median of its rigid points; None without any face."""
    points = face_xy[..., 0] + 1j * face_xy[..., 1]
    rigid = points[:, RIGID]
    seen = np.isfinite(rigid).all(axis=1)
    axis = points[:, OUTER_EYE_CORNERS[0]] - points[:, OUTER_EYE_CORNERS[1]]
    seen &= np.abs(np.where(seen, axis, 0)) > 0
    if not seen.any():
        return None
    upright = (rigid[seen] - rigid[seen].mean(axis=1, keepdims=True)) / axis[seen, None]
    template = np.median(upright.real, axis=0) + 1j * np.median(upright.imag, axis=0)
    # the subject's left is the picture's right, so a face whose axis points there keeps its orientation
    template = template - template.mean()
    centre = rigid.mean(axis=1, keepdims=True)
    offset = rigid - centre
    with np.errstate(invalid="ignore", divide="ignore"):
        turn = (np.conj(offset) * template).sum(axis=1) / (np.abs(offset) ** 2).sum(axis=1)
    steady = np.where(seen[:, None], (points - centre) * turn[:, None], np.nan)
    return SteadyFace(
        xy=np.stack((steady.real, steady.imag), axis=-1), unit_px=float(np.median(np.abs(axis[seen]))), seen=seen
    )


def body_point(tracks: MotionTracks, point: int) -> Signal:
    """A body point's position (n, 2) px, NaN where its visibility is below 0.5."""
    seen = tracks.body_visibility[:, point] >= MIN_VISIBILITY
    return np.where(seen[:, None], tracks.body_xy[:, point], np.nan)


def hand_of(tracks: MotionTracks, side: str) -> Signal:
    return tracks.left_hand_xy if side == "left" else tracks.right_hand_xy


def distance(one: Signal, other: Signal) -> Signal:
    """Length (n,) between positions (n, 2)."""
    return np.asarray(np.linalg.norm(one - other, axis=-1))


def jitter(signal: Signal) -> float:
    """Standard deviation of the frame-to-frame noise of a signal (n,) that hardly moves; 0 with too few frames.

    From the median of its steps, so that some real movement does not count as noise.
    """
    steps = np.diff(signal)
    steps = steps[np.isfinite(steps)]
    return float(np.median(np.abs(steps)) / 0.6745 / np.sqrt(2)) if len(steps) else 0.0
