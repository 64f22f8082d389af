"""Linkability within a data set: can two released videos of one subject be told to belong together by their faces.

Every pair of released videos has a distance; pairs of one subject are held against pairs of two. A donor's face links
all its videos by design, so the fair control are pairs of different subjects who share a donor: what tells these apart
is left of the subject, or of the recording.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Interval
from deid_audit.frames import Float
from deid_audit.measure.across import Entries
from deid_audit.measure.intervals import Clusters, Statistics, bootstrap
from deid_audit.measure.sampled import evenly

MOST_SUBJECTS = 200
MOST_VIDEOS = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Distances (k,) of pairs of videos, with the numbers (k,) of the subjects of both, rising from 0."""

    distances: NDArray[np.float64]
    one: NDArray[np.intp]
    other: NDArray[np.intp]

    @property
    def same(self) -> NDArray[np.bool_]:
        """Which pairs (k,) are of one subject."""
        return np.asarray(self.one == self.other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """`auc` is P(a pair of one subject lies nearer than a pair of two), ties half; None where a kind of pair lacks.

    `interval` is 95 %, by drawing subjects again, or None because of `because`.
    """

    subjects: int
    same: int
    different: int
    auc: float | None
    interval: Interval | None
    because: str


def chosen(videos: Sequence[Sequence[Float]]) -> list[int]:
    """Which subjects are compared, in order: at most `MOST_SUBJECTS` with several videos, and as many with one.

    `videos` are the released videos with faces of each subject.

    >>> one = np.zeros((1, 128), np.float32)
    >>> chosen([[one, one], [], [one]])
    [0, 2]
    """
    several = [at for at, mine in enumerate(videos) if len(mine) > 1]
    single = [at for at, mine in enumerate(videos) if len(mine) == 1]
    kept = [group[place] for group in (several, single) for place in evenly(len(group), MOST_SUBJECTS)]
    return sorted(kept)


def pairs_of(videos: Sequence[Sequence[Float]]) -> Pairs:
    """All pairs of the subjects' videos, each the faces (p, 128) of one; the mean distance of their faces.

    Of each subject at most `MOST_VIDEOS`, spread evenly.
    """
    taken = [(subject, mine[at]) for subject, mine in enumerate(videos) for at in evenly(len(mine), MOST_VIDEOS)]
    owners = np.array([subject for subject, _ in taken], np.intp)
    parts, one, other = [], [], []
    entries = Entries([rows for _, rows in taken])
    try:
        for at, (subject, rows) in enumerate(taken[:-1]):
            parts.append(entries.distances(rows)[0].mean(axis=0)[at + 1 :])
            one.append(np.full(len(parts[-1]), subject, np.intp))
            other.append(owners[at + 1 :])
    finally:
        entries.wipe()
    if not parts:
        return Pairs(distances=np.empty(0), one=np.empty(0, np.intp), other=np.empty(0, np.intp))
    return Pairs(distances=np.concatenate(parts), one=np.concatenate(one), other=np.concatenate(other))


def of_shared_donors(pairs: Pairs, donors: Sequence[Hashable]) -> Pairs:
    """The pairs whose subjects have one donor, where that donor serves several of them; subjects numbered anew."""
    shared = Counter(donors)
    kept = [at for at, donor in enumerate(donors) if shared[donor] > 1]
    names: dict[Hashable, int] = {}
    donor = np.array([names.setdefault(one, len(names)) for one in donors], np.intp)
    number = np.full(len(donors), -1, np.intp)
    number[kept] = np.arange(len(kept))
    fits = (number[pairs.one] >= 0) & (number[pairs.other] >= 0) & (donor[pairs.one] == donor[pairs.other])
    return Pairs(distances=pairs.distances[fits], one=number[pairs.one[fits]], other=number[pairs.other[fits]])


def linked(pairs: Pairs) -> Linked:
    """How well pairs of one subject are told from pairs of two; the interval draws whole subjects again.

    A subject that is drawn twice counts twice, and never as two subjects.
    """
    people = np.unique(np.concatenate((pairs.one, pairs.other)))
    same = int(pairs.same.sum())
    auc, interval, because = None, None, "there is no pair of one kind"
    if same and same < len(pairs.distances):
        _, level = np.unique(pairs.distances, return_inverse=True)
        one, other = np.searchsorted(people, pairs.one), np.searchsorted(people, pairs.other)

        def statistics(drawn: NDArray[np.intp]) -> Statistics:
            times = np.bincount(drawn, minlength=len(people)).astype(np.float64)
            weights = np.where(pairs.same, times[one], times[one] * times[other])
            return {"auc": _auc(level, pairs.same, weights)}

        auc = statistics(np.arange(len(people)))["auc"]
        clusters = Clusters(labels=np.arange(len(people)), unit="subjects")
        interval, because = bootstrap(statistics, clusters).of("auc")
    return Linked(
        subjects=len(people),
        same=same,
        different=len(pairs.distances) - same,
        auc=auc,
        interval=interval,
        because=because,
    )


def _auc(level: NDArray[np.intp], same: NDArray[np.bool_], weights: NDArray[np.float64]) -> float:
    """Weighted AUC of pairs (k,) by `level`, the place of their distance among all; NaN without a kind of pair."""
    of_one = np.bincount(level, np.where(same, weights, 0.0))
    of_two = np.bincount(level, np.where(same, 0.0, weights))
    total = of_one.sum() * of_two.sum()
    farther = of_two.sum() - np.cumsum(of_two)
    return float((of_one * (farther + of_two / 2)).sum() / total) if total else float("nan")
