"""Sound in and out: a video's first sound stream on the clock of its pictures, and packets of AAC for the writer.

Sample 0 stands at the first frame; what sounds before it or after the last frame's end is left out, gaps are silence.
Everything streams in blocks of seconds, and no file is made here.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream
from numpy.typing import NDArray

from deid_audit.errors import VideoError
from deid_audit.video.encoding import clock_of
from deid_audit.video.material import Material
from deid_audit.video.opening import opened
from deid_audit.video.reader import SourceVideo

Sound = NDArray[np.float32]
"""Samples (channels, n) from -1 to 1."""

WRITTEN_RATE = 48_000
BLOCK_S = 10
AAC_FRAME = 1024
_BITS_A_CHANNEL = 96_000
_LAYOUTS = {1: "mono", 2: "stereo"}
_JITTER_S = 0.01  # timestamps in whole milliseconds, or of another clock, are no gaps


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SoundTrack:
    """Sound to be written beside the pictures: `blocks()` begins it anew, at the first frame, at `WRITTEN_RATE`."""

    channels: int
    blocks: Callable[[], Iterator[Sound]]


def has_sound(video: SourceVideo) -> bool:
    return video.facts.inventory.audio_streams > 0


def sound_channels(video: SourceVideo) -> int:
    """One, or two where the stream has more."""
    with opened(video.path, video.label) as material:
        return min(2, _stream_of(material, video.label)[1].channels)


def read_sound(video: SourceVideo, *, rate: int, channels: int) -> Iterator[Sound]:
    """The first sound stream in blocks (channels, 10 s), the last one shorter, at `rate` samples a second.

    Raises:
        VideoError: the sound is damaged, or changes its form in the middle.
    """
    yield from _of_length(resampled(_placed(video, channels), channels, to=rate), BLOCK_S * rate)


def resampled(pieces: Iterable[tuple[Sound, int]], channels: int, *, to: int) -> Iterator[Sound]:
    """Pieces (channels, n), each with its rate, which must be one, at the rate `to`."""
    resampler = AudioResampler(format="fltp", layout=_LAYOUTS[channels], rate=to)
    at = 0
    for samples, rate in pieces:
        if not samples.shape[1]:
            continue
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=_LAYOUTS[channels])
        frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
        at += samples.shape[1]
        yield from (out.to_ndarray().astype(np.float32) for out in resampler.resample(frame))
    if at:
        yield from (out.to_ndarray().astype(np.float32) for out in resampler.resample(None))


def add_stream(container: OutputContainer, track: SoundTrack) -> AudioStream:
    """A sound stream of the written file, which takes nothing over from any source."""
    stream = container.add_stream("aac", rate=WRITTEN_RATE, layout=_LAYOUTS[track.channels])
    context = stream.codec_context
    context.bit_rate = _BITS_A_CHANNEL * track.channels
    context.flags |= int(Flags.bitexact)
    return stream


def sound_packets(context: AudioCodecContext, track: SoundTrack) -> Iterator["Packet[Stream]"]:
    """AAC from time 0 on.

    The encoder's first packet, which only fills its overlap, would stand before 0 and need an edit list: it is left
    out, at the price of a fade over the first 21 ms.
    """
    at = 0
    for samples in _of_length(track.blocks(), AAC_FRAME):
        frame = AudioFrame.from_ndarray(samples, format="fltp", layout=_LAYOUTS[track.channels])
        frame.sample_rate, frame.pts, frame.time_base = WRITTEN_RATE, at, Fraction(1, WRITTEN_RATE)
        at += samples.shape[1]
        yield from _from_zero(context.encode(frame))
    yield from _from_zero(context.encode(None))


def _from_zero(packets: Iterable["Packet[Stream]"]) -> Iterator["Packet[Stream]"]:
    return (packet for packet in packets if packet.pts is not None and packet.pts >= 0)


def _placed(video: SourceVideo, channels: int) -> Iterator[tuple[Sound, int]]:
    """The sound at its own rate from the first frame to the end of the last: cut before, silence in gaps."""
    start = video.pts[0] * video.time_base
    clock = clock_of(video)
    end = (clock.ticks[-1] + clock.duration_of(len(clock.ticks) - 1)) * clock.time_base
    at = 0  # the sample that is due
    for piece, rate, time in _decoded(video, channels):
        last = round(end * rate)
        due = at if time is None else round((time - start) * rate)
        early = 0
        if abs(due - at) > (_JITTER_S * rate if at else 0):  # the beginning is placed exactly
            for silent in range(at, min(due, last), rate):  # a late start can be long: a second at a time
                yield np.zeros((channels, min(rate, min(due, last) - silent)), np.float32), rate
            early, at = max(0, at - due), max(at, min(due, last))
        samples = piece[:, early : early + max(0, last - at)]
        yield samples, rate
        at += samples.shape[1]


def _decoded(video: SourceVideo, channels: int) -> Iterator[tuple[Sound, int, Fraction | None]]:
    """Every decoded piece with its rate and its time in the file."""
    rate = 0
    with opened(video.path, video.label) as material:
        container, stream = _stream_of(material, video.label)
        mixer: AudioResampler | None = None
        try:
            for packet in container.demux(stream):
                for frame in packet.decode():
                    if packet.is_corrupt or frame.is_corrupt or frame.sample_rate != (rate or frame.sample_rate):
                        raise _damaged(video.label)
                    if mixer is None:
                        rate = frame.sample_rate
                        mixer = AudioResampler(format="fltp", layout=_LAYOUTS[channels], rate=rate)
                    time = None if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base
                    for mixed in mixer.resample(frame):
                        yield mixed.to_ndarray().astype(np.float32), rate, time
                        time = None
        except (av.error.FFmpegError, OSError, ValueError):
            raise _damaged(video.label) from None


def _stream_of(material: Material, label: str) -> tuple[InputContainer, AudioStream]:
    if material.container is None:  # pictures and frames of a DICOM object have no sound
        raise _damaged(label)
    stream = material.container.streams.audio[0]
    if stream.codec_context is None:
        raise _damaged(label)
    return material.container, stream


def _of_length(pieces: Iterable[Sound], length: int) -> Iterator[Sound]:
    """The same samples in pieces of `length`, the last one shorter."""
    waiting: list[Sound] = []
    held = 0
    for piece in pieces:
        waiting.append(piece)
        held += piece.shape[1]
        if held >= length:
            joined = np.concatenate(waiting, axis=1)
            whole = held // length * length
            yield from (np.ascontiguousarray(joined[:, at : at + length]) for at in range(0, whole, length))
            waiting, held = [joined[:, whole:]], held - whole
    if held:
        yield np.ascontiguousarray(np.concatenate(waiting, axis=1))


def _damaged(label: str) -> VideoError:
    return VideoError(
        f"the sound of {label} is damaged, changes its form, or is in a format that FFmpeg cannot decode",
        next_step="leave sound out with --audio drop, or repair the file: `ffmpeg -i IN -c:v copy -c:a aac OUT.mp4`",
    )
