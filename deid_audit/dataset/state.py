"""What was done about a data set: a journal in the steward's folder, which outlives a kill at any byte.

It alone links a subject's name to a case, whose id is random. One JSON line an event, forced to disk before the next
step is taken; a last line that was cut off never counted, and is cut away. Nothing else in it is ever changed.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from deid_audit.dataset.record import Identification, Linkability
from deid_audit.errors import DataSetError
from deid_audit.files import sync
from deid_audit.records import Strict

STEWARD, JOURNAL = "steward", "journal.jsonl"
_NEXT = "keep the folder as it is, and run the set into another --out"


class Begun(Strict):
    """The first line: the set's own name, random, and the key under which inputs are digested."""

    event: Literal["begun"] = "begun"
    version: Literal[1] = 1
    set_id: str = Field(pattern=r"^set-[0-9a-f]{8}$")
    key_hex: str = Field(pattern=r"^[0-9a-f]{64}$")


class CheckHeld(Strict):
    """The check found nothing to mend, for these inputs of the whole set."""

    event: Literal["check held"] = "check held"
    inputs: str


class Named(Strict):
    """A subject's case."""

    event: Literal["named"] = "named"
    subject: str
    case_id: str = Field(pattern=r"^case-[0-9a-f]{12}$")


class Started(Strict):
    """Work on a case begins; `before` is the digest of the statement that stood there, empty without one."""

    event: Literal["started"] = "started"
    case_id: str
    inputs: str
    before: str = ""


class Ended(Strict):
    """What a case came to.

    `done`: it has its certificate, whatever the verdict. `refused`: an error that the same inputs would meet again.
    `broken`: any other end, which is tried again at the next start. `error` is its class, `message` its words, for the
    steward's eyes.
    """

    event: Literal["ended"] = "ended"
    case_id: str
    inputs: str
    outcome: Literal["done", "refused", "broken"]
    verdict: str = ""
    statement_sha256: str = ""
    certificate_sha256: str = ""
    error: str = ""
    message: str = ""
    seconds: float = 0.0

    @property
    def settled(self) -> bool:
        """Whether the same inputs need no other try."""
        return self.outcome != "broken"


class LookedAcross(Strict):
    """What a look across the released cases came to, in numbers: `released` is the digest of which these were."""

    event: Literal["looked across"] = "looked across"
    released: str
    identification: Identification
    linkability: Linkability


Event = Annotated[Begun | CheckHeld | Named | Started | Ended | LookedAcross, Field(discriminator="event")]
_EVENTS: TypeAdapter[Event] = TypeAdapter(Event)


@dataclass(slots=True)
class State:
    """The journal, read; `append` writes and remembers."""

    path: Path
    begun: Begun
    cases: dict[str, str] = field(default_factory=dict)  # subject's name -> case id
    started: dict[str, Started] = field(default_factory=dict)
    ended: dict[str, Ended] = field(default_factory=dict)
    checked: str = ""
    across: LookedAcross | None = None

    @property
    def key(self) -> bytes:
        return bytes.fromhex(self.begun.key_hex)

    def case_of(self, subject: str) -> str:
        """The case of the subject of this name; a new one gets a random id, which says nothing of the name."""
        if subject not in self.cases:
            self.append(Named(subject=subject, case_id=f"case-{secrets.token_hex(6)}"))
        return self.cases[subject]

    def append(self, event: Event) -> None:
        """One more line, on disk before this returns; DataSetError where the disk takes no more."""
        line = event.model_dump_json().encode() + b"\n"
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            try:
                end = os.fstat(descriptor).st_size
                try:
                    written = 0
                    while written < len(line):
                        written += os.write(descriptor, line[written:])
                    os.fsync(descriptor)
                except OSError:
                    os.ftruncate(descriptor, end)  # half a line must not stand before a whole one
                    raise
            finally:
                os.close(descriptor)
        except OSError as error:
            raise DataSetError(
                f"the data set's journal cannot be written: {error.strerror}", next_step="make space, and run again"
            ) from None
        self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, Named):
            self.cases[event.subject] = event.case_id
        elif isinstance(event, Started):
            self.started[event.case_id] = event
        elif isinstance(event, Ended):
            self.ended[event.case_id] = event
        elif isinstance(event, CheckHeld):
            self.checked = event.inputs
        elif isinstance(event, LookedAcross):
            self.across = event


@contextmanager
def opened_state(out: Path) -> Iterator[State]:
    """The state in OUT/steward, begun where there is none; nobody else works on this set meanwhile.

    Raises:
        DataSetError: another run holds it, or the journal is damaged before its last line.
    """
    folder = out / STEWARD
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise DataSetError(f"--out cannot be used: {error.strerror}", next_step="choose another --out") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataSetError("another run is at work on this data set", next_step="wait for it") from None
        yield _read(folder / JOURNAL)
    finally:
        os.close(descriptor)


def _read(path: Path) -> State:
    data = path.read_bytes() if path.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    events = [_event(line, at) for at, line in enumerate(whole.splitlines(), start=1)]
    if len(whole) < len(data):
        os.truncate(path, len(whole))
    if not events:
        path.touch(mode=0o600)
        sync(path.parent)
        begun = Begun(set_id=f"set-{secrets.token_hex(4)}", key_hex=secrets.token_hex(32))
        state = State(path=path, begun=begun)
        state.append(begun)
        return state
    first, *rest = events
    if not isinstance(first, Begun):
        raise DataSetError("the data set's journal lacks its beginning", next_step=_NEXT)
    state = State(path=path, begun=first)
    for event in rest:
        state._take(event)
    return state


def _event(line: bytes, number: int) -> Event:
    try:
        return _EVENTS.validate_python(json.loads(line))
    except (ValueError, ValidationError):
        raise DataSetError(f"the data set's journal is damaged in line {number}", next_step=_NEXT) from None
