"""Files as every part of the tool handles them: read no more than expected, forced to disk, and kept out of OUT.

What goes wrong is an OSError; whoever calls says it in their own words. Nothing here knows what a file holds.
"""

import os
from pathlib import Path


def read_at_most(path: Path, limit: int) -> bytes | None:
    """All bytes of a file, None where it holds more than `limit`: no file that was given may fill the memory."""
    with path.open("rb") as stream:
        data = stream.read(limit + 1)
    return data if len(data) <= limit else None


def sync(path: Path) -> None:
    """Forces to disk what a file holds, or which files a folder has."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """`path` holds `data`, or what it held before: written and forced to disk beside its place, then renamed.

    `mode` is what the umask is taken from, as `open` does: 0o600 for what only its owner may read.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "xb", opener=lambda place, flags: os.open(place, flags, mode)) as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    sync(path.parent)


def partial_beside(out: Path) -> Path:
    """Where what becomes OUT is made."""
    return out.with_name(f"{out.name}.partial")


def lies_in_output(path: Path, out: Path) -> bool:
    """Whether a path is OUT, the place where it is made, or inside one of them: as it is written, or links followed."""
    out = out.absolute()
    folders = {out, partial_beside(out), out.resolve(), partial_beside(out).resolve(), partial_beside(out.resolve())}
    return any(folders & {place, *place.parents} for place in (path.absolute(), path.resolve()))
