"""Places: where a video lies, from the path as it was typed: a file, a URL that fsspec knows, or a folder of pictures.

Everything is read through a stream that can seek; nothing is copied to a disk of this machine. What a place holds is
for `opening` to find out.
"""

import io
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, cast

from deid_audit.digests import keyed_digest_streams, sha256_bytes, sha256_stream
from deid_audit.errors import VideoAccessError, VideoError

_URL = re.compile(r"([a-z][a-z0-9+.-]+):/+(.+)", re.DOTALL)
_RATE = re.compile(r"(.+)@([0-9]{1,6}(?:\.[0-9]{1,6})?(?:/[0-9]{1,6})?)", re.DOTALL)
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this machine."""

    path: Path

    def stamp(self) -> tuple[int, int]:
        """Size and time of change: a file exchanged for one with the same instants has other pictures."""
        status = self.path.stat()
        return status.st_size, status.st_mtime_ns

    def open(self) -> BinaryIO:
        """Without waiting: a FIFO would block for ever, and is refused where the file is looked at."""
        return open(self.path, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK))

    def refuse_unreadable(self, label: str) -> None:
        """A FIFO would block for ever and a directory has no bytes, so the kind of file is looked at before opening."""
        try:
            status = self.path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise VideoError(f"{label} is not a regular file", next_step="give the path of a video file")
            if status.st_size == 0:
                raise VideoError(f"{label} is empty (0 bytes)", next_step="copy the video again")
            with self.path.open("rb"):
                pass
        except FileNotFoundError:
            raise VideoAccessError(f"{label} does not exist", next_step="check the path of the file") from None
        except PermissionError:
            raise VideoAccessError(f"{label} may not be read by this user", next_step="give read permission") from None
        except OSError as error:
            raise VideoAccessError(f"{label} cannot be opened: {error.strerror}", next_step="check the path") from None


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at a URL; `system` is fsspec's file system for it, `path` the place there."""

    system: Any
    path: str
    label: str

    def stamp(self) -> tuple[int, int]:
        """Size, and what the store says of this version (an ETag, a time of change), as a number."""
        try:
            size, version = int(self.system.size(self.path)), str(self.system.ukey(self.path))
        except Exception as error:  # whatever the store's library raises
            raise _lost(self.label, error) from None
        return size, int(sha256_bytes(version.encode())[:15], 16)

    def open(self) -> BinaryIO:
        """Reads a few megabytes ahead, in memory."""
        try:
            return cast(BinaryIO, StoreStream(self.system.open(self.path, "rb"), self.label))
        except Exception as error:  # whatever the store's library raises
            raise _lost(self.label, error) from None

    def refuse_unreadable(self, label: str) -> None:
        try:
            if not self.system.isfile(self.path):
                raise VideoAccessError(f"{label} does not exist at its URL", next_step="check the URL")
            if not self.system.size(self.path):
                raise VideoError(f"{label} is empty (0 bytes)", next_step="copy the video again")
        except VideoError:
            raise
        except Exception as error:  # whatever the store's library raises
            raise VideoAccessError(
                f"{label} cannot be reached at its URL ({type(error).__name__})",
                next_step="check the URL and your credentials with the store's own program",
            ) from None


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
        try:
            data = self._stream.read(len(buffer))
        except Exception as error:  # whatever the store's library raises
            raise _lost(self._label, error) from None
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _lost(label: str, error: Exception) -> VideoAccessError:
    return VideoAccessError(
        f"{label} could not be read from its URL ({type(error).__name__})",
        next_step="look whether the store answers, and run again",
    )


@dataclass(frozen=True, slots=True)
class PictureFolder:
    """Numbered pictures, in order, at `rate` frames a second."""

    pictures: tuple[Path, ...]
    rate: Fraction

    def stamp(self) -> tuple[int, int]:
        """The pictures' size together, and the names, sizes and times of change as a number."""
        each = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in self.pictures]
        return sum(size for _, size, _ in each), int(sha256_bytes(repr(each).encode())[:15], 16)


Place = LocalFile | RemoteFile | PictureFolder


def place_of(path: Path, label: str) -> Place:
    """Where `path` leads: a file that is there is that file, whatever its name looks like.

    `FOLDER@25` and `FOLDER@30000/1001` are the pictures of a folder at that many frames a second. A `Path` folds the
    slashes of a URL into one; they are put back here.

    Raises:
        VideoError: a folder without a rate or without numbered pictures, or a URL that nothing installed can read.
    """
    if os.path.isdir(path):  # noqa: PTH112  (Path.is_dir raises where a folder on the way may not be entered)
        raise VideoError(
            f"{label} is a folder", next_step="give a video file, or numbered pictures with their rate: FOLDER@25"
        )
    if not os.path.lexists(path):
        rated = _RATE.fullmatch(str(path))
        if rated is not None and os.path.isdir(rated[1]):  # noqa: PTH112
            return _pictures(Path(rated[1]), rated[2], label)
        url = _URL.fullmatch(str(path))
        if url is not None:
            return _remote(url[1], url[2], label)
    return LocalFile(path)


def path_from(folder: Path, text: str) -> Path:
    """`text` as a path from `folder`; a URL is none, but where a file of that very name is there.

    >>> str(path_from(Path("set"), "a.mp4")), str(path_from(Path("set"), "s3://bucket/a.mp4"))
    ('set/a.mp4', 's3:/bucket/a.mp4')
    """
    here = folder / text
    return Path(text) if _URL.fullmatch(text) and not os.path.lexists(here) else here


def streams_of(place: Place) -> Iterator[BinaryIO]:
    """What lies there, one stream after the other: one for a file, one a picture."""
    for part in map(LocalFile, place.pictures) if isinstance(place, PictureFolder) else (place,):
        with part.open() as stream:
            yield stream


def refuse_lost(place: Place, label: str) -> None:
    """VideoAccessError where not all bytes can be read now: FFmpeg takes a disk that fails for a damaged video."""
    try:
        for stream in streams_of(place):
            while stream.read(1 << 20):
                pass
    except OSError as error:
        raise VideoAccessError(
            f"{label} cannot be read to its end: {error.strerror or 'input/output error'}",
            next_step="look whether its disk or share answers, and run again",
        ) from None


def keyed_digest_of(path: Path, label: str, key: bytes) -> str:
    """Hex HMAC-SHA-256 of the file's bytes, or of all pictures' bytes one after the other; raises OSError."""
    return keyed_digest_streams(streams_of(place_of(path, label)), key)


def sha256_of(path: Path, label: str) -> str:
    """Hex SHA-256 of the file; of a folder's pictures, that of all their digests in order. Raises OSError."""
    each = [sha256_stream(stream) for stream in streams_of(place_of(path, label))]
    return each[0] if len(each) == 1 else sha256_bytes("".join(each).encode())


def _remote(protocol: str, rest: str, label: str) -> RemoteFile:
    import fsspec  # noqa: PLC0415  (only for who uses it)

    url = f"{protocol}:///{rest}" if protocol in ("file", "local") else f"{protocol}://{rest}"
    if "::" in url:  # such as simplecache::s3://, which would copy the video to this disk
        raise VideoError(f"{label} is a chain of URLs", next_step="give one URL, without `::`")
    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise VideoError(
            f"{label} is at a URL of a kind that needs a library: {error}".splitlines()[0],
            next_step="install what it names beside deid-audit",
        ) from None
    except ValueError:
        raise VideoAccessError(
            f"{label} does not exist, and its path is no URL that fsspec knows", next_step="check the path"
        ) from None
    except Exception as error:  # whatever the store's library raises
        raise VideoAccessError(
            f"{label} cannot be reached at its URL ({type(error).__name__})",
            next_step="check the URL and your credentials with the store's own program",
        ) from None
    return RemoteFile(system, path, label)


def _pictures(folder: Path, rate: str, label: str) -> PictureFolder:
    """The numbers must be complete: one that is missing is a frame that is lost."""
    try:
        value = Fraction(rate)
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if not 0 < value <= 1000:
        raise VideoError(f"{label}: the frame rate must be above 0 and at most 1000", next_step="for example FOLDER@25")
    try:
        found = [entry for entry in folder.iterdir() if entry.suffix.lower() in PICTURE_SUFFIXES]
    except OSError as error:
        raise VideoAccessError(f"{label} cannot be opened: {error.strerror}", next_step="check the folder") from None
    numbered: dict[int, Path] = {}
    for path in found:
        digits = re.findall(r"[0-9]+", path.stem)
        if not digits:
            raise VideoError(f"{label} holds a picture without a number in its name", next_step="number all of them")
        if int(digits[-1]) in numbered:
            raise VideoError(f"{label} holds two pictures of number {int(digits[-1])}", next_step="keep one of them")
        numbered[int(digits[-1])] = path
    if not numbered:
        raise VideoError(f"{label} holds no PNG, JPEG or TIFF picture", next_step="check the folder")
    first, last = min(numbered), max(numbered)
    if last - first + 1 != len(numbered):
        missing = next(number for number in range(first, last) if number not in numbered)
        raise VideoError(
            f"{label} has no picture of number {missing}, between {first} and {last}",
            next_step="a missing number is a lost frame: bring it back, or number the pictures anew",
        )
    return PictureFolder(tuple(numbered[number] for number in sorted(numbered)), value)
