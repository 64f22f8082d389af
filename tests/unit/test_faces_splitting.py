"""Tracks that change hands are split where another person begins; tracks of one person stay whole."""

import numpy as np
import pytest

from deid_audit.faces import splitting
from deid_audit.faces.splitting import changes, split_tracks
from deid_audit.faces.subject import people
from deid_audit.faces.track import VideoFaces
from deid_audit.frames import Float, TrackedFace, packed_place

ANNE, BERT = 0, 1


def rows(person: int, count: int, *, seed: int = 0, jitter: float = 0.02) -> Float:
    """Descriptors of one made person: people are 0.8 apart, frames of one about 0.3."""
    made = np.random.default_rng((person, count, seed)).normal(0, jitter, (count, 128))
    made[:, person] += 0.8 / np.sqrt(2)
    return made.astype(np.float32)


def face(index: int, track: int) -> TrackedFace:
    return TrackedFace(
        frame_index=index, track_id=track, place=packed_place(np.float32((0, 0, 9, 9)), None),
        score=1.0, filled=False, source="a test",
    )  # fmt: skip


def video(*stretches: tuple[int, int]) -> VideoFaces:
    """One track, number 4, that is each person for so many frames; every second frame is described."""
    described = np.concatenate([rows(person, count // 2, seed=at) for at, (person, count) in enumerate(stretches)])
    frames = sum(count for _, count in stretches)
    return VideoFaces(
        frames=tuple((face(index, 4),) for index in range(frames)),
        cleared_by=((),) * frames,
        described={4: tuple(range(0, frames, 2))},
        descriptors={4: described},
    )


@pytest.mark.parametrize(
    ("stretches", "expected"),
    [
        ([(ANNE, 60)], []),
        ([(ANNE, 60), (BERT, 40)], [30]),
        ([(ANNE, 40), (BERT, 40), (ANNE, 60)], [20, 40]),
        ([(ANNE, 60), (BERT, 6)], []),  # three described frames: too few to tell
    ],
)
def test_a_change_of_hands_is_found_where_it_is(stretches: list[tuple[int, int]], expected: list[int]) -> None:
    assert changes(video(*stretches).descriptors[4]) == expected


def test_a_strong_expression_of_one_person_is_no_change() -> None:
    laughing = rows(ANNE, 30)
    laughing[10:20, 5] += 0.4  # frames of one real clip differ by up to 0.5
    assert changes(laughing) == []


def test_both_parts_get_their_own_faces_and_descriptors() -> None:
    split = split_tracks(video((ANNE, 60), (BERT, 40)))
    assert split.described == {4: tuple(range(0, 60, 2)), 5: tuple(range(60, 100, 2))}
    assert [len(split.descriptors[track]) for track in (4, 5)] == [30, 20]
    owner = [row[0].track_id for row in split.frames]
    assert owner == [4] * 59 + [5] * 41  # what lies between is nobody's yet, so the newcomer's
    assert [person.tracks for person in people([split])] == [[{4}], [{5}]]


def test_who_comes_back_is_the_same_person_in_a_track_of_their_own() -> None:
    split = split_tracks(video((ANNE, 40), (BERT, 40), (ANNE, 60)))
    assert sorted(split.descriptors) == [4, 5, 6]
    assert [person.tracks for person in people([split])] == [[{4, 6}], [{5}]]


def test_a_track_of_one_person_is_left_as_it_is() -> None:
    whole = video((ANNE, 60))
    assert split_tracks(whole) is whole


def test_a_change_is_found_wherever_it_lies_in_a_long_track(monkeypatch: pytest.MonkeyPatch) -> None:
    for cut in (60, 63, 64, 65, 130):
        one = np.concatenate((rows(ANNE, cut), rows(BERT, 200 - cut, seed=1)))
        monkeypatch.setattr(splitting, "_BLOCK", 10_000)
        whole, found = splitting._steps(one), changes(one)
        monkeypatch.setattr(splitting, "_BLOCK", 64)
        np.testing.assert_allclose(splitting._steps(one), whole, atol=1e-12)
        assert found == changes(one) == [cut]
        naive = [np.linalg.norm(one[a : a + 8].mean(0) - one[a - 8 : a].mean(0)) for a in range(8, 193)]
        np.testing.assert_allclose(whole, naive, atol=1e-5)
