"""Opening: from a path to decoded frames of the one video stream, or one clear reason why not.

Looks at the file before FFmpeg does (a FIFO would block for ever) and treats everything FFmpeg flags as damaged as
an error. Knows files and packets, not what a video is for.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from deid_audit.errors import VideoError

REMUX = "play the file to see whether it is damaged; copying it again or `ffmpeg -i IN -c copy OUT.mp4` may help"
_MAX_DECODE_THREADS = 8
_PLAYLISTS = frozenset({"concat", "hls", "dash", "imf"})
_MAX_EARLY_END_S = 0.5
# H.264's largest picture (level 6.2, 139264 blocks of 16x16 pixels; 8192x4320 fits): a larger one could not be written
# back at its size, and would take gigabytes to look at.
LARGEST_PIXELS = 139_264 * 16 * 16


@contextmanager
def opened(path: Path, label: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Container and its one video stream. `file:` and the whitelist keep playlists from reaching the network."""
    _refuse_special_files(path, label)
    try:
        container = av.open(
            f"file:{path.absolute()}",
            mode="r",
            container_options={"protocol_whitelist": "file"},
            metadata_errors="replace",
            options=_decoder_limits(),
        )
    except (av.error.FFmpegError, OSError, ValueError):
        raise VideoError(f"{label} is not a video that FFmpeg can read, or it is cut off", next_step=REMUX) from None
    with container:
        if container.format.name.endswith("_pipe") or container.format.name == "image2":
            raise still_image(label)
        if container.format.name in _PLAYLISTS:
            raise VideoError(f"{label} is a playlist of other files, not a video", next_step="give the video itself")
        pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not pictures:
            kinds = ", ".join(sorted({str(s.type) for s in container.streams}))
            only = f", only {kinds}" if kinds else ""
            raise VideoError(f"{label} holds no video stream{only}", next_step="give a file with pictures")
        if any(s.codec_context is None for s in pictures):  # no decoder, so not even a size
            raise VideoError(
                f"{label} is in a format that FFmpeg cannot decode",
                next_step="convert it with the program that made it, to H.264 in MP4 for example",
            )
        stream = max(pictures, key=lambda s: (s.width * s.height, -s.index))
        if stream.width * stream.height > LARGEST_PIXELS:
            raise _too_large(stream, label)
        stream.codec_context.options = _decoder_limits()
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = min(len(os.sched_getaffinity(0)), _MAX_DECODE_THREADS)
        yield container, stream


def decode_all(container: InputContainer, stream: VideoStream, label: str) -> Iterator[VideoFrame]:
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
        raise (_damaged(label) if stream.width else _no_size(label)) from None
    if _ends_early(container, stream, packets, end):
        raise VideoError(f"{label} is cut off: the file announces more than it holds", next_step=REMUX)


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


def _ends_early(container: InputContainer, stream: VideoStream, packets: int, end: int | None) -> bool:
    """MP4 lists every sample in an index; a file with one stream of another kind announces at least its duration.

    Some muxers count that duration from 0 and some from the first frame: the later end is given the benefit.
    """
    if "mp4" in container.format.name:
        return packets < len(stream.index_entries)
    if len(container.streams) > 1 or container.duration is None or end is None or stream.time_base is None:
        return False
    return float(end * stream.time_base) < container.duration / av.time_base - _MAX_EARLY_END_S


def still_image(label: str) -> VideoError:
    return VideoError(f"{label} is a still image, not a video", next_step="give the video itself")


def _decoder_limits() -> dict[str, str]:
    """For pictures larger than their header says; FFmpeg counts rows as long as it stores them, hence the factor."""
    return {"max_pixels": str(2 * LARGEST_PIXELS)}


def _too_large(stream: VideoStream, label: str) -> VideoError:
    return VideoError(
        f"{label} announces pictures of {stream.width}x{stream.height} pixels; "
        f"at most {LARGEST_PIXELS:,} pixels can be read and written",
        next_step="look whether the file is damaged; if not, make it smaller: `ffmpeg -i IN -vf scale=1920:-2 OUT.mp4`",
    )


def _no_size(label: str) -> VideoError:
    """Some decoders give up on a size that is beyond the limit without telling it."""
    return VideoError(
        f"{label} holds pictures of more than {LARGEST_PIXELS:,} pixels, or damaged data: FFmpeg could not decode it",
        next_step=REMUX,
    )


def _damaged(label: str) -> VideoError:
    return VideoError(f"{label} holds damaged data: FFmpeg could not decode all of it", next_step=REMUX)
