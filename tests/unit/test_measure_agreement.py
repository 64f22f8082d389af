"""Agreement of readings: by hand, and against scipy, numpy and the published tables of the methods."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from deid_audit.measure.agreement import (
    Equivalence,
    Moments,
    equivalence,
    icc_a1,
    icc_a1_interval,
    limits_of_agreement,
    mean_squares,
    pearson,
)

# Shrout and Fleiss 1979, table 2: six targets, four judges.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], np.float64
)


def pair(first: list[float], second: list[float]) -> Moments:
    return Moments.of(np.stack((np.array(first), np.array(second)), axis=-1))


def test_the_published_table_has_its_published_mean_squares_icc_and_interval() -> None:
    moments = Moments.of(SHROUT_FLEISS)
    found = mean_squares(moments)
    # their table 3: between targets 11.24, between judges 32.49, residual 1.02
    assert [round(float(one), 2) for one in (found.rows, found.columns, found.error)] == [11.24, 32.49, 1.02]
    assert round(float(icc_a1(moments)), 2) == 0.29  # their ICC(2,1)
    interval = icc_a1_interval(moments)
    assert interval is not None
    low, high = interval
    assert (round(low, 3), round(high, 2)) == (0.019, 0.76)  # as psych::ICC in R prints it


def test_icc_by_hand_sees_a_shift_that_correlation_does_not() -> None:
    # rows 0, 2, 4 and one more each: MSR = 8, MSC = 1.5, MSE = 0; 8 / (8 + 2 / 3 * 1.5) = 8 / 9
    shifted = pair([0, 2, 4], [1, 3, 5])
    assert float(icc_a1(shifted)) == pytest.approx(8 / 9)
    assert float(pearson(shifted)) == pytest.approx(1)
    same = pair([0, 2, 4], [0, 2, 4])
    assert float(icc_a1(same)) == 1 and icc_a1_interval(same) == (1, 1)


def test_what_does_not_vary_has_no_correlation_and_no_icc() -> None:
    assert np.isnan(pearson(pair([1, 1, 1], [1, 2, 3])))
    still = pair([1, 1, 1], [1, 1, 1])
    assert np.isnan(icc_a1(still)) and icc_a1_interval(still) is None
    apart = pair([1, 1, 1], [2, 2, 2])
    assert float(icc_a1(apart)) == 0 and icc_a1_interval(apart) is None


def test_correlation_is_scipys_and_blocks_add_up_to_the_whole() -> None:
    generator = np.random.default_rng(0)
    first = generator.normal(size=60)
    second = 0.7 * first + generator.normal(size=60)
    readings = np.stack((first, second), axis=-1)
    readings[7, 1] = np.nan  # a row that one side did not see
    known = np.isfinite(readings).all(axis=1)
    blocks = Moments.in_blocks(readings, np.arange(60) // 10, 6)
    assert blocks.count.tolist() == [9, 10, 10, 10, 10, 10]
    whole = blocks.weighted(np.ones(6))
    assert float(pearson(whole)) == pytest.approx(stats.pearsonr(*readings[known].T).statistic)
    twice = blocks.weighted(np.array([2.0, 0, 1, 1, 1, 1]))
    drawn = np.concatenate((readings[:10], readings[:10], readings[20:]))
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    assert float(pearson(twice)) == pytest.approx(stats.pearsonr(*drawn.T).statistic)


def test_limits_of_agreement_by_hand() -> None:
    # differences 1, 2, 3: mean 2, standard deviation 1
    limits = limits_of_agreement(pair([0, 0, 0], [1, 2, 3]))
    assert (limits.bias, limits.low, limits.high) == pytest.approx((2, 2 - 1.96, 2 + 1.96))
    assert np.isnan(limits_of_agreement(pair([0], [1])).low)


def test_equivalence_is_two_one_sided_t_tests() -> None:
    means = np.random.default_rng(1).normal(0.3, 1, size=24)
    found = equivalence(means, 1.0)
    assert isinstance(found, Equivalence)
    above = stats.ttest_1samp(means, -1.0, alternative="greater")
    below = stats.ttest_1samp(means, 1.0, alternative="less")
    assert found.p == pytest.approx(max(above.pvalue, below.pvalue))
    interval: Any = stats.ttest_1samp(means, 0).confidence_interval(0.90)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.shown == (interval.low > -1 and interval.high < 1) and found.blocks == 24


def test_equivalence_by_hand() -> None:
    # ten blocks, five of 0 and five of 2: mean 1, sd 1.0541, error 1/3; (4 - 1) / (1/3) = 9 with 9 degrees of freedom
    means = np.array([0.0, 2.0] * 5)
    found = equivalence(means, 4.0)
    assert isinstance(found, Equivalence)
    assert (found.mean, found.p) == pytest.approx((1, float(stats.t.sf(9, 9))))
    assert found.shown
    wide = equivalence(means, 1.2)
    assert isinstance(wide, Equivalence) and not wide.shown  # inside on average, not surely


def test_few_seconds_show_no_equivalence_and_a_constant_shift_is_judged_as_it_is() -> None:
    assert equivalence(np.zeros(9), 1.0) == "9 seconds; equivalence needs at least 10"
    assert equivalence(np.array([np.nan] * 5 + [0.0] * 9), 1.0) == "9 seconds; equivalence needs at least 10"
    for shift, shown in ((0.5, True), (1.0, False), (2.0, False)):
        found = equivalence(np.full(12, shift), 1.0)
        assert isinstance(found, Equivalence) and found.shown is shown
