"""What a learning attacker is shown: never one moment on both sides, and as many pictures of everybody."""

import numpy as np
import pytest
from numpy.typing import NDArray

from deid_audit.measure.learning import APART_S, LEAST_PEOPLE, Fold, folds_of, pictures_each, too_few

VIDEOS = [np.arange(40) / 4, np.arange(12) * 1.0, np.empty(0), np.arange(5) * 3.0]


def videos_of(fold: Fold, times_s: list[NDArray[np.float64]]) -> tuple[set[int], set[int]]:
    number = np.repeat(np.arange(len(times_s)), [len(times) for times in times_s])
    return set(number[fold.learnt].tolist()), set(number[fold.probed].tolist())


@pytest.mark.parametrize("members", [[0], [1, 3], [0, 1, 2, 3]])
def test_no_video_is_learnt_and_probed(members: list[int]) -> None:
    folds = folds_of(VIDEOS, members)
    assert len(folds) == len(members)
    for fold, at in zip(folds, members, strict=True):
        learnt, probed = videos_of(fold, VIDEOS)
        assert not learnt & probed and probed <= {at}
        assert int(fold.learnt.sum() + fold.probed.sum()) == sum(map(len, VIDEOS))  # and nothing is left out


def test_halves_of_one_video_stand_a_gap_apart_and_both_are_probed() -> None:
    times = np.sort(np.random.default_rng(0).uniform(0, 20, 300))
    folds = folds_of([times], [0])
    for fold in folds:
        apart = np.abs(times[fold.learnt][:, None] - times[fold.probed])
        assert apart.min() >= APART_S
    probed = folds[0].probed | folds[1].probed
    assert probed.sum() > 0.9 * len(times) and not (folds[0].probed & folds[1].probed).any()
    assert folds_of([np.empty(0)], [0]) == []


def test_everybody_is_learnt_from_as_many_pictures() -> None:
    assert pictures_each(40, [8] * 20, 16) == 8
    assert pictures_each(40, [16] * 30 + [2] * 10, 16) == 16  # a quarter may have fewer, and takes no part
    assert pictures_each(40, [16] * 29 + [2] * 11, 16) == 2
    assert pictures_each(40, [16] * 9 + [3, 2], 16) == 3  # ten at least
    assert pictures_each(3, [16] * 30, 16) == 3
    assert pictures_each(40, [90] * 30, 16) == 16


def test_too_few_people_or_pictures_are_said() -> None:
    one_each = [1] * 50
    for own, strangers, words in (
        (40, [8] * (LEAST_PEOPLE - 1) + one_each, "9 strangers with 2 pictures or more"),
        (1, [8] * LEAST_PEOPLE, "1 pictures of the subject"),
    ):
        assert pictures_each(own, strangers, 16) == 0
        assert words in too_few(own, strangers)
