"""The contact sheet: where faces are found, not whose they are.

Every face is black, and what is around it is so coarse that a face which no detector found cannot be made out either.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from deid_audit.errors import StageError
from deid_audit.frames import Float, Image
from deid_audit.render.conceal import mask, release_box

TILES = 24
_COLUMNS = 4
_CELL_PX, _CAPTION_PX, _GAP_PX = (340, 260), 22, 6
_NARROWEST_PX = 160  # as wide as a caption
_COARSE = 40  # pixels that are left of the longer side
_PAPER, _INK, _LINE = (245, 245, 245), (20, 20, 20), (255, 214, 64)
_FONT, _SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.42


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tile:
    """One frame, covered: `image_rgb` fits the sheet's cell; the caption says which video and when."""

    image_rgb: Image
    caption: str


def make_tile(image_rgb: Image, faces: Sequence[tuple[str, Float]], caption: str) -> Tile:
    """The frame made coarse, each face (name, box (4,)) black with its name on it, if it has one."""
    height, width = image_rgb.shape[:2]
    scale = min(_CELL_PX[0] / width, _CELL_PX[1] / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    coarse = _COARSE / max(width, height)
    few = max(1, round(width * coarse)), max(1, round(height * coarse))
    small = cv2.resize(image_rgb, few, interpolation=cv2.INTER_AREA)
    tile = np.ascontiguousarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR))
    ratio = np.array((size[0] / width, size[1] / height) * 2, np.float32)
    covers = [(name, release_box(box) * ratio) for name, box in faces]
    for _, cover in covers:
        tile = mask(tile, cover)
    for name, cover in covers:
        if not name:
            continue
        left, top, right, bottom = (round(float(edge)) for edge in cover)
        cv2.rectangle(tile, (left, top), (right - 1, bottom - 1), _LINE, 1)
        _write(tile, name.split(", "), left, top, right)
    return Tile(image_rgb=tile, caption=caption)


def _write(tile: Image, lines: Sequence[str], left: int, top: int, right: int) -> None:
    """The words from the cover's upper left corner on, moved into the tile; the ground behind them is black."""
    height, width = tile.shape[:2]
    boxes = [cv2.getTextSize(line, _FONT, _SCALE, 1)[0] for line in lines]
    wide, high = max(w for w, _ in boxes) + 4, 15
    x = int(np.clip((left + right - wide) // 2, 0, max(0, width - wide)))
    y = int(np.clip(top + 2, 0, max(0, height - high * len(lines))))
    for number, line in enumerate(lines):
        low = y + high * number
        cv2.rectangle(tile, (x, low), (x + wide, low + high), (0, 0, 0), -1)
        cv2.putText(tile, line, (x + 2, low + 11), _FONT, _SCALE, _LINE, 1, cv2.LINE_AA)


def contact_sheet(tiles: Sequence[Tile]) -> bytes:
    """The tiles in rows of four, as the bytes of a PNG file."""
    columns = min(_COLUMNS, len(tiles))
    wide = max(_NARROWEST_PX, *(tile.image_rgb.shape[1] for tile in tiles))
    high = max(tile.image_rgb.shape[0] for tile in tiles)
    step_x, step_y = wide + _GAP_PX, high + _CAPTION_PX + _GAP_PX
    rows = math.ceil(len(tiles) / columns)
    sheet = np.full((rows * step_y + _GAP_PX, columns * step_x + _GAP_PX, 3), _PAPER, np.uint8)
    for number, tile in enumerate(tiles):
        x, y = _GAP_PX + number % columns * step_x, _GAP_PX + number // columns * step_y
        height, width = tile.image_rgb.shape[:2]
        sheet[y : y + height, x : x + width] = tile.image_rgb
        cv2.putText(sheet, tile.caption, (x, y + high + 15), _FONT, _SCALE, _INK, 1, cv2.LINE_AA)
    done, data = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    if not done:
        raise StageError("the contact sheet could not be made into a PNG")
    return bytes(data)
