"""Checks of a whole log: form, order and chain of its lines, its checkpoint, and an older checkpoint kept elsewhere.

Changes nothing. Every problem is listed, by line; what such a check cannot see is said as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deid_audit.errors import LogError
from deid_audit.log.checkpoint import Checkpoint, VerifierKey, open_note
from deid_audit.log.entries import NO_PREVIOUS, Entry, read_entry
from deid_audit.log.merkle import leaf_hash, root_of
from deid_audit.log.storage import LogFiles, read_log


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What does not hold; `line` counts from 1, None for what is about the whole."""

    line: int | None
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReport:
    """What a check of a log found.

    Attributes:
        size: Whole lines in the file.
        root: Merkle root over them, hex.
        key: The verifier key in the folder; None where it cannot be read.
        checkpoint: The folder's signed note; None where it does not hold.
        since: Size of the older checkpoint that was held against the log; None without one, or where it is none.
        problems: All that does not hold.
        notes: What is not wrong but ought to be known, and what was not looked at.
    """

    size: int
    root: str
    key: VerifierKey | None
    checkpoint: str | None
    since: int | None
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def check_log(folder: Path, since: bytes | None = None) -> LogReport:
    """Everything that can be checked of a log; `since` is a signed note of it that was kept elsewhere.

    Raises:
        LogError: there is no log, or it cannot be read.
    """
    files = read_log(folder)
    leaves = [leaf_hash(line) for line in files.lines]
    whole: list[str] = []
    notes: list[str] = []
    key = known = old = None
    try:
        key = _key_in(files)
        known = _checkpoint_in(files, key)
        whole += _differences(known, leaves)
        if len(leaves) == known.size + 1:
            notes.append("the last entry is not covered by the checkpoint yet; the next entry will cover both")
    except LogError as error:
        whole.append(str(error))
    if files.torn_bytes:
        notes.append(f"{files.torn_bytes} bytes of an unfinished entry follow; the next entry cuts them off")
    if since is not None and key is not None:
        try:
            old = open_note(since, key)
            whole += [f"the older checkpoint: {what}" for what in _cut(old, leaves)]
        except LogError as error:
            whole.append(f"the older checkpoint: {error}")
    problems = [*(Problem(line=None, what=what) for what in whole), *_line_problems(files.lines, leaves)]
    return LogReport(
        size=len(leaves),
        root=root_of(leaves).hex(),
        key=key,
        checkpoint=None if known is None or files.note is None else files.note.decode(),
        since=None if old is None else old.size,
        problems=tuple(problems),
        notes=(*notes, _not_seen(len(leaves), old)),
    )


def read_entries(folder: Path) -> list[Entry]:
    """All entries, without any check but their form; LogError at the first line that is none."""
    entries = []
    for number, line in enumerate(read_log(folder).lines, start=1):
        try:
            entries.append(read_entry(line))
        except ValueError:
            raise LogError(f"line {number} is not an entry", next_step="look with: deid-audit log verify") from None
    return entries


def _line_problems(lines: Sequence[bytes], leaves: Sequence[bytes]) -> Iterator[Problem]:
    before: Entry | None = None
    expected_seq: int | None = 0  # None after a line that could not be read: its number is not known
    for index, line in enumerate(lines):
        number = index + 1
        try:
            entry = read_entry(line)
        except ValueError as error:
            yield Problem(line=number, what=f"not an entry: {error}")
            before, expected_seq = None, None
            continue
        if expected_seq is not None and entry.seq != expected_seq:
            yield Problem(line=number, what=f"its number is {entry.seq}, not {expected_seq}")
        if entry.prev != (leaves[index - 1].hex() if index else NO_PREVIOUS):
            yield Problem(
                line=number, what="it does not follow the line before: that one was changed, removed or added"
            )
        if before is not None and entry.clock_went_back != (entry.time < before.time):
            said = (
                "earlier than the entry before, and not marked so" if entry.time < before.time else "marked as earlier"
            )
            yield Problem(line=number, what=f"its time is {said}")
        before, expected_seq = entry, entry.seq + 1


def _key_in(files: LogFiles) -> VerifierKey:
    if files.key_text is None:
        raise LogError("the log's public key, log.pub, is gone: no checkpoint can be checked")
    return VerifierKey.parse(files.key_text)


def _checkpoint_in(files: LogFiles, key: VerifierKey) -> Checkpoint:
    if files.note is None:
        raise LogError("the log's checkpoint is gone")
    return open_note(files.note, key)


def _differences(known: Checkpoint, leaves: Sequence[bytes]) -> Iterator[str]:
    """What of the log is not as its own checkpoint says."""
    yield from _cut(known, leaves)
    if (beyond := len(leaves) - known.size) > 1:
        yield f"{beyond} entries follow the checkpoint, and it is never more than one behind"


def _cut(known: Checkpoint, leaves: Sequence[bytes]) -> Iterator[str]:
    """Why the log does not begin with what a checkpoint is about."""
    if known.size > len(leaves):
        yield f"it covers {known.size} entries, the log has {len(leaves)}: entries were removed"
    elif root_of(leaves[: known.size]) != known.root:
        yield f"its root is not that of the first {known.size} entries: they were changed"


def _not_seen(size: int, old: Checkpoint | None) -> str:
    known = f"known here: {size} entries"
    if old is None:
        unseen = "entries cut off the end, or a log made anew, are seen only against a checkpoint kept elsewhere"
        return f"{known}; {unseen} (--since)"
    return f"{known}; of entries later than the older checkpoint's {old.size} it is not seen whether more were cut off"
