"""Logs for tests: with a clock that can be set, with some entries, and changed behind the log's back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deid_audit.log.events import Approved, Event, RunEnded, RunStarted, Verified, WeightsDestroyed
from deid_audit.log.journal import Journal
from deid_audit.records import Outcome

STATEMENT, CERTIFICATE, SIGNER = "ab" * 32, "cd" * 32, "ef" * 32
STARTED = RunStarted(case_id="case-1", kind="swap")
ENDED = RunEnded(
    case_id="case-1",
    kind="swap",
    verdict=Outcome.PASSED,
    statement_sha256=STATEMENT,
    certificate_sha256=CERTIFICATE,
)
EVENTS: tuple[Event, ...] = (
    STARTED,
    WeightsDestroyed(case_id="case-1", complete=True, key_id="0123456789abcdef"),
    ENDED,
    Verified(statement_sha256=STATEMENT, exit_code=0),
    Approved(case_id="case-1", statement_sha256=STATEMENT, signer_sha256=SIGNER),
)


class Clock:
    """A clock that goes on by a second at every look, and can be set."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def filled(folder: Path, events: tuple[Event, ...] = EVENTS) -> Journal:
    """A log in this folder with these entries."""
    journal = Journal(folder, clock=Clock())
    for event in events:
        journal.append(event)
    return journal


def lines_of(folder: Path) -> list[bytes]:
    """The lines of a log's file, without line feeds."""
    return (folder / "log.jsonl").read_bytes().splitlines()


def rewrite(folder: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Puts other lines in the place of a log's."""
    (folder / "log.jsonl").write_bytes(b"".join(line + b"\n" for line in change(lines_of(folder))))
