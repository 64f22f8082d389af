"""Heads without a face become regions; heads with one, and single claims beside a face, do not."""

from collections.abc import Mapping, Sequence

import numpy as np

from deid_audit.faces.hidden import accounts_for, hidden_heads
from deid_audit.frames import Float, TrackedFace, packed_place

HEAD = np.float32((100, 100, 160, 160))


def face(box: Sequence[float], index: int = 0) -> TrackedFace:
    return TrackedFace(
        frame_index=index, track_id=0, place=packed_place(np.float32(box), None), score=1, filled=False, source="made"
    )


INSIDE, ELSEWHERE = face((112, 110, 148, 150)), face((300, 110, 336, 150))


def regions(
    faces: Sequence[Sequence[TrackedFace]], heads: Mapping[int, Float | None], shots: Sequence[int] | None = None
) -> dict[int, list[TrackedFace]]:
    seen = {
        index: (np.zeros((0, 4), np.float32) if box is None else box[None], np.float32([0.9] * (box is not None)))
        for index, box in heads.items()
    }
    found: dict[int, list[TrackedFace]] = {}
    for one in hidden_heads(faces, seen, shots or [0] * len(faces), longest_gap=10, first_track=7):
        found.setdefault(one.frame_index, []).append(one)
    return found


def test_a_face_accounts_for_its_own_head_only() -> None:
    assert accounts_for(INSIDE, HEAD)
    assert not accounts_for(ELSEWHERE, HEAD)
    assert not accounts_for(face((126, 126, 132, 132)), HEAD), "far too small to be this head's face"


def test_a_small_head_straight_below_a_face_is_a_pattern_on_the_chest() -> None:
    """Medals; but not beside the cheek, behind the shoulder, or as large as a child's head."""
    person = face((200, 100, 300, 200))

    def head(x: float, y: float, side: float) -> Float:
        return np.float32((x - side / 2, y - side / 2, x + side / 2, y + side / 2))

    assert accounts_for(person, head(255, 290, 40))
    for other in (head(320, 180, 40), head(340, 290, 40), head(255, 200, 40), head(255, 290, 60), head(255, 60, 40)):
        assert not accounts_for(person, other)


def test_a_head_with_its_face_is_no_region() -> None:
    assert not regions([[INSIDE]] * 9, {0: HEAD, 3: HEAD, 6: HEAD})


def test_one_sighting_is_enough_where_no_face_was_found() -> None:
    found = regions([[]] * 9, {4: HEAD})
    assert sorted(found) == [1, 2, 3, 4, 5, 6, 7]
    assert [found[index][0].filled for index in (3, 4, 5)] == [True, False, True]
    assert all(one.landmarks_xy is None and one.track_id == 7 for row in found.values() for one in row)


def test_beside_a_found_face_a_head_must_be_seen_again() -> None:
    faces = [[ELSEWHERE]] * 12
    assert not regions(faces, {3: HEAD, 6: HEAD})
    assert sorted(regions(faces, {3: HEAD, 6: HEAD, 9: HEAD})) == list(range(12))


def test_a_gap_between_sightings_is_filled_along_the_way_but_not_where_the_face_is_found() -> None:
    moved = HEAD + np.float32(8)
    faces: list[list[TrackedFace]] = [[], [], [], [], [], [], [], [INSIDE], [INSIDE]]
    found = regions(faces, {0: HEAD, 4: moved})
    np.testing.assert_allclose(found[2][0].box_xyxy, HEAD + 4)
    assert 7 not in found


def test_two_heads_are_two_tracks_and_nothing_crosses_a_cut() -> None:
    far = HEAD + np.float32((200, 0, 200, 0))
    found = regions([[]] * 8, {0: HEAD, 6: far})
    assert {one.track_id for row in found.values() for one in row} == {7, 8}
    cut = regions([[]] * 8, {2: HEAD}, shots=[0, 0, 0, 0, 1, 1, 1, 1])
    assert sorted(cut) == [0, 1, 2, 3]
