"""The audit's looks: every way it looks sees a known face in its own place, and each face is counted once."""

import cv2
import numpy as np
import pytest

from deid_audit.frames import Float, Image
from deid_audit.vision.detectors import MmodDetector, iou_matrix, turned_back
from deid_audit.vision.looks import MMOD_EVERY, AuditSearch, united
from tests.conftest import Portraits


@pytest.fixture(scope="module")
def thorough() -> AuditSearch:
    return AuditSearch(thorough=True)


@pytest.fixture(scope="module")
def picture(portraits: Portraits) -> tuple[Image, Float]:
    """A face left of the middle of a small picture, and its box."""
    small = portraits.astronaut.resized(0.9)  # dlib's CNN sees faces from 80 px
    image = cv2.copyMakeBorder(small.image_rgb[:280], 0, 24, 0, 84, cv2.BORDER_CONSTANT, value=(90, 90, 90))
    return image, small.box_xyxy


def test_every_look_sees_the_face_in_its_place(thorough: AuditSearch, picture: tuple[Image, Float]) -> None:
    image, box = picture
    upright = [look for look in thorough.looks if "turned" not in look.name]
    assert len(upright) == len(thorough.looks) - 3 == 5
    for look in upright:
        boxes = look.boxes(image)
        assert len(boxes) == 1, look.name
        assert iou_matrix(boxes, box[None])[0, 0] > 0.4, look.name
    together = thorough.see(image, 0)
    assert len(together.boxes_xyxy) == 1
    assert set(together.seen_by[0]) >= {look.name for look in upright}


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_face_is_seen_where_it_is(quarters: int, thorough: AuditSearch, picture: tuple[Image, Float]) -> None:
    image, box = picture
    turned = np.ascontiguousarray(np.rot90(image, quarters))
    height, width = turned.shape[:2]
    # turning the turned picture on until it is upright again brings the boxes of that look back to the turned one
    look = next(one for one in thorough.looks if one.name.endswith(f"turned by {360 - 90 * quarters} degrees"))
    boxes = look.boxes(turned)
    assert len(boxes) == 1
    assert iou_matrix(boxes, turned_back(box[None], 4 - quarters, width, height))[0, 0] > 0.5


def test_one_look_is_the_default_and_breadth_is_told_apart_from_independence(thorough: AuditSearch) -> None:
    native = AuditSearch()
    assert (len(native.looks), native.families) == (1, {"centerface"})
    assert (len(thorough.looks), thorough.families) == (8, {"centerface", "mmod"})  # not the family that cleared
    assert {model.name for model in thorough.models} == {"centerface", "mmod_human_face_detector"}


def test_a_look_taken_in_some_frames_is_not_promised_for_all(
    thorough: AuditSearch, picture: tuple[Image, Float]
) -> None:
    image, _ = picture
    names = [
        {name for each in seen.seen_by for name in each} for seen in (thorough.see(image, 0), thorough.see(image, 1))
    ]
    assert any(MmodDetector.name in name for name in names[0])
    assert not any(MmodDetector.name in name for name in names[1])
    assert MMOD_EVERY > 1
    promised = {name for each in thorough.detect(image).seen_by for name in each}
    assert promised == names[1]


def test_faces_that_overlap_little_stay_two_and_nothing_stays_nothing() -> None:
    one, beside = np.float32([[0, 0, 10, 10]]), np.float32([[6, 0, 16, 10]])  # IoU 40/160
    assert united([("a", one), ("b", beside)]).boxes_xyxy.shape == (2, 4)
    assert united([("a", one[:0])]).boxes_xyxy.shape == (0, 4)
