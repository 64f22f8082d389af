"""Long curves with few points: no peak, no gap and no band is lost, and short ones stay as they are."""

import numpy as np
import pytest
from numpy.typing import NDArray

from deid_audit.measure.expression import FaceSignals
from deid_audit.measure.figures import distance_figure, expression_figure, roc_figure
from deid_audit.measure.identity import Roc
from deid_audit.measure.thinning import COLUMNS, MOST_POINTS, columns_of, lowest, stretches, thinned, words

TWO_HOURS = 216_000  # frames at 30 a second
LONG = 40_000  # draws as many points as two hours do


def curve(count: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A walk over uneven times, with single frames and a long stretch without a value."""
    rng = np.random.default_rng(seed)
    y = np.cumsum(rng.normal(size=count))
    y[rng.integers(count, size=count // 50)] = np.nan
    y[count // 3 : count // 2] = np.nan
    return np.cumsum(rng.uniform(0.01, 0.1, count)), y


def test_short_curves_are_drawn_whole() -> None:
    x, y = curve(MOST_POINTS)
    kept = thinned(x, y)
    assert kept[0] is x
    assert kept[1] is y
    assert words(MOST_POINTS) == ""


@pytest.mark.parametrize("count", [MOST_POINTS + 1, 50_000])
def test_every_column_keeps_its_first_lowest_highest_and_last_value(count: int) -> None:
    x, y = curve(count)
    kept_x, kept_y = thinned(x, y)
    assert len(kept_x) <= MOST_POINTS
    assert (np.diff(kept_x) > 0).all()
    column = columns_of(x)
    kept_column = column[np.searchsorted(x, kept_x)]
    for number in range(COLUMNS):
        own, drawn = y[column == number], kept_y[kept_column == number]
        own = own[np.isfinite(own)]
        if len(own):
            assert (own.min(), own.max()) == (drawn.min(), drawn.max())
            assert (own[0], own[-1]) == (drawn[0], drawn[-1])
        elif (column == number).any():
            assert np.isnan(drawn).all()  # the line breaks here
            assert len(drawn) == 1


def test_one_odd_frame_in_two_hours_is_drawn() -> None:
    times = np.arange(TWO_HOURS) / 30
    values = np.full(TWO_HOURS, 0.8)
    values[123_456] = 0.2
    x, y = thinned(times, values)
    assert (x[y.argmin()], y.min()) == (times[123_456], 0.2)
    assert lowest(times, values, values < 0.6)[0].tolist() == [times[123_456]]


def test_of_many_marked_points_the_lowest_in_each_column_is_drawn() -> None:
    times, values = np.arange(9000.0), np.linspace(0.5, 0.4, 9000)
    x, y = lowest(times, values, values < 0.6)
    assert len(x) == COLUMNS
    np.testing.assert_array_equal(x, np.arange(COLUMNS) * 10 + 9)
    assert y.min() == values.min()
    assert len(lowest(times, values, values > 0.6)[0]) == 0


def test_a_curve_of_nothing_has_gaps_only() -> None:
    x, y = thinned(np.arange(9000.0), np.full(9000, np.nan))
    assert len(x) == COLUMNS
    assert np.isnan(y).all()


def test_bands_of_a_short_curve_are_its_runs_and_of_a_long_one_whole_columns() -> None:
    times = np.arange(6) / 10
    assert stretches(times, np.array([0, 1, 1, 0, 0, 1], bool)) == [
        (0.1, pytest.approx(0.3)),
        (0.5, pytest.approx(0.6)),
    ]
    long = np.arange(TWO_HOURS) / 30
    alone = np.zeros(TWO_HOURS, bool)
    alone[100_000] = True
    [(start, stop)] = stretches(long, alone)
    assert start <= long[100_000] < stop
    assert stop - start == pytest.approx(long[-1] / COLUMNS)
    assert len(stretches(long, np.arange(TWO_HOURS) % 2 > 0)) == 1
    assert stretches(np.empty(0), np.empty(0, bool)) == []


def test_long_figures_are_small_and_say_what_they_draw() -> None:
    rng = np.random.default_rng(0)
    times = np.arange(LONG) / 30
    distances = 0.7 + 0.08 * rng.normal(size=LONG)
    signals = [
        FaceSignals(
            **dict.fromkeys(("mouth", "eye", "brow", "yaw", "interocular_px"), rng.normal(size=LONG)),
            head_xy=np.zeros((LONG, 2)),
        )
        for _ in range(2)
    ]
    cuts = np.sort(rng.uniform(0, 1, 2 * LONG))
    figures = (
        distance_figure(1, times, distances, rng.uniform(size=LONG) < 0.05),
        expression_figure(1, times, *signals, np.ones(LONG, bool)),
        roc_figure(Roc(cuts=cuts, within_donor=cuts, within_original=cuts**2, auc=0.9)),
    )
    for figure, most in zip(figures, (400_000, 1_500_000, 200_000), strict=True):
        assert len(figure.data) < most, f"{figure.name}: {len(figure.data)}"
    for figure in figures[:2]:
        assert f"Of its {LONG} frames, each of {COLUMNS} equal stretches of time" in figure.caption
        assert figure.csv is not None
        assert figure.csv.count("\n") == LONG + 1  # the numbers are all there
