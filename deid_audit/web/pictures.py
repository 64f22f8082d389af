"""Frames as the JPEG files that a review page shows, decoded when they are asked for; nothing is written anywhere."""

import threading
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import cv2

from deid_audit.errors import StageError
from deid_audit.frames import Image
from deid_audit.pipeline.reviewing import Pending
from deid_audit.video.seeking import FrameAccess
from deid_audit.web.desk import Side

LONGEST_PX = 1920
FACE_PX = 112
_QUALITY = 92
_FACE_GROWN = 1.5

Box = tuple[float, float, float, float]


class Pictures:
    """Any frame of a job that waits, of both sides; the files of the video last asked for stay open in `with`."""

    def __init__(self, pending: Pending) -> None:
        self._videos: dict[Side, list[FrameAccess]] = {
            "original": [FrameAccess(one) for one in pending.originals],
            "released": [FrameAccess(one) for one in pending.released],
        }
        self._lock, self._at = threading.Lock(), 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with ExitStack() as closing:
            for videos in self._videos.values():
                for one in videos:
                    closing.callback(one.close)

    def frame(self, video: int, side: Side, frame: int) -> bytes:
        """A whole frame; one that is longer than 1920 px is made smaller."""
        image = self._of(video, side).frame(frame)
        return _jpeg(image, min(1.0, LONGEST_PX / max(image.shape[:2])))

    def face(self, video: int, side: Side, frame: int, box: Box) -> bytes:
        """A face with some of what is around it, about 112 px."""
        image = self._of(video, side).frame(frame)
        height, width = image.shape[:2]
        half = max(2.0, _FACE_GROWN * max(box[2] - box[0], box[3] - box[1]) / 2)
        centre = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        left, right = (round(min(max(centre[0] + at, 0), width - 1)) for at in (-half, half))
        top, bottom = (round(min(max(centre[1] + at, 0), height - 1)) for at in (-half, half))
        part = image[top : bottom + 1, left : right + 1]
        return _jpeg(part, FACE_PX / max(part.shape[:2]))

    def _of(self, video: int, side: Side) -> FrameAccess:
        """One video's frames; those that are kept of the one before are let go, for a job may have dozens of videos."""
        with self._lock:
            left, self._at = self._at, video
        if left != video:
            for videos in self._videos.values():
                videos[left - 1].close()
        return self._videos[side][video - 1]


def _jpeg(image_rgb: Image, scale: float) -> bytes:
    shown = image_rgb
    if scale != 1.0:
        size = (max(1, round(shown.shape[1] * scale)), max(1, round(shown.shape[0] * scale)))
        shown = cv2.resize(shown, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    written, data = cv2.imencode(".jpg", cv2.cvtColor(shown, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not written:
        raise StageError("a frame could not be written as a picture", next_step="report this")
    return data.tobytes()
