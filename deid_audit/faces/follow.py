"""Follows a face by its look where no detector finds it: back before its first sighting and on after its last.

Keeps the last second of frames small and grey. What it gives are places that must be covered, never faces to swap.
"""

from collections import deque

import cv2
import numpy as np

from deid_audit.frames import Float, Frame, Image

EDGE_FRAMES = 3  # before a face's first and after its last place: suspect without any sign
METHOD_TEXT = (
    "Before its first and after its last sighting a face is followed by its look for up to a second, and "
    f"{EDGE_FRAMES} more frames stay suspect, but never across a cut."
)
_LONGEST_SIDE_PX = 640
_CONTEXT = 1.3  # the patch that is looked for, in face boxes
_REACH = 0.35  # how far it may move from frame to frame, in patches
_LEAST_PATCH_PX = 8
_LEAST_CONTRAST = 3.0  # standard deviation of the patch; a plain one matches anywhere
_LIKE_LAST = 0.8
_LIKE_SIGHTED = 0.5
# Between neighbouring frames of 34 clips the histograms of quarters differ by 0.24 at most and the thumbnails correlate
# by 0.72 at least; frames of different clips differ by 0.37 and correlate by 0.08 in the median.
_CUT_HISTOGRAM = 0.35
_CUT_CORRELATION = 0.6
_THUMBNAIL_PX = 64


class Recent:
    """The last frames of a video, at most `length`; frames must come in order. A cut empties it."""

    def __init__(self, length: int) -> None:
        self._frames: deque[tuple[int, Image]] = deque(maxlen=max(2, length))
        self._thumbnail: Image | None = None
        self._scale = 1.0

    def add(self, frame: Frame) -> bool:
        """Takes the next frame in; True when it begins a new shot."""
        height, width = frame.image_rgb.shape[:2]
        self._scale = min(1.0, _LONGEST_SIDE_PX / max(height, width))
        small = cv2.resize(frame.image_rgb, None, fx=self._scale, fy=self._scale, interpolation=cv2.INTER_AREA)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
        before, self._thumbnail = self._thumbnail, _thumbnail(grey)
        cut = before is not None and is_cut(before, self._thumbnail)
        if cut:
            self._frames.clear()
        self._frames.append((frame.index, grey))
        return cut

    def back(self, box_xyxy: Float) -> dict[int, Float]:
        """Where the face in `box_xyxy` of the newest frame was before: boxes (4,) px by frame index."""
        *earlier, (_, newest) = self._frames
        first = _patch(newest, box_xyxy * self._scale)
        found: dict[int, Float] = {}
        image, box = newest, box_xyxy
        for index, older in reversed(earlier):
            moved = self._moved(image, older, box, first)
            if moved is None:
                break
            found[index], image, box = moved, older, moved
        return found

    def on(self, box_xyxy: Float, first: Image | None) -> Float | None:
        """Where the face in `box_xyxy` of the frame before the newest is now; `first` is what it must still look like.

        None when it cannot be told.
        """
        if len(self._frames) < 2:
            return None
        return self._moved(self._frames[-2][1], self._frames[-1][1], box_xyxy, first)

    def look_of(self, box_xyxy: Float) -> Image | None:
        """The newest frame's patch around a box, for `on`."""
        patch = _patch(self._frames[-1][1], box_xyxy * self._scale)
        return None if patch is None else patch.copy()  # a view would keep the whole frame

    def _moved(self, image: Image, other: Image, box_xyxy: Float, first: Image | None) -> Float | None:
        scaled = box_xyxy * self._scale
        patch = _patch(image, scaled)
        if patch is None or first is None:
            return None
        (left, top), (height, width) = _corner(image, scaled), patch.shape
        reach = max(2, round(_REACH * max(patch.shape)))
        x0, y0 = max(0, left - reach), max(0, top - reach)
        around = other[y0 : top + height + reach, x0 : left + width + reach]
        _, likeness, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED))
        if likeness < _LIKE_LAST:
            return None
        there = other[y0 + y : y0 + y + height, x0 + x : x0 + x + width]
        if _likeness(there, first) < _LIKE_SIGHTED:
            return None
        shift = np.array((x0 + x - left, y0 + y - top)) / self._scale
        return np.asarray(box_xyxy + np.concatenate((shift, shift)), np.float32)


def is_cut(before: Image, after: Image) -> bool:
    """Whether a new shot begins between two thumbnails uint8 (64, 64)."""
    half = _THUMBNAIL_PX // 2
    apart = [
        np.abs(
            np.subtract(*(np.bincount(t[y : y + half, x : x + half].ravel() // 16, minlength=16) for t in pair))
        ).sum()
        for pair in [(before.astype(np.int64), after.astype(np.int64))]
        for y in (0, half)
        for x in (0, half)
    ]
    return float(np.mean(apart)) / (2 * half * half) > _CUT_HISTOGRAM and _likeness(before, after) < _CUT_CORRELATION


def _thumbnail(grey: Image) -> Image:
    return np.asarray(cv2.resize(grey, (_THUMBNAIL_PX, _THUMBNAIL_PX), interpolation=cv2.INTER_AREA))


def _corner(image: Image, box_xyxy: Float) -> tuple[int, int]:
    centre, half = (box_xyxy[:2] + box_xyxy[2:]) / 2, (box_xyxy[2:] - box_xyxy[:2]) / 2 * _CONTEXT
    return max(0, round(float(centre[0] - half[0]))), max(0, round(float(centre[1] - half[1])))


def _patch(image: Image, box_xyxy: Float) -> Image | None:
    """The box with some context, cut at the frame's border; None when there is too little to recognise."""
    left, top = _corner(image, box_xyxy)
    centre, half = (box_xyxy[:2] + box_xyxy[2:]) / 2, (box_xyxy[2:] - box_xyxy[:2]) / 2 * _CONTEXT
    right, bottom = (max(0, round(float(edge))) for edge in centre + half)
    patch = image[top:bottom, left:right]
    if min(patch.shape) < _LEAST_PATCH_PX or float(patch.std()) < _LEAST_CONTRAST:
        return None
    return patch


def _likeness(one: Image, other: Image) -> float:
    """Correlation of two patches, the second brought to the first one's size; 1 for two plain ones."""
    if one.size == 0:
        return 0.0
    fitted = cv2.resize(other, (one.shape[1], one.shape[0]), interpolation=cv2.INTER_AREA)
    return float(cv2.matchTemplate(one, fitted, cv2.TM_CCOEFF_NORMED)[0, 0])
