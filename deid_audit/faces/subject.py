"""Whose track is it: joins tracks of one person across videos by descriptor, and names the subject or the donor.

The subject is the person found in all the given videos; when two people fit, nothing is guessed, but a photo or the
id of one of the person's tracks can say which of them it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from deid_audit.errors import NotEnoughFaces, SettingsError
from deid_audit.faces.grouping import TrackRows, grouped, seen_apart
from deid_audit.faces.track import VideoFaces
from deid_audit.frames import Float

_LEAST_FRAMES = 5  # described frames of a track; fewer say nothing about who it is
_MAY_BE = 0.6  # dlib's cut for one person
_PHOTO_MATCH = 0.6  # dlib's cut for one person
_PHOTO_MARGIN = 0.1  # the next person must be this much farther from the photo
_RIVAL_SHARE = 0.5  # a second person seen this much of the first one's time makes the choice ambiguous
# Who is this seldom seen large enough could not be trained on, and beside somebody who could is nobody to choose:
# things look like small faces.
SMALLEST_FACE_PX = 40
MINIMUM_FACES = 40


@dataclass(slots=True, eq=False)
class Person:
    """One person over several videos: tracks per video, frames seen per video, the average descriptor (128,)."""

    tracks: list[set[int]]
    seen: list[int]
    average: Float
    weight: int = 0
    rows: list[Float] = field(default_factory=list)


def people(videos: Sequence[VideoFaces]) -> list[Person]:
    """All people of the videos, most seen first; tracks shorter than five described frames join nobody."""
    every = [(v, t, rows) for v, video in enumerate(videos) for t, rows in video.descriptors.items()]
    known = [track for track in every if len(track[2]) >= _LEAST_FRAMES]
    return sorted((_person(videos, tracks) for tracks in grouped(videos, known)), key=lambda one: -one.weight)


def _person(videos: Sequence[VideoFaces], tracks: Sequence[TrackRows]) -> Person:
    """The person whose tracks these are."""
    rows = [one for _, _, one in tracks]
    together = rows[0] if len(rows) == 1 else np.concatenate(rows)  # of a long video they are much: no copy
    person = Person([set() for _ in videos], [0] * len(videos), together.mean(0), rows=rows)
    for video, track, described in tracks:
        person.tracks[video].add(track)
        person.seen[video] += len(described)
        person.weight += len(described)
    return person


def _join(person: Person, other: Person) -> None:
    """Makes the other's tracks the person's."""
    for video, tracks in enumerate(other.tracks):
        person.tracks[video] |= tracks
        person.seen[video] += other.seen[video]
    weight = person.weight + other.weight
    person.average = (person.average * person.weight + other.average * other.weight) / weight
    person.weight = weight
    person.rows += other.rows


def name_person(
    videos: Sequence[VideoFaces], *, who: str, photo: Float | None = None, chosen: Sequence[tuple[int, int]] = ()
) -> Person:
    """The person seen in every one of the videos; `who` is "subject" or "donor" for messages.

    With `photo` (128,), the descriptor of a photo's face, it is the one of them who matches it; with `chosen`, pairs
    (video from 1, track), the one who has these tracks.

    Raises:
        NotEnoughFaces: nobody is in all of them, a second person fits nearly as well, or the photo matches nobody or
            two.
        SettingsError: a chosen track is not there, or too short to know its person again.
    """
    everyone = people(videos)
    return _having(everyone, chosen, who) if chosen else _named(everyone, videos, who=who, photo=photo)


def others_than(person: Person, videos: Sequence[VideoFaces]) -> list[Person]:
    """Everyone else who can be told apart in these videos, most seen first.

    Who was never seen at once with the person and looks like them within 0.6 may be the person, turned away or in other
    light: they are nobody known.
    """
    beside: list[set[int]] = [  # tracks that were seen at once with one of the person's, by video
        {second for pair in seen_apart(faces) for first, second in (pair, pair[::-1]) if first in mine}
        for faces, mine in zip(videos, person.tracks, strict=True)
    ]

    def meets(one: Person, tracks: Sequence[set[int]]) -> bool:
        return any(theirs & some for theirs, some in zip(one.tracks, tracks, strict=True))

    return [
        one
        for one in people(videos)
        if not meets(one, person.tracks)
        and (np.linalg.norm(one.average - person.average) >= _MAY_BE or meets(one, beside))
    ]


def _having(everyone: list[Person], chosen: Sequence[tuple[int, int]], who: str) -> Person:
    """The person who has the chosen tracks; the steward says that they are one, so they are joined."""
    named: list[Person] = []
    for video, track in chosen:
        owner = next((one for one in everyone if track in dict(enumerate(one.tracks, start=1)).get(video, ())), None)
        if owner is None:
            raise SettingsError(
                f"--{who}-track {video}:{track}: there is no such track, or it is too short to know the person again",
                next_step="deid-audit inspect with the same videos prints the tracks of each person",
            )
        if owner not in named:
            named.append(owner)
    person = named[0]
    for other in named[1:]:
        _join(person, other)
    if not all(person.seen):
        without = ", ".join(str(number) for number, seen in enumerate(person.seen, start=1) if not seen)
        raise NotEnoughFaces(
            f"the person of --{who}-track is not recognised in {who} video {without}",
            next_step=f"name one of their tracks there, too, or leave {who} video {without} out",
        )
    return person


def _named(everyone: list[Person], videos: Sequence[VideoFaces], *, who: str, photo: Float | None) -> Person:
    candidates = [person for person in everyone if all(person.seen)]
    if not candidates:
        without = [str(number + 1) for number, video in enumerate(videos) if not video.descriptors]
        longest = max((len(rows) for video in videos for rows in video.descriptors.values()), default=0)
        if without:
            detail = f"no face of anyone in {who} video {', '.join(without)}"
        elif not everyone:
            detail = (
                f"the face seen longest is in {longest} frames, at least {_LEAST_FRAMES} are needed to know it again"
            )
        else:
            detail = f"{len(everyone)} people found"
        raise NotEnoughFaces(
            f"nobody's face is in every {who} video: {detail}",
            next_step=f"give only videos in which the {who}'s face can be seen",
        )
    if photo is not None:
        return _matching(candidates, photo, who)
    first, *rest = candidates
    if _seen_large(first, videos) >= MINIMUM_FACES:
        rest = [other for other in rest if _seen_large(other, videos) >= MINIMUM_FACES]
    if rest and rest[0].weight > _RIVAL_SHARE * first.weight:
        raise NotEnoughFaces(
            f"two people could be the {who}: seen in {first.weight} and {rest[0].weight} frames",
            next_step=f"add a --{who} video that shows only this person"
            + (", or name them: --subject-photo PICTURE or --subject-track V:T" if who == "subject" else ""),
        )
    return first


def _seen_large(person: Person, videos: Sequence[VideoFaces]) -> int:
    """In how many frames the person's face is really seen and large enough to learn from."""
    return sum(
        face.track_id in tracks and not face.filled and float(np.ptp(face.box_xyxy[1::2])) >= SMALLEST_FACE_PX
        for video, tracks in zip(videos, person.tracks, strict=True)
        for row in video.frames
        for face in row
    )


def _matching(candidates: Sequence[Person], photo: Float, who: str) -> Person:
    """The candidate whose average is nearest to the photo, if it matches and no other comes near."""
    ranked = sorted((float(np.linalg.norm(person.average - photo)), at) for at, person in enumerate(candidates))
    nearest, at = ranked[0]
    if nearest >= _PHOTO_MATCH:
        raise NotEnoughFaces(
            f"nobody in every {who} video matches the photo: the nearest is at distance {nearest:.2f}, expected less "
            f"than {_PHOTO_MATCH}",
            next_step="give a sharper photo, face to the camera, or videos that show this person",
        )
    if len(ranked) > 1 and ranked[1][0] < nearest + _PHOTO_MARGIN:
        raise NotEnoughFaces(
            f"two people match the photo: distances {nearest:.2f} and {ranked[1][0]:.2f}",
            next_step="give a sharper photo, or videos with one of them only",
        )
    return candidates[at]
