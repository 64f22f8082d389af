"""Stores: a file or a folder at a URL that fsspec knows, such as S3; what its libraries raise becomes one clear error.

Files are read where they lie, through a stream that can seek. A folder is written file by file; in which order, and
when it counts as whole, is for whoever writes it. The libraries find credentials themselves.
"""

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from deid_audit.digests import sha256_bytes
from deid_audit.errors import DeidAuditError, SettingsError, StageError, VideoAccessError, VideoError

_URL = re.compile(r"([a-z][a-z0-9+.-]+):/+(.+)", re.DOTALL)
_PASSWORD = re.compile(r"[^/]+://[^/@]*:[^/@]*@")
_AHEAD_BYTES = 4 << 20  # s3fs would take 50 MiB
_HERE = ("file", "local")  # fsspec's names for the disk of this machine


def is_url(text: str) -> bool:
    """Whether a text has the form of a URL.

    >>> is_url("s3://bucket/a.mp4"), is_url("s3:/bucket/a.mp4"), is_url("a.mp4")
    (True, True, False)
    """
    return _URL.fullmatch(text) is not None


def url_of(path: Path) -> str | None:
    """The URL that was typed as `path`, which folds its slashes into one; None where it is none, or a file is there.

    >>> url_of(Path("s3://bucket/case")), url_of(Path("videos/a.mp4"))
    ('s3://bucket/case', None)
    """
    matched = _URL.fullmatch(str(path))
    if matched is None or os.path.lexists(path):
        return None
    return f"{matched[1]}:///{matched[2]}" if matched[1] in _HERE else f"{matched[1]}://{matched[2]}"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at a URL; `system` is fsspec's file system for it, `path` the place there."""

    system: Any
    path: str
    label: str

    def stamp(self) -> tuple[int, int]:
        """Size, and what the store says of this version (an ETag, a time of change), as a number."""
        with _asking(partial(_lost, self.label)):
            size, version = int(self.system.size(self.path)), str(self.system.ukey(self.path))
        return size, int(sha256_bytes(version.encode())[:15], 16)

    def open(self) -> BinaryIO:
        """Reads by ranges, a few megabytes ahead, in memory."""
        with _asking(partial(_lost, self.label)):
            return cast(BinaryIO, StoreStream(self.system.open(self.path, "rb", block_size=_AHEAD_BYTES), self.label))

    def refuse_unreadable(self, label: str) -> None:
        with _asking(partial(_unreachable, label)):
            if not self.system.isfile(self.path):
                raise VideoAccessError(f"{label} does not exist at its URL", next_step="check the URL")
            if not self.system.size(self.path):
                raise VideoError(f"{label} is empty (0 bytes)", next_step="copy the video again")


class StoreStream(io.RawIOBase):
    """A store's file; whatever its library raises while FFmpeg reads becomes a VideoError in one place."""

    def __init__(self, stream: Any, label: str) -> None:
        self._stream, self._label = stream, label

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return int(self._stream.tell())

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._stream.seek(offset, whence))

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        with _asking(partial(_lost, self._label)):
            data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


@contextmanager
def _asking(failed: Callable[[Exception], DeidAuditError]) -> Iterator[None]:
    """What the store's library raises inside becomes what `failed` makes of it; our errors, a stop among them, stay."""
    try:
        yield
    except DeidAuditError:
        raise
    except Exception as error:
        raise failed(error) from None


def _lost(label: str, error: Exception) -> VideoAccessError:
    return VideoAccessError(
        f"{label} could not be read from its URL ({type(error).__name__})",
        next_step="look whether the store answers, and run again",
    )


def _unreachable(label: str, error: Exception) -> VideoAccessError:
    return VideoAccessError(
        f"{label} cannot be reached at its URL ({type(error).__name__})",
        next_step="check the URL and your credentials with the store's own program",
    )


def remote_file(url: str, label: str) -> RemoteFile:
    """The file at `url`; nothing is read yet.

    Raises:
        VideoError: a chain of URLs, or a kind that nothing installed can read.
    """
    if "::" in url:  # such as simplecache::s3://, which would copy the video to this disk
        raise VideoError(f"{label} is a chain of URLs", next_step="give one URL, without `::`")
    import fsspec  # noqa: PLC0415  (only for who uses it)

    with _asking(partial(_unreachable, label)):
        try:
            system, path = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise VideoError(
                f"{label} is at a URL of a kind that needs a library: {error}".splitlines()[0],
                next_step="install what it names beside deid-audit; for s3:// pip install 'deid-audit[s3]'",
            ) from None
        except ValueError:
            raise VideoAccessError(
                f"{label} does not exist, and its path is no URL that fsspec knows", next_step="check the path"
            ) from None
    return RemoteFile(system, path, label)


def _refused(option: str, what: str, error: Exception) -> StageError:
    return StageError(
        f"{option} could not be {what} at its URL ({type(error).__name__})",
        next_step="check the URL, your credentials and what they allow with the store's own program",
    )


@dataclass(frozen=True, slots=True)
class StoreFolder:
    """A folder that is written at a URL: the files whose names begin with `path` and a slash; `option` asked for it."""

    system: Any
    path: str
    option: str = "--out"

    def _told(self, what: str) -> AbstractContextManager[None]:
        return _asking(partial(_refused, self.option, what))

    def sizes(self) -> dict[str, int]:
        """The size in bytes of every file there, by its name in the folder; empty where there is none."""
        with self._told("read"):
            try:
                self.system.invalidate_cache()
                found = self.system.find(self.path, detail=True)
            except FileNotFoundError:
                return {}
        return {name[len(self.path) :].lstrip("/"): int(facts["size"]) for name, facts in found.items()}

    def top(self) -> set[str]:
        """What stands in the folder itself, not below it; `.` where a file is in its place."""
        with self._told("read"):
            try:
                self.system.invalidate_cache()
                found = self.system.ls(self.path, detail=False)
            except FileNotFoundError:
                return set()
        return {name.rstrip("/")[len(self.path) :].strip("/") or "." for name in found}

    def read(self, name: str, most: int) -> bytes:
        """The first bytes of a file, at most so many; empty where there is none."""
        with self._told("read"):
            place = f"{self.path}/{name}"
            try:
                size = min(int(self.system.size(place)), most)
                return bytes(self.system.cat_file(place, start=0, end=size)) if size else b""  # S3 has no range of none
            except FileNotFoundError:
                return b""

    def write(self, name: str, data: bytes) -> None:
        """A file that is small enough to be held."""
        with self._told("written"):
            self.system.pipe_file(f"{self.path}/{name}", data)

    def put(self, file: Path, name: str) -> None:
        """A file of this machine, in parts where it is long."""
        with self._told("written"):
            self.system.put_file(str(file), f"{self.path}/{name}")

    def remove(self, names: list[str]) -> None:
        """Files of the folder, in this order."""
        with self._told("removed"):
            for name in names:
                self.system.rm_file(f"{self.path}/{name}")

    def remove_folders(self) -> None:
        """What is left of it without files, in a store that has folders."""
        with self._told("removed"), suppress(FileNotFoundError):
            self.system.rm(self.path, recursive=True)


def store_folder(url: str, option: str = "--out") -> StoreFolder:
    """The folder at `url`, to be written; SettingsError for a place that is none."""
    if url.partition(":")[0] in _HERE:
        raise SettingsError(f"{option} is a URL of this machine's own disk", next_step="give its path alone")
    if _PASSWORD.match(url):  # the URL is shown, and written down in what --json prints
        raise SettingsError(
            f"{option} holds a password", next_step="leave it out: the store's library finds credentials by itself"
        )
    try:
        found = remote_file(url, option)
    except VideoError as error:
        raise SettingsError(str(error), next_step=error.next_step) from None
    path = found.path.rstrip("/")
    if "/" not in path.strip("/"):
        raise SettingsError(
            f"{option} must name a folder in the store, not the store itself", next_step="for example s3://bucket/case"
        )
    return StoreFolder(found.system, path, option)
