"""pyHanko's reader for a certificate's PDF, which reads the index of a compressed part of the file once.

The library goes through that index again for each object, and a certificate has thousands in one part: checking two
signatures took a quarter of a minute. What a part may hold is judged as strictly as there.
"""

import logging
from io import BytesIO
from typing import Any


def silence_pyhanko() -> None:
    """It logs whole tracebacks for what is reported in words here."""
    for name in ("pyhanko", "pyhanko_certvalidator"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def open_pdf(pdf: bytes) -> Any:
    """A reader of `pdf`; raises whatever the parser raises on what is no PDF, or a damaged one."""
    from pyhanko.pdf_utils import generic  # noqa: PLC0415  (heavy)
    from pyhanko.pdf_utils.decode_limits import DecodePurpose  # noqa: PLC0415
    from pyhanko.pdf_utils.misc import PdfStrictReadError  # noqa: PLC0415
    from pyhanko.pdf_utils.reader import PdfFileReader  # noqa: PLC0415

    indexes: dict[int, tuple[bytes, int, list[int]]] = {}

    class IndexedReader(PdfFileReader):  # type: ignore[misc]
        """Knows where each object of an object stream (ISO 32000-1, 7.5.7) begins."""

        def _get_object_from_stream(self, idnum: int, stmnum: int, idx: int) -> Any:
            if stmnum not in indexes:
                stream = generic.Reference(stmnum, 0, self).get_object()
                if not isinstance(stream, generic.StreamObject) or stream["/Type"] != "/ObjStm":
                    raise PdfStrictReadError("an object is said to be in what is no object stream")
                first, data = int(stream["/First"]), bytes(stream.read_data(DecodePurpose.OBJECT_STREAM))
                indexes[stmnum] = (data, first, [int(number) for number in data[:first].split()])
            data, first, numbers = indexes[stmnum]
            if not 0 <= 2 * idx + 1 < len(numbers) or numbers[2 * idx] != idnum:
                raise PdfStrictReadError("an object is not where the file says that it is")
            at = BytesIO(data)
            at.seek(first + numbers[2 * idx + 1])
            found = generic.read_object(at, generic.Reference(idnum, 0, self))
            if isinstance(found, generic.StreamObject | generic.IndirectObject):
                raise PdfStrictReadError("an object stream holds what it may not")
            return found

    return IndexedReader(BytesIO(pdf))
