"""The map of a warp, pixel by pixel, beside scipy's interpolation on the same triangles; no pixel is left out."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator

from deid_audit.faces.align import layout_points
from deid_audit.swap.warping import Points, Tiles, _drawn, framed, in_pixels, triangles, unfolded
from deid_audit.vision.mesh import FACE_OVAL, LANDMARK_COUNT
from tests.conftest import Portraits
from tests.unit.made_faces import shape

STORED, MARGIN = 320, 1.25


def by_scipy(begin: Points, end: Points, size: int, margin: float) -> NDArray[np.float64]:
    """The places (size, size, 2) px of a stored texture that the pixels of a crop come from, as it once was."""
    grid = (np.arange(size) - (size - 1) / 2) * margin / size
    found = LinearNDInterpolator(end, begin)(np.stack(np.meshgrid(grid, grid), -1))
    return np.asarray(found * STORED / MARGIN + (STORED - 1) / 2)


def pairs(portraits: Portraits) -> Iterator[tuple[str, Points, Points]]:
    """Shapes to warp from and to: two people, a blink, a gaping and a pressed mouth, a turned head, shaken points."""
    first, second = (
        np.asarray(layout_points(one.landmarks_xy), np.float64) for one in (portraits.hopper, portraits.astronaut)
    )
    yield "two people", first, second
    yield "back", second, first
    yield "a blink", shape(lids=0.04), shape(lids=0.002)
    yield "shut eyes", shape(lids=0.03), shape(lids=0.0)
    yield "a gaping mouth", shape(), shape(lips=0.12)
    yield "a pressed mouth", shape(lips=0.12), shape()
    yield "a turned head", shape(), shape(turn=0.3)
    folded = second.copy()
    folded[list(FACE_OVAL[5:12]), 0] -= 0.35  # a far cheek, behind the nose
    yield "a cheek turned over", first, folded
    beyond = first.copy()
    beyond[FACE_OVAL[0]] = (0, -0.9)  # out of the edge, which stays
    yield "a forehead beyond the edge", first, beyond
    for seed in range(6):
        yield f"shaken {seed}", first, second + np.random.default_rng(seed).normal(0, 0.006, second.shape)


@pytest.mark.parametrize(("size", "margin"), [(64, 1.0), (80, 1.25), (256, 1.0), (320, 1.25)])
def test_the_map_is_scipys(portraits: Portraits, size: int, margin: float) -> None:
    folds = 0
    whole = slice(0, size)
    for name, from_xy, to_xy in pairs(portraits):
        begin, end = framed(from_xy), framed(to_xy)
        kept = unfolded(begin, end, triangles(begin))
        folds += int((~kept).any())
        tiles = Tiles.of(end, kept, size, margin)
        found = tiles.sources(in_pixels(begin, STORED, MARGIN), (whole, whole))
        expected = by_scipy(begin[kept], end[kept], size, margin)
        # a map is single precision: one step of it is 3e-5 where a place is over 256 px
        np.testing.assert_allclose(np.stack(found, -1), expected, rtol=0, atol=4e-5, err_msg=name)
    assert folds >= 5


def test_a_window_is_a_part_of_the_whole(portraits: Portraits) -> None:
    image = np.random.default_rng(0).random((STORED, STORED, 5)).astype(np.float32)
    for _, from_xy, to_xy in pairs(portraits):
        begin, end = framed(from_xy), framed(to_xy)
        tiles = Tiles.of(end, unfolded(begin, end, triangles(begin)), 96, 1.0)
        window = (slice(50, 71), slice(30, 63))
        part = tiles.warped(image[..., :3], begin, MARGIN, window)
        np.testing.assert_array_equal(part, tiles.warped(image, begin, MARGIN)[window][..., :3])


def test_every_pixel_lies_in_its_triangle_also_on_corners_and_edges() -> None:
    """Corners on the pixels' centres, edges along rows, columns and diagonals, and points that coincide."""
    x, y = np.meshgrid(np.arange(-1, 12), np.arange(-1, 12))
    points = np.column_stack((x.ravel(), y.ravel())).astype(np.float64)
    points = np.concatenate((points[np.random.default_rng(3).permutation(len(points))], points[:5]))
    corners = triangles(points)
    labels = _drawn(points, corners, 11)
    rows, columns = np.indices(labels.shape)
    pixels = np.stack((columns, rows), -1)[..., None, :]
    around = points[corners[labels]]
    ahead = np.roll(around, -1, -2) - around
    away = pixels - around
    sides = ahead[..., 0] * away[..., 1] - ahead[..., 1] * away[..., 0]
    assert ((sides >= 0).all(-1) | (sides <= 0).all(-1)).all()
    area = np.abs(ahead[..., 0, 0] * ahead[..., 1, 1] - ahead[..., 0, 1] * ahead[..., 1, 0])
    assert (area > 0).all()


def test_points_that_do_not_move_leave_each_pixel_where_it_is() -> None:
    end = framed(shape(lips=0.05))
    tiles = Tiles.of(end, np.ones(len(end), np.bool_), 64, 1.0)
    across, down = tiles.sources(in_pixels(end, 64, 1.0), (slice(10, 20), slice(30, 50)))
    np.testing.assert_allclose(across, np.tile(np.arange(30, 50), (10, 1)), atol=1e-5)
    np.testing.assert_allclose(down, np.tile(np.arange(10, 20)[:, None], (1, 20)), atol=1e-5)
    assert len(end) > LANDMARK_COUNT
