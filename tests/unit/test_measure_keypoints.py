"""Keypoints against hand-computed OKS, pycocotools' own computeOks, and pycocotools on files in COCO's format."""

import contextlib
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from deid_audit.findings import Measurement, Of
from deid_audit.measure.intervals import clusters_of
from deid_audit.measure.keypoint_intervals import evaluate_frames, keypoint_bounds
from deid_audit.measure.keypoints import (
    COCO_SIGMAS,
    KEYPOINT_NAMES,
    METHOD_TEXT,
    OKS_CUT,
    OKS_METRICS,
    PoseTrack,
    keypoint_similarity,
    measure_keypoints,
    oks,
    oks_per_frame,
    pool,
)
from deid_audit.vision.keypoint_detectors import MEDIAPIPE

CONTROLS: tuple[Of, ...] = ("swapped", "masked", "blurred", "pixelated", "reencoded")
AREA = 60_000.0


def points(count: int, seed: int = 0, visibility: float | None = None) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    table = np.dstack((rng.uniform(100, 500, (count, 17, 2)), rng.uniform(0.2, 1, (count, 17))))
    if visibility is not None:
        table[:, :, 2] = visibility
    return table.astype(np.float32)


def track(keypoints: NDArray[np.float32], area: float = AREA) -> PoseTrack:
    return PoseTrack(keypoints=keypoints, area=np.full(len(keypoints), area, np.float32))


def moved(keypoints: NDArray[np.float32], px: float, seed: int = 1) -> NDArray[np.float32]:
    shift = np.random.default_rng(seed).normal(0, px, (*keypoints.shape[:2], 2))
    out = keypoints.copy()
    out[:, :, :2] += shift.astype(np.float32)
    return out


def keypoint_rows(original: PoseTrack, others: Mapping[Of, PoseTrack], scope: str) -> list[Measurement]:
    return measure_keypoints(original, others, scope, clusters_of([np.arange(len(original.area)) / 25]))


def value(rows: list[Measurement], name: str, of: str = "swapped") -> float:
    (row,) = [row for row in rows if row.metric == f"keypoints.{name}" and row.of == of]
    assert row.value is not None
    return row.value


def test_one_keypoint_off_by_kappa_times_the_root_of_the_area_scores_exp_minus_half() -> None:
    truth = points(1, visibility=1.0)[0]
    shifted = truth.copy()
    shifted[9, 0] += 2 * COCO_SIGMAS[9] * np.sqrt(AREA)
    assert oks(truth, shifted, AREA) == pytest.approx((16 + np.exp(-0.5)) / 17, abs=1e-6)
    assert oks(truth, np.full((17, 3), np.nan, np.float32), AREA) == 0


def test_only_keypoints_visible_in_the_original_count() -> None:
    truth = points(1, visibility=1.0)[0]
    truth[5:, 2] = 0.49
    shifted = truth.copy()
    shifted[5:, :2] += 1000
    assert oks(truth, shifted, AREA) == 1.0
    truth[:, 2] = 0.0
    assert np.isnan(oks(truth, shifted, AREA))


def test_oks_equals_pycocotools_compute_oks() -> None:
    """The ground truth and the loading of results are pycocotools' own, unlike in the module under test."""
    truth, area = points(30), np.linspace(400, 90_000, 30, dtype=np.float32)
    seen = moved(truth, 12)
    images = [{"id": index} for index in range(30)]
    annotations, results = [], []
    for index in range(30):
        flags = np.where(truth[index, :, 2] >= 0.5, 2, 0)
        annotations.append(
            {
                "id": index + 1,
                "image_id": index,
                "category_id": 1,
                "iscrowd": 0,
                "area": float(area[index]),
                "bbox": [0, 0, 600, 600],
                "num_keypoints": int((flags > 0).sum()),
                "keypoints": np.column_stack((truth[index, :, :2], flags)).ravel().tolist(),
            }
        )
        flat = seen[index].astype(float).ravel().tolist()
        results.append({"image_id": index, "category_id": 1, "keypoints": flat, "score": 1.0})
    with contextlib.redirect_stdout(io.StringIO()):
        ground = COCO()
        ground.dataset = {"images": images, "categories": [{"id": 1}], "annotations": annotations, "info": {}}
        ground.createIndex()
        evaluator = COCOeval(ground, ground.loadRes(results), "keypoints")
        evaluator.evaluate()
    theirs = [evaluator.ious[index, 1][0, 0] for index in range(30)]
    ours = oks_per_frame(PoseTrack(keypoints=truth, area=area), track(seen))
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_a_perfect_match_is_one_everywhere_and_every_metric_is_there() -> None:
    original = track(points(12))
    rows = keypoint_rows(original, dict.fromkeys(CONTROLS, original), "video 1")
    names = set(OKS_METRICS)
    for of in CONTROLS:
        assert {row.metric for row in rows if row.of == of} == names
    assert {row.value for row in rows} == {1.0}
    assert {row.sample_size for row in rows} == {12}


def test_the_null_edit_is_the_noise_floor_of_all_the_others() -> None:
    truth = points(20, visibility=1.0)
    others: dict[Of, PoseTrack] = {"swapped": track(moved(truth, 1)), "reencoded": track(moved(truth, 30))}
    rows = keypoint_rows(track(truth), others, "video 1")
    floors = {row.metric: row.noise_floor for row in rows if row.of == "swapped"}
    assert floors == {row.metric: row.value for row in rows if row.of == "reencoded"}
    assert all(row.noise_floor is None for row in rows if row.of == "reencoded")
    assert value(rows, "oks_ge_95") == 1.0
    assert value(rows, "oks_ge_95", "reencoded") < 0.1
    assert value(rows, "ap95", "reencoded") < 0.1


def test_a_lost_person_counts_zero_and_frames_without_anybody_do_not_count() -> None:
    truth = points(10, visibility=1.0)
    truth[8:] = np.nan
    seen = truth.copy()
    seen[:2] = np.nan
    rows = keypoint_rows(track(truth), {"swapped": track(seen)}, "video 1")
    assert value(rows, "oks_ge_95") == pytest.approx(0.75)
    assert value(rows, "ar95") == pytest.approx(0.75)
    assert value(rows, "ar") == pytest.approx(0.75)
    assert {row.sample_size for row in rows} == {8}
    assert rows[0].detail["frames_lost"] == 2


def test_ap_falls_with_a_person_the_original_does_not_show() -> None:
    truth = points(10, visibility=1.0)
    truth[:5] = np.nan
    seen = points(10, visibility=1.0)
    rows = keypoint_rows(track(truth), {"swapped": track(seen)}, "video 1")
    assert value(rows, "ar95") == 1.0
    assert value(rows, "ap95") < 1.0


def test_everybody_lost_is_zero_not_an_error() -> None:
    truth = points(6, visibility=1.0)
    rows = keypoint_rows(track(truth), {"masked": track(np.full_like(truth, np.nan))}, "video 1")
    assert {row.value for row in rows} == {0.0}


def test_small_people_are_not_dropped() -> None:
    truth = points(6, visibility=1.0)
    rows = keypoint_rows(track(truth, 300.0), {"swapped": track(truth, 300.0)}, "video 1")
    assert {row.value for row in rows} == {1.0}


def test_a_frame_without_a_person_mask_scores_zero_when_anything_moved() -> None:
    truth = points(4, visibility=1.0)
    rows = keypoint_rows(track(truth, np.nan), {"swapped": track(moved(truth, 1), np.nan)}, "video 1")
    assert value(rows, "oks_ge_95") == 0.0
    assert value(rows, "ap50") == 0.0


def test_nobody_in_the_original_is_a_gap() -> None:
    nobody = track(np.full((5, 17, 3), np.nan, np.float32), np.nan)
    rows = keypoint_rows(nobody, {"swapped": track(points(5))}, "video 1")
    assert {row.metric for row in rows} == set(OKS_METRICS)
    assert all(row.value is None and not row.absent and row.not_measured_because for row in rows)


def test_pooling_counts_every_video_frame_once() -> None:
    good, bad = points(6, visibility=1.0), points(2, seed=3, visibility=1.0)
    original = pool([track(good), track(bad)])
    released = pool([track(good), track(moved(bad, 200))])
    rows = keypoint_rows(original, {"swapped": released}, "subject")
    assert value(rows, "oks_ge_95") == 0.75
    assert rows[0].sample_size == 8


def test_single_keypoint_similarity_and_unequal_lengths() -> None:
    truth = points(3, visibility=1.0)
    truth[0, 4, 2] = 0.1
    shifted = truth.copy()
    shifted[:, 0, 1] += 2 * COCO_SIGMAS[0] * np.sqrt(AREA) * np.sqrt(2)
    similarity = keypoint_similarity(track(truth), track(shifted))
    np.testing.assert_allclose(similarity[:, 0], np.exp(-1), rtol=1e-4)
    np.testing.assert_allclose(similarity[:, 1], 1)
    assert np.isnan(similarity[0, 4])
    with pytest.raises(ValueError, match="same number"):
        keypoint_similarity(track(truth), track(points(2)))


@pytest.mark.parametrize("seed", range(5))
def test_official_files_evaluated_by_pycocotools_alone_give_the_same_numbers(tmp_path: Path, seed: int) -> None:
    """Files as COCO has them, read by pycocotools itself; only the area range is ours."""
    rng = np.random.default_rng(seed)
    truth, area = points(40, seed), rng.uniform(900, 90_000, 40).astype(np.float32)
    seen = moved(truth, 9, seed + 1)
    truth[rng.choice(40, 4, replace=False)] = np.nan
    seen[rng.choice(40, 4, replace=False)] = np.nan
    known, found = (np.flatnonzero(np.isfinite(one).all(axis=(1, 2))) for one in (truth, seen))
    ground = {
        "images": [{"id": 1000 + at, "width": 640, "height": 640, "file_name": f"{at:012d}.jpg"} for at in range(40)],
        "categories": [{"id": 1, "name": "person", "keypoints": list(KEYPOINT_NAMES), "skeleton": []}],
        "annotations": [coco_annotation(truth[at], int(at), float(area[at])) for at in known],
        "info": {"description": "made by code"},
        "licenses": [],
    }
    results = [
        {
            "image_id": 1000 + int(at),
            "category_id": 1,
            "keypoints": seen[at].astype(float).ravel().tolist(),
            "score": float(seen[at, :, 2].astype(float).mean()),
        }
        for at in found
    ]
    (tmp_path / "person_keypoints_val.json").write_text(json.dumps(ground))
    (tmp_path / "results.json").write_text(json.dumps(results))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(tmp_path / "person_keypoints_val.json"))
        evaluator = COCOeval(coco, coco.loadRes(str(tmp_path / "results.json")), "keypoints")
        evaluator.params.areaRng, evaluator.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluator.evaluate()
        evaluator.accumulate()
    original, other = PoseTrack(keypoints=truth, area=area), PoseTrack(keypoints=seen, area=area)
    ours = oks_per_frame(original, other)
    both = [at for at in known if at in set(found)]
    theirs = [evaluator.ious[1000 + int(at), 1][0, 0] for at in both]
    np.testing.assert_allclose(ours[both], theirs, rtol=0, atol=1e-9)
    rows = keypoint_rows(original, {"swapped": other}, "video 1")
    precision, recall = evaluator.eval["precision"][:, :, 0, 0, 0], evaluator.eval["recall"][:, 0, 0, 0]
    for suffix, cut in (("", slice(None)), ("50", 0), ("75", 5), ("95", 9)):
        assert value(rows, f"ap{suffix}") == pytest.approx(precision[cut].mean(), abs=1e-9)
        assert value(rows, f"ar{suffix}") == pytest.approx(recall[cut].mean(), abs=1e-9)
    assert 0 < value(rows, "ap") < 1  # not a comparison of ones


def coco_annotation(keypoints: NDArray[np.float32], at: int, area: float) -> dict[str, Any]:
    flags = np.where(keypoints[:, 2] >= 0.5, 2, 0)
    low, high = keypoints[:, :2].min(axis=0).astype(float), keypoints[:, :2].max(axis=0).astype(float)
    return {
        "id": 500 + at,
        "image_id": 1000 + at,
        "category_id": 1,
        "iscrowd": 0,
        "area": area,
        "bbox": [*low, *(high - low)],
        "num_keypoints": int((flags > 0).sum()),
        "keypoints": np.column_stack((keypoints[:, :2].astype(float), flags)).ravel().tolist(),
        "segmentation": [],
    }


def test_a_single_keypoint_that_is_not_found_scores_zero_and_the_rest_counts() -> None:
    truth = points(6, visibility=1.0)
    truth[:, 4, :2] = 0.5  # in the corner, where a point "0, 0" would pass for found
    seen = truth.copy()
    seen[:, 4] = (np.nan, np.nan, 0)
    np.testing.assert_allclose(oks_per_frame(track(truth), track(seen)), 16 / 17)
    rows = keypoint_rows(track(truth), {"swapped": track(seen)}, "video 1")
    assert value(rows, "ar75") == 1.0 and value(rows, "ar95") == 0.0
    assert value(rows, "oks_ge_95") == 0.0 and rows[0].detail["frames_lost"] == 0


def test_the_detectors_cut_and_its_way_to_the_area_stand_in_the_method() -> None:
    dim = track(points(4, visibility=0.4))
    rows = keypoint_rows(dim, {"swapped": dim}, "video 1")
    assert all(row.value is None for row in rows)
    traits = replace(MEDIAPIPE, visible_cut=0.3, method="another; area: 0.53 times a box")
    seen = pool([replace(dim, traits=traits)] * 2)
    rows = keypoint_rows(seen, {"swapped": seen}, "video 1")
    assert {row.value for row in rows} == {1.0} and rows[0].sample_size == 8
    assert rows[0].detail["visibility_cut"] == 0.3
    assert "0.53 times a box" in rows[0].method and "score: mean visibility" in rows[0].method


def test_the_stage_says_kappa_area_score_and_what_is_lost() -> None:
    for said in ("kappa = 2 sigma", "original's area", "mean visibility of the 17 keypoints as the score", "counts 0"):
        assert said in METHOD_TEXT
    assert "person mask is the area" in MEDIAPIPE.text and "visibility 0.5" in MEDIAPIPE.text


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    original = track(points(3))
    keypoint_rows(original, {"swapped": original}, "video 1")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("seed", range(4))
def test_the_sums_for_intervals_are_pycocotools_on_any_drawn_frames(seed: int) -> None:
    """A frame drawn twice is two frames: pycocotools on the drawn tracks must say what the sums say of the rows."""
    rng = np.random.default_rng(seed)
    truth = points(60, seed, visibility=1.0)
    seen = moved(truth, 12.0, seed + 10)
    seen[:, :, 2] = rng.uniform(0.3, 1, (60, 17))
    truth[rng.choice(60, 5, replace=False)] = np.nan  # nobody there, but somebody is found: a false positive
    seen[rng.choice(60, 8, replace=False)] = np.nan
    original, released = track(truth), track(seen)
    rows = rng.integers(60, size=80)
    drawn = keypoint_rows(track(truth[rows]), {"swapped": track(seen[rows])}, "video 1")
    scores = np.where(released.found, seen[:, :, 2].astype(np.float64).mean(axis=1), np.nan)
    own = evaluate_frames(oks_per_frame(original, released), scores, rows, oks_cut=OKS_CUT)
    for name, number in own.items():
        assert number == pytest.approx(value(drawn, name), abs=1e-9), name


def test_intervals_of_keypoints_hold_the_value_and_are_refused_where_the_sums_disagree() -> None:
    truth = points(400, visibility=1.0)
    seen = moved(truth, 6.0)
    rows = {row.metric: row for row in keypoint_rows(track(truth), {"swapped": track(seen)}, "video 1")}
    for row in rows.values():
        assert row.interval is not None and row.value is not None, row.metric
        assert row.interval.low <= row.value + 1e-9 and row.value - 1e-9 <= row.interval.high
        assert (row.interval.clusters, row.interval.unit) == (16, "seconds")
    spread = rows["keypoints.oks_ge_95"].interval
    assert spread is not None and spread.high - spread.low > 0.01
    oks_values, scores = oks_per_frame(track(truth), track(seen)), seen[:, :, 2].astype(np.float64).mean(axis=1)
    wrong = {row.metric.removeprefix("keypoints."): float(row.value or 0) for row in rows.values()} | {"ap": 0.123}
    bounds = keypoint_bounds(oks_values, scores, clusters_of([np.arange(400) / 25]), oks_cut=OKS_CUT, values=wrong)
    assert bounds.of("ap95") == (None, "the frames' own sums do not give pycocotools' ap")
