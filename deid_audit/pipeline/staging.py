"""The output folder: staged beside its place as OUT.partial, complete when it appears under OUT by one rename.

Also turns SIGTERM and Ctrl-C into an error, so that leaving a run always destroys and cleans up.
"""

import fcntl
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from deid_audit.errors import Interrupted, SettingsError, StageError
from deid_audit.files import partial_beside, sync
from deid_audit.video.stores import url_of

MARKER = ".deid-audit-partial"
WORK = "work"  # the vault's folder inside OUT.partial
_OWN_FILES = ({"certificate.pdf", "evidence.json"}, {"dataset.json", "dataset.dsse.json"})  # of a case, of a data set


@contextmanager
def interruptible(left: str = "nothing was released") -> Iterator[None]:
    """SIGTERM and SIGINT become Interrupted (143, 130) inside, which says what is `left`; the handlers are put back."""

    def stop(number: int, frame: FrameType | None) -> None:
        name = "SIGTERM" if number == signal.SIGTERM else "Ctrl-C"
        raise Interrupted(f"stopped by {name}: {left}", exit_code=128 + number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait until the block is over: for a library that would swallow what a handler raises."""
    caught: list[tuple[int, FrameType | None]] = []
    before = {
        number: signal.signal(number, lambda number, frame: caught.append((number, frame)))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for caught_number, frame in caught[:1]:
            raised = before[signal.Signals(caught_number)]
            if callable(raised):
                raised(caught_number, frame)


def refuse_existing(out: Path, *, force: bool) -> None:
    """SettingsError when OUT exists, unless `force` and it is empty or an earlier output of this tool."""
    refuse_nameless(out)
    try:
        if out.is_symlink() or (out.exists() and not out.is_dir()):
            raise SettingsError("--out exists and is not a folder", next_step="choose another --out")
        if not out.exists():
            return
        names = {entry.name for entry in out.iterdir()}
    except OSError as error:  # a folder on the way that may not be entered, a name that is too long
        why = error.strerror or "input/output error"
        raise SettingsError(f"--out cannot be used: {why}", next_step="choose another --out") from None
    if not force:
        raise SettingsError("--out exists already", next_step="choose another --out, or add --force to replace it")
    if names and not is_output(names):
        raise SettingsError(
            "--out exists and is no output of deid-audit: --force does not replace it", next_step="choose another --out"
        )


@contextmanager
def staged(out: Path, *, force: bool) -> Iterator[Path]:
    """A fresh folder OUT.partial; renamed to OUT when the block ends well, removed with all it holds when not.

    Raises:
        SettingsError: OUT exists, or OUT.partial is somebody else's.
        StageError: the disk is full or not writable.
    """
    refuse_existing(out, force=force)
    with _partial_of(out) as partial:
        yield partial
        (partial / MARKER).unlink()
        _sync_tree(partial)
        if out.exists():
            shutil.rmtree(out)
        partial.rename(out)
        sync(out.parent)


@dataclass(slots=True)
class Unfinished:
    """One file under way at `path`; it takes its place when the work ends well, unless `keep` was set to False."""

    path: Path
    keep: bool = True


@contextmanager
def staged_file(out: Path, *, force: bool, option: str = "--out") -> Iterator[Unfinished]:
    """Like `staged`, for a single file; `option` is what the command calls it."""
    refuse_nameless(out)
    if out.is_symlink() or (out.exists() and not out.is_file()):
        raise SettingsError(f"{option} exists and is not a file", next_step=f"choose another {option}")
    if out.exists() and not force:
        raise SettingsError(
            f"{option} exists already", next_step=f"choose another {option}, or add --force to replace it"
        )
    with _partial_of(out) as partial:
        unfinished = Unfinished(partial / out.name)
        yield unfinished
        if unfinished.keep:
            sync(unfinished.path)
            unfinished.path.replace(out)
            sync(out.parent)


@contextmanager
def _partial_of(out: Path) -> Iterator[Path]:
    """OUT.partial with our marker in it; gone at the end, however that comes, and so are folders made on the way."""
    partial = partial_beside(out)
    missing: list[Path] = []
    try:
        missing += [folder for folder in out.parents if not folder.exists()]
        _clear_leftover(partial)
        partial.mkdir(parents=True)
        try:
            (partial / MARKER).touch()
            with _locked(partial):
                yield partial
        finally:
            _remove(partial)
    except OSError as error:
        raise StageError(
            f"the output could not be written: {error.strerror or type(error).__name__}",
            next_step="check space and permissions where --out stands, and run again",
        ) from error
    finally:
        for folder in missing:
            with suppress(OSError):  # it holds OUT, or was never made
                folder.rmdir()


def _clear_leftover(partial: Path) -> None:
    """Takes away what a killed run left; SettingsError when it is somebody else's."""
    if not (partial.is_symlink() or partial.exists()):
        return
    if not _is_ours(partial):
        raise SettingsError(f"{partial.name} exists and is not ours", next_step="move it away or choose another --out")
    if is_held(partial):
        raise SettingsError(
            f"another run is writing {partial.name} at this moment", next_step="wait for it, or choose another --out"
        )
    _remove(partial)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """A lock on the folder itself, for as long as this process lives: it outlasts the marker and the rename."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def is_held(partial: Path) -> bool:
    """Whether the run that made it is still alive."""
    try:
        with _locked(partial):
            return False
    except BlockingIOError:
        return True
    except FileNotFoundError:  # renamed or removed meanwhile
        return False


def refuse_nameless(out: Path) -> None:
    if url_of(out) is not None:  # `run` and `audit` give a folder of this machine in its place
        raise SettingsError(
            "this output cannot be at a URL: that is for --out of run and audit",
            next_step="give a path of this machine, and copy what is written there",
        )
    if out.name in ("", ".."):
        raise SettingsError("--out must name a folder or file, not a place", next_step="give --out a name of its own")


def _is_ours(partial: Path) -> bool:
    """By its marker; a run killed before it stood there leaves an empty folder, one killed after a complete output."""
    if partial.is_symlink() or not partial.is_dir():
        return False
    names = {entry.name for entry in partial.iterdir()}
    return MARKER in names or not names or is_output(names)


def is_output(names: set[str]) -> bool:
    return any(names >= own for own in _OWN_FILES)


def _remove(partial: Path) -> None:
    """The marker last: a removal that is cut off leaves a folder that the next run still knows as ours."""
    with suppress(OSError):  # renamed already, or what remains is seen by the next run
        for entry in partial.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name != MARKER:
                entry.unlink()
    shutil.rmtree(partial, ignore_errors=True)


def _sync_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        sync(path)
    sync(folder)
