"""The data set's pages: its record laid out as a PDF for people, and signed as a case's certificate is.

The statement names the manifests, which name this file: so the pages are made before it, and hold no copy of it.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from deid_audit.certificate import strings, wording
from deid_audit.certificate.document import write_pdf
from deid_audit.certificate.fields import STEWARD_FIELD, add_signature_fields
from deid_audit.certificate.filling import filled
from deid_audit.certificate.keys import Signer
from deid_audit.certificate.signing import sign_pdf
from deid_audit.certificate.strings import DATA_SET, TEXT
from deid_audit.dataset.record import SMALLEST_GROUP, DataSetRecord

_MARKS = {"released": "passed", "withheld": "failed", "not made": "indeterminate"}


def set_pages(record: DataSetRecord, signer: Signer, *, issued_at: datetime) -> bytes:
    """The pages as PDF/A-3a with one signature, `signer`'s, dated `issued_at` (aware).

    Raises:
        StageError: the text libraries are missing.
        SignatureError: the key cannot sign.
    """
    return sign_pdf(
        unsigned_pages(record, issued_at=issued_at),
        signer,
        signed_at=issued_at,
        reason=DATA_SET["signature_reason"],
        certifies=DATA_SET["signature_words"],
    )


def unsigned_pages(record: DataSetRecord, *, issued_at: datetime) -> bytes:
    """The pages before they are signed; the same record gives the same bytes on the same machine."""
    html = filled(
        "dataset.html.j2",
        {
            "text": TEXT,
            "of_set": DATA_SET,
            "record": record,
            "counts": record.counts,
            "marks": _MARKS,
            "rules": list(_rule_rows(record)),
            "smallest_group": SMALLEST_GROUP,
        },
    )
    finisher = partial(add_signature_fields, names=(STEWARD_FIELD,))
    return write_pdf(html, {}, None, issued_at=issued_at, finisher=finisher)


def _rule_rows(record: DataSetRecord) -> Iterator[dict[str, Any]]:
    for rule in record.rules:
        numbers = {
            name: DATA_SET["none"] if value is None else wording.number(rule.metric, value, unit=False)
            for name, value in (("mean", rule.mean), ("worst", rule.worst))
        }
        yield {
            **numbers,
            "title": wording.metric_title(rule.metric),
            "metric": rule.metric,
            "of": strings.OF_WORDS[rule.of],
            "worst_case": rule.worst_case,
            "limit": wording.limit_words(rule.metric, rule.op, rule.limit),
            "subjects": rule.subjects,
            "not_measured": rule.not_measured,
        }
