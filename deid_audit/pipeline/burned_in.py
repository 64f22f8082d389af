"""Burned-in text of a job: found in the originals where it shall be covered, and told of in the statement.

The search itself is `vision/standing_text.py`; the written file is searched while it is measured (`measuring.py`).
"""

from collections.abc import Sequence

import numpy as np

from deid_audit.findings import TextRegion
from deid_audit.frames import Float, Image
from deid_audit.progress import Progress
from deid_audit.render.conceal import mask
from deid_audit.video.reader import SourceVideo, read_frames
from deid_audit.vision.standing_text import StandingText, TextStretch

COVER_TEXT = (
    "Lines of standing text were looked for in the originals in the same way and covered with black, each in every "
    "frame of its stretch."
)


def find_text(source: SourceVideo, *, progress: Progress) -> tuple[TextStretch, ...]:
    """The standing text of one original."""
    search = StandingText(source.times_s)
    with progress.step(f"looking for text, {source.label}", source.facts.frame_count) as step:
        for frame in read_frames(source):
            search.see(frame)
            step.advance()
    return search.finish()


def boxes_in(frame_index: int, stretches: Sequence[TextStretch]) -> list[Float]:
    """The boxes (4,) px of the lines that stand in this frame."""
    return [np.array(one.box_xyxy, np.float32) for one in stretches if one.first <= frame_index <= one.last]


def text_covered(image_rgb: Image, frame_index: int, stretches: Sequence[TextStretch]) -> Image:
    """The frame uint8 (H, W, 3) with every line that stands in it filled black."""
    for box in boxes_in(frame_index, stretches):
        image_rgb = mask(image_rgb, box)
    return image_rgb


def text_regions(number: int, left: Sequence[TextStretch], covered: Sequence[TextStretch]) -> tuple[TextRegion, ...]:
    """What the statement says of released video `number`: lines that were covered, and lines that are left."""
    both = [(one, True) for one in covered] + [(one, False) for one in left]
    return tuple(
        TextRegion(video=number, box_xyxy=one.box_xyxy, first_frame=one.first, last_frame=one.last, covered=hidden)
        for one, hidden in both
    )
