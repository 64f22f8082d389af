"""Intervals by resampling whole clusters: frames of one video are no independent witnesses, its seconds nearly are.

Knows nothing of what is measured: a statistic is a function of row numbers. The resampling is seeded, so an interval
is the same on every machine. Too few clusters give no interval, and the reason in words.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from deid_audit.findings import Interval

DRAWS = 2000
MIN_CLUSTERS = 10
MAX_UNDEFINED_SHARE = 0.025
BLOCK_S = 1.0
METHOD_TEXT = (
    f"Intervals: 95 %, from the 2.5th to the 97.5th percentile of {DRAWS} seeded draws with replacement of whole "
    "clusters (a cluster drawn twice counts twice): second-long blocks within one video, videos where several are "
    f"taken together, people where strangers are compared. With fewer than {MIN_CLUSTERS} clusters, or where more than "
    f"{MAX_UNDEFINED_SHARE:.1%} of the draws have no value, no interval is given. An interval says how much the number "
    "would vary with other moments of the same videos, not with other subjects. The 1st percentile has none: drawing "
    "again cannot show a tail worse than the one that was seen. In its place stands the share of seconds with a frame "
    "below the cut, with an exact interval (Clopper-Pearson, one-sided 95 %: 1 - 0.05^(1/n) beside a zero)."
)
_SEED = 20200207

Statistics = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clusters:
    """Which cluster each row belongs to: `labels` int (n,), and what a cluster is, in the plural."""

    labels: NDArray[np.intp]
    unit: str

    def where(self, kept: NDArray[np.bool_]) -> "Clusters":
        """The clusters of the kept rows, bool (n,)."""
        return Clusters(labels=self.labels[kept], unit=self.unit)


def clusters_of(times_s: Sequence[NDArray[np.float64]]) -> Clusters:
    """Clusters of all frames of one or more videos, one after the other; `times_s` are each video's frame times.

    Second-long blocks where there is one video; each video a cluster where there are several.
    """
    if len(times_s) == 1:
        times = np.asarray(times_s[0], np.float64)
        start = float(times[0]) if len(times) else 0.0
        return Clusters(labels=np.floor((times - start) / BLOCK_S + 1e-9).astype(np.intp), unit="seconds")
    lengths = [len(times) for times in times_s]
    return Clusters(labels=np.repeat(np.arange(len(lengths)), lengths).astype(np.intp), unit="videos")


def share_interval(hits: float, count: int, unit: str) -> tuple[Interval | None, str]:
    """Exact interval of a share (Clopper and Pearson 1934), each end one-sided 95 %: 1 - 0.05^(1/n) beside a zero.

    Where each of `count` clusters holds several trials, `hits` is the sum of the clusters' shares: no interval of the
    same share is wider than this one, which takes all trials of a cluster for one (Korn and Graubard 1998).

    >>> interval, _ = share_interval(0, 59, "seconds")
    >>> round(interval.high, 3)
    0.05
    """
    if count < MIN_CLUSTERS:
        return None, f"{count} {unit}; an interval needs at least {MIN_CLUSTERS} clusters"
    low = float(beta.ppf(0.05, hits, count - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.95, hits + 1, count - hits)) if hits < count else 1.0
    return Interval(low=low, high=high, clusters=count, unit=unit), ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The intervals of several statistics of the same rows by name, or the one reason why there are none."""

    by_name: dict[str, Interval]
    because: dict[str, str]

    def of(self, name: str) -> tuple[Interval | None, str]:
        """The interval, or None and why."""
        return self.by_name.get(name), self.because.get(name, "")


def bootstrap(
    statistics: Callable[[NDArray[np.intp]], Statistics], clusters: Clusters, *, draws: int = DRAWS
) -> Bounds:
    """Percentile intervals of each of the `statistics`, which take row numbers (k,) and give numbers by name.

    The reason for a missing interval is the same for all names when there are too few clusters.

    >>> rows = np.repeat(np.arange(20.0), 5)
    >>> seconds = Clusters(labels=rows.astype(np.intp), unit="seconds")
    >>> interval, _ = bootstrap(lambda at: {"mean": float(rows[at].mean())}, seconds).of("mean")
    >>> interval.clusters, interval.low < 9.5 < interval.high
    (20, True)
    """
    order = np.argsort(clusters.labels, kind="stable")
    values, starts = np.unique(clusters.labels[order], return_index=True)
    members = np.split(order, starts[1:])
    names = list(statistics(np.arange(len(order)))) if len(order) else []
    if len(values) < MIN_CLUSTERS:
        because = f"{len(values)} {clusters.unit}; an interval needs at least {MIN_CLUSTERS} clusters"
        return Bounds(by_name={}, because=dict.fromkeys(names, because))
    generator = np.random.default_rng(_SEED)
    drawn = np.empty((draws, len(names)))
    for row in drawn:  # drawn one by one: all at once would be 2000 numbers for every second of the video
        picks = generator.integers(len(members), size=len(members))
        found = statistics(np.concatenate([members[pick] for pick in picks]))
        row[:] = [found[name] for name in names]
    by_name, why = {}, {}
    for name, column in zip(names, drawn.T, strict=True):
        known = column[np.isfinite(column)]
        if len(known) < (1 - MAX_UNDEFINED_SHARE) * draws:
            why[name] = f"{draws - len(known)} of {draws} draws have no value"
            continue
        low, high = np.percentile(known, (2.5, 97.5))
        by_name[name] = Interval(low=float(low), high=float(high), clusters=len(values), unit=clusters.unit)
    return Bounds(by_name=by_name, because=why)
