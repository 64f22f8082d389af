"""Brings a face to the canonical layout: a similarity from FaceMesh landmarks, and masks of face, eyes and mouth.

The transform of every frame is its own: smoothing it over neighbouring frames cancels a 5 Hz tremor entirely.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from deid_audit.frames import AlignedFace, Float, Image
from deid_audit.vision.mesh import FACE_OVAL, LEFT_EYE, LIPS, RIGHT_EYE

METHOD_TEXT = (
    "Each face is aligned by a similarity (Umeyama 1991) from 16 FaceMesh points around eyes, nose and mouth to a "
    "fixed layout that holds the face from forehead to jaw; the transform is not smoothed over time, so that fast "
    "head movement stays."
)
Points = Float | NDArray[np.float64]
# How much of the crop's height the face outline (forehead to chin) fills in the layout.
OVAL_SHARE = 0.86

# Measured once as the symmetrised median of 26 frames of ten people, in units of the face outline's height, origin
# at the outline's centre: eye corners, bridge to base of the nose, nostrils, mouth corners.
_LAYOUT = {
    33: (-0.261, -0.201), 133: (-0.101, -0.189), 362: (0.101, -0.189), 263: (0.261, -0.201),
    168: (0.0, -0.222), 6: (0.0, -0.177), 197: (0.0, -0.135), 195: (0.0, -0.096),
    5: (0.0, -0.053), 4: (0.0, -0.001), 1: (0.0, 0.040), 2: (0.0, 0.080),
    98: (-0.101, 0.065), 327: (0.101, 0.065), 61: (-0.145, 0.227), 291: (0.145, 0.227),
}  # fmt: skip
LAYOUT_INDICES = tuple(_LAYOUT)
_LAYOUT_XY = np.array(tuple(_LAYOUT.values()), np.float64)

_RIGHT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
_LEFT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)


def similarity(from_xy: NDArray[np.float64], to_xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """The similarity (2, 3) that takes points (n, 2) to points (n, 2) with the least squared error.

    Rotation, one scale, translation, no reflection. Umeyama, IEEE TPAMI 13(4), 1991.
    """
    from_mean, to_mean = from_xy.mean(0), to_xy.mean(0)
    from_centred, to_centred = from_xy - from_mean, to_xy - to_mean
    u, singular, vt = np.linalg.svd(to_centred.T @ from_centred / len(from_xy))
    signs = np.array((1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))))
    rotation = u @ np.diag(signs) @ vt
    scale = (singular * signs).sum() / from_centred.var(0).sum()
    return np.column_stack((scale * rotation, to_mean - scale * rotation @ from_mean))


def apply(transform: NDArray[np.float64], points_xy: Points) -> NDArray[np.float64]:
    """Points (n, 2) through an affine transform (2, 3)."""
    return np.asarray(points_xy @ transform[:, :2].T + transform[:, 2])


def frame_to_crop(landmarks_xy: Float, size: int, *, margin: float = 1.0) -> NDArray[np.float64]:
    """The transform (2, 3) from frame pixels to a square crop of `size` px; `margin` 1.25 shows a quarter more."""
    target = _LAYOUT_XY * (OVAL_SHARE * size / margin) + (size - 1) / 2
    return similarity(landmarks_xy[list(LAYOUT_INDICES)].astype(np.float64), target)


def layout_points(landmarks_xy: Float) -> Float:
    """Landmarks (478, 2) of a frame in the canonical layout: position, size and tilt in the frame are gone."""
    return np.asarray(apply(frame_to_crop(landmarks_xy, 1), landmarks_xy), np.float32)


def _polygon(canvas: Image, points_xy: NDArray[np.float64], value: int) -> None:
    cv2.fillPoly(canvas, [np.round(points_xy * 16).astype(np.int32)], value, lineType=cv2.LINE_AA, shift=4)


def face_mask(landmarks_xy: Points, size: int) -> Float:
    """The face from forehead to jaw as float32 (size, size) in [0, 1], from landmarks in crop pixels."""
    canvas = np.zeros((size, size), np.uint8)
    outline = np.asarray(landmarks_xy, np.float64)[list(FACE_OVAL)]
    hull = cv2.convexHull(outline.astype(np.float32))[:, 0].astype(np.float64)
    _polygon(canvas, hull, 255)
    return canvas.astype(np.float32) / 255


def attention_map(landmarks_xy: Points, size: int) -> Float:
    """Eyes, brows and mouth, slightly grown, as float32 (size, size) in [0, 1]: where expression lives."""
    canvas = np.zeros((size, size), np.uint8)
    points = np.asarray(landmarks_xy, np.float64)
    for ring in (RIGHT_EYE, LEFT_EYE, LIPS):
        _polygon(canvas, points[list(ring)], 255)
    for brow in (_RIGHT_BROW, _LEFT_BROW):
        _polygon(canvas, points[list(brow)], 255)
    grown = cv2.dilate(canvas, np.ones((3, 3), np.uint8), iterations=max(1, size // 40))
    return np.asarray(cv2.GaussianBlur(grown, (0, 0), size / 64), np.float32) / 255


def align(frame_index: int, image_rgb: Image, landmarks_xy: Float, size: int, *, margin: float = 1.0) -> AlignedFace:
    """The crop and mask of one face; frame pixels beyond the border repeat the edge."""
    transform = frame_to_crop(landmarks_xy, size, margin=margin)
    smooth = cv2.INTER_AREA if np.hypot(*transform[:, 0]) < 0.5 else cv2.INTER_LINEAR
    if smooth == cv2.INTER_AREA:
        crop = _shrink(image_rgb, transform, size)
    else:
        crop = cv2.warpAffine(image_rgb, transform, (size, size), flags=smooth, borderMode=cv2.BORDER_REPLICATE)
    mask = face_mask(apply(transform, landmarks_xy), size)
    return AlignedFace(
        frame_index=frame_index,
        crop_rgb=crop,
        mask=mask,
        frame_to_crop=transform,
        layout_xy=layout_points(landmarks_xy),
    )


def _shrink(image_rgb: Image, transform: NDArray[np.float64], size: int) -> Image:
    """Warps at an integer multiple of the size, then averages: warpAffine alone aliases when it shrinks a lot."""
    factor = int(np.ceil(1 / np.hypot(*transform[:, 0])))
    large = transform * factor
    large[:, 2] += (factor - 1) / 2
    warped = cv2.warpAffine(image_rgb, large, (size * factor,) * 2, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(warped, (size, size), interpolation=cv2.INTER_AREA))
