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
# a weave, a curtain or a fringe has pieces of every height, and more of them beside the line than on it
_LEAST_ALONE, _HEIGHTS_SD = 0.67, 0.28
_HEIGHTS_SD_OF_FEW = 0.16
_ONE_LINE = 0.55  # of the taller: two finds of less are not one line


@dataclass(frozen=True, slots=True, kw_only=True)
class _Letters:
    """Pieces that could be letters, one row each: box (n, 4), stroke width (n,) and grey level (n,)."""

    boxes: NDArray[np.float64]
    stroke: NDArray[np.float64]
    grey: NDArray[np.float64]
    filled: NDArray[np.float64]


@dataclass(frozen=True, slots=True, order=True)
class TextLine:
    """Where a line of text is, a little larger than what was found, and which of the 16 looks found it, as bits."""

    box_xyxy: Box
    found_by: int = 1

    @property
    def looks(self) -> int:
        """How many looks found it."""
        return self.found_by.bit_count()

    @property
    def height(self) -> int:
        """In px."""
        return self.box_xyxy[3] - self.box_xyxy[1]


def text_lines(image_rgb: Image) -> list[TextLine]:
    """Lines of text in a picture uint8 (H, W, 3); they may overlap."""
    grey = np.asarray(cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY))
    # light text of any colour has a channel that is light, dark text one that is dark; on a ground that has it, too
    # (yellow on blue), grey tells them apart
    red, green, blue = cv2.split(image_rgb)
    planes = [(cv2.MORPH_TOPHAT, grey), (cv2.MORPH_TOPHAT, cv2.max(cv2.max(red, green), blue))]
    planes += [(cv2.MORPH_BLACKHAT, grey), (cv2.MORPH_BLACKHAT, cv2.min(cv2.min(red, green), blue))]
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (_STROKE_PX, _STROKE_PX))
    found: list[TextLine] = []
    look = 1
    for operation, plane in planes:
        strokes = cv2.morphologyEx(plane, operation, kernel)
        for contrast in _CONTRASTS:
            letters = _letters(plane, np.asarray(strokes >= contrast, np.uint8))
            found += [TextLine(_padded(letters.boxes[line], grey.shape), look) for line in _lines(letters)]
            look <<= 1
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
    uneven, alone = float(heights.std()) / height, _share_on_line(letters.boxes, boxes)
    if len(line) < _LEAST_LETTERS and (uneven > _HEIGHTS_SD_OF_FEW or alone < 1):
        return False
    length = float(boxes[:, 2].max() - boxes[:, 0].min())
    joined = float(widths.max()) > 2 * height  # small letters that touch: a piece is several of them
    enough = len(line) >= _LEAST_LETTERS or (joined and length >= 4 * height)
    on_baseline = float((np.abs(boxes[:, 3] - np.median(boxes[:, 3])) <= max(1.0, 0.1 * height)).mean())
    return bool(
        enough
        and uneven <= _HEIGHTS_SD
        and alone >= _LEAST_ALONE
        and length >= 2.2 * height
        and on_baseline >= 0.6
        and stroke.std() <= 0.3 * stroke.mean() + 0.25
        and grey.std() <= 22
        and letters.filled[line].mean() <= 0.8  # bars and checks are filled
        and (widths.std() >= 0.05 * height or letters.filled[line].std() >= 0.04)  # a grid repeats itself
    )


def _share_on_line(every: NDArray[np.float64], line: NDArray[np.float64]) -> float:
    """Of the pieces that are as large as letters and reach into the line's middle rows, the share that is its own."""
    left, top = line[:, :2].min(0)
    right, bottom = line[:, 2:].max(0)
    edge = float(np.median(line[:, 3] - line[:, 1]))
    inside = (every[:, 0] < right) & (every[:, 2] > left)
    inside &= (every[:, 1] < bottom - 0.2 * edge) & (every[:, 3] > top + 0.2 * edge)
    inside &= every[:, 3] - every[:, 1] >= 0.4 * edge
    return min(1.0, len(line) / max(1, int(inside.sum())))


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


def merged(lines: list[TextLine]) -> list[TextLine]:
    """Lines of which those that share half of the smaller one, and are about as high, have become one."""
    rest, done = list(lines), []
    while rest:
        line = rest.pop()
        hit = next((at for at, other in enumerate(rest) if _one_line(line, other)), None)
        if hit is None:
            done.append(line)
        else:
            other = rest.pop(hit)
            rest.append(TextLine(joined(line.box_xyxy, other.box_xyxy), line.found_by | other.found_by))
    return sorted(done)


def _one_line(one: TextLine, other: TextLine) -> bool:
    low, tall = sorted((one.height, other.height))
    return overlap(one.box_xyxy, other.box_xyxy) >= 0.5 and low >= _ONE_LINE * tall
