"""Alignment held to scikit-image, to the layout, and to the rule that every frame's transform is its own."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.transform import SimilarityTransform

from deid_audit.faces.align import (
    LAYOUT_INDICES,
    OVAL_SHARE,
    align,
    apply,
    attention_map,
    face_mask,
    frame_to_crop,
    similarity,
)
from deid_audit.frames import Float
from deid_audit.vision.mesh import FACE_OVAL
from tests.conftest import Portraits

SIZE = 64
EYES = (33, 133, 362, 263)
CHEEKS = (50, 280)


def _placed(portraits: Portraits, *, scale: float, degrees: float, centre: tuple[float, float]) -> Float:
    """Landmarks whose crop of SIZE px is exactly `scale` times the frame, turned by `degrees`, centred there."""
    to_layout = frame_to_crop(portraits.hopper.landmarks_xy, SIZE)
    crop_xy = apply(to_layout, portraits.hopper.landmarks_xy) - (SIZE - 1) / 2
    angle = np.deg2rad(degrees)
    turn = np.array(((np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))))
    return (crop_xy @ turn.T / scale + centre).astype(np.float32)


def _gradient(side: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A picture whose channels rise to the right, downwards and to both; and its levels a pixel (3, 2)."""
    slopes = np.array(((200 / side, 0), (0, 200 / side), (100 / side, 120 / side)))
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    planes = [slope[0] * x + slope[1] * y + 20 for slope in slopes]
    return np.ascontiguousarray(np.round(np.stack(planes, -1)).astype(np.uint8)), slopes


@pytest.mark.parametrize("seed", range(5))
def test_the_similarity_is_scikit_images(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, after = rng.normal(0, 50, (2, 16, 2))
    expected = SimilarityTransform.from_estimate(before, after)
    np.testing.assert_allclose(similarity(before, after), expected.params[:2], atol=1e-9)


def test_a_known_similarity_by_hand() -> None:
    corners = np.array(((0.0, 0), (2, 0), (2, 1), (0, 1)))
    # a quarter turn (x, y) -> (-y, x), doubled, moved by (5, -3)
    moved = np.array(((5.0, -3), (5, 1), (3, 1), (3, -3)))
    np.testing.assert_allclose(similarity(corners, moved), ((0, -2, 5), (2, 0, -3)), atol=1e-12)


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    points = np.random.default_rng(9).normal(0, 50, (16, 2))
    transform = similarity(points, points * (-1, 1))
    assert np.linalg.det(transform[:, :2]) > 0
    expected = SimilarityTransform.from_estimate(points, points * (-1, 1))
    np.testing.assert_allclose(transform, expected.params[:2], atol=1e-9)


def test_the_layout_holds_the_face_from_forehead_to_chin(portraits: Portraits) -> None:
    for person in portraits:
        crop_xy = apply(frame_to_crop(person.landmarks_xy, SIZE), person.landmarks_xy)
        outline = crop_xy[list(FACE_OVAL)]
        assert np.ptp(outline[:, 1]) == pytest.approx(OVAL_SHARE * SIZE, rel=0.08)
        assert outline.min() > 0
        assert outline.max() < SIZE - 1
        assert np.ptp(crop_xy[list(EYES), 1]) < 0.04 * SIZE
        # the person's right eye stays on the left of the crop
        assert crop_xy[33, 0] < crop_xy[263, 0]


@pytest.mark.parametrize(("scale", "degrees"), [(1.0, 0.0), (0.4, 25.0), (2.5, -70.0)])
def test_a_face_of_known_place_gets_the_transform_of_that_place(
    portraits: Portraits, scale: float, degrees: float
) -> None:
    points = _placed(portraits, scale=scale, degrees=degrees, centre=(300.0, 200.0))
    transform = frame_to_crop(points, SIZE)
    assert np.hypot(*transform[:, 0]) == pytest.approx(scale, rel=1e-4)
    assert np.rad2deg(np.arctan2(transform[0, 1], transform[0, 0])) == pytest.approx(degrees, abs=0.01)
    np.testing.assert_allclose(apply(transform, np.array(((300.0, 200.0),))), (((SIZE - 1) / 2,) * 2,), atol=1e-2)


def test_layout_points_land_on_the_layout_whatever_the_pose_in_the_frame(portraits: Portraits) -> None:
    landed = []
    for scale, degrees in ((1.0, 0.0), (0.3, 40.0), (1.7, -90.0)):
        points = _placed(portraits, scale=scale, degrees=degrees, centre=(150.0, 90.0))
        landed.append(apply(frame_to_crop(points, SIZE), points)[list(LAYOUT_INDICES)])
    np.testing.assert_allclose(landed[1:], [landed[0]] * 2, atol=1e-2)


def test_a_margin_shows_more_around_the_same_face(portraits: Portraits) -> None:
    points = portraits.astronaut.landmarks_xy
    wide, plain = frame_to_crop(points, 80, margin=1.25), frame_to_crop(points, 64)
    np.testing.assert_allclose(apply(wide, points), apply(plain, points) + 8, atol=1e-6)


def test_fast_movement_is_not_smoothed_away(portraits: Portraits) -> None:
    times = np.arange(25) / 25
    tremor_px = 3 * np.sin(2 * np.pi * 5 * times)
    centres = []
    for shift in tremor_px:
        transform = frame_to_crop(portraits.hopper.landmarks_xy + np.float32((shift, 0)), SIZE)
        crop_to_frame = cv2.invertAffineTransform(transform)
        centres.append(apply(crop_to_frame, np.array((((SIZE - 1) / 2,) * 2,)))[0])
    moved = np.array(centres) - np.mean(centres, 0)
    np.testing.assert_allclose(moved[:, 0], tremor_px - tremor_px.mean(), atol=1e-3)
    np.testing.assert_allclose(moved[:, 1], 0, atol=1e-3)
    assert np.ptp(moved[:, 0]) > 5


def test_a_moved_face_gives_the_same_crop(portraits: Portraits) -> None:
    still, moved = portraits.astronaut, portraits.astronaut.shifted(13, -7)
    first = align(0, still.image_rgb, still.landmarks_xy, SIZE)
    second = align(5, moved.image_rgb, moved.landmarks_xy, SIZE)
    assert second.frame_index == 5
    assert np.abs(first.crop_rgb.astype(int) - second.crop_rgb).mean() < 0.5
    np.testing.assert_allclose(first.mask, second.mask, atol=0.02)


@pytest.mark.parametrize("scale", [0.13, 0.23, 0.49, 0.8, 1.6])
@pytest.mark.parametrize("degrees", [0.0, 20.0])
def test_no_crop_is_shifted_against_its_transform(portraits: Portraits, scale: float, degrees: float) -> None:
    image, slopes = _gradient(900)
    points = _placed(portraits, scale=scale, degrees=degrees, centre=(450.0, 450.0))
    face = align(0, image, points, SIZE)
    columns, rows = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    crop_xy = np.stack((columns, rows), -1).reshape(-1, 2).astype(np.float64)
    frame_xy = apply(cv2.invertAffineTransform(face.frame_to_crop), crop_xy)
    inside = ((frame_xy > 5) & (frame_xy < 894)).all(1)
    assert inside.mean() > 0.9
    expected = frame_xy @ slopes.T + 20
    error = (face.crop_rgb.reshape(-1, 3) - expected)[inside].mean(0)
    # half a crop pixel of shift would be this many levels
    half_a_pixel = 0.5 / scale * np.abs(slopes).max(1)
    assert (np.abs(error) < np.maximum(0.1, 0.15 * half_a_pixel)).all()


def test_shrinking_averages_instead_of_picking_pixels(portraits: Portraits) -> None:
    stripes = np.zeros((900, 900, 3), np.uint8)
    stripes[:, ::2] = 254
    points = _placed(portraits, scale=0.19, degrees=0.0, centre=(450.0, 450.0))
    crop = align(0, stripes, points, SIZE).crop_rgb
    assert crop.mean() == pytest.approx(127, abs=3)
    assert crop.std() < 20


def test_pixels_beyond_the_border_repeat_the_edge(portraits: Portraits) -> None:
    image = np.full((100, 100, 3), 77, np.uint8)
    for scale in (0.3, 1.0):
        points = _placed(portraits, scale=scale, degrees=0.0, centre=(0.0, 99.0))
        assert (align(0, image, points, SIZE).crop_rgb == 77).all()


def test_the_mask_is_the_hull_of_the_outline(portraits: Portraits) -> None:
    for person in portraits:
        crop_xy = apply(frame_to_crop(person.landmarks_xy, SIZE), person.landmarks_xy)
        mask = face_mask(crop_xy, SIZE)
        assert mask.shape == (SIZE, SIZE)
        assert mask.dtype == np.float32
        assert mask.min() == 0
        assert mask.max() == 1
        hull = cv2.convexHull(crop_xy[list(FACE_OVAL)].astype(np.float32))
        for row in range(SIZE):
            for column in range(SIZE):
                depth = cv2.pointPolygonTest(hull, (column, row), True)
                if abs(depth) > 2.5:
                    assert mask[row, column] == float(depth > 0)


def test_attention_lies_on_eyes_brows_and_mouth_inside_the_face(portraits: Portraits) -> None:
    for person in portraits:
        for size in (SIZE, 80, 160):
            crop_xy = apply(frame_to_crop(person.landmarks_xy, size), person.landmarks_xy)
            attention, mask = attention_map(crop_xy, size), face_mask(crop_xy, size)
            assert attention.shape == (size, size)
            assert attention.min() >= 0
            assert attention.max() <= 1
            assert not ((attention > 0.1) & (mask < 0.5)).any()

            def at(index: int, attention: Float = attention, crop_xy: NDArray[np.float64] = crop_xy) -> float:
                column, row = np.round(crop_xy[index]).astype(int)
                return float(attention[row, column])

            assert min(at(33), at(263), at(13)) > 0.5
            assert min(at(105), at(334)) > 0.3
            assert max(at(cheek) for cheek in CHEEKS) < 0.05
            assert attention.mean() < 0.4
