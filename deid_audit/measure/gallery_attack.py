"""Identification in a gallery: is the subject's own entry nearer to the released face than other people's entries.

Takes distances, whatever recogniser made them, and gives what an intruder gets out of them. A person's distance is the
mean over their pictures, not that to their average: an average of many lies nearer to everything.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.measure.intervals import Bounds, Clusters, Statistics, bootstrap
from deid_audit.measure.sampled import Strangers, evenly

LEAST_STRANGERS = 5
MOST_ENTRIES = 40
FPIR = 0.003
LEAST_FOR_FPIR = 334  # fewer people cannot show three false alarms in a thousand searches
LEAST_OF_THE_UNPROTECTED = 0.9
NO_TEST = "does not find the unprotected face, so it is no test"

Distances = NDArray[np.float64]
Rows = NDArray[np.float32]


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


NOBODY = Search(own=np.empty(0), others=np.empty((0, 0)))


def search(probes: Rows, own: Rows, people: Sequence[Rows]) -> Search:
    """Mean L2 distance of each probe (p, d) to the subject's pictures (k, d) and to each stranger's (m, d).

    Of the subject's pictures at most `MOST_ENTRIES` are used, spread evenly.
    """
    others = [mean_distance(probes, rows) for rows in people]
    return Search(
        own=mean_distance(probes, own[evenly(len(own), MOST_ENTRIES)]),
        others=np.stack(others, axis=1) if others else np.empty((len(probes), 0)),
    )


def joined(parts: Sequence[Search]) -> Search:
    """Several searches of the same people as one."""
    return Search(
        own=np.concatenate([part.own for part in parts]), others=np.concatenate([part.others for part in parts])
    )


def parted(found: Search, counts: Sequence[int]) -> list[Search]:
    """A search with several kinds of probes, one after the other and so many of each, as one search a kind."""
    ends = np.cumsum(counts)[:-1]
    return [
        Search(own=own, others=others)
        for own, others in zip(np.split(found.own, ends), np.split(found.others, ends), strict=True)
    ]


def mean_distance(probes: Rows, rows: Rows) -> Distances:
    """Mean L2 distance of each probe (p, d) to the rows (m, d), one row after the other.

    >>> mean_distance(np.zeros((1, 2), np.float32), np.array([[3, 4], [0, 1]], np.float32))
    array([3.])
    """
    total = np.zeros(len(probes))
    for row in rows.astype(np.float64):
        total += np.linalg.norm(probes - row, axis=1)
    return total / len(rows)


def nearer(found: Search) -> float:
    """P(own entry nearer than a stranger's), over probes and strangers, ties half: 0.5 tells nothing, 1 gives away.

    >>> nearer(Search(own=np.array([1.0, 1.0]), others=np.array([[2.0, 0.5], [1.0, 3.0]])))
    0.625
    """
    return float(wins(found).mean())


def wins(found: Search) -> Distances:
    """(p, n): 1 where the own entry is nearer than the stranger's, 0.5 where they tie, else 0."""
    own = found.own[:, None]
    return np.asarray((own < found.others) + 0.5 * (own == found.others))


def rank_rate(found: Search, rank: int) -> float:
    """Share of probes with the own entry among the `rank` nearest; a tie counts for the stranger.

    >>> rank_rate(Search(own=np.array([1.0, 1.0]), others=np.array([[2.0, 0.5], [3.0, 4.0]])), 1)
    0.5
    """
    return float(ranked(found, rank).mean())


def ranked(found: Search, rank: int) -> NDArray[np.bool_]:
    """Which probes (p,) have the own entry among the `rank` nearest; a tie counts for the stranger."""
    return np.asarray((found.others <= found.own[:, None]).sum(axis=1) < rank)


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
    each = wins(found).mean(axis=0)

    def statistics(people: NDArray[np.intp]) -> Statistics:
        return {"auc": float(each[people].mean())}

    return bootstrap(statistics, Clusters(labels=np.arange(found.people), unit="people"))


def reach(found: Search) -> float:
    """How far up a search may reach: the upper end of its interval over people, without one its chance."""
    interval, _ = bounds_over_people(found).of("auc")
    return nearer(found) if interval is None else interval.high


def no_test(detail: Mapping[str, float]) -> str:
    """Why an attack says nothing: it does not find the original that was only encoded again; empty when it does."""
    found = detail.get("null_edit")
    if found is None:
        return f"{NO_TEST}: no re-encoded face could be described"
    return "" if found >= LEAST_OF_THE_UNPROTECTED else f"{NO_TEST}: the chance there is {found:.2f}"


def lacking(strangers: Strangers) -> str:
    """Why no gallery can be made; empty when it can."""
    count = len(strangers.rows)
    if count >= LEAST_STRANGERS:
        return ""
    also = f", {strangers.left_out} left out as too like the subject or the donor" if strangers.left_out else ""
    return f"{count} strangers{also}; at least {LEAST_STRANGERS} make a gallery: give pictures with --strangers"


def gallery_words(strangers: Strangers, how: str) -> str:
    """The method of an attack: who stands in the gallery, and `how` it is searched."""
    sources = ", ".join(f"{count} {source}" for source, count in Counter(strangers.sources).items())
    return f"gallery of the subject and {len(strangers.rows)} strangers ({sources}); {how}"
