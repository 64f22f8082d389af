"""Any frame of a video, by its number, when it is asked for: for people who look at one here and one there.

`reader` streams from the first frame on; this goes to the key frame before the wanted one and decodes from there. What
a frame is stays the same: it is known by its timestamp, and one that does not come is an error, never a neighbour.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

import av
from av.video.frame import VideoFrame

from deid_audit.errors import VideoError
from deid_audit.frames import Image
from deid_audit.video.colour import to_rgb
from deid_audit.video.material import Material
from deid_audit.video.opening import opened
from deid_audit.video.orientation import orientation_of
from deid_audit.video.reader import SourceVideo, expect_unchanged

KEPT_BYTES = 192 << 20


class FrameAccess:
    """Frames of one video by number; keeps the file open and the frames that lie just before a wanted one.

    Any thread may ask; one is answered at a time. `close` it, or use it in `with`.
    """

    def __init__(self, video: SourceVideo) -> None:
        self._source = video if video.view_of is None else video.view_of
        self._picks = None if video.view_of is None else video.picks
        self._number = {pts: number for number, pts in enumerate(self._source.pts)}
        size = 3 * self._source.facts.width * self._source.facts.height
        self._most = max(2, KEPT_BYTES // max(1, size))
        self._kept: OrderedDict[int, Image] = OrderedDict()
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._material: Material | None = None
        self._coming: Iterator[VideoFrame] = iter(())
        self._next = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file and forgets the frames; a later call opens it again."""
        with self._lock:
            self._forget()

    def frame(self, index: int) -> Image:
        """Frame `index` (from 0) as `read_frames` gives it: uint8 (H, W, 3), RGB, upright.

        Raises:
            VideoError: the file is not the one that was opened first, or its frame cannot be decoded.
            IndexError: there is no such frame.
        """
        number = range(len(self._source.pts))[index] if self._picks is None else self._picks[index]
        with self._lock:
            if number not in self._kept:
                self._decode_unchanged(number)
            self._kept.move_to_end(number)
            return self._kept[number]

    def _forget(self) -> None:
        self._shut()
        self._kept.clear()

    def _shut(self) -> None:
        self._material, self._coming, self._next = None, iter(()), -1  # what still decodes ends before its file does
        self._open.close()

    def _decode_unchanged(self, number: int) -> None:
        """Decodes, and keeps nothing of a file that was changed up to now: its instants may still be the same."""
        try:
            self._decode(number)
            expect_unchanged(self._source)
        except VideoError:
            self._forget()
            raise

    def _decode(self, number: int) -> None:
        """Goes on from where the last call ended where that is near, else from a key frame; from the start at worst."""
        try:
            if 0 <= number - self._next < self._most and self._reach(number):
                return
            if self._material is None:
                self._reopen()
            for before in (0, 1, 2, 4, 8):
                if self._seek(number, before) and self._reach(number):
                    return
            self._reopen()
            if self._reach(number):
                return
        except (av.error.FFmpegError, OSError, ValueError):
            pass
        raise VideoError(
            f"frame {number} of {self._source.label} cannot be decoded: the file is not the one that was opened first",
            next_step="keep the file unchanged while it is looked at, and start again",
        )

    def _reopen(self) -> None:
        self._shut()
        expect_unchanged(self._source)
        self._material = self._open.enter_context(opened(self._source.path, self._source.label))
        self._coming, self._next = self._material.frames(), 0

    def _seek(self, number: int, seconds_before: int) -> bool:
        """Whether decoding now begins with a key frame at or before the wanted one.

        Containers go by decoding times, and what follows a key frame may be of the time before it: what comes first is
        looked at before it is believed. Folders of pictures, and timestamps from a DICOM header, know no such place.
        """
        if self._material is None or self._material.container is None or self._material.stream is None:
            return False
        container, stream = self._material.container, self._material.stream
        at = self._source.pts[number] - round(seconds_before / self._source.time_base)
        self._next = -1
        with suppress(av.error.FFmpegError):
            container.seek(max(at, self._source.pts[0]), stream=stream, backward=True)
            self._coming = container.decode(stream)
            first = next(self._coming, None)
            if first is None or not first.key_frame or first.pts not in self._number:
                return False
            found = self._number[first.pts]
            if found > number:
                return False
            self._keep(found, first, number)
            self._next = found + 1
            return True
        return False

    def _reach(self, number: int) -> bool:
        """Decodes up to the wanted frame, each known by its timestamp, in order; False where one is missing."""
        while number not in self._kept:
            frame = next(self._coming, None)
            if frame is None or frame.pts != self._source.pts[self._next]:
                self._next = -1
                return False
            self._keep(self._next, frame, number)
            self._next += 1
            if self._next > number and number not in self._kept:
                return False
        return True

    def _keep(self, number: int, frame: VideoFrame, wanted: int) -> None:
        if not wanted - self._most // 2 <= number <= wanted:
            return
        orientation = orientation_of(frame)
        if orientation is None:
            raise ValueError("turned by no quarter")
        image = orientation.upright(to_rgb(frame))
        if image.shape[:2] != (self._source.facts.height, self._source.facts.width):
            raise ValueError("another size")
        image.setflags(write=False)
        self._kept[number] = image
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
