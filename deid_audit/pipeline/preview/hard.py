"""Which frames are hard, and why: from tracked faces and their sharpness; no picture is looked at here.

About one person, the one a run would swap; of others only the faces that nobody can be named for, since they may be
that person's.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum

import numpy as np

from deid_audit.faces.subject import SMALLEST_FACE_PX
from deid_audit.frames import Float, TrackedFace
from deid_audit.pipeline.cast import CastVideo
from deid_audit.pipeline.ladder import SMALLEST_SWAP_PX
from deid_audit.render.conceal import release_box
from deid_audit.vision.detectors import share_inside

MOST_TURN_DEGREES = 40
LEAST_SHARPNESS = 0.12
"""Measured on 91 real faces: 0.14 or more as filmed; blurred by 4 % of their height 95 % have less than 0.115."""
_MOST_OVERLAP = 0.05
_BORDER_PX = 1.0
_NOSE_TIP, _CHEEKS = 4, (234, 454)
# tan(yaw) is this times the nose tip's way from the middle between the cheeks, in half cheek distances.
_TURN_PER_SHIFT = 0.65
Sharpness = Mapping[tuple[int, int], float]


class Reason(StrEnum):
    """Why a frame is hard; the value is its name in JSON."""

    NO_LANDMARKS = "no_landmarks"
    TOO_SMALL = "too_small"
    SMALL = "small"
    BORDER = "border"
    TURNED = "turned"
    BLURRED = "blurred"
    OVERLAP = "overlap"
    GAP = "gap"
    EDGE = "edge"
    SECOND_ONLY = "second_only"
    UNNAMED = "unnamed"


WORDS = {
    Reason.NO_LANDMARKS: "no landmarks are found on the face",
    Reason.TOO_SMALL: f"face under {SMALLEST_SWAP_PX} px: too small to swap",
    Reason.SMALL: f"face under {SMALLEST_FACE_PX} px: too small to learn from",
    Reason.BORDER: "face at the frame's border",
    Reason.TURNED: f"head turned by more than {MOST_TURN_DEGREES} degrees",
    Reason.BLURRED: "face strongly blurred",
    Reason.OVERLAP: "the cover of another face reaches into it",
    Reason.GAP: "face lost, filled in from before and after",
    Reason.EDGE: "just before the face is first or after it is last seen",
    Reason.SECOND_ONLY: "only the second detector sees a face",
    Reason.UNNAMED: "a face seen too shortly to tell whose it is",
}


def hard_frames(
    video: CastVideo, *, named: Collection[int], sharpness: Sharpness, second: str
) -> dict[Reason, list[int]]:
    """Frames of each reason, in order; `named` are the tracks of people, `second` the second detector's name.

    `sharpness` has the faces, by frame and track, that are large enough to tell; reasons without a frame are left out.
    """
    sighted = _sightings(video)
    size = video.source.facts.width, video.source.facts.height
    found: dict[Reason, list[int]] = {}
    for index, faces in enumerate(video.faces.frames):
        reasons: set[Reason] = set()
        mine = video.person_face(index)
        if mine is not None:
            first, last = sighted[mine.track_id]
            sharp = sharpness.get((index, mine.track_id), float("nan"))
            others = [face for face in faces if face is not mine]
            reasons |= _reasons(mine, others, size, sharp, inside=first < index < last)
        for face in faces:
            if face.track_id not in named and not face.filled:
                reasons.add(Reason.SECOND_ONLY if second in face.source else Reason.UNNAMED)
        for reason in reasons:
            found.setdefault(reason, []).append(index)
    return found


def _reasons(
    face: TrackedFace, others: list[TrackedFace], size: tuple[int, int], sharpness: float, *, inside: bool
) -> set[Reason]:
    """Why this face is hard; `inside` says that its track is seen both before and after."""
    if face.filled:
        return {Reason.GAP if inside else Reason.EDGE}
    found: set[Reason] = set()
    left, top, right, bottom = (float(edge) for edge in face.box_xyxy)
    if bottom - top < SMALLEST_SWAP_PX:
        found.add(Reason.TOO_SMALL)
    elif bottom - top < SMALLEST_FACE_PX:
        found.add(Reason.SMALL)
    if min(left, top) < _BORDER_PX or right > size[0] - _BORDER_PX or bottom > size[1] - _BORDER_PX:
        found.add(Reason.BORDER)
    if (landmarks := face.landmarks_xy) is None:
        found.add(Reason.NO_LANDMARKS)
    elif abs(yaw_degrees(landmarks)) > MOST_TURN_DEGREES:
        found.add(Reason.TURNED)
    if sharpness < LEAST_SHARPNESS:
        found.add(Reason.BLURRED)
    if any(share_inside(face.box_xyxy, release_box(other.box_xyxy)) > _MOST_OVERLAP for other in others):
        found.add(Reason.OVERLAP)
    return found


def yaw_degrees(landmarks_xy: Float) -> float:
    """How far the head is turned, from landmarks (478, 2): positive when the image's left side of the face is nearer.

    Within 3.5 degrees of what three dimensions give, up to 56 degrees, on 161 faces of eight real clips.
    """
    left, right = (landmarks_xy[cheek].astype(np.float64) for cheek in _CHEEKS)
    across = right - left
    length2 = float(across @ across)
    if length2 <= 0:
        return float("nan")
    shift = float((landmarks_xy[_NOSE_TIP] - (left + right) / 2) @ across) / length2 * 2
    return float(np.degrees(np.arctan(_TURN_PER_SHIFT * shift)))


def _sightings(video: CastVideo) -> dict[int, tuple[int, int]]:
    """First and last frame in which each track was really seen."""
    found: dict[int, tuple[int, int]] = {}
    for index, faces in enumerate(video.faces.frames):
        for face in faces:
            if not face.filled:
                found[face.track_id] = found.get(face.track_id, (index, index))[0], index
    return found
