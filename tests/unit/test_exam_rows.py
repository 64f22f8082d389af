"""A row for each measure of an exam, in two videos and a null edit."""

import numpy as np
import pytest

from deid_audit.measure.exam import exam_measures
from deid_audit.measure.motion_tracks import MotionTracks
from deid_audit.pipeline.exam_rows import exam_rows, tremor_rows
from tests.unit.exam_tracks import along, sine, times, tracks

AT = times(12)


def trembling(hz: float, px: float, seed: int = 0) -> MotionTracks:
    return tracks(AT, face={-1: along(sine(AT, hz, px), 0)}, seed=seed)


def test_every_measure_has_a_row_and_a_difference_against_the_first() -> None:
    first, second, floor = trembling(5, 3), trembling(6, 3, 1), trembling(5, 3, 2)
    rows = exam_rows(first, second, floor)
    assert [(one.name, one.side) for one in rows] == [(one.name, one.side) for one in exam_measures(first)]
    [frequency] = [one for one in rows if one.name == "head_tremor_frequency"]
    assert frequency.original == pytest.approx(5, abs=0.1) and frequency.released == pytest.approx(6, abs=0.1)
    assert frequency.difference == pytest.approx(1, abs=0.2)
    assert frequency.null_difference == pytest.approx(0, abs=0.1)
    assert (
        frequency.original_interval is not None and frequency.original_interval[0] < 5 < frequency.original_interval[1]
    )
    assert frequency.because == ""


def test_what_one_video_does_not_show_has_no_difference_and_says_whose() -> None:
    rows = exam_rows(trembling(5, 3), tracks(AT, face={}), None)
    [frequency] = [one for one in rows if one.name == "head_tremor_frequency"]
    assert frequency.original is not None and frequency.released is None and frequency.difference is None
    assert frequency.because.startswith("released: ")
    assert all(one.null_difference is None for one in rows)


def test_a_tremor_that_is_kept_a_slower_one_and_one_that_is_smoothed_away() -> None:
    first, floor = trembling(5, 3), trembling(5, 3, 2)

    def of(second: MotionTracks, name: str) -> float | None:
        [one] = [one for one in tremor_rows(first, second, floor) if one.name == f"head_tremor_{name}"]
        assert one.null_edit is None or np.isfinite(one.null_edit)
        return one.value

    assert of(trembling(5, 3, 1), "frequency_difference") == pytest.approx(0, abs=0.05)
    assert of(trembling(5, 3, 1), "power_ratio") == pytest.approx(1, abs=0.1)
    assert of(trembling(5, 1.5, 1), "power_ratio") == pytest.approx(0.25, abs=0.05)
    assert of(trembling(4.5, 3, 1), "frequency_difference") == pytest.approx(-0.5, abs=0.1)
    assert of(tracks(AT, face={}), "frequency_difference") is None
