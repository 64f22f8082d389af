"""Orientation: how a stored frame is turned to be shown upright (the container's display matrix).

FFmpeg hands the matrix on with each frame and PyAV does not apply it. Only quarter turns and mirrorings are
known here; anything else is refused by the reader.
"""

import struct
from dataclasses import dataclass
from typing import cast

import numpy as np
from av.buffer import Buffer
from av.sidedata.sidedata import SideDataContainer
from av.video.frame import VideoFrame

from deid_audit.frames import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Orientation:
    """Turn applied to a stored picture: swap of the axes first, then the mirrorings (of the shown picture)."""

    swap_axes: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @property
    def clockwise_degrees(self) -> int:
        """The rotation part in degrees, for the record; a mirroring counts as the rotation before it."""
        if self.swap_axes:
            return 270 if self.mirror_y and not self.mirror_x else 90
        return 180 if self.mirror_x and self.mirror_y else 0

    def upright(self, stored_rgb: Image) -> Image:
        """Stored (H, W, 3) to shown, contiguous: dlib silently misses faces in views."""
        shown = stored_rgb.transpose(1, 0, 2) if self.swap_axes else stored_rgb
        shown = shown[:, ::-1] if self.mirror_x else shown
        shown = shown[::-1] if self.mirror_y else shown
        return np.ascontiguousarray(shown)


_BY_ROTATION = {
    0: Orientation(),
    90: Orientation(swap_axes=True, mirror_y=True),
    -90: Orientation(swap_axes=True, mirror_x=True),
    180: Orientation(mirror_x=True, mirror_y=True),
    -180: Orientation(mirror_x=True, mirror_y=True),
}


def orientation_of(frame: VideoFrame) -> Orientation | None:
    """The frame's display matrix as an Orientation; None when it is no quarter turn."""
    try:
        # frame.side_data keeps what it hands out, which keeps the frame: a circle that only the garbage collector
        # opens, and the longer a video is, the more seldom it looks
        side_data = SideDataContainer(frame).get("DISPLAYMATRIX")  # type: ignore[call-arg]  # its stub names none
    except ValueError:  # PyAV knows no name for some kinds of side data (EXIF) and then lists none of them
        return _BY_ROTATION.get(frame.rotation)
    return Orientation() if side_data is None else _from_matrix(bytes(cast(Buffer, side_data)))


def _from_matrix(raw: bytes) -> Orientation | None:
    """From nine native int32; x' = a x + c y and y' = b x + d y (ISO/IEC 14496-12, 8.3.2)."""
    a, b, _, c, d = struct.unpack("=5i", raw[:20])
    largest = max(abs(a), abs(b), abs(c), abs(d), 1)
    a, b, c, d = (round(value / largest * 64) for value in (a, b, c, d))
    if b == c == 0 and a and d:
        return Orientation(mirror_x=a < 0, mirror_y=d < 0)
    if a == d == 0 and b and c:
        return Orientation(swap_axes=True, mirror_x=c < 0, mirror_y=b < 0)
    return None
