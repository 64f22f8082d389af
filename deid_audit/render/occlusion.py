"""What stands in front of a face: hands, drawn from their landmarks and kept; other things, which are only noticed.

A hand is drawn tightly: a pixel of the face beside it must not come through. (GrabCut from the same drawing was tried:
skin before skin has no edge to find, and it took eyebrows for hand.)
"""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from deid_audit.frames import AlignedFace, Float, Image
from deid_audit.vision.hands import FINGERS, PALM, WRIST

_FOREIGN = 10.0  # CIELAB units between a crop and how the model rebuilds it
_FOREIGN_PER_MEDIAN = 4.0  # and this many times the frame's median, so that a model of few steps is no alarm
_BLUR, _RIM, _AROUND_HAND = 1.5 / 64, 2 / 64, 3 / 64  # of the crop's side
METHOD_TEXT = (
    "A hand that MediaPipe Hands finds in front of the subject's face stays in front: palm and fingers are drawn from "
    "its 21 landmarks and those pixels stay as they were. What lies within the outline alone is no hand: it is "
    "painted over with the face. Other things are noticed where the model's own picture of the subject differs from "
    "the frame."
)
_TIGHT = 0.95  # of a finger's width: a rim of the hand is painted over rather than a rim of the face kept
_TIP = 0.85  # a finger's last joint is slimmer
_FINGERS_ACROSS = 3.0  # three finger widths from the first joint of the index to that of the little finger
_WIDTH_PER_PALM = 0.22  # the same width in lengths of the palm, for a hand seen from its side
_EDGE = 0.1  # of a finger's width: how far the hand's edge is softened, inwards only
# A hand comes from outside of the face. Farthest landmark beyond the outline, in heights of the outline, where hands
# were found on faces: 542 real hands of four people 0.14 or more, 26 false ones on two clean clips 0.06 or less.
_LEAST_REACH = 0.10


def comes_from_outside(hand_xy: Float, outline_xy: Float) -> bool:
    """Whether a hand (21, 2) px reaches beyond the face's outline (n, 2) px: one that does not is the face itself."""
    hull = cv2.convexHull(np.asarray(outline_xy, np.float32))
    beyond = max(-cv2.pointPolygonTest(hull, (float(x), float(y)), True) for x, y in hand_xy)
    return bool(beyond > _LEAST_REACH * np.ptp(hull[:, 0, 1]))


def foreign_share(face: AlignedFace, rebuilt_rgb: Image, hidden: Image) -> float:
    """Share of the face's outline, beside the hands, that the model rebuilds (S, S, 3) as something else.

    `hidden` uint8 (S, S) is over 0 where a known hand is. An object that the model has often seen is not noticed.
    """
    size = face.crop_rgb.shape[0]
    difference = _lab(face.crop_rgb) - _lab(rebuilt_rgb)
    error = np.linalg.norm(cv2.GaussianBlur(difference, (0, 0), _BLUR * size), axis=2)
    outline = face.mask > 0.5
    inside = (cv2.erode(outline.astype(np.uint8), _disc(_RIM * size)) > 0) & (
        cv2.dilate((hidden > 0).astype(np.uint8), _disc(_AROUND_HAND * size)) == 0
    )
    if not inside.any():
        return 0.0
    limit = max(_FOREIGN, _FOREIGN_PER_MEDIAN * float(np.median(error[inside])))
    return float((error[inside] > limit).sum() / outline.sum())


def most_hidden(hidden: Image, rings_xy: Sequence[Float]) -> float:
    """The largest share of one of the rings (n, 2) px, an eye each, that `hidden` uint8 (S, S) covers."""
    shares = [0.0]
    for ring in rings_xy:
        eye = np.zeros_like(hidden)
        cv2.fillConvexPoly(eye, cv2.convexHull(np.round(ring * 16).astype(np.int32))[:, 0], 255, shift=4)
        if eye.any():
            shares.append(float((hidden[eye > 0] > 0).mean()))
    return max(shares)


def _lab(image_rgb: Image) -> Float:
    return np.asarray(cv2.cvtColor(image_rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB))


def _disc(reach_px: float) -> Image:
    side = 2 * max(1, round(reach_px)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))


def hand_mask(hands: Sequence[Float], height: int, width: int) -> Image:
    """uint8 (height, width): 255 where one of the hands, landmarks float32 (21, 2) px each, covers the picture.

    Towards its edge the mask falls to 0 inside the hand.
    """
    whole = np.zeros((height, width), np.uint8)
    for points_xy in hands:
        finger = finger_width(points_xy) * _TIGHT
        low = np.floor(points_xy.min(0) - finger).clip(0, (width, height)).astype(int)
        high = np.ceil(points_xy.max(0) + finger).clip(0, (width, height)).astype(int)
        part = whole[low[1] : high[1], low[0] : high[0]]
        if part.size:
            part[:] = np.maximum(part, _drawn(points_xy - low, finger, part.shape))
    return whole


def _drawn(points_xy: Float, finger: float, shape: tuple[int, ...]) -> Image:
    """One hand in a window uint8 of `shape`; `finger` is the width of a finger in px."""
    canvas = np.zeros(shape, np.uint8)
    fixed = np.round(np.clip(points_xy, -5000, 20000) * 16).astype(np.int32)
    cv2.fillConvexPoly(canvas, cv2.convexHull(fixed[list(PALM)])[:, 0], 255, shift=4)
    bones = [(first, second, 1.0) for first, second in pairwise((*PALM, WRIST))]
    for joints in FINGERS:
        bones += [(first, second, 1.0) for first, second in pairwise(joints[:-1])]
        bones.append((*joints[-2:], _TIP))
    for first, second, share in bones:
        cv2.line(canvas, fixed[first].tolist(), fixed[second].tolist(), 255, max(1, round(finger * share)), shift=4)
    if finger * _EDGE < 0.3:
        return canvas
    soft = cv2.GaussianBlur(canvas, (0, 0), finger * _EDGE).astype(np.int16) * 2 - 255
    return np.asarray(soft.clip(0, 255).astype(np.uint8))


def finger_width(points_xy: Float) -> float:
    """A finger's width in px from a hand's landmarks (21, 2)."""
    across = float(np.linalg.norm(points_xy[PALM[3]] - points_xy[PALM[-1]])) / _FINGERS_ACROSS
    along = max(float(np.linalg.norm(points_xy[joint] - points_xy[WRIST])) for joint in PALM[3:])
    return max(across, along * _WIDTH_PER_PALM)
