"""What an attacker who learns faces is shown: the subject's frames parted in time, and as many pictures of everybody.

An attack that learns a person from a moment and is tried on the same moment shows nothing, and one that learns more
pictures of one person than of another favours one of them. `parrot` and `texture` learn from what is parted here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.measure.intervals import MIN_CLUSTERS

APART_S = 1.0
LEAST_PICTURES = 2
LEAST_PEOPLE = MIN_CLUSTERS  # strangers with two pictures or more: fewer give no interval, either
_SHARE = 0.75  # of the strangers have as many pictures as are learnt of everybody


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
