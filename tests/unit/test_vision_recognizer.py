"""The identity auditor on two people: who is the same, who is not, and what happens when no face can be described."""

import numpy as np
import pytest

from deid_audit.frames import Image
from deid_audit.render.conceal import grown
from deid_audit.vision.detectors import HogDetector
from deid_audit.vision.recognizer import MATCH_DISTANCE, Recognizer
from tests.conftest import Portrait, Portraits


def _jittered(person: Portrait) -> list[tuple[Portrait, Image]]:
    """The same person moved, smaller, darker, brighter and with noise."""
    rng = np.random.default_rng(2)
    small, moved = person.resized(0.5), person.shifted(7.3, -4.6)
    noisy = np.clip(person.image_rgb + rng.normal(0, 8, person.image_rgb.shape), 0, 255).astype(np.uint8)
    dark, bright = (np.clip(person.image_rgb * gain, 0, 255).astype(np.uint8) for gain in (0.5, 1.3))
    return [(small, small.image_rgb), (moved, moved.image_rgb), (person, noisy), (person, dark), (person, bright)]


def test_the_same_person_matches_and_another_does_not(portraits: Portraits, recognizer: Recognizer) -> None:
    plain = recognizer.describe([recognizer.chip(p.image_rgb, p.box_xyxy, None) for p in portraits])
    assert np.linalg.norm(plain[0] - plain[1]) > MATCH_DISTANCE
    for number, person in enumerate(portraits):
        rows = recognizer.describe([recognizer.chip(image, seen.box_xyxy, None) for seen, image in _jittered(person)])
        assert np.linalg.norm(rows - plain[number], axis=1).max() < MATCH_DISTANCE
        assert np.linalg.norm(rows - plain[1 - number], axis=1).min() > MATCH_DISTANCE


def test_the_chip_is_of_the_face_that_was_asked_for(portraits: Portraits, recognizer: Recognizer) -> None:
    both = np.zeros((600, 1024, 3), np.uint8)
    both[:600, :512] = portraits.hopper.image_rgb
    both[:512, 512:] = portraits.astronaut.image_rgb
    beside = portraits.astronaut.box_xyxy + np.float32((512, 0, 512, 0))
    asked = recognizer.describe(
        [recognizer.chip(both, portraits.hopper.box_xyxy, None), recognizer.chip(both, beside, None)]
    )
    alone = recognizer.describe([recognizer.chip(p.image_rgb, p.box_xyxy, None) for p in portraits])
    assert np.linalg.norm(asked - alone, axis=1).max() < 0.3


def test_a_neighbour_in_the_window_is_not_taken_for_the_face(portraits: Portraits, recognizer: Recognizer) -> None:
    heads, alone = [], []
    for person in portraits:
        small = person.resized(100 / float(np.ptp(person.box_xyxy[[1, 3]])))
        left, top = (int(edge) for edge in (small.box_xyxy[:2] + small.box_xyxy[2:]) / 2 - 65)
        heads.append(small.image_rgb[top : top + 130, left : left + 130])
        alone.append(recognizer.chip(small.image_rgb, small.box_xyxy, None))
    strip = np.ascontiguousarray(np.concatenate(heads, axis=1))
    assert len(HogDetector().detect(strip).boxes_xyxy) == 2
    boxes = [grown(np.float32((x, 15, x + 100, 115)), 1.8) for x in (15, 145)]
    asked = recognizer.describe([recognizer.chip(strip, box, None) for box in boxes])
    assert np.linalg.norm(asked - recognizer.describe(alone), axis=1).max() < 0.3


def test_a_box_beside_the_only_face_has_no_chip(portraits: Portraits, recognizer: Recognizer) -> None:
    wide = np.zeros((600, 1024, 3), np.uint8)
    wide[:, :512] = portraits.hopper.image_rgb
    beside = np.float32((390, 0, 800, 410))
    assert len(HogDetector().detect(np.ascontiguousarray(wide[:, 144:])).boxes_xyxy) == 1  # the window that is searched
    assert recognizer.chip(wide, beside, None) is None


def test_the_mesh_steps_in_where_hog_sees_nothing(portraits: Portraits, recognizer: Recognizer) -> None:
    for person in portraits:
        night = (person.image_rgb * 0.03).astype(np.uint8)
        assert not len(HogDetector().detect(night, upsample=1).boxes_xyxy)
        assert recognizer.chip(night, person.box_xyxy, None) is None
        chip = recognizer.chip(night, person.box_xyxy, person.landmarks_xy)
        assert chip is not None
        np.testing.assert_array_equal(chip, recognizer.chip_from_mesh(night, person.landmarks_xy))


def test_the_meshs_chip_is_nearly_dlibs(portraits: Portraits, recognizer: Recognizer) -> None:
    for person in portraits:
        chips = (
            recognizer.chip(person.image_rgb, person.box_xyxy, None),
            recognizer.chip_from_mesh(person.image_rgb, person.landmarks_xy),
        )
        first, second = recognizer.describe(chips)
        assert np.linalg.norm(first - second) < 0.3


def test_nothing_to_describe_is_not_described(recognizer: Recognizer) -> None:
    blank = np.zeros((200, 200, 3), np.uint8)
    assert recognizer.chip(blank, np.float32((50, 50, 150, 150)), None) is None
    assert recognizer.chip(blank, np.float32((500, 500, 600, 600)), None) is None


@pytest.mark.parametrize("count", [1, 17])
def test_a_missing_chip_has_no_numbers_and_moves_no_other_row(
    portraits: Portraits, recognizer: Recognizer, count: int
) -> None:
    chip = recognizer.chip(portraits.hopper.image_rgb, portraits.hopper.box_xyxy, None)
    rows = recognizer.describe([None, *[chip] * count, None])
    assert rows.shape == (count + 2, 128)
    assert np.isnan(rows[[0, -1]]).all()
    assert np.isfinite(rows[1:-1]).all()
    np.testing.assert_allclose(rows[1:-1], np.tile(recognizer.describe([chip]), (count, 1)), atol=1e-6)


def test_no_chips_give_no_rows(recognizer: Recognizer) -> None:
    assert recognizer.describe([]).shape == (0, 128)


def test_a_descriptor_is_the_same_alone_and_beside_others(portraits: Portraits, recognizer: Recognizer) -> None:
    chips = [
        recognizer.chip(image, seen.box_xyxy, None)
        for person in portraits
        for seen, image in [(person, person.image_rgb), *_jittered(person)]
    ]
    together, again = recognizer.describe(chips), recognizer.describe(chips)
    np.testing.assert_array_equal(together, again)
    for batch in (1, 2, 5):
        # rounding, in rows of length 1: no decision is taken to more than four digits
        np.testing.assert_allclose(recognizer.describe(chips, batch=batch), together, rtol=0, atol=2e-6)
