"""OpenPose's output (Cao et al. 2019, doi 10.1109/TPAMI.2019.2929257), read from its JSON files; who is the subject.

A folder as `--write_json` makes it, one file a frame, BODY_25 or COCO (18 points), is read in full and checked against
the video before it is used. OpenPose numbers people anew in every frame: the subject is found by place, never by order.
"""

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid_audit.errors import SettingsError, VideoError
from deid_audit.findings import Of
from deid_audit.frames import Float, Image
from deid_audit.vision.keypoint_detectors import Found, KeypointDetector, KeypointTraits, Window

People = NDArray[np.float32]
"""The people of one frame, (p, 17, 3) in COCO's order: x px, y px, confidence 0..1; x and y NaN where not found."""

VISIBLE_CONFIDENCE = 0.3
AREA_SHARE = 0.53
AREA_WORDS = f"area: {AREA_SHARE} times the box of the keypoints of confidence {VISIBLE_CONFIDENCE} or more"
FOLLOW_WORDS = (
    "OpenPose does not order people: the subject is the person whose head, or else shoulders, stand nearest the "
    "subject's face in the original, where no face is known the person nearest the one of the frame beside it, and "
    "nobody where none is near enough."
)
# COCO's 17 keypoints among OpenPose's, by the number of points a person has (POSE_BODY_25_BODY_PARTS, POSE_COCO_...)
_COCO17_OF = {
    25: (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11),
    18: (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10),
}
_FORMATS = {25: "BODY_25", 18: "COCO (18 points)"}
_FILE = re.compile(r"(?P<name>(?:.*_)?)(?P<number>\d{12})_keypoints\.json")
_RUN = "run OpenPose on this very video with --write_json DIR --keypoint_scale 0 --model_pose BODY_25"
_HEAD, _SHOULDERS = slice(0, 5), slice(5, 7)
_HEAD_REACH, _SHOULDER_REACH = 0.75, 2.0  # of the face's longer side, from its centre
_STEP_REACH = 0.5  # of the person's diagonal, from one frame to the next


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenPoseFrames:
    """What OpenPose found in each frame of a video; `sha256` is of all its files' bytes, in order."""

    people: tuple[People, ...]
    points: int
    sha256: str


def read_folder(folder: Path, *, label: str, frame_count: int, size: tuple[int, int]) -> OpenPoseFrames:
    """Reads a folder of `<name>_<12 digits>_keypoints.json`; `label` names it in messages, `size` is (width, height).

    Raises:
        SettingsError: there is no such folder.
        VideoError: a missing or broken file, another number of frames, another format, other coordinates.
    """
    files = _files(folder, label)
    if len(files) != frame_count:
        raise VideoError(
            f"{label}: {len(files)} frames in the folder, {frame_count} in the video",
            next_step=f"{_RUN}; if its decoder drops a frame, run it on the frames as pictures (--image_dir)",
        )
    digest = hashlib.sha256()
    people: list[People] = []
    formats: set[int] = set()
    gaps: list[tuple[float, float]] = []
    for at, file in enumerate(files):
        try:
            text = file.read_bytes()
        except OSError as error:
            reason = error.strerror or "input/output error"
            raise VideoError(f"{label}, frame {at}: {reason}", next_step="check the folder") from None
        digest.update(text)
        people.append(_people(text, f"{label}, frame {at}", formats, gaps))
    if len(formats) > 1:
        names = " and ".join(_FORMATS[one] for one in sorted(formats, reverse=True))
        raise VideoError(f"{label}: {names} are mixed", next_step=_RUN)
    _check_order(gaps, label)
    _check_scale(people, label, size)
    return OpenPoseFrames(people=tuple(people), points=max(formats, default=25), sha256=digest.hexdigest())


def _files(folder: Path, label: str) -> list[Path]:
    try:
        found = [(matched, file) for file in folder.iterdir() if (matched := _FILE.fullmatch(file.name))]
    except OSError:
        raise SettingsError(
            f"{label}: there is no such folder, or it cannot be read",
            next_step="give --keypoints openpose-json:DIR_ORIGINAL:DIR_RELEASED, two folders made with --write_json",
        ) from None
    if not found:
        raise VideoError(f"{label}: no file is called <name>_<12 digits>_keypoints.json", next_step=_RUN)
    if len({matched["name"] for matched, _ in found}) > 1:
        raise VideoError(f"{label}: the folder holds the keypoints of several videos", next_step="give one folder each")
    ordered = sorted((int(matched["number"]), file) for matched, file in found)
    for (number, _), expected in zip(ordered, range(ordered[0][0], ordered[0][0] + len(ordered)), strict=True):
        if number != expected:
            raise VideoError(f"{label}: the file of frame {expected} is missing", next_step=_RUN)
    return [file for _, file in ordered]


def _people(text: bytes, label: str, formats: set[int], gaps: list[tuple[float, float]]) -> People:
    """One file's people; adds how many points they have to `formats`, and `_necks` to `gaps`."""
    try:
        people = json.loads(text)["people"]
        rows = [_numbers(person) for person in people]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise VideoError(f"{label}: this is not a JSON file as OpenPose writes it", next_step=_RUN) from None
    found = np.full((len(rows), 17, 3), np.nan, np.float32)
    for at, row in enumerate(rows):
        count = len(row) // 3
        if count not in _COCO17_OF:
            raise VideoError(
                f"{label}: a person has {count} points; expected 25 (BODY_25) or 18 (COCO)", next_step=_RUN
            )
        formats.add(count)
        whole = np.array(row, np.float64).reshape(-1, 3)
        gaps += _necks(whole) if count == 25 else []
        table = whole[list(_COCO17_OF[count])]
        table[table[:, 2] <= 0, :2] = np.nan  # OpenPose writes 0, 0, 0 for a point that it did not find
        found[at] = table
    return found


def _numbers(person: dict[str, Any]) -> list[float]:
    # "pose_keypoints" is what OpenPose before version 1.2 wrote
    row = person["pose_keypoints_2d"] if "pose_keypoints_2d" in person else person["pose_keypoints"]
    if len(row) % 3 or not all(type(one) in (int, float) and math.isfinite(one) for one in row):
        raise ValueError("not a list of x, y, confidence")
    if not all(0 <= one <= 1.5 for one in row[2::3]):  # confidences are sums of fields and may exceed 1 a little
        raise ValueError("a confidence out of range")
    return [float(one) for one in row]


def _necks(whole: NDArray[np.float64]) -> list[tuple[float, float]]:
    """How far the neck lies off the middle of the shoulders, in px, by BODY_25's order and by BODY_25B's."""
    orders = ((1, 2, 5), (17, 5, 6))  # neck, shoulder, shoulder
    if not all((whole[list(order), 2] >= VISIBLE_CONFIDENCE).all() for order in orders):
        return []
    gaps = [np.hypot(*(whole[neck, :2] - (whole[one, :2] + whole[other, :2]) / 2)) for neck, one, other in orders]
    return [(float(gaps[0]), float(gaps[1]))]


def _check_order(gaps: Sequence[tuple[float, float]], label: str) -> None:
    """BODY_25B, OpenPose's experimental model, has 25 points too, and the file does not say which it is."""
    if gaps and np.median([first for first, _ in gaps]) > np.median([second for _, second in gaps]):
        raise VideoError(f"{label}: the 25 points stand in the order of BODY_25B, expected BODY_25", next_step=_RUN)


def _check_scale(people: Sequence[People], label: str, size: tuple[int, int]) -> None:
    """Coordinates are pixels of this video: `--keypoint_scale` can make them something else."""
    known = np.concatenate([np.empty((0, 2), np.float32), *(one[:, :, :2].reshape(-1, 2) for one in people)])
    known = known[np.isfinite(known).all(axis=1)]
    if not len(known):
        return
    if np.abs(known).max() <= 2:  # scaled ones pass 1 a little where a point lies outside the picture
        raise VideoError(f"{label}: the coordinates are scaled to 0..1 or -1..1, expected pixels", next_step=_RUN)
    reach = known.max(axis=0)
    if (reach > 1.05 * np.array(size)).any():
        raise VideoError(
            f"{label}: keypoints reach {reach[0]:.0f}, {reach[1]:.0f} px, the video is {size[0]}x{size[1]}",
            next_step=_RUN,
        )


def follow_subject(people: Sequence[People], faces_xyxy: Float) -> Found:
    """The subject among the people of every frame, by the original's face boxes (n, 4), NaN where none is known.

    From the first frame in which a face names a person onwards, then from there back.
    """
    chosen: list[People | None] = [None] * len(people)
    named = [_nearest_face(one, face) for one, face in zip(people, faces_xyxy, strict=True)]
    first = next((at for at, one in enumerate(named) if one is not None), None)
    if first is not None:
        for way in (range(first, len(people)), range(first - 1, -1, -1)):
            before = named[first]
            for at in way:
                chosen[at] = named[at] if named[at] is not None else _nearest_before(people[at], before)
                before = before if chosen[at] is None else chosen[at]
    keypoints = np.full((len(people), 17, 3), np.nan, np.float32)
    area = np.full(len(people), np.nan, np.float32)
    for at, person in enumerate(chosen):
        if person is not None:
            keypoints[at] = person
            keypoints[at, :, 2] = np.minimum(person[:, 2], 1)
            area[at] = box_area(person)
    return keypoints, area


def box_area(person: People) -> float:
    """The area that stands in for COCO's person mask, in px²; NaN without a visible keypoint.

    0.53 of the box is what mmpose takes for data sets that have no mask; here the box is that of the keypoints.

    >>> box_area(np.array([[0, 0, 1], [10, 20, 1], [90, 90, 0.1]], np.float32))
    106.0
    """
    seen = person[person[:, 2] >= VISIBLE_CONFIDENCE, :2]
    return float(AREA_SHARE * np.ptp(seen, axis=0).prod()) if len(seen) else math.nan


def _nearest_face(people: People, face_xyxy: Float) -> People | None:
    """The person to whom the face belongs: how far off each is, in reaches; None when nobody is within one."""
    if not np.isfinite(face_xyxy).all():
        return None
    centre = (face_xyxy[:2] + face_xyxy[2:]) / 2
    side = float(max(face_xyxy[2] - face_xyxy[0], face_xyxy[3] - face_xyxy[1]))
    return _least(people, [_reaches(person, centre, side) for person in people])


def _reaches(person: People, centre: Float, side: float) -> float:
    for part, reach in ((_HEAD, _HEAD_REACH), (_SHOULDERS, _SHOULDER_REACH)):
        seen = person[part][person[part, 2] >= VISIBLE_CONFIDENCE, :2]
        if len(seen):
            return float(np.hypot(*(seen.mean(axis=0) - centre))) / (reach * side)
    return math.inf


def _nearest_before(people: People, before: People | None) -> People | None:
    """The person nearest to where the subject was, by the keypoints that both have."""
    if before is None:
        return None
    diagonal = max(float(np.hypot(*(np.nanmax(before[:, :2], axis=0) - np.nanmin(before[:, :2], axis=0)))), 1.0)
    steps = []
    for person in people:
        both = np.isfinite(person[:, 0]) & np.isfinite(before[:, 0])
        moved = np.hypot(*(person[both, :2] - before[both, :2]).T)
        steps.append(float(moved.mean()) / (_STEP_REACH * diagonal) if both.any() else math.inf)
    return _least(people, steps)


def _least(people: People, reaches: Sequence[float]) -> People | None:
    best = min(range(len(people)), key=lambda at: reaches[at], default=None)
    return None if best is None or reaches[best] > 1 else people[best]


class RecordedOpenPose:
    """Backend: what OpenPose, run elsewhere, wrote about the original and the released video."""

    def __init__(self, original: OpenPoseFrames, released: OpenPoseFrames) -> None:
        self._frames: dict[Of, OpenPoseFrames] = {"original": original, "swapped": released}
        self.traits = KeypointTraits(
            method=f"OpenPose {_FORMATS[original.points]} from JSON files given, COCO-17; {AREA_WORDS}",
            text=(
                "Keypoints: read from JSON files that were given as OpenPose's output for the original and the "
                "released video; that OpenPose made them from these files is not shown. Keypoints of confidence "
                f"{VISIBLE_CONFIDENCE} or more count. OpenPose gives no person mask: the {AREA_WORDS}. {FOLLOW_WORDS} "
                "Masked, blurred, pixelated and re-encoded video were not measured, so there is no noise floor: how "
                "much of a difference comes from the encoder alone is not known."
            ),
            visible_cut=VISIBLE_CONFIDENCE,
            missing_because=(
                "OpenPose's files were given for the original and the released video only; there is no noise floor"
            ),
            settings={"original_files_sha256": original.sha256, "released_files_sha256": released.sha256},
        )

    def start(self, of: Of, *, window_xyxy: Window | None) -> KeypointDetector | None:
        return _Recorded(self._frames[of].people) if of in self._frames else None


class _Recorded:
    def __init__(self, people: Sequence[People]) -> None:
        self._people = people
        self._faces: list[Float] = []

    def add(self, image_rgb: Image, face_xyxy: Float) -> None:
        self._faces.append(face_xyxy)

    def finish(self) -> Found:
        return follow_subject(self._people, np.array(self._faces, np.float32).reshape(-1, 4))
