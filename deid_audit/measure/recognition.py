"""How well people find a subject in line-ups: shares and ranks over viewers, with intervals that treat each as one.

Answers of one viewer are no independent witnesses, so the viewers are the sample, whatever the number of line-ups.
"""

from collections.abc import Sequence

import numpy as np

from deid_audit.findings import Interval
from deid_audit.measure.intervals import Clusters, bootstrap, share_interval

UNIT = "viewers"
Estimated = tuple[float, tuple[Interval | None, str]]


def found_first(ranks: Sequence[Sequence[int]]) -> Estimated:
    """The share of line-ups in which the subject has rank 1, and its interval (Clopper-Pearson over viewers).

    `ranks` are each viewer's, equally many for all; at least one viewer. Where a viewer saw one line-up the interval is
    exact; where they saw several, their share counts as one trial, which can only widen it.

    >>> found_first([(1,), (4,), (2,), (6,)])
    (0.25, (None, '4 viewers; an interval needs at least 10 clusters'))
    """
    shares = [sum(rank == 1 for rank in one) / len(one) for one in ranks]
    return float(np.mean(shares)), share_interval(float(np.sum(shares)), len(shares), UNIT)


def mean_rank(ranks: Sequence[Sequence[int]]) -> Estimated:
    """The subject's mean rank, and its interval by drawing viewers again.

    >>> mean_rank([(1, 2), (6, 3)])[0]
    3.0
    """
    means = np.asarray([np.mean(one) for one in ranks], np.float64)
    bounds = bootstrap(
        lambda rows: {"mean": float(means[rows].mean())}, Clusters(labels=np.arange(len(means)), unit=UNIT)
    )
    return float(means.mean()), bounds.of("mean")
