"""How an attacker learns faces, and what is shown: the subject's frames parted in time, as many pictures of everybody.

An attack that learns a person from a moment and is tried on the same moment shows nothing, and one that learns more
pictures of one person than of another favours one of them. `parrot` and `texture_attack` take from here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from deid_audit.measure.gallery_attack import Search
from deid_audit.measure.intervals import MIN_CLUSTERS

APART_S = 1.0
LEAST_PICTURES = 2
LEAST_PEOPLE = MIN_CLUSTERS  # strangers with two pictures or more: fewer give no interval, either
_SHARE = 0.75  # of the strangers have as many pictures as are learnt of everybody

Rows = NDArray[np.float64]
Learner = Callable[[Rows, Sequence[Rows]], Search]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fold:
    """Which of the subject's frames are learnt and which are probed: bool (n,), all videos' frames one after the other.

    Never both of one video; where there is one only, never of moments less than `APART_S` apart.
    """

    learnt: NDArray[np.bool_]
    probed: NDArray[np.bool_]


def folds_of(times_s: Sequence[NDArray[np.float64]], members: Sequence[int]) -> list[Fold]:
    """A fold for each of the videos `members`, probed by what is learnt of all others; `times_s` are all videos'.

    Where there is one video, each half of its time is probed by what is learnt of the other.

    >>> [fold] = folds_of([np.array([0.0, 1.0]), np.array([0.0])], [1])
    >>> fold.learnt.tolist(), fold.probed.tolist()
    ([True, True, False], [False, False, True])
    """
    if len(times_s) > 1:
        video = np.repeat(np.arange(len(times_s)), [len(times) for times in times_s])
        return [Fold(learnt=video != at, probed=video == at) for at in members]
    times = times_s[0]
    if not len(times):
        return []
    middle = (times[0] + times[-1]) / 2
    early, late = times <= middle - APART_S / 2, times > middle + APART_S / 2
    return [Fold(learnt=early, probed=late), Fold(learnt=late, probed=early)]


def pictures_each(own: int, strangers: Sequence[int], most: int) -> int:
    """Of how many pictures everybody is learnt, 0 where that cannot be done fairly.

    As many, up to `most`, as `own` allows and as three quarters of the strangers have of those who have two: at least
    two, of at least ten strangers. Who has fewer takes no part; who has more shows no more of them.

    >>> pictures_each(20, [8] * 12 + [2, 1], 16), pictures_each(5, [8] * 12, 16), pictures_each(20, [8] * 9, 16)
    (8, 5, 0)
    """
    counts = sorted((count for count in strangers if count >= LEAST_PICTURES), reverse=True)
    if len(counts) < LEAST_PEOPLE:
        return 0
    kept = max(LEAST_PEOPLE, int(np.ceil(_SHARE * len(counts))))
    each = min(own, counts[kept - 1], most)
    return each if each >= LEAST_PICTURES else 0


def too_few(own: int, strangers: Sequence[int]) -> str:
    """In words why `pictures_each` is 0."""
    known = sum(count >= LEAST_PICTURES for count in strangers)
    if known < LEAST_PEOPLE:
        return (
            f"{known} strangers with {LEAST_PICTURES} pictures or more to learn from; at least {LEAST_PEOPLE} are "
            "needed: give several pictures, or a video, of each with --strangers"
        )
    return f"{own} pictures of the subject to learn from, of other moments than those that are probed"


def neighbour_search(probes: Rows, people: Sequence[Rows]) -> Search:
    """kNN with one neighbour: each probe's distance to the nearest picture of each person, the first the subject.

    Probes are (p, d), pictures (k, d). Everybody needs the same number: the nearest of many is nearer.
    """
    nearest = [np.linalg.norm(probes[:, None] - rows, axis=2).min(axis=1) for rows in people]
    return Search(own=nearest[0], others=np.stack(nearest[1:], axis=1))


def discriminant_search(probes: Rows, people: Sequence[Rows]) -> Search:
    """LDA: the less a probe speaks for a person, the farther; the first is the subject, all as likely beforehand.

    The spread within people is pooled and shrunk as Ledoit and Wolf say (2004, doi 10.1016/S0047-259X(03)00096-4).
    """
    if not len(probes):
        return Search(own=np.empty(0), others=np.empty((0, len(people) - 1)))
    labels = np.repeat(np.arange(len(people)), [len(rows) for rows in people])
    away = np.concatenate([rows - rows.mean(axis=0) for rows in people])
    shrinkage = float(ledoit_wolf_shrinkage(away, assume_centered=True))
    prior = np.full(len(people), 1 / len(people))
    learnt = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=prior)
    scores = learnt.fit(np.concatenate(people), labels).decision_function(probes)
    return Search(own=-scores[:, 0], others=-scores[:, 1:])


LEARNERS: dict[str, Learner] = {"kNN": neighbour_search, "LDA": discriminant_search}
