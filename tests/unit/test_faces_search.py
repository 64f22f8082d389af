"""Looking harder: real faces that one look misses are found, and what is no face stays out."""

import cv2
import numpy as np
import pytest

from deid_audit.faces.search import HarderSearch
from deid_audit.frames import Float, Image
from deid_audit.vision.detectors import Detections, MediaPipeDetector, iou_matrix, overlap_of_smaller, turned_back
from tests.conftest import Portrait, Portraits

NOTHING = Detections(boxes_xyxy=np.zeros((0, 4), np.float32), scores=np.zeros(0, np.float32))


@pytest.fixture(scope="module")
def detector() -> MediaPipeDetector:
    return MediaPipeDetector()


def pasted(portrait: Portrait, height_px: int, *, size: tuple[int, int] = (1080, 1920)) -> tuple[Image, Float]:
    """A grey frame with the portrait in it so that its face is `height_px` high; the face's box."""
    small = portrait.resized(height_px / float(np.ptp(portrait.box_xyxy[[1, 3]])))
    frame = np.full((*size, 3), 118, np.uint8)
    top, left = (200, 1100) if size[1] > 1500 else (60, 120)
    height, width = small.image_rgb.shape[:2]
    frame[top : top + height, left : left + width] = small.image_rgb
    return frame, small.box_xyxy + np.float32((left, top, left, top))


def finds(found: Detections, box_xyxy: Float) -> bool:
    return bool(len(found.boxes_xyxy) and iou_matrix(box_xyxy[None], found.boxes_xyxy).max() > 0.3)


def test_a_small_face_in_a_large_frame_is_found_by_tiles(portraits: Portraits, detector: MediaPipeDetector) -> None:
    frame, box = pasted(portraits.hopper, 44)
    once = detector.detect(frame)
    assert not finds(once, box), "one look was enough: make the face smaller"
    search = HarderSearch(detector)
    assert finds(search(frame, once, nothing_seen=False), box)
    search.close()


def test_a_very_small_face_is_found_by_the_finer_tiles_of_every_third_search(
    portraits: Portraits, detector: MediaPipeDetector
) -> None:
    frame, box = pasted(portraits.astronaut, 24)
    search = HarderSearch(detector)
    looks = [finds(search(frame, NOTHING, nothing_seen=False), box) for _ in range(3)]
    assert looks == [False, False, True]
    search.close()


def test_no_part_of_a_known_face_is_another_one(portraits: Portraits, detector: MediaPipeDetector) -> None:
    """In the finer tiles the middle of a large face passes for a face."""
    [box] = detector.detect(portraits.hopper.image_rgb).boxes_xyxy
    small = portraits.hopper.resized(190 / float(np.ptp(box[[1, 3]]))).image_rgb[:460, :460]
    frame = np.full((480, 640, 3), 118, np.uint8)
    frame[20 : 20 + small.shape[0], 180 : 180 + small.shape[1]] = small
    once = detector.detect(frame)
    [face] = once.boxes_xyxy
    search = HarderSearch(detector)
    for _ in range(3):
        found = search(frame, once, nothing_seen=False).boxes_xyxy
        assert sum(overlap_of_smaller(one, face) > 0.3 for one in found) == 1
    search.close()


def test_a_face_that_the_frame_cuts_is_found_with_a_border(portraits: Portraits, detector: MediaPipeDetector) -> None:
    small = portraits.astronaut.resized(110 / float(np.ptp(portraits.astronaut.box_xyxy[[1, 3]])))
    middle = round(float(small.box_xyxy[0] * 0.6 + small.box_xyxy[2] * 0.4))
    frame = np.full((720, 1280, 3), 118, np.uint8)
    height, width = small.image_rgb.shape[:2]
    frame[120 : 120 + height, : width - middle] = small.image_rgb[:, middle:]
    expected = np.clip(small.box_xyxy + np.float32((-middle, 120, -middle, 120)), 0, None)
    once = detector.detect(frame)
    assert not finds(once, expected), "one look was enough: cut more of the face off"
    search = HarderSearch(detector)
    assert any(finds(search(frame, once, nothing_seen=True), expected) for _ in range(2))  # the second has a border
    search.close()


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_face_on_its_side_or_upside_down_is_found_where_nothing_was_seen(
    portraits: Portraits, detector: MediaPipeDetector, quarters: int
) -> None:
    upright, box = pasted(portraits.astronaut, 100, size=(640, 640))
    turned = np.ascontiguousarray(np.rot90(upright, quarters))
    expected = turned_back(box[None], 4 - quarters, turned.shape[1], turned.shape[0])[0]
    search = HarderSearch(detector)
    assert finds(search(turned, NOTHING, nothing_seen=True), expected)
    search.close()


def test_a_face_in_the_dark_is_found_where_nothing_was_seen(portraits: Portraits, detector: MediaPipeDetector) -> None:
    frame, box = pasted(portraits.hopper, 150, size=(600, 600))
    dark = (frame * 0.04).astype(np.uint8)
    search = HarderSearch(detector)
    assert finds(search(dark, NOTHING, nothing_seen=True), box)
    search.close()


def test_what_was_found_already_is_not_found_twice(portraits: Portraits, detector: MediaPipeDetector) -> None:
    frame, box = pasted(portraits.hopper, 220)
    once = detector.detect(frame)
    assert finds(once, box)
    search = HarderSearch(detector)
    again = search(frame, once, nothing_seen=False)
    search.close()
    np.testing.assert_array_equal(again.boxes_xyxy, once.boxes_xyxy)


def test_a_find_without_landmarks_counts_only_when_it_is_very_sure(portraits: Portraits) -> None:
    frame, box = pasted(portraits.hopper, 150, size=(600, 600))
    wall = np.float32((500, 505, 590, 595))  # a plain part of the frame

    class Claims:
        """Sees a face in a wall, with a given score, and the real one unsurely, both in the brightened frame only."""

        name, family = "claims", "made"

        def __init__(self, score: float) -> None:
            self.score = score

        def detect(self, image_rgb: Image) -> Detections:
            if image_rgb.shape != frame.shape or image_rgb.mean() < frame.mean() + 10:
                return NOTHING
            return Detections(boxes_xyxy=np.stack((wall, box)), scores=np.float32((self.score, 0.4)))

    for score, expected in ((0.75, False), (0.85, True)):
        search = HarderSearch(Claims(score))
        found = search(frame, NOTHING, nothing_seen=True)
        search.close()
        assert finds(found, box)
        assert finds(found, wall) == expected


def test_a_plain_frame_and_noise_hold_no_face(detector: MediaPipeDetector) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (700, 900, 3), dtype=np.uint8)
    search = HarderSearch(detector)
    for frame in (np.full((700, 900, 3), 90, np.uint8), cv2.GaussianBlur(noise, (0, 0), 5)):
        assert not len(search(frame, NOTHING, nothing_seen=True).boxes_xyxy)
    search.close()
