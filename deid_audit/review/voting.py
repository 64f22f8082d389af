"""From readings to one decision a place: what each reader's last word is, and what counts where two differ.

A place is a face region of a frame, a frame without one, or a region that a reviewer drew. Nothing is carried out here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from deid_audit.errors import ReviewFileError
from deid_audit.ledger import LedgerFrame
from deid_audit.review.places import Box, overlaps, same
from deid_audit.review.records import Decision, Reading, Role

COVERING = ("conceal", "wrong_person")
_ROLES: tuple[Role, ...] = ("first", "second", "resolution")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A face region of a frame by its number there (`region`), a frame without one (neither), or what was drawn."""

    video: int
    frame: int
    region: int | None = None
    drawn: Box | None = None


@dataclass(slots=True)
class Votes:
    """What counts at every place, why some decisions are about nothing, how many differences nobody resolved."""

    counted: dict[Place, Decision] = field(default_factory=dict)
    by: dict[Place, tuple[str, ...]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    unresolved: int = 0


def votes_of(readings: Sequence[Reading], ledgers: Sequence[Sequence[LedgerFrame]]) -> Votes:
    """What the finished readings of one round come to together.

    A clear counts for the frames that were shown to whoever cleared, and for no others. Where two readers differ the
    resolution decides; without its word the stricter counts, and that is a cover as soon as one of them wanted the face
    changed. Nothing is cleared that only one of two readers cleared.

    Raises:
        ReviewFileError: two readings are by one person, or there is a second one without a first.
    """
    votes = Votes()
    _refuse_one_person(readings)
    first, second, resolution = (_last_words(readings, role, ledgers, votes.refused) for role in _ROLES)
    if not any(one.role == "second" for one in readings):
        for place, decision in (first | resolution).items():
            if decision.kind == "clear" and place not in first:  # a later look, after both readers
                votes.refused.append(f"{described(decision)}: a clear takes both readers; it can be covered")
            else:
                _count(votes, place, decision)
        votes.refused = list(dict.fromkeys(votes.refused))
        return votes
    left_open: set[tuple[int, int]] = set()
    for place in dict.fromkeys((*first, *second, *resolution)):
        one, other, resolved = first.get(place), second.get(place), resolution.get(place)
        if one is not None and other is not None and one.kind == other.kind:
            _count(votes, place, one, other)
            if resolved is not None and resolved.kind in COVERING and one.kind not in COVERING:
                _count(votes, place, resolved)
        elif resolved is not None:
            if resolved.kind == "clear" and "clear" not in {said.kind for said in (one, other) if said is not None}:
                votes.refused.append(f"{described(resolved)}: neither reader cleared it")
            else:
                _count(votes, place, resolved)
        else:
            left_open.add((0 if one is None else one.number, 0 if other is None else other.number))
            _count_stricter(votes, place, [said for said in (one, other) if said is not None])
    votes.unresolved = len(left_open)
    votes.refused = list(dict.fromkeys(votes.refused))
    return votes


def described(decision: Decision) -> str:
    """`decision 3 (clear; video 1, frames 4 to 9)`: its words for a message."""
    return (
        f"decision {decision.number} ({decision.kind.replace('_', ' ')}; video {decision.video}, frames "
        f"{decision.first_frame} to {decision.last_frame})"
    )


def same_person(one: str, other: str) -> bool:
    """Whether two reviewers' names are one, however they are written."""
    return one.strip().casefold() == other.strip().casefold()


def _refuse_one_person(readings: Sequence[Reading]) -> None:
    first, second, resolution = (
        {one.reviewer.strip().casefold() for one in readings if one.role == role} for role in _ROLES
    )
    if second and not first:
        raise ReviewFileError("the review has a second reading, but no first", next_step="make the first reading, too")
    if first & second:
        raise ReviewFileError(
            "the first and the second reading are by one person",
            next_step="have somebody else make the second reading, or give the reviewers' own names",
        )
    if resolution & (first | second):
        raise ReviewFileError(
            "the resolution is by one of the two readers, who cannot decide alone where they differ",
            next_step="have a third person make the resolution, or give the reviewers' own names",
        )


def _count(votes: Votes, place: Place, *decisions: Decision) -> None:
    votes.counted[place] = decisions[0]
    votes.by[place] = tuple(dict.fromkeys(one.reviewer for one in decisions))


def _count_stricter(votes: Votes, place: Place, said: Sequence[Decision]) -> None:
    """What one of two readers wanted changed is covered; a clear of only one of them is none."""
    wanted = [one for one in said if one.kind != "clear"]
    if wanted:
        _count(votes, place, wanted[0].model_copy(update={"kind": "conceal"}))


def _last_words(
    readings: Sequence[Reading], role: Role, ledgers: Sequence[Sequence[LedgerFrame]], refused: list[str]
) -> dict[Place, Decision]:
    """Each place's last decision in one role; one about nothing, and a clear of what was not shown, are `refused`."""
    words: dict[Place, Decision] = {}
    for reading, decision in ((one, made) for one in readings if one.role == role for made in one.decisions):
        frames = ledgers[decision.video - 1] if decision.video <= len(ledgers) else ()
        about = frames[decision.first_frame : decision.last_frame + 1]
        found = [place for frame in about for place in _places(decision, frame)]
        if not found:
            refused.append(f"{described(decision)}: there is no face region there" if about else _beyond(decision))
        if decision.kind == "clear":
            seen = [place for place in found if _was_shown(reading, place)]
            if unseen := len({place.frame for place in found} - {place.frame for place in seen}):
                refused.append(f"{described(decision)}: {unseen} of its frames were not shown to whoever cleared them")
            found = seen
        for place in found:
            if decision.kind == "clear" and decision.box_xyxy is not None:  # takes back what was drawn just there
                words.pop(Place(video=place.video, frame=place.frame, drawn=decision.box_xyxy), None)
            words[place] = decision
    return words


def _was_shown(reading: Reading, place: Place) -> bool:
    return any(one.video == place.video and one.first_frame <= place.frame <= one.last_frame for one in reading.shown)


def _beyond(decision: Decision) -> str:
    return f"{described(decision)}: there are no such frames"


def _places(decision: Decision, frame: LedgerFrame) -> Iterator[Place]:
    if decision.kind == "conceal" and decision.box_xyxy is not None:
        mine = [at for at, one in enumerate(frame.regions) if same(one.box_xyxy, decision.box_xyxy)]
        if not mine:
            yield Place(video=decision.video, frame=frame.index, drawn=decision.box_xyxy)
            return
        yield from (Place(video=decision.video, frame=frame.index, region=at) for at in mine)
        return
    about_all = decision.track is None and decision.box_xyxy is None
    if not frame.found and about_all and decision.kind == "clear":  # a clear of a part says nothing of the frame
        yield Place(video=decision.video, frame=frame.index)
    for at, region in enumerate(frame.regions):
        if decision.track is not None and region.track_id != decision.track:
            continue
        if decision.box_xyxy is not None and not overlaps(region.box_xyxy, decision.box_xyxy):
            continue
        yield Place(video=decision.video, frame=frame.index, region=at)
