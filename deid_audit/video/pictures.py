"""Folders of numbered pictures as a video: each decoded by FFmpeg on its own, timed by the rate that was given."""

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import av
from av.video.frame import VideoFrame

from deid_audit.errors import VideoError
from deid_audit.findings import VideoInventory
from deid_audit.video.material import LARGEST_PIXELS, Material, too_large
from deid_audit.video.places import PictureFolder
from deid_audit.video.tag_names import listed


def picture_material(folder: PictureFolder, label: str) -> Material:
    """The pictures as frames 0, 1, 2 ... of a clock of 1/rate seconds.

    Raises:
        VideoError: when the first picture cannot be read, or, while the frames are read, any other.
    """
    time_base = 1 / folder.rate
    _, codec, keys = _decoded(folder.pictures[0], f"picture 1 of {label}")

    def frames() -> Iterator[VideoFrame]:
        for position, path in enumerate(folder.pictures):
            frame, found, own = _decoded(path, f"picture {position + 1} of {label}")
            if found != codec:
                raise VideoError(
                    f"{label} mixes kinds of pictures: {codec} and {found}", next_step="bring all to one kind"
                )
            keys.update(own)
            frame.pts, frame.time_base, frame.duration = position, time_base, 1
            yield frame

    def inventory() -> VideoInventory:
        return VideoInventory(audio_streams=0, subtitle_streams=0, data_streams=0, metadata_keys=listed(keys))

    return Material(
        frames=frames,
        time_base=time_base,
        codec=codec,
        inventory=inventory,
    )


def _decoded(path: Path, label: str) -> tuple[VideoFrame, str, set[str]]:
    """One picture, its codec, and the keys of its tags."""
    try:
        data = path.read_bytes()
        if _pages(data) > 1:
            raise VideoError(f"{label} has several pages", next_step="write each page as a picture of its own")
        with av.open(io.BytesIO(data), mode="r", metadata_errors="replace") as container:
            stream = container.streams.video[0]
            if not container.format.name.endswith("_pipe") or stream.codec_context is None:
                raise VideoError(f"{label} is no single picture", next_step="give PNG, JPEG or TIFF pictures")
            if stream.width * stream.height > LARGEST_PIXELS:
                raise too_large(stream.width, stream.height, label)
            stream.codec_context.options = {"max_pixels": str(2 * LARGEST_PIXELS)}
            frames = [frame for packet in container.demux(stream) for frame in packet.decode()]
            if len(frames) != 1 or frames[0].is_corrupt:
                raise _damaged(label)
            keys = {*container.metadata, *stream.metadata, *frames[0].metadata}
            return frames[0], stream.codec_context.name, keys
    except (av.error.FFmpegError, OSError, ValueError, IndexError):
        raise _damaged(label) from None


def _pages(data: bytes) -> int:
    """How many pictures a TIFF holds, up to 2; FFmpeg would decode the first and say nothing of the others."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(f"{order}I", data, 4)
        (entries,) = struct.unpack_from(f"{order}H", data, at)
        (following,) = struct.unpack_from(f"{order}I", data, at + 2 + 12 * entries)
    except struct.error:
        return 1
    return 2 if following else 1


def _damaged(label: str) -> VideoError:
    return VideoError(f"{label} cannot be read, or is damaged", next_step="copy it again")
