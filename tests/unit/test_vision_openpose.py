"""OpenPose's JSON files: read as they are written, refused in words, and the subject found among the people."""

import json
from pathlib import Path

import numpy as np
import pytest

from deid_audit.errors import DeidAuditError, SettingsError, VideoError
from deid_audit.vision.openpose import (
    OpenPoseFrames,
    RecordedOpenPose,
    box_area,
    follow_subject,
    read_folder,
)
from tests.unit.openpose_files import face_box, person_json, standing, write_frames

SIZE = (640, 480)
UNKNOWN = np.full(4, np.nan, np.float32)


def read(folder: Path, count: int, size: tuple[int, int] = SIZE) -> OpenPoseFrames:
    return read_folder(folder, label="keypoints of original video 1", frame_count=count, size=size)


def refused(folder: Path, count: int = 2, size: tuple[int, int] = SIZE) -> DeidAuditError:
    with pytest.raises((SettingsError, VideoError)) as caught:
        read(folder, count, size)
    assert caught.value.next_step
    assert str(folder) not in f"{caught.value} {caught.value.next_step}"
    assert "keypoints of original video 1" in str(caught.value)
    return caught.value


@pytest.mark.parametrize("points", [25, 18])
@pytest.mark.parametrize("version", [0.1, 1.1, 1.2, 1.3])
def test_both_formats_of_every_version_come_out_in_cocos_order(tmp_path: Path, points: int, version: float) -> None:
    person = standing()
    person[:, 0] += np.arange(17) * 0.5  # no two points alike
    found = read(write_frames(tmp_path / "a", [[person], []], points=points, version=version), 2)
    assert found.points == points
    np.testing.assert_allclose(found.people[0][0], person, rtol=1e-5)
    assert found.people[1].shape == (0, 17, 3)


def test_a_point_that_was_not_found_is_no_point_in_the_corner(tmp_path: Path) -> None:
    person = standing()
    person[9] = 0
    found = read(write_frames(tmp_path / "a", [[person]]), 1).people[0][0]
    assert np.isnan(found[9, :2]).all() and found[9, 2] == 0
    assert np.isfinite(np.delete(found, 9, axis=0)).all()


def test_every_file_counts_for_the_digest_and_the_first_number_is_free(tmp_path: Path) -> None:
    frames = [[standing()], [standing(210)]]
    first = read(write_frames(tmp_path / "a", frames), 2)
    second = read(write_frames(tmp_path / "b", frames, name="", first=1), 2)
    other = read(write_frames(tmp_path / "c", [frames[0], [standing(211)]]), 2)
    assert first.sha256 == second.sha256 != other.sha256


def test_nobody_at_all_is_readable(tmp_path: Path) -> None:
    assert [one.shape for one in read(write_frames(tmp_path / "a", [[], []]), 2).people] == [(0, 17, 3)] * 2


def test_a_folder_that_is_not_there_is_a_wrong_option(tmp_path: Path) -> None:
    error = refused(tmp_path / "nowhere")
    assert error.exit_code == 2 and "no such folder" in str(error)


def test_another_number_of_frames_says_both_and_what_to_do(tmp_path: Path) -> None:
    error = refused(write_frames(tmp_path / "a", [[standing()]] * 3), 2)
    assert error.exit_code == 1
    assert "3 frames in the folder, 2 in the video" in str(error)
    assert "--write_json" in error.next_step and "--image_dir" in error.next_step


def test_a_missing_frame_is_named(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "a", [[standing()]] * 4)
    (folder / "exam_000000000002_keypoints.json").unlink()
    assert "frame 2 is missing" in str(refused(folder, 3))


def test_a_folder_without_keypoints_or_with_two_videos(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "exam_0001.json").write_text("{}")
    assert "<12 digits>" in str(refused(tmp_path / "empty"))
    folder = write_frames(tmp_path / "a", [[standing()]])
    write_frames(folder, [[standing()]], name="other_", first=1)
    assert "several videos" in str(refused(folder))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"version":1.3}',
        '{"people":7}',
        '{"people":[7]}',
        '{"people":[{"person_id":[-1]}]}',
        '{"people":[{"pose_keypoints_2d":[1,2]}]}',
        '{"people":[{"pose_keypoints_2d":"abc"}]}',
        '{"people":[{"pose_keypoints_2d":[NaN,2,0.5]}]}',
        '{"people":[{"pose_keypoints_2d":[1,2,7]}]}',
        '{"people":[{"pose_keypoints_2d":[1,2,true]}]}',
        "[" * 100_000,
    ],
)
def test_broken_json_is_one_clear_error_with_the_frame(tmp_path: Path, text: str) -> None:
    folder = write_frames(tmp_path / "a", [[standing()], [standing()]])
    (folder / "exam_000000000001_keypoints.json").write_text(text)
    error = refused(folder)
    assert error.exit_code == 1
    assert "frame 1: this is not a JSON file as OpenPose writes it" in str(error)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "a", [[standing()]])
    (folder / "exam_000000000000_keypoints.json").write_bytes(b"\xff\xfe\x00\x81")
    assert "not a JSON file" in str(refused(folder, 1))


def test_mixed_and_other_formats_are_refused(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "a", [[standing()]])
    write_frames(folder, [[standing()]], points=18, first=1)
    assert "BODY_25 and COCO (18 points) are mixed" in str(refused(folder))
    document = {"version": 1.3, "people": [{"pose_keypoints_2d": [1, 2, 0.5] * 15}]}
    (folder / "exam_000000000001_keypoints.json").write_text(json.dumps(document))
    assert "15 points" in str(refused(folder))


def test_the_order_of_body_25b_is_not_taken_for_body_25(tmp_path: Path) -> None:
    """BODY_25B begins with COCO's 17 in COCO's order, then neck, top of the head and feet."""
    folder = write_frames(tmp_path / "a", [[standing()]] * 2)
    row = np.zeros((25, 3))
    row[:17] = standing()
    row[17] = standing()[[5, 6]].mean(axis=0) - (0, 12, 0)
    document = {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": row.ravel().tolist()}]}
    read(folder, 2)
    for file in folder.iterdir():
        file.write_text(json.dumps(document))
    assert "order of BODY_25B, expected BODY_25" in str(refused(folder))


def test_scaled_coordinates_and_another_pictures_are_refused(tmp_path: Path) -> None:
    person = standing()
    person[:, :2] /= 640
    assert "scaled" in str(refused(write_frames(tmp_path / "a", [[person]]), 1))
    person[16, :2] = (0.4, 1.0145)  # as OpenPose writes a knee below the picture's edge
    assert "scaled" in str(refused(write_frames(tmp_path / "c", [[person]]), 1))
    error = refused(write_frames(tmp_path / "b", [[standing(1200)]]), 1)
    assert "the video is 640x480" in str(error)


def test_the_written_person_has_the_keys_of_its_version() -> None:
    assert "person_id" in person_json(standing()) and "person_id" not in person_json(standing(), version=1.2)


def test_the_subject_is_the_one_at_the_face_whatever_the_order() -> None:
    subject, other = standing(200), standing(450)
    people = [np.stack([subject, other]), np.stack([other, subject]), np.stack([other, subject, other + 3])]
    faces = np.stack([face_box(200)] * 3)
    keypoints, area = follow_subject(people, faces)
    np.testing.assert_array_equal(keypoints, np.stack([subject] * 3))
    assert np.unique(area).size == 1
    theirs, _ = follow_subject(people, np.stack([face_box(450)] * 3))
    np.testing.assert_array_equal(theirs[0], other)


def test_without_a_face_it_is_the_nearest_to_the_frame_beside_it_in_both_directions() -> None:
    walk = [standing(x) for x in (200, 210, 220, 230)]
    other = standing(330)
    people = [np.stack([other, one]) for one in walk]
    faces = np.stack([UNKNOWN, face_box(210), UNKNOWN, UNKNOWN])
    keypoints, _ = follow_subject(people, faces)
    np.testing.assert_array_equal(keypoints, np.stack(walk))


def test_somebody_else_alone_in_the_frame_is_not_the_subject() -> None:
    people = [standing(200)[None], standing(560)[None], standing(205)[None]]
    keypoints, area = follow_subject(people, np.stack([face_box(200), face_box(200), UNKNOWN]))
    assert np.isfinite(keypoints[[0, 2]]).all()
    assert np.isnan(keypoints[1]).all() and np.isnan(area[1])


def test_no_face_anywhere_names_nobody() -> None:
    keypoints, area = follow_subject([standing()[None]] * 2, np.stack([UNKNOWN] * 2))
    assert np.isnan(keypoints).all() and np.isnan(area).all()


def test_a_masked_head_leaves_the_shoulders_to_go_by() -> None:
    subject, other = standing(200), standing(320)
    for one in (subject, other):
        one[:5] = (np.nan, np.nan, 0)
    keypoints, _ = follow_subject([np.stack([other, subject])], face_box(200)[None])
    np.testing.assert_array_equal(keypoints[0], subject)


def test_the_area_is_a_share_of_the_visible_keypoints_box_alone() -> None:
    person = np.full((17, 3), np.nan, np.float32)
    person[:, 2] = 0
    assert np.isnan(box_area(person))
    person[0], person[1], person[2] = (10, 20, 0.3), (110, 70, 0.9), (600, 400, 0.29)
    assert box_area(person) == pytest.approx(0.53 * 100 * 50)


def test_a_confidence_above_one_is_a_visibility_of_one() -> None:
    keypoints, _ = follow_subject([standing(confidence=1.02)[None]], face_box()[None])
    assert keypoints[0, :, 2].max() == 1


def test_files_given_speak_of_original_and_released_only_and_say_so(tmp_path: Path) -> None:
    before = read(write_frames(tmp_path / "a", [[standing()]]), 1)
    after = read(write_frames(tmp_path / "b", [[standing(203)]]), 1)
    backend = RecordedOpenPose(before, after)
    for of in ("masked", "blurred", "pixelated", "reencoded"):
        assert backend.start(of, window_xyxy=None) is None
    for of, x in (("original", 200), ("swapped", 203)):
        detector = backend.start(of, window_xyxy=None)  # type: ignore[arg-type]
        assert detector is not None
        detector.add(np.zeros((480, 640, 3), np.uint8), face_box())
        np.testing.assert_allclose(detector.finish()[0][0], standing(x), rtol=1e-5)
    assert "no noise floor" in backend.traits.text and "no noise floor" in backend.traits.missing_because
    assert "0.53" in backend.traits.method and "0.3" in backend.traits.method and "BODY_25" in backend.traits.method
    assert backend.traits.settings == {"original_files_sha256": before.sha256, "released_files_sha256": after.sha256}
