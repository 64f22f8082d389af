"""Which points the comparison of movement speaks of, by name, and what their errors are held against.

Order and names are those of MediaPipe Pose (33), Hands (21) and FaceMesh (478 with the irises), sides the subject's.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deid_audit.measure.motion_tracks import FACE_POINTS, MotionTracks
from deid_audit.vision.hands import FINGERS, WRIST
from deid_audit.vision.mesh import (
    BROWS_AND_EYES,
    FACE_OVAL,
    INNER_LIPS,
    LEFT_EYE,
    LEFT_IRIS,
    LIPS,
    OUTER_CORNERS,
    RIGHT_EYE,
    RIGHT_IRIS,
)
from deid_audit.vision.pose import COCO17_OF_33

Array = NDArray[np.float64]
Group = Literal["body", "left hand", "right hand", "face"]
GROUPS: tuple[Group, ...] = ("body", "left hand", "right hand", "face")
VISIBLE_CUT = 0.5
_SHOULDERS, _HIPS = (11, 12), (23, 24)
_MIDDLE_FINGER = (WRIST, *FINGERS[2])
_LEAST_PX = 1.0  # a yardstick below this is no measure

BODY_NAMES = (
    "nose", "left eye inner", "left eye", "left eye outer", "right eye inner", "right eye", "right eye outer",
    "left ear", "right ear", "mouth left", "mouth right", "left shoulder", "right shoulder", "left elbow",
    "right elbow", "left wrist", "right wrist", "left pinky", "right pinky", "left index", "right index",
    "left thumb", "right thumb", "left hip", "right hip", "left knee", "right knee", "left ankle", "right ankle",
    "left heel", "right heel", "left foot index", "right foot index",
)  # fmt: skip
HAND_NAMES = (
    "wrist",
    *(f"thumb {joint}" for joint in ("base", "knuckle", "joint", "tip")),
    *(
        f"{finger} {joint}"
        for finger in ("index", "middle", "ring", "little")
        for joint in ("knuckle", "joint", "last joint", "tip")
    ),
)
_NOSE = (168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 64, 294)
_FACE_SETS: dict[str, tuple[int, ...]] = {
    "all of the mesh": tuple(range(FACE_POINTS)),
    "outline": FACE_OVAL,
    "right brow": BROWS_AND_EYES[0][:5],
    "left brow": BROWS_AND_EYES[1][:5],
    "right lids": RIGHT_EYE,
    "left lids": LEFT_EYE,
    "right iris": tuple(RIGHT_IRIS),
    "left iris": tuple(LEFT_IRIS),
    "nose": _NOSE,
    "lips": (*LIPS, *INNER_LIPS),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PointSet:
    """One line of the comparison: a single keypoint, or several that are taken together."""

    name: str
    points: tuple[int, ...]


def sets_of(group: Group) -> tuple[PointSet, ...]:
    """The summary first, then each keypoint; the face by parts."""
    if group == "face":
        return tuple(PointSet(name=name, points=points) for name, points in _FACE_SETS.items())
    if group == "body":
        names: tuple[str, ...] = BODY_NAMES
        summary = PointSet(name="COCO-17", points=COCO17_OF_33)
    else:
        names, summary = HAND_NAMES, PointSet(name="whole hand", points=tuple(range(len(HAND_NAMES))))
    return (summary, *(PointSet(name=name, points=(at,)) for at, name in enumerate(names)))


def points_of(tracks: MotionTracks, group: Group) -> Array:
    """The group's points (n, p, 2) in px, NaN where they are not seen: of the body, below a visibility of 0.5."""
    if group == "body":
        return np.where((tracks.body_visibility >= VISIBLE_CUT)[..., None], tracks.body_xy, np.nan)
    return {"left hand": tracks.left_hand_xy, "right hand": tracks.right_hand_xy, "face": tracks.face_xy}[group]


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """What 100 % is for a group's errors: its name, and its median length in the original, None where never seen."""

    name: str
    px: float | None


def yardstick_of(original: MotionTracks, group: Group) -> Yardstick:
    """Torso for the body, hand for the hands, distance of the eyes' outer corners for the face; medians over frames."""
    points = points_of(original, group)
    if group == "body":
        line = points[:, _SHOULDERS].mean(axis=1) - points[:, _HIPS].mean(axis=1)
        return Yardstick(name="torso, middle of the shoulders to middle of the hips", px=_median_length(line))
    if group == "face":
        line = points[:, OUTER_CORNERS[0]] - points[:, OUTER_CORNERS[1]]
        return Yardstick(name="distance of the eyes' outer corners", px=_median_length(line))
    bones = np.diff(points[:, _MIDDLE_FINGER], axis=1)
    return Yardstick(name="hand, wrist to middle fingertip along the joints", px=_median_length(bones))


def _median_length(lines: Array) -> float | None:
    """Median over frames of the length of (n, 2), or of the added lengths of (n, pieces, 2)."""
    lengths = np.hypot(lines[..., 0], lines[..., 1])
    lengths = lengths if lengths.ndim == 1 else lengths.sum(axis=1)
    known = lengths[lengths >= _LEAST_PX]  # NaN is not
    return float(np.median(known)) if len(known) else None
