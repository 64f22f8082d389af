"""Builders of readings and small ledgers for tests of the review."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from deid_audit.ledger import LedgerFrame, Region, Rung, State
from deid_audit.review.records import Decision, Reading, Role, Shown

START = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
UNDESCRIBED = "the face in the written file could not be compared with the original"
MATCHES = "the face in the written file matches the original: 0.42"
FALSE_FIND = "a face is seen in the written file where none was seen in the original"


def decided(kind: str, first: int = 0, last: int | None = None, **more: Any) -> dict[str, Any]:
    """What `reading` makes a decision of, about video 1 unless said otherwise."""
    return {"kind": kind, "video": 1, "first_frame": first, "last_frame": first if last is None else last} | more


def reading(
    *decisions: dict[str, Any],
    reviewer: str = "AB",
    role: Role = "first",
    shown: Sequence[tuple[int, int, int]] = ((1, 0, 99), (2, 0, 99)),
) -> Reading:
    """A finished reading of ten minutes with these decisions; all frames were shown unless said otherwise."""
    return Reading(
        reviewer=reviewer,
        role=role,
        started_at=START,
        finished_at=START + timedelta(minutes=10),
        decisions=tuple(
            Decision(number=number, reviewer=reviewer, decided_at=START, **one)
            for number, one in enumerate(decisions, start=1)
        ),
        shown=tuple(Shown(video=video, first_frame=first, last_frame=last) for video, first, last in shown),
    )


def region(state: State = State.SWAPPED, reason: str = "distance: 0.72", **more: Any) -> Region:
    """The subject's face on track 0, unless said otherwise."""
    values: dict[str, Any] = {"track_id": 0, "is_subject": True, "box_xyxy": (10.0, 10.0, 50.0, 60.0)} | more
    if state is State.SWAPPED:
        values.setdefault("rung", Rung.SWAP)
    return Region(state=state, reason=reason, decided_by="a detector", **values)


def ledger(*frames: Sequence[Region], cleared_by: tuple[str, ...] = ()) -> tuple[LedgerFrame, ...]:
    """One frame for each row of regions, 25 a second."""
    return tuple(
        LedgerFrame(index=at, time_s=at / 25, regions=tuple(regions), cleared_by=() if regions else cleared_by)
        for at, regions in enumerate(frames)
    )
