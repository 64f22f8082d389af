"""Videos in: one full decode that says what a file holds, then frames streamed upright in RGB.

First step of the flow. Whatever FFmpeg reads, with the timestamps the file has: nothing is resampled, dropped or
repeated. A file that is damaged or has no usable timestamps is refused, never half read. No faces here.
"""

import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from deid_audit.digests import keyed_digest_file
from deid_audit.errors import VideoError
from deid_audit.findings import VideoFacts, VideoInventory
from deid_audit.frames import Frame
from deid_audit.video.colour import ColourTags, tags_of, to_rgb
from deid_audit.video.orientation import Orientation, orientation_of

METHOD_TEXT = (
    "Videos were decoded once in full with FFmpeg (PyAV); every frame was kept with its own timestamp, turned upright "
    "by the file's display matrix and converted to RGB; a damaged file, or one without rising timestamps, is refused."
)
_MAX_DECODE_THREADS = 8
_MAX_EARLY_END_S = 0.5
_STILL_CODECS = frozenset({"mjpeg", "png", "apng", "webp", "bmp", "tiff", "gif", "jpegls", "jpeg2000", "ppm"})
_REMUX = "play the file to see whether it is damaged; copying it again or `ffmpeg -i IN -c copy OUT.mp4` may help"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceVideo:
    """A video that was decoded once from end to end; `pts` holds every frame's timestamp in `time_base` units.

    `sample_aspect_ratio` is of the upright picture; `colour` is what the stream declares.
    """

    path: Path
    label: str
    facts: VideoFacts
    time_base: Fraction
    pts: tuple[int, ...]
    sample_aspect_ratio: Fraction = Fraction(1)
    colour: ColourTags = field(default_factory=ColourTags)

    @property
    def times_s(self) -> tuple[float, ...]:
        """Seconds of every frame from the first frame, which is 0."""
        return tuple(float((pts - self.pts[0]) * self.time_base) for pts in self.pts)


def open_video(path: Path, *, label: str, digest_key: bytes | None = None) -> SourceVideo:
    """Decodes a file once and says what it holds.

    `label` ("subject video 2") names the file in every message; the path appears in none. With `digest_key` the
    facts carry the file's HMAC-SHA-256, else an empty string.

    Raises:
        VideoError: the file cannot be read, is no video, is damaged, or has no rising timestamps.
    """
    _refuse_special_files(path, label)
    pts: list[int] = []
    first: VideoFrame | None = None
    with _opened(path, label) as (container, stream):
        _refuse_still_formats(container, label)
        for frame in _decode(container, stream, label):
            pts.append(_checked_pts(frame, pts[-1] if pts else None, label))
            if first is None:
                first = frame
            elif _shape_of(frame) != _shape_of(first):
                raise VideoError(
                    f"{label} changes its picture size or rotation at frame {len(pts)}",
                    next_step="cut it into parts of one size, or bring it to one size first",
                )
        if first is None or stream.time_base is None:
            raise VideoError(f"{label} holds no video frame", next_step=_REMUX)
        if len(pts) == 1 and stream.codec_context.name in _STILL_CODECS:
            raise _still_image(label)
        orientation = _orientation(first, label)
        width, height = _upright_size(first, orientation)
        facts = VideoFacts(
            label=label,
            keyed_digest=_digest(path, label, digest_key),
            width=width,
            height=height,
            frame_count=len(pts),
            duration_s=float(_duration(pts, first) * stream.time_base),
            time_base=str(stream.time_base),
            variable_rate=_is_variable(pts, stream.time_base),
            rotation=orientation.clockwise_degrees,
            codec=stream.codec_context.name,
            inventory=_inventory(container, stream),
        )
        ratio = stream.sample_aspect_ratio or Fraction(1)
        return SourceVideo(
            path=path,
            label=label,
            facts=facts,
            time_base=stream.time_base,
            pts=tuple(pts),
            sample_aspect_ratio=1 / ratio if orientation.swap_axes else ratio,
            colour=tags_of(first),
        )


def read_frames(video: SourceVideo) -> Iterator[Frame]:
    """Streams the video's frames: RGB, upright, contiguous; holds a few frames at a time.

    Raises:
        VideoError: the frames are not those of `open_video`, so the file changed in between.
    """
    position = 0
    _refuse_special_files(video.path, video.label)
    with _opened(video.path, video.label) as (container, stream):
        for frame in _decode(container, stream, video.label):
            orientation = _orientation(frame, video.label)
            size = _upright_size(frame, orientation)
            known = position < len(video.pts) and frame.pts == video.pts[position]
            if not known or size != (video.facts.width, video.facts.height):
                raise _changed(video.label)
            yield Frame(index=position, pts=video.pts[position], image_rgb=orientation.upright(to_rgb(frame)))
            position += 1
    if position != len(video.pts):
        raise _changed(video.label)


def _refuse_special_files(path: Path, label: str) -> None:
    """A FIFO would block for ever and a directory has no bytes, so the kind of file is looked at before opening."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise VideoError(f"{label} is not a regular file", next_step="give the path of a video file")
        if status.st_size == 0:
            raise VideoError(f"{label} is empty (0 bytes)", next_step="copy the video again")
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise VideoError(f"{label} does not exist", next_step="check the path of the file") from None
    except PermissionError:
        raise VideoError(f"{label} may not be read by this user", next_step="give read permission") from None
    except OSError as error:
        raise VideoError(f"{label} cannot be opened: {error.strerror}", next_step="check the path") from None


@contextmanager
def _opened(path: Path, label: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Container and its one video stream. `file:` and the whitelist keep playlists from reaching the network."""
    try:
        container = av.open(
            f"file:{path.absolute()}",
            mode="r",
            container_options={"protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except (av.error.FFmpegError, OSError, ValueError):
        raise VideoError(f"{label} is not a video that FFmpeg can read, or it is cut off", next_step=_REMUX) from None
    with container:
        pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not pictures:
            kinds = ", ".join(sorted({str(s.type) for s in container.streams})) or "nothing"
            raise VideoError(f"{label} holds no video stream, only {kinds}", next_step="give a file with pictures")
        stream = max(pictures, key=lambda s: (s.width * s.height, -s.index))
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = min(len(os.sched_getaffinity(0)), _MAX_DECODE_THREADS)
        yield container, stream


def _decode(container: InputContainer, stream: VideoStream, label: str) -> Iterator[VideoFrame]:
    """All frames in presentation order; anything FFmpeg flags as damaged is an error, also a file that ends early."""
    packets, end = 0, None
    try:
        for packet in container.demux(stream):
            packets += packet.size > 0
            if packet.is_corrupt:
                raise _damaged(label)
            if packet.pts is not None:
                end = max(end or packet.pts, packet.pts + (packet.duration or 0))
            for frame in packet.decode():
                if frame.is_corrupt:
                    raise _damaged(label)
                yield frame
    except (av.error.FFmpegError, OSError):
        raise _damaged(label) from None
    if _ends_early(container, stream, packets, end):
        raise VideoError(f"{label} is cut off: the file announces more than it holds", next_step=_REMUX)


def _ends_early(container: InputContainer, stream: VideoStream, packets: int, end: int | None) -> bool:
    """MP4 lists every sample in an index; a file with one stream of another kind announces at least its duration.

    Some muxers count that duration from 0 and some from the first frame: the later end is given the benefit.
    """
    if "mp4" in container.format.name:
        return packets < len(stream.index_entries)
    if len(container.streams) > 1 or container.duration is None or end is None or stream.time_base is None:
        return False
    return float(end * stream.time_base) < container.duration / av.time_base - _MAX_EARLY_END_S


def _checked_pts(frame: VideoFrame, before: int | None, label: str) -> int:
    if frame.pts is None:
        raise VideoError(
            f"{label} has frames without a timestamp",
            next_step="put it into a container with timestamps: `ffmpeg -i IN -c copy OUT.mp4`",
        )
    if before is not None and frame.pts <= before:
        raise VideoError(
            f"{label} has timestamps that do not rise from frame to frame",
            next_step="repair it first: `ffmpeg -i IN -fps_mode vfr OUT.mp4`",
        )
    return frame.pts


def _shape_of(frame: VideoFrame) -> tuple[int, int, Orientation | None]:
    return frame.width, frame.height, orientation_of(frame)


def _orientation(frame: VideoFrame, label: str) -> Orientation:
    orientation = orientation_of(frame)
    if orientation is None:
        raise VideoError(
            f"{label} is stored at an angle that is no quarter turn",
            next_step="bring it upright first: `ffmpeg -i IN OUT.mp4`",
        )
    return orientation


def _upright_size(frame: VideoFrame, orientation: Orientation) -> tuple[int, int]:
    return (frame.height, frame.width) if orientation.swap_axes else (frame.width, frame.height)


def _duration(pts: list[int], first: VideoFrame) -> int:
    """From the first frame to the end of the last, which lasts as long as the one before it."""
    last = pts[-1] - pts[-2] if len(pts) > 1 else first.duration
    return pts[-1] - pts[0] + max(last, 0)


def _is_variable(pts: list[int], time_base: Fraction) -> bool:
    """Whether steps differ by more than the rounding of one tick (29.97 in milliseconds is 33, 33, 34)."""
    steps = [later - earlier for earlier, later in pairwise(pts)]
    return bool(steps) and max(steps) - min(steps) > max(1, math.ceil(Fraction(1, 2000) / time_base))


def _digest(path: Path, label: str, key: bytes | None) -> str:
    try:
        return keyed_digest_file(path, key) if key is not None else ""
    except OSError:
        raise _changed(label) from None


def _inventory(container: InputContainer, stream: VideoStream) -> VideoInventory:
    """Streams beside the pictures, and the names of all tags; a second video stream or cover counts as data."""
    kinds = [s.type for s in container.streams if s.index != stream.index]
    keys = set(container.metadata).union(*(s.metadata for s in container.streams))
    keys.update(f"chapter.{key}" for chapter in container.chapters() for key in chapter["metadata"])
    return VideoInventory(
        audio_streams=kinds.count("audio"),
        subtitle_streams=kinds.count("subtitle"),
        data_streams=len(kinds) - kinds.count("audio") - kinds.count("subtitle"),
        metadata_keys=tuple(sorted(keys)),
    )


def _refuse_still_formats(container: InputContainer, label: str) -> None:
    if container.format.name.endswith("_pipe") or container.format.name == "image2":
        raise _still_image(label)


def _still_image(label: str) -> VideoError:
    return VideoError(f"{label} is a still image, not a video", next_step="give the video itself")


def _damaged(label: str) -> VideoError:
    return VideoError(f"{label} holds damaged data: FFmpeg could not decode all of it", next_step=_REMUX)


def _changed(label: str) -> VideoError:
    return VideoError(
        f"{label} changed while it was being read: its frames are not those of the first pass",
        next_step="keep the file unchanged during the run and start again",
    )
