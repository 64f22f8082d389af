"""Small pictures of released frames for the board's report: bytes for the paper side, as `figures` makes them.

Called with frames decoded from the *released* file and nothing else.
"""

import cv2

from deid_audit.errors import StageError
from deid_audit.frames import Image

LONGEST_PX = 360
MOST_BYTES = 22_000
_QUALITIES = (82, 70, 55, 40, 25, 10)


def thumbnail(released_rgb: Image) -> bytes:
    """A released frame uint8 (H, W, 3) as JPEG, its longer side at most 360 px, of at most 22 kB.

    Quality gives way to the size; the same frame gives the same bytes with the same OpenCV.
    """
    scale = min(1.0, LONGEST_PX / max(released_rgb.shape[:2]))
    size = (max(1, round(released_rgb.shape[1] * scale)), max(1, round(released_rgb.shape[0] * scale)))
    small = cv2.cvtColor(cv2.resize(released_rgb, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
    for quality in _QUALITIES:
        written, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if written and len(data) <= MOST_BYTES:
            return data.tobytes()
    raise StageError("a released frame could not be written as a small picture", next_step="report this")
