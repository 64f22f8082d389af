"""The gallery match on made descriptors: each planted match, each calibration that cannot be had, cuts by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from deid_audit.findings import Measurement
from deid_audit.measure.gallery import (
    WIDEST_CUT,
    calibrate,
    distances_apart,
    matching_frames,
    measure_gallery,
)
from deid_audit.measure.identity import VideoDescriptors, original_rows

Rows = NDArray[np.float32]
NO_ROWS = np.empty((0, 128), np.float32)
N = 100


def at(values: NDArray[np.float64] | list[float]) -> Rows:
    """Descriptors on one axis: distances between them are differences."""
    rows = np.zeros((len(values), 128), np.float32)
    rows[:, 0] = values
    return rows


def video(swapped: Rows | None = None, original: Rows | None = None, others: Rows = NO_ROWS) -> VideoDescriptors:
    """Four seconds whose originals stand at 0 and whose swapped faces stand at 1."""
    return VideoDescriptors(
        swapped=at([1.0] * N) if swapped is None else swapped,
        original=at([0.0] * N) if original is None else original,
        subject_swapped=np.ones(N, bool),
        times_s=np.arange(N) / 25,
        others=others,
        other_frames=np.arange(len(others), dtype=np.intp),
    )


FAR = at(np.linspace(0.9, 1.1, 400))


def matches(one: VideoDescriptors, donor: Rows = FAR, strangers: Rows = NO_ROWS) -> Measurement:
    [row] = measure_gallery([one], donor, strangers)
    return row


def test_a_release_far_from_every_original_has_no_match() -> None:
    row = matches(video())
    assert (row.value, row.sample_size) == (0, N)
    expected = {"cut": WIDEST_CUT, "false_match_rate": 0, "true_match_rate": 1, "stranger_faces": 400, "nearest": 1}
    assert {name: row.detail[name] for name in expected} == pytest.approx(expected)


def test_a_swapped_face_that_matches_an_original_of_another_frame_counts() -> None:
    originals, swapped = at([0.0] * N), at([1.0] * N)
    originals[80:, 0] = 0.3
    swapped[10, 0] = 0.85  # 0.85 from its own frame's original, 0.55 from the last ones
    row = matches(video(swapped, originals))
    assert row.value == 1


def test_a_face_that_nobody_accounted_for_counts_too() -> None:
    assert matches(video(others=at([0.1, 2.0]))).value == 1
    undescribed = np.full((1, 128), np.nan, np.float32)
    row = matches(video(others=undescribed))
    assert (row.value, row.detail["other_faces_undescribed"]) == (0, 1)


def test_the_cut_sinks_below_strangers_who_come_near() -> None:
    near = at(np.linspace(0.5, 0.9, 401))
    cut = calibrate([video()], near, NO_ROWS)
    # 1st percentile 0.504, 5th 0.52: 2.46 times their gap lower
    assert cut.cut == pytest.approx(0.504 - 2.46 * 0.016, abs=1e-6)
    assert cut.false_match_rate == 0
    assert calibrate([video()], FAR, near).cut == pytest.approx(cut.cut), "a bystander counts as the donor does"
    assert matches(video(others=at([0.48])), near).value == 0 and matches(video(others=at([0.48])), FAR).value == 1


def test_strangers_like_the_subject_leave_no_cut_and_that_is_a_gap() -> None:
    moving = at(np.linspace(0.0, 6.0, N))  # the subject's own originals, a second apart, are 1.5 apart
    row = matches(video(at([50.0] * N), moving), at(np.linspace(10.0, 10.2, 400)))
    assert row.value is None and not row.absent
    assert "only 0% of the subject's own originals match" in (row.not_measured_because or "")


@pytest.mark.parametrize("count", [0, 19])
def test_too_few_other_people_are_no_finding_and_no_gap(count: int) -> None:
    row = matches(video(), FAR[:count])
    assert row.value is None and row.absent
    assert matches(video(), FAR[:20]).value == 0


def test_without_originals_or_over_less_than_a_second_nothing_is_known() -> None:
    blind = np.full((N, 128), np.nan, np.float32)
    assert matches(video(original=blind)).value is None
    assert not matches(video(original=blind)).absent
    short = blind.copy()
    short[:20] = 0
    row = matches(video(original=short))
    assert row.value is None and not row.absent


def test_own_originals_are_compared_across_time_and_videos_only() -> None:
    assert distances_apart([video(original=at(np.arange(N) / 100))]) == pytest.approx(
        np.full(N, 0.26), abs=0.0101
    )  # a second is 25 frames
    alone = np.full((N, 128), np.nan, np.float32)
    alone[0] = 0
    other = alone.copy()
    other[0, 0] = 0.4
    assert len(distances_apart([video(original=alone)])) == 0
    assert distances_apart([video(original=alone), video(original=other)]) == pytest.approx([0.4, 0.4])


def test_the_matching_frames_are_named() -> None:
    one = video(others=at([2.0, 2.0, 0.1]))
    one.swapped[7, 0] = 0.5
    cut = calibrate([one], FAR, NO_ROWS)
    within = matching_frames(one, original_rows([one]), cut)
    assert np.flatnonzero(within > 0).tolist() == [2, 7]
    assert within[7] == pytest.approx(WIDEST_CUT - 0.5)
    unusable = calibrate([one], NO_ROWS, NO_ROWS)
    assert np.isnan(matching_frames(one, original_rows([one]), unusable)).all()
