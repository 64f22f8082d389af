"""A withdrawal of a certificate: a signed status file beside it, which `verify` honours.

The certificate is left as it is. Only what makes it this steward's or this chair's is demanded of it: a verdict, a
validity, files or an attestation that do not hold are reasons to withdraw, not to refuse it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deid_audit.attestation import STATUS, attest
from deid_audit.certificate.checking import CertificateCheck, check_certificate
from deid_audit.certificate.keys import Signer
from deid_audit.certificate.trust import Trust
from deid_audit.digests import sha256_bytes
from deid_audit.errors import EvidenceError, SignatureError
from deid_audit.evidence import parse_statement
from deid_audit.pipeline.placing import put_in_place
from deid_audit.pipeline.staging import interruptible
from deid_audit.pipeline.standing import (
    Withdrawn,
    entitled,
    parse_status,
    read_status,
    require_same,
    status_beside,
    who_withdrew,
)
from deid_audit.pipeline.verify import read_certificate
from deid_audit.status import STATUS_FILE, refuse_reason, withdrawal


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A withdrawal that stands now, and the SHA-256 of its file."""

    withdrawn: Withdrawn
    status_sha256: str


def withdraw(
    certificate: Path,
    signer: Signer,
    reason: str,
    *,
    trust: Trust,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Written:
    """Check whose `certificate` is, sign its withdrawal, and put that beside it as `STATUS_FILE`.

    1. The PDF is unchanged since its last signature, certified by a steward whom `trust` knows, with a statement that
       can be read. A chair's signature is asked for only where its holder withdraws.
    2. No status file stands there: a withdrawal stands for good, and a file that does not hold is not replaced.
    3. The signer may withdraw it, by the rule that `verify` goes by.
    4. Signed, read again as `verify` does, written.

    Args:
        certificate: the certificate.pdf; its folder is where the status file is written.
        signer: the steward who certified, the chair who decided, or somebody whom a trust file lists as one of them.
        reason: one line that everybody may read.
        trust: as for `verify`; without a trust file the signer need not vouch for themselves.
        clock: the time of the withdrawal.

    Raises:
        EvidenceError: the certificate cannot be read or is not authentic, or the file cannot be written.
        SignatureError: it is withdrawn already, or this signer may not withdraw it.
        SettingsError: the reason cannot be taken.
    """
    refuse_reason(reason)
    target = certificate.resolve()
    now = clock()
    with interruptible("nothing was withdrawn"):
        known = trust.knowing(signer.certificate)
        examined = check_certificate(read_certificate(target), known, now=now)
        statement = _require_authentic(examined)
        case_id, digest = parse_statement(statement).case_id, sha256_bytes(statement)
        _require_standing(target, examined, known, case_id, digest)
        said = withdrawal(
            case_id=case_id, statement_sha256=digest, reason=reason, at=now, certificate=signer.certificate
        )
        if entitled(said, examined, known) is None:
            raise SignatureError(
                "this signer may not withdraw the certificate: it takes the key of the steward who certified or of the "
                "chair who decided",
                next_step="give that key; where it is lost, somebody whom a trust file lists: docs/trust.md",
            )
        envelope = attest(said.payload(), [signer], kind=STATUS)
        done = who_withdrew(parse_status(envelope), examined, known)
        put_in_place(
            {target.with_name(STATUS_FILE): envelope},
            "the status file",
            "check space and permissions where the certificate stands, and withdraw again",
        )
    return Written(withdrawn=done, status_sha256=sha256_bytes(envelope))


def _require_authentic(examined: CertificateCheck) -> bytes:
    """The statement of a certificate that its steward signed and nobody changed; EvidenceError for another."""
    wrong = [fact for fact in examined.facts_of("steward") if not fact.stands]
    if wrong or examined.statement is None:
        raise EvidenceError(
            f"nothing was withdrawn: the certificate does not hold: {wrong[0].words if wrong else 'no statement'}",
            next_step="give the certificate as it was signed, and --trust or --trust-file for its steward",
        )
    return examined.statement


def _require_standing(
    certificate: Path, examined: CertificateCheck, trust: Trust, case_id: str, statement_sha256: str
) -> None:
    path = status_beside(certificate)
    if path is None:
        return
    try:
        status = read_status(path)
        require_same(status, case_id=case_id, statement_sha256=statement_sha256)
        before = who_withdrew(status, examined, trust)
    except EvidenceError as error:
        raise EvidenceError(
            f"nothing was withdrawn: {STATUS_FILE} stands beside the certificate and does not hold: {error}",
            next_step="find out who put it there, move it away, and withdraw again",
        ) from None
    raise SignatureError(
        f"the certificate is {before.words}", next_step="hand on the status file: a withdrawal stands for good"
    )
