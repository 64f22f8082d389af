"""The output folder: staged beside its place as OUT.partial, complete when it appears under OUT by one rename.

Also turns SIGTERM and Ctrl-C into an error, so that leaving a run always destroys and cleans up.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from deid_audit.errors import Interrupted, SettingsError, StageError

_MARKER = ".deid-audit-partial"
_OWN_FILES = {"certificate.pdf", "evidence.json"}


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGINT become Interrupted (143, 130) inside; the handlers before are put back."""

    def stop(number: int, frame: FrameType | None) -> None:
        name = "SIGTERM" if number == signal.SIGTERM else "Ctrl-C"
        raise Interrupted(f"stopped by {name}: nothing was released", exit_code=128 + number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def refuse_existing(out: Path, *, force: bool) -> None:
    """SettingsError when OUT exists, unless `force` and it is empty or an earlier output of this tool."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise SettingsError("--out exists and is not a folder", next_step="choose another --out")
    if not out.exists():
        return
    names = {entry.name for entry in out.iterdir()}
    if not force:
        raise SettingsError("--out exists already", next_step="choose another --out, or add --force to replace it")
    if names and not names >= _OWN_FILES:
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
    partial = out.with_name(f"{out.name}.partial")
    if partial.exists():
        if not (partial / _MARKER).exists():
            raise SettingsError(
                f"{partial.name} exists and is not ours", next_step="move it away or choose another --out"
            )
        shutil.rmtree(partial)
    try:
        partial.mkdir(parents=True)
        (partial / _MARKER).touch()
        yield partial
        (partial / _MARKER).unlink()
        _sync_tree(partial)
        if out.exists():
            shutil.rmtree(out)
        partial.rename(out)
        _sync(out.parent)
    except OSError as error:
        raise StageError(
            f"the output could not be written: {error.strerror or type(error).__name__}",
            next_step="check space and permissions where --out stands, and run again",
        ) from error
    finally:
        if partial.exists():
            shutil.rmtree(partial, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        _sync(path)
    _sync(folder)
