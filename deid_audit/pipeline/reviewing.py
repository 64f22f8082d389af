"""The seam between a job and the people who look at its videos: what they are shown, and the reading they give back.

The job waits here with the model in memory. Whoever shows the videos (a page, a test) is handed in: the pipeline knows
no server.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Protocol

from deid_audit import log
from deid_audit.digests import sha256_bytes, sha256_lines
from deid_audit.errors import StageError
from deid_audit.findings import ReviewRecord
from deid_audit.ledger import LedgerFrame, Region, Rung, csv_lines
from deid_audit.pipeline.reckoning import Watched
from deid_audit.review.agreement import Agreement, agreement
from deid_audit.review.applying import Orders, orders_of, reviewed_ledger
from deid_audit.review.queue import queue
from deid_audit.review.records import Reading, ReviewFile, Role, review_bytes
from deid_audit.review.sight import Sight
from deid_audit.review.summary import record_of
from deid_audit.review.voting import same_person, votes_of
from deid_audit.video.reader import SourceVideo

ONE_READER = "one person read: agreement takes two"
_ONE_PERSON = "the first reading is by the same person: a second one is by somebody else"
_ONE_READER_RESOLVES = "one of the two readings is by the same person: a third person decides where they differ"

Harder = Mapping[tuple[int, int], Rung]
"""The first rung to try, by frame and track."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pending:
    """A job that waits for one reading.

    `originals[i]`, `released[i]` and `ledgers[i]` are of video i + 1. `readings` are the earlier ones that this reader
    may see: none for a first or a second reading in round 1, for later rounds and a resolution all.
    `refused` says of earlier decisions, in words, why they were not carried out. In `round` 2 and later the videos
    show what became of the decisions; the job asks again until a reading has no decisions.
    """

    case_id: str
    role: Role
    round: int
    originals: tuple[SourceVideo, ...]
    released: tuple[SourceVideo, ...]
    ledgers: tuple[tuple[LedgerFrame, ...], ...]
    ledger_sha256: str
    readings: tuple[Reading, ...] = ()
    refused: tuple[str, ...] = ()


Reviewing = Callable[[Pending], Reading]
"""Shows a pending job to a reviewer and gives back the finished reading in the asked role; its decisions are new ones.

It raises what ends the job (`Interrupted`, or a `DeidAuditError` when the page was closed): nothing is released then.
"""


class CarriesOut(Protocol):
    """Renders, writes and watches one video once more; see `Rounds.again`."""

    def __call__(self, number: int, wanted: Mapping[int, Sequence[Region]], harder: Harder, /) -> Watched: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reviewed:
    """The videos as people left them, the review file's bytes, and what the statement says of it.

    `refused` says in words what a look at the pixels refused after nobody could be asked any more.
    """

    watched: list[Watched]
    data: bytes
    record: ReviewRecord
    refused: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True, eq=False)
class ReviewRounds:
    """The rounds of one review: `reviewing` is asked, what follows is carried out by `again`, and it is asked again.

    `readers` is 1 or 2. `checked` takes the clears out of the orders that a look at the pixels forbids.
    """

    case_id: str
    originals: Sequence[SourceVideo]
    reviewing: Reviewing
    readers: int
    again: CarriesOut
    checked: Callable[[Orders, Sequence[SourceVideo]], Orders]
    _made: list[Reading] = field(default_factory=list, init=False)
    _sight: Sight = field(default_factory=Sight, init=False)

    def of(self, watched: Sequence[Watched]) -> Reviewed:
        """Asks until a round's readings have no decisions, or none that changes a picture or was refused.

        Raises:
            StageError: a reading came back unfinished: nothing is released.
            Interrupted: while it waited.
        """
        videos, orders, refused = list(watched), Orders(), 0
        agreed = Agreement(items=0, differing=(), kappa=None, because=ONE_READER)
        for number in count(1):
            pending = self._pending(videos, number, orders.refused)
            made = self._read(pending)
            ledgers = [video.ledger for video in videos]
            looked_at = pending.ledger_sha256
            for one in made:
                self._sight.add(one, ledgers)
            if number == 1 and self.readers == 2:
                agreed = agreement(queue(ledgers), made[0].decisions, made[1].decisions)
            self._made += made
            new = self.checked(orders_of(made, ledgers), [video.released for video in videos])
            orders = new.after(orders)
            refused += len(new.refused)
            for at in sorted(new.videos):
                before = videos[at - 1].ledger
                harder = {(frame, track): rung for (video, frame, track), rung in new.harder.items() if video == at}
                videos[at - 1] = self.again(at, new.of_video(at), harder)
                self._sight.forget_changed(at, before, videos[at - 1].ledger)
            videos = [with_clears(video, at, orders) for at, video in enumerate(videos, start=1)]
            if not new.videos and not new.refused:
                break
        file = ReviewFile(case_id=self.case_id, ledger_sha256=looked_at, readings=tuple(self._made))
        data = review_bytes(file)
        record = record_of(
            self._made,
            file_sha256=sha256_bytes(data),
            frames=sum(len(video.ledger) for video in videos),
            frames_shown=self._sight.least,
            agreed=agreed,
            unresolved=orders.unresolved,
            refused=refused,
        )
        return Reviewed(watched=videos, data=data, record=record)

    def _pending(self, videos: Sequence[Watched], number: int, refused: tuple[str, ...]) -> Pending:
        return Pending(
            case_id=self.case_id,
            role="first" if self.readers == 1 else "resolution",
            round=number,
            originals=tuple(self.originals),
            released=tuple(video.released for video in videos),
            ledgers=tuple(video.ledger for video in videos),
            ledger_sha256=sha256_lines(csv_lines([video.ledger for video in videos])),
            readings=tuple(self._made),
            refused=refused,
        )

    def _read(self, pending: Pending) -> list[Reading]:
        """One round's readings: both readers in the first, each blind, and a resolution where they differ."""
        if pending.round > 1 or self.readers == 1:
            return [self._ask(pending)]
        first = self._ask(replace(pending, role="first"))
        second = self._ask(replace(pending, role="second"))
        while same_person(second.reviewer, first.reviewer):
            second = self._ask(replace(pending, role="second", refused=(_ONE_PERSON,)))
        votes = votes_of([first, second], pending.ledgers)
        if not votes.unresolved:
            return [first, second]
        asked = replace(pending, role="resolution", readings=(first, second))
        resolution = self._ask(asked)
        while any(same_person(resolution.reviewer, one.reviewer) for one in (first, second)):
            resolution = self._ask(replace(asked, refused=(_ONE_READER_RESOLVES,)))
        return [first, second, resolution]

    def _ask(self, pending: Pending) -> Reading:
        reading = self.reviewing(pending)
        if reading.finished_at is None or reading.role != pending.role:
            raise StageError(
                "the review was not finished, so nothing is released",
                next_step="run again, and finish the review on its page",
            )
        return reading


def with_clears(video: Watched, number: int, orders: Orders) -> Watched:
    """The watched video `number`, its ledger with what people cleared."""
    facts = video.released.facts
    ledger = reviewed_ledger(video.ledger, number, orders, size=(facts.width, facts.height))
    return replace(video, ledger=ledger)


def event_of(case_id: str, record: ReviewRecord) -> log.Reviewed:
    """What the log is told of a finished review."""
    decisions = sum(sum(one.decisions.values()) for one in record.readings)
    return log.Reviewed(case_id=case_id, review_sha256=record.file_sha256, readers=record.readers, decisions=decisions)
