"""A made clip, written as a release is and read back."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from deid_audit.errors import StageError
from deid_audit.frames import Frame, Image
from deid_audit.pipeline.demo_clips import planned
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.video.writer import check_same_timing, write_video

_TIME_BASE = Fraction(1001, 30000)
_INSTANTS = (0, 1, 2, 4, 5, 9, 10, 11, 12, 15, 16, 17)  # uneven, as a phone's are
_LARGEST_MEAN_ERROR = 3.0


def encode_and_decode(folder: str) -> str:
    """The same number of frames at the same instants, and the same pictures but for the encoder's loss."""
    plan = planned("the made clip", _picture(0), _INSTANTS, _TIME_BASE)
    path = Path(folder) / "clip.mp4"
    write_video(path, _frames(plan), like=plan)
    try:
        written = open_video(path, label="the made clip")
        check_same_timing(plan, written)
        errors = [
            float(np.abs(made.image_rgb.astype(int) - back.image_rgb).mean())
            for made, back in zip(_frames(plan), read_frames(written), strict=True)
        ]
    finally:
        path.unlink()
    if max(errors) > _LARGEST_MEAN_ERROR:
        raise StageError(f"the pictures came back changed: {max(errors):.1f} of 255 on average")
    return f"{len(errors)} frames, uneven steps of 1001/30000 s"


def _frames(plan: SourceVideo) -> Iterator[Frame]:
    for index, pts in enumerate(plan.pts):
        yield Frame(index=index, pts=pts, image_rgb=_picture(index))


def _picture(index: int) -> Image:
    """Smooth colours with a bright square that moves by eight pixels a frame."""
    rows, columns = np.mgrid[0:120, 0:160]
    picture: Image = np.stack((rows, columns, 200 - rows), axis=2).astype(np.uint8)
    picture[40:64, 8 * index : 8 * index + 24] = (250, 240, 40)
    return picture
