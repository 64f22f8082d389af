"""Pasting: what it touches, what it leaves, and that colours do not flicker."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from deid_audit.faces.align import align
from deid_audit.frames import AlignedFace, Float, Image, SwappedFace
from deid_audit.render.blend import (
    _FEATHER_SHARE,
    PLAIN,
    SOLID,
    WIDER,
    Blend,
    SteadyColour,
    enlarged,
    masks_agree,
    paste,
)
from deid_audit.vision.colour import ColourStats
from deid_audit.vision.mesh import FACE_OVAL
from tests.conftest import Portrait, Portraits
from tests.unit.made_faces import made_face, made_layout

SIZE = 64
RATE = 25.0


def _swapped(crop_rgb: Image, mask: Float, hair: Float | None = None) -> SwappedFace:
    return SwappedFace(crop_rgb=crop_rgb, mask=mask, hair=np.zeros_like(mask) if hair is None else hair)


def _donor_on(person: Portrait, donor: Portrait) -> tuple[AlignedFace, SwappedFace]:
    """The other portrait's own crop stands for what a net would make."""
    face = align(0, person.image_rgb, person.landmarks_xy, SIZE)
    return face, _swapped(align(0, donor.image_rgb, donor.landmarks_xy, SIZE).crop_rgb, face.mask)


def _depth(person: Portrait) -> tuple[NDArray[np.float64], float]:
    """Pixels' distance inside (positive) or outside the pasted outline, and the feather, both in px."""
    outline = person.landmarks_xy[list(FACE_OVAL)].astype(np.float64)
    centre = outline.mean(0)
    hull = cv2.convexHull((centre + (outline - centre) * PLAIN.grow).astype(np.float32))
    height, width = person.image_rgb.shape[:2]
    depth = [[cv2.pointPolygonTest(hull, (x, y), True) for x in range(width)] for y in range(height)]
    return np.array(depth), max(1.0, _FEATHER_SHARE * float(np.ptp(hull[:, 0, 0])))


@pytest.mark.parametrize("which", ["hopper", "astronaut"])
def test_only_the_face_and_its_feather_are_touched(portraits: Portraits, which: str) -> None:
    person = getattr(portraits, which).resized(0.5)
    other = portraits.astronaut if which == "hopper" else portraits.hopper
    face, swapped = _donor_on(person, other)
    before = person.image_rgb.copy()
    result = paste(person.image_rgb, person.landmarks_xy, face, swapped, SteadyColour(RATE))
    np.testing.assert_array_equal(person.image_rgb, before)
    assert result.shape == before.shape
    assert result.dtype == np.uint8
    depth, feather = _depth(person)
    changed = (result != before).any(-1)
    assert not changed[depth < -3 * feather - 2].any()
    assert changed[depth > 2 * feather].mean() > 0.9
    assert np.abs(result.astype(int) - before)[depth > 2 * feather].mean() > 8


def test_the_pasted_face_covers_the_original_whatever_that_was(portraits: Portraits) -> None:
    person = portraits.hopper.resized(0.5)
    face, swapped = _donor_on(person, portraits.astronaut)
    depth, feather = _depth(person)
    deep = depth > 3 * feather + 2
    graffiti = person.image_rgb.copy()
    graffiti[deep] = np.random.default_rng(0).integers(0, 256, (int(deep.sum()), 3), dtype=np.uint8)
    plain, covered = (
        paste(image, person.landmarks_xy, face, swapped, SteadyColour(RATE)) for image in (person.image_rgb, graffiti)
    )
    # inside the outline no original pixel shines through: two different frames give one picture
    np.testing.assert_array_equal(plain, covered)


def test_a_face_pasted_onto_itself_stays_where_it_was(portraits: Portraits) -> None:
    for person in portraits:
        small = person.resized(50 / float(np.ptp(person.box_xyxy[[1, 3]])))
        face = align(0, small.image_rgb, small.landmarks_xy, 128)
        whole = _swapped(face.crop_rgb, np.ones_like(face.mask))  # nothing to continue beyond it
        result = paste(small.image_rgb, small.landmarks_xy, face, whole, SteadyColour(RATE))
        assert np.abs(result.astype(int) - small.image_rgb).mean() < 0.5
        assert np.abs(result.astype(int) - small.image_rgb).max() < 30
        shifted = np.roll(small.image_rgb, 1, axis=1)
        assert np.abs(shifted.astype(int) - small.image_rgb).max() > 60


def test_the_pasted_face_takes_the_originals_colours(portraits: Portraits) -> None:
    person = portraits.hopper.resized(0.5)
    face, swapped = _donor_on(person, portraits.astronaut)
    blue = _swapped(np.clip(swapped.crop_rgb + np.array((-60, -20, 40)), 0, 255).astype(np.uint8), swapped.mask)
    result = paste(person.image_rgb, person.landmarks_xy, face, blue, SteadyColour(RATE))
    depth, feather = _depth(person)
    inside = depth > 3 * feather
    np.testing.assert_allclose(result[inside].mean(0), person.image_rgb[inside].mean(0), atol=12)


def test_a_face_at_the_border_is_pasted_as_far_as_the_frame_goes(portraits: Portraits) -> None:
    person = portraits.astronaut.resized(0.5)
    left = int(person.box_xyxy[:3:2].mean())
    cut = Portrait(
        image_rgb=np.ascontiguousarray(person.image_rgb[:, left:]),
        landmarks_xy=person.landmarks_xy - np.float32((left, 0)),
        box_xyxy=person.box_xyxy - np.float32((left, 0, left, 0)),
    )
    face, swapped = _donor_on(cut, portraits.hopper)
    result = paste(cut.image_rgb, cut.landmarks_xy, face, swapped, SteadyColour(RATE))
    assert (result != cut.image_rgb).any(-1)[:, :10].any()


def test_a_face_outside_the_frame_changes_nothing_and_is_still_a_copy(portraits: Portraits) -> None:
    person = portraits.astronaut.resized(0.5)
    face, swapped = _donor_on(person, portraits.hopper)
    for shift in ((5000, 0), (-5000, 0), (0, 5000)):
        result = paste(person.image_rgb, person.landmarks_xy + np.float32(shift), face, swapped, SteadyColour(RATE))
        np.testing.assert_array_equal(result, person.image_rgb)
        assert not np.shares_memory(result, person.image_rgb)


class Unmatched(SteadyColour):
    """Leaves colours so far from the original's that no light is taken over either: only the mask is seen."""

    def follow(self, frame_index: int, original: ColourStats, swapped: ColourStats) -> tuple[ColourStats, ColourStats]:
        return swapped, swapped


def test_a_wider_mask_takes_more_of_forehead_cheeks_and_jaw_and_a_solid_one_is_full_up_to_its_edge(
    portraits: Portraits,
) -> None:
    person = portraits.hopper
    face, swapped = _donor_on(person, portraits.astronaut)
    blue = _swapped(np.full_like(swapped.crop_rgb, (0, 0, 255)), np.ones_like(swapped.mask))
    plain, wider, solid = (
        np.abs(
            paste(person.image_rgb, person.landmarks_xy, face, blue, Unmatched(RATE), blend=blend).astype(int)
            - person.image_rgb
        ).sum(-1)
        for blend in (PLAIN, WIDER, SOLID)
    )
    outline = person.landmarks_xy[list(FACE_OVAL)]
    centre = outline.mean(0)
    for point, reach in ((outline[0], 1.09), (outline[18], 1.07), (outline[9], 1.07), (outline[27], 1.07)):
        x, y = np.round(centre + (point - centre) * reach).astype(int)
        assert plain[y, x] < 0.4 * wider[y, x], (x, y)
    assert (solid > 0).sum() > (wider > 0).sum() > (plain > 0).sum()
    x, y = np.round(centre + (outline[9] - centre) * WIDER.grow).astype(int)
    assert wider[y, x] < 0.8 * solid[y, x], "half strength at the edge, and full"


def test_what_stands_in_front_stays_and_gives_no_colour(portraits: Portraits) -> None:
    person = portraits.hopper.resized(0.5)
    face, swapped = _donor_on(person, portraits.astronaut)
    height, width = person.image_rgb.shape[:2]
    kept = np.zeros((height, width), np.uint8)
    x, y = person.landmarks_xy[13].astype(int)
    kept[y - 12 : y + 12, x - 20 : x + 20] = 255
    in_front = person.image_rgb.copy()
    in_front[kept > 0] = (0, 255, 0)
    face = align(0, in_front, person.landmarks_xy, SIZE)
    result = paste(in_front, person.landmarks_xy, face, swapped, SteadyColour(RATE), kept=kept)
    plain = paste(person.image_rgb, person.landmarks_xy, face, swapped, SteadyColour(RATE))
    depth, feather = _depth(person)
    inside = depth > 3 * feather
    np.testing.assert_array_equal(result[kept > 0], in_front[kept > 0])
    beside = inside & (kept == 0)
    assert (result != in_front).any(-1)[beside].mean() > 0.9
    np.testing.assert_allclose(result[beside].mean(0), person.image_rgb[beside].mean(0), atol=12)
    green = plain[beside].mean(0)[1] - result[beside].mean(0)[1]
    assert green > 10, "painted over, the green would be taken for the subject's colour"


def _fringe(person: Portrait) -> tuple[Image, AlignedFace, Float]:
    """The frame with green hair down to the eyes, its crop, and the hair (128, 128), finer than the crop."""
    height, width = person.image_rgb.shape[:2]
    rows = np.arange(height)[:, None] < person.landmarks_xy[[159, 386], 1].min() - 2
    hair = np.repeat(rows, width, axis=1).astype(np.float32)
    frame = person.image_rgb.copy()
    frame[hair > 0] = (0, 255, 0)
    face = align(0, frame, person.landmarks_xy, SIZE)
    return frame, face, cv2.warpAffine(hair, enlarged(face.frame_to_crop, 2), (2 * SIZE, 2 * SIZE))


@pytest.mark.parametrize(("blend", "stays"), [(PLAIN, True), (WIDER, False), (SOLID, False)])
def test_the_subjects_hair_stays_in_front_where_nothing_more_is_asked(
    portraits: Portraits, blend: Blend, *, stays: bool
) -> None:
    person = portraits.hopper.resized(0.5)
    frame, face, hair = _fringe(person)
    _, donor = _donor_on(person, portraits.astronaut)
    swapped = _swapped(donor.crop_rgb, donor.mask, hair)
    result = paste(frame, person.landmarks_xy, face, swapped, SteadyColour(RATE), blend=blend)
    bald = paste(frame, person.landmarks_xy, face, donor, SteadyColour(RATE), blend=blend)
    depth, feather = _depth(person)
    inside = depth > 3 * feather
    green = (frame == (0, 255, 0)).all(-1)
    brow = int(np.flatnonzero(green.any(1)).max())
    well_within = inside & green
    well_within[brow - 1 :] = False
    assert well_within.sum() > 300
    assert (result == frame).all(-1)[well_within].mean() == (1 if stays else pytest.approx(0, abs=0.01))
    below = inside & ~green
    assert (result != frame).any(-1)[below].mean() > 0.9
    # hair that stays gives the skin no colour either
    assert bool(result[below].mean(0)[1] < bald[below].mean(0)[1] - 10) is stays


def test_hair_and_what_is_held_in_front_both_stay(portraits: Portraits) -> None:
    person = portraits.hopper.resized(0.5)
    frame, face, hair = _fringe(person)
    _, donor = _donor_on(person, portraits.astronaut)
    kept = np.zeros(frame.shape[:2], np.uint8)
    x, y = person.landmarks_xy[13].astype(int)
    kept[y - 8 : y + 8, x - 8 : x + 8] = 255
    before = kept.copy()
    swapped = _swapped(donor.crop_rgb, donor.mask, hair)
    result = paste(frame, person.landmarks_xy, face, swapped, SteadyColour(RATE), kept=kept)
    np.testing.assert_array_equal(kept, before)
    np.testing.assert_array_equal(result[kept > 0], frame[kept > 0])
    x, y = person.landmarks_xy[151].astype(int)
    np.testing.assert_array_equal(result[y, x], (0, 255, 0))


def test_hair_is_drawn_as_it_would_be_over_the_whole_frame(portraits: Portraits) -> None:
    """Wherever the face stands: in the middle, tilted, over the frame's edges, or beyond them."""
    rng = np.random.default_rng(1)
    frame = rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)
    points = portraits.hopper.landmarks_xy - portraits.hopper.landmarks_xy.mean(0)
    donor = rng.integers(0, 256, (2 * SIZE, 2 * SIZE, 3), dtype=np.uint8)
    hands = (rng.random((300, 400)) < 0.02).astype(np.uint8) * np.uint8(255)
    drawn = 0
    for centre in ((200, 150), (20, 150), (390, 280), (200, 5), (-400, 150), (200, 900)):
        for degrees, size, held in ((0, 1.0, None), (17, 0.6, hands), (-40, 1.7, None)):
            turn = cv2.getRotationMatrix2D((0, 0), degrees, size)[:, :2]
            placed = (points @ turn.T + centre).astype(np.float32)
            face = align(0, frame, placed, SIZE)
            hair = rng.random((2 * SIZE, 2 * SIZE)).astype(np.float32)
            hair[SIZE:] = 0
            to_frame = cv2.invertAffineTransform(enlarged(face.frame_to_crop, 2))
            whole = cv2.warpAffine(hair * 255, to_frame, (400, 300), flags=cv2.INTER_LINEAR).astype(np.uint8)
            drawn += int(whole.any())
            mask = np.ones((2 * SIZE, 2 * SIZE), np.float32)
            made, bald = _swapped(donor, mask, hair), _swapped(donor, mask)
            expected = whole if held is None else np.maximum(held, whole)
            result, other = (
                paste(frame, placed, face, one, SteadyColour(RATE), kept=kept)
                for one, kept in ((made, held), (bald, expected))
            )
            np.testing.assert_array_equal(result, other)
    assert 10 < drawn < 18


def _stats(level: float) -> ColourStats:
    return ColourStats(mean=np.array((level, 0.0, 0.0)), spread=np.array((10.0, 1.0, 1.0)))


def test_jittering_colours_come_out_steady() -> None:
    rng = np.random.default_rng(0)
    jitter = 50 + rng.normal(0, 5, 200)
    colour = SteadyColour(RATE)
    followed = [colour.follow(index, _stats(60), _stats(level)) for index, level in enumerate(jitter)]
    original = np.array([first.mean[0] for first, _ in followed])
    swapped = np.array([second.mean[0] for _, second in followed])
    np.testing.assert_allclose(original, 60)
    settled = swapped[50:]
    assert settled.std() < 0.35 * jitter[50:].std()
    assert np.abs(np.diff(settled)).mean() < 0.15 * np.abs(np.diff(jitter[50:])).mean()
    assert settled.mean() == pytest.approx(50, abs=1)


def test_a_second_try_at_a_frame_does_not_weigh_it_twice() -> None:
    once, twice = SteadyColour(RATE), SteadyColour(RATE)
    for index in range(10):
        first = once.follow(index, _stats(60), _stats(50 + index))
        for tried in range(3):
            again = twice.follow(index, _stats(60 + tried), _stats(50 + index))
        assert again[1].mean[0] == first[1].mean[0]
        assert again[0].mean[0] == first[0].mean[0]


def test_a_lasting_change_of_light_is_followed_within_two_seconds() -> None:
    colour = SteadyColour(RATE)
    colour.follow(0, _stats(60), _stats(50))
    for index in range(1, 51):
        original, _ = colour.follow(index, _stats(30), _stats(50))
    assert original.mean[0] == pytest.approx(30, abs=1)


@pytest.mark.parametrize(("gap", "remembers"), [(1, True), (5, True), (6, False)])
def test_a_jump_in_time_starts_anew(gap: int, remembers: bool) -> None:
    colour = SteadyColour(RATE)
    for index in range(20):
        colour.follow(index, _stats(60), _stats(50))
    original, swapped = colour.follow(19 + gap, _stats(20), _stats(80))
    assert bool(original.mean[0] > 21) is remembers
    assert bool(swapped.mean[0] < 79) is remembers


def test_flickering_light_does_not_make_the_pasted_face_flicker(portraits: Portraits) -> None:
    person = portraits.hopper.resized(0.4)
    _, donor = _donor_on(person, portraits.astronaut)
    gains = 1 + np.random.default_rng(1).normal(0, 0.06, 40)

    def levels(*, steady: bool) -> Float:
        colour, means = SteadyColour(RATE), []
        for index, gain in enumerate(gains):
            image = np.clip(person.image_rgb * gain, 0, 255).astype(np.uint8)
            face = align(index, image, person.landmarks_xy, SIZE)
            follower = colour if steady else SteadyColour(RATE)
            result = paste(image, person.landmarks_xy, face, donor, follower)
            x, y = person.landmarks_xy[1].astype(int)
            means.append(result[y - 8 : y + 8, x - 8 : x + 8].mean())
        return np.array(means[10:], np.float32)

    assert levels(steady=True).std() < 0.4 * levels(steady=False).std()


def test_a_finer_crop_shows_the_same_part_of_the_frame() -> None:
    # of two pixels in the place of one, the first has its middle a quarter of that one before its middle
    np.testing.assert_allclose(enlarged(np.eye(2, 3), 2), ((2, 0, 0.5), (0, 2, 0.5)))
    np.testing.assert_allclose(enlarged(np.array(((0.5, 0, 10), (0, 0.5, 20))), 4), ((2, 0, 41.5), (0, 2, 81.5)))


def test_a_finer_swap_comes_to_the_same_place(portraits: Portraits) -> None:
    person = portraits.hopper.resized(0.5)
    face, swapped = _donor_on(person, portraits.astronaut)
    crop, mask = (cv2.resize(one, (2 * SIZE, 2 * SIZE)) for one in (swapped.crop_rgb, swapped.mask))
    coarse, fine = (
        paste(person.image_rgb, person.landmarks_xy, face, one, SteadyColour(RATE)).astype(int)
        for one in (swapped, _swapped(crop, mask))
    )
    inside = _depth(person)[0] > 0
    assert np.abs(coarse - fine)[inside].mean() < 2
    assert np.abs(coarse - np.roll(fine, 2, axis=1))[inside].mean() > 4


@pytest.mark.parametrize("held", [False, True])
def test_pasted_skin_takes_the_light_beside_it_but_not_of_what_is_held_in_front(
    portraits: Portraits, *, held: bool
) -> None:
    person = portraits.hopper.resized(0.5)
    depth, feather = _depth(person)
    middle = person.landmarks_xy[1, 0]
    skin = np.full_like(person.image_rgb, (180, 130, 110))
    skin[:, : int(middle)] += 15  # lit from the left, or something of nearly this colour before the left cheek
    kept = np.zeros(skin.shape[:2], np.uint8)
    kept[depth < 2.5 * feather] = 255
    kept[:, int(middle) :] = 0
    face = align(0, skin, person.landmarks_xy, SIZE)
    swapped = _swapped(np.full((SIZE, SIZE, 3), (180, 130, 110), np.uint8), np.ones((SIZE, SIZE), np.float32))
    result = paste(skin, person.landmarks_xy, face, swapped, Unmatched(RATE), kept=kept if held else None)
    beside = (depth > 3 * feather) & (depth < 4 * feather)
    columns = np.arange(skin.shape[1])
    left, right = (result[beside & half][:, 0].mean() - 180 for half in (columns < middle - 25, columns > middle + 25))
    assert abs(right) < (0.5 if held else 2.5)  # the face's mean colour stays: the rest gives a little back
    assert abs(left) < 0.5 if held else 3 < left < 15


def _face(mask: Float) -> AlignedFace:
    return replace(made_face(made_layout(), np.zeros((8, 8, 3), np.uint8)), mask=mask)


def test_masks_agree_by_hand() -> None:
    left, middle, nothing = np.zeros((3, 8, 8), np.float32)
    left[:, :4] = 1  # 32 px
    middle[:, 2:6] = 1  # 32 px, 16 of them shared: 16 / 48
    crop = np.zeros((8, 8, 3), np.uint8)
    for made, expected in ((left, 1.0), (middle, 1 / 3), (nothing, 0.0), (left * 0.4, 0.0)):
        assert masks_agree(_face(left), _swapped(crop, made)) == pytest.approx(expected)
        finer = made.repeat(2, 0).repeat(2, 1)
        assert masks_agree(_face(left), _swapped(crop, finer)) == pytest.approx(expected)
    assert masks_agree(_face(nothing), _swapped(crop, nothing)) == 0


def test_a_donor_narrower_than_the_subject_does_not_show_what_is_behind_the_donor(portraits: Portraits) -> None:
    person = portraits.hopper
    face = align(0, person.image_rgb, person.landmarks_xy, 64)
    narrow = face.mask.copy()
    narrow[:, :20] = narrow[:, -20:] = 0
    crop = np.full_like(face.crop_rgb, (180, 130, 110))
    crop[narrow < 0.5] = (0, 255, 0)  # a green wall behind the donor

    depth, feather = _depth(person)
    deep = depth > 3 * feather + 2

    def patchiness(mask: np.ndarray) -> float:
        swapped = _swapped(crop, mask)
        result = paste(person.image_rgb, person.landmarks_xy, face, swapped, SteadyColour(RATE))
        return float(result[deep].std(0).max())

    assert patchiness(narrow) < 3, "one skin from ear to ear"
    assert patchiness(np.ones_like(narrow)) > 20, "the wall is there to be seen"
