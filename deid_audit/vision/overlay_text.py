"""Lines of printed text in one picture, told by their letters: strokes of one width and shade on one baseline.

Classical and small: no model, no reading. Finds where something looks like a line of text, never what it says.
Handwriting, text that is turned, single letters and letters below 8 px are not looked for.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from deid_audit.frames import Image

Box = tuple[int, int, int, int]
"""left, top, right, bottom in px, right and bottom not included."""

_LETTER_PX = (6, 70)  # heights of what can be a letter
_STROKE_PX = 25  # wider than any stroke: what is left when the picture without strokes is taken away
_CONTRASTS = (24, 48, 90, 150)  # grey levels; an outline or a busy ground needs the higher, a faint text the lower
_STROKE_SHARE = (0.05, 0.42)  # of a letter's height
_LEAST_LETTERS = 4
_PADDING_XY = (1.0, 0.35)  # of a line's height: a stop or a dash at its end, and what hangs below, are not found
_GAP = 2.2  # of a letter's height: over a stop and a space between letters of one width


@dataclass(frozen=True, slots=True, kw_only=True)
class _Letters:
    """Pieces that could be letters, one row each: box (n, 4), stroke width (n,) and grey level (n,)."""

    boxes: NDArray[np.float64]
    stroke: NDArray[np.float64]
    grey: NDArray[np.float64]
    filled: NDArray[np.float64]


def text_lines(image_rgb: Image) -> list[Box]:
    """Boxes of lines of text in a picture uint8 (H, W, 3), a little larger than what was found; they may overlap."""
    grey = np.asarray(cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY))
    # light text of any colour has a channel that is light, dark text one that is dark; on a ground that has it, too
    # (yellow on blue), grey tells them apart
    red, green, blue = cv2.split(image_rgb)
    planes = [(cv2.MORPH_TOPHAT, grey), (cv2.MORPH_TOPHAT, cv2.max(cv2.max(red, green), blue))]
    planes += [(cv2.MORPH_BLACKHAT, grey), (cv2.MORPH_BLACKHAT, cv2.min(cv2.min(red, green), blue))]
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (_STROKE_PX, _STROKE_PX))
    found: list[Box] = []
    for operation, plane in planes:
        strokes = cv2.morphologyEx(plane, operation, kernel)
        for contrast in _CONTRASTS:
            letters = _letters(plane, np.asarray(strokes >= contrast, np.uint8))
            found += [_padded(letters.boxes[line], grey.shape) for line in _lines(letters)]
    return merged(found)


def _letters(grey: Image, strokes: Image) -> _Letters:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    left, top, width, height, area = (stats[:, column].astype(np.float64) for column in range(5))
    edge = strokes & (1 - cv2.erode(strokes, np.ones((3, 3), np.uint8)))
    rim = np.bincount(labels[edge > 0], minlength=count).astype(np.float64)
    stroke = 2 * area / np.maximum(rim, 1)
    fits = (height >= _LETTER_PX[0]) & (height <= _LETTER_PX[1]) & (width <= 8 * height)
    fits &= (stroke >= _STROKE_SHARE[0] * height) & (stroke <= _STROKE_SHARE[1] * height)
    # a thing that the picture's edge cuts has a straight side there, as if it stood on a line
    fits &= (left > 0) & (top > 0) & (left + width < grey.shape[1]) & (top + height < grey.shape[0])
    fits[0] = False
    kept = np.flatnonzero(fits)
    place = np.zeros(count, np.intp)
    place[kept] = np.arange(1, len(kept) + 1)
    inside = strokes > 0
    of_letter = place[labels[inside]]
    sums = np.bincount(of_letter, weights=grey[inside], minlength=len(kept) + 1)[1:]
    boxes = np.column_stack((left, top, left + width, top + height))[kept]
    return _Letters(
        boxes=boxes,
        stroke=stroke[kept],
        grey=sums / np.maximum(area[kept], 1),
        filled=area[kept] / (width * height)[kept],
    )


def _lines(letters: _Letters) -> list[NDArray[np.intp]]:
    """Rows of `letters` that stand in one line and look like text."""
    one, other = _neighbours(letters.boxes)
    heights = letters.boxes[:, 3] - letters.boxes[:, 1]
    tall, low = np.maximum(heights[one], heights[other]), np.minimum(heights[one], heights[other])
    gap = letters.boxes[other, 0] - letters.boxes[one, 2]
    beside = (low >= 0.55 * tall) & (gap <= _GAP * low) & (gap >= -0.35 * low)
    beside &= np.abs(letters.boxes[one, 3] - letters.boxes[other, 3]) <= 0.3 * tall
    thick = np.maximum(letters.stroke[one], letters.stroke[other])
    thin = np.minimum(letters.stroke[one], letters.stroke[other])
    beside &= (thick <= 1.8 * thin + 0.5) & (np.abs(letters.grey[one] - letters.grey[other]) <= 40)
    count = len(heights)
    links = coo_matrix((np.ones(beside.sum()), (one[beside], other[beside])), shape=(count, count))
    _, line_of = connected_components(links, directed=False)
    order = np.argsort(line_of, kind="stable")
    lines = np.split(order, np.flatnonzero(np.diff(line_of[order])) + 1)
    return [line for line in lines if len(line) >= _LEAST_LETTERS - 1 and _is_text(letters, line)]


def _neighbours(boxes: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of pieces of which the second begins to the right of the first's left edge, and near its right one."""
    order = np.argsort(boxes[:, 0], kind="stable")
    left = boxes[order, 0]
    reach = boxes[order, 2] + _GAP * (boxes[order, 3] - boxes[order, 1])
    after = np.arange(1, len(order) + 1)
    many = np.maximum(np.searchsorted(left, reach, side="right") - after, 0)
    first = np.repeat(np.arange(len(order)), many)
    second = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many) + np.repeat(after, many)
    return order[first], order[second]


def _is_text(letters: _Letters, line: NDArray[np.intp]) -> bool:
    boxes, stroke, grey = letters.boxes[line], letters.stroke[line], letters.grey[line]
    heights, widths = boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0]
    height = float(np.median(heights))
    length = float(boxes[:, 2].max() - boxes[:, 0].min())
    joined = float(widths.max()) > 2 * height  # small letters that touch: a piece is several of them
    enough = len(line) >= _LEAST_LETTERS or (joined and length >= 4 * height)
    on_baseline = float((np.abs(boxes[:, 3] - np.median(boxes[:, 3])) <= max(1.0, 0.1 * height)).mean())
    return bool(
        enough
        and length >= 2.2 * height
        and on_baseline >= 0.6
        and stroke.std() <= 0.3 * stroke.mean() + 0.25
        and grey.std() <= 22
        and letters.filled[line].mean() <= 0.8  # bars and checks are filled
        and (widths.std() >= 0.05 * height or letters.filled[line].std() >= 0.04)  # a grid repeats itself
    )


def _padded(boxes: NDArray[np.float64], shape: tuple[int, ...]) -> Box:
    left, top = boxes[:, :2].min(0)
    right, bottom = boxes[:, 2:].max(0)
    pad_x, pad_y = (share * (bottom - top) for share in _PADDING_XY)
    low_x, low_y = max(0, int(left - pad_x)), max(0, int(top - pad_y))
    return low_x, low_y, min(shape[1], int(np.ceil(right + pad_x))), min(shape[0], int(np.ceil(bottom + pad_y)))


def overlap(one: Box, other: Box) -> float:
    """Shared area over the smaller area, in [0, 1]."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return max(0, width) * max(0, height) / smaller if width > 0 and height > 0 else 0.0


def joined(one: Box, other: Box) -> Box:
    """The smallest box that holds both."""
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def merged(boxes: list[Box]) -> list[Box]:
    """Boxes of which those that share half of the smaller one have become one."""
    rest, done = list(boxes), []
    while rest:
        box = rest.pop()
        hit = next((at for at, other in enumerate(rest) if overlap(box, other) >= 0.5), None)
        if hit is None:
            done.append(box)
        else:
            rest.append(joined(box, rest.pop(hit)))
    return sorted(done)
