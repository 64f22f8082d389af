"""A tracked face as it is held: box and landmarks packed, and how far that moves a landmark."""

from dataclasses import replace

import numpy as np
import pytest

from deid_audit.frames import Float, TrackedFace, packed_place


def points_in(low: float, high: float, seed: int = 0) -> Float:
    """Landmarks (478, 2) anywhere between two places, px."""
    return np.random.default_rng(seed).uniform(low, high, (478, 2)).astype(np.float32)


def box_around(points: Float) -> Float:
    return np.concatenate((points.min(0), points.max(0)))


def face(points: Float | None, box: Float) -> TrackedFace:
    return TrackedFace(
        frame_index=3, track_id=1, place=packed_place(box, points), score=0.5, filled=False, source="a test"
    )


@pytest.mark.parametrize(("low", "high"), [(10, 34), (-20, 108), (300, 700), (0, 4000), (100, 100)])
def test_no_landmark_moves_farther_than_the_page_says(low: float, high: float) -> None:
    points = points_in(low, high)
    box = box_around(points)
    held = face(points, box)
    moved = np.abs(held.landmarks_xy - points)
    rounding = np.spacing(np.float32(max(abs(low), abs(high))))  # of single precision, on either way
    assert moved.max() <= (high - low) / 8190 + rounding
    np.testing.assert_array_equal(held.box_xyxy, box)
    np.testing.assert_array_equal(box_around(held.landmarks_xy), box, "the outermost stay where they are")


def test_in_the_picture_that_the_mesh_looks_at_it_is_less_than_a_64th_of_a_pixel() -> None:
    of_the_network = 192 / 1.7  # px of a face's box in the network's own picture: `vision/mesh.py` shows 1.7 boxes
    assert of_the_network / 8190 < 1 / 64
    points = points_in(0, of_the_network)
    assert np.abs(face(points, box_around(points)).landmarks_xy - points).max() < 1 / 64


def test_a_box_that_is_not_the_landmarks_own_is_kept_beside_them() -> None:
    points, box = points_in(50, 90), np.float32((60.25, 40, 80, 77.7))
    held = face(points, box)
    np.testing.assert_array_equal(held.box_xyxy, box)
    np.testing.assert_allclose(held.landmarks_xy, points, atol=40 / 8190 + 1e-5)


def test_without_landmarks_there_are_none() -> None:
    held = face(None, np.float32((1, 2, 3, 4)))
    assert held.landmarks_xy is None and not held.has_landmarks
    assert held.box_xyxy.tolist() == [1, 2, 3, 4]


def test_what_is_held_is_a_copy_and_small_and_can_be_overwritten() -> None:
    points = points_in(0, 100)
    given, box = points.copy(), box_around(points)
    held = face(given, box)
    given.fill(7)
    box.fill(7)
    assert np.abs(held.landmarks_xy - points).max() < 0.02 and held.box_xyxy[0] == points[:, 0].min()
    assert held.place.nbytes < 1500
    renamed = replace(held, track_id=9)
    held.place.fill(0)
    for one in (held, renamed):
        assert not one.landmarks_xy.any() and not one.box_xyxy.any()


def test_what_cannot_be_packed_is_refused() -> None:
    box = np.float32((0, 0, 9, 9))
    with pytest.raises(ValueError, match="478"):
        packed_place(box, np.zeros((68, 2), np.float32))
    with pytest.raises(ValueError, match="finite"):
        packed_place(box, np.full((478, 2), np.nan, np.float32))
    with pytest.raises(ValueError, match=r"\(4,\)"):
        packed_place(box[:3], None)
    with pytest.raises(ValueError, match="place"):
        TrackedFace(frame_index=0, track_id=0, place=np.zeros(20, np.uint8), score=0, filled=False, source="a test")
