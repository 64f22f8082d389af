"""The two encoder settings of the project, usual and lossless, and the exact clock frames are written in.

`write_video` and `roundtrip` share them, so what is measured in memory is what a file would have held.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from av.bitstream import BitStreamFilterContext
from av.codec.context import Flags
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from deid_audit.errors import VideoError
from deid_audit.frames import Frame
from deid_audit.video.colour import as_stored_rgb, colours_to_write, from_rgb
from deid_audit.video.reader import SourceVideo

# Measured on 50 frames of a 1920x1080 crowd at crf 14, two busy cores: superfast 21 frames/s, veryfast 12, medium 7;
# PSNR 44.8, 43.9 and 44.7 dB; 19.0, 13.2 and 12.5 Mbit/s. Every video is encoded five times, so speed counts for more
# than size. A fixed thread count keeps the bytes the same on every machine; no B-frames means no negative timestamps,
# hence no edit list that could hide a frame.
X264_OPTIONS = {"preset": "superfast", "bf": "0", "threads": "4", "rc-lookahead": "8", "g": "250"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How pictures are stored: FFmpeg's encoder, its options, and what a certificate says of it."""

    encoder: Literal["libx264", "libx264rgb"]
    options: Mapping[str, str]
    text: str

    @property
    def lossless(self) -> bool:
        """Whether every pixel comes back as it was given."""
        return self.encoder == "libx264rgb"


USUAL = Encoding(encoder="libx264", options={**X264_OPTIONS, "crf": "14"}, text="x264 (crf 14, preset superfast)")
# H.264 in RGB and not FFV1: Matroska counts milliseconds, in which 29.97 frames a second have no exact time, and MP4
# players know no FFV1. RGB and not the source's YUV: pictures are worked on in upright 8-bit RGB, from which there is
# no exact way back to chroma of half the size.
LOSSLESS = Encoding(
    encoder="libx264rgb",
    options={**X264_OPTIONS, "qp": "0"},
    text="x264, lossless (qp 0, 8-bit RGB, profile High 4:4:4 Predictive: every pixel as it was put in)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Timestamps from 0 in whole `ticks` of `time_base`, the largest unit in which they are all exact."""

    time_base: Fraction
    ticks: tuple[int, ...]
    last_duration: int

    def duration_of(self, position: int) -> int:
        """Ticks until the next frame; the last frame lasts as long as the one before it."""
        if position + 1 >= len(self.ticks):
            return self.last_duration
        return self.ticks[position + 1] - self.ticks[position]


def clock_of(video: SourceVideo) -> Clock:
    """The video's timestamps relative to its first frame, without any rounding.

    MP4 counts in 1/timescale, so a time base of 1001/30000 becomes 1/30000 and ticks of 1001.
    """
    offsets = [pts - video.pts[0] for pts in video.pts]
    unit = math.gcd(*offsets) or 1
    tick = video.time_base * unit
    time_base = Fraction(1, tick.denominator)
    ticks = tuple(offset // unit * tick.numerator for offset in offsets)
    lone = max(1, round(Fraction(video.facts.duration_s) / time_base))
    return Clock(time_base=time_base, ticks=ticks, last_duration=ticks[-1] - ticks[-2] if len(ticks) > 1 else lone)


def configure(context: VideoCodecContext, like: SourceVideo, clock: Clock, encoding: Encoding) -> None:
    """Sets the encoder to the upright size, exact clock and colour tags of `like`."""
    width, height = like.facts.width, like.facts.height
    context.width, context.height = width, height
    context.pix_fmt = pixel_format(width, height, encoding)
    context.framerate = mean_rate(clock)
    context.time_base = clock.time_base
    context.sample_aspect_ratio = like.sample_aspect_ratio
    tags = colours_to_write(like.colour, width, height, as_rgb=encoding.lossless)
    context.colorspace, context.color_range = tags.matrix, tags.range_number
    context.color_trc, context.color_primaries = tags.transfer, tags.primaries
    context.flags |= int(Flags.bitexact)
    context.options = dict(encoding.options)


def mean_rate(clock: Clock) -> Fraction:
    """Frames a second on average: what rate control and the H.264 level go by; timestamps do not depend on it."""
    ticks = clock.ticks[-1] + clock.duration_of(len(clock.ticks) - 1)
    return (len(clock.ticks) / (ticks * clock.time_base)).limit_denominator(1001)


def pixel_format(width: int, height: int, encoding: Encoding) -> str:
    """4:2:0 where both sides are even; an odd side has no half, so 4:4:4; what is lossless stays RGB."""
    if encoding.lossless:
        return "rgb24"
    return "yuv444p" if width % 2 or height % 2 else "yuv420p"


class Encoder:
    """Encodes the frames of `like` one by one; a missing, added, reordered or resized frame is a VideoError.

    The encoder's own note (an SEI message with its version and options) is taken out of the stream.
    """

    def __init__(self, context: VideoCodecContext, like: SourceVideo, clock: Clock, encoding: Encoding) -> None:
        self._context, self._like, self._clock, self._encoding = context, like, clock, encoding
        self._without_notes = BitStreamFilterContext("filter_units=remove_types=6", "h264")
        self._position = self._written = 0

    def put(self, frame: Frame) -> Iterator["Packet[Stream]"]:
        """Takes the next frame; the packets that are ready."""
        _expect_frame(frame, self._position, self._like)
        self._position += 1
        yield from self._packets(_picture(frame, self._like, self._clock, self._encoding))

    def end(self) -> Iterator["Packet[Stream]"]:
        """The packets that are left."""
        label, expected = self._like.label, len(self._like.pts)
        if self._position != expected:
            raise _defect(f"{label}: {expected} frames were expected and {self._position} came")
        yield from self._packets(None)
        if self._written != expected:
            raise _defect(f"{label}: {expected} frames went into the encoder and {self._written} came out")

    def _packets(self, picture: VideoFrame | None) -> Iterator["Packet[Stream]"]:
        """What comes of the picture; None flushes the encoder."""
        for encoded in self._context.encode(picture):
            for packet in self._without_notes.filter(encoded):
                packet.duration = self._clock.duration_of(self._written)
                self._written += 1
                yield packet


def _picture(frame: Frame, like: SourceVideo, clock: Clock, encoding: Encoding) -> VideoFrame:
    width, height = like.facts.width, like.facts.height
    tags = colours_to_write(like.colour, width, height, as_rgb=encoding.lossless)
    if encoding.lossless:
        picture = as_stored_rgb(frame.image_rgb, tags)
    else:
        picture = from_rgb(frame.image_rgb, pixel_format=pixel_format(width, height, encoding), tags=tags)
    picture.pts, picture.time_base = clock.ticks[frame.index], clock.time_base
    picture.pict_type = PictureType.NONE
    return picture


def _expect_frame(frame: Frame, position: int, like: SourceVideo) -> None:
    height, width = frame.image_rgb.shape[:2]
    if position >= len(like.pts) or frame.index != position or frame.pts != like.pts[position]:
        raise _defect(f"{like.label}: frame {frame.index} came where frame {position} of {len(like.pts)} was expected")
    if (width, height) != (like.facts.width, like.facts.height):
        raise _defect(
            f"{like.label}: frame {position} is {width}x{height}, expected {like.facts.width}x{like.facts.height}"
        )


def _defect(message: str) -> VideoError:
    return VideoError(message, next_step="this is a defect of deid-audit; nothing was written, please report it")
