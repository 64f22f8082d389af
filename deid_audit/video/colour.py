"""Colour tags of a video: which matrix turns its YUV into RGB, and how a frame is turned and tagged.

Reader and writer both take their matrix from here, so a written file decodes to the RGB that was put in.
Numbers are those of ITU-T H.273, which FFmpeg uses for its tags.
"""

from dataclasses import dataclass, replace

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from deid_audit.frames import Image

_RGB, _BT709, _UNSPECIFIED, _BT601_625, _BT601_525, _BT2020 = 0, 1, 2, 5, 6, 9
_WRITABLE = (_BT709, _BT601_625, _BT601_525, _BT2020)
_SWSCALE = {
    _BT709: Colorspace.ITU709,
    _BT601_625: Colorspace.ITU601,
    _BT601_525: Colorspace.ITU601,
    _BT2020: Colorspace.BT2020,
}
_HD_LINES = 720
# Without FULL_CHR_H_INT swscale's fast path darkens every channel by 1 to 2 levels; bicubic keeps 1.5 dB more chroma.
_SCALER = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT | Interpolation.FULL_CHR_H_INT


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourTags:
    """A stream's own declaration (H.273 numbers; 2 is "unspecified", as most files say).

    `full_range` says that black is 0 and white 255, as phones and webcams often store it, and not 16 and 235.
    """

    matrix: int = _UNSPECIFIED
    transfer: int = _UNSPECIFIED
    primaries: int = _UNSPECIFIED
    full_range: bool = False

    @property
    def range_number(self) -> int:
        """The range as FFmpeg counts it."""
        return int(ColorRange.JPEG if self.full_range else ColorRange.MPEG)


def tags_of(frame: VideoFrame) -> ColourTags:
    """What a decoded frame declares."""
    return ColourTags(
        matrix=int(frame.colorspace),
        transfer=int(frame.color_trc),
        primaries=int(frame.color_primaries),
        full_range=int(frame.color_range) == int(ColorRange.JPEG),
    )


def colours_to_write(tags: ColourTags, width: int, height: int, *, as_rgb: bool) -> ColourTags:
    """The declared tags; a matrix that H.264 players do not know becomes BT.709 from 720 lines on and BT.601 below.

    With `as_rgb` there is no matrix, and the range is full.
    """
    if as_rgb:
        return replace(tags, matrix=_RGB, full_range=True)
    return tags if tags.matrix in _WRITABLE else replace(tags, matrix=_usual_matrix(width, height))


def _usual_matrix(width: int, height: int) -> int:
    return _BT709 if min(width, height) >= _HD_LINES else _BT601_525


def to_rgb(frame: VideoFrame) -> Image:
    """Decoded frame as uint8 (H, W, 3), as stored (not turned); an undeclared matrix is guessed as players do."""
    guessed = None
    if frame.colorspace == _UNSPECIFIED and not frame.format.is_rgb:
        guessed = _SWSCALE[_usual_matrix(frame.width, frame.height)]
    rgb = frame.reformat(format="rgb24", src_colorspace=guessed, dst_color_range=ColorRange.JPEG, interpolation=_SCALER)
    return np.asarray(rgb.to_ndarray(), dtype=np.uint8)


def from_rgb(image_rgb: Image, *, pixel_format: str, tags: ColourTags) -> VideoFrame:
    """RGB as a YUV frame of `pixel_format`, by the matrix and range of `tags`, which it carries."""
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(image_rgb), format="rgb24")
    # swscale cuts full-range chroma off instead of rounding it: in 12 bits that is a thirtieth of a level
    for step in (f"{pixel_format}12le", pixel_format) if tags.full_range else (pixel_format,):
        frame = frame.reformat(
            format=step,
            src_colorspace=None if frame.format.is_rgb else _SWSCALE[tags.matrix],
            dst_colorspace=_SWSCALE[tags.matrix],
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange(tags.range_number),
            interpolation=_SCALER,
        )
    return _tagged(frame, tags)


def as_stored_rgb(image_rgb: Image, tags: ColourTags) -> VideoFrame:
    """RGB as it is, carrying `tags`."""
    return _tagged(VideoFrame.from_ndarray(np.ascontiguousarray(image_rgb), format="rgb24"), tags)


def _tagged(frame: VideoFrame, tags: ColourTags) -> VideoFrame:
    frame.colorspace, frame.color_range = tags.matrix, tags.range_number
    frame.color_trc, frame.color_primaries = tags.transfer, tags.primaries
    return frame
