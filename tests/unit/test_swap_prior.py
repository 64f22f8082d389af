"""The posed mean face on a drawn face whose landmarks are known: what it is made of, and what it shows where."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from deid_audit.frames import Float
from deid_audit.swap.prior import (
    _LEAST_GAP,
    FacePrior,
    _between_lips,
    make_prior,
    moved_as,
    shape_of,
    with_open_mouth,
)
from deid_audit.vision.mesh import NOSE_TIP
from tests.conftest import Portraits
from tests.unit.made_faces import made_face, made_layout, pixels, ramps, shape
from tests.unit.swap_faces import crops_of

SIZE = 80


def _prior(
    texture: Float, at: NDArray[np.float64], *, margin: float = 1.25, mouth: FacePrior | None = None
) -> FacePrior:
    return FacePrior(texture=texture, neutral_xy=at, margin=margin, open_mouth=mouth)


def test_a_face_is_posed_as_large_as_it_is_asked_for() -> None:
    prior = _prior(ramps(200), shape())
    for size, margin in ((64, 1.0), (128, 1.0), (80, 1.25)):
        posed = prior.posed(shape(), size, margin=margin)
        assert posed.shape == (size, size, 5)
        places = pixels(shape()[[NOSE_TIP, 13, 10]], size, margin=margin)
        found = [posed[round(y), round(x), :2] for x, y in places]
        np.testing.assert_allclose(found, pixels(shape()[[NOSE_TIP, 13, 10]], 200, margin=1.25) / 199, atol=1 / size)
    smaller = prior.resized(50)
    assert smaller.texture.shape == (50, 50, 5)
    np.testing.assert_allclose(smaller.texture, prior.texture.reshape(50, 4, 50, 4, 5).mean((1, 3)), atol=1e-5)
    assert smaller.margin == prior.margin
    assert smaller.neutral_xy is prior.neutral_xy


@pytest.mark.parametrize(("lips", "shown"), [(0.0, False), (0.08, True)])
def test_the_open_mouth_shows_between_the_lips_only_where_they_are_apart(lips: float, *, shown: bool) -> None:
    skin, teeth = np.full((SIZE, SIZE, 5), 0.2, np.float32), np.full((SIZE, SIZE, 5), 0.9, np.float32)
    whole = _prior(skin, shape(), mouth=_prior(teeth, shape(lips=0.06)))
    posed = whole.posed(shape(lips=lips), 160)
    x, y = pixels(shape()[[13, 14]], 160).mean(0)
    assert bool(posed[round(y), round(x), 0] > 0.85) is shown
    beside = _between_lips(shape(lips=lips), 160, 1.0) == 0
    np.testing.assert_allclose(posed[beside], 0.2, atol=1e-5)
    np.testing.assert_allclose(posed[..., 3:], 0.2, atol=1e-5)  # the mask is the face's own


def test_the_open_mouth_is_warped_from_its_own_shape() -> None:
    mouth = _prior(ramps(320), shape(lips=0.1))
    whole = _prior(np.zeros((SIZE, SIZE, 5), np.float32), shape(), mouth=mouth)
    posed = whole.posed(shape(lips=0.05), 320)
    x, y = np.round(pixels(shape(lips=0.03)[14], 320)).astype(int)  # within the lips, at three fifths of their gap
    expected = pixels(shape(lips=0.06)[14], 320, margin=1.25)[1] / 319
    assert posed[y, x, 1] == pytest.approx(expected, abs=1.5 / 319)


def test_between_the_lips_is_what_the_inner_lips_surround() -> None:
    for margin in (1.0, 1.25):
        found = _between_lips(shape(lips=0.1), 320, margin)
        ellipse = np.pi * 0.1 * 0.05 * (320 / margin) ** 2  # half axes of the inner lips, of the crop's height
        assert float(found.sum()) == pytest.approx(ellipse, rel=0.1)
        assert found.max() == 1
    # of lips that touch no more than the line where they do
    rows = np.flatnonzero(_between_lips(shape(lips=0.0), 320, 1.0).any(1))
    assert np.abs(rows - pixels(shape()[13], 320)[1]).max() <= 2.5


def test_a_mean_face_is_the_weighted_mean_in_the_weighted_mean_shape() -> None:
    levels, layouts = (50, 100, 200), (made_layout(lips=0.0), made_layout(lips=0.04), made_layout(lips=0.08))
    faces = [
        made_face(layout, np.full((SIZE, SIZE, 3), level, np.uint8), margin=1.25)
        for level, layout in zip(levels, layouts, strict=True)
    ]
    weights = np.array((2.0, 1.0, 1.0))
    prior = make_prior(faces, weights, margin=1.25)
    np.testing.assert_allclose(prior.neutral_xy, shape(lips=0.03), atol=1e-6)
    np.testing.assert_allclose(prior.texture[..., :3], (2 * 50 + 100 + 200) / 4 / 255, atol=1e-5)
    np.testing.assert_allclose(prior.texture[..., 3], faces[0].mask, atol=0.02)
    assert not prior.texture[..., 4].any()
    np.testing.assert_array_equal(shape_of(faces[1]), made_layout(lips=0.04))


def test_features_that_lie_elsewhere_come_to_lie_on_each_other() -> None:
    faces = []
    for turn in (-0.05, 0.05):
        layout = made_layout(turn=turn)
        crop = np.zeros((SIZE, SIZE, 3), np.uint8)
        x, y = np.round(pixels(layout[NOSE_TIP], SIZE)).astype(int)
        crop[y - 2 : y + 3, x - 2 : x + 3] = 255  # a dot on the tip of the nose
        faces.append(made_face(layout, crop))
    mean = make_prior(faces, np.ones(2), margin=1.0).texture[..., 0]
    x, y = np.round(pixels(shape()[NOSE_TIP], SIZE)).astype(int)
    assert mean[y, x] > 0.9
    assert mean[y, [x - 4, x + 4]].max() < 0.6


def test_of_many_faces_those_that_weigh_most_stand_for_all() -> None:
    levels = [10] * 60 + [200] * 48
    faces = [made_face(made_layout(), np.full((SIZE, SIZE, 3), level, np.uint8)) for level in levels]
    weights = np.array([0.001] * 60 + [1.0] * 48)
    np.testing.assert_allclose(make_prior(faces, weights, margin=1.0).texture[..., :3], 200 / 255, atol=1e-5)


def _gaping(levels: Sequence[int], gaps: Sequence[float]) -> FacePrior:
    faces = [
        made_face(made_layout(lips=gap), np.full((SIZE, SIZE, 3), level, np.uint8), margin=1.25)
        for level, gap in zip(levels, gaps, strict=True)
    ]
    return with_open_mouth(_prior(np.full((SIZE, SIZE, 5), 0.5, np.float32), shape()), faces)


def test_the_open_mouth_is_of_the_four_faces_that_open_it_most() -> None:
    prior = _gaping((10, 200, 210, 20, 220, 230), (0.0, 0.06, 0.07, 0.01, 0.05, 0.06))
    assert prior.open_mouth is not None
    np.testing.assert_allclose(prior.open_mouth.texture[..., :3], 215 / 255, atol=1e-5)
    np.testing.assert_allclose(prior.open_mouth.neutral_xy, shape(lips=0.06), atol=1e-6)
    assert prior.open_mouth.margin == 1.25
    assert prior.open_mouth.open_mouth is None


def test_arrays_are_all_that_shows_the_face() -> None:
    prior = _gaping((10, 200), (0.0, 0.06))
    mouth = prior.open_mouth
    assert mouth is not None
    expected = [getattr(face, name) for face in (prior, mouth) for name in ("texture", "neutral_xy", "corners")]
    assert [id(array) for array in prior.arrays()] == [id(array) for array in expected]
    for array in prior.arrays():
        array.fill(0)
    assert not prior.posed(shape(lips=0.05), SIZE).any()


def test_a_real_face_posed_as_itself_is_itself(portraits: Portraits) -> None:
    for person in portraits:
        [face] = crops_of(person, 1)
        prior = with_open_mouth(make_prior([face], np.ones(1), margin=1.25), [face])
        posed = prior.posed(shape_of(face), SIZE, margin=1.25)
        assert np.abs(posed[..., :3] * 255 - face.crop_rgb).max() < 1
        np.testing.assert_allclose(posed[..., 3], face.mask, atol=1e-3)
        own = moved_as(prior.neutral_xy, prior.neutral_xy, shape_of(face))
        np.testing.assert_allclose(own, prior.neutral_xy, atol=_LEAST_GAP)
