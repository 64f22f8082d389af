"""Tells hair, a hat or background within the outline of a mean face from its skin.

A donor's fringe lies within the outline that landmarks draw: pasted onto somebody else it is a patch with an edge, so
it is left out of the mask, and the skin beside it is continued there. The subject's own fringe stays in front.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from deid_audit.frames import Float, Image
from deid_audit.swap.prior import HAIR, FacePrior, Points
from deid_audit.vision.mesh import FACE_OVAL, FEATURE_RINGS, MOUTH_CORNERS

# Distance from the middle of the skin's colours, in CIELAB with lightness by a half: light falls off to the sides.
_LIGHTNESS_SHARE = 0.5
_LARGEST_DISTANCE = 16.0
_LARGEST_SPREADS = 3.5  # of the inner face's own spread, where that is wide (a beard, a lamp from one side)
_INNER = 0.7  # of the outline: skin for certain, apart from eyes, brows, nostrils and mouth
_SOFT = 0.012  # of the texture's side: how far the mask's new edge is softened
_BEYOND = 0.08  # of the texture's side: how far hair is followed out of the outline, where a paste still reaches


def skin_only(prior: FacePrior) -> FacePrior:
    """The prior with a mask that is 0 where its texture is no skin, from the outline inwards."""
    texture = prior.texture.copy()
    texture[..., 3] *= 1 - _softened(_not_skin(prior))
    return replace(prior, texture=texture)


def with_hair(prior: FacePrior) -> FacePrior:
    """The prior with its `HAIR` set where, above the mouth, something that is no skin reaches into the outline.

    Only there: a beard or the shadow of the jaw is the face itself, and would be left as it was. So would a rim of the
    face, if all that lies beyond the outline were hair.
    """
    size = prior.texture.shape[0]
    whole = _filled(_pixels(prior)[list(FACE_OVAL)], 1.0, size) > 0
    within = _not_skin(prior) & whole
    beyond = cv2.dilate(within.astype(np.uint8), _disc(_BEYOND * size)) > 0
    mouth = _pixels(prior)[list(MOUTH_CORNERS), 1].mean()
    above = np.clip((mouth - np.arange(size)) / (_SOFT * size), 0, 1)
    texture = prior.texture.copy()
    texture[..., HAIR] = _softened(within | (beyond & ~whole)) * above[:, None]
    return replace(prior, texture=texture)


def _pixels(prior: FacePrior) -> Points:
    """The neutral shape (468, 2) in pixels of the texture."""
    size = prior.texture.shape[0]
    return prior.neutral_xy * size / prior.margin + (size - 1) / 2


def _not_skin(prior: FacePrior) -> NDArray[np.bool_]:
    """Where (M, M) there is hair or background, and neither skin nor a feature of the face."""
    size = prior.texture.shape[0]
    points = _pixels(prior)
    outline = points[list(FACE_OVAL)]
    whole, inner = _filled(outline, 1.0, size), _filled(outline, _INNER, size)
    features = np.zeros((size, size), np.uint8)
    for ring in FEATURE_RINGS:
        features |= _filled(points[list(ring)], 1.25, size)
    lab = cv2.cvtColor(np.ascontiguousarray(prior.texture[..., :3]), cv2.COLOR_RGB2LAB)
    lab[..., 0] *= _LIGHTNESS_SHARE
    known = lab[(inner > 0) & (features == 0)]
    distance = np.linalg.norm(cv2.GaussianBlur(lab, (0, 0), 0.004 * size) - np.median(known, axis=0), axis=2)
    own = np.linalg.norm(known - np.median(known, axis=0), axis=1)
    limit = max(_LARGEST_DISTANCE, _LARGEST_SPREADS * float(np.median(own)))
    other = ((distance > limit) & (features == 0)).astype(np.uint8)
    # only what hangs together with the outside: a mole or a shadow of the nose is skin
    outside = ((whole == 0) | (other > 0)).astype(np.uint8)
    _, labels = cv2.connectedComponents(outside, connectivity=4)
    hair = labels == labels[0, 0]
    _, parts = cv2.connectedComponents((~hair).astype(np.uint8), connectivity=4)
    middle = np.round(points.mean(0)).astype(int).clip(0, size - 1)
    if not hair[middle[1], middle[0]]:  # and a hole in a fringe is no skin
        hair = parts != parts[middle[1], middle[0]]
    return np.asarray(hair)


def _softened(hair: NDArray[np.bool_]) -> Float:
    """A little more than the hair as float32 (M, M) in [0, 1], with a soft edge."""
    size = hair.shape[0]
    grown = cv2.dilate(hair.astype(np.uint8), _disc(_SOFT * size))
    return np.asarray(cv2.GaussianBlur(grown.astype(np.float32), (0, 0), _SOFT * size / 2))


def _disc(radius_px: float) -> Image:
    reach = 2 * max(1, round(radius_px)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))


def _filled(ring_xy: Points, share: float, size: int) -> Image:
    """The hull of a ring (n, 2) px, `share` as large, as uint8 (size, size) of 0 and 1."""
    centre = ring_xy.mean(0)
    hull = cv2.convexHull((centre + (ring_xy - centre) * share).astype(np.float32))[:, 0]
    canvas = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(canvas, np.round(hull).astype(np.int32), 1)
    return canvas
