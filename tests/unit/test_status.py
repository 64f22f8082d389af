"""What a status file says: written and read in one form, and each other form refused for its own reason."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785

from deid_audit.errors import EvidenceError, SettingsError
from deid_audit.status import LONGEST_REASON, Withdrawal, read_withdrawal, refuse_reason, withdrawal
from tests.unit.certificates import signer

AT = datetime(2026, 2, 3, 9, 0, 1, 999, tzinfo=UTC)


def said(**changes: Any) -> Withdrawal:
    given = {
        "case_id": "case-0001", "statement_sha256": "ab" * 32, "reason": "consent withdrawn", "at": AT,
        "certificate": signer().certificate,
    }  # fmt: skip
    return withdrawal(**given | changes)


def changed(**changes: Any) -> bytes:
    return rfc8785.dumps(json.loads(said().payload()) | changes)


def test_what_is_written_is_read_again() -> None:
    one = said()
    assert read_withdrawal(one.payload()) == one
    table = json.loads(one.payload())
    assert sorted(table) == [
        "case_id", "reason", "schema", "signer_certificate", "statement_sha256", "status", "withdrawn_at",
    ]  # fmt: skip
    assert (table["schema"], table["status"]) == ("deid-audit/status/v1", "withdrawn")
    assert table["withdrawn_at"] == "2026-02-03T09:00:01Z"
    assert one.certificate == signer().certificate and one.moment == AT.replace(microsecond=0)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "Invalid JSON"),
        (b"[]", "valid dictionary|object"),
        (b"\xff", "Invalid JSON"),
        (changed(note="x"), "'note'"),
        (changed(schema="deid-audit/status/v2"), "'schema'"),
        (changed(status="valid"), "'status'"),
        (changed(statement_sha256="AB" * 32), "'statement_sha256'"),
        (changed(reason="two\nlines"), "cannot be printed"),
        (changed(reason="\u202egnorw"), "cannot be printed"),
        (changed(reason=""), "is empty"),
        (changed(reason="x" * (LONGEST_REASON + 1)), "301 characters"),
        (changed(reason=1), "'reason'"),
        (changed(withdrawn_at="2026-02-03T09:00:01+00:00"), "'withdrawn_at'"),
        (changed(withdrawn_at="2026-2-3T09:00:01Z"), "not a time"),
        (changed(signer_certificate="AAAA"), "'signer_certificate'"),
        (changed(signer_certificate=json.loads(said().payload())["signer_certificate"] + "\n"), "'signer_certificate'"),
        (changed(case_id=None), "'case_id'"),
        (said().payload() + b"\n", "canonical"),
        (said().payload().replace(b'"case_id":', b'"case_id":"x","case_id":'), "canonical"),
        (said().payload().replace(b'"schema":"deid-audit/status/v1",', b""), "canonical"),
    ],
)
def test_another_form_is_refused_in_words(payload: bytes, words: str) -> None:
    assert payload != said().payload()
    with pytest.raises(EvidenceError, match=words) as caught:
        read_withdrawal(payload)
    assert str(caught.value).isprintable()


def test_no_name_of_a_key_steers_the_terminal() -> None:
    with pytest.raises(EvidenceError) as caught:
        read_withdrawal(changed(**{"\x1b[2J": "x"}))
    assert str(caught.value).isprintable()


def test_a_reason_that_cannot_be_signed_is_wrong_usage() -> None:
    refuse_reason("x" * LONGEST_REASON)
    for reason in ("", " x", "two\nlines", "x" * (LONGEST_REASON + 1)):
        with pytest.raises(SettingsError, match="--reason") as caught:
            refuse_reason(reason)
        assert caught.value.exit_code == 2
