"""Covering a region: black for a release, and the three controls held to what the paper says they are."""

import cv2
import numpy as np
import pytest

from deid_audit.frames import Float, Image
from deid_audit.render.conceal import CONTROLS, blur, grown, mask, pixelate, release_box

BOX = np.float32((40, 20, 104, 84))  # 64 x 64


@pytest.fixture
def noise() -> Image:
    image = np.random.default_rng(0).integers(1, 256, (120, 160, 3), dtype=np.uint8)
    image.setflags(write=False)  # whoever writes into the input frame fails
    return image


def _inside(image: Image, box: Float) -> Image:
    left, top, right, bottom = box.astype(int)
    return image[top:bottom, left:right]


def _outside(image: Image, box: Float) -> Image:
    left, top, right, bottom = box.astype(int)
    covered = image.copy()
    covered[top:bottom, left:right] = 0
    return covered


def test_the_controls_are_the_papers_three() -> None:
    assert set(CONTROLS) == {"masked", "blurred", "pixelated"}
    assert [CONTROLS[name] for name in ("masked", "blurred", "pixelated")] == [mask, blur, pixelate]


@pytest.mark.parametrize("name", sorted(CONTROLS))
def test_pixels_outside_the_box_stay_and_the_input_too(noise: Image, name: str) -> None:
    before = noise.copy()
    result = CONTROLS[name](noise, BOX)
    np.testing.assert_array_equal(_outside(result, BOX), _outside(noise, BOX))
    np.testing.assert_array_equal(noise, before)
    assert not np.shares_memory(result, noise)
    assert (_inside(result, BOX) != _inside(noise, BOX)).any(-1).mean() > 0.99


def test_the_mask_is_black(noise: Image) -> None:
    assert not _inside(mask(noise, BOX), BOX).any()


def test_broken_boxes_cover_every_pixel_they_touch(noise: Image) -> None:
    covered = mask(noise, np.float32((10.9, 5.9, 20.1, 9.1)))
    assert not covered[5:10, 10:21].any()
    assert (covered == 0).all(-1).sum() == 5 * 11


def test_the_blur_is_an_average_over_half_the_box(noise: Image) -> None:
    np.testing.assert_array_equal(_inside(blur(noise, BOX), BOX), cv2.blur(_inside(noise, BOX), (32, 32)))
    oblong = np.float32((10, 10, 110, 50))
    np.testing.assert_array_equal(_inside(blur(noise, oblong), oblong), cv2.blur(_inside(noise, oblong), (50, 20)))


def test_a_blurred_pixel_by_hand() -> None:
    image = np.zeros((60, 60, 3), np.uint8)
    image[30, 30] = 240
    # a 16 x 16 box has an 8 x 8 kernel: one white pixel becomes 240 / 64 = 3.75 around it
    result = blur(image, np.float32((22, 22, 38, 38)))
    assert result[30, 30].tolist() == [4, 4, 4]
    assert (result == 4).all(-1).sum() == 64


def test_the_blur_takes_nothing_from_outside_the_box() -> None:
    image = np.full((60, 60, 3), 255, np.uint8)
    box = np.float32((20, 20, 40, 40))
    image[20:40, 20:40] = 50
    assert (_inside(blur(image, box), box) == 50).all()


def test_tiles_are_the_averages_of_their_pixels(noise: Image) -> None:
    tiles = _inside(pixelate(noise, BOX), BOX).reshape(8, 8, 8, 8, 3)
    means = _inside(noise, BOX).reshape(8, 8, 8, 8, 3).mean((1, 3))
    np.testing.assert_allclose(tiles, np.broadcast_to(means[:, None, :, None], tiles.shape), atol=0.51)


@pytest.mark.parametrize("box", [BOX, np.float32((3, 7, 90, 118)), np.float32((100, 50, 116, 66))])
def test_no_original_pixel_survives_pixelation(noise: Image, box: Float) -> None:
    before, after = _inside(noise, box), _inside(pixelate(noise, box), box)
    assert not (before == after).all(-1).any()
    colours = np.unique(after.reshape(-1, 3), axis=0)
    originals = {tuple(pixel) for pixel in before.reshape(-1, 3).tolist()}
    assert not originals & {tuple(colour) for colour in colours.tolist()}
    assert len(colours) <= 8 * round(8 * before.shape[0] / before.shape[1])


@pytest.mark.parametrize("name", sorted(CONTROLS))
@pytest.mark.parametrize(
    "box", [(-30, -20, 25, 30), (140, 100, 400, 300), (-50, -50, 500, 500), (150, 5, 160, 6), (0, 0, 1, 1)]
)
def test_boxes_over_the_border_cover_what_is_in_the_frame(
    noise: Image, name: str, box: tuple[float, float, float, float]
) -> None:
    clipped = np.clip(np.float32(box), 0, (160, 120, 160, 120))
    result = CONTROLS[name](noise, np.float32(box))
    assert result.shape == noise.shape
    np.testing.assert_array_equal(_outside(result, clipped), _outside(noise, clipped))
    if name == "masked":
        assert not _inside(result, clipped).any()


@pytest.mark.parametrize("name", sorted(CONTROLS))
@pytest.mark.parametrize("box", [(-90, 10, -20, 50), (200, 10, 300, 50), (10, 200, 50, 300), (10, -90, 50, -5)])
def test_boxes_outside_the_frame_change_nothing(
    noise: Image, name: str, box: tuple[float, float, float, float]
) -> None:
    result = CONTROLS[name](noise, np.float32(box))
    np.testing.assert_array_equal(result, noise)
    assert not np.shares_memory(result, noise)


def test_a_box_without_numbers_is_never_taken_for_nothing_to_cover(noise: Image) -> None:
    with pytest.raises(ValueError, match="NaN"):
        mask(noise, np.full(4, np.nan, np.float32))


def test_a_grown_box_by_hand() -> None:
    np.testing.assert_allclose(grown(np.float32((10, 20, 30, 60)), 1.5), (5, 10, 35, 70))
    np.testing.assert_array_equal(grown(BOX, 1.0), BOX)


def test_a_release_is_covered_beyond_the_landmarks() -> None:
    box = release_box(BOX)
    assert (box[:2] < BOX[:2] - 5).all()
    assert (box[2:] > BOX[2:] + 5).all()
    np.testing.assert_allclose((box[:2] + box[2:]) / 2, (BOX[:2] + BOX[2:]) / 2)
