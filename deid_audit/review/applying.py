"""What follows from a review: what is covered, swapped harder or counts as looked at, and what is refused, and why.

The rule for a clear: it settles only what the tool left undecided because it saw no face that it could describe, or
saw one where the first search saw none. A face that matches its original, or shows under its cover, stays undecided
whoever clears it; what the tool decided itself stays as it was. Nothing is ever uncovered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from deid_audit.ledger import DISTANCE_IN_FILE, DRAWN_BY, LedgerFrame, Region, Rung, State
from deid_audit.review.places import Box, same
from deid_audit.review.records import Decision, Reading
from deid_audit.review.voting import COVERING, Place, described, votes_of

CLEARABLE = (
    "could not be compared with the original",
    "where none was seen in the original",
    "neither covered nor to be compared",
)
"""Words of the reasons for `undecided` that a person may settle; each is of the module that writes it."""
_HARDER = {Rung.SWAP: Rung.WIDER, Rung.WIDER: Rung.HARDER}
_COVERED = {
    "conceal": "a reviewer had it covered",
    "wrong_person": "a reviewer says that it is somebody else's",
    "reswap": "a reviewer wanted another swap, and there is none that is harder",
}
_DECIDED_BY = "reviewer: "

Frame = tuple[int, int]
"""Number of the video, from 1, and of the frame, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clear:
    """A clear of one region (None: of a frame in which none was found), by whom, and the decision behind it."""

    box_xyxy: Box | None
    by: str
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What is to be done to the videos: covers, as concealed regions; the first rung of a track's next swap; clears.

    `refused` says in words which decisions are not carried out, and why; `unresolved` counts differences of two readers
    that nobody decided.
    """

    covers: Mapping[Frame, tuple[Region, ...]] = field(default_factory=dict)
    harder: Mapping[tuple[int, int, int], Rung] = field(default_factory=dict)
    clears: Mapping[Frame, tuple[Clear, ...]] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    unresolved: int = 0

    @property
    def videos(self) -> frozenset[int]:
        """The numbers of the videos whose pictures change."""
        return frozenset(key[0] for key in (*self.covers, *self.harder))

    def of_video(self, number: int) -> dict[int, tuple[Region, ...]]:
        """The covers of one video, by frame."""
        return {frame: regions for (video, frame), regions in self.covers.items() if video == number}

    def after(self, before: "Orders") -> "Orders":
        """These with the clears and open differences of earlier rounds, whose covers and swaps are carried out."""
        clears = dict(before.clears)
        for key, found in self.clears.items():
            clears[key] = (*clears.get(key, ()), *found)
        return replace(self, clears=clears, unresolved=before.unresolved + self.unresolved)

    def without(self, refused: Mapping[tuple[Frame, Box | None], str]) -> "Orders":
        """Without the clears at these places, which are refused with these words."""
        said: dict[str, None] = dict.fromkeys(self.refused)
        clears: dict[Frame, tuple[Clear, ...]] = {}
        for frame, found in self.clears.items():
            kept = tuple(one for one in found if (frame, one.box_xyxy) not in refused)
            if kept:
                clears[frame] = kept
            for one in found:
                if one not in kept:
                    said[f"{described(one.decision)}: {refused[frame, one.box_xyxy]}"] = None
        return replace(self, clears=clears, refused=tuple(said))


def orders_of(
    readings: Sequence[Reading], ledgers: Sequence[Sequence[LedgerFrame]], *, model_is_there: bool = True
) -> Orders:
    """What the readings of one round ask for, held against the ledgers they looked at.

    Where the model is gone, another swap is a cover.
    """
    votes = votes_of(readings, ledgers)
    covers: dict[Frame, list[Region]] = {}
    clears: dict[Frame, list[Clear]] = {}
    harder: dict[tuple[int, int, int], Rung] = {}
    refused: dict[str, None] = dict.fromkeys(votes.refused)
    idle: dict[str, None] = {}  # what asks for covers of covered faces; a part of it may do more
    done: set[str] = set()
    for place, decision in votes.counted.items():
        by, key = " and ".join(votes.by[place]), (place.video, place.frame)
        frame = ledgers[place.video - 1][place.frame]
        region = None if place.region is None else frame.regions[place.region]
        if decision.kind == "clear":
            if (why := _why_not_cleared(frame, region)) is not None:
                refused |= {f"{described(decision)}: {why}": None} if why else {}
            else:
                box = None if region is None else region.box_xyxy
                clears.setdefault(key, []).append(Clear(box_xyxy=box, by=by, decision=decision))
            continue
        if region is not None and region.state is State.CONCEALED:
            if decision.kind == "reswap":
                refused[f"{described(decision)}: the face is covered, and nothing is harder than that"] = None
            else:
                idle[described(decision)] = None
            continue
        done.add(described(decision))
        rung = None if region is None or decision.kind in COVERING else _HARDER.get(region.rung or Rung.COVER)
        if rung is not None and region is not None and region.track_id is not None and model_is_there:
            harder[place.video, place.frame, region.track_id] = rung
        else:
            covers.setdefault(key, []).append(_cover(place, region, decision, by))
    return Orders(
        covers={key: tuple(regions) for key, regions in covers.items()},
        harder=harder,
        clears={key: tuple(found) for key, found in clears.items()},
        refused=(*refused, *(f"{words}: already covered" for words in idle if words not in done)),
        unresolved=votes.unresolved,
    )


def _why_not_cleared(frame: LedgerFrame, region: Region | None) -> str | None:
    """None where it may be cleared; empty where there is nothing to clear, so that a clear only says `looked at`."""
    if region is None:
        return "" if frame.is_cleared else None
    if region.state is not State.UNDECIDED:
        return ""
    if any(name == DISTANCE_IN_FILE for name, _ in region.numbers) or "matches the original" in region.reason:
        return "the released face matches the subject's or this person's own; it can be covered, not cleared"
    if not any(words in region.reason for words in CLEARABLE):
        return f"a person cannot clear this ({region.reason}); it can be covered"
    return None


def _cover(place: Place, region: Region | None, decision: Decision, by: str) -> Region:
    box = place.drawn if region is None else region.box_xyxy
    assert box is not None  # a frame without regions can be cleared only
    return Region(
        track_id=None if region is None else region.track_id,
        is_subject=region is not None and region.is_subject,
        state=State.CONCEALED,
        reason=_COVERED[decision.kind],
        decided_by=(DRAWN_BY if region is None else _DECIDED_BY) + by,
        box_xyxy=box,
        is_known=region is None or region.is_known,
    )


def reviewed_ledger(
    ledger: Sequence[LedgerFrame], number: int, orders: Orders, *, size: tuple[int, int]
) -> tuple[LedgerFrame, ...]:
    """The finished ledger of video `number` with what a person cleared as `reviewed`; `size` is its width and height.

    The clears are held against this ledger anew: what it says now of a face counts, not what it said when it was
    looked at.
    """
    out = []
    for frame in ledger:
        found = orders.clears.get((number, frame.index), ())
        out.append(_reviewed(frame, found, size) if found and frame.state is State.UNDECIDED else frame)
    return tuple(out)


def _reviewed(frame: LedgerFrame, clears: Sequence[Clear], size: tuple[int, int]) -> LedgerFrame:
    if not frame.found:
        whole = Region(
            track_id=None,
            is_subject=False,
            state=State.REVIEWED,
            reason="not cleared by two detectors; a reviewer saw no face that identifies",
            decided_by=_DECIDED_BY + clears[0].by,
            box_xyxy=(0.0, 0.0, float(size[0]), float(size[1])),
        )
        return replace(frame, regions=(*frame.regions, whole)) if any(one.box_xyxy is None for one in clears) else frame
    regions = []
    for region in frame.regions:
        mine = [one for one in clears if one.box_xyxy is not None and same(one.box_xyxy, region.box_xyxy)]
        if mine and region.state is State.UNDECIDED and _why_not_cleared(frame, region) is None:
            said = f"{region.reason}; a reviewer cleared it"
            by = _DECIDED_BY + mine[-1].by
            region = replace(region, state=State.REVIEWED, reason=said, decided_by=by)  # noqa: PLW2901
        regions.append(region)
    return replace(frame, regions=tuple(regions))
