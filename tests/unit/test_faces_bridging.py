"""Gaps between two tracks of one person: covered where both stand at one place, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest

from deid_audit.faces.bridging import SOURCE, bridge_gaps
from deid_audit.faces.subject import Person
from deid_audit.faces.track import VideoFaces
from deid_audit.frames import TrackedFace
from deid_audit.pipeline.cast import videos_of
from tests.unit.test_inspecting import face, video


def lost(*seen: tuple[int, int, float], frames: int = 12) -> VideoFaces:
    """Sightings as (frame, track, left edge) in so many frames."""
    table: list[tuple[TrackedFace, ...]] = [() for _ in range(frames)]
    for index, track, x in seen:
        table[index] = (*table[index], face(frame=index, track=track, x=x))
    return VideoFaces(
        frames=tuple(table),
        cleared_by=tuple(() if row else ("a", "b") for row in table),
        described={},
        descriptors={},
    )


def bridged(faces: VideoFaces) -> dict[int, float]:
    """Left edge of what stands in each bridged frame."""
    return {at: float(one.box_xyxy[0]) for at, row in enumerate(faces.frames) for one in row if one.source == SOURCE}


def test_a_person_behind_a_pole_is_covered_all_along() -> None:
    found = bridge_gaps(lost((2, 0, 100), (6, 4, 140)), {0, 4}, longest=5)
    assert bridged(found) == {3: 110, 4: 120, 5: 130}
    assert [found.cleared_by[at] for at in (1, 3, 7)] == [("a", "b"), (), ("a", "b")]
    assert all(one.filled and one.landmarks_xy is None for one in found.frames[4])


@pytest.mark.parametrize(
    ("seen", "tracks", "longest"),
    [
        (((2, 0, 100), (6, 4, 140)), {0, 4}, 2),  # too long ago
        (((2, 0, 100), (6, 4, 300)), {0, 4}, 5),  # another place: a cut, or a walk
        (((2, 0, 100), (6, 4, 140)), {0}, 5),  # the second one is somebody else
        (((2, 0, 100), (6, 0, 140)), {0, 4}, 5),  # one track: the tracker has filled it
        (((2, 0, 100), (3, 4, 140)), {0, 4}, 5),  # no gap
    ],
)
def test_nothing_else_is(seen: tuple[tuple[int, int, float], ...], tracks: set[int], longest: int) -> None:
    faces = lost(*seen)
    assert bridge_gaps(faces, tracks, longest=longest) is faces


def test_what_was_only_filled_in_is_no_sighting() -> None:
    faces = lost((2, 0, 100), (4, 0, 100), (7, 4, 110))
    filled = replace(faces.frames[4][0], filled=True)
    table = (*faces.frames[:4], (filled,), *faces.frames[5:])
    found = bridge_gaps(replace(faces, frames=table), {0, 4}, longest=5)
    assert sorted(bridged(found)) == [3, 4, 5, 6]


def test_the_videos_of_a_person_are_bridged_for_them_and_for_everybody_known() -> None:
    source = video(*[[]] * 12).source  # 25 frames a second
    faces = lost((2, 0, 100), (6, 4, 140), (2, 5, 400), (6, 6, 410))
    person = Person([{0, 4}], [2], np.zeros(128, np.float32))
    other = Person([{5, 6}], [2], np.ones(128, np.float32))
    [found] = videos_of(person, [other], [source], [faces])
    assert [len(row) for row in found.faces.frames[3:6]] == [2, 2, 2]
    assert (found.tracks, found.others) == ({0, 4}, {5, 6})
