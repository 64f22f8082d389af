"""Choice of training faces held to brute force on small data."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from deid_audit.faces.align import align
from deid_audit.faces.choose import (
    away_from,
    expressions,
    farthest_points,
    features_of,
    held_out,
    neutral_weights,
    pose_features,
    shared_neutral,
)
from tests.conftest import Portraits
from tests.unit.made_faces import made_layout


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


def _features(*layouts: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.array([layout.ravel() for layout in layouts])


def test_an_expression_is_what_the_face_does_and_not_how_it_is_built() -> None:
    person = _features(*(made_layout(lids=lids, brows=-0.3) for lids in (0.02, 0.03, 0.05)))
    smiling = made_layout(lips=0.05, lids=0.04, brows=-0.33, turn=0.02)
    nodding = made_layout(lids=0.03, brows=-0.3)
    nodding[4, 1] += 0.07
    # gap of the lips and turn as they are; lids, brows and nod against the person's own median
    expected = ((0.05, 0.02, 0.01, -0.03, 0), (0, 0, 0, 0, 0.07))
    found = expressions(_features(smiling, nodding), person)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    # another anatomy that does the same: larger eyes, higher brows, a shorter nose
    built = [made_layout(lids=0.05, brows=-0.35), made_layout(lips=0.05, lids=0.06, brows=-0.38, turn=0.02)]
    for layout in built:
        layout[4, 1] -= 0.03
    np.testing.assert_allclose(expressions(_features(built[1]), _features(built[0])), expected[:1], atol=1e-6)


@pytest.mark.parametrize(
    ("donors", "wanted"),
    [
        ((0.0, 0.0, 0.0), 0.0),  # never opens the mouth: they are compared with their lips shut
        ((0.0, 0.02, 0.1), 0.04),  # does what the subject does
        ((0.06, 0.06, 0.06), 0.06),  # never shuts it
        ((0.0,) * 40 + (0.1,), 0.0),  # once, which makes no mean face
    ],
)
def test_the_two_are_compared_with_lips_as_open_as_both_have_them(donors: tuple[float, ...], wanted: float) -> None:
    # one outlier does not move the subject's usual face
    subject = _features(*(made_layout(lips=lips, turn=0.03) for lips in (0.04, 0.03, 0.2, 0.04)))
    donor = _features(*(made_layout(lips=lips, lids=0.05, turn=-0.1) for lips in donors))
    neutral = shared_neutral(subject, donor)
    np.testing.assert_allclose(neutral, (wanted, 0.03, 0, 0, 0), atol=1e-6)


def test_faces_near_the_shared_expression_count_most() -> None:
    neutral = np.array((0.02, 0, 0, 0, 0))
    away = np.arange(11) / 100  # 0, 0.01, ..., 0.1: the tenth part of them lies within 0.01
    faces = np.zeros((11, 5))
    faces[:, 1] = away
    faces[:, 0] = 0.02
    np.testing.assert_allclose(away_from(neutral, faces), away**2)
    weights = neutral_weights(neutral, faces)
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(weights / weights[0], np.exp(-(np.arange(11) ** 2)), rtol=1e-5)


def test_equal_faces_count_equally() -> None:
    for distance in (0.0, 0.3):
        np.testing.assert_allclose(neutral_weights(np.zeros(5), np.full((4, 5), distance)), 0.25)


def test_aligned_faces_have_the_same_features(portraits: Portraits) -> None:
    people = [*portraits]
    aligned = [
        align(0, person.image_rgb, person.landmarks_xy, size) for person, size in zip(people, (64, 80), strict=True)
    ]
    expected = pose_features([person.landmarks_xy for person in people])
    np.testing.assert_array_equal(features_of(aligned), expected)


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
