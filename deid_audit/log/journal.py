"""Journal: adds entries to a log and signs a checkpoint after each.

One process at a time; an entry is acknowledged once it is on disk. A log that is not what its own last checkpoint says
is never signed again: that would make a changed log look whole. Nothing here is deleted but an unfinished last line.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from deid_audit.errors import LogError
from deid_audit.log.checkpoint import Checkpoint, VerifierKey, open_note, signed_note
from deid_audit.log.entries import NO_PREVIOUS, Entry, entry_line, read_entry, time_text
from deid_audit.log.events import Event, Recovered
from deid_audit.log.merkle import EMPTY_ROOT, Tree, leaf_hash
from deid_audit.log.storage import (
    CHECKPOINT,
    PRIVATE_KEY,
    PUBLIC_KEY,
    exclusive,
    replace_file,
    storage_faults,
    write_all,
)

_NEXT = "look with: deid-audit log verify; keep the folder as it is, and begin another log (--log or DEID_AUDIT_LOG)"


@dataclass(slots=True, kw_only=True)
class _Open:
    """A log while its lock is held: where to write, whose key signs, and what it has so far."""

    descriptor: int
    key: Ed25519PrivateKey
    note: str
    tree: Tree
    last_line: bytes
    torn_bytes: int = 0


class Journal:
    """A log in a folder, which is made at the first use, with the machine's key.

    Args:
        folder: Where the log is kept (`log_folder`).
        clock: The time now, with its zone. That it runs is not relied on: time that goes back is noted.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], datetime]) -> None:
        self._folder = folder.absolute()
        self._clock = clock

    def append(self, event: Event) -> int:
        """Adds an entry and gives its number, from 0, once entry and checkpoint are on disk.

        Raises:
            LogError: the storage takes no more, others hold the log for too long, or it is not what its checkpoint
                says. The entry may still stand where only the checkpoint could not be written.
        """
        with self._opened() as log:
            return self._add(log, event)

    def checkpoint(self) -> str:
        """The signed checkpoint over all entries so far; LogError as in `append`."""
        with self._opened() as log:
            return log.note

    @contextmanager
    def _opened(self) -> Iterator[_Open]:
        """Locked, held against its checkpoint, and mended where a process was stopped between two steps."""
        with storage_faults("written"), exclusive(self._folder) as descriptor:
            log, known = self._begun(descriptor)
            _read_lines(log, known)
            if log.torn_bytes:
                os.ftruncate(descriptor, os.fstat(descriptor).st_size - log.torn_bytes)
                os.fsync(descriptor)
            if log.tree.size > known.size:
                self._sign(log)
            if log.torn_bytes:
                self._add(log, Recovered(cut_bytes=log.torn_bytes))
            yield log

    def _begun(self, descriptor: int) -> tuple[_Open, Checkpoint]:
        """Key and checkpoint. Both are made only for a log without a line: else they were taken away."""
        path = self._folder / CHECKPOINT
        fresh = os.fstat(descriptor).st_size == 0 and not os.path.lexists(path)
        if fresh and not os.path.lexists(self._folder / PRIVATE_KEY):
            _make_key(self._folder / PRIVATE_KEY)
        key = _key_of(self._folder / PRIVATE_KEY)
        if fresh:
            replace_file(self._folder / PUBLIC_KEY, f"{VerifierKey.of(key).text}\n".encode())
            replace_file(path, signed_note(0, EMPTY_ROOT, key).encode())
        try:
            note = path.read_bytes()
        except FileNotFoundError:
            raise LogError("the log's checkpoint is gone", next_step=_NEXT) from None
        try:
            known = open_note(note, VerifierKey.of(key))
        except LogError as error:
            raise LogError(f"the log is refused: {error}", next_step=_NEXT) from None
        return _Open(descriptor=descriptor, key=key, note=note.decode(), tree=Tree(), last_line=b""), known

    def _add(self, log: _Open, event: Event) -> int:
        seq, now = log.tree.size, time_text(self._clock().astimezone(UTC))
        entry = Entry(
            seq=seq,
            prev=leaf_hash(log.last_line).hex() if seq else NO_PREVIOUS,
            time=now,
            clock_went_back=bool(seq) and now < _last_time(log.last_line),
            event=event,
        )
        line, end = entry_line(entry), os.fstat(log.descriptor).st_size
        try:
            write_all(log.descriptor, line + b"\n")
        except BaseException:
            with suppress(OSError):  # what is then left of it is cut by the next entry
                os.ftruncate(log.descriptor, end)
            raise
        log.tree.add(leaf_hash(line))
        log.last_line = line
        self._sign(log)
        return seq

    def _sign(self, log: _Open) -> None:
        log.note = signed_note(log.tree.size, log.tree.root(), log.key)
        replace_file(self._folder / CHECKPOINT, log.note.encode())


def _read_lines(log: _Open, known: Checkpoint) -> None:
    """Reads all lines: the root needs them. LogError when they are not what the checkpoint is about.

    One more than it covers is what a process leaves that was stopped between entry and checkpoint; more is not.
    """
    root = EMPTY_ROOT if known.size == 0 else None
    with open(log.descriptor, "rb", closefd=False) as stream:
        for line in stream:
            if not line.endswith(b"\n"):
                log.torn_bytes = len(line)
                break
            before, log.last_line = log.last_line, line[:-1]
            if log.tree.size == known.size:
                _expect_next(log.last_line, known.size, before)
            log.tree.add(leaf_hash(log.last_line))
            if log.tree.size == known.size:
                root = log.tree.root()
    if root != known.root or log.tree.size > known.size + 1:
        raise LogError("the log is not what its own checkpoint says: it was changed", next_step=_NEXT)
    if log.tree.size:
        _last_time(log.last_line)


def _expect_next(line: bytes, seq: int, before: bytes) -> None:
    """LogError where a line beyond the checkpoint does not go on from the one before: no writer of ours left it."""
    try:
        entry = read_entry(line)
    except ValueError:
        raise LogError("the log's last line is no entry: it was changed", next_step=_NEXT) from None
    if (entry.seq, entry.prev) != (seq, leaf_hash(before).hex() if seq else NO_PREVIOUS):
        raise LogError("the log's last line does not follow the one before: it was added", next_step=_NEXT)


def _last_time(line: bytes) -> str:
    try:
        return read_entry(line).time
    except ValueError:
        raise LogError("the log's last line is not an entry", next_step=_NEXT) from None


def _make_key(path: Path) -> None:
    """The machine's key, made once and under the lock; whole or not there."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    replace_file(path, pem)


def _key_of(path: Path) -> Ed25519PrivateKey:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise LogError("the log's key is gone", next_step=_NEXT) from None
    with os.fdopen(descriptor, "rb") as stream:
        if os.fstat(descriptor).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise LogError(
                "others than its owner may read or write the log's key",
                next_step=f"in its folder: chmod 600 {PRIVATE_KEY}",
            )
        try:
            key = load_pem_private_key(stream.read(), None)
        except (ValueError, TypeError):
            key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise LogError("the log's key file holds no Ed25519 key", next_step=_NEXT)
    return key
