"""Explanations: none for PASSED, pictures of released pixels only, a text and a terminal that can be read."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from deid_audit.cli.report import print_result
from deid_audit.measure.figures import POINTED_MAX_HEIGHT_PX, pointed_frame
from deid_audit.pipeline.explaining import explain, take_pictures, why_text
from deid_audit.video.reader import open_video, read_frames
from tests.fakes import make_case, make_rule
from tests.unit.explaining_cases import BOX, FAMILIES, N, bumped, case_of, explained, seen, unmet
from tests.unit.made_videos import make_video


def test_a_passed_verdict_has_no_explanation() -> None:
    assert explain(make_case(), [seen()]) == ()


def shows(png: bytes, frame: NDArray[np.uint8]) -> bool:
    """Whether a picture is this frame, the thin box aside."""
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1].astype(int)
    return picture.shape == frame.shape and bool((np.abs(picture - frame).max(axis=2) > 0).mean() < 0.1)


def test_pictures_are_the_worst_frames_of_the_released_file(tmp_path: Path) -> None:
    path = make_video(tmp_path / "released.mp4", range(0, 40 * N, 40))
    released = open_video(path, label="released video 1")
    other = make_video(tmp_path / "original.mp4", range(0, 40 * N, 40), size=(96, 64), rotation=180)
    planted = next(iter(read_frames(open_video(other, label="original")))).image_rgb
    video = seen(to_original=bumped(0.8, 0.5, slice(63, 64)))
    video = replace(video, watched=replace(video.watched, released=released))
    one = explained(make_rule("identity.to_original.p01"), video)
    pictures = take_pictures([one], [video])
    assert list(pictures) == [one.picture] == ["video-01-frame-000063.png"]
    frames = [frame.image_rgb for frame in read_frames(released)]
    assert shows(pictures["video-01-frame-000063.png"], frames[63])
    assert not shows(pictures["video-01-frame-000063.png"], frames[60]), "the right frame, not any frame"
    assert not shows(pointed_frame(planted, np.array([BOX], np.float32)), frames[63]), "a planted original is caught"


def test_a_picture_is_small_has_a_thin_box_and_leaves_the_frame_as_it_was() -> None:
    frame = np.full((1280, 720, 3), 90, np.uint8)
    picture = cv2.imdecode(np.frombuffer(pointed_frame(frame, np.float32([[200, 200, 400, 440]])), np.uint8), 1)
    assert picture.shape == (POINTED_MAX_HEIGHT_PX, 360, 3)
    changed = (picture != 90).any(axis=2)
    assert changed[100, 100:201].all() and not changed[103:218, 103:198].any() and changed.mean() < 0.02
    small = np.full((50, 40, 3), 90, np.uint8)
    pointed_frame(small, np.float32([[5, 5, 20, 20]]))
    assert (frame == 90).all() and (small == 90).all()


def test_a_face_that_nobody_accounted_for_is_the_one_pointed_at(tmp_path: Path) -> None:
    rule, video = FAMILIES["face not accounted for"]
    path = make_video(tmp_path / "released.mp4", range(0, 40 * N, 40))
    released = open_video(path, label="released video 1")
    video = replace(video, watched=replace(video.watched, released=released))
    one = explained(rule, video)
    [png] = take_pictures([one], [video]).values()
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), 1)[:, :, ::-1]
    assert one.picture == "video-01-frame-000050-unaccounted.png"
    assert (picture[0, :9] == (255, 210, 0)).all(), "around the found face in the corner"


def test_the_text_says_what_was_asked_found_where_and_what_next() -> None:
    rule = make_rule("identity.to_original.p01", why="few frames may be near")
    case = case_of([rule], [unmet(rule)])
    text = why_text(case, explain(case, [seen(to_original=bumped(0.8, 0.5))]))
    for words in ("above 0.6. few frames may be near", "video 1: 0.59 is not above 0.6", "video 1: 2.0-3.0 s"):
        assert words in text
    assert "why/video-01-frame-000050.png (video 1, 2.00 s, frame 50)" in text and "Train longer" in text
    assert max(map(len, text.splitlines())) <= 110


def test_the_terminal_shows_it_in_narrow_lines_and_says_a_step_once(capsys: pytest.CaptureFixture[str]) -> None:
    rules = [make_rule("identity.to_original.p01"), make_rule("identity.to_original.mean")]
    case = case_of(rules, [unmet(rule) for rule in rules])
    explanations = explain(case, [seen(to_original=bumped(0.8, 0.5))])
    result: Any = SimpleNamespace(
        case=case, out=Path("OUT"), certificate_sha256="ab", seconds={}, explanations=explanations
    )
    print_result(result)
    said = capsys.readouterr().out
    assert "video 1: 2.0-3.0 s" in said and "OUT/audit/why.txt" in said
    assert said.count("Train longer") == 1 and "as for identity.to_original.p01" in said
    assert max(map(len, said.splitlines())) <= 110
    passed: Any = SimpleNamespace(case=make_case(), out=Path("OUT"), certificate_sha256="", seconds={}, explanations=())
    print_result(passed)
    assert "why" not in capsys.readouterr().out
