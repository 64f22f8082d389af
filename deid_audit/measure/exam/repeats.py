"""Repeated movements in a signal: openings with their times and sizes, whatever it is that opens."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from deid_audit.measure.exam.sampling import FINE_HZ, fine_pieces
from deid_audit.measure.expression import spread

MIN_REPEATS = 3
MIN_PIECE_S = 1.0
_SHORTEST_S = 0.1
_RANGE_SHARE, _NOISE_FACTOR = 0.2, 6.0

Signal = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Repeats:
    """Openings in the order of time: `sizes` (k,) from the neighbouring closings up, `intervals_s` (m,) between
    openings of one piece, and how many `frames` were looked at."""

    sizes: Signal
    intervals_s: Signal
    frames: int

    @property
    def count(self) -> int:
        return len(self.sizes)


def repeats_of(signal: Signal, times_s: Signal, least: float, noise: float) -> Repeats | str:
    """The openings in a signal (n,) whose range is at least `least` and six times its `noise` (SD), or why not.

    An opening rises by a fifth of the signal's range (5th to 95th percentile) and six times the noise over the closings
    beside it, and comes 0.1 s after the one before or later. Pieces shorter than 1 s are left out.
    """
    seen = signal[np.isfinite(signal)]
    pieces = fine_pieces(signal, times_s, MIN_PIECE_S)
    if not pieces:
        return "it is not seen for 1 s in one piece"
    reach = spread(seen)
    if reach < least or reach < _NOISE_FACTOR * noise:
        return "no such movement seen"
    sizes: list[float] = []
    intervals: list[Signal] = []
    for times, values in pieces:
        tops, _ = find_peaks(
            values, prominence=max(_RANGE_SHARE * reach, _NOISE_FACTOR * noise), distance=_SHORTEST_S * FINE_HZ
        )
        edges = np.concatenate(([0], tops, [len(values) - 1]))
        valleys = [values[a : b + 1].min() for a, b in pairwise(edges)]
        sizes += [values[top] - (valleys[k] + valleys[k + 1]) / 2 for k, top in enumerate(tops)]
        intervals.append(np.diff(times[tops]))
    if len(sizes) < MIN_REPEATS:
        return f"no such movement seen: {len(sizes)} repetitions; at least {MIN_REPEATS} are needed"
    between = np.concatenate(intervals)
    if not len(between):
        return "no two repetitions in one piece"
    return Repeats(sizes=np.array(sizes), intervals_s=between, frames=len(seen))


def rate_hz(intervals_s: Signal) -> float:
    """Repetitions a second.

    >>> rate_hz(np.array([0.2, 0.3]))
    4.0
    """
    return float(len(intervals_s) / intervals_s.sum())


def decrement(sizes: Signal) -> float:
    """Slope of the sizes (k,) over their number, in % of the fitted first one; NaN with fewer than two.

    >>> decrement(np.array([10.0, 9.0, 8.0, 7.0]))
    -10.0
    """
    number = np.arange(len(sizes)) - (len(sizes) - 1) / 2
    return sloped(number, sizes, float(number[0]))


def sloped(number: Signal, sizes: Signal, first: float) -> float:
    """Slope of the line of least squares through sizes over numbers, in % of its value at `first`."""
    centred = number - number.mean()
    weight = float(centred @ centred)
    if weight == 0:
        return float("nan")
    slope = float(centred @ sizes) / weight
    start = float(sizes.mean()) + slope * (first - float(number.mean()))
    return 100 * slope / start if start > 0 else float("nan")


def hesitations(intervals_s: Signal) -> int:
    """Intervals longer than 1.5 times the median one.

    >>> hesitations(np.array([0.2, 0.2, 0.31, 0.2]))
    1
    """
    return int((intervals_s > 1.5 * np.median(intervals_s)).sum())
