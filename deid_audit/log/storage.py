"""A log's folder on disk: where it is, who may write, how a file takes its place whole.

Every access holds the lock of `log.jsonl` (flock), one process at a time to write. Nothing here knows what a line says.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deid_audit.errors import LogError
from deid_audit.files import sync

VARIABLE = "DEID_AUDIT_LOG"
LOG, CHECKPOINT, PRIVATE_KEY, PUBLIC_KEY = "log.jsonl", "checkpoint", "log.key", "log.pub"
LOCK_WAIT_S = 10.0
_STEP_S = 0.02
_OTHER_FOLDER = f"give another folder with --log or {VARIABLE}"


def log_folder(option: Path | None) -> Path:
    """Where the log is kept: as asked for, else DEID_AUDIT_LOG, else the user's state folder (XDG_STATE_HOME)."""
    if option is not None:
        return option
    if named := os.environ.get(VARIABLE):
        return Path(named)
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():  # the XDG specification: a relative one is to be ignored
        try:
            state = Path.home() / ".local" / "state"
        except RuntimeError:
            raise LogError("there is no home folder to keep the log in", next_step=_OTHER_FOLDER) from None
    return state / "deid-audit" / "log"


@dataclass(frozen=True, slots=True)
class LogFiles:
    """What a log's folder holds: whole lines without their line feeds, bytes of an unfinished one, note and key."""

    lines: tuple[bytes, ...]
    torn_bytes: int
    note: bytes | None
    key_text: str | None


def read_log(folder: Path) -> LogFiles:
    """All of a log, read while nobody writes it; changes nothing. LogError when there is none or it cannot be read."""
    with storage_faults("read"):
        try:
            descriptor = os.open(folder / LOG, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError):
            raise LogError(
                "there is no log in this folder", next_step=f"name its folder with --log or {VARIABLE}"
            ) from None
        with os.fdopen(descriptor, "rb") as stream:
            _lock(descriptor, fcntl.LOCK_SH)
            *lines, torn = stream.read().split(b"\n")
            note, key = (_bytes_of(folder / name) for name in (CHECKPOINT, PUBLIC_KEY))
    key_text = None if key is None else key.decode("ascii", errors="replace").removesuffix("\n")
    return LogFiles(tuple(lines), len(torn), note, key_text)


@contextmanager
def exclusive(folder: Path) -> Iterator[int]:
    """The descriptor of a log's lines, which is made where there is none, while nobody else reads or writes."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync(folder.parent)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(folder / LOG, flags, 0o600)
    try:
        _lock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of it, and forces it to disk."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)


def replace_file(path: Path, data: bytes) -> None:
    """A file readable by its owner only, which takes its place whole and is on disk when this returns."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)  # of a process that was killed; the lock keeps others out
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        write_all(descriptor, data)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    fresh.replace(path)
    sync(path.parent)


@contextmanager
def storage_faults(verb: str) -> Iterator[None]:
    """An OSError becomes a LogError that says what could not be done, without a path."""
    try:
        yield
    except OSError as error:
        raise LogError(
            f"the log cannot be {verb}: {error.strerror or 'input/output error'}",
            next_step=f"check its folder's permissions and free space, or {_OTHER_FOLDER}",
        ) from None


def _lock(descriptor: int, kind: int) -> None:
    until = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            return fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise LogError(
                    f"another process has held the log for {LOCK_WAIT_S:g} seconds",
                    next_step=f"wait for it to end and try again, or {_OTHER_FOLDER}",
                ) from None
            time.sleep(_STEP_S)


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
