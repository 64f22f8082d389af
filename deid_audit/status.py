"""What a status file says of a certificate after it was issued: that it was withdrawn, when, why and by whom.

The payload of an envelope (`attestation.STATUS`) beside the certificate, which itself can no longer be changed. It
names the statement by its digest, and holds the certificate of who signed it: the envelope has that key's digest only.
Whether the envelope's signature fits, and who may withdraw, is not looked at here.
"""

import base64
from datetime import UTC, datetime
from typing import Annotated, Literal

import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pydantic import AfterValidator, Field, ValidationError

from deid_audit.errors import EvidenceError, Interrupted, SettingsError
from deid_audit.records import Strict, line_fault

STATUS_FILE = "status.dsse.json"
LONGEST_REASON = 300
_SCHEMA: Literal["deid-audit/status/v1"] = "deid-audit/status/v1"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_NEXT = "ask who signed the certificate whether it was withdrawn"


def _a_reason(text: str) -> str:
    if fault := line_fault(text, LONGEST_REASON):
        raise ValueError(f"the text {fault}")
    return text


def _a_time(text: str) -> str:
    if datetime.strptime(text, _TIME).strftime(_TIME) != text:
        raise ValueError("not a time")
    return text


def _a_certificate(text: str) -> str:
    """Every part that is asked for later must be readable: whoever wants to can put such a file there."""
    try:
        der = base64.b64decode(text, validate=True)
        found = x509.load_der_x509_certificate(der)
        _ = (found.public_key(), found.not_valid_before_utc, found.not_valid_after_utc, found.subject.rfc4514_string())
        again = base64.b64encode(found.public_bytes(serialization.Encoding.DER)).decode("ascii")
    except Interrupted:
        raise
    except Exception:  # a damaged certificate can make its parser raise anything; nothing of it may pass
        again = ""
    if again != text:
        raise ValueError("not a certificate in its one exact form")
    return text


class Withdrawal(Strict):
    """A withdrawal, as it is signed. There is no other status: a certificate that stands has no status file."""

    form: Literal["deid-audit/status/v1"] = Field(
        default=_SCHEMA, alias="schema", description="The form of this document."
    )
    status: Literal["withdrawn"] = Field(default="withdrawn", description="What became of the certificate.")
    case_id: str = Field(description="Name of the case.")
    statement_sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the certificate's statement, hex.")
    reason: Annotated[str, AfterValidator(_a_reason)] = Field(description="Why, in one line by who withdrew it.")
    withdrawn_at: Annotated[str, AfterValidator(_a_time)] = Field(description="When, UTC, as who withdrew it states.")
    signer_certificate: Annotated[str, AfterValidator(_a_certificate)] = Field(
        description="Certificate of who withdrew it: DER in base64."
    )

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(base64.b64decode(self.signer_certificate))

    @property
    def moment(self) -> datetime:
        return datetime.strptime(self.withdrawn_at, _TIME).replace(tzinfo=UTC)

    def payload(self) -> bytes:
        """The bytes that are signed: canonical JSON (RFC 8785)."""
        return rfc8785.dumps(self.model_dump(mode="json", by_alias=True))


def refuse_reason(reason: str) -> None:
    """SettingsError, in words, for a reason that cannot be signed."""
    if fault := line_fault(reason, LONGEST_REASON):
        raise SettingsError(f"--reason {fault}", next_step="say it in one plain line of printable text")


def withdrawal(
    *, case_id: str, statement_sha256: str, reason: str, at: datetime, certificate: x509.Certificate
) -> Withdrawal:
    """The withdrawal of a case's certificate at that moment, by the holder of `certificate`."""
    der = certificate.public_bytes(serialization.Encoding.DER)
    return Withdrawal(
        case_id=case_id,
        statement_sha256=statement_sha256,
        reason=reason,
        withdrawn_at=at.astimezone(UTC).strftime(_TIME),
        signer_certificate=base64.b64encode(der).decode("ascii"),
    )


def read_withdrawal(payload: bytes) -> Withdrawal:
    """The withdrawal that `Withdrawal.payload` wrote; EvidenceError for any other form, key, type or spelling."""
    try:
        found = Withdrawal.model_validate_json(payload, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        said = f"{where!r:.60}: {first['msg']:.120}" if where else f"{first['msg']:.120}"
        raise EvidenceError(f"the status file: {said}", next_step=_NEXT) from None
    if found.payload() != payload:
        raise EvidenceError("the status file's payload is not in canonical form (RFC 8785)", next_step=_NEXT)
    return found
