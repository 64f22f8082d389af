"""Canaries with made detectors: what is pasted where, and what an auditor that sees all, none or the large finds."""

from collections.abc import Callable

import numpy as np
import pytest

from deid_audit.findings import Measurement
from deid_audit.frames import Float, Image
from deid_audit.measure.canaries import PASTES, UPRIGHT_PX, Canary, Flock, KnownFace, measure_canaries, smallest_height
from tests.conftest import Portraits

FRAME = np.full((540, 960, 3), 90, np.uint8)
NOBODY = np.empty((0, 4), np.float32)


def faces(portraits: Portraits) -> list[KnownFace]:
    return [KnownFace(image_rgb=one.image_rgb, box_xyxy=one.box_xyxy) for one in portraits]


def changed(image: Image) -> Float:
    """An auditor that sees all: the bounding boxes of whatever differs from the empty frame, shrunk to the face."""
    import cv2  # noqa: PLC0415

    _, _, stats, _ = cv2.connectedComponentsWithStats((np.abs(image.astype(int) - 90).max(2) > 3).astype(np.uint8))
    rows = []
    for x, y, w, h, _ in stats[1:].tolist():
        rows.append((x + w / 6, y + h / 6, x + 5 * w / 6, y + 5 * h / 6))
    return np.array(rows, np.float32).reshape(-1, 4)


def flown(portraits: Portraits, detect: Callable[[Image], Float], *, seed: int = 0, frames: int = 60) -> Flock:
    flock = Flock(faces=faces(portraits), seed=seed)
    for _ in range(frames):
        flock.release(FRAME, [], detect)
    return flock


def rows_of(flock: Flock) -> dict[str, Measurement]:
    return {row.metric.removeprefix("audit."): row for row in measure_canaries(flock.seen, "tests")}


def test_a_blind_auditor_finds_none_and_has_no_smallest_face(portraits: Portraits) -> None:
    rows = rows_of(flown(portraits, lambda image: NOBODY))
    assert rows["canary_recall"].value == 0
    assert rows["smallest_face_px"].value is None and not rows["smallest_face_px"].absent


def test_an_auditor_that_sees_all_finds_nearly_all(portraits: Portraits) -> None:
    flock = flown(portraits, changed)
    assert len(flock.seen) == PASTES
    rows = rows_of(flock)
    assert (rows["canary_recall"].value or 0) > 0.8
    assert rows["smallest_face_px"].value == 12


def test_the_smallest_face_is_that_of_an_auditor_that_sees_only_the_large(portraits: Portraits) -> None:
    def large(image: Image) -> Float:
        boxes = changed(image)
        return boxes[boxes[:, 3] - boxes[:, 1] > 40]

    smallest = rows_of(flown(portraits, large))["smallest_face_px"].value
    assert smallest in (48, 96)


def test_one_height_that_is_missed_hides_all_below_it() -> None:
    seen = [Canary(kind="upright", height_px=px, found=px != 96) for px in UPRIGHT_PX for _ in range(10)]
    assert smallest_height(seen) == 200
    few = [Canary(kind="upright", height_px=px, found=True) for px in (48, 200) for _ in range(4)]
    assert smallest_height(few) is None
    nine = [Canary(kind="upright", height_px=48, found=number > 0) for number in range(10)]
    assert smallest_height(nine) == 48
    assert smallest_height([*nine, Canary(kind="upright", height_px=48, found=False)]) is None


def test_the_same_seed_pastes_the_same_and_another_does_not(portraits: Portraits) -> None:
    shown: list[Image] = []
    for seed in (1, 1, 2):
        flown(portraits, lambda image: (shown.append(image.copy()), NOBODY)[1], seed=seed, frames=1)
    assert np.array_equal(shown[0], shown[1]) and not np.array_equal(shown[0], shown[2])


def test_nothing_is_pasted_where_a_face_is_and_the_frame_itself_stays(portraits: Portraits) -> None:
    left = np.array((0, 0, 700, 540), np.float32)
    shown: list[Image] = []
    flock, frame = Flock(faces=faces(portraits), seed=0), FRAME.copy()
    for _ in range(10):
        flock.release(frame, [left], lambda image: (shown.append(image.copy()), NOBODY)[1])
    assert all((image[:, :700] == 90).all() for image in shown) and any((image != 90).any() for image in shown)
    assert (frame == 90).all()


def test_a_frame_without_room_leaves_the_faces_for_the_next(portraits: Portraits) -> None:
    flock = Flock(faces=faces(portraits), seed=0)
    flock.release(FRAME, [np.array((0, 0, 960, 540), np.float32)], lambda image: pytest.fail("nothing to look for"))
    assert flock.seen == []
    assert all(row.value is None and not row.absent for row in measure_canaries(flock.seen, "tests"))


def test_frames_are_spread_over_the_videos(portraits: Portraits) -> None:
    one = Flock(faces=faces(portraits), seed=0).frames_of(200)
    two = Flock(faces=faces(portraits), seed=0, videos=2).frames_of(200)
    assert (len(one), len(two)) == (30, 15) and min(one) == 0 and max(one) == 199
    assert Flock(faces=faces(portraits), seed=0).frames_of(1) == {0}


def test_what_was_pasted_into_a_file_that_does_not_stay_is_forgotten(portraits: Portraits) -> None:
    flock = Flock(faces=faces(portraits), seed=0)
    before = flock.state()
    flock.release(FRAME.copy(), [], lambda image: np.zeros((0, 4), np.float32))
    once = list(flock.seen)
    assert once
    flock.restore(before)
    assert flock.seen == []
    flock.release(FRAME.copy(), [], lambda image: np.zeros((0, 4), np.float32))
    assert flock.seen == once


def test_what_one_video_had_pasted_waits_again_and_the_others_stay(portraits: Portraits) -> None:
    flock, nothing = Flock(faces=faces(portraits), seed=0), np.zeros((0, 4), np.float32)
    flock.release(FRAME.copy(), [], lambda image: nothing)
    mine, waiting = list(flock.seen), len(flock.state()[1])
    flock.release(FRAME.copy(), [], lambda image: nothing)
    others = flock.seen[len(mine) :]
    assert mine and others
    flock.forget(mine)
    assert all(one is other for one, other in zip(flock.seen, others, strict=True))
    assert len(flock.state()[1]) == waiting - len(others) + len(mine)
