"""Lines of text are found by their letters, in many fonts, sizes and on many grounds; what is no text is not."""

import itertools

import cv2
import numpy as np
import pytest

from deid_audit.frames import Image
from deid_audit.vision.overlay_text import Box, TextLine, merged, overlap, text_lines
from tests.unit.made_videos import picture
from tests.unit.overlays import FONTS, TEXTS, Font, Overlay, burned_in, share_found

SIZES_PX = (10, 14, 20, 28, 40)
SCENE = picture(720, 200, seed=5)


def stored(image: Image) -> Image:
    """As a lossy file would give it back."""
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1], cv2.IMREAD_COLOR))


def found_in(image: Image) -> list[Box]:
    return [line.box_xyxy for line in text_lines(image)]


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize("capital_px", SIZES_PX)
def test_text_is_found_and_wholly_so(font: Font, capital_px: int) -> None:
    text = TEXTS[1] if capital_px > 20 else TEXTS[0]
    image, box = burned_in(SCENE, Overlay(text=text, font=font, capital_px=capital_px, ground="outline"))
    assert share_found(found_in(stored(image)), box, image.shape) > 0.9


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("ground", ["plain", "outline", "box"])
@pytest.mark.parametrize("colour", [(255, 255, 255), (255, 255, 0), (0, 0, 0), (0, 255, 0), (200, 0, 0)])
def test_whatever_it_says_and_whatever_its_colour(text: str, ground: str, colour: tuple[int, int, int]) -> None:
    grey = np.full((120, 560, 3), 128, np.uint8)
    image, box = burned_in(grey, Overlay(text=text, ground=ground, colour=colour))  # type: ignore[arg-type]
    assert share_found(found_in(stored(image)), box, image.shape) > 0.9


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


def weave(seed: int = 0) -> Image:
    """Short upright strands at uneven heights, side by side, as a wicker chair has them."""
    chance = np.random.default_rng(seed)
    image = np.full((240, 320, 3), 70, np.uint8)
    for x in range(30, 290, 9):
        for y in range(20, 220, 30):
            top = y + int(chance.integers(0, 12))
            cv2.line(image, (x, top), (x + 1, top + int(chance.integers(10, 26))), (200, 190, 160), 2, cv2.LINE_AA)
    return image


@pytest.mark.parametrize("image", [SCENE, picture(400, 300, seed=1), bars(), checks(), *(weave(at) for at in range(8))])
def test_a_scene_bars_checks_and_a_weave_are_no_text(image: Image) -> None:
    assert text_lines(image) == []


def test_boxes_of_one_line_become_one_and_those_of_two_stay_two() -> None:
    line, word, below = TextLine((10, 10, 100, 30)), TextLine((12, 11, 40, 29), 0b10), TextLine((10, 32, 100, 52))
    assert merged([word, line, below]) == [TextLine(line.box_xyxy, 0b11), below]
    assert overlap(line.box_xyxy, below.box_xyxy) == 0 and overlap(line.box_xyxy, word.box_xyxy) == 1
    for order in itertools.permutations([word, line, below]):
        assert merged(list(order)) == [TextLine(line.box_xyxy, 0b11), below]


def test_a_tall_find_does_not_swallow_the_low_line_in_it() -> None:
    low, tall = TextLine((10, 40, 100, 56)), TextLine((0, 10, 120, 80))
    assert merged([low, tall]) == [tall, low]


def test_the_more_looks_show_a_line_the_surer_it_is() -> None:
    grey = np.full((120, 560, 3), 60, np.uint8)
    clear = max(line.looks for line in text_lines(burned_in(grey, Overlay())[0]))
    faint = max(line.looks for line in text_lines(burned_in(grey, Overlay(colour=(95, 95, 95)))[0]))
    assert clear >= 5 > faint >= 1
