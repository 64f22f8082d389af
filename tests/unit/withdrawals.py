"""Withdrawals for tests: certificates, status files that anybody could make, and what is said of them."""

from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from deid_audit.attestation import STATUS, EnvelopeKind, attest
from deid_audit.certificate.checking import CertificateCheck, check_certificate
from deid_audit.certificate.decisions import Decision
from deid_audit.certificate.keys import Signer
from deid_audit.certificate.trust import Trust, trust_of
from deid_audit.digests import sha256_bytes
from deid_audit.errors import DeidAuditError
from deid_audit.pipeline import verify as verifying
from deid_audit.pipeline import withdrawing
from deid_audit.pipeline.approving import approve
from deid_audit.pipeline.checks import VerifyReport
from deid_audit.pipeline.verify import verify
from deid_audit.pipeline.withdrawing import Written, withdraw
from deid_audit.status import STATUS_FILE, Withdrawal, withdrawal
from tests.unit.certificates import CONDITIONS, DECIDED, chair, named_signer, signer
from tests.unit.test_verify import _lay_out

WHEN = DECIDED + timedelta(days=20)
REASON = "the subject withdrew the consent"
CHECKS_OF_STATUS = ("status.readable", "status.same", "status.signed")


def examine_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One PDF under one trust at one time is examined once a session: a status file changes nothing in it."""

    def examined(pdf: bytes, trust: Trust, *, now: datetime | None = None) -> CertificateCheck:
        if trust.crls:  # they cannot be remembered by
            return check_certificate(pdf, trust, now=now)
        return _examined(pdf, trust, now)

    for module in (verifying, withdrawing):
        monkeypatch.setattr(module, "check_certificate", examined)


@cache
def _examined(pdf: bytes, trust: Trust, now: datetime | None) -> CertificateCheck:
    return check_certificate(pdf, trust, now=now)


def trusting(*others: Signer) -> Trust:
    return trust_of([one.certificate_pem for one in (signer(), *others)])


def withdrawn(certificate: Path, by: Signer | None = None, **more: Any) -> Written:
    options: dict[str, Any] = {"trust": trusting(), "clock": lambda: WHEN} | more
    return withdraw(certificate, by or signer(), options.pop("reason", REASON), **options)


def decided(folder: Path, *, approves: bool = True) -> Path:
    certificate = _lay_out(folder)
    decision = Decision(approves=approves, conditions=CONDITIONS)
    approve(certificate, chair(), decision, release=None, trust=trusting(), clock=lambda: DECIDED)
    return certificate


def checked(certificate: Path, trust: Trust | None = None, **more: Any) -> VerifyReport:
    return verify(certificate, release=None, trust=trust or trusting(), **more)


def of_status(report: VerifyReport) -> list[str]:
    found = {check.id: check.status for check in report.checks}
    return [found[check] for check in CHECKS_OF_STATUS]


def refused(certificate: Path, kind: type[DeidAuditError], words: str, by: Signer | None = None, **more: Any) -> None:
    """What withdrawing raises; nothing in the certificate's folder has changed."""
    before = {path.name: path.read_bytes() for path in certificate.parent.iterdir() if path.is_file()}
    with pytest.raises(kind, match=words):
        withdrawn(certificate, by, **more)
    assert {path.name: path.read_bytes() for path in certificate.parent.iterdir() if path.is_file()} == before


def status_by(
    certificate: Path, by: Signer | None = None, *, kind: EnvelopeKind = STATUS, **changes: Any
) -> tuple[Withdrawal, bytes]:
    """A status file as anybody could make it, with one of their own keys."""
    own = by or signer()
    given = {
        "case_id": "case-0001",
        "statement_sha256": sha256_bytes((certificate.parent / "evidence.json").read_bytes()),
        "reason": REASON,
        "at": WHEN,
        "certificate": own.certificate,
    } | changes
    said = withdrawal(**given)
    return said, attest(said.payload(), [own], kind=kind)


def plant(certificate: Path, data: bytes) -> None:
    (certificate.parent / STATUS_FILE).write_bytes(data)


def by_a_stranger(certificate: Path) -> bytes:
    """A status file by nobody who may."""
    return status_by(certificate, named_signer("Stranger"))[1]
