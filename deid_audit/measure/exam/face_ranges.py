"""How far a face moves: mouth, brows, mouth corners and lids, left against right, and the head's turning.

Ranges go from the 5th to the 95th percentile of a flat picture's distances: a turned head shortens them.
"""

import numpy as np
from numpy.typing import NDArray

from deid_audit.measure.exam import points
from deid_audit.measure.exam.points import SteadyFace
from deid_audit.measure.exam.sampling import MIN_FRAMES
from deid_audit.measure.exam.values import Definition, ExamValue
from deid_audit.measure.expression import spread
from deid_audit.measure.intervals import bootstrap, clusters_of
from deid_audit.measure.motion_tracks import MotionTracks

_UNIT = "% of inter-ocular"
_MOUTH = Definition(name="mouth_opening_range", unit=_UNIT, reference="Bologna 2013")
_RANGES = {
    part: Definition(name=f"{part}_range", unit=_UNIT, reference="Bologna 2013")
    for part in ("brow", "mouth_corner", "lid")
}
_PATHS = {
    part: Definition(name=f"{part}_path", unit=f"{_UNIT} per s", reference="Bologna 2013")
    for part in ("brow", "mouth_corner", "lid")
}
_ASYMMETRIES = {
    part: Definition(name=f"{part}_asymmetry", unit="%", reference="Borod 1997") for part in ("brow", "mouth_corner")
}
_POSE = {
    "yaw": Definition(name="head_yaw_range", unit=_UNIT, reference="Murphy-Chutorian 2009"),
    "pitch": Definition(name="head_pitch_range", unit=_UNIT, reference="Murphy-Chutorian 2009"),
    "roll": Definition(name="head_roll_range", unit="degrees", reference="Murphy-Chutorian 2009"),
}
_PATH_BLOCK_S = 0.2
_LEAST_EXCURSION = 2.0
_NOISE_FACTOR = 6.0

Signal = NDArray[np.float64]


def face_range_values(tracks: MotionTracks) -> list[ExamValue]:
    """Mouth opening, range and path of each side's brow, mouth corner and lid, their asymmetry, the head's turning."""
    face = points.steady_face(tracks.face_xy)
    if face is None or face.seen.sum() < MIN_FRAMES:
        why = f"the face is not seen in {MIN_FRAMES} frames"
        ranges, paths = (
            [one.missing(why, side) for one in named.values() for side in points.SIDES] for named in (_RANGES, _PATHS)
        )
        pose, asymmetries = ([one.missing(why) for one in named.values()] for named in (_POSE, _ASYMMETRIES))
        return [_MOUTH.missing(why), *ranges, *pose, *paths, *asymmetries]
    parts = {(part, side): signal for part in _RANGES for side, signal in _sides(face, part).items()}
    ranged = {
        (_MOUTH, ""): 100 * points.distance(*(face.xy[:, lip] for lip in points.INNER_LIPS)),
        **{(_RANGES[part], side): signal for (part, side), signal in parts.items()},
        **{(_POSE[turn], ""): signal for turn, signal in _turning(face, tracks).items()},
    }
    values = _ranges(ranged, face, tracks.times_s)
    for part, one in _PATHS.items():
        values += [_path(one, parts[part, side], tracks.times_s, side) for side in points.SIDES]
    for part, one in _ASYMMETRIES.items():
        values.append(_asymmetry(one, parts[part, "left"][face.seen], parts[part, "right"][face.seen]))
    return values


def _ranges(signals: dict[tuple[Definition, str], Signal], face: SteadyFace, times_s: Signal) -> list[ExamValue]:
    """The range of each signal (n,), all drawn together by seconds for their intervals."""
    used = face.seen & np.isfinite(np.column_stack(list(signals.values()))).all(axis=1)
    table = np.column_stack(list(signals.values()))[used]
    if len(table) < MIN_FRAMES:
        why = f"the face's parts are not all seen in {MIN_FRAMES} frames"
        return [one.missing(why, side) for one, side in signals]

    def statistics(at: NDArray[np.intp]) -> dict[str, float]:
        ends = np.percentile(table[at], (5, 95), axis=0)
        return {str(column): float(value) for column, value in enumerate(ends[1] - ends[0])}

    values = statistics(np.arange(len(table)))
    bounds = bootstrap(statistics, clusters_of([times_s]).where(used))
    return [
        one.given(values[str(column)], len(table), side, bounds.of(str(column))[0])
        for column, (one, side) in enumerate(signals)
    ]


def _sides(face: SteadyFace, part: str) -> dict[str, Signal]:
    """Movement in % of each side: brows up, lids open, mouth corners along the way in which they move most."""
    out = {}
    for at, side in enumerate(points.SIDES):
        if part == "brow":
            moved = -face.xy[:, points.BROWS[at], 1].mean(axis=1)
        elif part == "lid":
            moved = points.distance(*(face.xy[:, lid] for lid in points.LID_MIDDLES[at]))
        else:
            moved = along_main_axis(face.xy[:, points.MOUTH_CORNERS[at]], face.seen)
        out[side] = 100 * moved
    return out


def along_main_axis(xy: Signal, seen: NDArray[np.bool_]) -> Signal:
    """Positions (n, 2) along the direction in which the seen ones vary most, (n,)."""
    known = xy[seen & np.isfinite(xy).all(axis=1)]
    if len(known) < 2:
        return np.full(len(xy), np.nan)
    _, vectors = np.linalg.eigh(np.cov((known - known.mean(axis=0)).T))
    return np.asarray((xy - known.mean(axis=0)) @ vectors[:, -1])


def _turning(face: SteadyFace, tracks: MotionTracks) -> dict[str, Signal]:
    """The nose tip's way across and down the face, in % of the inter-ocular distance, and the tilt in degrees."""
    nose = 100 * face.xy[:, points.NOSE_TIP]
    axis = tracks.face_xy[:, points.OUTER_EYE_CORNERS[0]] - tracks.face_xy[:, points.OUTER_EYE_CORNERS[1]]
    tilt = np.degrees(np.arctan2(axis[:, 1], axis[:, 0]))
    known = tilt[np.isfinite(tilt)]
    around = known[len(known) // 2] if len(known) else 0.0
    return {"yaw": nose[:, 0], "pitch": nose[:, 1], "roll": (tilt - around + 180) % 360 - 180}


def _path(one: Definition, signal: Signal, times_s: Signal, side: str) -> ExamValue:
    """The way in % per s through the means of 0.2 s blocks, which keep landmark noise from counting as way."""
    block = np.floor((times_s - times_s[0]) / _PATH_BLOCK_S + 1e-9).astype(np.intp)
    known = np.isfinite(signal)
    numbers, inverse = np.unique(block[known], return_inverse=True)
    means = np.bincount(inverse, weights=signal[known]) / np.bincount(inverse)
    steps = np.abs(np.diff(means))[np.diff(numbers) == 1]
    if len(steps) < MIN_FRAMES:
        return one.missing(f"less than {MIN_FRAMES * _PATH_BLOCK_S:.0f} s of the face are seen", side)
    return one.given(float(steps.mean()) / _PATH_BLOCK_S, len(steps), side)


def _asymmetry(one: Definition, left: Signal, right: Signal) -> ExamValue:
    """(left - right) / (left + right) of the ranges in %: positive where the subject's left side moves more."""
    reach = [spread(side[np.isfinite(side)]) if np.isfinite(side).any() else 0.0 for side in (left, right)]
    noise = max(points.jitter(left), points.jitter(right))
    if max(reach) < max(_LEAST_EXCURSION, _NOISE_FACTOR * noise):
        return one.missing("no such movement seen: neither side moves more than the landmarks tremble")
    return one.given(100 * (reach[0] - reach[1]) / (reach[0] + reach[1]), len(left))
