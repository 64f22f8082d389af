"""Landmarks that are kept as what comes of them: the numbers of all at once, and nothing of the face stays."""

import numpy as np
import pytest
from numpy.typing import NDArray

from deid_audit.frames import Image
from deid_audit.measure.appearance import LOOK_POINTS, Look, appearance_of, look_at
from deid_audit.measure.expression import face_signals
from deid_audit.pipeline.landmark_track import STRETCH, LandmarkTrack

Points = NDArray[np.float32]
COUNT = STRETCH + 44


def landmarks() -> Points:
    """Faces (n, 478, 3) that move a little, with some frames lost."""
    rng = np.random.default_rng(3)
    points = rng.uniform(20, 140, (1, 478, 3)) + rng.normal(0, 1, (COUNT, 478, 3))
    points[[0, 99, STRETCH - 1, STRETCH]] = np.nan
    return points.astype(np.float32)


def looks(points: Points) -> list[Look | None]:
    picture = np.random.default_rng(4).integers(0, 255, (160, 160, 3), dtype=np.uint8)
    return [
        look_at(picture, one[:, :2]) if at % 3 and np.isfinite(one).all() else None for at, one in enumerate(points)
    ]


def filled(points: Points, seen: list[Look | None]) -> tuple[LandmarkTrack, list[Points]]:
    track, handed = LandmarkTrack(lends=True), [one.copy() for one in points]
    for one, look in zip(handed, seen, strict=True):
        track.add(one, look)
    return track, handed


def test_signals_and_appearance_are_those_of_all_frames_at_once() -> None:
    points = landmarks()
    seen = looks(points)
    assert sum(look is not None for look in seen) > COUNT / 2
    track, _ = filled(points, seen)
    plain, whole = face_signals(points), appearance_of(seen, points)
    for name in ("mouth", "eye", "brow", "yaw", "head_xy", "interocular_px"):
        np.testing.assert_array_equal(getattr(track.signals(), name), getattr(plain, name))
    for name in ("skin_lab", "fine", "steps", "points_xy"):
        np.testing.assert_array_equal(getattr(track.appearance(), name), getattr(whole, name))


@pytest.mark.parametrize("index", [1, STRETCH - 2, STRETCH + 1, COUNT - 1])
def test_a_look_under_the_kept_points_is_the_look_under_all(index: int) -> None:
    points = landmarks()
    track, _ = filled(points, looks(points))
    picture: Image = np.random.default_rng(5).integers(0, 255, (160, 160, 3), dtype=np.uint8)
    whole, kept = look_at(picture, points[index, :, :2]), look_at(picture, track.under(index))
    assert whole is not None
    assert kept is not None
    np.testing.assert_array_equal(kept.skin_lab, whole.skin_lab)
    np.testing.assert_array_equal(kept.steps, whole.steps)
    assert kept.fine == whole.fine
    assert np.isfinite(track.under(index)).all(axis=1).sum() == len(LOOK_POINTS)
    assert np.isnan(track.under(STRETCH)).all()


def test_landmarks_are_overwritten_as_they_go_and_at_the_end() -> None:
    points = landmarks()
    track, handed = filled(points, looks(points))
    assert not any(one.any() for one in handed[:STRETCH])  # the first stretch is over
    assert all(one.any() for one in handed[STRETCH + 1 :])
    taken = track.appearance().points_xy
    track.wipe()
    assert not any(one.any() for one in handed)
    assert not np.nan_to_num(track.under(1)).any()
    assert taken.any()  # what was taken belongs to whoever took it
