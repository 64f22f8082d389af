"""Released keypoints: pycocotools loads them, they are the measured ones, and what was not found is no number."""

import contextlib
import csv
import io
import json

import numpy as np
from pycocotools.coco import COCO

from deid_audit.measure.keypoint_files import coco_lines, csv_rows
from deid_audit.measure.keypoints import KEYPOINT_NAMES, PoseTrack

TIMES = (0.0, 0.04, 0.08)


def track() -> PoseTrack:
    """Frame 0 whole; in frame 1 one point unsure and one not found; frame 2 without a person."""
    points = np.empty((3, 17, 3), np.float32)
    points[:, :, 0] = 10 + np.arange(17)
    points[:, :, 1] = 20 + 2 * np.arange(17)
    points[:, :, 2] = 0.9
    points[1, 9, 2] = 0.2
    points[1, 10, :2] = np.nan
    points[2] = np.nan
    return PoseTrack(keypoints=points, area=np.array([500, np.nan, np.nan], np.float32))


def loaded() -> COCO:
    data = COCO()
    data.dataset = json.loads("".join(coco_lines(track(), TIMES, name="case-01-01.mp4", size=(96, 64))))
    with contextlib.redirect_stdout(io.StringIO()):
        data.createIndex()
    return data


def test_pycocotools_reads_an_image_a_frame_and_an_annotation_a_person() -> None:
    data = loaded()
    assert [data.imgs[number]["time_s"] for number in (1, 2, 3)] == list(TIMES)
    assert {(one["width"], one["height"], one["file_name"]) for one in data.imgs.values()} == {
        (96, 64, "case-01-01.mp4")
    }
    assert data.getAnnIds(imgIds=[3]) == [] and len(data.getAnnIds()) == 2
    [person] = data.loadCats(data.getCatIds())
    assert person["keypoints"] == [name.replace(" ", "_") for name in KEYPOINT_NAMES]
    named = [{person["keypoints"][at - 1] for at in pair} for pair in person["skeleton"]]
    assert {"left_knee", "left_ankle"} in named and {"left_knee", "right_ankle"} not in named and len(named) == 19


def test_flags_boxes_and_areas_by_hand() -> None:
    whole, part = loaded().loadAnns([1, 2])
    assert whole["num_keypoints"] == 17 and whole["keypoints"][:6] == [10, 20, 2, 11, 22, 2]
    assert whole["bbox"] == [10, 20, 16, 32] and whole["area"] == 500 and whole["score"] == 0.9
    assert part["num_keypoints"] == 16 and part["keypoints"][3 * 9 : 3 * 11] == [19, 38, 1, 0, 0, 0]
    assert part["area"] == 16 * 32  # the detector gave none
    assert np.isclose(part["score"], (15 * 0.9 + 0.2) / 16, atol=1e-4)


def test_a_row_a_frame_with_empty_cells_for_what_was_not_found() -> None:
    rows = list(csv.DictReader(io.StringIO("".join(csv_rows(track(), TIMES)))))
    assert len(rows) == 3 and len(rows[0]) == 2 + 3 * 17
    assert [(row["frame"], float(row["time_s"])) for row in rows] == [("0", 0), ("1", 0.04), ("2", 0.08)]
    assert float(rows[0]["right_ankle_y_px"]) == 52 and float(rows[1]["left_wrist_visibility"]) == 0.2
    assert rows[1]["right_wrist_x_px"] == rows[1]["right_wrist_visibility"] == "" == rows[2]["nose_x_px"]


def test_nobody_found_is_a_data_set_without_annotations() -> None:
    empty = PoseTrack(keypoints=np.full((1, 17, 3), np.nan, np.float32), area=np.full(1, np.nan, np.float32))
    read = json.loads("".join(coco_lines(empty, (0.0,), name="v.mp4", size=(2, 2))))
    assert read["annotations"] == [] and len(read["images"]) == 1
