"""Where a warp and another face's movement bring every part of a drawn face whose landmarks are known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from deid_audit.swap.prior import _LEAST_GAP, _outwardness, moved_as
from deid_audit.swap.warping import framed, triangles, unfolded, warp
from deid_audit.vision.mesh import (
    FACE_OVAL,
    INNER_LIPS,
    LANDMARK_COUNT,
    LEFT_EYE,
    LEFT_IRIS,
    LIPS,
    NOSE_TIP,
    RIGHT_EYE,
    RIGHT_IRIS,
)
from tests.unit.made_faces import made_face, made_layout, pixels, ramps, shape

SIZE = 80
LIPS_AND_LIDS = (*INNER_LIPS, *LIPS, *RIGHT_EYE, *LEFT_EYE)
RINGS = ((RIGHT_EYE, 8), (LEFT_EYE, 8), (INNER_LIPS, 10))


def within_face(size: int, margin: float) -> NDArray[np.bool_]:
    return made_face(made_layout(), np.zeros((size, size, 3), np.uint8), margin=margin).mask > 0.5


def test_equal_shapes_leave_the_picture_as_it_is() -> None:
    picture = np.random.default_rng(0).random((SIZE, SIZE, 5)).astype(np.float32)
    same = warp(picture, shape(), shape(), SIZE, margins=(1.25, 1.25))
    assert same.shape == picture.shape
    np.testing.assert_allclose(same, picture, atol=1e-3)


def test_points_that_are_all_shifted_shift_the_face_by_as_much() -> None:
    shift = (3 / SIZE, -2 / SIZE)  # of a crop that shows just the layout: 3 px to the right, 2 px up
    moved = warp(ramps(SIZE), shape(), shape() + shift, SIZE, margins=(1.0, 1.0))
    expected = np.roll(ramps(SIZE), (-2, 3), axis=(0, 1))
    inside = within_face(SIZE, 1.12)  # somewhat within the outline
    np.testing.assert_allclose(moved[inside], expected[inside], atol=2e-3)
    # and where nothing moves, far outside, it is as it was
    margins = (1.5, 1.5)
    still = warp(ramps(SIZE), shape(), shape() + shift, SIZE, margins=margins)
    np.testing.assert_allclose(
        still[[0, 0, -1, -1], [0, -1, 0, -1]], ramps(SIZE)[[0, 0, -1, -1], [0, -1, 0, -1]], atol=0.02
    )


def test_every_point_takes_its_colour_with_it() -> None:
    begin = shape(lips=0.02, lids=0.03)
    end = shape(lips=0.08, lids=0.05, brows=-0.3)
    moved = warp(ramps(320), begin, end, 320, margins=(1.25, 1.25))
    found = [moved[round(y), round(x), :2] for x, y in pixels(end[list(LIPS_AND_LIDS)], 320, margin=1.25)]
    expected = pixels(begin[list(LIPS_AND_LIDS)], 320, margin=1.25) / 319
    np.testing.assert_allclose(found, expected, atol=1.5 / 319)


def test_margins_say_how_much_of_the_layout_picture_and_result_show() -> None:
    wide = ramps(100)
    cut = warp(wide, shape(), shape(), 80, margins=(1.25, 1.0))
    np.testing.assert_allclose(cut, wide[10:90, 10:90], atol=1e-3)


def test_turned_over_points_are_dropped_but_never_those_of_an_eye() -> None:
    begin = framed(shape())
    corners = triangles(begin)
    assert unfolded(begin, begin, corners).all()
    far = begin.copy()
    far[FACE_OVAL[0]] = (0, -0.9)  # beyond the edge, which stays
    assert unfolded(begin, far, corners)[LANDMARK_COUNT:].all()
    for index, to, stays in ((50, (0.3, 0.1), False), (RIGHT_EYE[4], (-0.16, -0.3), True)):
        end = begin.copy()
        end[index] = to  # beyond its neighbours
        kept = unfolded(begin, end, corners)
        assert bool(kept[index]) is stays
        assert kept[[*RIGHT_EYE, *LEFT_EYE]].all()
        assert kept[LANDMARK_COUNT:].all()
        assert 0.8 * len(kept) < kept.sum() < len(kept)


def test_lids_that_shut_leave_nothing_of_the_eye() -> None:
    eyes = np.zeros((320, 320, 5), np.float32)
    top, bottom = np.round(pixels(shape(lids=0.04)[[159, 145]], 320)[:, 1]).astype(int)
    eyes[top + 1 : bottom] = 1
    shut = warp(eyes, shape(lids=0.04), shape(lids=_LEAST_GAP), 320, margins=(1.0, 1.0))
    column = shut[top - 20 : bottom + 20, round(pixels(shape()[159], 320)[0]), 0]
    assert bottom - top > 10
    assert column.sum() <= _LEAST_GAP * 320 + 1  # the line that is left for the lashes


def test_equal_movement_is_carried_over_in_the_inner_face() -> None:
    own, neutral = shape(lids=0.04, brows=-0.3), shape(lips=0.01, lids=0.03)
    moved = neutral.copy()
    moved[[14, 17]] += (0.01, 0.05)  # the lower lip goes down
    moved[NOSE_TIP] += (0.02, 0.0)
    inner = _outwardness(own) == 0
    assert inner[[14, 17, NOSE_TIP]].all()
    result = moved_as(own, neutral, moved)
    np.testing.assert_allclose((result - own)[inner], (moved - neutral)[inner], atol=_LEAST_GAP)
    np.testing.assert_allclose(result[NOSE_TIP] - own[NOSE_TIP], (0.02, 0))


def test_at_the_outline_the_form_is_the_others() -> None:
    narrow, wide = shape() * (0.85, 1.0), shape()
    turned = wide + np.array((0.02, -0.01))
    result = moved_as(narrow, wide, turned)
    oval = list(FACE_OVAL)
    np.testing.assert_allclose(result[oval], turned[oval], atol=1e-9)
    np.testing.assert_allclose(result[NOSE_TIP], narrow[NOSE_TIP] + (0.02, -0.01))
    share = _outwardness(narrow)
    np.testing.assert_allclose(share[oval], 1, atol=1e-9)
    assert share[[NOSE_TIP, 13, 14]].tolist() == [0, 0, 0]
    assert 0 < share[(share > 0) & (share < 1)].min() < share[(share > 0) & (share < 1)].max() < 1


@pytest.mark.parametrize("by", [0.03, 0.2])
def test_lids_and_lips_never_cross(by: float) -> None:
    """The subject shuts eyes that are wide open; the donor's are narrower."""
    own, neutral = shape(lips=0.005, lids=0.015), shape(lips=by, lids=by)
    result = moved_as(own, neutral, shape(lips=0.0, lids=0.0))
    # the rings run from one corner to the other and back
    ahead = [index for ring, half in RINGS for index in ring[1:half]]
    back = [index for ring, half in RINGS for index in ring[:half:-1]]
    gaps = np.abs(result[ahead, 1] - result[back, 1])
    np.testing.assert_allclose(gaps, _LEAST_GAP, atol=1e-9)
    assert result[145, 1] > result[159, 1]
    assert result[14, 1] > result[13, 1]
    # the lower lid moves as the other's does; the upper one comes down to it, as in a blink
    assert result[145, 1] - own[145, 1] == pytest.approx(shape(lids=0.0)[145, 1] - neutral[145, 1])


def test_half_shut_is_half_shut_whatever_the_eyes_form() -> None:
    narrow, wide = shape(lids=0.02), shape(lids=0.06)
    half = moved_as(narrow, wide, shape(lids=0.03))
    assert half[145, 1] - half[159, 1] == pytest.approx(0.01)
    opened = moved_as(narrow, wide, shape(lids=0.07))  # wider than usual: by as much
    assert opened[145, 1] - opened[159, 1] == pytest.approx(0.03)


def test_irises_move_with_the_gaze_and_are_let_go_when_the_eye_shuts() -> None:
    begin, end = framed(shape(lids=0.04)), framed(shape(lids=0.04))
    corners = triangles(begin)
    irises = [*RIGHT_IRIS, *LEFT_IRIS]
    end[irises, 0] += 0.005
    assert unfolded(begin, end, corners)[irises].all()
    moved = moved_as(begin[:478], begin[:478], end[:478])
    np.testing.assert_allclose(moved[irises], end[irises], atol=1e-9)
    assert not unfolded(begin, framed(shape(lids=0.02)), corners)[irises].any()
