"""Videos out: the frames of a source video, changed, at the same size and the same instants.

Writes H.264 in MP4, each frame encoded once, AAC beside it where sound is given, and nothing else: no side streams, no
tags beyond the container's own. `roundtrip` does the pictures in memory, for controls that must never become a file.
What was written is checked by decoding it again (`reader.open_video`, then `check_same_timing`), not by trusting this
module.
"""

import heapq
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec import CodecContext
from av.packet import Packet
from av.stream import Stream

from deid_audit.errors import VideoAccessError, VideoError
from deid_audit.files import sync
from deid_audit.findings import VideoFacts, VideoInventory
from deid_audit.frames import Frame
from deid_audit.video.colour import to_rgb
from deid_audit.video.encoding import USUAL, Encoder, Encoding, clock_of, configure, mean_rate
from deid_audit.video.reader import SourceVideo
from deid_audit.video.sound import SoundTrack, add_stream, sound_packets


def method_text(encoding: Encoding = USUAL) -> str:
    """How the pictures of released videos were written."""
    return (
        f"Every frame of the released videos was encoded once, with {encoding.text}, at the original's size, frame "
        "count, timestamps and colour tags, without subtitle and data streams or tags beyond the MP4 container's own; "
        "an interlaced original stays as it is stored, both fields in one frame, and is marked as progressive; the "
        "controls passed through the same encoder in memory."
    )


CONTAINER_KEYS = frozenset(
    {"major_brand", "minor_version", "compatible_brands", "encoder", "language", "handler_name", "vendor_id"}
)
"""Tags that an MP4 container writes about itself; any other key in a released file is a leftover."""


def leftover_metadata_keys(facts: VideoFacts) -> tuple[str, ...]:
    """Metadata keys of a written file beyond the container's own."""
    return tuple(key for key in facts.inventory.metadata_keys if key not in CONTAINER_KEYS)


def leftover_streams(inventory: VideoInventory, *, sound_asked: bool) -> int:
    """How many streams a written file has beyond its pictures and, where it was asked for, one of sound."""
    sound = max(0, inventory.audio_streams - int(sound_asked))
    return sound + inventory.subtitle_streams + inventory.data_streams


def write_video(
    path: Path,
    frames: Iterable[Frame],
    *,
    like: SourceVideo,
    encoding: Encoding = USUAL,
    sound: SoundTrack | None = None,
) -> None:
    """Writes `frames`, which are all the frames of `like` in order, as an MP4 file, with `sound` beside them.

    The file appears under its name only when it is complete and on disk; a failed write leaves nothing behind.

    Raises:
        VideoError: a frame is missing, added or of another size, or the file cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.part")
    clock = clock_of(like)
    with _write_errors(like.label):
        try:
            container = av.open(
                f"file:{unfinished.absolute()}",
                mode="w",
                format="mp4",
                container_options={
                    "fflags": "+bitexact",
                    "movflags": "+faststart",
                    "movie_timescale": "90000",
                    "video_track_timescale": str(clock.time_base.denominator),
                    "use_editlist": "0",
                },
            )
            with container:
                stream = container.add_stream(encoding.encoder, rate=mean_rate(clock))
                configure(stream.codec_context, like, clock, encoding)
                stream.time_base = clock.time_base
                streams = [_of(stream, _packets(Encoder(stream.codec_context, like, clock, encoding), frames))]
                if sound is not None:
                    beside = add_stream(container, sound)
                    streams.append(_of(beside, sound_packets(beside.codec_context, sound)))
                for packet in heapq.merge(*streams, key=_instant):  # so that the container holds nothing back
                    container.mux_one(packet)
            sync(unfinished)
            _expect_packets(unfinished, like)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


class Roundtrip:
    """Frames as `write_video` would store them, encoded and decoded in memory; each comes out a few frames later.

    All that `put` and `end` give must be taken. A frame that is missing, added or of another size is a VideoError.
    """

    def __init__(self, *, like: SourceVideo, encoding: Encoding = USUAL) -> None:
        self._like, self._clock = like, clock_of(like)
        context = CodecContext.create(encoding.encoder, "w")
        configure(context, like, self._clock, encoding)
        self._encoder = Encoder(context, like, self._clock, encoding)
        self._decoder = CodecContext.create("h264", "r")
        self._decoder.thread_count = 1
        self._position = 0

    def put(self, frame: Frame) -> Iterator[Frame]:
        """Takes the next frame; the frames that are ready."""
        for packet in self._encoder.put(frame):
            yield from self._decoded(packet)

    def end(self) -> Iterator[Frame]:
        """The frames that are left."""
        for packet in self._encoder.end():
            yield from self._decoded(packet)
        yield from self._decoded(None)
        if self._position != len(self._like.pts):
            counts = f"{len(self._like.pts)} frames were encoded and {self._position} came back"
            raise VideoError(f"{self._like.label}: {counts}")

    def _decoded(self, packet: "Packet[Stream] | None") -> Iterator[Frame]:
        for decoded in self._decoder.decode(packet):
            at, pts = self._position, self._like.pts
            if at >= len(pts) or decoded.pts != self._clock.ticks[at]:
                raise VideoError(f"{self._like.label}: the encoder changed the order or time of frame {at}")
            self._position += 1
            yield Frame(index=at, pts=pts[at], image_rgb=np.ascontiguousarray(to_rgb(decoded)))


def roundtrip(frames: Iterable[Frame], *, like: SourceVideo, encoding: Encoding = USUAL) -> Iterator[Frame]:
    """The frames as a `Roundtrip` gives them.

    Raises:
        VideoError: a frame is missing, added or of another size.
    """
    through = Roundtrip(like=like, encoding=encoding)
    for frame in frames:
        yield from through.put(frame)
    yield from through.end()


def _packets(encoder: Encoder, frames: Iterable[Frame]) -> Iterator["Packet[Stream]"]:
    for frame in frames:
        yield from encoder.put(frame)
    yield from encoder.end()


def check_same_timing(original: SourceVideo, written: SourceVideo) -> None:
    """Raises VideoError unless both have the same size, frame count and instants, compared as exact fractions."""
    size = (original.facts.width, original.facts.height)
    written_size = (written.facts.width, written.facts.height)
    if size != written_size:
        raise _differs(original, f"is {written_size[0]}x{written_size[1]} instead of {size[0]}x{size[1]}")
    if len(original.pts) != len(written.pts):
        raise _differs(original, f"has {len(written.pts)} frames instead of {len(original.pts)}")
    for position, (before, after) in enumerate(zip(original.pts, written.pts, strict=True)):
        expected = (before - original.pts[0]) * original.time_base
        found = (after - written.pts[0]) * written.time_base
        if expected != found:
            raise _differs(original, f"shows frame {position} at {float(found):.6f} s instead of {float(expected):.6f}")


def _differs(original: SourceVideo, what: str) -> VideoError:
    return VideoError(
        f"the file written for {original.label} {what}",
        next_step="this is a defect of deid-audit; do not use the file, please report it",
    )


def _of(stream: Stream, encoded: Iterable["Packet[Stream]"]) -> Iterator["Packet[Stream]"]:
    for packet in encoded:
        packet.stream = stream
        yield packet


def _instant(packet: "Packet[Stream]") -> Fraction:
    """When the packet is decoded, in seconds."""
    if packet.dts is None or packet.time_base is None:
        return Fraction(0)
    return packet.dts * packet.time_base


@contextmanager
def _write_errors(label: str) -> Iterator[None]:
    try:
        yield
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or "FFmpeg gave no reason"
        raise VideoAccessError(
            f"the file for {label} could not be written: {reason}",
            next_step="check the free space and the permissions of the output folder",
        ) from None


def _expect_packets(path: Path, like: SourceVideo) -> None:
    """Counts the packets on disk: FFmpeg does not report every write that failed."""
    with av.open(f"file:{path.absolute()}", mode="r") as container:
        found = sum(1 for packet in container.demux(video=0) if packet.size)
    if found != len(like.pts):
        raise VideoAccessError(
            f"the file for {like.label} holds {found} of {len(like.pts)} frames",
            next_step="check the free space of the output folder",
        )
