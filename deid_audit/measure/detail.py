"""How much of a face's own fine picture is left after it was changed: the line between covered and shown.

Looks at two cuts of the same place, before and after, and gives one number; whose face it is, is `identity`'s question.
"""

import cv2
import numpy as np

from deid_audit.frames import Float, Image

COVERED_BELOW = 0.4
"""Measured on real faces: mask, blur of half the box and pixelation to 8 tiles leave 0.3 or less; a blur of a tenth of
the box, which leaves the face recognisable, 0.66 or more."""
_SIDE_PX = 64
_FINE_SIGMA_PX = 2.5


def detail_kept(original_rgb: Image, released_rgb: Image, box_xyxy: Float) -> float:
    """Correlation of the fine structure inside the box, in [-1, 1]; 1 untouched, about 0 covered.

    Both cuts are brought to 64 px and their low frequencies taken away, so that brightness does not count. A flat
    result keeps nothing (0); so does a box outside the picture.

    >>> face = np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8)
    >>> box = np.float32([0, 0, 80, 80])
    >>> round(detail_kept(face, face // 2, box), 2), detail_kept(face, face * 0, box)
    (1.0, 0.0)
    """
    before, after = (_fine(image, box_xyxy) for image in (original_rgb, released_rgb))
    if before is None or after is None:
        return 0.0
    size = float(np.sqrt((before**2).sum() * (after**2).sum()))
    return float((before * after).sum()) / size if size > 0 else 0.0


def _fine(image_rgb: Image, box_xyxy: Float) -> Float | None:
    height, width = image_rgb.shape[:2]
    left, top = max(0, int(box_xyxy[0])), max(0, int(box_xyxy[1]))
    right, bottom = min(width, int(np.ceil(box_xyxy[2]))), min(height, int(np.ceil(box_xyxy[3])))
    if right - left < 2 or bottom - top < 2:
        return None
    grey = cv2.cvtColor(image_rgb[top:bottom, left:right], cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(grey, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(small - cv2.GaussianBlur(small, (0, 0), _FINE_SIGMA_PX), np.float32)
