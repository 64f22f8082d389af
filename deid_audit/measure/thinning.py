"""Which points of a long curve are drawn: few enough for a page, and no peak is left out.

A figure is some 900 dots wide. Of a longer curve each column shows its first, lowest, highest and last value, which
draws the same picture as all of them would (M4: Jugel et al. 2014, VLDB 7:797). What is computed from a curve is
computed from all of it; only drawings come here.
"""

import numpy as np
from numpy.typing import NDArray

COLUMNS = 900
MOST_POINTS = 4 * COLUMNS

Signal = NDArray[np.float64]


def is_thinned(count: int) -> bool:
    """Whether a curve of so many points is drawn with fewer."""
    return count > MOST_POINTS


def words(count: int) -> str:
    """What a caption says of a curve of so many points; empty where all of them are drawn."""
    if not is_thinned(count):
        return ""
    return (
        f" Of its {count} frames, each of {COLUMNS} equal stretches of time shows the first, the lowest, the highest "
        "and the last value, so no peak is left out; a gap, or a band, may be drawn as wide as a stretch."
    )


def thinned(x: Signal, y: Signal) -> tuple[Signal, Signal]:
    """The points of a curve that are drawn: `x` (n,) does not fall, `y` (n,) is NaN in its gaps.

    All of them where there are few. A column without a value is a gap.

    >>> x, y = thinned(np.arange(9000.0), np.where(np.arange(9000) == 4321, 1.0, 0.0))
    >>> len(x) <= MOST_POINTS, float(y.max()), float(x[y.argmax()])
    (True, 1.0, 4321.0)
    """
    if not is_thinned(len(x)):
        return x, y
    column = columns_of(x)
    at = np.flatnonzero(np.isfinite(y))
    order = at[np.lexsort((y[at], column[at]))]
    kept = np.concatenate((_ends(at, column), _ends(order, column), _first_of_empty(column, at)))
    kept = np.unique(kept)
    return x[kept], y[kept]


def lowest(x: Signal, y: Signal, marked: NDArray[np.bool_]) -> tuple[Signal, Signal]:
    """The marked points (n,) that are drawn: of a long curve the lowest in each column."""
    at = np.flatnonzero(marked)
    if is_thinned(len(x)):
        column = columns_of(x)
        order = at[np.lexsort((y[at], column[at]))]
        at = np.sort(order[np.diff(column[order], prepend=-1) > 0])
    return x[at], y[at]


def stretches(times_s: Signal, flags: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Start and end of every run of `flags` (n,), each frame lasting until the next; of a long curve whole columns."""
    if not len(times_s):
        return []
    step = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.04
    starts = times_s
    if is_thinned(len(times_s)):
        first = float(times_s[0])
        width = (float(times_s[-1]) - first) / COLUMNS
        flags = np.bincount(columns_of(times_s), weights=flags, minlength=COLUMNS) > 0
        starts, step = first + width * np.arange(COLUMNS), width
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    ends = np.append(starts, starts[-1] + step)
    return [(float(starts[one]), float(ends[end])) for one, end in zip(edges[::2], edges[1::2], strict=True)]


def columns_of(x: Signal) -> NDArray[np.intp]:
    """The column (n,) of each point: equal parts of the span of `x`, which does not fall."""
    span = float(x[-1] - x[0]) or 1.0
    return np.asarray(np.minimum((x - x[0]) * (COLUMNS / span), COLUMNS - 1), np.intp)


def _ends(order: NDArray[np.intp], column: NDArray[np.intp]) -> NDArray[np.intp]:
    """The first and the last of each column among these places, which are ordered by column."""
    changes = np.diff(column[order]) > 0
    first, last = np.concatenate(([True], changes)), np.concatenate((changes, [True]))
    return np.asarray(order[first[: len(order)] | last[: len(order)]])


def _first_of_empty(column: NDArray[np.intp], known: NDArray[np.intp]) -> NDArray[np.intp]:
    """The first point of every column without a known one: it breaks the line."""
    empty = np.setdiff1d(column, column[known])
    return np.asarray(np.searchsorted(column, empty), np.intp)
