"""Following a face by its look: along its way in both directions, never across a cut or to something else."""

import numpy as np

from deid_audit.faces.follow import Recent, is_cut
from deid_audit.frames import Float, Frame, Image
from tests.conftest import Portraits

STEP = 6


def walk(portraits: Portraits, count: int) -> tuple[list[Image], list[Float]]:
    """A small portrait that moves over a patterned wall, and its face's boxes."""
    wall = np.random.default_rng(1).integers(90, 140, (20, 34, 3), dtype=np.uint8).repeat(12, 0).repeat(12, 1)
    person = portraits.astronaut.resized(0.3)
    height, width = person.image_rgb.shape[:2]
    images, boxes = [], []
    for index in range(count):
        image, left = wall.copy(), 20 + STEP * index
        image[40 : 40 + height, left : left + width] = person.image_rgb
        images.append(image)
        boxes.append(person.box_xyxy + np.float32((left, 40, left, 40)))
    return images, boxes


def fed(images: list[Image], length: int = 30) -> tuple[Recent, list[bool]]:
    recent = Recent(length)
    cuts = [recent.add(Frame(index=i, pts=i, image_rgb=image)) for i, image in enumerate(images)]
    return recent, cuts


def test_a_face_is_followed_back_to_where_it_was(portraits: Portraits) -> None:
    images, boxes = walk(portraits, 8)
    recent, cuts = fed(images)
    found = recent.back(boxes[-1])
    assert sorted(found) == list(range(7)) and not any(cuts)
    for index, box in found.items():
        assert np.abs(box - boxes[index]).max() <= 2 + (7 - index)


def test_only_the_last_frames_are_kept(portraits: Portraits) -> None:
    images, boxes = walk(portraits, 8)
    recent, _ = fed(images, length=4)
    assert sorted(recent.back(boxes[-1])) == [4, 5, 6]


def test_a_face_that_was_not_there_is_not_followed(portraits: Portraits) -> None:
    images, boxes = walk(portraits, 3)
    empty = np.full_like(images[0], 110)
    recent, _ = fed([empty, empty, *images])
    assert set(recent.back(boxes[-1])) == {2, 3}


def test_a_face_is_followed_on_until_it_is_gone(portraits: Portraits) -> None:
    images, boxes = walk(portraits, 3)
    recent, _ = fed(images[:2])
    look = recent.look_of(boxes[1])
    recent.add(Frame(index=2, pts=2, image_rgb=images[2]))
    box = recent.on(boxes[1], look)
    assert box is not None
    assert np.abs(box - boxes[2]).max() <= 2
    recent.add(Frame(index=3, pts=3, image_rgb=np.full_like(images[0], 110)))
    assert recent.on(boxes[2], look) is None


def test_nothing_is_followed_over_a_cut(portraits: Portraits) -> None:
    images, boxes = walk(portraits, 4)
    other = np.ascontiguousarray(255 - images[0][::-1])
    recent, cuts = fed([other, *images])
    assert cuts == [False, True, False, False, False]
    assert set(recent.back(boxes[-1])) == {1, 2, 3}


def test_a_change_of_light_is_no_cut(portraits: Portraits) -> None:
    thumbnail = portraits.astronaut.resized(1 / 8).image_rgb[:64, :64, 0]
    assert not is_cut(thumbnail, (thumbnail * 0.5).astype(np.uint8))
    assert is_cut(thumbnail, 255 - thumbnail)


def test_a_plain_patch_is_not_followed() -> None:
    recent, _ = fed([np.full((90, 120, 3), 80, np.uint8)] * 3)
    assert recent.back(np.float32((40, 30, 70, 60))) == {}
