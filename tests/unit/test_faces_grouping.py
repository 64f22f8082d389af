"""Which tracks are one person's: by mean distance, and never two places at once."""

import numpy as np
import pytest

from deid_audit.faces.grouping import TrackRows, grouped, seen_apart
from deid_audit.faces.track import VideoFaces
from deid_audit.frames import Float, TrackedFace, packed_place


def rows(*where: float, count: int = 10) -> Float:
    row = np.zeros((count, 128), np.float32)
    row[:, : len(where)] = where
    return row


def seen(track: int, x: float, *, filled: bool = False) -> TrackedFace:
    return TrackedFace(
        frame_index=0, track_id=track, place=packed_place(np.float32((x, 0, x + 100, 100)), None),
        score=1.0, filled=filled, source="a test",
    )  # fmt: skip


def video(*frames: list[TrackedFace]) -> VideoFaces:
    return VideoFaces(frames=tuple(map(tuple, frames)), cleared_by=(), described={}, descriptors={})


def ids(groups: list[list[TrackRows]]) -> set[frozenset[int]]:
    return {frozenset(track for _, track, _ in group) for group in groups}


def test_somebody_near_the_average_of_a_group_but_near_none_of_it_stays_out() -> None:
    """Four tracks 0.49 from each other; the fifth is 0.55 from each, yet 0.46 from their average."""
    side = 0.49 / np.sqrt(2)
    tracks = [(0, at, rows(*[0.0] * at, side)) for at in range(4)]
    tracks.append((0, 9, rows(0, 0, 0, 0, float(np.sqrt(0.55**2 - side**2)))))
    average = np.mean([each[0] for _, _, each in tracks[:4]], axis=0)
    assert np.linalg.norm(tracks[4][2][0] - average) < 0.5
    assert ids(grouped([video()], tracks)) == {frozenset({0, 1, 2, 3}), frozenset({9})}


@pytest.mark.parametrize(
    ("apart", "x", "filled", "frames", "people"),
    [
        (0.4, 300, False, 3, 2),
        (0.4, 300, False, 2, 1),  # a track may jump for a moment
        (0.4, 300, True, 3, 1),  # where one is only guessed to be
        (0.4, 20, False, 3, 1),  # one face that was found twice
        (0.2, 300, False, 3, 1),  # a mirror
    ],
)
def test_nobody_is_in_two_places_at_once(apart: float, x: float, filled: bool, frames: int, people: int) -> None:
    row = [seen(1, 0), seen(2, x, filled=filled)]
    assert len(grouped([video(*[row] * frames)], [(0, 1, rows(0)), (0, 2, rows(apart))])) == people


def test_a_third_track_does_not_join_two_who_are_seen_apart() -> None:
    tracks = [(0, 1, rows(0)), (0, 2, rows(0.4)), (0, 3, rows(0.19)), (1, 1, rows(0.1)), (1, 2, rows(0.12))]
    found = grouped([video(*[[seen(1, 0), seen(2, 300)]] * 3), video()], tracks)
    assert all(not {(0, 1), (0, 2)} <= {track[:2] for track in group} for group in found)
    assert len(found) == 2


def test_the_order_of_the_tracks_does_not_matter() -> None:
    tracks = [(0, at, rows(*np.random.default_rng(at).normal(0, 0.2, 6).tolist())) for at in range(12)]
    shuffled = [tracks[at] for at in np.random.default_rng(1).permutation(12)]
    found = ids(grouped([video()], tracks))
    assert found == ids(grouped([video()], shuffled)) and 1 < len(found) < 12


def test_frames_apart_are_counted_for_each_pair_once() -> None:
    faces = video([seen(2, 0), seen(1, 300)], [seen(1, 0), seen(2, 90), seen(3, 400)])
    assert seen_apart(faces) == {(1, 2): 2, (1, 3): 1, (2, 3): 1}
    assert grouped([faces], []) == []
