"""The prior: an identity's mean face, freed of pose and expression, and posed again as a frame's landmarks say.

An active appearance model in small (Cootes, Edwards and Taylor, IEEE TPAMI 23(6), 2001): a texture in a neutral shape,
and a piecewise affine warp to any other shape. It gives the network pose and expression before the first step; what
landmarks do not say (teeth, gaze, wrinkles, light) the network adds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deid_audit.frames import AlignedFace, Float, SwappedFace
from deid_audit.swap.warping import (
    LIDS,
    Corners,
    Points,
    Tiles,
    few_planes,
    framed,
    in_pixels,
    triangles,
    unfolded,
    warp,
)
from deid_audit.vision.mesh import FACE_OVAL, INNER_LIPS, LIPS_MIDDLE, NOSE_TIP, OUTER_CORNERS, reach_of

METHOD_TEXT = (
    "The network adds to a prior: the mean of the donor's faces that are nearest to the subject's usual pose and "
    "expression, brought to one shape by their FaceMesh landmarks, and warped by the subject's movement away from "
    "that pose and expression (piecewise affine). Form and skin are the donor's, the outline is the subject's. The "
    "movement so carried over is what FaceMesh sees, and FaceMesh also measures the released face's expression."
)
HAIR = 4

# Lower and upper point of the inner lips.
_LIPS = np.array(
    (
        (95, 191), (88, 80), (178, 81), (87, 82), (14, 13), (317, 312), (402, 311), (318, 310), (324, 415),
    )
)  # fmt: skip
_OPEN_MOUTHS = 4
_MOST_FACES = 48
_LEAST_GAP = 0.005  # of the crop's height, about a pixel: thinner, the line of the lashes breaks up
_OWN_UP_TO = 0.7  # of the way from the face's centre to its outline: beyond, the form goes over to the subject's
_UNKNOWN = np.zeros((0, 3), np.int32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FacePrior:
    """One identity: `texture` float32 (M, M, 5) in [0, 1] and its shape `neutral_xy` (478, 2).

    The texture's planes are red, green, blue, the face's mask, and `HAIR`: what stands in front of the face.

    Shapes are in the canonical layout: crop heights from the crop's centre. The texture shows `margin` of them. What is
    between the lips comes from `open_mouth`, the same face with its mouth open: a closed one has nothing to show there.
    """

    texture: Float
    neutral_xy: Points
    margin: float
    open_mouth: "FacePrior | None" = None
    # the neutral shape's triangles, reckoned once; whoever replaces the texture alone shares them
    corners: Corners = field(default_factory=lambda: _UNKNOWN)

    def __post_init__(self) -> None:
        if self.corners is _UNKNOWN:
            object.__setattr__(self, "corners", triangles(framed(self.neutral_xy)))

    def posed(self, shape_xy: Points, size: int, *, margin: float = 1.0) -> Float:
        """The face in the shape (478, 2), as a crop float32 (size, size, 5) that shows `margin` of the layout."""
        begin, end = framed(self.neutral_xy), framed(shape_xy)
        tiles = Tiles.of(end, unfolded(begin, end, self.corners), size, margin)
        posed = tiles.warped(self.texture, begin, self.margin)
        if self.open_mouth is not None:
            self._open(posed, self.open_mouth, tiles, end, margin)
        return posed

    @staticmethod
    def _open(posed: Float, mouth: "FacePrior", tiles: Tiles, end: Points, margin: float) -> None:
        """Puts what the open mouth shows between the lips."""
        size = len(posed)
        within = _between_lips(end, size, margin)
        columns, rows = (np.flatnonzero(within.any(axis)) for axis in (0, 1))
        if not len(rows):
            return
        window = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
        begin = framed(mouth.neutral_xy)
        kept = unfolded(begin, end, mouth.corners)
        if not np.array_equal(kept, tiles.kept):
            tiles = Tiles.of(end, kept, size, margin)
        shown = tiles.warped(mouth.texture[..., :3], begin, mouth.margin, window)
        part = posed[window][..., :3]
        part += (shown - part) * within[window][..., None]

    def arrays(self) -> list[NDArray[Any]]:
        """What shows the face, for whoever must overwrite it."""
        own: list[NDArray[Any]] = [self.texture, self.neutral_xy, self.corners]
        return own if self.open_mouth is None else [*own, *self.open_mouth.arrays()]

    def resized(self, size: int) -> "FacePrior":
        """The same with a texture of `size` px."""
        parts = [cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA) for part in few_planes(self.texture)]
        texture = np.dstack(parts)
        return replace(self, texture=texture)


def shape_of(face: AlignedFace) -> Points:
    """The face's shape (478, 2)."""
    return np.asarray(face.layout_xy, np.float64)


def turn_of(face: AlignedFace) -> float:
    """How far the tip of the nose lies to the side of the eyes' middle, in crop heights: the head's turn."""
    return float(face.layout_xy[NOSE_TIP, 0] - face.layout_xy[list(OUTER_CORNERS), 0].mean())


def make_prior(faces: Sequence[AlignedFace], weights: NDArray[np.float64], *, margin: float) -> FacePrior:
    """The weighted mean of the faces, which are crops of one size and margin, in their weighted mean shape.

    Of many, those that weigh most stand for all.
    """
    most = np.argsort(-weights, kind="stable")[:_MOST_FACES]
    faces, weights = [faces[at] for at in most], weights[most]
    shapes = [shape_of(face) for face in faces]
    neutral = np.average(shapes, axis=0, weights=weights)
    size = faces[0].mask.shape[0]
    texture = np.zeros((size, size, 5), np.float32)
    for face, shape, weight in zip(faces, shapes, weights / weights.sum(), strict=True):
        pixels = np.dstack((face.crop_rgb.astype(np.float32) / 255, face.mask))
        texture[..., :HAIR] += np.float32(weight) * warp(pixels, shape, neutral, size, margins=(margin, margin))
    return FacePrior(texture=texture.clip(0, 1), neutral_xy=neutral, margin=margin)


def with_open_mouth(prior: FacePrior, faces: Sequence[AlignedFace]) -> FacePrior:
    """The prior with the mean of the faces whose lips are farthest apart, for what is between the lips."""
    lower, upper = LIPS_MIDDLE
    gaps = np.array([face.layout_xy[lower, 1] - face.layout_xy[upper, 1] for face in faces])
    widest = np.argsort(-gaps, kind="stable")[:_OPEN_MOUTHS]
    few = [faces[at] for at in widest]
    return replace(prior, open_mouth=make_prior(few, np.ones(len(few)), margin=prior.margin))


def _between_lips(shape_xy: Points, size: int, margin: float) -> Float:
    """How far each pixel (size, size) lies between the lips, in [0, 1]."""
    corners = np.round(in_pixels(shape_xy[list(INNER_LIPS)], size, margin) * 16).astype(np.int32)
    canvas = np.zeros((size, size), np.uint8)
    cv2.fillPoly(canvas, [corners], 255, lineType=cv2.LINE_AA, shift=4)
    return np.asarray(cv2.GaussianBlur(canvas, (3, 3), 0), np.float32) / 255


def moved_as(own_xy: Points, neutral_xy: Points, shape_xy: Points) -> Points:
    """The neutral shape `own_xy` (478, 2) moved as another face moved from its `neutral_xy` to its `shape_xy`.

    Lids close as the other's do: half shut is half shut, whatever the eye's form. Lids and lips never cross, however
    far the other's movement goes. At the outline it is the other's form: the face is pasted into the other's outline,
    which it must fill.
    """
    outward = _outwardness(own_xy)[:, None]
    moved = own_xy + outward * (neutral_xy - own_xy) + (shape_xy - neutral_xy)
    lower, upper = LIDS.T
    own, usual, now = (np.maximum(points[lower, 1] - points[upper, 1], 0) for points in (own_xy, neutral_xy, shape_xy))
    closing = own * now / np.maximum(usual, _LEAST_GAP)
    gap = np.maximum(np.where(now < usual, closing, own + now - usual), _LEAST_GAP)
    moved[upper, 1] = moved[lower, 1] - gap
    lower, upper = _LIPS.T
    lacking = np.maximum(_LEAST_GAP - (moved[lower, 1] - moved[upper, 1]), 0) / 2
    moved[lower, 1] += lacking
    moved[upper, 1] -= lacking
    return np.asarray(moved)


def posed_as(donor: FacePrior, neutral_xy: Points, face: AlignedFace) -> SwappedFace:
    """The donor's mean face moved as a person of neutral shape (478, 2) moves in `face`: a swap without training."""
    posed = donor.posed(moved_as(donor.neutral_xy, neutral_xy, shape_of(face)), swapped_px(donor))
    return SwappedFace(
        crop_rgb=np.ascontiguousarray((posed[..., :3] * 255 + 0.5).clip(0, 255).astype(np.uint8)),
        mask=np.ascontiguousarray(posed[..., 3].clip(0, 1)),
        hair=np.zeros_like(face.mask),
    )


def swapped_px(donor: FacePrior) -> int:
    """The side in px of the crop that a swap with this donor's prior makes."""
    return round(donor.texture.shape[0] / donor.margin)


def _outwardness(shape_xy: Points) -> NDArray[np.float64]:
    """For each point (478,): 0 in the inner face, 1 at its outline."""
    outline = shape_xy[list(FACE_OVAL)]
    away = shape_xy - outline.mean(0)
    reach = reach_of(outline, np.arctan2(away[:, 1], away[:, 0]))
    share = (np.hypot(away[:, 0], away[:, 1]) / reach - _OWN_UP_TO) / (1 - _OWN_UP_TO)
    return np.asarray(np.clip(share, 0, 1))
