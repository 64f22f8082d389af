"""The outsider's inversion on made descriptors: swaps that carry the person over, or do not, and who is left out."""

import numpy as np
import pytest
from numpy.typing import NDArray

from deid_audit.findings import Interval
from deid_audit.measure.attacks import strongest
from deid_audit.measure.inversion import FOUND_FROM, Inverted, invert, measure_inversion
from deid_audit.measure.sampled import INVERSION_FEATURES, SampledFaces, Strangers

Rows = NDArray[np.float64]
PICTURES = 4
_RNG = np.random.default_rng(4)
_MAP = _RNG.normal(size=(10, INVERSION_FEATURES))
_BASIS = np.linalg.qr(_RNG.normal(size=(128, 10)))[0].T  # people differ in ten directions, as a few dozen can teach


def people(count: int, seed: int) -> tuple[Rows, Rows]:
    """Who they are, (n, 10), and their descriptors (n, 128)."""
    codes = np.random.default_rng(seed).normal(size=(count, 10))
    return codes, 0.3 + codes @ _BASIS * 0.1


def swapped_by_map(codes: Rows, seed: int = 0, leak: float = 1.0) -> list[Rows]:
    """Each one's swapped pictures: a linear map of who they are plus noise, or with `leak` 0 noise alone."""
    rng = np.random.default_rng(seed)
    return [leak * code @ _MAP + rng.normal(0, 0.3, (PICTURES, INVERSION_FEATURES)) for code in codes]


def strangers_of(entries: Rows, swapped: list[Rows], because: str = "") -> Strangers:
    return Strangers(
        rows=tuple(np.float32(entry[None]) for entry in entries),
        sources=("given",) * len(entries),
        swapped=tuple(np.float32(rows) for rows in swapped),
        not_swapped_because=because,
    )


def attacked(count: int, leak: float, seed: int = 7) -> Inverted:
    codes, entries = people(count + 1, seed)
    swapped = swapped_by_map(codes, leak=leak)
    return invert(swapped[0], entries[0], entries[1:], swapped[1:])


def test_a_swap_that_carries_the_person_over_linearly_is_inverted() -> None:
    found = attacked(40, leak=1.0)
    assert found.chances.shape == (PICTURES, 40)
    assert found.chances.mean() > 0.98 and found.averaged.mean() > 0.98 and found.found > 0.95


def test_a_swap_that_carries_nothing_over_is_at_chance() -> None:
    """Over twelve subjects, since whoever is compared by chance alone may stand well once."""
    found = [attacked(20, leak=0.0, seed=seed) for seed in range(12)]
    assert np.mean([one.chances.mean() for one in found]) == pytest.approx(0.5, abs=0.1)
    assert np.mean([one.found for one in found]) == pytest.approx(0.5, abs=0.1)


def test_a_swap_that_is_the_same_for_everybody_is_a_tie() -> None:
    _, entries = people(11, 3)
    same = [np.ones((PICTURES, INVERSION_FEATURES))] * 11
    found = invert(same[0], entries[0], entries[1:], same[1:])
    assert (found.chances == 0.5).all() and (found.averaged == 0.5).all() and found.found == 0.5


def test_nobody_is_compared_by_an_inversion_that_learnt_them() -> None:
    """A stranger whose swapped face is the subject's own, put under another name: learnt, it would draw the search to
    the stranger; left out, the others' rule leads to the subject.
    """
    codes, entries = people(31, 5)
    swapped = swapped_by_map(codes)
    entries[1] = 0.3 - (entries[0] - 0.3)
    swapped[1] = np.repeat(swapped[0], 50, axis=0)
    found = invert(swapped[0], entries[0], entries[1:], swapped[1:])
    assert (found.chances[:, 0] == 1).all()


def test_codes_without_a_rule_are_learnt_by_heart_and_still_not_found() -> None:
    """Each stranger's pictures are a code of their own that says nothing of them: seen in training, all were found."""
    _, entries = people(40, 6)
    rng = np.random.default_rng(8)
    swapped = [np.repeat(rng.normal(size=(1, INVERSION_FEATURES)), PICTURES, axis=0) for _ in entries]
    assert invert(swapped[0], entries[0], entries[1:], swapped[1:]).found == pytest.approx(0.5, abs=0.15)


def test_the_measurement_has_interval_control_and_competes() -> None:
    codes, entries = people(21, 9)
    swapped = swapped_by_map(codes)
    sample = SampledFaces(released=np.float32(np.tile(swapped[0], (2, 1))))
    row = measure_inversion("video 1", [sample], np.float32(entries[:1]), strangers_of(entries[1:], swapped[1:]))
    assert row.value is not None and row.value > 0.95 and row.sample_size == 2 * PICTURES
    assert row.interval is not None and row.interval.unit == "people" and row.interval.clusters == 20
    assert row.detail["strangers_found"] > FOUND_FROM and "its failing says little" not in row.method
    low = Interval(low=0.3, high=0.5, clusters=20, unit="people")
    weaker = row.model_copy(update={"metric": "attack.descriptor.auc", "value": 0.4, "interval": low})
    [worst] = strongest([weaker, row])
    assert worst.value == row.value and worst.method.startswith("attack.inversion.auc")


def test_an_inversion_that_does_not_work_says_so() -> None:
    codes, entries = people(21, 11)
    swapped = [np.ones((PICTURES, INVERSION_FEATURES))] * len(codes)
    sample = SampledFaces(released=np.ones((8, INVERSION_FEATURES), np.float32))
    row = measure_inversion("video 1", [sample], np.float32(entries[:1]), strangers_of(entries[1:], swapped[1:]))
    assert row.value == 0.5 == row.detail["strangers_found"] and "its failing says little" in row.method


def test_too_few_strangers_frames_or_no_swap_are_not_measured() -> None:
    codes, entries = people(9, 12)
    swapped, own = swapped_by_map(codes), np.float32(entries[:1])
    frames = SampledFaces(released=np.ones((8, INVERSION_FEATURES), np.float32))
    unseen = SampledFaces(released=np.full((8, INVERSION_FEATURES), np.nan, np.float32))
    enough = strangers_of(entries[1:], swapped[1:])
    no_face = [*swapped[1:5], *(np.full_like(rows, np.nan) for rows in swapped[5:])]
    for sample, strangers, because in (
        (frames, strangers_of(entries[1:5], swapped[1:5]), "4 strangers with pictures"),
        (frames, strangers_of(entries[1:], no_face), "4 strangers with pictures"),
        (frames, strangers_of(entries[1:], [], "another tool made the videos"), "another tool made the videos"),
        (unseen, enough, "0 sampled released frames"),
    ):
        row = measure_inversion("video 1", [sample], own, strangers)
        assert row.value is None and because in (row.not_measured_because or "")
