"""Small pictures of released frames for the board's report: bytes for the paper side, as `figures` makes them.

Called with frames decoded from the *released* file and nothing else.
"""

import cv2

from deid_audit.errors import StageError
from deid_audit.frames import Image

LONGEST_PX = 360
MOST_BYTES = 20_000
FACE_PX = 160
MOST_FACE_BYTES = 9_000
_FACE_GROWN = 1.8
_QUALITIES = (82, 70, 55, 40, 25, 10)


def thumbnail(released_rgb: Image) -> bytes:
    """A released frame uint8 (H, W, 3) as JPEG, its longer side at most 360 px, of at most 20 kB.

    Quality gives way to the size; the same frame gives the same bytes with the same OpenCV.
    """
    scale = min(1.0, LONGEST_PX / max(released_rgb.shape[:2]))
    return _jpeg(released_rgb, scale, MOST_BYTES)


def close_up(released_rgb: Image, face_xyxy: tuple[float, float, float, float]) -> bytes | None:
    """The face of a released frame with some of what is around it, at most 160 px and 9 kB; None for an empty box.

    A small face is enlarged, a large one made smaller.
    """
    x0, y0, x1, y1 = face_xyxy
    half = _FACE_GROWN * max(x1 - x0, y1 - y0) / 2
    height, width = released_rgb.shape[:2]
    left, right = (round(min(max((x0 + x1) / 2 + at, 0), width)) for at in (-half, half))
    top, bottom = (round(min(max((y0 + y1) / 2 + at, 0), height)) for at in (-half, half))
    part = released_rgb[top:bottom, left:right]
    if part.size == 0:
        return None
    return _jpeg(part, FACE_PX / max(part.shape[:2]), MOST_FACE_BYTES)


def _jpeg(image_rgb: Image, scale: float, most_bytes: int) -> bytes:
    size = (max(1, round(image_rgb.shape[1] * scale)), max(1, round(image_rgb.shape[0] * scale)))
    way = cv2.INTER_AREA if scale <= 1 else cv2.INTER_CUBIC
    scaled = cv2.cvtColor(cv2.resize(image_rgb, size, interpolation=way), cv2.COLOR_RGB2BGR)
    for quality in _QUALITIES:
        written, data = cv2.imencode(".jpg", scaled, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if written and len(data) <= most_bytes:
            return data.tobytes()
    raise StageError("a released frame could not be written as a small picture", next_step="report this")
