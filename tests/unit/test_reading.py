"""The reader of certificates: the same objects as pyHanko's own, and a wrong index of a compressed part is refused."""

import re
import zlib
from io import BytesIO

import pytest
from pyhanko.pdf_utils.generic import Reference
from pyhanko.pdf_utils.misc import PdfReadError
from pyhanko.pdf_utils.reader import PdfFileReader

from deid_audit.certificate.reading import open_pdf
from tests.unit.certificates import small_decided, small_unsigned


def test_it_reads_what_the_library_reads() -> None:
    own, plain = open_pdf(small_decided()), PdfFileReader(BytesIO(small_decided()))
    for revision in range(own.total_revisions):
        for ref in own.xrefs.explicit_refs_in_revision(revision):
            mine, theirs = BytesIO(), BytesIO()
            own.get_object(Reference(ref.idnum, 0, own)).write_to_stream(mine)
            plain.get_object(Reference(ref.idnum, 0, plain)).write_to_stream(theirs)
            assert mine.getvalue() == theirs.getvalue(), ref


def _with_index(old: bytes, new: bytes) -> bytes:
    """The small document with another index in its one compressed part; offsets behind it stay right."""
    pdf = small_unsigned()
    found = re.search(rb"/ObjStm.*?/Length (\d+).*?stream\n", pdf, re.DOTALL)
    assert found is not None
    start, length = found.end(), int(found[1])
    data = zlib.decompress(pdf[start : start + length])
    assert old in data
    for level in range(10):
        packed = zlib.compress(data.replace(old, new, 1), level)
        if len(packed) <= length:
            return pdf[:start] + packed.ljust(length, b"\0") + pdf[start + length :]
    raise AssertionError("does not fit")


def test_an_index_that_names_another_object_is_refused() -> None:
    reader = open_pdf(_with_index(b"1 0 2 ", b"9 0 2 "))
    with pytest.raises(PdfReadError, match="not where the file says"):
        reader.get_object(Reference(1, 0, reader))
