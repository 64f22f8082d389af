"""Flicker on landmarks made by hand: known ratios, still stretches, a frozen original, and jitter that must fail."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import convolve1d

from deid_audit.findings import Measurement
from deid_audit.frames import Float
from deid_audit.measure import flicker
from deid_audit.measure.appearance import POINTS
from deid_audit.measure.expression import correlation
from deid_audit.measure.flicker import (
    flicker_track,
    mean_shape,
    measure_flicker,
    second_differences,
    still_frames,
    within_itself,
)
from deid_audit.measure.intervals import MIN_CLUSTERS, clusters_of
from deid_audit.policy import load_policy

N, RATE, EYES_PX = 150, 25.0, 60.0
TIMES = np.arange(N) / RATE
UNIT = np.full(N, EYES_PX)
ALL = np.ones(N, np.bool_)
LIMIT = next(rule.limit for rule in load_policy("release").rules if rule.metric == "quality.flicker")


def points(noise_px: float, seed: int, moved: NDArray[np.float64] | None = None) -> Float:
    rng = np.random.default_rng(seed)
    shape = np.random.default_rng(99).uniform(0, 120, (1, len(POINTS), 2))
    path = np.zeros((N, 2)) if moved is None else moved
    return np.asarray(shape + path[:, None] + rng.normal(0, noise_px, (N, len(POINTS), 2)), np.float32)


def run(original: Float, released: Float, null: Float | None = None, used: NDArray[np.bool_] = ALL) -> Measurement:
    again = original + points(0.02, 7) - points(0.0, 7) if null is None else null
    return measure_flicker(original, released, again, UNIT, TIMES, used, "video 1", clusters_of([TIMES]))


def test_the_second_difference_by_hand_and_by_scipy() -> None:
    track = points(1.0, 1)
    ours = second_differences(track, UNIT)
    theirs = np.linalg.norm(convolve1d(track.astype(np.float64), [1, -2, 1], axis=0), axis=2) / EYES_PX
    assert ours[1:-1] == pytest.approx(theirs[1:-1]) and np.isnan(ours[[0, -1]]).all()
    # white noise of SD s: root mean square sqrt(6) s an axis, both axes sqrt(12) s
    assert np.sqrt((ours[1:-1] ** 2).mean()) == pytest.approx(np.sqrt(12) / EYES_PX, rel=0.02)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_ratio_of_known_noise(factor: float) -> None:
    found = run(points(0.2, 1), points(0.2 * factor, 2))
    assert found.value == pytest.approx(factor, rel=0.05) and found.sample_size == N - 2
    assert found.value is not None and (found.value <= LIMIT) == (factor <= 1)


def test_the_null_edit_passes_and_a_frozen_original_does_not_divide_by_nothing() -> None:
    frozen = points(0.0, 1)
    null = points(0.05, 3)
    again = run(frozen, points(0.05, 4), null)
    assert again.value == pytest.approx(1, rel=0.1) and again.noise_floor == pytest.approx(1, rel=0.01)
    nothing = run(frozen, frozen, frozen)
    assert nothing.value == 0 and nothing.noise_floor == 0
    assert (run(frozen, points(0.4, 4), null).value or 0) > LIMIT


def test_a_face_that_trembles_within_itself_shows_beside_a_head_tremor() -> None:
    tremor = np.column_stack((2 * np.sin(2 * np.pi * 5 * TIMES), np.zeros(N)))
    steady = run(points(0.1, 1, tremor), points(0.1, 2, tremor))
    found = run(points(0.1, 1, tremor), points(0.4, 2, tremor))
    assert steady.value == pytest.approx(1, rel=0.05)
    assert found.detail["positions: ratio"] < 1.5 < found.detail["within the face: ratio"] == found.value


def test_what_shift_turn_and_scale_do_is_taken_away() -> None:
    shape = points(0.0, 1).astype(np.float64)
    turn = np.exp(0.2j * np.sin(TIMES))[:, None] * (1 + 0.1 * np.cos(TIMES))[:, None]
    z = (shape[..., 0] + 1j * shape[..., 1]) * turn + (3 * TIMES)[:, None]
    turned = np.stack((z.real, z.imag), axis=2).astype(np.float32)
    left = within_itself(turned, mean_shape(turned))
    assert np.ptp(left, axis=0).max() < 1e-3


def test_only_still_stretches_count() -> None:
    # still for 2 s, then 0.5 inter-ocular distances a second
    path = np.column_stack((np.maximum(TIMES - 2, 0) * 0.5 * EYES_PX, np.zeros(N)))
    original = points(0.2, 1, path)
    still = still_frames(original, UNIT, TIMES, ALL).still
    assert still[:40].all() and not still[56:].any()
    released = points(0.2, 2, path)
    released[60:] += np.random.default_rng(3).normal(0, 9, released[60:].shape).astype(np.float32)
    found = run(original, released)
    assert found.value == pytest.approx(1, rel=0.1) and 40 < found.sample_size < 56


def test_where_it_cannot_be_measured_it_says_why() -> None:
    path = np.column_stack((TIMES * 0.5 * EYES_PX, np.zeros(N)))
    moving = run(points(0.2, 1, path), points(0.2, 2, path))
    assert moving.value is None and moving.absent and "0 frames of the original are still" in str(moving)
    few = run(points(0.2, 1), points(0.2, 2), used=np.arange(N) < 20)
    assert few.value is None and not few.absent, "few swapped frames are no trait of the original"
    for every in (10, 12):  # covers break a still face up: that is no trait of the original
        holed = run(points(0.2, 1), points(6, 2), used=np.arange(N) % every > 0)
        assert holed.value is None and not holed.absent and "nothing breaks up" in str(holed)
    lost = points(0.2, 2)
    lost[30:] = np.nan
    gone = run(points(0.2, 1), lost)
    assert gone.value is None and not gone.absent and "of 148 still frames" in str(gone)
    gap = TIMES + np.where(np.arange(N) >= 75, 1.0, 0.0)
    assert not still_frames(points(0.2, 1), UNIT, gap, ALL).inner[[74, 75]].any()
    assert not still_frames(points(0.2, 1), UNIT, np.zeros(N), ALL).still.any()


def test_a_frozen_face_is_caught_by_correlation() -> None:
    """Nothing here would fail a face that stands still; expression does."""
    moving = np.sin(TIMES)
    assert correlation(moving, np.zeros(N)) == 0


def test_the_interval_is_of_the_same_ratio_and_missing_where_the_still_seconds_are_few() -> None:
    """Six seconds are too few; the same second-long blocks named apart twelve times are enough."""
    original, released = points(0.3, 1), points(0.6, 2)
    row = run(original, released)
    assert row.interval is None and row.no_interval_because.startswith("6 seconds; an interval needs at least 10")
    half_seconds = clusters_of([TIMES * 2])
    again = original + points(0.02, 7) - points(0.0, 7)
    row = measure_flicker(original, released, again, UNIT, TIMES, ALL, "video 1", half_seconds)
    assert row.interval is not None and row.value is not None and row.interval.clusters >= MIN_CLUSTERS
    assert row.interval.low < row.value < row.interval.high
    assert row.interval.high - row.interval.low < 0.5 * row.value


def test_block_by_block_the_numbers_are_those_of_all_frames_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    path = np.column_stack((np.sin(TIMES), np.where(TIMES > 4, (TIMES - 4) * 0.5 * EYES_PX, 0)))
    original, released = points(0.3, 1, path), points(0.6, 2, path)
    released[[0, 33, 34, 70]] = np.nan
    found = np.isfinite(released).all(axis=(1, 2))
    inner = still_frames(original, UNIT, TIMES, found).inner
    assert 40 < inner.sum() < N - 40
    plain = {}
    for way in ("positions", "within the face"):
        tracks = []
        for track in (original, released):
            z = track[..., 0].astype(np.float64) + 1j * track[..., 1]
            z = z - z.mean(axis=1, keepdims=True)
            shape = z[np.isfinite(z).all(axis=1)].mean(axis=0)
            with np.errstate(invalid="ignore"):
                z = z / ((z * shape.conj()).sum(axis=1, keepdims=True) / (np.abs(shape) ** 2).sum())
            tracks.append(np.stack((z.real, z.imag), axis=2) if way == "within the face" else track)
        root = [np.sqrt((second_differences(track, UNIT)[inner] ** 2).mean(axis=0)) for track in tracks]
        plain[f"{way}: ratio"] = np.median(root[1]) / np.median(root[0])
    whole, lines = run(original, released, original), flicker_track(original, released, UNIT, TIMES, ALL)
    monkeypatch.setattr(flicker, "_BLOCK", 7)
    monkeypatch.setattr(flicker, "_POINTS", 5)
    pieces, short = run(original, released, original), flicker_track(original, released, UNIT, TIMES, ALL)
    for row in (whole, pieces):
        assert {name: row.detail[name] for name in plain} == pytest.approx(plain, rel=1e-9)
        assert row.sample_size == inner.sum()
    np.testing.assert_array_equal(lines.other, short.other)
    np.testing.assert_allclose(lines.original[inner], np.median(second_differences(original, UNIT)[inner], axis=1))
