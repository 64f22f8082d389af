"""Signed files put in their places: all of them written and forced to disk before the first one appears, by renames."""

import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from deid_audit.errors import EvidenceError
from deid_audit.files import sync


def put_in_place(files: Mapping[Path, bytes], what: str, next_step: str) -> None:
    """Every file written beside its place before the first one takes it; nothing is left half-written.

    A file that replaces another keeps its mode. On an error nothing has changed: EvidenceError, with `what` they are
    in words.
    """
    waiting = {path: path.with_name(f".{path.name}.partial") for path in files}
    try:
        for path, partial in waiting.items():
            partial.unlink(missing_ok=True)
            with partial.open("xb") as stream:
                stream.write(files[path])
                stream.flush()
                os.fsync(stream.fileno())
            if path.exists():
                shutil.copymode(path, partial)
        with _undisturbed():
            for path, partial in waiting.items():
                partial.replace(path)
            for folder in {path.parent for path in files}:
                sync(folder)
    except OSError as error:
        raise EvidenceError(
            f"{what} could not be written: {error.strerror or 'input/output error'}", next_step=next_step
        ) from None
    finally:
        for partial in waiting.values():
            with suppress(OSError):
                partial.unlink(missing_ok=True)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM do nothing for the moment of the renames: "nothing was signed" would be false in between."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
