"""Skin continued to the edge of a pasted face, and the light along its rim."""

import numpy as np
import pytest
from numpy.typing import NDArray

from deid_audit.frames import Float, Image
from deid_audit.render.matching import continued, lit_as

SIZE, FACE_PX = 96, 60.0
SKIN = (180, 130, 110)
_Y, _X = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
RADIUS = np.hypot(_X, _Y)
RIM = ((RADIUS < 30) & (RADIUS > 27)).astype(np.float32)

NOWHERE = np.zeros((SIZE, SIZE), np.float32)  # no face whose mean colour is to stay


def _disc(radius: float) -> Float:
    return (radius > RADIUS).astype(np.float32)


def _noise(seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, 3), np.uint8)


def test_what_is_inside_stays_as_it_is_and_what_is_outside_does_not_count() -> None:
    inside, face = _disc(25), _noise()
    for outside in (0, 255):
        crop = np.where(inside[..., None] > 0, face, np.uint8(outside))
        result = continued(crop, inside)
        assert result.dtype == np.uint8
        np.testing.assert_array_equal(result[inside > 0], face[inside > 0])
        beyond = result[inside == 0]
        assert np.abs(beyond.astype(int) - 127).max() < 100
    everywhere = np.ones((SIZE, SIZE), np.float32)
    np.testing.assert_array_equal(continued(face, everywhere), face)


def test_one_skin_is_continued_as_that_skin_up_to_the_corners() -> None:
    inside = _disc(25)
    crop = np.where(inside[..., None] > 0, np.uint8(SKIN), np.uint8((0, 255, 0)))
    assert np.abs(continued(crop, inside).astype(int) - SKIN).max() <= 1
    thin = np.zeros((SIZE, SIZE), np.float32)
    thin[40, 40] = 1  # as little as there can be
    assert np.abs(continued(crop, thin).astype(int) - SKIN).max() <= 1


def test_skin_is_continued_from_beside_it() -> None:
    """Each side takes its own colour further, and between them it goes over from one to the other."""
    inside = (np.abs(_X) < 25).astype(np.float32) * (np.abs(_Y) < 25)
    crop = np.zeros((SIZE, SIZE, 3), np.uint8)
    crop[:, : SIZE // 2], crop[:, SIZE // 2 :] = 60, 200
    result = continued(crop, inside)[..., 0].astype(int)
    middle = SIZE // 2
    assert result[middle, 15] < 80
    assert result[middle, SIZE - 15] > 180
    assert (np.diff(result[8]) >= -2).all()


def test_a_half_known_pixel_is_half_of_what_is_continued() -> None:
    inside = np.ones((SIZE, SIZE), np.float32)
    crop = np.full((SIZE, SIZE, 3), 100, np.uint8)
    inside[40, 40], crop[40, 40] = 0.5, 200
    result = continued(crop, inside)
    assert 150 <= result[40, 40, 0] < 160  # what is continued there knows a little of the pixel itself
    inside[40, 40] = 0
    assert continued(crop, inside)[40, 40, 0] == 100


@pytest.fixture
def area() -> Float:
    return np.full((SIZE, SIZE, 3), SKIN, np.float32)


def _shift(area: Float, below: Float, rim: Float = RIM, inside: Float = NOWHERE) -> NDArray[np.float64]:
    """How far each pixel is moved, in grey levels."""
    return np.asarray(lit_as(area, below, rim, inside, FACE_PX) - area, np.float64)


def test_the_rims_light_is_taken_over_and_fades_inwards(area: Float) -> None:
    light = np.array((12.0, 6.0, -6.0))
    shift = _shift(area, area + np.float32(light))
    along = shift[RIM > 0]
    assert (np.abs(along - light).max(0) < 0.2 * np.abs(light)).all()
    by_radius = [shift[np.abs(RADIUS - radius) < 1][:, 0].mean() for radius in (28, 22, 16, 8, 0)]
    assert (np.diff(by_radius[:4]) < 0).all()
    assert by_radius[2] < 0.1 * 12
    assert abs(by_radius[-1]) < 0.01
    np.testing.assert_allclose(shift / light, shift[..., :1] / light[0] * np.ones(3), atol=1e-3)


def test_the_face_keeps_its_mean_colour_and_the_rim_its_light(area: Float) -> None:
    face = _disc(30)
    shift = _shift(area, area + 12, inside=face)
    assert abs(shift[face > 0].mean()) < 0.1
    assert shift[RIM > 0].mean() > 8
    assert shift[_disc(10) > 0].mean() < -1
    # and what is given back has an end
    assert _shift(area, area + 12, inside=(RIM > 0).astype(np.float32)).min() >= -15


def test_a_larger_face_takes_the_light_further_inwards(area: Float) -> None:
    below, ring = area + 10, np.abs(RADIUS - 20) < 1
    near, far = (float((lit_as(area, below, RIM, NOWHERE, px) - area)[ring].mean()) for px in (FACE_PX, 2 * FACE_PX))
    assert far > 2 * near > 0


def test_equal_light_and_no_rim_change_nothing(area: Float) -> None:
    np.testing.assert_allclose(_shift(area, area.copy()), 0, atol=1e-4)
    np.testing.assert_allclose(_shift(area, area + 20, np.zeros_like(RIM)), 0, atol=1e-4)


def test_only_the_rim_of_the_original_counts(area: Float) -> None:
    below = area + 10
    graffiti = np.where(RIM[..., None] > 0, below, _noise(1).astype(np.float32))
    elsewhere = RIM[..., None] == 0
    expected, found = _shift(area, below), _shift(area, graffiti)
    assert not np.array_equal(below * elsewhere, graffiti * elsewhere)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_hair_or_background_at_the_rim_is_no_light(area: Float) -> None:
    black, grey = np.zeros_like(area), area - 60
    assert np.abs(_shift(area, black)).max() < 1
    assert np.abs(_shift(area, grey)).max() < 20
    # a lock before half of the rim leaves the light of the other half as it is
    below = area + np.float32(10)
    below[:, SIZE // 2 :] = 0
    shift = _shift(area, below)
    left, right = (RIM > 0) & (_X < -15), (RIM > 0) & (_X > 15)
    assert shift[left].min() > 8
    assert np.abs(shift[right]).max() < 1


def test_each_side_has_its_own_light(area: Float) -> None:
    below = area + np.where(_X[..., None] < 0, 10, -10).astype(np.float32)
    shift = _shift(area, below)
    assert shift[(RIM > 0) & (_X < -15)].min() > 8
    assert shift[(RIM > 0) & (_X > 15)].max() < -8
