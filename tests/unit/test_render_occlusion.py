"""What stands in front of a face: hands as they are drawn, hands that are none, and things the model does not know."""

from itertools import pairwise

import numpy as np
import pytest

from deid_audit.faces.align import align
from deid_audit.frames import AlignedFace, Image
from deid_audit.render.occlusion import comes_from_outside, finger_width, foreign_share, hand_mask
from deid_audit.vision.hands import FINGERS
from deid_audit.vision.mesh import FACE_OVAL
from tests.conftest import Portraits
from tests.unit.hand_shapes import open_hand

SIZE = 64
NO_HAND = np.zeros((SIZE, SIZE), np.uint8)


def _distance_to_bones(hand: np.ndarray, x: float, y: float) -> float:
    bones = [pair for joints in FINGERS for pair in pairwise(joints)]
    point = np.array((x, y))
    distances = []
    for first, second in bones:
        start, way = hand[first], hand[second] - hand[first]
        share = np.clip((point - start) @ way / (way @ way), 0, 1)
        distances.append(np.linalg.norm(point - start - share * way))
    return float(min(distances))


def test_a_hand_is_drawn_as_wide_as_its_fingers_and_no_wider() -> None:
    hand = open_hand((100, 190), (100, 30))
    mask = hand_mask([hand], 200, 200)
    finger = finger_width(hand)
    assert 10 < finger < 30
    for joints in FINGERS:
        for x, y in hand[list(joints[:-1])]:
            assert mask[round(float(y)), round(float(x))] == 255
    assert mask[150, 100] == 255, "the palm"
    above_knuckles = [(x, y) for y in range(0, 90, 3) for x in range(0, 200, 3)]
    far = [mask[y, x] for x, y in above_knuckles if _distance_to_bones(hand, x, y) > 0.62 * finger]
    near = [mask[y, x] for x, y in above_knuckles if _distance_to_bones(hand, x, y) < 0.25 * finger]
    assert max(far) == 0, "between the fingers nothing of the face may come through"
    assert len(near) > 50
    assert min(near) > 100


def test_a_hand_may_reach_beyond_the_picture_and_none_is_no_mask() -> None:
    assert not hand_mask([], 50, 60).any()
    mask = hand_mask([open_hand((30, 5000), (30, 20))], 50, 60)
    assert mask.shape == (50, 60)
    assert mask.any()
    assert not hand_mask([open_hand((900, 900), (800, 800))], 50, 60).any()


@pytest.mark.parametrize(
    ("wrist", "tip", "comes"),
    [((0.5, 0.95), (0.5, 0.3), False), ((0.5, 1.5), (0.5, 0.6), True), ((-0.4, 1.0), (0.5, 0.5), True)],
)
def test_a_hand_comes_from_outside_of_the_face(
    portraits: Portraits, wrist: tuple[float, float], tip: tuple[float, float], *, comes: bool
) -> None:
    left, top, right, bottom = portraits.hopper.box_xyxy
    in_box = [(left + x * (right - left), top + y * (bottom - top)) for x, y in (wrist, tip)]
    narrow = open_hand(*in_box)
    narrow[:, 0] = in_box[0][0] + (narrow[:, 0] - in_box[0][0]) * 0.8
    outline = portraits.hopper.landmarks_xy[list(FACE_OVAL)]
    assert comes_from_outside(narrow, outline) is comes


@pytest.fixture
def face(portraits: Portraits) -> AlignedFace:
    return align(0, portraits.hopper.image_rgb, portraits.hopper.landmarks_xy, SIZE)


def _painted(crop: Image, colour: tuple[int, int, int], rows: slice) -> Image:
    painted = crop.copy()
    painted[rows, 26:38] = colour
    return painted


def test_what_the_model_rebuilds_is_not_foreign_and_what_it_does_not_is(face: AlignedFace) -> None:
    assert foreign_share(face, face.crop_rgb, NO_HAND) == 0
    stick = _painted(face.crop_rgb, (20, 90, 20), slice(30, 46))
    expected = 12 * 16 / float((face.mask > 0.5).sum())
    assert expected < foreign_share(face, stick, NO_HAND) < 2 * expected  # the blur makes it a little wider


def test_a_known_hand_is_not_foreign_but_what_is_beside_it_is(face: AlignedFace) -> None:
    stick = _painted(face.crop_rgb, (20, 90, 20), slice(20, 46))
    upper, all_of_it = NO_HAND.copy(), NO_HAND.copy()
    upper[20:33, 26:38] = 255
    all_of_it[20:46, 26:38] = 255
    assert foreign_share(face, stick, all_of_it) == 0
    assert 0.02 < foreign_share(face, stick, upper) < 0.7 * foreign_share(face, stick, NO_HAND)


def test_a_model_of_few_steps_that_is_wrong_everywhere_is_no_alarm(face: AlignedFace) -> None:
    rough = np.clip(face.crop_rgb.astype(int) + np.array((28, 30, 26)), 0, 255).astype(np.uint8)
    assert foreign_share(face, rough, NO_HAND) < 0.02


def test_a_face_that_a_hand_hides_altogether_has_nothing_foreign(face: AlignedFace) -> None:
    assert foreign_share(face, 255 - face.crop_rgb, np.full_like(NO_HAND, 255)) == 0
