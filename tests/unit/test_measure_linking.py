"""Linkability within a set, on made descriptors: by hand, against scikit-learn, a planted link among shared donors."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from deid_audit.frames import Float
from deid_audit.measure import linking
from deid_audit.measure.linking import Pairs, chosen, linked, of_shared_donors, pairs_of


def at(value: float) -> Float:
    """A video of one face, on one axis."""
    rows = np.zeros((1, 128), np.float32)
    rows[0, 0] = value
    return rows


def test_pairs_by_hand() -> None:
    pairs = pairs_of([[at(0.0), at(1.0)], [at(5.0)]])
    assert pairs.distances.tolist() == [1.0, 5.0, 4.0] and pairs.same.tolist() == [True, False, False]
    found = linked(pairs)
    assert (found.subjects, found.same, found.different, found.auc) == (2, 1, 2, 1.0)
    assert found.interval is None and "at least 10 clusters" in found.because
    # 3 apart, beside 1, 4 and 2, 1: one of four is farther, none ties
    crossed = linked(pairs_of([[at(0.0), at(3.0)], [at(1.0), at(4.0)]]))
    assert crossed.auc == pytest.approx((1 + 1 * 0) / 4)


def test_the_chance_is_that_of_scikit_learn_with_ties() -> None:
    chance = np.random.default_rng(3)
    videos = [[at(float(chance.integers(8))) for _ in range(1 + n % 3)] for n in range(14)]
    pairs = pairs_of(videos)
    found = linked(pairs)
    assert len(set(pairs.distances.tolist())) < len(pairs.distances)  # it has ties
    assert found.auc == pytest.approx(roc_auc_score(pairs.same, -pairs.distances))
    assert found.interval is not None and found.interval.low < found.auc < found.interval.high  # type: ignore[operator]


def test_a_subject_drawn_twice_weighs_as_two_of_them_would() -> None:
    """Weights by hand: subject 0 twice; its own pair counts twice, its pairs with others twice, none with itself."""
    pairs = pairs_of([[at(0.0), at(2.0)], [at(1.0), at(7.0)], [at(4.5)]])
    times = np.array([2.0, 1.0, 1.0])
    weights = np.where(pairs.same, times[pairs.one], times[pairs.one] * times[pairs.other])
    _, level = np.unique(pairs.distances, return_inverse=True)
    expected = roc_auc_score(pairs.same, -pairs.distances, sample_weight=weights)
    assert linking._auc(level, pairs.same, weights) == pytest.approx(expected)
    assert np.isnan(linking._auc(level, pairs.same, np.zeros(len(level))))


def test_a_donor_of_their_own_links_by_design_and_a_shared_one_is_the_control() -> None:
    """Twelve subjects, two donors far apart: what is left of nobody but subject 3 shows in the second comparison."""
    chance = np.random.default_rng(5)
    donors = ["a" if n < 6 else "b" for n in range(12)]
    faces = [0.0 if donor == "a" else 50.0 for donor in donors]
    videos = [[at(face + chance.normal(0, 0.1)) for _ in range(2)] for face in faces]
    everybody, fair = linked(pairs_of(videos)), linked(of_shared_donors(pairs_of(videos), donors))
    assert everybody.auc is not None and everybody.auc > 0.7  # the donor's face
    assert fair.interval is not None and fair.interval.low < 0.5 < fair.interval.high
    assert (everybody.same, everybody.different, fair.same, fair.different) == (12, 264, 12, 120)
    left = [[rows + np.float32(n) for rows in mine] for n, mine in enumerate(videos)]  # something of each stays
    found = linked(of_shared_donors(pairs_of(left), donors))
    assert found.interval is not None and found.interval.low > 0.9


def test_shared_donors_leave_out_whoever_has_one_alone() -> None:
    pairs = pairs_of([[at(0.0), at(1.0)], [at(2.0)], [at(3.0), at(4.0)]])
    fair = of_shared_donors(pairs, ["a", "b", "a"])
    assert sorted(fair.distances.tolist()) == [1, 1, 2, 3, 3, 4] and set(fair.one.tolist()) == {0, 1}
    assert not len(of_shared_donors(pairs, ["a", "b", "c"]).distances)


def test_very_many_are_sampled_evenly_and_the_same_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linking, "MOST_SUBJECTS", 3)
    monkeypatch.setattr(linking, "MOST_VIDEOS", 2)
    videos = [[at(0.0)] * (2 if n % 2 else 1) for n in range(20)]
    assert chosen(videos) == chosen(videos) == [0, 1, 8, 9, 18, 19]
    assert len(pairs_of([[at(float(n)) for n in range(9)]]).distances) == 1


def test_without_a_kind_of_pair_there_is_no_chance() -> None:
    assert linked(pairs_of([[at(0.0)]])).auc is None
    only_same = linked(pairs_of([[at(0.0), at(1.0)]]))
    assert (only_same.auc, only_same.same, only_same.different) == (None, 1, 0) and only_same.because
    assert isinstance(pairs_of([]), Pairs)
