"""A page laid out as a certificate is, signed by a key made on the spot, checked, and changed by one byte."""

from datetime import UTC, datetime

from deid_audit.certificate.checking import check_certificate
from deid_audit.certificate.keys import ephemeral_signer
from deid_audit.certificate.readiness import sample_page
from deid_audit.certificate.signing import sign_pdf
from deid_audit.errors import StageError

_STATEMENT = b'{"self-test": "not a statement"}'


def sign_and_check() -> str:
    """Every fact about the signature holds, and not all of them after a byte was flipped."""
    now = datetime.now(UTC)
    signer = ephemeral_signer(now)
    pdf = sign_pdf(sample_page(_STATEMENT, issued_at=now), signer, signed_at=now)
    check = check_certificate(pdf, [signer.certificate_pem])
    broken = [fact.id for fact in check.facts if fact.holds is not True]
    if broken or check.statement != _STATEMENT:
        raise StageError(f"the signature that was just made does not hold: {', '.join(broken) or 'statement'}")
    changed = bytearray(pdf)
    changed[len(pdf) // 3] ^= 1
    if check_certificate(bytes(changed), [signer.certificate_pem]).holds:
        raise StageError("a changed byte was not noticed")
    return f"{len(check.facts)} facts hold; with one byte flipped, refused"
