"""Covers a region: the black box that protects where no swap is good enough, and the paper's three controls.

In the main job the controls (mask, blur, pixelation) are for comparison and never become a file; only `mask` conceals a
release: a blur of this strength can be re-identified. `deid-audit conceal` writes what it is asked for.
"""

from collections.abc import Callable

import cv2
import numpy as np

from deid_audit.frames import Float, Image

_GROW_RELEASE = 1.35  # a concealing box holds hair line, ears and chin that the landmarks leave out
_PIXELS_ACROSS = 8


def grown(box_xyxy: Float, factor: float) -> Float:
    """The box float32 (4,) with its width and height times `factor`, around the same centre."""
    centre, half = (box_xyxy[:2] + box_xyxy[2:]) / 2, (box_xyxy[2:] - box_xyxy[:2]) / 2 * factor
    return np.concatenate((centre - half, centre + half)).astype(np.float32)


def release_box(box_xyxy: Float) -> Float:
    """The box that a concealed face is covered with."""
    return grown(box_xyxy, _GROW_RELEASE)


def _window(image_rgb: Image, box_xyxy: Float) -> tuple[slice, slice]:
    height, width = image_rgb.shape[:2]
    left, top = (max(0, int(np.floor(edge))) for edge in box_xyxy[:2])
    right, bottom = min(width, int(np.ceil(box_xyxy[2]))), min(height, int(np.ceil(box_xyxy[3])))
    return slice(top, max(top, bottom)), slice(left, max(left, right))


def _covered(image_rgb: Image, box_xyxy: Float, cover: Callable[[Image], Image]) -> Image:
    rows, columns = _window(image_rgb, box_xyxy)
    result = image_rgb.copy()
    if result[rows, columns].size:
        result[rows, columns] = cover(result[rows, columns])
    return result


def mask(image_rgb: Image, box_xyxy: Float) -> Image:
    """A copy with the box filled black: the paper's mask."""
    return _covered(image_rgb, box_xyxy, np.zeros_like)


def blur(image_rgb: Image, box_xyxy: Float) -> Image:
    """A copy with the box under an average filter whose kernel is half the box: the paper's blur."""
    width, height = box_xyxy[2:] - box_xyxy[:2]
    kernel = (max(1, round(float(width) / 2)), max(1, round(float(height) / 2)))
    return _covered(image_rgb, box_xyxy, lambda region: np.asarray(cv2.blur(region, kernel)))


def pixelate(image_rgb: Image, box_xyxy: Float) -> Image:
    """A copy with the box as eight averaged tiles across; in boxes from 16 px on every tile mixes several pixels."""

    def tiles(region: Image) -> Image:
        height, width = region.shape[:2]
        across = min(width, _PIXELS_ACROSS)
        down = min(height, max(1, round(_PIXELS_ACROSS * height / max(1, width))))
        small = cv2.resize(region, (across, down), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST))

    return _covered(image_rgb, box_xyxy, tiles)


METHODS: dict[str, Callable[[Image, Float], Image]] = {"mask": mask, "blur": blur, "pixelate": pixelate}
CONTROLS: dict[str, Callable[[Image, Float], Image]] = {"masked": mask, "blurred": blur, "pixelated": pixelate}
