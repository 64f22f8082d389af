"""What is told from skin on a drawn face with a fringe, a mole and a beard, and on two real ones."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from deid_audit.frames import Float
from deid_audit.swap.prior import HAIR, FacePrior, make_prior, shape_of
from deid_audit.swap.skin import skin_only, with_hair
from deid_audit.vision.mesh import BROWS_AND_EYES, BROWS_MIDDLE, LEFT_EYE, LIPS, NOSE_TIP, RIGHT_EYE
from tests.conftest import Portrait, Portraits
from tests.unit.made_faces import made_face, made_layout, pixels, shape
from tests.unit.swap_faces import crops_of

SIZE, MARGIN = 200, 1.25
SKIN, DARK, RED, WALL = (0.85, 0.65, 0.55), (0.15, 0.1, 0.08), (0.7, 0.25, 0.25), (0.2, 0.35, 0.6)
FOREHEAD, CHEEK, CHIN = (0.0, -0.34), (0.2, 0.05), (0.0, 0.36)


def drawn() -> FacePrior:
    """Skin, dark brows and eyes, red lips, before a blue wall."""
    texture = np.full((SIZE, SIZE, 5), (*WALL, 0, 0), np.float32)
    mask = made_face(made_layout(), np.zeros((SIZE, SIZE, 3), np.uint8), margin=MARGIN).mask
    texture[cv2.dilate(mask, np.ones((5, 5))) > 0.5, :3] = SKIN
    for ring, colour in ((BROWS_AND_EYES[0], DARK), (BROWS_AND_EYES[1], DARK), (LIPS, RED)):
        cv2.fillConvexPoly(patch := np.zeros((SIZE, SIZE), np.uint8), _corners(shape()[list(ring)]), 1)
        texture[patch > 0, :3] = colour
    texture[..., 3] = mask
    return FacePrior(texture=texture, neutral_xy=shape(), margin=MARGIN)


def _corners(points: np.ndarray) -> np.ndarray:
    return cv2.convexHull(np.round(pixels(points, SIZE, margin=MARGIN)).astype(np.int32))


def painted(prior: FacePrior, left_top: tuple[float, float], right_bottom: tuple[float, float]) -> FacePrior:
    """The same with something dark in a rectangle of the layout."""
    size = prior.texture.shape[0]
    texture = prior.texture.copy()
    (x0, y0), (x1, y1) = np.round(pixels(np.array((left_top, right_bottom)), size, margin=MARGIN)).astype(int)
    texture[max(0, y0) : y1, max(0, x0) : x1, :3] = DARK
    return replace(prior, texture=texture)


def fringe(prior: FacePrior) -> FacePrior:
    """Hair from above down to just over the brows, over the whole width."""
    return painted(prior, (-1, -1), (1, -0.31))


def at(plane: Float, place: tuple[float, float]) -> float:
    x, y = np.round(pixels(np.array(place), plane.shape[0], margin=MARGIN)).astype(int)
    return round(float(plane[y, x]), 2)


def features(plane: Float, neutral: np.ndarray) -> set[float]:
    """The plane's values at the middle of the brows, around the eyes and lips, and on the nose."""
    return {at(plane, tuple(neutral[index])) for index in (*BROWS_MIDDLE, *RIGHT_EYE, *LEFT_EYE, *LIPS, NOSE_TIP)}


def test_a_fringe_is_left_out_of_the_donors_mask_and_all_else_stays() -> None:
    before = fringe(drawn())
    was = before.texture.copy()
    after = skin_only(before)
    np.testing.assert_array_equal(before.texture, was)
    np.testing.assert_array_equal(after.texture[..., :3], was[..., :3])
    mask = after.texture[..., 3]
    assert at(was[..., 3], FOREHEAD) == 1
    assert at(mask, FOREHEAD) == at(mask, (0.15, -0.33)) == 0
    assert at(mask, CHEEK) == at(mask, CHIN) == at(mask, (0.0, -0.22)) == 1
    assert features(mask, shape()) == {1}


def test_brows_under_the_fringe_stay() -> None:
    """Hair that hangs over a brow is as dark as the brow, and hangs together with it."""
    mask = skin_only(painted(drawn(), (-1, -1), (1, -0.265))).texture[..., 3]
    assert at(mask, FOREHEAD) == 0
    assert min(features(mask, shape())) > 0.5  # the edge is softened


def test_without_hair_no_more_than_the_masks_edge_is_taken_and_nothing_is_kept() -> None:
    prior = drawn()
    was, mask = prior.texture[..., 3], skin_only(prior).texture[..., 3]
    # the edge is softened by about a hundredth of the crop
    inner = cv2.erode(was, np.ones((13, 13))) == 1
    assert mask[inner].min() > 0.999
    assert not with_hair(prior).texture[..., HAIR].any()


def test_a_mole_is_skin_and_so_is_what_a_fringe_does_not_reach() -> None:
    prior = painted(drawn(), (0.18, 0.03), (0.22, 0.07))
    assert at(skin_only(prior).texture[..., 3], CHEEK) == 1
    assert at(with_hair(prior).texture[..., HAIR], CHEEK) == 0
    strand = painted(drawn(), (0.28, -1), (0.32, 0.07))  # as dark, and hanging down from above
    assert at(skin_only(strand).texture[..., 3], (0.3, 0.05)) == 0
    assert at(with_hair(strand).texture[..., HAIR], (0.3, 0.05)) == 0  # beside the eyes nothing is kept
    assert at(with_hair(strand).texture[..., HAIR], CHEEK) == 0


def test_skin_that_shows_through_a_fringe_is_left_out_with_it() -> None:
    prior, parting = fringe(drawn()), (0.0, -0.365)
    x, y = np.round(pixels(np.array(parting), SIZE, margin=MARGIN)).astype(int)
    prior.texture[y - 4 : y + 5, x - 4 : x + 5, :3] = SKIN
    assert at(skin_only(prior).texture[..., 3], parting) == 0
    assert at(with_hair(prior).texture[..., HAIR], parting) == 0  # the subject's own skin never stays


def test_hair_is_kept_above_the_brows_only() -> None:
    bearded = painted(fringe(drawn()), (-1, 0.23), (1, 1))
    after = with_hair(bearded)
    np.testing.assert_array_equal(after.texture[..., :4], bearded.texture[..., :4])
    assert not bearded.texture[..., HAIR].any()
    hair = after.texture[..., HAIR]
    assert at(hair, FOREHEAD) == 1
    assert at(hair, CHEEK) == 0
    brows = pixels(np.array((0, -0.27)), SIZE, margin=MARGIN)[1]
    assert not hair[int(np.ceil(brows)) :].any()
    side = with_hair(painted(drawn(), (-1, -1), (-0.25, 1))).texture[..., HAIR]  # hair that hangs down one side
    assert at(side, (-0.3, 0.1)) == 0


@pytest.mark.parametrize("which", ["hopper", "astronaut"])
def test_what_rims_of_glasses_enclose_is_the_face(portraits: Portraits, which: str) -> None:
    """Dark rims that reach the temples: the eyes behind them must neither stay as they were nor be painted over."""
    prior = _real(getattr(portraits, which), 320)
    texture = prior.texture.copy()
    canvas = np.zeros(texture.shape[:2], np.uint8)
    for ring, temple in ((RIGHT_EYE, 127), (LEFT_EYE, 356)):
        middle = pixels(prior.neutral_xy[list(ring)].mean(0), 320, margin=MARGIN).round().astype(int).tolist()
        out = pixels(prior.neutral_xy[temple] * 1.2, 320, margin=MARGIN).round().astype(int).tolist()
        cv2.circle(canvas, middle, 34, 1, 7)
        cv2.line(canvas, middle, out, 1, 7)
        cv2.circle(canvas, middle, 30, 0, -1)
    texture[canvas > 0, :3] = DARK
    worn = replace(prior, texture=texture)
    assert features(with_hair(worn).texture[..., HAIR], prior.neutral_xy) == {0}
    assert min(features(skin_only(worn).texture[..., 3], prior.neutral_xy)) > 0.5


def test_a_birthmark_that_reaches_the_hairline_does_not_stay() -> None:
    prior = fringe(drawn())
    texture = prior.texture.copy()
    x, y = np.round(pixels(np.array((0.1, -0.29)), SIZE, margin=MARGIN)).astype(int)
    texture[y - 8 : y + 4, x - 8 : x + 9, :3] = (0.6, 0.26, 0.25)
    hair = with_hair(replace(prior, texture=texture)).texture[..., HAIR]
    assert at(hair, FOREHEAD) == 1
    assert at(hair, (0.1, -0.29)) < 0.2


def test_hair_is_followed_beyond_the_outline_where_a_paste_reaches() -> None:
    hair = with_hair(fringe(drawn())).texture[..., HAIR]
    assert at(hair, (0.0, -0.44)) == 1  # just above the forehead
    assert at(hair, (0.38, 0.0)) == 0  # beside the cheek, where there is none
    assert at(hair, (0.0, -0.6)) == 0


@pytest.mark.parametrize("size", [80, 320])
@pytest.mark.parametrize("which", ["hopper", "astronaut"])
def test_real_faces_lose_a_painted_fringe_and_no_feature(portraits: Portraits, which: str, size: int) -> None:
    prior = _real(getattr(portraits, which), size)
    # down to the middle between the top of the forehead and the brows
    forehead = tuple(prior.neutral_xy[[10, 9, 8]].mean(0))
    combed = painted(prior, (-1, -1), (1, float(forehead[1]) + 0.02))
    assert at(prior.texture[..., 3], forehead) == 1
    mask = skin_only(combed).texture[..., 3]
    assert at(mask, forehead) == 0
    assert min(features(skin_only(prior).texture[..., 3], prior.neutral_xy)) > 0.9
    assert at(mask, tuple(prior.neutral_xy[50])) == 1  # a cheek
    assert at(with_hair(combed).texture[..., HAIR], forehead) > 0.9


def test_the_astronauts_own_fringe_is_hair_and_her_forehead_is_none(portraits: Portraits) -> None:
    prior = _real(portraits.astronaut, 320)
    mask, hair = skin_only(prior).texture[..., 3], with_hair(prior).texture[..., HAIR]
    parted, bare = tuple(prior.neutral_xy[251] * 0.95), tuple(prior.neutral_xy[9])
    assert (at(mask, bare), at(hair, bare)) == (1, 0)
    assert at(mask, parted) == 0
    inside = prior.texture[..., 3] > 0.5
    assert 0.03 < hair[inside].mean() < 0.25
    assert with_hair(_real(portraits.hopper, 320)).texture[inside, HAIR].mean() < 0.5 * hair[inside].mean()


def _real(person: Portrait, size: int) -> FacePrior:
    [face] = crops_of(person, 1, size=size)
    prior = make_prior([face], np.ones(1), margin=MARGIN)
    np.testing.assert_allclose(prior.neutral_xy, shape_of(face), atol=1e-6)
    return prior
