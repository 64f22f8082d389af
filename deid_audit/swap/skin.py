"""Tells hair, a hat or background within the outline of a mean face from its skin.

A donor's fringe lies within the outline that landmarks draw: pasted onto somebody else it is a patch with an edge, so
it is left out of the mask, and the skin beside it is continued there. The subject's own fringe or hat stays in front.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from deid_audit.frames import Float, Image
from deid_audit.swap.prior import HAIR, FacePrior
from deid_audit.swap.warping import Points, in_pixels
from deid_audit.vision.mesh import BROWS_AND_EYES, FACE_OVAL, FEATURE_RINGS, filled_hull

# Distance from the middle of the skin's colours, in CIELAB with lightness by a half: light falls off to the sides.
_LIGHTNESS_SHARE = 0.5
_LARGEST_DISTANCE = 16.0
_LARGEST_SPREADS = 3.5  # of the inner face's own spread, where that is wide (a beard, a lamp from one side)
_INNER = 0.7  # of the outline: skin for certain, apart from eyes, brows, nostrils and mouth
_SOFT = 0.012  # of the texture's side: how far the mask's new edge is softened
_AROUND = 1.2  # of the outline: where hair above the forehead is looked at
_HAIR_SHARE = 0.5  # of its distance from the skin's colour: so near to the hair's must be what stays
_BEYOND = 0.08  # of the texture's side: how far hair is followed outside the outline, where a paste still reaches


def skin_only(prior: FacePrior) -> FacePrior:
    """The prior with a mask that is 0 where its texture is no skin, from the outline inwards."""
    texture = prior.texture.copy()
    texture[..., 3] *= 1 - _softened(_not_skin(prior))
    return replace(prior, texture=texture)


def with_hair(prior: FacePrior) -> FacePrior:
    """The prior with its `HAIR` set where hair or a hat comes into the outline from above.

    It stays as it was in the frame, so no part of the face may be taken for it: only above the brows, and only what is
    twice as near to the colour of what lies beyond the forehead as to the skin's (a birthmark or a burn is not).
    """
    size = prior.texture.shape[0]
    points = _pixels(prior)
    outline = points[list(FACE_OVAL)]
    whole, around = (filled_hull(outline, share, (size, size)) > 0 for share in (1.0, _AROUND))
    above = _forehead(points, size)
    lab, skin = _colours(prior)
    beyond = lab[around & ~whole & above]
    texture = prior.texture.copy()
    if len(beyond):
        like_hair = np.linalg.norm(lab - np.median(beyond, axis=0), axis=2)
        like_skin = np.linalg.norm(lab - np.median(skin, axis=0), axis=2)
        within = _not_skin(prior) & whole & above & (like_hair < _HAIR_SHARE * like_skin)
        followed = cv2.dilate(within.astype(np.uint8), _disc(_BEYOND * size)) > 0
        softened = cv2.GaussianBlur((within | (followed & ~whole)).astype(np.float32), (0, 0), _SOFT * size / 2)
        texture[..., HAIR] = softened * above
    return replace(prior, texture=texture)


def _pixels(prior: FacePrior) -> Points:
    """The neutral shape (478, 2) in pixels of the texture."""
    return in_pixels(prior.neutral_xy, prior.texture.shape[0], prior.margin)


def _forehead(points: Points, size: int) -> NDArray[np.bool_]:
    """The rows (M, 1) above the brows."""
    brows = points[[index for ring in BROWS_AND_EYES for index in ring], 1].min()
    return np.asarray(np.arange(size)[:, None] < brows)


def _colours(prior: FacePrior) -> tuple[Float, Float]:
    """The texture in CIELAB (M, M, 3), lightness by a half, slightly blurred, and its pixels (n, 3) surely of skin."""
    size = prior.texture.shape[0]
    points = _pixels(prior)
    lab = cv2.cvtColor(np.ascontiguousarray(prior.texture[..., :3]), cv2.COLOR_RGB2LAB)
    lab[..., 0] *= _LIGHTNESS_SHARE
    inner = filled_hull(points[list(FACE_OVAL)], _INNER, (size, size))
    return cv2.GaussianBlur(lab, (0, 0), 0.004 * size), lab[(inner > 0) & (_features(points, size) == 0)]


def _features(points: Points, size: int) -> Image:
    """Eyes with their brows, and lips, slightly grown."""
    features = np.zeros((size, size), np.uint8)
    for ring in FEATURE_RINGS:
        features |= filled_hull(points[list(ring)], 1.25, (size, size))
    return features


def _not_skin(prior: FacePrior) -> NDArray[np.bool_]:
    """Where (M, M) there is hair or background: beyond the outline, or of another colour and joined to the outside.

    Never within the inner face below the brows, and never in eyes, brows or lips, whatever rims of glasses enclose.
    """
    size = prior.texture.shape[0]
    points = _pixels(prior)
    outline = points[list(FACE_OVAL)]
    whole, inner = (filled_hull(outline, share, (size, size)) for share in (1.0, _INNER))
    features = _features(points, size)
    forehead = _forehead(points, size)
    lab, known = _colours(prior)
    middle = np.median(known, axis=0)
    limit = max(_LARGEST_DISTANCE, _LARGEST_SPREADS * float(np.median(np.linalg.norm(known - middle, axis=1))))
    face = (features > 0) | ((inner > 0) & ~forehead)
    other = (np.linalg.norm(lab - middle, axis=2) > limit) & ~face
    # only what hangs together with the outside: a mole or a shadow of the nose is skin
    _, labels = cv2.connectedComponents(((whole == 0) | other).astype(np.uint8), connectivity=4)
    hair = labels == labels[0, 0]
    _, parts = cv2.connectedComponents((~hair).astype(np.uint8), connectivity=4)
    column, row = np.round(points.mean(0)).astype(int).clip(0, size - 1)
    return np.asarray(hair | (forehead & ~face & (parts != parts[row, column])))  # a hole in a fringe is no skin


def _softened(hair: NDArray[np.bool_]) -> Float:
    """A little more than the hair as float32 (M, M) in [0, 1], with a soft edge."""
    size = hair.shape[0]
    grown = cv2.dilate(hair.astype(np.uint8), _disc(_SOFT * size))
    return np.asarray(cv2.GaussianBlur(grown.astype(np.float32), (0, 0), _SOFT * size / 2))


def _disc(radius_px: float) -> Image:
    reach = 2 * max(1, round(radius_px)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
