"""Warps between two shapes of a face: linear on the Delaunay triangles of the shape that is warped to.

The same map as scipy's LinearNDInterpolator makes, which inverts every triangle and looks for each pixel's; here the
triangles are drawn.
"""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from deid_audit.frames import Float
from deid_audit.vision.mesh import LANDMARK_COUNT, LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS

Points = NDArray[np.float64]
Corners = NDArray[np.int32]
Window = tuple[slice, slice]

# Lower and upper point of the lids.
LIDS = np.array(
    (
        (7, 246), (163, 161), (144, 160), (145, 159), (153, 158), (154, 157), (155, 173),
        (382, 398), (381, 384), (380, 385), (374, 386), (373, 387), (390, 388), (249, 466),
    )
)  # fmt: skip
_SHUT = 0.7  # of its usual opening: an eye that is less open hides too much of the iris to place it
_EDGE = 0.75  # of the crop's height from its centre: there nothing moves
_EDGE_XY = _EDGE * np.array(
    [(x, y) for x in np.linspace(-1, 1, 7) for y in np.linspace(-1, 1, 7) if max(abs(x), abs(y)) == 1]
)


def in_pixels(shape_xy: Points, size: int, margin: float) -> Points:
    """Points (n, 2) of the layout in pixels of a crop of `size` px that shows `margin` of it."""
    return shape_xy * size / margin + (size - 1) / 2


def framed(shape_xy: Points) -> Points:
    """The points of a shape (478, 2), and those of the edge around it, at which nothing moves."""
    return np.concatenate((shape_xy, _EDGE_XY))


def triangles(points_xy: Points) -> Corners:
    """The Delaunay triangulation of points (n, 2), as their indices (t, 3)."""
    return np.asarray(Delaunay(points_xy).simplices, np.int32)


def unfolded(begin: Points, end: Points, corners: Corners) -> NDArray[np.bool_]:
    """Which points (n,) to keep so that no part of the face is turned over: a far cheek, lips pressed together, an iris
    that a lid comes over. `corners` are the triangles of `begin`.

    Lids always stay: a lid that is let go would open.
    """
    first, second = (points[corners[:, 1:]] - points[corners[:, :1]] for points in (begin, end))
    before, after = (_double_area(edges) for edges in (first, second))
    kept = np.ones(len(begin), np.bool_)
    kept[corners[before * after <= 0]] = False
    kept[[*RIGHT_EYE, *LEFT_EYE]] = True
    for lids, iris in ((LIDS[:7], RIGHT_IRIS), (LIDS[7:], LEFT_IRIS)):
        lower, upper = lids.T
        was, now = (float(np.mean(points[lower, 1] - points[upper, 1])) for points in (begin, end))
        if now < _SHUT * was:
            kept[list(iris)] = False
    kept[LANDMARK_COUNT:] = True
    return kept


def _double_area(edges: Points) -> NDArray[np.float64]:
    """Of triangles that two of their edges (t, 2, 2) span; negative where one is turned over."""
    return np.asarray(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tiles:
    """The triangles between those of a shape's points that are `kept` (n,), drawn: `labels` int32 (S, S) say in which
    of the `corners` (t, 3) each pixel lies; `points_px` are the kept ones."""

    kept: NDArray[np.bool_]
    points_px: Points
    corners: Corners
    labels: NDArray[np.int32]

    @classmethod
    def of(cls, end: Points, kept: NDArray[np.bool_], size: int, margin: float) -> Self:
        """Of points (n, 2) in the layout, in a crop of `size` px that shows `margin` of it."""
        corners = triangles(end[kept])
        points_px = in_pixels(end[kept], size, margin)
        return cls(kept=kept, points_px=points_px, corners=corners, labels=_drawn(points_px, corners, size))

    def sources(self, begin_px: Points, window: Window) -> tuple[Float, Float]:
        """Where the pixels of a window come from, across and down, when the points (n, 2) came from `begin_px`."""
        begin = begin_px[self.kept][self.corners]
        end = self.points_px[self.corners]
        (first, second), (target, other) = ((part[:, 1:] - part[:, :1]).transpose(1, 0, 2) for part in (end, begin))
        area = _double_area(np.stack((first, second), 1))[:, None]
        area = np.where(area == 0, np.inf, area)  # such a triangle holds no pixel
        by_x = (second[:, 1:] * target - first[:, 1:] * other) / area
        by_y = (first[:, :1] * other - second[:, :1] * target) / area
        at_0 = begin[:, 0] - end[:, 0, :1] * by_x - end[:, 0, 1:] * by_y
        rows, columns = window
        labels = self.labels[window]
        x, y = np.arange(columns.start, columns.stop), np.arange(rows.start, rows.stop)[:, None]
        across, down = (
            (at_0[labels, axis] + x * by_x[labels, axis] + y * by_y[labels, axis]).astype(np.float32) for axis in (0, 1)
        )
        return across, down

    def warped(self, image: Float, begin: Points, margin: float, window: Window | None = None) -> Float:
        """The image (M, M, c), which shows `margin` of the layout, warped so that its points (n, 2) come to lie at
        this shape's: a window (h, w, c) of the crop, or all of it."""
        whole = slice(0, len(self.labels))
        across, down = self.sources(in_pixels(begin, image.shape[0], margin), window or (whole, whole))
        parts = (
            cv2.remap(part, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            for part in few_planes(image)
        )
        return np.asarray(cv2.merge([*parts]))


def _drawn(points_px: Points, corners: Corners, size: int) -> NDArray[np.int32]:
    """Which triangle each pixel's centre (S, S) lies in; the triangles are to cover all of the crop.

    A pixel belongs to the triangle whose crossings of its row are the last at or before it and the next after it. Two
    triangles reckon the crossing of the edge between them alike, so that no pixel is left out.
    """
    xy = points_px[corners]
    xy = np.take_along_axis(xy, np.argsort(xy[:, :, 1], 1)[:, :, None], 1)
    x, y = xy[:, :, 0].ravel(), xy[:, :, 1].ravel()
    # from the upper corner to the middle one, from that to the lower one, from the upper one to the lower one
    run = xy[:, (1, 2, 2)] - xy[:, (0, 1, 0)]
    slope = np.divide(run[:, :, 0], run[:, :, 1], out=np.zeros(run.shape[:2]), where=run[:, :, 1] > 0).ravel()
    begins = np.ceil(xy[:, :, 1]).clip(0, size).astype(np.intp)
    label, step = _spread(begins[:, 2] - begins[:, 0])
    row = step + begins[label, 0]
    upper = 3 * label
    side = upper + (row >= begins[label, 1])
    crossings = x[upper] + (row - y[upper]) * slope[upper + 2], x[side] + (row - y[side]) * slope[side]
    low, high = (np.ceil(edge(*crossings)).clip(0, size).astype(np.intp) for edge in (np.minimum, np.maximum))
    span, step = _spread(high - low)
    labels = np.zeros(size * size, np.int32)
    labels[(row * size + low)[span] + step] = label[span]
    return labels.reshape(size, size)


def _spread(counts: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For so many of each: its index, and its number among those of the same index."""
    index = np.repeat(np.arange(len(counts)), counts)
    return index, np.arange(len(index)) - (np.cumsum(counts) - counts)[index]


def warp(image: Float, from_xy: Points, to_xy: Points, size: int, *, margins: tuple[float, float]) -> Float:
    """The image (M, M, c) warped so that its points (478, 2) come to lie where the others say, as (size, size, c).

    `margins` are how much of the layout the image shows and the result is to show. Between the points it is linear on
    the target's Delaunay triangles, so that no part folds over another.
    """
    begin, end = framed(from_xy), framed(to_xy)
    kept = unfolded(begin, end, triangles(begin))
    return Tiles.of(end, kept, size, margins[1]).warped(image, begin, margins[0])


def few_planes(image: Float) -> list[Float]:
    """The planes in contiguous parts of at most three: OpenCV takes no more than four at once."""
    planes = cv2.split(image)
    return [cv2.merge(planes[at : at + 3]) for at in range(0, len(planes), 3)]
