"""Pixel-side types: what the stages hand each other as arrays. Shapes are checked on construction."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Float = NDArray[np.float32]


def _expect(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """One decoded frame: `image_rgb` uint8 (H, W, 3), contiguous, upright; `pts` in the stream's time base."""

    index: int
    pts: int
    image_rgb: Image

    def __post_init__(self) -> None:
        _expect(self.image_rgb.ndim == 3 and self.image_rgb.shape[2] == 3, "image_rgb must be (H, W, 3)")
        _expect(self.image_rgb.dtype == np.uint8, "image_rgb must be uint8")
        _expect(bool(self.image_rgb.flags.c_contiguous), "image_rgb must be contiguous: dlib misses faces in views")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackedFace:
    """One face of one frame in one track.

    `landmarks_xy` float32 (478, 2) px of the shown frame, None where no landmarks were found; `filled` marks
    landmarks interpolated from neighbouring frames; `box_xyxy` float32 (4,) px holds the face from forehead to chin.
    """

    frame_index: int
    track_id: int
    box_xyxy: Float
    landmarks_xy: Float | None
    score: float
    filled: bool
    source: str

    def __post_init__(self) -> None:
        _expect(self.box_xyxy.shape == (4,), "box_xyxy must be (4,)")
        if self.landmarks_xy is not None:
            _expect(self.landmarks_xy.shape == (478, 2), "landmarks_xy must be (478, 2)")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlignedFace:
    """A face brought to the canonical layout: `crop_rgb` uint8 (S, S, 3), `mask` float32 (S, S) in [0, 1].

    `frame_to_crop` float64 (2, 3) maps frame pixels to crop pixels. `layout_xy` float32 (478, 2) are the landmarks in
    the layout: crop heights (without a margin) from the crop's centre, whatever the crop's size.
    """

    frame_index: int
    crop_rgb: Image
    mask: Float
    frame_to_crop: NDArray[np.float64]
    layout_xy: Float

    def __post_init__(self) -> None:
        size = self.crop_rgb.shape[0]
        _expect(self.crop_rgb.shape == (size, size, 3), "crop_rgb must be (S, S, 3)")
        _expect(self.mask.shape == (size, size), "mask must be (S, S)")
        _expect(self.frame_to_crop.shape == (2, 3), "frame_to_crop must be (2, 3)")
        _expect(self.layout_xy.shape == (478, 2), "layout_xy must be (478, 2)")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SwappedFace:
    """The donor's face in the subject's pose: `crop_rgb` uint8 (S, S, 3), `mask` float32 (S, S), the net's own.

    `hair` float32 (H, H) in [0, 1] is what stands in front of the subject's face and stays. S and H may differ from the
    subject's crop, which shows the same part of the frame.
    """

    crop_rgb: Image
    mask: Float
    hair: Float
