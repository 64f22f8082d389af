"""A page laid out as a certificate is, signed by a key made on the spot, checked, and changed by one byte."""

from datetime import UTC, datetime

from deid_audit.certificate.checking import check_certificate
from deid_audit.certificate.keys import ephemeral_signer
from deid_audit.certificate.readiness import sample_page
from deid_audit.certificate.signing import sign_pdf
from deid_audit.certificate.trust import trust_of
from deid_audit.errors import StageError

_STATEMENT = b'{"self-test": "not a statement"}'


def sign_and_check() -> str:
    """Every fact about the signature holds, and not all of them after a byte was flipped."""
    now = datetime.now(UTC)
    signer = ephemeral_signer(now)
    pdf = sign_pdf(sample_page(_STATEMENT, issued_at=now), signer, signed_at=now)
    trust = trust_of([signer.certificate_pem])
    check = check_certificate(pdf, trust)
    broken = [fact.id for fact in check.facts if not fact.stands]
    if not check.holds or check.statement != _STATEMENT:
        raise StageError(f"the signature that was just made does not hold: {', '.join(broken) or 'statement'}")
    changed = bytearray(pdf)
    changed[len(pdf) // 3] ^= 1
    if check_certificate(bytes(changed), trust).holds:
        raise StageError("a changed byte was not noticed")
    held = sum(fact.holds is True for fact in check.facts)
    return f"{held} facts hold; with one byte flipped, refused"
