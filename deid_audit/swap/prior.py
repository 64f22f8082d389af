"""The prior: an identity's mean face, freed of pose and expression, and posed again as a frame's landmarks say.

An active appearance model in small (Cootes, Edwards and Taylor, IEEE TPAMI 23(6), 2001): a texture in a neutral shape,
and a piecewise affine warp to any other shape. It gives the network pose and expression before the first step; what
landmarks do not say (teeth, gaze, wrinkles, light) the network adds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import Delaunay

from deid_audit.frames import AlignedFace, Float, SwappedFace
from deid_audit.vision.mesh import (
    FACE_OVAL,
    INNER_LIPS,
    LANDMARK_COUNT,
    LEFT_EYE,
    LEFT_IRIS,
    LIPS_MIDDLE,
    NOSE_TIP,
    OUTER_CORNERS,
    RIGHT_EYE,
    RIGHT_IRIS,
    reach_of,
)

METHOD_TEXT = (
    "The network adds to a prior: the mean of the donor's faces that are nearest to the subject's usual pose and "
    "expression, brought to one shape by their FaceMesh landmarks, and warped by the subject's movement away from "
    "that pose and expression (piecewise affine). Form and skin are the donor's, the outline is the subject's. The "
    "movement so carried over is what FaceMesh sees, and FaceMesh also measures the released face's expression."
)
HAIR = 4
Points = NDArray[np.float64]

# Lower and upper point of the lids, and of the inner lips.
_LIDS = np.array(
    (
        (7, 246), (163, 161), (144, 160), (145, 159), (153, 158), (154, 157), (155, 173),
        (382, 398), (381, 384), (380, 385), (374, 386), (373, 387), (390, 388), (249, 466),
    )
)  # fmt: skip
_LIPS = np.array(
    (
        (95, 191), (88, 80), (178, 81), (87, 82), (14, 13), (317, 312), (402, 311), (318, 310), (324, 415),
    )
)  # fmt: skip
_OPEN_MOUTHS = 4
_MOST_FACES = 48
_SHUT = 0.7  # of its usual opening: an eye that is less open hides too much of the iris to place it
_LEAST_GAP = 0.005  # of the crop's height, about a pixel: thinner, the line of the lashes breaks up
_EDGE = 0.75  # of the crop's height from its centre: there nothing moves
_EDGE_XY = np.array([(x, y) for x in np.linspace(-1, 1, 7) for y in np.linspace(-1, 1, 7) if max(abs(x), abs(y)) == 1])
_OWN_UP_TO = 0.7  # of the way from the face's centre to its outline: beyond, the form goes over to the subject's


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

    def posed(self, shape_xy: Points, size: int, *, margin: float = 1.0) -> Float:
        """The face in the shape (478, 2), as a crop float32 (size, size, 5) that shows `margin` of the layout."""
        margins = (self.margin, margin)
        posed = warp(self.texture, self.neutral_xy, shape_xy, size, margins=margins)
        if self.open_mouth is not None:
            within = _between_lips(shape_xy, size, margin)
            if within.any():
                mouth = warp(self.open_mouth.texture, self.open_mouth.neutral_xy, shape_xy, size, margins=margins)
                posed[..., :3] += (mouth[..., :3] - posed[..., :3]) * within[..., None]
        return posed

    def arrays(self) -> list[NDArray[Any]]:
        """What shows the face, for whoever must overwrite it."""
        own: list[NDArray[Any]] = [self.texture, self.neutral_xy]
        return own if self.open_mouth is None else [*own, *self.open_mouth.arrays()]

    def resized(self, size: int) -> "FacePrior":
        """The same with a texture of `size` px."""
        parts = [cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA) for part in _few_planes(self.texture)]
        texture = np.dstack(parts)
        return replace(self, texture=texture)


def shape_of(face: AlignedFace) -> Points:
    """The face's shape (478, 2)."""
    return np.asarray(face.layout_xy, np.float64)


def in_pixels(shape_xy: Points, size: int, margin: float) -> Points:
    """Points (n, 2) of the layout in pixels of a crop of `size` px that shows `margin` of it."""
    return shape_xy * size / margin + (size - 1) / 2


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
    lower, upper = _LIDS.T
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


def _unfolded(begin: Points, end: Points) -> NDArray[np.bool_]:
    """Which points (n,) to keep so that no part of the face is turned over: a far cheek, lips pressed together, an iris
    that a lid comes over.

    Lids always stay: a lid that is let go would open.
    """
    corners = Delaunay(begin).simplices
    first, second = (points[corners[:, 1:]] - points[corners[:, :1]] for points in (begin, end))
    before, after = (edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0] for edges in (first, second))
    kept = np.ones(len(begin), np.bool_)
    kept[corners[before * after <= 0]] = False
    kept[[*RIGHT_EYE, *LEFT_EYE]] = True
    for lids, iris in ((_LIDS[:7], RIGHT_IRIS), (_LIDS[7:], LEFT_IRIS)):
        lower, upper = lids.T
        was, now = (float(np.mean(points[lower, 1] - points[upper, 1])) for points in (begin, end))
        if now < _SHUT * was:
            kept[list(iris)] = False
    kept[LANDMARK_COUNT:] = True
    return kept


def warp(image: Float, from_xy: Points, to_xy: Points, size: int, *, margins: tuple[float, float]) -> Float:
    """The image (M, M, c) warped so that its points (478, 2) come to lie where the others say, as (size, size, c).

    `margins` are how much of the layout the image shows and the result is to show. Between the points it is linear on
    the target's Delaunay triangles, so that no part folds over another.
    """
    stored, shown = image.shape[0], margins
    grid = (np.arange(size) - (size - 1) / 2) * shown[1] / size
    edge = _EDGE_XY * _EDGE
    begin, end = np.concatenate((from_xy, edge)), np.concatenate((to_xy, edge))
    kept = _unfolded(begin, end)
    find = LinearNDInterpolator(end[kept], begin[kept])
    source = find(np.stack(np.meshgrid(grid, grid), -1)) * stored / shown[0] + (stored - 1) / 2
    maps = source.astype(np.float32)
    across, down = (np.ascontiguousarray(maps[..., axis]) for axis in (0, 1))
    parts = [
        cv2.remap(part, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for part in _few_planes(image)
    ]
    return np.dstack(parts)


def _few_planes(image: Float) -> list[Float]:
    """The planes in contiguous parts of at most three: OpenCV takes no more than four at once."""
    return [np.ascontiguousarray(image[..., at : at + 3]) for at in range(0, image.shape[2], 3)]
