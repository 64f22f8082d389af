"""Identification across a set, on made descriptors: by hand, a leak in one video, a donor who resembles another."""

import numpy as np
import pytest
from sklearn.metrics import pairwise_distances

from deid_audit.frames import Float
from deid_audit.measure.across import (
    Entries,
    Searched,
    resembling_originals,
    search_across,
    unprotected_across,
)

NOBODY = np.empty((0, 128), np.float32)


def at(*values: float) -> Float:
    """Descriptors on one axis: distances between them are differences."""
    rows = np.zeros((len(values), 128), np.float32)
    rows[:, 0] = values
    return rows


def people(count: int, *, each: int = 4) -> list[Float]:
    """Originals of people far from each other."""
    return [at(*(10.0 * n + 0.1 * k for k in range(each))) for n in range(count)]


def test_a_search_by_hand() -> None:
    [found] = search_across([(0, at(2.0, 3.0))], [at(0.0, 1.0), at(2.5), at(9.0)])
    # to the first 2, 1, 3, 2: mean 2; to the second 0.5 twice; within 0.6 of the second both faces, of the first none
    assert found == Searched(subject=0, faces=2, rank=2, to_own=2.0, to_next=0.5, near_own=0.0, near_others=1.0, like=1)
    assert found.margin == -1.5


def test_a_leak_in_one_video_is_found_and_others_are_not() -> None:
    originals = people(6)
    donor = at(100.0, 100.1, 100.2, 100.3)
    found = search_across([(n, originals[n] if n == 4 else donor) for n in range(6)], originals)
    assert [one.rank for one in found] == [6, 5, 4, 3, 1, 1]  # the donor lies beyond the last one, whoever that is
    assert [one.near_own for one in found] == [0, 0, 0, 0, 1, 0]
    assert found[4].margin > 9 and found[3].margin < 0 and all(one.like is None for one in found)


def test_a_part_of_the_faces_that_leaks_is_counted_as_that_part() -> None:
    originals = people(3)
    [found] = search_across([(1, np.concatenate([at(100.0, 101.0, 102.0), originals[1][:1]]))], originals)
    assert found.near_own == 0.25 and found.near_others == 0


def test_a_donor_who_resembles_another_subject_is_told_whose() -> None:
    originals = people(5)
    [found] = search_across([(0, originals[3] + np.float32(0.01))], originals)
    assert (found.rank, found.near_own, found.near_others, found.like) == (5, 0.0, 1.0, 3)


def test_a_tie_counts_for_the_other_and_whoever_was_not_told_is_in_no_gallery() -> None:
    [tied] = search_across([(0, at(1.0))], [at(0.0), at(2.0)])
    assert tied.rank == 2
    [nobody, known] = search_across([(0, at(5.0)), (1, at(5.0))], [NOBODY, at(5.0), at(0.0)])
    assert nobody.rank is None and nobody.near_own is None and (nobody.near_others, nobody.like) == (1.0, 1)
    assert (known.rank, known.near_own, known.near_others) == (1, 1.0, 0.0)
    assert search_across([(0, at(5.0))], [NOBODY])[0].near_others == 0


def test_many_blocks_give_what_one_would(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(1)
    everybody = [chance.normal(0, 1, (1 + n % 5, 128)).astype(np.float32) for n in range(23)]
    probes = chance.normal(0, 1, (7, 128)).astype(np.float32)
    monkeypatch.setattr("deid_audit.measure.across._BLOCK_ROWS", 12)
    mean, nearest = Entries(everybody).distances(probes)
    for n, rows in enumerate(everybody):
        apart = pairwise_distances(probes.astype(np.float64), rows.astype(np.float64))
        assert mean[:, n] == pytest.approx(apart.mean(axis=1)) and nearest[:, n] == pytest.approx(apart.min(axis=1))


def test_the_control_finds_unprotected_faces_and_fails_where_people_are_alike() -> None:
    assert unprotected_across([*people(5), NOBODY, at(3.0)]) == (5, 5)  # one row cannot be halved
    assert unprotected_across([at(0.0, 0.0), at(0.0, 0.0)]) == (0, 2)
    assert unprotected_across([]) == (0, 0)


def test_the_floor_is_how_often_originals_come_near_another_subject_by_hand() -> None:
    assert resembling_originals(people(4)) == 0
    assert resembling_originals([at(0.0, 1.0), at(1.5)]) == 0.75  # 1.0 and 1.5 are near, 0.0 is not
    assert resembling_originals([at(0.0), NOBODY]) is None


def test_a_gallery_is_overwritten() -> None:
    entries = Entries(people(2))
    entries.wipe()
    assert not entries._rows.any() and not entries._squares.any()
