"""A drawn face whose every landmark is known: where FaceMesh has them on a grown person who looks into the camera."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deid_audit.faces.align import face_mask
from deid_audit.frames import AlignedFace, Float, Image
from deid_audit.vision.mesh import (
    FACE_OVAL,
    INNER_LIPS,
    LEFT_EYE,
    LEFT_IRIS,
    LIPS,
    NOSE_TIP,
    RIGHT_EYE,
    RIGHT_IRIS,
)

RIGHT_BROW, LEFT_BROW = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55), (300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
OVAL = (0.36, 0.41)


def made_layout(*, lips: float = 0.0, lids: float = 0.028, brows: float = -0.27, turn: float = 0.0) -> Float:
    """Landmarks float32 (478, 2) in the layout: gap of the lips and lids, height of the brows, shift of the nose."""
    points = np.zeros((478, 2))
    spiral = np.arange(478) * np.pi * (3 - np.sqrt(5))  # what has no name lies in a ring between features and outline
    points[:] = np.column_stack((np.cos(spiral), np.sin(spiral))) * np.linspace(0.75, 0.95, 478)[:, None] * OVAL
    points[list(FACE_OVAL)] = _ring(36, (0, 0), OVAL, -90, 1)
    points[list(RIGHT_EYE)] = _ring(16, (-0.16, -0.165), (0.072, lids / 2), 180, -1)
    points[list(LEFT_EYE)] = _ring(16, (0.16, -0.165), (0.072, lids / 2), 180, -1)
    points[list(LIPS)] = _ring(20, (0, 0.18), (0.13, 0.03 + lips / 2), 180, -1)
    points[list(INNER_LIPS)] = _ring(20, (0, 0.18), (0.1, lips / 2), 180, 1)
    for iris, x in ((RIGHT_IRIS, -0.16), (LEFT_IRIS, 0.16)):
        points[list(iris)] = (x, -0.165)
        points[list(iris)[1:]] += _ring(4, (0, 0), (0.01, 0.3 * lids), 0, 1)
    for indices, x in ((RIGHT_BROW, (-0.25, -0.08)), (LEFT_BROW, (0.25, 0.08))):
        points[list(indices), 0] = np.tile(np.linspace(*x, 5), 2)
        points[list(indices), 1] = brows + np.repeat((0, 0.015), 5)
    points[NOSE_TIP] = (turn, 0.02)
    return points.astype(np.float32)


def _ring(
    count: int, centre: Sequence[float], radii: Sequence[float], start_degrees: float, way: int
) -> NDArray[np.float64]:
    angle = np.deg2rad(start_degrees) + way * np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.column_stack((np.cos(angle), np.sin(angle))) * radii + centre


def shape(**how: float) -> NDArray[np.float64]:
    """The same as float64."""
    return made_layout(**how).astype(np.float64)


def ramps(size: int) -> Float:
    """Five planes that rise to the right, downwards and to both, or fall: a place can be read off its colour."""
    x, y = np.meshgrid(*(np.arange(size) / (size - 1),) * 2)
    return np.dstack((x, y, (x + y) / 2, 1 - x, 1 - y)).astype(np.float32)


def made_face(layout_xy: Float, crop_rgb: Image, *, margin: float = 1.0) -> AlignedFace:
    """A crop (S, S, 3) that shows `margin` of the layout, with the mask of these landmarks."""
    size = crop_rgb.shape[0]
    return AlignedFace(
        frame_index=0,
        crop_rgb=crop_rgb,
        mask=face_mask(pixels(layout_xy, size, margin=margin), size),
        frame_to_crop=np.eye(2, 3),
        layout_xy=layout_xy,
    )


def pixels(layout_xy: NDArray[np.floating], size: int, *, margin: float = 1.0) -> NDArray[np.float64]:
    """Places in the layout as pixels of a crop."""
    return np.asarray(layout_xy, np.float64) * size / margin + (size - 1) / 2
