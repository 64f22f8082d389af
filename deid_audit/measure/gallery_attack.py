"""Identification in a gallery: is the subject's own entry nearer to the released face than other people's entries.

Takes distances, whatever recogniser made them, and gives what an intruder gets out of them. The gallery is the subject
and the strangers, one entry each, so that nobody is nearer for having more pictures.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.measure.intervals import Bounds, Clusters, Statistics, bootstrap

LEAST_STRANGERS = 5
FPIR = 0.003
LEAST_FOR_FPIR = 334  # fewer people cannot show three false alarms in a thousand searches

Distances = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Search:
    """Distances of `p` probes to the subject's own entry, `own` (p,), and to each stranger's, `others` (p, n)."""

    own: Distances
    others: Distances

    def __post_init__(self) -> None:
        if self.own.ndim != 1 or self.others.shape[:1] != self.own.shape or self.others.ndim != 2:
            raise ValueError("own must be (p,), others (p, n)")

    @property
    def people(self) -> int:
        """How many strangers stand in the gallery."""
        return int(self.others.shape[1])


def search(probes: NDArray[np.float32], own: NDArray[np.float32], strangers: NDArray[np.float32]) -> Search:
    """Euclidean distances of descriptors (p, d) to the subject's entry (d,) and to the strangers' (n, d)."""
    rows, entry = probes.astype(np.float64), own.astype(np.float64)
    others = [np.linalg.norm(rows - person, axis=1) for person in strangers.astype(np.float64)]
    return Search(
        own=np.linalg.norm(rows - entry, axis=1),
        others=np.stack(others, axis=1) if others else np.empty((len(rows), 0)),
    )


def nearer(found: Search) -> float:
    """P(own entry nearer than a stranger's), over probes and strangers, ties half: 0.5 tells nothing, 1 gives away.

    >>> nearer(Search(own=np.array([1.0, 1.0]), others=np.array([[2.0, 0.5], [1.0, 3.0]])))
    0.625
    """
    own = found.own[:, None]
    return float(((own < found.others) + 0.5 * (own == found.others)).mean())


def rank_rate(found: Search, rank: int) -> float:
    """Share of probes with the own entry among the `rank` nearest; a tie counts for the stranger.

    >>> rank_rate(Search(own=np.array([1.0, 1.0]), others=np.array([[2.0, 0.5], [3.0, 4.0]])), 1)
    0.5
    """
    return float(((found.others <= found.own[:, None]).sum(axis=1) < rank).mean())


def excess(rate: float, people: int, rank: int = 1) -> float:
    """(rate - chance) / (1 - chance), chance being `rank` of `people` + 1 entries: 0 is guessing, 1 always right.

    >>> excess(1.0, 9), excess(0.1, 9)
    (1.0, 0.0)
    """
    chance = min(1.0, rank / (people + 1))
    return (rate - chance) / (1 - chance) if chance < 1 else 0.0


def false_negative_rate(found: Search, between_strangers: Distances, fpir: float = FPIR) -> float:
    """FNIR at `fpir`: share of probes that do not come first within the threshold.

    The threshold lets `fpir` of the strangers' own searches (each against all others, `between_strangers` (n, n) with
    infinity on the diagonal) find somebody.
    """
    alarms = np.sort(between_strangers.min(axis=1))
    allowed = int(np.floor(fpir * len(alarms)))
    threshold = alarms[allowed]
    first = (found.others > found.own[:, None]).all(axis=1)
    return float(1 - (first & (found.own < threshold)).mean())


def bounds_over_people(found: Search) -> Bounds:
    """Interval of `nearer` by drawing strangers again: with other strangers the number would be another."""

    def statistics(people: NDArray[np.intp]) -> Statistics:
        return {"auc": nearer(Search(own=found.own, others=found.others[:, people]))}

    return bootstrap(statistics, Clusters(labels=np.arange(found.people), unit="people"))
