"""Who the subject is: the one person in all videos; anything less clear is refused."""

from dataclasses import replace

import numpy as np
import pytest

from deid_audit.errors import NotEnoughFaces, SettingsError
from deid_audit.faces.subject import name_person, others_than, people
from deid_audit.faces.track import VideoFaces
from deid_audit.frames import Float, TrackedFace, packed_place

ANNE, BERT, CARL = 0, 1, 2


def _rows(person: int, count: int, *, jitter: float = 0.02) -> Float:
    """Descriptors of one made person: people are 0.8 apart, frames of one about 0.2."""
    rows = np.random.default_rng((person, count)).normal(0, jitter, (count, 128))
    rows[:, person] += 0.8 / np.sqrt(2)
    return rows.astype(np.float32)


def _video(*tracks: tuple[int, int], heights: tuple[int, ...] = ()) -> VideoFaces:
    """A video in which track 10, 11, ... is (person, frames), all 100 px high or as `heights` says."""
    rows = {10 + number: _rows(person, count) for number, (person, count) in enumerate(tracks)}
    described = {track: tuple(range(len(each))) for track, each in rows.items()}
    high = dict(zip(rows, heights or [100] * len(rows), strict=True))
    frames = tuple(
        tuple(_face(index, track, high[track]) for track in rows if index in described[track])
        for index in range(max((count for _, count in tracks), default=0))
    )
    return VideoFaces(frames=frames, cleared_by=((),) * len(frames), described=described, descriptors=rows)


def _face(index: int, track: int, height: int) -> TrackedFace:
    box = np.array((200 * track, 0, 200 * track + height, height), np.float32)
    return TrackedFace(
        frame_index=index, track_id=track, place=packed_place(box, None), score=1.0, filled=False, source="seen"
    )


def test_the_person_in_all_videos_is_the_subject() -> None:
    videos = [_video((BERT, 90), (ANNE, 40)), _video((ANNE, 30), (CARL, 80))]
    found = name_person(videos, who="subject")
    assert found.tracks == [{11}, {10}]
    assert found.seen == [40, 30]
    expected = np.concatenate((_rows(ANNE, 40), _rows(ANNE, 30))).mean(0)
    np.testing.assert_allclose(found.average, expected, atol=1e-6)


def test_tracks_of_one_person_are_joined() -> None:
    everyone = people([_video((ANNE, 40), (BERT, 20), (ANNE, 25))])
    assert [person.seen for person in everyone] == [[65], [20]]
    assert everyone[0].tracks == [{10, 12}]


def test_a_bystander_seen_little_does_not_matter() -> None:
    assert name_person([_video((BERT, 49), (ANNE, 100))], who="subject").tracks == [{11}]


def test_what_looks_like_a_small_face_is_no_rival_of_a_large_one() -> None:
    assert name_person([_video((ANNE, 100), (BERT, 80), heights=(160, 39))], who="donor").tracks == [{10}]
    for heights in ((160, 40), (39, 39), (39, 160)):  # two of a size are not guessed between, nor is the larger taken
        with pytest.raises(NotEnoughFaces, match="two people could be the donor"):
            name_person([_video((ANNE, 100), (BERT, 80), heights=heights)], who="donor")


def test_who_comes_near_for_long_enough_is_a_rival() -> None:
    video = _video((ANNE, 100), (BERT, 90), heights=(160, 39))

    def nearer(frames: int) -> VideoFaces:
        rows = [
            [replace(face, place=packed_place(face.box_xyxy * 2, None)) for face in row]
            for row in video.frames[:frames]
        ]
        return replace(video, frames=(*map(tuple, rows), *video.frames[frames:]))

    assert name_person([nearer(39)], who="subject").tracks == [{10}]
    with pytest.raises(NotEnoughFaces, match="two people could be the subject"):
        name_person([nearer(40)], who="subject")


def test_two_who_fit_are_not_guessed_between() -> None:
    with pytest.raises(NotEnoughFaces, match="two people could be the subject: seen in 100 and 60 frames") as refused:
        name_person([_video((ANNE, 100), (BERT, 60))], who="subject")
    assert refused.value.exit_code == 3
    assert "--subject" in refused.value.next_step


def test_a_second_video_settles_it() -> None:
    videos = [_video((ANNE, 100), (BERT, 60)), _video((BERT, 30))]
    assert name_person(videos, who="subject").tracks == [{11}, {10}]


@pytest.mark.parametrize("person", [ANNE, BERT])
def test_a_photo_settles_it(person: int) -> None:
    video = _video((ANNE, 100), (BERT, 60))
    photo = _rows(person, 1, jitter=0.03)[0]
    assert name_person([video], who="subject", photo=photo).tracks == [{10 + person}]


def test_a_photo_of_somebody_else_or_of_two_at_once_settles_nothing() -> None:
    video = _video((ANNE, 100), (BERT, 60))
    with pytest.raises(NotEnoughFaces, match=r"nobody in every subject video matches the photo: the nearest is at"):
        name_person([video], who="subject", photo=_rows(CARL, 1)[0])
    between = (_rows(ANNE, 50).mean(0) + _rows(BERT, 50).mean(0)) / 2
    with pytest.raises(NotEnoughFaces, match="two people match the photo"):
        name_person([video], who="subject", photo=between.astype(np.float32))


def test_nobody_in_all_videos_is_refused() -> None:
    with pytest.raises(NotEnoughFaces, match="nobody's face is in every donor video: 2 people found") as refused:
        name_person([_video((ANNE, 50)), _video((BERT, 50))], who="donor")
    assert refused.value.exit_code == 3
    assert refused.value.next_step


def test_a_video_without_faces_is_named_by_its_number() -> None:
    with pytest.raises(NotEnoughFaces, match="no face of anyone in subject video 2"):
        name_person([_video((ANNE, 50)), _video()], who="subject")


def test_a_track_of_four_frames_names_nobody() -> None:
    assert people([_video((ANNE, 4))]) == []
    assert len(people([_video((ANNE, 5))])) == 1
    with pytest.raises(NotEnoughFaces, match="seen longest is in 4 frames, at least 5 are needed"):
        name_person([_video((ANNE, 4))], who="subject")


def test_a_track_names_its_person() -> None:
    videos = [_video((ANNE, 100), (BERT, 60), (BERT, 20))]
    assert name_person(videos, who="subject", chosen=[(1, 12)]).tracks == [{11, 12}]
    assert name_person(videos, who="subject", chosen=[(1, 10)]).tracks == [{10}]


def test_two_named_tracks_are_one_person_by_the_stewards_word() -> None:
    videos = [_video((ANNE, 50), (BERT, 30)), _video((CARL, 40))]
    person = name_person(videos, who="subject", chosen=[(1, 10), (2, 10)])
    assert person.tracks == [{10}, {10}] and person.weight == 90
    assert [other.tracks for other in others_than(person, videos)] == [[{11}, set()]]


def test_a_named_person_must_be_in_every_video() -> None:
    with pytest.raises(NotEnoughFaces, match="not recognised in subject video 2"):
        name_person([_video((ANNE, 50)), _video((BERT, 40))], who="subject", chosen=[(1, 10)])


@pytest.mark.parametrize("chosen", [(1, 99), (2, 10), (1, 11)])  # no such track, no such video, too short
def test_a_track_that_names_nobody_is_refused(chosen: tuple[int, int]) -> None:
    with pytest.raises(SettingsError, match=f"{chosen[0]}:{chosen[1]}: there is no such track"):
        name_person([_video((ANNE, 50), (BERT, 4))], who="subject", chosen=[chosen])


def test_people_whose_averages_come_near_are_one() -> None:
    """A person's long track, one of another light 0.52 away, and one between that draws the first towards it."""
    steps = {10: (0.0, 20), 11: (0.52, 18), 12: (0.25, 16)}
    rows = {
        track: np.tile(np.eye(1, 128, 0, dtype=np.float32) * at, (count, 1)) for track, (at, count) in steps.items()
    }
    described = {track: tuple(range(len(each))) for track, each in rows.items()}
    made = VideoFaces(frames=(), cleared_by=(), described=described, descriptors=rows)
    [person] = people([made])
    assert person.tracks == [{10, 11, 12}] and person.seen == [54]
    assert person.average[0] == pytest.approx((0.52 * 18 + 0.25 * 16) / 54)


def test_who_may_be_the_person_is_nobody_known() -> None:
    """What looks like the subject within 0.6 and was never seen beside them may be the subject, turned away."""
    turned = np.tile(np.eye(1, 128, ANNE, dtype=np.float32) * (0.8 / np.sqrt(2) - 0.55), (20, 1))
    alone = _video((ANNE, 100), (BERT, 40))
    rows = {**alone.descriptors, 12: turned}
    described = {**alone.described, 12: tuple(range(20))}

    def known(frames: tuple[tuple[TrackedFace, ...], ...]) -> list[list[set[int]]]:
        made = VideoFaces(frames=frames, cleared_by=(), described=described, descriptors=rows)
        person = name_person([made], who="subject")
        assert person.tracks == [{10}]
        return [other.tracks for other in others_than(person, [made])]

    def seen(track: int, x: float) -> TrackedFace:
        box = np.float32((x, 0, x + 9, 9))
        return TrackedFace(
            frame_index=0, track_id=track, place=packed_place(box, None), score=1, filled=False, source="a test"
        )

    assert known(()) == [[{11}]]
    assert known(((seen(10, 0), seen(12, 50)),) * 3) == [[{11}], [{12}]]
