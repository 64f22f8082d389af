"""Places: where a video lies, from the path as it was typed: a file, a URL that fsspec knows, or a folder of pictures.

Everything is read through a stream that can seek; nothing is copied to a disk of this machine. What a place holds is
for `opening` to find out.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from deid_audit.digests import keyed_digest_streams, sha256_bytes, sha256_stream
from deid_audit.errors import VideoAccessError, VideoError
from deid_audit.files import read_at_most
from deid_audit.video.stores import RemoteFile, is_url, remote_file, url_of

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

    `FOLDER@25` and `FOLDER@30000/1001` are the pictures of a folder at that many frames a second.

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
        url = url_of(path)
        if url is not None:
            return remote_file(url, label)
    return LocalFile(path)


def path_from(folder: Path, text: str) -> Path:
    """`text` as a path from `folder`; a URL is none, but where a file of that very name is there.

    >>> str(path_from(Path("set"), "a.mp4")), str(path_from(Path("set"), "s3://bucket/a.mp4"))
    ('set/a.mp4', 's3:/bucket/a.mp4')
    """
    here = folder / text
    return Path(text) if is_url(text) and not os.path.lexists(here) else here


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


def read_small(path: Path, label: str, limit: int) -> bytes | None:
    """All bytes of a file that is no video, at a path or a URL; None where it holds more than `limit`.

    Raises:
        VideoAccessError: the URL cannot be read.
        OSError: the file of this machine cannot.
    """
    url = url_of(path)
    if url is None:
        return read_at_most(path, limit)
    place = remote_file(url, label)
    place.refuse_unreadable(label)
    if place.stamp()[0] > limit:
        return None
    with place.open() as stream:
        return stream.read()


def keyed_digest_of(path: Path, label: str, key: bytes) -> str:
    """Hex HMAC-SHA-256 of the file's bytes, or of all pictures' bytes one after the other; raises OSError."""
    return keyed_digest_streams(streams_of(place_of(path, label)), key)


def sha256_of(path: Path, label: str) -> str:
    """Hex SHA-256 of the file; of a folder's pictures, that of all their digests in order. Raises OSError."""
    each = [sha256_stream(stream) for stream in streams_of(place_of(path, label))]
    return each[0] if len(each) == 1 else sha256_bytes("".join(each).encode())


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
