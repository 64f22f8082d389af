"""Whether a certificate still stands: the status file beside it, if there is one, and who may sign such a file.

A certificate cannot be changed any more, so a withdrawal is a file of its own, and whoever has the certificate need not
have it: that there is none shows nothing. One that is there is never passed over.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from deid_audit.attestation import STATUS, Envelope, check_signature, key_id, read_envelope
from deid_audit.certificate.checking import CertificateCheck
from deid_audit.certificate.crls import fault_of, issuer_of, list_by, revocation_of
from deid_audit.certificate.keys import describe_certificate
from deid_audit.certificate.trust import RoleName, Trust
from deid_audit.certificate.vouching import vouched_for
from deid_audit.errors import EvidenceError
from deid_audit.files import read_at_most
from deid_audit.findings import SignerInfo
from deid_audit.status import STATUS_FILE, Withdrawal, read_withdrawal

_LARGEST_STATUS_BYTES = 1 << 16
_ROLES: tuple[RoleName, ...] = ("steward", "chair")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFile:
    """A status file in its exact form; nothing is known yet of whose it is."""

    envelope: Envelope
    withdrawal: Withdrawal


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """A withdrawal that counts: what it says, and who signed it in which role."""

    role: RoleName
    signer: SignerInfo
    withdrawal: Withdrawal

    @property
    def words(self) -> str:
        said = self.withdrawal
        return (
            f"withdrawn by the {self.role}, {self.signer.name}, on {said.moment:%Y-%m-%d at %H:%M} UTC: {said.reason}"
        )


def status_beside(certificate: Path) -> Path | None:
    """Where its status file stands; None where there is none. A link that leads nowhere is one that cannot be read."""
    path = certificate.parent / STATUS_FILE
    return path if os.path.lexists(path) else None


def read_status(path: Path) -> StatusFile:
    """The status file at `path`; EvidenceError where it cannot be read or has another form than its exact one."""
    try:
        data = read_at_most(path, _LARGEST_STATUS_BYTES) or b""  # one that is larger is none
    except OSError as error:
        raise EvidenceError(f"the status file cannot be read: {error.strerror or 'input/output error'}") from None
    return parse_status(data)


def parse_status(data: bytes) -> StatusFile:
    """The status file in these bytes; EvidenceError where it has another form than its exact one."""
    envelope = read_envelope(data, STATUS)
    return StatusFile(envelope=envelope, withdrawal=read_withdrawal(envelope.payload))


def require_same(status: StatusFile, *, case_id: str, statement_sha256: str) -> str:
    """Words, where the status file is of this statement; else EvidenceError."""
    said = status.withdrawal
    if (said.case_id, said.statement_sha256) != (case_id, statement_sha256):
        raise EvidenceError("the status file is of another certificate's statement than this one's")
    return f"case {said.case_id}"


def who_withdrew(status: StatusFile, examined: CertificateCheck, trust: Trust) -> Withdrawn:
    """Who signed the status file, where they may; else EvidenceError. Of which statement it is, is not asked here."""
    said = status.withdrawal
    own = said.certificate
    if [one.keyid for one in status.envelope.signatures] != [key_id(own)]:
        raise EvidenceError("the status file is not signed by exactly the one whose certificate is in it")
    if not check_signature(status.envelope, own):
        raise EvidenceError("the signature of the status file does not fit")
    found = entitled(said, examined, trust)
    if found is None:
        name = describe_certificate(own, verified_issuer=False)
        raise EvidenceError(
            f"the status file is signed by somebody who may not withdraw this certificate, as far as is known here "
            f"({name.name}, fingerprint {name.fingerprint_sha256})"
        )
    return found


def entitled(said: Withdrawal, examined: CertificateCheck, trust: Trust) -> Withdrawn | None:
    """In which role the holder of a withdrawal's certificate may withdraw; None where they may not.

    The very key that certified, or that decided, may, where that signature holds and the trust file, if there is one,
    has its holder in that role. So may, since keys get lost, whoever a trust file lists as steward or chair and an
    anchor of it vouches for, with any key. A name alone entitles nobody, nor does a key that was revoked before the
    stated time. That time is the signer's own word: of two errors, to believe a withdrawal is the lesser.
    """
    own = said.certificate
    if was_revoked(own, said.moment, trust):
        return None
    for one in examined.signers:
        mine = one.certificate.public_key() == own.public_key()  # also after its certificate was renewed
        revoked = mine and was_revoked(one.certificate, said.moment, trust)
        if mine and not revoked and examined.stands_for(one.role) and not trust.fault_of(one.role, one.certificate):
            return Withdrawn(role=one.role, signer=one.info, withdrawal=said)
    if trust.sha256 is None or not vouched_for(own, trust.anchors, said.moment):
        return None
    for role in _ROLES:
        if not trust.fault_of(role, own):
            return Withdrawn(role=role, signer=describe_certificate(own, verified_issuer=True), withdrawal=said)
    return None


def was_revoked(certificate: x509.Certificate, moment: datetime, trust: Trust) -> bool:
    """Whether a list by an anchor says so; one that has run out still says whom it named."""
    issuer = issuer_of(certificate, trust.anchors)
    crl = None if issuer is None else list_by(issuer, trust.crls)
    if issuer is None or crl is None or fault_of(crl, issuer):
        return False
    found = revocation_of(certificate, crl)
    return found is not None and found.since <= moment
