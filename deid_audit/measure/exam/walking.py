"""Gait: cadence, step time and its symmetry from the two ankles, and only where somebody walks."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from deid_audit.measure.exam import points
from deid_audit.measure.exam.sampling import MIN_FRAMES, fine_pieces, real_rate
from deid_audit.measure.exam.values import Definition, ExamValue
from deid_audit.measure.expression import spread
from deid_audit.measure.intervals import Clusters, bootstrap
from deid_audit.measure.motion_tracks import MotionTracks

MIN_RATE_HZ = 15.0
MIN_STEPS = 4
_MIN_PIECE_S = 2.0
_MIN_STRIDE = 0.15
_MAX_TOGETHER = -0.5
_MIN_UPRIGHT = 0.5
_STEPS_PER_MINUTE = (40.0, 200.0)
_PROMINENCE = 0.3
# towards or away from the camera somebody can walk, and it does not show
_NONE = "no walking across the picture seen"

_CADENCE = Definition(name="gait_cadence", unit="steps/min", reference="Zeni 2008")
_STEP_TIME = Definition(name="gait_step_time", unit="s", reference="Zeni 2008")
_ASYMMETRY = Definition(name="gait_step_time_asymmetry", unit="%", reference="Robinson 1987")

Signal = NDArray[np.float64]


def gait_values(tracks: MotionTracks) -> list[ExamValue]:
    """Three measures; each missing where the criteria of docs/exam_measures.md say that no walking is seen."""
    steps = _steps(tracks)
    if isinstance(steps, str):
        return [one.missing(steps) for one in (_CADENCE, _STEP_TIME, _ASYMMETRY)]
    times, first = steps
    count = len(times)

    def statistics(at: NDArray[np.intp]) -> dict[str, float]:
        return {
            "cadence": 60 / float(times[at].mean()),
            "step": float(times[at].mean()),
            "asymmetry": asymmetry(times[at][first[at]], times[at][~first[at]]),
        }

    values = statistics(np.arange(count))
    bounds = bootstrap(statistics, Clusters(labels=np.arange(count), unit="steps"))
    return [
        _CADENCE.given(values["cadence"], count, interval=bounds.of("cadence")[0]),
        _STEP_TIME.given(values["step"], count, interval=bounds.of("step")[0]),
        _ASYMMETRY.given(values["asymmetry"], count, interval=bounds.of("asymmetry")[0]),
    ]


def asymmetry(one_s: Signal, other_s: Signal) -> float:
    """Difference of the mean step times of the two sides in % of their mean; no sign, NaN without steps of both.

    >>> round(asymmetry(np.array([0.6]), np.array([0.5, 0.5])), 2)
    18.18
    """
    if not len(one_s) or not len(other_s):
        return float("nan")
    one, other = float(one_s.mean()), float(other_s.mean())
    return 100 * abs(one - other) / ((one + other) / 2)


def _steps(tracks: MotionTracks) -> tuple[Signal, NDArray[np.bool_]] | str:
    """Step times (k,) in s, and which of them end with the feet apart in the first of the two ways; or why none."""
    legs = [
        [points.body_point(tracks, pair[at]) for pair in (points.HIPS, points.KNEES, points.ANKLES)] for at in (0, 1)
    ]
    every = np.stack([point for leg in legs for point in leg], axis=1)
    seen = np.isfinite(every).all(axis=(1, 2))
    if seen.sum() < MIN_FRAMES:
        return f"hips, knees and ankles are not all seen in {MIN_FRAMES} frames"
    sampled = real_rate(every, tracks.times_s)
    if sampled < MIN_RATE_HZ:
        return f"{sampled:.1f} frames a second show the legs anew; steps need {MIN_RATE_HZ:.0f}"
    hips = (legs[0][0] + legs[1][0]) / 2
    thigh, shank = (
        np.mean([leg[low][:, 1] - leg[high][:, 1] for leg in legs], axis=0) for high, low in ((0, 1), (1, 2))
    )
    if float(np.median(thigh[seen])) < _MIN_UPRIGHT * float(np.median(shank[seen])):
        return f"{_NONE}: the thighs do not stand upright"
    length = np.mean([points.distance(leg[0], leg[2]) for leg in legs], axis=0)
    left, right = ((leg[2] - hips) / length[:, None] for leg in legs)
    apart = left - right
    axis = _main_axis(apart[seen])
    if spread((apart @ axis)[seen]) < _MIN_STRIDE:
        return f"{_NONE}: the ankles do not pass each other"
    together = float(np.corrcoef((left @ axis)[seen], (right @ axis)[seen])[0, 1])
    if not together <= _MAX_TOGETHER:
        return f"{_NONE}: the ankles do not move against each other"
    return _extremes(apart @ axis, tracks.times_s)


def _main_axis(xy: Signal) -> Signal:
    """The direction (2,) in which positions (n, 2) vary most."""
    _, vectors = np.linalg.eigh(np.cov((xy - xy.mean(axis=0)).T))
    return np.asarray(vectors[:, -1])


def _extremes(apart: Signal, times_s: Signal) -> tuple[Signal, NDArray[np.bool_]] | str:
    reach = spread(apart[np.isfinite(apart)])
    lasted: list[Signal] = []
    which: list[NDArray[np.bool_]] = []
    for times, values in fine_pieces(apart, times_s, _MIN_PIECE_S):
        tops, bottoms = (find_peaks(sign * values, prominence=_PROMINENCE * reach)[0] for sign in (1, -1))
        order = np.argsort(np.concatenate((tops, bottoms)), kind="stable")
        at = np.concatenate((tops, bottoms))[order]
        top = np.concatenate((np.ones(len(tops), np.bool_), np.zeros(len(bottoms), np.bool_)))[order]
        # two extremes of one kind in a row are no step
        alternates = top[1:] != top[:-1]
        lasted.append(np.diff(times[at])[alternates])
        which.append(top[1:][alternates])
    times = np.concatenate(lasted) if lasted else np.empty(0)
    if len(times) < MIN_STEPS:
        return f"{_NONE}: {len(times)} steps in pieces of at least {_MIN_PIECE_S:.0f} s; {MIN_STEPS} are needed"
    low, high = _STEPS_PER_MINUTE
    if not low <= 60 / float(np.median(times)) <= high:
        return f"{_NONE}: {60 / float(np.median(times)):.0f} steps a minute are not between {low:.0f} and {high:.0f}"
    return times, np.concatenate(which)
