"""Pixel-side types: what the stages hand each other as arrays. Shapes are checked on construction."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.heap import Pages

Image = NDArray[np.uint8]
Float = NDArray[np.float32]

_MOST_STEPS = 4095  # between the outermost landmarks of a face: 12 bits
_PAGES = Pages()
_PLACE_BYTES = (16, 32 + 3 * 478)  # a box; a box, the landmarks' corners, three bytes a landmark


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


def packed_place(box_xyxy: Float, landmarks_xy: Float | None) -> NDArray[np.uint8]:
    """A face's box float32 (4,) px, kept exactly, and its landmarks (478, 2) px in 12 bits a coordinate, in 1.5 kB.

    A landmark moves by at most 1/8190 of the landmarks' extent. The mesh looks at a face in about 113 px of its own,
    so that is less than 1/64 of a px there; the outermost landmarks stay where they are.
    """
    box = np.asarray(box_xyxy, np.float32)
    _expect(box.shape == (4,), "box_xyxy must be (4,)")
    if landmarks_xy is None:
        return _kept(box.tobytes())
    _expect(landmarks_xy.shape == (478, 2), "landmarks_xy must be (478, 2)")
    _expect(bool(np.isfinite(landmarks_xy).all()), "landmarks_xy must be finite")
    corners = np.concatenate((landmarks_xy.min(0), landmarks_xy.max(0))).astype(np.float32)
    low, span = corners[:2].astype(np.float64), np.ptp(corners.reshape(2, 2).astype(np.float64), 0)
    steps = np.rint((landmarks_xy - low) / np.where(span > 0, span, 1) * _MOST_STEPS)
    x, y = np.clip(steps, 0, _MOST_STEPS).astype(np.uint16).T
    points = np.column_stack((x & 0xFF, x >> 8 | (y & 0xF) << 4, y >> 4)).astype(np.uint8)
    return _kept(box.tobytes() + corners.tobytes() + points.tobytes())


def _kept(data: bytes) -> NDArray[np.uint8]:
    piece = _PAGES.take(len(data))
    piece[:] = np.frombuffer(data, np.uint8)
    return piece


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackedFace:
    """One face of one frame in one track; a long video has hundreds of thousands, so it is held packed.

    `place` is what `packed_place` makes of box and landmarks; `filled` marks landmarks interpolated from neighbouring
    frames.
    """

    frame_index: int
    track_id: int
    place: NDArray[np.uint8]
    score: float
    filled: bool
    source: str

    def __post_init__(self) -> None:
        _expect(len(self.place) in _PLACE_BYTES, "place must hold a box, or a box and landmarks")

    @property
    def box_xyxy(self) -> Float:
        """float32 (4,) px of the shown frame: holds the face from forehead to chin."""
        return self.place[:16].view(np.float32)

    @property
    def has_landmarks(self) -> bool:
        """Whether landmarks were found."""
        return len(self.place) > 16

    @property
    def landmarks_xy(self) -> Float | None:
        """float32 (478, 2) px of the shown frame, unpacked; None where none were found."""
        if not self.has_landmarks:
            return None
        low, high = self.place[16:32].view(np.float32).reshape(2, 2).astype(np.float64)
        first, middle, last = self.place[32:].reshape(478, 3).T.astype(np.uint16)
        steps = np.column_stack((first | (middle & 0xF) << 8, middle >> 4 | last << 4))
        return np.asarray(low + (high - low) * (steps / _MOST_STEPS), np.float32)


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
