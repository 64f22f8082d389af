"""A face that another hides: its place is held, and only where the two are two."""

import pytest

from deid_audit.faces.behind import HELD, hold_hidden
from deid_audit.faces.track import VideoFaces
from deid_audit.frames import TrackedFace
from tests.unit.test_inspecting import face

Places = tuple[tuple[float | None, float | None], ...]


def passing(*xs: tuple[float | None, float | None]) -> VideoFaces:
    """Tracks 0 and 1, seen at these places frame by frame; None where lost."""
    frames: list[tuple[TrackedFace, ...]] = []
    for index, places in enumerate(xs):
        frames.append(tuple(face(frame=index, track=t, x=x) for t, x in enumerate(places) if x is not None))
    return VideoFaces(frames=tuple(frames), cleared_by=((("a", "b"),) * len(xs)), described={}, descriptors={})


def held(faces: VideoFaces) -> list[tuple[int, int, float]]:
    """Frame, track and left edge of what is held."""
    return [
        (index, one.track_id, float(one.box_xyxy[0]))
        for index, row in enumerate(faces.frames)
        for one in row
        if one.source == HELD and one.filled and one.landmarks_xy is None
    ]


def test_where_a_face_vanished_behind_another_its_place_is_held() -> None:
    found = hold_hidden(passing((100, 230), (100, 160), (None, 110), (None, 60), (None, -10)), frames=2)
    assert held(found) == [(2, 0, 100), (3, 0, 100)]


def test_where_a_track_goes_on_with_the_one_in_front_the_place_is_held() -> None:
    found = hold_hidden(passing((100, 230), (100, 170), (145, 145), (135, 135)), frames=2)
    assert held(found) == [(2, 0, 100), (3, 0, 100)]


def test_where_a_face_comes_out_from_behind_another_its_place_was_held_as_long_as_that_was_there() -> None:
    found = hold_hidden(passing((None, -50), (None, 20), (None, 40), (100, 50), (100, 10)), frames=9)
    assert held(found) == [(1, 0, 100), (2, 0, 100)]


@pytest.mark.parametrize(
    "places",
    [
        ((100, 300), (100, 230), (None, 220)),  # lost, but nobody was before it
        ((100, 110), (100, 110), (None, 110)),  # one face that was found twice
        ((100, 210), (100, 180), (100, 150)),  # not lost
        ((100, 180), (150, 230), (200, 280)),  # two who go side by side
    ],
)
def test_nothing_is_held_where_nobody_hides_a_face(places: Places) -> None:
    faces = passing(*places)
    assert hold_hidden(faces, frames=9).frames == faces.frames


def test_nothing_is_held_where_the_gap_is_filled() -> None:
    rows = passing((100, 210), (100, 150), (None, 90), (100, 30)).frames
    between = face(frame=2, track=0, x=100, filled=True, source="interpolated")
    faces = VideoFaces(
        frames=(*rows[:2], (*rows[2], between), rows[3]), cleared_by=((),) * 4, described={}, descriptors={}
    )
    assert [track for _, track, _ in held(hold_hidden(faces, frames=9))] == []


def test_a_frame_with_a_held_face_is_not_clear() -> None:
    found = hold_hidden(passing((100, 150), (None, None), (None, None)), frames=1)
    assert [bool(names) for names in found.cleared_by] == [False, False, True]
