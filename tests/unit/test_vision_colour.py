"""Colours of one face moved to another's: hand-computed on flat pictures, and unchanged where nothing is asked."""

import numpy as np
import pytest

from deid_audit.vision.colour import ColourStats, colour_stats, recolour
from tests.conftest import Portraits

EVERYWHERE = np.ones((20, 30), np.float32)


def _flat(red: int, green: int, blue: int) -> np.ndarray:
    return np.full((20, 30, 3), (red, green, blue), np.uint8)


def test_a_grey_of_known_lightness() -> None:
    # CIE 1976: sRGB 119 is linear 0.1845, so L* = 116 * 0.1845 ** (1 / 3) - 16 = 50.03; a* and b* of a grey are 0
    stats = colour_stats(_flat(119, 119, 119), EVERYWHERE)
    np.testing.assert_allclose(stats.mean, (50.03, 0, 0), atol=0.25)  # OpenCV reads the cube root from a table
    np.testing.assert_allclose(stats.spread, 1e-3, atol=1e-4)


def test_only_pixels_under_the_mask_count() -> None:
    image, mask = _flat(0, 0, 0), np.zeros((20, 30), np.float32)
    image[5:15, 5:15], mask[5:15, 5:15] = 255, 1
    np.testing.assert_allclose(colour_stats(image, mask).mean, (100, 0, 0), atol=0.05)
    # a mask with next to nothing in it says nothing: the whole image stands in, 100 white pixels of 600
    np.testing.assert_allclose(colour_stats(image, mask * 0.4).mean, (100 / 6, 0, 0), atol=0.05)


def test_a_flat_image_takes_the_targets_colour() -> None:
    target = _flat(200, 150, 130)
    moved = recolour(
        _flat(90, 110, 140), colour_stats(_flat(90, 110, 140), EVERYWHERE), colour_stats(target, EVERYWHERE)
    )
    np.testing.assert_allclose(moved.astype(int), target.astype(int), atol=1)


def test_nothing_changes_when_source_is_target(portraits: Portraits) -> None:
    image = portraits.astronaut.image_rgb
    stats = colour_stats(image, np.ones(image.shape[:2], np.float32))
    assert np.abs(recolour(image, stats, stats).astype(int) - image).max() <= 1


def test_means_and_spreads_arrive_at_the_target() -> None:
    rng = np.random.default_rng(0)
    image = np.clip(rng.normal(120, 12, (60, 60, 3)), 0, 255).astype(np.uint8)
    everywhere = np.ones((60, 60), np.float32)
    source = colour_stats(image, everywhere)
    target = ColourStats(mean=source.mean + np.array((10, 4, -5)), spread=source.spread * (1.4, 0.8, 1.2))
    arrived = colour_stats(recolour(image, source, target), everywhere)
    np.testing.assert_allclose(arrived.mean, target.mean, atol=0.3)
    np.testing.assert_allclose(arrived.spread, target.spread, rtol=0.03)


@pytest.mark.parametrize(("asked", "given"), [(5.0, 1.6), (0.1, 0.6)])
def test_contrast_changes_only_so_far(asked: float, given: float) -> None:
    rng = np.random.default_rng(0)
    grey = np.clip(rng.normal(120, 6, (60, 60, 1)), 0, 255).astype(np.uint8)
    image, everywhere = np.tile(grey, (1, 1, 3)), np.ones((60, 60), np.float32)
    source = colour_stats(image, everywhere)
    target = ColourStats(mean=source.mean, spread=source.spread * asked)
    arrived = colour_stats(recolour(image, source, target), everywhere)
    assert arrived.spread[0] == pytest.approx(source.spread[0] * given, rel=0.05)


def test_mixing_goes_from_one_to_the_other() -> None:
    one = ColourStats(mean=np.array((10.0, 0, 4)), spread=np.array((1.0, 2, 3)))
    other = ColourStats(mean=np.array((20.0, 8, 0)), spread=np.array((3.0, 2, 1)))
    quarter = one.mixed(other, 0.25)
    np.testing.assert_allclose(quarter.mean, (12.5, 2, 3))
    np.testing.assert_allclose(quarter.spread, (1.5, 2, 2.5))
    np.testing.assert_allclose(one.mixed(other, 1.0).mean, other.mean)
