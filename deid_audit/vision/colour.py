"""Colour statistics of a face, and moving one face's colours to another's: used before training and when pasting."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deid_audit.frames import Float, Image

_LOWEST_GAIN, _HIGHEST_GAIN = 0.6, 1.6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ColourStats:
    """Mean and standard deviation float64 (3,) in CIELAB (OpenCV float: L 0-100) of the pixels under a mask."""

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]

    def mixed(self, other: "ColourStats", share: float) -> "ColourStats":
        """These statistics moved by `share` in [0, 1] towards `other`."""
        return ColourStats(
            mean=(1 - share) * self.mean + share * other.mean, spread=(1 - share) * self.spread + share * other.spread
        )


def _lab(image_rgb: Image) -> Float:
    return np.asarray(cv2.cvtColor(image_rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB))


def colour_stats(image_rgb: Image, mask: Float) -> ColourStats:
    """Statistics of uint8 (H, W, 3) where float32 (H, W) `mask` exceeds 0.5; the whole image when nothing does."""
    pixels = _lab(image_rgb)
    inside = pixels[mask > 0.5]
    if len(inside) < 16:
        inside = pixels.reshape(-1, 3)
    return ColourStats(mean=inside.mean(0, dtype=np.float64), spread=inside.std(0, dtype=np.float64) + 1e-3)


def recolour(image_rgb: Image, source: ColourStats, target: ColourStats) -> Image:
    """The image with `source` statistics moved to `target`, per channel in CIELAB, gains kept in [0.6, 1.6].

    Mean and spread per channel: Reinhard et al., IEEE CG&A 21(5), 2001.
    """
    gain = np.clip(target.spread / source.spread, _LOWEST_GAIN, _HIGHEST_GAIN)
    moved = ((_lab(image_rgb) - source.mean) * gain + target.mean).astype(np.float32)
    rgb = cv2.cvtColor(moved, cv2.COLOR_LAB2RGB)
    return np.asarray((np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8))
