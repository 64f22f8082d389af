"""What an examination of the face shows, original beside released, as measurements; of the body what is not smoothed.

Takes what pass 4 keeps of the landmarks (`exam/kept_face.py`) and gives numbers: the measures of `exam/`, and whether
each blink is still there.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Measurement, Of, measured, not_measured
from deid_audit.measure.exam.blink_agreement import BlinkAgreement, blink_agreement
from deid_audit.measure.exam.eyes import LidTrack, blinks_of, closings_in, gaze_paths, gaze_values
from deid_audit.measure.exam.face_ranges import face_range_values
from deid_audit.measure.exam.kept_face import KeptFace
from deid_audit.measure.exam.rising import chair_rise_values
from deid_audit.measure.exam.sampling import MIN_FRAMES
from deid_audit.measure.exam.tremors import tremor_values
from deid_audit.measure.exam.values import ExamValue
from deid_audit.measure.exam.walking import gait_values
from deid_audit.measure.expression import NOISE_FACTOR, correlation
from deid_audit.measure.keypoints import PoseTrack
from deid_audit.measure.motion_tracks import BODY_POINTS

LEAST_BLINKS = 3
"""Of fewer no share is given: one blink that is missed would be all of them, or half."""
MOST_FRAMES = 54_000
"""Half an hour at 30 frames a second: the measures of a whole face take 8 kB a frame."""
METHOD_TEXT = (
    "Exam measures: blinks, gaze, ranges and asymmetry of the face, tremor of head and jaw from MediaPipe FaceMesh, "
    "unsmoothed, with the same crops on both sides, in the frames whose face is swapped; docs/exam_measures.md defines "
    "each. A blink of the original is kept where the released lids, within a frame of it, come down at least half as "
    "far as the original's, each from its own open level. Wrist tremor, gait and rising from a chair are measured only "
    "where the detector of the body's keypoints does not smooth over time; fingers and toes are not looked at: "
    "deid-audit motion does."
)
NAMES: Mapping[tuple[str, str], str] = {
    ("blink_count", ""): "exam.blinks",
    ("blink_rate", ""): "exam.blink_rate",
    ("blink_duration", ""): "exam.blink_duration",
    ("gaze_range_horizontal", ""): "exam.gaze_horizontal_range",
    ("gaze_range_vertical", ""): "exam.gaze_vertical_range",
    ("mouth_opening_range", ""): "exam.mouth_opening_range",
    **{
        (f"{part}_range", side): f"exam.{part}_range.{side}"
        for part in ("brow", "mouth_corner", "lid")
        for side in ("left", "right")
    },
    ("brow_asymmetry", ""): "exam.brow_asymmetry",
    ("mouth_corner_asymmetry", ""): "exam.mouth_corner_asymmetry",
    ("head_tremor_frequency", ""): "exam.head_tremor_hz",
    ("head_tremor_relative_amplitude", ""): "exam.head_tremor_amplitude",
    ("jaw_tremor_frequency", ""): "exam.jaw_tremor_hz",
    ("jaw_tremor_relative_amplitude", ""): "exam.jaw_tremor_amplitude",
    ("hand_tremor_frequency", "left"): "exam.wrist_tremor_hz.left",
    ("hand_tremor_frequency", "right"): "exam.wrist_tremor_hz.right",
    ("gait_cadence", ""): "exam.gait_cadence",
    ("chair_rise_time", ""): "exam.chair_rise_s",
}
"""The metric of each exam measure (name, side) that a certificate has."""
_OF_THE_BODY = ("hand_tremor_frequency", "gait_cadence", "chair_rise_time")
_RENDITIONS: tuple[Of, ...] = ("original", "swapped", "reencoded")
_METHOD = "MediaPipe FaceMesh and its irises, unsmoothed, the same crops on both sides, swapped frames alone"
_SMOOTHED = "the body's keypoints are smoothed over time here; deid-audit motion looks at unsmoothed ones"
_NOT_THERE = "no such movement seen"
_LOST = "the original shows it, the released video does not: {why}"
_FROM_COCO = {5: 11, 6: 12, 7: 13, 8: 14, 9: 15, 10: 16, 11: 23, 12: 24, 13: 25, 14: 26, 15: 27, 16: 28}

Signal = NDArray[np.float64]
Place = tuple[str, str]
Gaze = tuple[dict[str, Signal], NDArray[np.bool_]]
_WHOLE = (gaze_values, face_range_values, gait_values, chair_rise_values)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExamInput:
    """Original, swapped and reencoded of one video: faces, lids, the body's keypoints; `compared` (n,) at `times_s`."""

    faces: Mapping[Of, KeptFace]
    lids: Mapping[Of, LidTrack]
    poses: Mapping[Of, PoseTrack]
    times_s: Signal
    compared: NDArray[np.bool_]


def measure_exam(given: ExamInput, scope: str) -> list[Measurement]:
    """Blinks first, then each measure of the original and of the released video, whose noise floor is the null edit's.

    Of a video of more than 54,000 frames blinks alone are measured.
    """
    out = _blinks_kept(given.lids, scope)
    smooths = given.poses["original"].traits.smooths
    found = {of: _by_place(blinks_of(given.lids[of])) for of in _RENDITIONS}
    gaze: dict[Of, Gaze] = {}
    because = f"the video has more than {MOST_FRAMES} frames; deid-audit motion looks at a part of it"
    if len(given.times_s) <= MOST_FRAMES:
        for of in _RENDITIONS:
            body = None if smooths or of not in given.poses else _body(given, of)  # some detectors skip the null edit
            tracks = given.faces[of].tracks(given.times_s, given.compared, body)
            original = [] if of == "original" else list(found["original"].values())
            found[of] |= _by_place(tremor_values(tracks, original))
            found[of] |= _by_place([value for values in _WHOLE for value in values(tracks)])
            gaze[of] = gaze_paths(tracks)
            tracks.face_xy.fill(0)
    for place, metric in NAMES.items():
        if place[0] in _OF_THE_BODY and smooths:
            out += [not_measured(metric, of, scope, _SMOOTHED) for of in _RENDITIONS[:2]]
        else:
            out += [_row(metric, of, scope, place, found, because) for of in _RENDITIONS[:2]]
    return [*out, *_gaze_followed(gaze, scope, because)]


def wrist_speeds(pose: PoseTrack, times_s: Signal) -> Signal | None:
    """Speed of the left and the right wrist (n, 2) px/s, NaN where not seen; None where the detector smooths."""
    if pose.traits.smooths:
        return None
    xy = np.where(pose.visible[:, 9:11, None], pose.keypoints[:, 9:11, :2], np.nan).astype(np.float64)
    if len(times_s) < MIN_FRAMES:
        return np.full((len(times_s), 2), np.nan)
    return np.asarray(np.linalg.norm(np.gradient(xy, times_s, axis=0), axis=-1))


def _by_place(values: list[ExamValue]) -> dict[Place, ExamValue]:
    return {(one.name, one.side): one for one in values}


def _body(given: ExamInput, of: Of) -> tuple[Signal, Signal]:
    """COCO's keypoints in MediaPipe's order (n, 33, 2), and their visibility (n, 33): 1 or 0."""
    pose = given.poses[of]
    xy = np.full((len(given.times_s), BODY_POINTS, 2), np.nan)
    visibility = np.zeros(xy.shape[:2])
    for coco, point in _FROM_COCO.items():
        xy[:, point] = pose.keypoints[:, coco, :2]
        visibility[:, point] = pose.visible[:, coco]
    return xy, visibility


def _row(
    metric: str, of: Of, scope: str, place: Place, found: Mapping[Of, Mapping[Place, ExamValue]], because: str
) -> Measurement:
    one, floor = found[of].get(place), found["reencoded"].get(place)
    if one is None or one.value is None:
        why = because if one is None else one.reason
        own = found["original"].get(place)
        if of != "original" and own is not None and own.value is not None:  # there, and no longer: never absent
            return not_measured(metric, of, scope, _LOST.format(why=why), method=_METHOD)
        return not_measured(metric, of, scope, why, absent=why.startswith(_NOT_THERE), method=_METHOD)
    detail = {} if one.low is None or one.high is None else {"low95": one.low, "high95": one.high}
    return measured(
        metric,
        of,
        scope,
        one.value,
        sample_size=one.sample_size,
        method=_METHOD,
        noise_floor=None if of == "original" or floor is None else floor.value,
        detail=detail,
    )


def _blinks_kept(lids: Mapping[Of, LidTrack], scope: str) -> list[Measurement]:
    """Share of the original's blinks that are kept, how deep they are, and how many are added.

    Where no blink can be told in the original, or too few are there, none can be found missing: absent, whatever the
    released lids are. Where these alone cannot be read, that is a gap.
    """
    names = ("exam.blinks_kept", "exam.blink_depth", "exam.blinks_added")
    before, found = closings_in(lids["original"]), blink_agreement(lids["original"], lids["swapped"])
    frames = int(lids["original"].seen.sum())
    few = "" if isinstance(before, str) else _too_few(len(before.blinks))
    if isinstance(found, str):
        untold = isinstance(before, str) and frames >= MIN_FRAMES
        return [
            *(
                not_measured(one, "swapped", scope, few or found, absent=untold or bool(few), method=_METHOD)
                for one in names[:2]
            ),
            not_measured(names[2], "swapped", scope, found, absent=untold, method=_METHOD),
        ]
    null = blink_agreement(lids["original"], lids["reencoded"])
    known = None if isinstance(null, str) else null
    detail = {"original_blinks": float(len(found.blinks)), "kept": float(sum(found.kept))}
    added = measured(
        names[2],
        "swapped",
        scope,
        float(len(found.added)),
        sample_size=frames,
        method=_METHOD,
        noise_floor=None if known is None else float(len(known.added)),
        detail=detail,
    )
    if few:
        return [*(not_measured(one, "swapped", scope, few, absent=True, method=_METHOD) for one in names[:2]), added]
    shares = [
        measured(
            name,
            "swapped",
            scope,
            _statistics(found)[name],
            sample_size=len(found.blinks),
            method=_METHOD,
            noise_floor=None if known is None else _statistics(known)[name],
            detail=detail,
        )
        for name in names[:2]
    ]
    return [*shares, added]


def _too_few(blinks: int) -> str:
    """Why no share is given, in words; empty where there are blinks enough."""
    if blinks >= LEAST_BLINKS:
        return ""
    return f"the original blinks {blinks} times in the compared frames; a share needs {LEAST_BLINKS}"


def _statistics(found: BlinkAgreement) -> dict[str, float]:
    return {
        "exam.blinks_kept": sum(found.kept) / len(found.blinks),
        "exam.blink_depth": float(np.median(found.depths)),
    }


def _gaze_followed(paths: Mapping[Of, Gaze], scope: str, because: str) -> list[Measurement]:
    """How the irises follow the original's, where these move more than the null edit's noise."""
    out = []
    for axis in ("horizontal", "vertical"):
        metric = f"exam.gaze_{axis}_r"
        if not paths:
            out.append(not_measured(metric, "swapped", scope, because, method=_METHOD))
            continue
        used = paths["original"][1] & paths["swapped"][1] & paths["reencoded"][1]
        if used.sum() < MIN_FRAMES:
            why = f"open eyes with irises are not seen in {MIN_FRAMES} frames of original, released and null edit"
            out.append(not_measured(metric, "swapped", scope, why, method=_METHOD))
            continue
        before, after, null = (paths[of][0][axis][used] for of in _RENDITIONS)
        noise = float((null - before).std())
        if not before.std() > max(NOISE_FACTOR * noise, 1e-9):
            why = (
                f"the original's gaze moves by {100 * before.std():.1f} % of the eye's width (SD), its null-edit noise "
                f"is {100 * noise:.1f} %: not more than {NOISE_FACTOR:.0f} times the noise"
            )
            out.append(not_measured(metric, "swapped", scope, why, absent=True, method=_METHOD))
            continue
        out.append(
            measured(
                metric,
                "swapped",
                scope,
                correlation(before, after),
                sample_size=int(used.sum()),
                method=_METHOD,
                noise_floor=correlation(before, null),
            )
        )
    return out
