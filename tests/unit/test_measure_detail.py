"""What is left of a real face under covers that protect and under those that do not."""

import cv2
import numpy as np
import pytest

from deid_audit.measure.detail import COVERED_BELOW, detail_kept
from deid_audit.render.conceal import METHODS, release_box
from tests.conftest import Portraits


@pytest.mark.parametrize("method", sorted(METHODS))
def test_what_conceals_leaves_little(portraits: Portraits, method: str) -> None:
    for portrait in portraits:
        covered = METHODS[method](portrait.image_rgb, release_box(portrait.box_xyxy))
        assert abs(detail_kept(portrait.image_rgb, covered, portrait.box_xyxy)) < COVERED_BELOW - 0.05


def test_a_weak_blur_a_dark_copy_and_a_re_encoded_one_are_not_covered(portraits: Portraits) -> None:
    for portrait in portraits:
        width = float(np.ptp(portrait.box_xyxy[[0, 2]]))
        weak = cv2.blur(portrait.image_rgb, (round(width / 10),) * 2)
        dark = (portrait.image_rgb * 0.3).astype(np.uint8)
        _, jpeg = cv2.imencode(".jpg", portrait.image_rgb, [cv2.IMWRITE_JPEG_QUALITY, 40])
        for image in (weak, dark, cv2.imdecode(jpeg, cv2.IMREAD_COLOR)):
            assert detail_kept(portrait.image_rgb, image, portrait.box_xyxy) > COVERED_BELOW + 0.1
        assert detail_kept(portrait.image_rgb, portrait.image_rgb, portrait.box_xyxy) == pytest.approx(1)


def test_a_box_outside_the_picture_keeps_nothing(portraits: Portraits) -> None:
    image = portraits.hopper.image_rgb
    assert detail_kept(image, image, np.float32([-50, -50, -10, -10])) == 0
