"""Choice of training faces held to brute force on small data."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from deid_audit.faces.choose import farthest_points, held_out, neutral_weights, pose_features
from tests.conftest import Portraits


def _covering_radius(points: NDArray[np.float32], chosen: list[int]) -> float:
    """The farthest that any point lies from its nearest chosen one."""
    return float(np.linalg.norm(points[:, None] - points[chosen], axis=-1).min(1).max())


def _greedy_by_hand(points: NDArray[np.float32], count: int) -> list[int]:
    middle = np.median(points, 0)
    chosen = [min(range(len(points)), key=lambda i: float(((points[i] - middle) ** 2).sum()))]
    while len(chosen) < count:
        rest = [i for i in range(len(points)) if i not in chosen]
        chosen.append(max(rest, key=lambda i: min(float(((points[i] - points[c]) ** 2).sum()) for c in chosen)))
    return sorted(chosen)


@pytest.mark.parametrize("seed", range(6))
def test_each_choice_is_the_farthest_from_those_before(seed: int) -> None:
    points = np.random.default_rng(seed).normal(0, 1, (12, 3)).astype(np.float32)
    for count in (1, 2, 4, 7):
        chosen = farthest_points(points, count)
        assert chosen == _greedy_by_hand(points, count)
        assert len(set(chosen)) == count


@pytest.mark.parametrize("seed", range(4))
def test_the_choice_covers_within_twice_the_best_possible(seed: int) -> None:
    # Gonzalez 1985: the greedy choice is within a factor of two of the best set, here found by trying all
    points = np.random.default_rng(seed).normal(0, 1, (11, 2)).astype(np.float32)
    best = min(_covering_radius(points, list(some)) for some in combinations(range(11), 4))
    assert _covering_radius(points, farthest_points(points, 4)) <= 2 * best + 1e-6


def test_a_rare_pose_is_chosen_before_the_hundredth_common_one() -> None:
    points = np.zeros((200, 2), np.float32) + np.random.default_rng(0).normal(0, 0.01, (200, 2)).astype(np.float32)
    points[137] = (5, 5)
    assert 137 in farthest_points(points, 2)


def test_few_faces_are_all_taken() -> None:
    points = np.zeros((3, 2), np.float32)
    assert farthest_points(points, 3) == [0, 1, 2]
    assert farthest_points(points, 10) == [0, 1, 2]


@pytest.mark.parametrize(("count", "wanted"), [(100, 10), (41, 32), (7, 7), (5, 32), (1, 4)])
def test_held_out_positions_are_spread_over_the_whole_time(count: int, wanted: int) -> None:
    aside = held_out(count, wanted)
    assert aside == sorted(set(aside))
    assert len(aside) == min(count, wanted)
    assert aside[0] == 0
    assert aside[-1] == count - 1
    if len(aside) > 1:
        steps = np.diff(aside)
        assert steps.max() - steps.min() <= 1


def test_frames_near_the_subjects_median_count_most() -> None:
    subject = np.array(((0.0, 0), (1, 0), (2, 0), (50, 50)), np.float32)  # one outlier does not move the median far
    donor = np.array(((1.5, 0), (3, 0), (9, 0), (40, 40)), np.float32)
    weights = neutral_weights(donor, subject)
    assert weights.sum() == pytest.approx(1)
    assert (np.diff(weights) < 0).all()
    assert weights[0] > 0.5


def test_equal_frames_count_equally() -> None:
    weights = neutral_weights(np.ones((4, 6), np.float32), np.ones((2, 6), np.float32))
    np.testing.assert_allclose(weights, 0.25)


def test_features_know_pose_but_neither_place_nor_size(portraits: Portraits) -> None:
    points = portraits.hopper.landmarks_xy
    angle = np.deg2rad(30)
    turn = np.array(((np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))), np.float32)
    elsewhere = (points @ turn.T * np.float32(2.5) + np.float32((40, -90))).astype(np.float32)
    opened = points.copy()
    opened[[14, 17, 152]] += np.float32((0, 20))
    features = pose_features([points, elsewhere, opened])
    assert features.shape == (3, 956)
    np.testing.assert_allclose(features[0], features[1], atol=1e-4)
    assert np.abs(features[0] - features[2]).max() > 0.05
