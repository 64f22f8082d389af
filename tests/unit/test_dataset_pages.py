"""The data set's pages: everything of the record is on them, escaped, and one signature certifies them."""

import io
from io import BytesIO
from typing import Any

import pypdf
import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from deid_audit.dataset.pages import set_pages, unsigned_pages
from deid_audit.dataset.record import CaseEntry, DataSetRecord
from deid_audit.findings import Outcome
from tests.unit.certificates import ISSUED, signer
from tests.unit.data_sets import made_record


def text_of(record: DataSetRecord) -> str:
    pages = pypdf.PdfReader(io.BytesIO(unsigned_pages(record, issued_at=ISSUED))).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def held(**more: Any) -> CaseEntry:
    first = made_record().cases[0]
    why = ("identity.to_original.mean is 0.52, above 0.6 is asked",)
    return first.model_copy(
        update={"case_id": "case-03", "outcome": "withheld", "verdict": Outcome.FAILED, "why": why} | more
    )


def test_everything_that_is_stated_is_on_the_pages() -> None:
    record = made_record()
    record = record.model_copy(update={"cases": (*record.cases, held())})
    text = text_of(record)
    assert all(one in text for one in ("1 of 3", "cases of this data set are released", "1 withheld, 1 not made"))
    for one in record.cases:
        assert one.case_id in text and one.outcome in text and all(why in text for why in one.why)
    for rule in record.rules:
        assert rule.metric in text and "above 0.6" in text and "0.700" in text
    words = (
        record.set_id, record.title, record.policy_id, record.signer.name, record.bound.words,
        record.identification.words, record.linkability.words, *record.not_assessed,
        "does not make the videos anonymous", "60-69", "0.630 to 0.990", "of which nothing is said: 2",
        "group is not stated: 1", "Worst: 60-69.", "deid-audit verify FOLDER --trust signer.crt",
    )  # fmt: skip
    assert [one for one in words if one not in text] == []
    assert "key was made on the spot" not in text


def test_what_is_not_known_is_said() -> None:
    record = made_record()
    rule = record.rules[0].model_copy(
        update={"mean": None, "worst": None, "worst_case": None, "subjects": 0, "not_measured": 2}
    )
    on_the_spot = record.signer.model_copy(update={"verified_issuer": False})
    table = record.subgroups[0].model_copy(update={"groups": (), "worst": None})
    text = text_of(record.model_copy(update={"rules": (rule,), "signer": on_the_spot, "subgroups": (table,)}))
    assert "2 without a value" in text and "key was made on the spot" in text and "fewer than two are large" in text
    assert "names no groups" in text_of(record.model_copy(update={"subgroups": ()}))


def test_words_from_elsewhere_stay_words() -> None:
    hostile = '</p><script>x</script><img src="file:///etc/passwd">'
    record = made_record().model_copy(
        update={"title": hostile, "cases": (made_record().cases[0], held(why=(hostile,)))}
    )
    assert text_of(record).count("<script>x</script>") == 2


def test_one_signature_certifies_all_of_it_and_a_changed_byte_breaks_it() -> None:
    pdf = set_pages(made_record(), signer(), issued_at=ISSUED)
    assert pdf.startswith(unsigned_pages(made_record(), issued_at=ISSUED))  # the same record gives the same bytes

    def holds(data: bytes) -> bool:
        [found] = PdfFileReader(BytesIO(data)).embedded_signatures
        roots = SimpleCertificateStore.from_certs([found.signer_cert])
        trust = ValidationContext(trust_roots=list(roots), moment=ISSUED, allow_fetching=False)
        status = validate_pdf_signature(found, trust)
        return bool(status.intact and status.valid and status.coverage.name == "ENTIRE_FILE")

    assert holds(pdf)
    at = pdf.index(b"stream") + 40  # within what is compressed
    assert not holds(pdf[:at] + bytes([pdf[at] ^ 1]) + pdf[at + 1 :])


@pytest.mark.parametrize("count", [1, 300])
def test_a_long_set_has_its_heads_on_every_page(count: int) -> None:
    cases = tuple(held(case_id=f"case-{at:04d}") for at in range(count))
    data = unsigned_pages(made_record().model_copy(update={"cases": cases}), issued_at=ISSUED)
    pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages]
    assert cases[-1].case_id in "".join(pages) and len(data) < 2_000_000
    assert sum("SHA-256 of its certificate" in one for one in pages) >= count // 40
