"""How one frame's face looks: skin colour, fine contrast, and steps of lightness across lines around the face.

Looks at one frame under landmarks that are the *original's* for every rendition, so that like is compared with like.
What the numbers of two renditions say about each other is `quality`'s question.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deid_audit.frames import Float, Image
from deid_audit.vision.mesh import FACE_OVAL, FEATURE_RINGS, filled_hull, reach_of

FACE_PX = 180
"""A larger face is made as small as this first: bounded cost, and the same scale for every camera."""
FINE_SHARE = 0.01
"""Standard deviation of the Laplacian's Gaussian, of the face's longer side: a fiftieth of the distance between the
eyes, the width of a lid's or a lip's edge. It is about one pixel where the face is 100 px, so finer could not be seen
on many exam videos."""
SECTORS = 16
REACH = np.arange(0.88, 1.405, 0.02)
"""Where steps are looked for: lines like the outline, this many times as large. A swap's mask ends somewhere there."""
POINTS = tuple(range(0, 468, 4))
"""A quarter of the mesh's points, without the irises: enough for a median."""
LOOK_POINTS = tuple(sorted({*FACE_OVAL, *(point for ring in FEATURE_RINGS for point in ring)}))
"""The points of the mesh that a look is taken under."""
_COLUMNS = 8  # rays a sector
_SIDE_ROWS = 2  # samples on each side of a line
_MARGIN = 1.5
_SKIN, _INNER = 0.9, 0.85  # of the outline
_LEAST_PX = 12.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """One frame's face: mean `skin_lab` (3,) in CIELAB, `fine` contrast (grey levels, RMS), `steps` (16, k) in L*.

    `steps[i, j]` is the step across the line `REACH[j]` within sector i: the mean lightness just outside of it less
    that just inside. Lightness alone, since a codec keeps colour at half the resolution, and so does the eye.
    """

    skin_lab: NDArray[np.float64]
    fine: float
    steps: NDArray[np.float16]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Appearance:
    """The looks of one rendition of a video over time, NaN where there is none, and its landmarks.

    `skin_lab` (n, 3), `fine` (n,), `steps` (n, 16, k); `points_xy` float32 (n, p, 2) px are `POINTS` of its own mesh.
    """

    skin_lab: NDArray[np.float64]
    fine: NDArray[np.float64]
    steps: NDArray[np.float16]
    points_xy: Float

    def arrays(self) -> list[Float]:
        """What still draws the face, for whoever must overwrite it at the end."""
        return [self.points_xy]


def appearance_of(looks: Sequence[Look | None], landmarks: Float) -> Appearance:
    """The looks (n) of a rendition with its landmarks (n, 478, 3) as arrays."""
    count = len(looks)
    skin, fine = np.full((count, 3), np.nan), np.full(count, np.nan)
    steps = np.full((count, SECTORS, len(REACH)), np.nan, np.float16)
    for at, look in enumerate(looks):
        if look is not None:
            skin[at], fine[at], steps[at] = look.skin_lab, look.fine, look.steps
    points = np.ascontiguousarray(landmarks[:, list(POINTS), :2], np.float32)
    return Appearance(skin_lab=skin, fine=fine, steps=steps, points_xy=points)


def joined(parts: Sequence[Appearance]) -> Appearance:
    """Stretches of one rendition, one after the other."""
    return Appearance(
        skin_lab=np.concatenate([part.skin_lab for part in parts]),
        fine=np.concatenate([part.fine for part in parts]),
        steps=np.concatenate([part.steps for part in parts]),
        points_xy=np.concatenate([part.points_xy for part in parts]),
    )


def look_at(image_rgb: Image, landmarks_xy: Float) -> Look | None:
    """The look of the face under landmarks (478, 2) px, of which `LOOK_POINTS` are used.

    None where too little of the face is in the picture.
    """
    outline = landmarks_xy[list(FACE_OVAL), :2].astype(np.float64)
    side = float(np.ptp(outline, axis=0).max())
    if not side >= _LEAST_PX:
        return None
    centre = (outline.min(0) + outline.max(0)) / 2
    reach = _MARGIN * side / 2 + 2
    height, width = image_rgb.shape[:2]
    low = np.floor(centre - reach).clip(0).astype(int)
    high = np.minimum(np.ceil(centre + reach).astype(int) + 1, (width, height))
    if (high - low < _LEAST_PX).any():
        return None
    crop = image_rgb[low[1] : high[1], low[0] : high[0]]
    scale = np.ones(2)
    if side > FACE_PX:
        size = np.maximum(np.round((high - low) * FACE_PX / side).astype(int), 1)
        scale = size / (high - low)
        crop = cv2.resize(crop, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
    points = (landmarks_xy[:, :2] - low + 0.5) * scale - 0.5
    lab = np.asarray(cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_RGB2LAB))
    skin = filled_hull(points[list(FACE_OVAL)], _SKIN, crop.shape[:2])
    inner = filled_hull(points[list(FACE_OVAL)], _INNER, crop.shape[:2])
    for ring in FEATURE_RINGS:
        cv2.fillConvexPoly(skin, _whole(cv2.convexHull(points[list(ring)].astype(np.float32))[:, 0]), 0)
    if not skin.any() or not inner.any():
        return None
    return Look(
        skin_lab=lab[skin > 0].mean(0, dtype=np.float64),
        fine=fine_contrast(crop, inner, FINE_SHARE * min(side, FACE_PX)),
        steps=_steps(lab[..., 0], points[list(FACE_OVAL)]),
    )


def fine_contrast(image_rgb: Image, inside: Image, sigma_px: float) -> float:
    """Root mean square of the Laplacian of Gaussian where `inside` (H, W) is set, in grey levels per sigma²."""
    grey = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), sigma_px), cv2.CV_32F, ksize=1) * sigma_px**2
    return float(np.sqrt((edges[inside > 0].astype(np.float64) ** 2).mean()))


def _whole(points_xy: NDArray[np.float64] | Float) -> NDArray[np.int32]:
    return np.round(points_xy).astype(np.int32)


def _steps(lightness: Float, outline_xy: NDArray[np.float64]) -> NDArray[np.float16]:
    """Steps (16, k) across lines like the outline: the rays of a sector are averaged before they are compared.

    Hair, wrinkles and noise differ from ray to ray and average out; an edge that runs along the line does not.
    """
    centre = outline_xy.mean(0)
    rays = (np.arange(SECTORS * _COLUMNS) + 0.5) * 2 * np.pi / (SECTORS * _COLUMNS) - np.pi
    radius = reach_of(outline_xy, rays)
    gap = float(REACH[1] - REACH[0])
    rows = np.concatenate((REACH[0] - gap * np.arange(_SIDE_ROWS, 0, -1), REACH, REACH[-1] + gap * (1 + np.arange(2))))
    x = centre[0] + np.outer(rows, radius * np.cos(rays))
    y = centre[1] + np.outer(rows, radius * np.sin(rays))
    seen = cv2.remap(
        np.ascontiguousarray(lightness),
        x.astype(np.float32),
        y.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    rings = seen.reshape(len(rows), SECTORS, _COLUMNS).mean(2)
    k = len(REACH)
    inside, outside = (rings[0:k] + rings[1 : k + 1]) / 2, (rings[3 : k + 3] + rings[4 : k + 4]) / 2
    return np.asarray((outside - inside).T, np.float16)
