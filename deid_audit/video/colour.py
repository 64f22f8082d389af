"""Colour tags of a video: which matrix turns its YUV into RGB, and how a frame is turned and tagged.

Reader and writer both take their matrix from here, so a written file decodes to the RGB that was put in.
Numbers are those of ITU-T H.273, which FFmpeg uses for its tags.
"""

from dataclasses import dataclass

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from deid_audit.frames import Image

_BT709, _UNSPECIFIED, _BT601_625, _BT601_525, _BT2020 = 1, 2, 5, 6, 9
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
    """A stream's own declaration (H.273 numbers; 2 is "unspecified", as most files say)."""

    matrix: int = _UNSPECIFIED
    transfer: int = _UNSPECIFIED
    primaries: int = _UNSPECIFIED


def tags_of(frame: VideoFrame) -> ColourTags:
    """What a decoded frame declares."""
    return ColourTags(matrix=int(frame.colorspace), transfer=int(frame.color_trc), primaries=int(frame.color_primaries))


def matrix_to_write(tags: ColourTags, width: int, height: int) -> int:
    """The declared matrix where H.264 players know it, else BT.709 from 720 lines on and BT.601 below."""
    if tags.matrix in _WRITABLE:
        return tags.matrix
    return _BT709 if min(width, height) >= _HD_LINES else _BT601_525


def to_rgb(frame: VideoFrame) -> Image:
    """Decoded frame as uint8 (H, W, 3), as stored (not turned); an undeclared matrix is guessed as players do."""
    guessed = None
    if frame.colorspace == _UNSPECIFIED and not frame.format.is_rgb:
        guessed = _SWSCALE[matrix_to_write(ColourTags(), frame.width, frame.height)]
    rgb = frame.reformat(format="rgb24", src_colorspace=guessed, dst_color_range=ColorRange.JPEG, interpolation=_SCALER)
    return np.asarray(rgb.to_ndarray(), dtype=np.uint8)


def from_rgb(image_rgb: Image, *, pixel_format: str, matrix: int, tags: ColourTags) -> VideoFrame:
    """RGB as a limited-range YUV frame of `pixel_format`, carrying the tags that undo it."""
    source = VideoFrame.from_ndarray(np.ascontiguousarray(image_rgb), format="rgb24")
    frame = source.reformat(
        format=pixel_format,
        dst_colorspace=_SWSCALE[matrix],
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
        interpolation=_SCALER,
    )
    frame.colorspace, frame.color_range = matrix, int(ColorRange.MPEG)
    frame.color_trc, frame.color_primaries = tags.transfer, tags.primaries
    return frame
