"""Lines of text are found by their letters, in many fonts, sizes and on many grounds; what is no text is not."""

import itertools

import cv2
import numpy as np
import pytest

from deid_audit.frames import Image
from deid_audit.vision.overlay_text import merged, overlap, text_lines
from tests.unit.made_videos import picture
from tests.unit.overlays import FONTS, TEXTS, Font, Overlay, burned_in, share_found

SIZES_PX = (10, 14, 20, 28, 40)
SCENE = picture(720, 200, seed=5)


def stored(image: Image) -> Image:
    """As a lossy file would give it back."""
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1], cv2.IMREAD_COLOR))


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize("capital_px", SIZES_PX)
def test_text_is_found_and_wholly_so(font: Font, capital_px: int) -> None:
    text = TEXTS[1] if capital_px > 20 else TEXTS[0]
    image, box = burned_in(SCENE, Overlay(text=text, font=font, capital_px=capital_px, ground="outline"))
    assert share_found(text_lines(stored(image)), box, image.shape) > 0.9


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("ground", ["plain", "outline", "box"])
@pytest.mark.parametrize("colour", [(255, 255, 255), (255, 255, 0), (0, 0, 0), (0, 255, 0), (200, 0, 0)])
def test_whatever_it_says_and_whatever_its_colour(text: str, ground: str, colour: tuple[int, int, int]) -> None:
    grey = np.full((120, 560, 3), 128, np.uint8)
    image, box = burned_in(grey, Overlay(text=text, ground=ground, colour=colour))  # type: ignore[arg-type]
    assert share_found(text_lines(stored(image)), box, image.shape) > 0.9


def test_what_is_left_out_on_purpose_is_not_found() -> None:
    """So that the words of the certificate stay true: three letters, letters of 5 px, a line that stands upright."""
    grey = np.full((300, 300, 3), 60, np.uint8)
    for overlay in (Overlay(text="L 3"), Overlay(capital_px=5)):
        assert text_lines(burned_in(grey, overlay)[0]) == []
    upright, box = burned_in(grey, Overlay(text="ANNA", capital_px=24))
    assert text_lines(upright) and text_lines(np.ascontiguousarray(np.rot90(upright))) == []
    assert text_lines(grey) == [] and box


def bars() -> Image:
    image = np.full((200, 300, 3), 40, np.uint8)
    image[60:84, 20:280:12] = image[60:84, 21:280:12] = image[60:84, 22:280:12] = 230
    return image


def checks() -> Image:
    rows, columns = np.indices((200, 300)) // 12 % 2
    return np.repeat((np.equal(rows, columns) * 200).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("image", [SCENE, picture(400, 300, seed=1), bars(), checks()])
def test_a_scene_bars_and_checks_are_no_text(image: Image) -> None:
    assert text_lines(image) == []


def test_boxes_of_one_line_become_one_and_those_of_two_stay_two() -> None:
    line, word, below = (10, 10, 100, 30), (12, 11, 40, 29), (10, 32, 100, 52)
    assert merged([word, line, below]) == [line, below]
    assert overlap(line, below) == 0 and overlap(line, word) == 1
    for order in itertools.permutations([word, line, below]):
        assert merged(list(order)) == [line, below]
