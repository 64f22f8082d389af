"""Who of the other people is swapped, and which donor each gets; nothing is trained here."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from deid_audit.errors import NotEnoughFaces, SettingsError
from deid_audit.faces.subject import Person
from deid_audit.frames import Float, TrackedFace, packed_place
from deid_audit.pipeline import companions
from deid_audit.pipeline.cast import CastVideo, Role, strangers
from deid_audit.pipeline.companions import other_roles, refuse_unfit, train_companions
from deid_audit.pipeline.rendering import covered_beside, others_beside
from tests.unit.test_inspecting import OTHER, STRAY, face, video

FRAMES = 45


def place(*where: float) -> Float:
    row = np.zeros(128, np.float32)
    row[: len(where)] = where
    return row


def two_people(*, frames_of_other: int = FRAMES) -> Role:
    rows = [[face(x=100), *([face(track=OTHER, x=400)] if at < frames_of_other else [])] for at in range(FRAMES)]
    made = video(*rows)
    other = Person(tracks=[{OTHER}], seen=[frames_of_other], average=place(2))
    return Role(videos=(made,), average=place(0), others=(other,))


def donor(*where: float) -> Role:
    return Role(videos=(), average=place(*where))


def test_only_people_with_enough_to_learn_from_are_swapped() -> None:
    [role] = other_roles(two_people())
    assert role.videos[0].tracks == {OTHER} and role.average[0] == 2
    assert other_roles(two_people(frames_of_other=39)) == []


def test_nobody_gets_a_donor_who_looks_like_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def trained(role: Role, given: Role, **more: object) -> str:
        asked.append((role.average[0], float(given.average[0]), more["who"]))
        return "a pair"

    monkeypatch.setattr(companions, "train_pair", trained)
    said: list[str] = []
    more = dict.fromkeys(("device", "engines", "vault", "trainee"), SimpleNamespace())
    more |= {"settings": SimpleNamespace(swap_everyone=True), "progress": SimpleNamespace(say=said.append)}
    [one] = train_companions(two_people(), [donor(2.1), donor(5)], **more)  # type: ignore[arg-type]
    assert (one.name, asked) == ("person 2", [(2.0, 5.0, ("person 2", "other donor 2"))])
    assert said == []
    assert train_companions(two_people(), [donor(2.1)], **more) == []  # type: ignore[arg-type]
    assert len(said) == 1 and said[0].startswith("0 of 1 other people are swapped; the rest stay covered")


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ([donor(0, 0.1)], "the other donor 1 looks like the subject"),
        ([donor(9, 0.1)], "the other donor 1 looks like the donor"),
        ([donor(5), donor(5, 0.5)], "the other donor 2 looks like the other donor 1"),
    ],
)
def test_donors_must_be_different_people(monkeypatch: pytest.MonkeyPatch, others: list[Role], said: str) -> None:
    monkeypatch.setattr(companions, "usable_count", lambda role: 40)
    with pytest.raises(SettingsError, match=said):
        refuse_unfit(donor(0), donor(9), others)
    refuse_unfit(donor(0), donor(9), [donor(5), donor(7)])


def test_an_other_donor_with_too_little_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(NotEnoughFaces, match="other donor 1: 0 usable faces"):
        refuse_unfit(donor(0), donor(9), [donor(5)])


def seen_twice() -> tuple[CastVideo, TrackedFace]:
    """The subject found twice at one place, once more elsewhere, and somebody else."""
    row = [face(x=100), face(track=5, x=110, px=80), face(track=5, x=300), face(track=OTHER, x=450)]
    made = video(row)
    cast = replace(made, tracks=frozenset({0, 5}), others=frozenset({OTHER}))
    return cast, cast.faces.frames[0][0]


def test_one_face_found_twice_is_one_face() -> None:
    cast, chosen = seen_twice()
    assert cast.person_face(0) is chosen
    assert [one.box_xyxy[0] for one in cast.same_face(chosen)] == [110]
    assert [one.box_xyxy[0] for one in others_beside(cast, chosen)] == [300, 450]
    covered = covered_beside([cast], [chosen], 0)
    assert [(region.box_xyxy[0], region.is_subject, region.reason) for region in covered] == [
        (300, True, "second sighting"),
        (450, False, "not the subject"),
    ]


def test_a_sighting_with_landmarks_goes_before_a_larger_one_without() -> None:
    made = video([face(x=100, px=120, seen=False), face(x=300, px=80)])
    chosen = made.person_face(0)
    assert chosen is not None and chosen.box_xyxy[0] == 300


def test_who_looks_like_the_subject_calibrates_nothing() -> None:
    """Their photo on the wall is seen beside them, so it is a person of its own; but no stranger."""
    role = two_people()
    [made] = role.videos
    rows = {OTHER: np.tile(place(2), (5, 1)), STRAY: np.tile(place(0.4), (7, 1))}
    at = {OTHER: tuple(range(5)), STRAY: tuple(range(7))}
    faces = replace(
        made.faces, descriptors={**made.faces.descriptors, **rows}, described={**made.faces.described, **at}
    )
    shown = replace(made, faces=faces)
    photo = Person(tracks=[{STRAY}], seen=[7], average=place(0.4))
    found = strangers(replace(role, videos=(shown,), others=(*role.others, photo)))
    np.testing.assert_array_equal(found, rows[OTHER])


def test_where_two_cross_a_track_may_hold_the_subject_and_calibrates_nothing() -> None:
    role = two_people()
    [made] = role.videos
    rows = np.stack([place(2, at) for at in range(5)])
    frames = list(made.faces.frames)
    frames[2] = (frames[2][0], replace(frames[2][1], place=packed_place(frames[2][0].box_xyxy + np.float32(60), None)))
    faces = replace(
        made.faces,
        frames=tuple(frames),
        descriptors={**made.faces.descriptors, OTHER: rows},
        described={**made.faces.described, OTHER: tuple(range(5))},
    )
    found = strangers(replace(role, videos=(replace(made, faces=faces),)))
    np.testing.assert_array_equal(found, rows[[0, 1, 3, 4]])
