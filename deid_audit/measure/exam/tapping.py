"""Finger tapping and toe tapping: how many, how fast, and for the fingers how their opening shrinks and halts."""

import numpy as np
from numpy.typing import NDArray

from deid_audit.measure.exam import points
from deid_audit.measure.exam.repeats import Repeats, decrement, hesitations, rate_hz, repeats_of, sloped
from deid_audit.measure.exam.sampling import MIN_FRAMES, real_rate
from deid_audit.measure.exam.values import Definition, ExamValue
from deid_audit.measure.expression import spread
from deid_audit.measure.intervals import Clusters, bootstrap
from deid_audit.measure.motion_tracks import MotionTracks

MIN_RATE_HZ = 23.9
_LEAST_OPENING = 0.15
_LEAST_TOE_RISE = 0.05
_MAX_HEEL_SHARE = 0.5

_FINGERS = {
    "count": Definition(name="finger_taps", unit="taps", reference="Goetz 2008"),
    "rate": Definition(name="finger_tap_rate", unit="Hz", reference="Goetz 2008"),
    "decrement": Definition(name="finger_tap_decrement", unit="% per tap", reference="Zarrat Ehsan 2025"),
    "hesitations": Definition(name="finger_tap_hesitations", unit="intervals", reference="Zarrat Ehsan 2025"),
}
_TOES = {
    "count": Definition(name="toe_taps", unit="taps", reference="Goetz 2008"),
    "rate": Definition(name="toe_tap_rate", unit="Hz", reference="Goetz 2008"),
}

Signal = NDArray[np.float64]


def finger_tapping_values(tracks: MotionTracks) -> list[ExamValue]:
    """Four measures of each hand from the distance of thumb tip and index tip over the palm's length."""
    out: list[ExamValue] = []
    for side in points.SIDES:
        hand = points.hand_of(tracks, side)
        tips = hand[:, (points.THUMB_TIP, points.INDEX_TIP)]
        palm = points.distance(hand[:, points.WRIST], hand[:, points.MIDDLE_KNUCKLE])
        opening = points.distance(tips[:, 0], tips[:, 1])
        why = _why_not(tips, tracks.times_s, f"{side} hand")
        found: Repeats | str = why
        if not why:
            length = float(np.nanmedian(palm))
            found = repeats_of(opening / length, tracks.times_s, _LEAST_OPENING, points.jitter(palm) / length)
        if isinstance(found, str):
            out += [one.missing(_said(found, f"fingers of the {side} hand"), side) for one in _FINGERS.values()]
        else:
            out += _of_repeats(found, _FINGERS, side)
    return out


def toe_tapping_values(tracks: MotionTracks) -> list[ExamValue]:
    """Two measures of each foot from the toe's height over the heel, in shank lengths, while the heel rests."""
    out: list[ExamValue] = []
    for at, side in enumerate(points.SIDES):
        toe, heel, ankle, knee = (
            points.body_point(tracks, pair[at]) for pair in (points.TOES, points.HEELS, points.ANKLES, points.KNEES)
        )
        shank = points.distance(knee, ankle)
        found: Repeats | str = _why_not(np.stack((toe, heel, ankle, knee), axis=1), tracks.times_s, f"{side} lower leg")
        if not found:
            length = float(np.nanmedian(shank))
            rise = (heel[:, 1] - toe[:, 1]) / length
            resting = spread(heel[np.isfinite(heel[:, 1]), 1]) / length
            found = repeats_of(rise, tracks.times_s, _LEAST_TOE_RISE, points.jitter(shank) / length)
            if isinstance(found, Repeats) and resting > _MAX_HEEL_SHARE * spread(rise[np.isfinite(rise)]):
                found = "the heel moves more than half as much as the toe: that is no tapping"
        if isinstance(found, str):
            out += [one.missing(_said(found, f"toe of the {side} foot"), side) for one in _TOES.values()]
        else:
            out += _of_repeats(found, _TOES, side)
    return out


def _why_not(xy: Signal, times_s: Signal, called: str) -> str:
    seen = np.isfinite(xy).all(axis=(1, 2))
    if seen.sum() < MIN_FRAMES:
        return f"the {called} is not seen in {MIN_FRAMES} frames"
    sampled = real_rate(xy, times_s)
    if sampled < MIN_RATE_HZ:
        return f"{sampled:.1f} frames a second show the {called} anew; taps of 6 Hz need 24"
    return ""


def _said(reason: str, called: str) -> str:
    return f"{reason} ({called})" if reason.startswith(("no ", "it ")) else reason


def _of_repeats(found: Repeats, named: dict[str, Definition], side: str) -> list[ExamValue]:
    between, sizes = found.intervals_s, found.sizes
    rate_bounds = bootstrap(
        lambda at: {"rate": rate_hz(between[at])}, Clusters(labels=np.arange(len(between)), unit="intervals")
    )
    values = [
        named["count"].given(found.count, found.frames, side),
        named["rate"].given(rate_hz(between), len(between), side, rate_bounds.of("rate")[0]),
    ]
    if "decrement" in named:
        numbers = np.arange(float(len(sizes)))
        bounds = bootstrap(
            lambda at: {"decrement": sloped(numbers[at], sizes[at], 0.0)},
            Clusters(labels=np.arange(len(sizes)), unit="taps"),
        )
        values += [
            named["decrement"].given(decrement(sizes), len(sizes), side, bounds.of("decrement")[0]),
            named["hesitations"].given(hesitations(between), len(between), side),
        ]
    return values
