"""DICOM objects in: the video that a multi-frame image encapsulates, or its frames one by one, read where they lie.

An encapsulated MPEG-2, H.264 or HEVC stream is handed to FFmpeg through an object that seeks in the DICOM file
(PS3.5 8.2); other pixel data goes through pydicom frame by frame. Of the header only the timing and the names of its
elements leave this module: pydicom's warnings, which quote values, do not.
"""

import io
import logging
import struct
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from typing import BinaryIO

import numpy as np
from av.video.frame import VideoFrame
from pydicom import dcmread
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import MPEGTransferSyntaxes

from deid_audit.errors import VideoError
from deid_audit.findings import VideoInventory
from deid_audit.frames import Image
from deid_audit.video.containers import container_material
from deid_audit.video.material import LARGEST_PIXELS, Material, still_image, too_large

_ITEM, _END = 0xE000, 0xE0DD
_BARE_STREAMS = frozenset({"h264", "hevc", "mpegvideo", "m4v", "mpeg"})
_MICROSECONDS = 1_000_000
_YBR = ("FULL", "FULL_422", "ICT", "PARTIAL_420", "PARTIAL_422", "RCT")
_ROUNDED = Fraction(1, 100_000)
_KINDS = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", *(f"YBR_{one}" for one in _YBR)})
_NOTHING_BESIDE = VideoInventory(audio_streams=0, subtitle_streams=0, data_streams=0, metadata_keys=())
_ONE_AT_A_TIME, _LOGGER = threading.RLock(), logging.getLogger("pydicom")
_REPAIR = "export it again from the system it comes from"


def is_dicom(stream: BinaryIO) -> bool:
    """By the mark after the preamble (PS3.10 7.1); the stream is at its beginning afterwards."""
    stream.seek(0)
    head = stream.read(132)
    stream.seek(0)
    return head[128:] == b"DICM"


@contextmanager
def dicom_material(stream: BinaryIO, label: str) -> Iterator[Material]:
    """The video of a DICOM object; the timestamps are the stream's own, and the header's where it has none.

    Raises:
        VideoError: it holds no video, one that cannot be decoded here, or no timing.
    """
    try:
        with _quiet():
            header = dcmread(stream, stop_before_pixels=True)
            syntax = header.file_meta.TransferSyntaxUID
            count = int(header.get("NumberOfFrames") or 1)
            sop_class = str(header.get("SOPClassUID", ""))
    except Exception:  # pydicom raises whatever a broken header leads to
        raise VideoError(f"{label} is a DICOM file whose header cannot be read", next_step=_REPAIR) from None
    tags = header.keys()
    keys = {f"dicom.{keyword_for_tag(tag) or f'({tag.group:04x},{tag.element:04x})'}" for tag in tags}
    if syntax not in MPEGTransferSyntaxes:
        frames, time_base = _from_pixels(stream, header, count, label)
        yield Material(
            frames=frames,
            time_base=time_base,
            codec=syntax.name,
            inventory=lambda: _with_names(_NOTHING_BESIDE, keys),
            dicom_class=sop_class,
        )
        return
    fragments = FragmentStream(stream, _fragments(stream, label))
    with container_material(fragments, label) as inner:
        bare = inner.container is not None and inner.container.format.name in _BARE_STREAMS
        times = _times(header, count, label) if bare else None
        yield replace(
            inner,
            frames=lambda: _complete(inner.frames(), times, count, label),
            time_base=times[0] if times else inner.time_base,
            stream=None if times else inner.stream,
            inventory=lambda: _with_names(inner.inventory(), keys),
            dicom_class=sop_class,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing that pydicom says of a header is shown; one thread at a time, as Python keeps one list of filters."""
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        level = _LOGGER.level
        _LOGGER.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            _LOGGER.setLevel(level)


def _with_names(inventory: VideoInventory, keys: set[str]) -> VideoInventory:
    """`keys` are from DICOM's dictionary, or numbers: never text of the file's own."""
    return inventory.model_copy(update={"metadata_keys": tuple(sorted(keys.union(inventory.metadata_keys)))})


class FragmentStream(io.RawIOBase):
    """The fragments of encapsulated pixel data as one stream to read and seek in; `fragments` are (offset, bytes)."""

    def __init__(self, stream: BinaryIO, fragments: list[tuple[int, int]]) -> None:
        self._stream, self._fragments = stream, fragments
        self._starts = [0, *accumulate(length for _, length in fragments)]
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._starts[-1]}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        for (offset, length), start in zip(self._fragments, self._starts, strict=False):
            if start <= self._at < start + length:
                self._stream.seek(offset + self._at - start)
                data = self._stream.read(min(len(buffer), start + length - self._at))
                buffer[: len(data)] = data
                self._at += len(data)
                return len(data)
        return 0


def _fragments(stream: BinaryIO, label: str) -> list[tuple[int, int]]:
    """Where the fragments lie (PS3.5 A.4); the stream stands at the Pixel Data element, where the header ends."""
    at = stream.tell() + 12
    start = stream.read(12)
    if start[:4] != b"\xe0\x7f\x10\x00" or start[8:] != b"\xff\xff\xff\xff":
        raise VideoError(f"{label} is a DICOM file without an encapsulated video", next_step=_REPAIR)
    stream.seek(0, io.SEEK_END)
    end = stream.tell()
    items = []
    while True:
        stream.seek(at)
        head = stream.read(8)
        group, element, length = struct.unpack("<HHI", head) if len(head) == 8 else (0, 0, 0)
        at += 8
        if (group, element) == (0xFFFE, _END):
            break
        if (group, element) != (0xFFFE, _ITEM) or at + length > end:
            raise VideoError(f"{label} is cut off, or damaged: its fragments do not end", next_step=_REPAIR)
        items.append((at, length))
        at += length
    fragments = [one for one in items[1:] if one[1]]  # the first item is the table of offsets
    if not fragments:
        raise VideoError(f"{label} is a DICOM file whose pixel data is empty", next_step=_REPAIR)
    return fragments


def _complete(
    frames: Iterator[VideoFrame], times: tuple[Fraction, list[int]] | None, count: int, label: str
) -> Iterator[VideoFrame]:
    """The frames, with the header's times where the stream has none; fewer than the header announces is an error."""
    position = 0
    for frame in frames:
        if times is not None:
            if position >= len(times[1]):
                raise VideoError(f"{label} holds more frames than its header says", next_step=_REPAIR)
            frame.time_base, frame.pts = times[0], times[1][position]
        yield frame
        position += 1
    if position < count:
        raise VideoError(f"{label} holds {position} frames, and its header says {count}", next_step=_REPAIR)


def _times(header: Dataset, count: int, label: str) -> tuple[Fraction, list[int]]:
    """Unit in seconds, and every frame's timestamp in it, by the Cine or Multi-frame module (PS3.3 C.7.6.5)."""
    try:
        with _quiet():
            vector = [Fraction(str(one)) for one in _values(header.get("FrameTimeVector"))]
            rate = Fraction(0) if vector else next(_rates(header), Fraction(0))
    except (ValueError, TypeError, ArithmeticError):
        vector, rate = [], Fraction(0)
    if vector:
        instants = [round(at * 1000) for at in accumulate(vector)]  # milliseconds, to whole microseconds
        if len(instants) != count:
            raise VideoError(f"{label} has {len(instants)} frame times for {count} frames", next_step=_REPAIR)
        return Fraction(1, _MICROSECONDS), instants
    if not 0 < rate <= 1000:
        raise VideoError(
            f"{label} is a DICOM file that does not say how long a frame lasts",
            next_step="export it with Frame Time (0018,1063) or Cine Rate (0018,0040)",
        )
    return 1 / rate, list(range(count))


def _rates(header: Dataset) -> Iterator[Fraction]:
    """Frames a second, the most exact statement first.

    A time such as 33.3667 ms has few digits: a whole rate, or one such as 30000/1001, is meant where it is as near.
    """
    if header.get("FrameTime"):
        rate = 1000 / Fraction(str(header.FrameTime))
        usual = (Fraction(round(rate)), Fraction(round(rate * 1001 / 1000) * 1000, 1001))
        yield next((one for one in usual if abs(one - rate) < rate * _ROUNDED), rate)
    for keyword in ("CineRate", "RecommendedDisplayFrameRate"):
        if header.get(keyword):
            yield Fraction(str(header.get(keyword)))


def _values(value: object) -> list[object]:
    if value is None:
        return []
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]


def _from_pixels(
    stream: BinaryIO, header: Dataset, count: int, label: str
) -> tuple[Callable[[], Iterator[VideoFrame]], Fraction]:
    """Frames that are pictures of their own, compressed or not, 8 bits a sample; and the unit of their timestamps."""
    with _quiet():
        width, height, bits = (_whole(header, keyword) for keyword in ("Columns", "Rows", "BitsAllocated"))
        kind = str(header.get("PhotometricInterpretation", ""))
    if width is None or height is None:
        raise VideoError(f"{label} is a DICOM file without pictures", next_step="give the video itself")
    if count == 1:
        raise still_image(label)
    if width * height > LARGEST_PIXELS:
        raise too_large(width, height, label)
    if bits != 8 or kind == "PALETTE COLOR":
        deep = "an unknown number of" if bits is None else bits
        raise VideoError(
            f"{label} has {deep} bits a sample, {kind if kind in _KINDS else 'of an unknown kind'}; "
            "only 8 bits, grey or colour, are read",
            next_step="export it as 8-bit colour",
        )
    times = _times(header, count, label)

    def frames() -> Iterator[VideoFrame]:
        stream.seek(0)
        try:
            pictures = iter_pixels(stream)
            while True:
                with _quiet():
                    pixels = next(pictures, None)
                if pixels is None:
                    return
                yield VideoFrame.from_ndarray(_rgb(pixels, inverted=kind == "MONOCHROME1"), format="rgb24")
        except GeneratorExit:
            raise
        except Exception as error:  # a decoder's own, or that of a header which does not fit its pixels
            raise VideoError(
                f"{label}: its pictures cannot be decoded here, or are damaged ({type(error).__name__})",
                next_step="export it with another transfer syntax, such as JPEG baseline or MPEG-4",
            ) from None

    return lambda: _complete(frames(), times, count, label), times[0]


def _whole(header: Dataset, keyword: str) -> int | None:
    """A number of the header; None where it is not there, or a file that says its own kinds of value has text there."""
    try:
        value = header.get(keyword)
    except Exception:  # as above
        return None
    return int(value) if isinstance(value, int) else None


def _rgb(pixels: Image, *, inverted: bool) -> Image:
    grey = pixels.ndim == 2
    full = np.repeat(pixels[..., None], 3, axis=2) if grey else pixels
    return np.ascontiguousarray(255 - full if inverted else full)
