"""One reading while it is made: whose it is, what was decided so far, and which frames were really shown.

Knows nothing of requests and pictures. Every change is handed to `keep`, so that nothing is lost when the page goes.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, get_args

from pydantic import TypeAdapter, ValidationError

from deid_audit.ledger import LedgerFrame
from deid_audit.pipeline.reviewing import Pending
from deid_audit.review.records import Decision, Kind, Reading, ReviewerName, Shown
from deid_audit.review.sight import merged

Side = Literal["original", "released"]
SIDES: tuple[Side, ...] = get_args(Side)
KINDS: tuple[Kind, ...] = get_args(Kind)
_BOTH = 3


class NotTaken(Exception):
    """What a reviewer asked for and cannot have; its text is for the page."""


class Desk:
    """A reading of a job that waits. Any thread may call; `draft` is an unfinished reading that goes on.

    `can_reswap` says whether the model is still there; `keep` gets the reading after each change; `not_by` are the
    names under which it cannot be made.
    """

    def __init__(
        self,
        pending: Pending,
        *,
        can_reswap: bool = True,
        draft: Reading | None = None,
        keep: Callable[[Reading], None],
        not_by: frozenset[str] = frozenset(),
    ) -> None:
        self.pending, self.can_reswap = pending, can_reswap
        self._keep = keep
        self._not_by = frozenset(name.casefold() for name in not_by)
        self._lock = threading.RLock()
        self._counts = [len(ledger) for ledger in pending.ledgers]
        self._shown = [bytearray(count) for count in self._counts]
        self._reading = draft
        for one in draft.shown if draft is not None else ():
            if one.video <= len(self._counts):
                last = min(one.last_frame, self._counts[one.video - 1] - 1)
                self._shown[one.video - 1][one.first_frame : last + 1] = bytes([_BOTH]) * (last + 1 - one.first_frame)

    @property
    def reviewer(self) -> str:
        """The reviewer's name; empty until they gave it."""
        return "" if self._reading is None else self._reading.reviewer

    def begin(self, reviewer: str) -> None:
        """Starts the reading, or lets the same reviewer go on; NotTaken for no name, or another's draft."""
        try:
            name = TypeAdapter(ReviewerName).validate_python(reviewer)
        except ValidationError as error:
            raise NotTaken(f"The name {_words(error)}.") from None
        with self._lock:
            if name.casefold() in self._not_by:
                raise NotTaken("The other reading was made under this name. Somebody else has to make this one.")
            if self._reading is None:
                self._reading = Reading(reviewer=name, role=self.pending.role, started_at=_now())
            elif self._reading.reviewer != name:
                raise NotTaken("This reading was begun under another name. Give that name, or start a new review file.")

    def decide(
        self,
        kind: str,
        *,
        video: int,
        frames: tuple[int, int],
        track: int | None,
        box_xyxy: tuple[float, float, float, float] | None,
        note: str,
    ) -> Decision:
        """Takes a decision about these frames (from 0, both included); NotTaken says what is wrong with it."""
        with self._lock:
            reading = self._begun()
            if not 1 <= video <= len(self._counts) or not 0 <= frames[0] <= frames[1] < self._counts[video - 1]:
                raise NotTaken(f"Video {video} has no frames {frames[0]} to {frames[1]}.")
            if kind == "reswap" and not self.can_reswap:
                raise NotTaken("The model was destroyed: nothing can be swapped again, only covered.")
            if track is not None and box_xyxy is None and not self._has(video, frames, track):
                raise NotTaken(f"Person's stretch {track} is in none of the frames {frames[0]} to {frames[1]}.")
            try:
                made = Decision.model_validate(
                    {
                        "number": len(reading.decisions) + 1,
                        "video": video,
                        "first_frame": frames[0],
                        "last_frame": frames[1],
                        "kind": kind,
                        "track": track,
                        "box_xyxy": None if box_xyxy is None else self._inside(video, box_xyxy),
                        "reviewer": reading.reviewer,
                        "decided_at": _now(),
                        "note": note.strip(),
                    }
                )
            except ValidationError as error:
                raise NotTaken(f"The decision {_words(error)}.") from None
            self._change(decisions=(*reading.decisions, made))
            return made

    def undo(self, number: int) -> None:
        """Takes back decision `number` of this reading; the later ones are numbered anew."""
        with self._lock:
            reading = self._begun()
            left = [one for one in reading.decisions if one.number != number]
            if len(left) == len(reading.decisions):
                raise NotTaken("There is no such decision of yours.")
            self._change(decisions=tuple(one.model_copy(update={"number": at}) for at, one in enumerate(left, start=1)))

    def was_sent(self, video: int, frame: int, side: Side) -> None:
        """Notes that this picture was sent; a frame was shown when both of its pictures were."""
        self._shown[video - 1][frame] |= 1 << SIDES.index(side)

    def shown(self) -> tuple[Shown, ...]:
        """The frames that were shown, as merged stretches."""
        shown = enumerate(self._shown, start=1)
        return merged((video, frame) for video, sent in shown for frame, sides in enumerate(sent) if sides == _BOTH)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The decisions so far."""
        return () if self._reading is None else self._reading.decisions

    def progress(self) -> tuple[int, int]:
        """How many frames were shown, of how many."""
        return sum(sent.count(_BOTH) for sent in self._shown), sum(self._counts)

    def finish(self) -> Reading:
        """The reading, ended now; handed to `keep`, too."""
        with self._lock:
            self._begun()
            return self._change(finished_at=_now())

    def pause(self) -> None:
        """Keeps what was shown up to now, where a reading was begun."""
        with self._lock:
            if self._reading is not None:
                self._change()

    def _begun(self) -> Reading:
        if self._reading is None:
            raise NotTaken("Give your name first.")
        if self._reading.finished_at is not None:
            raise NotTaken("This reading is finished.")
        return self._reading

    def _change(self, **changes: object) -> Reading:
        assert self._reading is not None
        changed = self._reading.model_copy(update={"shown": self.shown(), **changes})
        self._keep(changed)
        self._reading = changed
        return changed

    def _has(self, video: int, frames: tuple[int, int], track: int) -> bool:
        ledger: tuple[LedgerFrame, ...] = self.pending.ledgers[video - 1]
        return any(region.track_id == track for one in ledger[frames[0] : frames[1] + 1] for region in one.regions)

    def _inside(self, video: int, box: tuple[float, float, float, float]) -> tuple[float, ...]:
        """The part of a drawn box that lies in the picture."""
        facts = self.pending.released[video - 1].facts
        most = (facts.width, facts.height) * 2
        return tuple(round(min(max(edge, 0.0), float(end)), 1) for edge, end in zip(box, most, strict=True))


def _words(error: ValidationError) -> str:
    """The first fault, without what was given."""
    return str(error.errors(include_url=False, include_input=False)[0]["msg"]).removeprefix("Value error, ")


def _now() -> datetime:
    return datetime.now(UTC)
