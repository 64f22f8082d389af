"""Text that stands still over frames, as burned-in names, dates and banners do: found as the frames stream by.

Frames of one second are averaged: what moves behind a standing text is blurred, the text is not. A line that is found
at one place in two seconds counts, or in one second in several looks. Whether it is covered is not decided here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from deid_audit.frames import Frame, Image
from deid_audit.vision.overlay_text import Box, TextLine, joined, overlap, text_lines

METHOD_TEXT = (
    "Burned-in text: four frames a second of the written file were averaged second by second and searched for lines "
    "of printed letters (strokes of one width and shade on one baseline, after a top-hat filter); a line seen at one "
    "place in two seconds counts, or in one second in five of sixteen looks (four shades, four contrasts), from the "
    "second before to the second after. Nothing is read, and no model takes part. "
    "Not looked for: handwriting, slanted or upright lines, fewer than four letters, letters of less than 8 px, text "
    "that moves, stands for less than a second or is faint or before clutter and stands for less than two, tattoos."
)
WINDOW_S = 1.0
_SAMPLES = 4  # a window
_SAME_LINE = 0.3  # of its height: how far the edges of one line may differ from second to second
_SURE_LOOKS = 5  # of 16 in one window, so at two contrasts or more: no second window is needed
_MISSED_WINDOWS = 2  # a line that is lost for one second and comes back was there


@dataclass(frozen=True, slots=True, kw_only=True)
class TextStretch:
    """A line of text that stands at `box_xyxy` px, from frame `first` to frame `last`, both included."""

    box_xyxy: Box
    first: int
    last: int


@dataclass(slots=True)
class _Window:
    first: int
    last: int
    lines: list[TextLine] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Chain:
    """Finds of one line: where it is by now, the windows that show it, and the most looks in one of them."""

    box: Box
    windows: list[int]
    most_looks: int


class StandingText:
    """Collects the frames of one video; `times_s` are all of their times, from 0."""

    def __init__(self, times_s: Sequence[float]) -> None:
        self._times_s = times_s
        self._windows: list[_Window] = []
        self._sum: NDArray[np.uint16] | None = None
        self._added = 0

    def see(self, frame: Frame) -> None:
        """Adds the next frame."""
        time_s = self._times_s[frame.index]
        window = int(time_s / WINDOW_S)
        new = not self._windows or window != int(self._times_s[self._windows[-1].first] / WINDOW_S)
        if new:
            self._close()
            self._windows.append(_Window(frame.index, frame.index))
        self._windows[-1].last = frame.index
        if (time_s / WINDOW_S - window) * _SAMPLES >= self._added:
            self._sum = frame.image_rgb.astype(np.uint16) if self._sum is None else self._sum + frame.image_rgb
            self._added += 1

    def finish(self) -> tuple[TextStretch, ...]:
        """The lines that stood still, in the order in which they appear."""
        self._close()
        return standing([window.lines for window in self._windows], [(w.first, w.last) for w in self._windows])

    def _close(self) -> None:
        if self._sum is not None:
            mean: Image = np.asarray(cv2.convertScaleAbs(self._sum, alpha=1 / self._added))
            self._windows[-1].lines = text_lines(mean)
        self._sum, self._added = None, 0


def standing(lines: Sequence[Sequence[TextLine]], frames: Sequence[tuple[int, int]]) -> tuple[TextStretch, ...]:
    """Lines that were found at one place in two windows at least, in the only one there is, or surely in one.

    `lines[i]` were found in window i, whose first and last frames are `frames[i]`. A stretch lasts from the window
    before the first find to the window after the last.

    >>> line, sure = TextLine((10, 10, 90, 30)), TextLine((10, 10, 90, 30), found_by=0b11111)
    >>> standing([[], [line], [line], [], []], [(0, 4), (5, 9), (10, 14), (15, 19), (20, 24)])
    (TextStretch(box_xyxy=(10, 10, 90, 30), first=0, last=19),)
    >>> standing([[], [line], [], [], []], [(0, 4), (5, 9), (10, 14), (15, 19), (20, 24)])
    ()
    >>> len(standing([[], [sure], [], [], []], [(0, 4), (5, 9), (10, 14), (15, 19), (20, 24)]))
    1
    """
    chains: list[_Chain] = []
    for window, found in enumerate(lines):
        for line in found:
            here = _Chain(line.box_xyxy, [window], line.looks)
            mine = [one for one in chains if window - one.windows[-1] <= _MISSED_WINDOWS and _same(one.box, here.box)]
            for one in mine:
                chains.remove(one)
                windows = sorted({*here.windows, *one.windows})
                here = _Chain(joined(here.box, one.box), windows, max(here.most_looks, one.most_looks))
            chains.append(here)
    enough = min(2, len(lines))
    stretches = [
        TextStretch(
            box_xyxy=one.box,
            first=frames[max(0, one.windows[0] - 1)][0],
            last=frames[min(len(frames) - 1, one.windows[-1] + 1)][1],
        )
        for one in chains
        if len(one.windows) >= enough or one.most_looks >= _SURE_LOOKS
    ]
    return tuple(sorted(stretches, key=lambda one: (one.first, one.box_xyxy)))


def _same(one: Box, other: Box) -> bool:
    """Whether two boxes are of one line: clutter may lengthen it, but its upper and lower edges stay."""
    low = min(one[3] - one[1], other[3] - other[1])
    edges = max(abs(one[1] - other[1]), abs(one[3] - other[3]))
    return overlap(one, other) >= 0.5 and edges <= max(2.0, _SAME_LINE * low)
