"""Text burned into made pictures, with the place where it stands: what the search for text is tried on."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from matplotlib.font_manager import findfont
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from deid_audit.frames import Image
from deid_audit.vision.overlay_text import Box

Font = Literal["DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono", "DejaVu Sans:bold", "STIXGeneral", "Hershey"]
FONTS: tuple[Font, ...] = (
    "DejaVu Sans",
    "DejaVu Serif",
    "DejaVu Sans Mono",
    "DejaVu Sans:bold",
    "STIXGeneral",
    "Hershey",
)
TEXTS = ("SENTINEL, ANNA 12.03.1961", "12/03/1961 14:02:11", "St. Mary Hospital", "ID 4711-22", "REC 00:12:41")
_CAPITAL = 0.73  # of a font's size


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """How a text is burned in; `capital_px` is the height of its capitals."""

    text: str = TEXTS[0]
    font: Font = "DejaVu Sans"
    capital_px: int = 18
    xy: tuple[int, int] = (20, 30)
    colour: tuple[int, int, int] = (255, 255, 255)
    ground: Literal["plain", "outline", "box"] = "plain"


def burned_in(image_rgb: Image, overlay: Overlay) -> tuple[Image, Box]:
    """A copy with the text, and the text's box."""
    against = tuple(255 - level for level in overlay.colour)
    x, y = overlay.xy
    if overlay.font == "Hershey":
        scale = overlay.capital_px / 21
        thick = max(1, round(1.5 * scale))
        (width, height), below = cv2.getTextSize(overlay.text, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
        image = image_rgb.copy()
        if overlay.ground == "box":
            cv2.rectangle(image, (x - 4, y - 4), (x + width + 4, y + height + below + 4), against, -1)
        for colour, wide in ((against, thick + 2), (overlay.colour, thick)):
            if colour == overlay.colour or overlay.ground == "outline":
                where = (x, y + height)
                cv2.putText(
                    image, overlay.text, where, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, wide, cv2.LINE_AA
                )  # fmt: skip
        return image, (x, y, x + width, y + height)
    font = ImageFont.truetype(findfont(overlay.font), round(overlay.capital_px / _CAPITAL))
    picture = Pillow.fromarray(image_rgb)
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = (int(edge) for edge in draw.textbbox((x, y), overlay.text, font=font))
    if overlay.ground == "box":
        draw.rectangle((left - 4, top - 4, right + 4, bottom + 4), fill=against)
    stroke = 1 if overlay.ground == "outline" else 0
    draw.text((x, y), overlay.text, font=font, fill=overlay.colour, stroke_width=stroke, stroke_fill=against)
    return np.array(picture), (left, top, right, bottom)


def share_found(found: list[Box], box: Box, shape: tuple[int, ...]) -> float:
    """The share of `box` that lies in what was found."""
    inside = np.zeros(shape[:2], np.bool_)
    for left, top, right, bottom in found:
        inside[top:bottom, left:right] = True
    left, top, right, bottom = box
    return float(inside[top:bottom, left:right].mean())
