"""Identity against hand-computed distances, brute force and scipy's Mann-Whitney U."""

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest, mannwhitneyu

from deid_audit.catalog import METRICS
from deid_audit.findings import SUBJECT_SCOPE, Measurement, video_scope
from deid_audit.measure import identity
from deid_audit.measure.identity import (
    VideoDescriptors,
    auc_nearer,
    frame_distances,
    measure_identity,
    nearest_distance,
    roc,
)

Rows = NDArray[np.float32]
NO_ROWS = np.empty((0, 128), np.float32)


def at(*values: float, axis: int = 0) -> Rows:
    """Descriptors on one axis: distances between them are differences."""
    rows = np.zeros((len(values), 128), np.float32)
    rows[:, axis] = values
    return rows


def video(swapped: Rows, original: Rows, subject: list[bool] | None = None) -> VideoDescriptors:
    flags = np.ones(len(swapped), bool) if subject is None else np.array(subject)
    return VideoDescriptors(
        swapped=swapped, original=original, subject_swapped=flags, times_s=np.arange(len(flags)) / 25
    )


def find(rows: list[Measurement], metric: str, scope: str = "video 1", of: str = "swapped") -> Measurement:
    (row,) = [row for row in rows if (row.metric, row.of, row.scope) == (f"identity.{metric}", of, scope)]
    return row


def random_rows(count: int, seed: int, shift: float = 0.0) -> Rows:
    return (np.random.default_rng(seed).normal(shift, 0.05, (count, 128))).astype(np.float32)


def test_hand_computed_table() -> None:
    one = video(at(0.8, 1.0, 0.5, 0.9), at(0.0, 0.0, 0.0, 0.0))
    rows = measure_identity([one], at(1.0, 1.2), NO_ROWS)
    assert find(rows, "to_original.mean").value == pytest.approx(0.8)
    assert find(rows, "to_original.sd").value == pytest.approx(np.std([0.8, 1.0, 0.5, 0.9]))
    assert find(rows, "to_original.min").value == pytest.approx(0.5)
    assert find(rows, "to_original.p01").value == pytest.approx(0.5 + 0.03 * 0.3)  # linear between 0.5 and 0.8
    assert find(rows, "to_original.longest_run_below_frames").value == 1
    assert find(rows, "to_average_original.mean").value == pytest.approx(0.8)
    assert find(rows, "to_donor.mean").value == pytest.approx((0.3 + 0.1 + 0.6 + 0.2) / 4)
    assert find(rows, "to_donor.mean", of="original").value == pytest.approx(1.1)
    assert find(rows, "intra_subset.mean").value == pytest.approx((0.0 + 0.2 + 0.3 + 0.1) / 4)
    assert find(rows, "intra_subset.mean", of="original").value == pytest.approx(0.0)
    assert find(rows, "intra_subset.mean", SUBJECT_SCOPE, "donor").value == pytest.approx(0.1)
    assert find(rows, "to_original.mean").detail["frames_below"] == 1


def test_every_identity_metric_in_every_scope_even_without_any_descriptor() -> None:
    elsewhere = (".outside.", ".to_strangers.")  # measured by others
    names = {name for name in METRICS if name.startswith("identity.") and not any(part in name for part in elsewhere)}
    blind = np.full((5, 128), np.nan, np.float32)
    for videos, donor in (
        ([video(random_rows(5, 1), random_rows(5, 2)), video(blind, blind)], random_rows(4, 3)),
        ([video(blind, blind)], NO_ROWS),
    ):
        rows = measure_identity(videos, donor, NO_ROWS)
        for scope in (*(video_scope(number + 1) for number in range(len(videos))), SUBJECT_SCOPE):
            assert {row.metric for row in rows if row.scope == scope and row.of == "swapped"} == names
        assert all(row.not_measured_because is None or row.value is None for row in rows)
    assert all(
        row.value is None
        for row in rows
        if row.of == "swapped" and not row.metric.endswith(("longest_run_below_frames", "seconds_below"))
    )


def test_an_undescribed_swapped_frame_counts_as_below_and_a_concealed_one_ends_the_run() -> None:
    swapped = at(0.9, np.nan, 0.2, 0.9, 0.2, 0.2, 0.2)
    swapped[1] = np.nan
    subject = [True, True, True, True, True, False, True]
    rows = measure_identity([video(swapped, at(*[0.0] * 7), subject)], at(1.0), NO_ROWS)
    run = find(rows, "to_original.longest_run_below_frames")
    assert (run.value, run.sample_size) == (2, 6)
    assert find(rows, "to_original.mean").sample_size == 5
    assert run.detail["frames_without_pair"] == 1


def test_a_video_in_which_nothing_could_be_described_is_one_long_run_below() -> None:
    blind = np.full((4, 128), np.nan, np.float32)
    run = find(measure_identity([video(blind, blind)], at(1.0), NO_ROWS), "to_original.longest_run_below_frames")
    assert run.value == 4


def test_runs_do_not_reach_across_videos_and_an_unswapped_face_fails_every_number() -> None:
    same = random_rows(3, 5)
    rows = measure_identity([video(same, same), video(same, same)], random_rows(3, 6, 1.0), NO_ROWS)
    assert find(rows, "to_original.longest_run_below_frames", SUBJECT_SCOPE).value == 3
    assert find(rows, "to_original.mean", SUBJECT_SCOPE).value == 0
    assert find(rows, "to_gallery.p01").value == pytest.approx(0, abs=1e-6)
    assert find(rows, "roc_auc", SUBJECT_SCOPE).value == 0


def test_the_gallery_is_every_original_of_the_subject_and_strangers_calibrate_it() -> None:
    first = video(at(1.0, 1.0), at(0.0, 0.0))
    second = video(at(5.0, 5.0), at(0.9, 0.9), [False, False])
    rows = measure_identity([first, second], at(3.0, 3.0), at(1.2, 2.0))
    gallery = find(rows, "to_gallery.p01")
    assert gallery.value == pytest.approx(0.1)  # video 1 against an original of video 2
    assert gallery.detail["false_match_rate"] == pytest.approx(0.25)  # 1.2 is 0.3 away, three others are not
    assert gallery.detail["stranger_frames"] == 2
    assert find(rows, "to_gallery.p01", "video 2").value is None
    spread = find(measure_identity([video(at(1.0, 2.0, 3.0), at(0.0, 0.0, 0.0))], at(9.0), NO_ROWS), "to_gallery.p01")
    assert spread.value == pytest.approx(1.02)  # the 1st percentile of 1, 2 and 3, linear
    uncalibrated = find(measure_identity([first], NO_ROWS, NO_ROWS), "to_gallery.p01")
    assert uncalibrated.value is None


def test_nearest_distance_in_blocks_equals_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, gallery = random_rows(53, 7), random_rows(31, 8)
    brute = np.linalg.norm(queries[:, None].astype(float) - gallery[None], axis=2).min(axis=1)
    monkeypatch.setattr(identity, "_BLOCK_ROWS", 9)
    np.testing.assert_allclose(nearest_distance(queries, gallery), brute, atol=1e-9)
    np.testing.assert_allclose(nearest_distance(gallery, gallery), 0, atol=1e-7)
    assert nearest_distance(queries, gallery[:0]).tolist() == [np.inf] * 53
    queries[12, 5] = np.nan
    assert np.flatnonzero(np.isnan(nearest_distance(queries, gallery))).tolist() == [12]
    gallery[3, 0] = np.nan  # whoever leaves one in the gallery learns it from every number
    assert np.isnan(nearest_distance(queries, gallery)).all()


def test_pairs_that_do_not_count_are_left_out_in_every_block(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = random_rows(40, 9)
    every = np.linalg.norm(rows[:, None].astype(float) - rows[None], axis=2)
    apart = np.abs(np.arange(40)[:, None] - np.arange(40)) > 6
    apart[17] = False
    monkeypatch.setattr(identity, "_BLOCK_ROWS", 7)
    found = nearest_distance(rows, rows, allowed=lambda one, other: apart[one, other])
    np.testing.assert_allclose(found, np.where(apart, every, np.inf).min(axis=1), atol=1e-7)
    assert np.isinf(found[17])


def test_memory_does_not_grow_with_the_number_of_distances() -> None:
    rows = np.zeros((6000, 128), np.float32)
    tracemalloc.start()
    nearest_distance(rows, rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6, f"{peak / 1e6:.0f} MB"  # all pairs at once: 288 MB


def test_auc_equals_all_pairs_and_mann_whitney_with_ties() -> None:
    rng = np.random.default_rng(9)
    donor, original = np.round(rng.normal(0.45, 0.1, 80), 2), np.round(rng.normal(0.6, 0.1, 80), 2)
    pairs = (donor[:, None] < original).mean() + 0.5 * (donor[:, None] == original).mean()
    assert auc_nearer(donor, original) == pytest.approx(pairs)
    u = mannwhitneyu(original, donor).statistic
    assert auc_nearer(donor, original) == pytest.approx(u / 6400)
    assert auc_nearer(original, original) == 0.5


def test_the_area_under_the_roc_curve_is_the_auc() -> None:
    swapped = np.random.default_rng(10).normal(0, 0.1, (60, 128)).astype(np.float32)
    curve = roc([video(swapped, at(*[-0.3] * 60))], at(0.3, 0.3))
    assert curve is not None
    area = np.trapezoid if hasattr(np, "trapezoid") else np.trapz
    assert area(curve.within_donor, curve.within_original) == pytest.approx(curve.auc)
    assert (curve.within_donor[0], curve.within_donor[-1], curve.within_original[-1]) == (0, 1, 1)
    assert roc([video(swapped, at(*[0.0] * 60))], NO_ROWS) is None


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="128"):
        VideoDescriptors(swapped=at(1.0), original=at(1.0, 2.0), subject_swapped=np.ones(1, bool), times_s=np.zeros(1))


def test_the_distances_of_single_frames_are_those_behind_the_table() -> None:
    missing = at(np.nan)
    missing[:] = np.nan
    one = video(np.concatenate([at(0.8, 1.0), missing, at(0.9)]), at(0.0, 0.2, 0.2, 0.0), [True, True, True, False])
    other = video(at(0.7), at(0.4))
    first, second = frame_distances([one, other], at(1.0, 1.2), [np.zeros(len(v.times_s)) for v in (one, other)])
    rows = measure_identity([one, other], at(1.0, 1.2), NO_ROWS)
    np.testing.assert_allclose(first.to_original, [0.8, 0.8, np.nan, np.nan], atol=1e-6)
    np.testing.assert_allclose(first.to_gallery, [0.4, 0.6, np.nan, np.nan], atol=1e-6)
    np.testing.assert_allclose(first.to_donor, [0.3, 0.1, np.nan, np.nan], atol=1e-6)
    assert np.nanmean(first.to_average_original) == pytest.approx(find(rows, "to_average_original.mean").value)
    np.testing.assert_allclose(second.to_donor, [0.4], atol=1e-6)
    [alone] = frame_distances([video(at(0.7), missing)], NO_ROWS, [np.zeros(1)])
    for column in (alone.to_original, alone.to_gallery, alone.to_average_original, alone.to_donor):
        assert np.isnan(column).all()


def test_seconds_with_a_frame_below_are_counted_and_bounded_exactly() -> None:
    """Of 12 seconds one holds a frame below the cut and one a frame that could not be described."""
    distances = np.full(12 * 25, 0.8)
    distances[30] = 0.5
    swapped = at(*distances)
    swapped[60] = np.nan
    row = find(measure_identity([video(swapped, at(*np.zeros(300)))], NO_ROWS, NO_ROWS), "to_original.seconds_below")
    assert row.value == pytest.approx(2 / 12)
    assert row.interval is not None and (row.interval.clusters, row.interval.unit) == (12, "seconds")
    exact = binomtest(2, 12).proportion_ci(confidence_level=0.9, method="exact")
    assert (row.interval.low, row.interval.high) == pytest.approx((exact.low, exact.high))
    clean = find(
        measure_identity([video(at(*np.full(250, 0.8)), at(*np.zeros(250)))], NO_ROWS, NO_ROWS),
        "to_original.seconds_below",
    )
    assert clean.value == 0 and clean.interval is not None
    assert clean.interval.high == pytest.approx(1 - 0.05 ** (1 / 10))
