"""A chair's decision on a certificate: everything is verified first, then one signature is added, or nothing changes.

What is signed is the bytes that were verified. The signed certificate is checked again in memory before it takes the
place of the other by one rename.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from deid_audit.attestation import ATTESTATION_FILE, add_signature
from deid_audit.certificate.checking import CertificateCheck, check_certificate
from deid_audit.certificate.decisions import Decision
from deid_audit.certificate.keys import Signer
from deid_audit.certificate.signing import countersign_pdf
from deid_audit.certificate.stamp import refuse_unprintable
from deid_audit.certificate.trust import Trust, same_person
from deid_audit.digests import sha256_bytes
from deid_audit.errors import EvidenceError, NotToBeApproved, SignatureError
from deid_audit.findings import Outcome
from deid_audit.pipeline.checks import VerifyReport
from deid_audit.pipeline.placing import put_in_place
from deid_audit.pipeline.staging import interruptible
from deid_audit.pipeline.verify import read_certificate, verify_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """A decision that now stands in the certificate."""

    decision: Decision
    signer: Signer
    signed_at: datetime
    certificate_sha256: str
    case_id: str
    statement_sha256: str


def approve(
    certificate: Path,
    signer: Signer,
    decision: Decision,
    *,
    release: Path | None,
    trust: Trust,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Approved:
    """Verify `certificate`, add the chair's decision, and put it in the certificate's place.

    1. All checks of `verify`, with the chair's signature not demanded yet: what does not hold is not signed.
    2. Nobody has decided or withdrawn it, and the chair is neither the steward nor somebody whom the trust file does
       not name.
    3. Only a certificate that is PASSED and within its validity can be approved; any can be refused.
    4. Signed, checked again as a whole, written; on approval, the attestation beside the certificate is signed, too.

    Args:
        certificate: the certificate.pdf; its folder is where it is written.
        signer: the chair.
        decision: what to sign.
        release: the certified files, where they do not stand beside the certificate.
        trust: as for `verify`.
        clock: the time of signing.

    Raises:
        EvidenceError: the certificate cannot be read, does not hold, or cannot be written.
        SignatureError: it is decided already, or this signer may not decide.
        NotToBeApproved: it holds, and only a refusal is possible, or, since it was withdrawn, no decision.
        SettingsError: the conditions cannot be printed.
    """
    if decision.conditions is not None:
        refuse_unprintable(decision.conditions)
    target = certificate.resolve()
    now = clock()
    today: Callable[[], date] = lambda: now.astimezone(UTC).date()  # noqa: E731
    with interruptible("nothing was signed"):
        pdf = read_certificate(target)
        report = verify_bytes(pdf, target, release=release, trust=trust.without_demanding_chair(), today=today)
        _require_undecided(report)
        if not report.holds:
            raise EvidenceError(
                f"not signed: {report.conclusion}", next_step="deid-audit verify says what each failed check means"
            )
        _require_standing(report)
        _require_other_person(report, signer, trust)
        _require_approvable(report, decision)
        signed = countersign_pdf(pdf, signer, decision, signed_at=now)
        own_clock = () if signer.timestamps is None else signer.timestamps.certificates[:1]
        _require_holds(check_certificate(signed, trust.knowing(signer.certificate, own_clock), now=now))
        put_in_place(
            {target: signed, **_attested(target.parent, signer, decision)},
            "the signed certificate",
            "check space and permissions where the certificate stands, and sign again",
        )
    assert report.case is not None  # what holds has a statement
    return Approved(
        decision=decision,
        signer=signer,
        signed_at=now,
        certificate_sha256=sha256_bytes(signed),
        case_id=report.case.case_id,
        statement_sha256=report.statement_sha256,
    )


def _require_undecided(report: VerifyReport) -> None:
    if report.decision is not None:
        raise SignatureError(
            f"the certificate is decided already: {report.decision.reason}",
            next_step="a decision stands for good; another one needs a certificate made anew",
        )


def _require_standing(report: VerifyReport) -> None:
    if report.withdrawn is not None:
        raise NotToBeApproved(
            f"not signed: it was {report.withdrawn.words}", next_step="a release needs a certificate made anew"
        )


def _require_other_person(report: VerifyReport, signer: Signer, trust: Trust) -> None:
    if any(same_person(one.certificate, signer.certificate) for one in report.signers):
        raise SignatureError(
            "the chair's key or name is the steward's: nobody approves what they certified",
            next_step="give the chair's own key with --signer; make one with: deid-audit keys new --role chair",
        )
    if fault := trust.fault_of("chair", signer.certificate):
        raise SignatureError(f"this signer may not decide: {fault}", next_step="give a key that the trust file lists")


def _require_approvable(report: VerifyReport, decision: Decision) -> None:
    if not decision.approves or report.exit_code == 0:
        return
    why = f"the verdict is {report.verdict}"
    if report.verdict is Outcome.PASSED:
        why = f"it was valid until {report.ran_out}"
    raise NotToBeApproved(f"not signed: {why}, and only --decision refuse is possible", next_step="sign a refusal")


def _require_holds(check: CertificateCheck) -> None:
    wrong = [fact.words for fact in check.facts if not fact.stands]
    if wrong or not check.holds:
        raise SignatureError(
            f"not signed, since the signed certificate would not hold: {wrong[0] if wrong else 'a fact is missing'}",
            next_step="check the key and the trust file",
        )


def _attested(folder: Path, signer: Signer, decision: Decision) -> Mapping[Path, bytes]:
    """The attestation beside the certificate with the chair's signature; nothing where none stands, or on a refusal."""
    path = folder / ATTESTATION_FILE
    if not decision.approves or not path.exists():
        return {}
    try:
        envelope = path.read_bytes()
    except OSError as error:
        raise EvidenceError(f"the attestation cannot be read: {error.strerror or 'input/output error'}") from None
    return {path: add_signature(envelope, signer)}
