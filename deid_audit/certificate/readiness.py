"""Whether certificates can be made on this machine: fonts, text libraries, and one page laid out the real way.

For `deid-audit doctor`. What is wrong is reported, not raised, where a certificate would need it.
"""

from datetime import datetime
from typing import Any

from deid_audit.certificate.document import font_files, write_pdf

_TRUETYPE = b"\x00\x01\x00\x00"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>self-test</title><link rel="stylesheet" href="certificate:style"></head>
<body><h1>Self-test</h1><p>Not a certificate: <strong>bold</strong>, <code>0123456789abcdef</code>.</p>
<div class="signature" id="sig-steward"></div><div class="signature" id="sig-chair"></div></body>
</html>"""


def unusable_fonts() -> list[str]:
    """Names of the certificate's font files that are missing or are no TrueType font."""
    return [path.name for path in font_files() if not path.is_file() or not _begins(path.read_bytes()[:4])]


def _begins(data: bytes) -> bool:
    return data == _TRUETYPE


def text_libraries() -> dict[str, Any]:
    """Pango's version, and whether HarfBuzz's font subsetter is there; OSError where the libraries are missing."""
    from weasyprint.text import ffi  # noqa: PLC0415  (needs system libraries)

    number = ffi.pango.pango_version()
    version = f"{number // 10000}.{number // 100 % 100}.{number % 100}"
    return {"pango": version, "subsetter": ffi.harfbuzz_subset is not None}


def sample_page(statement: bytes, *, issued_at: datetime) -> bytes:
    """A page with the certificate's style and fonts and `statement` attached, made as a certificate is."""
    return write_pdf(_PAGE, {}, statement, issued_at=issued_at)
