"""Makes a pasted face look as if it had been filmed there: its skin continued to the edge, the light of the edge.

What it takes from the original is the colour of a narrow rim, blurred over a good part of the face.
"""

import cv2
import numpy as np

from deid_audit.frames import Float, Image

_LIGHT_REACH = 0.06  # of the face's width: how far inwards the light at the rim counts
_MOST_RETURNED = 15.0  # grey levels
_SAME_SKIN = 30.0  # grey levels: a larger difference at the rim is hair or background, not light


def continued(crop_rgb: Image, inside: Float) -> Image:
    """The face with its skin continued where `inside` (S, S) falls to 0, by pulling and pushing a pyramid of averages.

    Gortler et al., The Lumigraph, SIGGRAPH 1996, section 3.3.2.
    """
    levels = [(crop_rgb.astype(np.float32) * inside[..., None], inside.astype(np.float32))]
    while min(levels[-1][1].shape) > 2:
        colour, weight = (cv2.pyrDown(each) for each in levels[-1])
        # a weight grows towards 1 level by level: what is known at all is known well enough further up
        full = np.minimum(weight * 4, 1)
        levels.append((colour * (full / np.maximum(weight, 1e-6))[..., None], full))
    colour, weight = levels.pop()
    filled = colour / np.maximum(weight, 1e-6)[..., None]
    while levels:
        colour, weight = levels.pop()
        size = weight.shape[::-1]
        filled = colour + cv2.pyrUp(filled, dstsize=size) * (1 - weight[..., None])
    return np.asarray((filled + 0.5).clip(0, 255).astype(np.uint8))


def lit_as(area: Float, below: Float, rim: Float, inside: Float, face_px: float) -> Float:
    """The pasted area (H, W, 3) with the light of the original `below` along its `rim` (H, W), fading inwards.

    What that takes from or gives to the face's mean colour, over `inside` (H, W), its middle gives back or takes.
    Where the two differ too much at the rim, it is not light that differs, and nothing is taken over.
    """
    reach = _LIGHT_REACH * face_px
    difference = below - area
    weight = rim * np.exp(-np.square(np.linalg.norm(difference, axis=2) / np.sqrt(3) / _SAME_SKIN))
    near = cv2.GaussianBlur(weight, (0, 0), reach)
    along = cv2.GaussianBlur(rim, (0, 0), reach)
    shift = cv2.GaussianBlur(difference * weight[..., None], (0, 0), reach)
    fade = np.minimum(along / max(float((along * rim).max()), 1e-6), 1)
    shift *= (fade / (near + 0.05 * along + 1e-6))[..., None]
    middle = ((1 - fade) * inside)[..., None]
    share = (shift * inside[..., None]).sum((0, 1)) / (float(middle.sum()) + 1e-6)
    return np.asarray(area + shift - np.clip(share, -_MOST_RETURNED, _MOST_RETURNED) * (1 - fade)[..., None])
