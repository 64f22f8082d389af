"""Keypoint errors by hand, against scipy's distances and numpy's percentiles, and where there is nothing to measure."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from deid_audit.findings import Measurement, Of
from deid_audit.measure.keypoint_errors import (
    METRIC_NAMES,
    interocular_px,
    keypoint_errors_px,
    keypoints_not_measured,
    measure_keypoint_errors,
    torso_px,
)
from deid_audit.measure.keypoints import KEYPOINT_NAMES, OKS_METRICS, PoseTrack
from deid_audit.vision.keypoint_detectors import MEDIAPIPE
from tests.unit.openpose_files import standing

HEAD = 40.0
TORSO = 2.5 * HEAD  # of `standing`: shoulders 1 head below the face's centre, hips 3.5
EYES = 0.4 * HEAD


def track(people: list[NDArray[np.float32]]) -> PoseTrack:
    return PoseTrack(keypoints=np.stack(people), area=np.full(len(people), 1e4, np.float32))


def lost() -> NDArray[np.float32]:
    return np.full((17, 3), np.nan, np.float32)


def moved(person: NDArray[np.float32], point: int, dx: float, dy: float) -> NDArray[np.float32]:
    out = person.copy()
    out[point, :2] += (dx, dy)
    return out


def row(rows: list[Measurement], name: str, of: str = "swapped") -> Measurement:
    (found,) = [one for one in rows if one.metric == f"keypoints.{name}" and one.of == of]
    return found


def test_one_wrist_off_by_three_and_four_px_by_hand() -> None:
    original = track([standing(), standing()])
    other = track([moved(standing(), 9, 3, 4), moved(standing(), 9, 30, 40)])
    rows = measure_keypoint_errors(original, {"swapped": other}, "video 1")
    assert {one.metric for one in rows} == set(METRIC_NAMES)
    px = row(rows, "error_px.median")
    assert px.value == 0 and px.sample_size == 2  # 32 of 34 keypoints stand still
    assert px.detail["left wrist"] == pytest.approx((5 + 50) / 2)
    assert set(px.detail) == set(KEYPOINT_NAMES) and px.detail["nose"] == 0
    p95 = row(rows, "error_px.p95")
    # numpy's linear percentile of 34 values: 0.95 * 33 = 31.35, so 35 % of the way from the 32nd (0) to the 33rd (5)
    assert p95.value == pytest.approx(0.35 * 5)
    assert p95.detail["left wrist"] == pytest.approx(5 + 0.95 * 45)
    assert row(rows, "error_torso.median").detail["left wrist"] == pytest.approx(100 * 27.5 / TORSO)
    assert row(rows, "error_interocular.median").detail["left wrist"] == pytest.approx(100 * 27.5 / EYES, rel=1e-4)


def test_the_errors_are_scipys_distances_and_the_statistics_numpys() -> None:
    rng = np.random.default_rng(0)
    people = [standing(x) for x in (200, 220, 260)]
    other = [(one + np.column_stack((rng.normal(0, 4, (17, 2)), np.zeros(17)))).astype(np.float32) for one in people]
    theirs = np.stack([np.diag(cdist(a[:, :2], b[:, :2])) for a, b in zip(people, other, strict=True)])
    np.testing.assert_allclose(keypoint_errors_px(track(people), track(other)), theirs, rtol=1e-12)
    rows = measure_keypoint_errors(track(people), {"swapped": track(other)}, "video 1")
    for statistic, percent in (("median", 50), ("p95", 95)):
        assert row(rows, f"error_px.{statistic}").value == pytest.approx(np.quantile(theirs, percent / 100), rel=1e-12)
        assert row(rows, f"error_torso.{statistic}").value == pytest.approx(np.quantile(theirs, percent / 100))
        for at, name in enumerate(KEYPOINT_NAMES):
            assert row(rows, f"error_px.{statistic}").detail[name] == pytest.approx(
                np.quantile(theirs[:, at], percent / 100)
            )


def test_torso_and_eyes_by_hand_and_only_where_they_are_visible() -> None:
    hidden_hip, hidden_eye, on_edge = standing(), standing(), standing()
    hidden_hip[12, 2] = hidden_eye[2, 2] = 0.49
    on_edge[1, :2] = on_edge[2, :2] + 0.5  # a head in profile: no distance to divide by
    seen = track([standing(), hidden_hip, hidden_eye, on_edge])
    np.testing.assert_allclose(torso_px(seen), [TORSO, np.nan, TORSO, TORSO], rtol=1e-5)
    np.testing.assert_allclose(interocular_px(seen), [EYES, EYES, np.nan, np.nan], rtol=1e-5)


def test_hidden_in_the_original_or_not_found_in_the_other_is_no_error() -> None:
    hidden, without = standing(), moved(standing(), 9, 300, 0)
    hidden[9, 2] = 0.1
    without[10, :2] = np.nan
    errors = keypoint_errors_px(track([hidden, standing()]), track([without, lost()]))
    assert np.isnan(errors[0, [9, 10]]).all() and np.isnan(errors[1]).all()
    assert (errors[0, :9] == 0).all()


def test_a_close_up_has_no_torso_and_that_is_a_finding() -> None:
    close_up = standing()
    close_up[11:, 2] = 0.2
    rows = measure_keypoint_errors(track([close_up]), {"swapped": track([close_up])}, "video 1")
    torso = row(rows, "error_torso.median")
    assert torso.value is None and torso.absent and "hips" in str(torso.not_measured_because)
    assert row(rows, "error_px.median").value == 0
    no_eyes = close_up.copy()
    no_eyes[1, 2] = 0
    rows = measure_keypoint_errors(track([no_eyes]), {"swapped": track([no_eyes])}, "video 1")
    assert row(rows, "error_interocular.p95").absent


def test_the_change_of_the_detection_rate_by_hand() -> None:
    original = track([standing(), standing(), standing(), lost()])
    half = standing()
    half[9, 2] = 0.2
    rows = measure_keypoint_errors(original, {"swapped": track([half, lost(), standing(), lost()])}, "video 1")
    change = row(rows, "detection_change")
    assert change.value == pytest.approx(2 / 4 - 3 / 4) and change.sample_size == 4
    assert change.detail["original"] == 0.75
    assert change.detail["left wrist"] == pytest.approx(1 / 4 - 3 / 4)
    assert change.detail["nose"] == pytest.approx(-0.25)


def test_a_person_that_only_the_release_shows_raises_the_rate() -> None:
    rows = measure_keypoint_errors(track([standing(), lost()]), {"swapped": track([standing()] * 2)}, "video 1")
    assert row(rows, "detection_change").value == 0.5


def test_the_null_edit_is_the_noise_floor_whatever_the_order() -> None:
    original = track([standing()] * 3)
    others: dict[Of, PoseTrack] = {
        "swapped": track([standing(203)] * 3),
        "reencoded": track([standing(201)] * 3),
    }
    rows = measure_keypoint_errors(original, others, "video 1")
    assert row(rows, "error_px.median").value == pytest.approx(3)
    assert row(rows, "error_px.median").noise_floor == pytest.approx(1)
    assert row(rows, "error_px.median", "reencoded").noise_floor is None
    assert row(rows, "detection_change").noise_floor == 0


def test_nobody_and_nobody_left_are_gaps() -> None:
    rows = measure_keypoint_errors(track([lost()]), {"swapped": track([standing()])}, "video 1")
    assert {one.metric for one in rows} == set(METRIC_NAMES)
    assert all(one.value is None and not one.absent for one in rows)
    rows = measure_keypoint_errors(track([standing()]), {"masked": track([lost()])}, "video 1")
    assert row(rows, "error_px.p95", "masked").value is None
    assert row(rows, "detection_change", "masked").value == -1


def test_the_detectors_own_cut_decides_what_is_visible() -> None:
    dim = track([standing(confidence=0.4)])
    assert not dim.visible.any()
    seen = replace(dim, traits=replace(MEDIAPIPE, visible_cut=0.3, method="another detector"))
    rows = measure_keypoint_errors(seen, {"swapped": seen}, "video 1")
    assert row(rows, "error_px.median").value == 0
    assert "another detector" in row(rows, "error_px.median").method


def test_a_rendition_that_the_detector_knows_nothing_of_is_a_gap_in_every_metric() -> None:
    rows = keypoints_not_measured("masked", "video 1", "no files of it")
    assert {one.metric for one in rows} == {*OKS_METRICS, *METRIC_NAMES}
    assert {one.not_measured_because for one in rows} == {"no files of it"}
