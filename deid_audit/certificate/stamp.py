"""What a signature looks like on the page: who, in which role, what they say and when, with the certificate's font.

A picture of the signature and no more: what it says counts where the signature itself says it.
"""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from deid_audit.certificate.document import font_files, laying_out, open_html
from deid_audit.errors import SettingsError

_SIZES_PT = (8.0, 7.0, 6.0, 5.0, 4.0)
_STYLE = "certificate:stamp"
# Apart from the certificate's own style, which is for pages of A4.
_CSS = """
@font-face {{ font-family: "stamp"; src: url("certificate:font/DejaVuSans"); font-weight: normal; }}
@font-face {{ font-family: "stamp"; src: url("certificate:font/DejaVuSans-Bold"); font-weight: bold; }}
@page {{ size: {width}pt {height}pt; margin: 0; }}
html {{ font-family: "stamp"; font-size: {size}pt; line-height: 1.35; color: #1a1a1a; background: #fff; }}
body {{ box-sizing: border-box; min-height: {height}pt; margin: 0; padding: 5pt 7pt; border: 0.8pt solid #1a1a1a; }}
p {{ margin: 0 0 0.15em; overflow-wrap: anywhere; }}
p:first-child {{ font-weight: bold; font-size: 1.15em; }}
"""


def stamp_style(lines: Sequence[str], *, width: float, height: float, signed_at: datetime) -> Any:
    """pyHanko's stamp with these lines, the first one bold, in a box of this size in points; long text gets smaller.

    Raises:
        StageError: the text libraries are missing.
    """
    from pyhanko.pdf_utils.content import PdfContent  # noqa: PLC0415  (heavy)
    from pyhanko.pdf_utils.layout import (  # noqa: PLC0415
        AxisAlignment,
        BoxConstraints,
        InnerScaling,
        Margins,
        SimpleBoxLayoutRule,
    )
    from pyhanko.pdf_utils.reader import PdfFileReader  # noqa: PLC0415
    from pyhanko.stamp import StaticStampStyle  # noqa: PLC0415

    page = _page(lines, width, height, signed_at)

    class Picture(PdfContent):  # type: ignore[misc]
        """The one page, from memory: pyHanko's own class reads a file."""

        def render(self) -> bytes:
            shown = self._ensure_writer.import_page_as_xobject(PdfFileReader(BytesIO(page)))
            self.resources.xobject["/Stamp"] = shown
            self.box = BoxConstraints(width=width, height=height)
            return b"/Stamp Do"

    whole = SimpleBoxLayoutRule(
        AxisAlignment.ALIGN_MID, AxisAlignment.ALIGN_MID, Margins(0, 0, 0, 0), InnerScaling.STRETCH_TO_FIT
    )
    return StaticStampStyle(background=Picture(), border_width=0, background_opacity=1, background_layout=whole)


def _page(lines: Sequence[str], width: float, height: float, signed_at: datetime) -> bytes:
    """One PDF page with the lines, in the largest letters that fit."""
    said = "".join(f"<p>{escape(line)}</p>" for line in lines)
    html = (
        '<!DOCTYPE html><html lang="en"><head><title>Signature</title>'
        f'<link rel="stylesheet" href="{_STYLE}"></head><body>{said}</body></html>'
    )
    for size in _SIZES_PT:
        css = _CSS.format(width=width, height=height, size=size).encode()
        with laying_out(signed_at):
            document = open_html(html, {_STYLE: (css, "text/css")}).render()
            if len(document.pages) == 1 or size == _SIZES_PT[-1]:
                break
    with laying_out(signed_at):
        return bytes(document.copy(document.pages[:1]).write_pdf())


def refuse_unprintable(text: str) -> None:
    """SettingsError where the certificate's font has no picture for a letter: it would stand there as an empty box."""
    known = _letters_of(font_files()[0])
    missing = sorted({letter for letter in text if ord(letter) not in known})
    if missing:
        named = ", ".join(unicodedata.name(letter, f"U+{ord(letter):04X}") for letter in missing[:3])
        raise SettingsError(
            f"the certificate's font has no letter for: {named}", next_step="write it in Latin, Greek or Cyrillic"
        )


def _letters_of(font: Path) -> set[int]:
    from fontTools.ttLib import TTFont  # noqa: PLC0415  (comes with WeasyPrint)

    with TTFont(font, lazy=True) as opened:
        return set(opened.getBestCmap())
