"""Intervals: against scipy's own bootstrap, by coverage on known data, and the refusal of too few clusters."""

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray

from deid_audit.catalog import METRICS
from deid_audit.findings import Measurement, measured
from deid_audit.measure.intervals import DRAWS, MIN_CLUSTERS, Clusters, bootstrap, clusters_of


def mean_of(values: NDArray[np.float64], clusters: Clusters, draws: int = DRAWS) -> tuple[float, float]:
    interval, because = bootstrap(lambda at: {"mean": float(values[at].mean())}, clusters, draws=draws).of("mean")
    assert interval is not None, because
    return interval.low, interval.high


def test_clusters_of_single_rows_agree_with_scipys_percentile_bootstrap() -> None:
    values = np.random.default_rng(1).gamma(2.0, 1.0, 80)
    alone = Clusters(labels=np.arange(80), unit="people")
    expected = scipy.stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(2)
    ).confidence_interval
    low, high = mean_of(values, alone)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.02)


def test_frames_of_one_second_that_are_alike_count_as_one() -> None:
    """25 copies of each of 40 values: the interval must be that of 40 values, not that of 1000."""
    values = np.random.default_rng(3).normal(0, 1, 40)
    copied, labels = np.repeat(values, 25), np.repeat(np.arange(40), 25)
    whole = mean_of(copied, Clusters(labels=labels, unit="seconds"))
    assert whole == pytest.approx(mean_of(values, Clusters(labels=np.arange(40), unit="seconds")), abs=1e-12)
    naive = mean_of(copied, Clusters(labels=np.arange(1000), unit="seconds"))
    assert naive[1] - naive[0] < 0.3 * (whole[1] - whole[0])


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Seconds with their own level: 95 % intervals of the mean must hold 0 in at least 85 % of 200 data sets."""
    held = 0
    labels = np.repeat(np.arange(20), 5)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        values = rng.normal(0, 1, 20)[labels] + rng.normal(0, 0.2, 100)
        low, high = mean_of(values, Clusters(labels=labels, unit="seconds"), draws=300)
        held += low <= 0 <= high
    assert 170 <= held <= 198


def test_too_few_clusters_are_an_answer() -> None:
    values = np.arange(900.0)
    for count, ok in ((MIN_CLUSTERS - 1, False), (MIN_CLUSTERS, True)):
        clusters = Clusters(labels=np.arange(900) % count, unit="videos")
        interval, because = bootstrap(lambda at: {"mean": float(values[at].mean())}, clusters).of("mean")
        assert (interval is not None) is ok
        assert because == ("" if ok else "9 videos; an interval needs at least 10 clusters")


def test_a_statistic_that_is_often_undefined_has_no_interval() -> None:
    clusters = Clusters(labels=np.arange(12), unit="seconds")
    found = bootstrap(lambda at: {"odd": float("nan") if 3 in at else 1.0, "even": float(at.mean())}, clusters)
    interval, because = found.of("odd")
    assert interval is None and "draws have no value" in because
    assert found.of("even")[0] is not None


def test_the_same_data_give_the_same_interval() -> None:
    values = np.random.default_rng(5).normal(size=100)
    clusters = Clusters(labels=np.arange(100) // 5, unit="seconds")
    assert mean_of(values, clusters) == mean_of(values, clusters)


def test_one_video_is_cut_into_seconds_and_several_are_whole() -> None:
    one = clusters_of([np.array([5.0, 5.5, 5.96, 6.0, 7.2])])
    assert one.unit == "seconds" and one.labels.tolist() == [0, 0, 0, 1, 2]
    two = clusters_of([np.arange(2.0), np.arange(3.0)])
    assert two.unit == "videos" and two.labels.tolist() == [0, 0, 1, 1, 1]


def test_a_metric_that_is_counted_says_why_it_has_no_interval() -> None:
    row = measured("coverage.undecided", "swapped", "video 1", 0, sample_size=200)
    assert row.no_interval_because == METRICS["coverage.undecided"].no_interval != ""


def test_an_interval_and_a_reason_for_none_exclude_each_other() -> None:
    interval = {"low": 0.1, "high": 0.2, "clusters": 12, "unit": "seconds"}
    row = {"metric": "identity.to_original.mean", "of": "swapped", "scope": "video 1", "value": 0.15}
    assert Measurement.model_validate({**row, "interval": interval}).interval is not None
    with pytest.raises(ValueError, match="an interval without a value"):
        Measurement.model_validate({**row, "interval": interval, "no_interval_because": "no"})


def test_draws_one_by_one_are_those_of_one_table() -> None:
    labels = np.repeat(np.arange(23), 2).astype(np.intp)
    seen: list[list[int]] = []

    def statistics(rows: NDArray[np.intp]) -> dict[str, float]:
        seen.append(rows[::2].tolist())
        return {"first": float(rows[0])}

    bootstrap(statistics, Clusters(labels=labels, unit="seconds"), draws=50)
    table = np.random.default_rng(20200207).integers(23, size=(50, 23))
    assert seen[1:] == (2 * table).tolist()  # the first call is for the names
