"""Containers: what FFmpeg reads, from a file or a stream, to decoded frames of the one video stream.

Everything that FFmpeg flags as damaged is an error. Knows packets, not where a video lies or what it is for.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import BinaryIO, cast

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from deid_audit.errors import VideoError
from deid_audit.findings import VideoInventory
from deid_audit.video.material import LARGEST_PIXELS, Material, still_image, too_large
from deid_audit.video.tag_names import listed

REMUX = "play the file to see whether it is damaged; copying it again or `ffmpeg -i IN -c copy OUT.mp4` may help"
_MAX_DECODE_THREADS = 8
_PLAYLISTS = frozenset({"concat", "hls", "dash", "imf"})
_MAX_EARLY_END_S = 0.5


@contextmanager
def container_material(source: str | BinaryIO | io.RawIOBase, label: str) -> Iterator[Material]:
    """The video of a `file:` URL or of a stream that can seek; the whitelist keeps playlists from the network.

    Raises:
        VideoError: no video, or one that cannot be decoded.
    """
    try:
        container = av.open(
            cast(str, source),  # PyAV's own word for streams is narrower than what it takes
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
            raise too_large(stream.width, stream.height, label)
        stream.codec_context.options = _decoder_limits()
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = min(len(os.sched_getaffinity(0)), _MAX_DECODE_THREADS)
        yield Material(
            frames=lambda: decode_all(container, stream, label),
            time_base=stream.time_base,
            codec=stream.codec_context.name,
            inventory=lambda: _inventory(container, stream),
            sample_aspect_ratio=stream.sample_aspect_ratio or Fraction(1),
            container=container,
            stream=stream,
        )


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


def _ends_early(container: InputContainer, stream: VideoStream, packets: int, end: int | None) -> bool:
    """MP4 lists every sample in an index; a file with one stream of another kind announces at least its duration.

    Some muxers count that duration from 0 and some from the first frame: the later end is given the benefit.
    """
    if "mp4" in container.format.name:
        return packets < len(stream.index_entries)
    if len(container.streams) > 1 or container.duration is None or end is None or stream.time_base is None:
        return False
    return float(end * stream.time_base) < container.duration / av.time_base - _MAX_EARLY_END_S


def _inventory(container: InputContainer, stream: VideoStream) -> VideoInventory:
    """Streams beside the pictures, and the tags' names; a second video stream or cover counts as data."""
    kinds = [s.type for s in container.streams if s.index != stream.index]
    keys = set(container.metadata).union(*(s.metadata for s in container.streams))
    keys.update(f"chapter.{key}" for chapter in container.chapters() for key in chapter["metadata"])
    return VideoInventory(
        audio_streams=kinds.count("audio"),
        subtitle_streams=kinds.count("subtitle"),
        data_streams=len(kinds) - kinds.count("audio") - kinds.count("subtitle"),
        metadata_keys=listed(keys),
    )


def _decoder_limits() -> dict[str, str]:
    """For pictures larger than their header says; FFmpeg counts rows as long as it stores them, hence the factor."""
    return {"max_pixels": str(2 * LARGEST_PIXELS)}


def _no_size(label: str) -> VideoError:
    """Some decoders give up on a size that is beyond the limit without telling it."""
    return VideoError(
        f"{label} holds pictures of more than {LARGEST_PIXELS:,} pixels, or damaged data: FFmpeg could not decode it",
        next_step=REMUX,
    )


def _damaged(label: str) -> VideoError:
    return VideoError(f"{label} holds damaged data: FFmpeg could not decode all of it", next_step=REMUX)
