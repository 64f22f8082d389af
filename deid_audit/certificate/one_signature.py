"""One signature of a certificate under examination: digest, key, exact form, time and trust, each a fact of its own.

Every method returns what it found, in words, or raises `NotSo` with what is wrong, `Unseen` where it could not look; a
parser's own exceptions pass through, and the caller takes them for damage.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from deid_audit.certificate.canonical import read_contents, rebuild_container
from deid_audit.certificate.keys import describe_certificate
from deid_audit.certificate.vouching import issuers_may_issue

CLOCK_TOLERANCE = timedelta(days=1)


class NotSo(Exception):
    """A fact that does not hold, in words."""


class Unseen(Exception):
    """A fact that could not be looked at, in words."""


def require(condition: bool, otherwise: str) -> None:
    """Raises NotSo with these words unless the condition holds."""
    if not condition:
        raise NotSo(otherwise)


class OneSignature:
    """A signature of a PDF, held against the certificates that its reader trusts."""

    def __init__(self, pdf: bytes, embedded: Any, anchors: Sequence[x509.Certificate], now: datetime) -> None:
        """`pdf` is the file up to the end of what this signature should cover; `embedded` is pyHanko's view of it."""
        self.pdf, self.embedded, self.anchors, self.now = pdf, embedded, anchors, now
        self._status: Any = None

    def status(self) -> Any:
        """pyHanko's status at the time of signing; trust is judged against the given anchors only."""
        if self._status is None:
            from asn1crypto import x509 as asn1_x509  # noqa: PLC0415
            from pyhanko.sign.validation import validate_pdf_signature  # noqa: PLC0415
            from pyhanko_certvalidator import ValidationContext  # noqa: PLC0415

            context = ValidationContext(
                trust_roots=[asn1_x509.Certificate.load(_der(one)) for one in self.anchors],
                moment=self.signed_at or self.now,
                allow_fetching=False,
            )
            self._status = validate_pdf_signature(self.embedded, context)
        return self._status

    @property
    def signed_at(self) -> datetime | None:
        """The time of signing by the signer's own statement."""
        stated: datetime | None = self.embedded.self_reported_timestamp
        return stated

    @property
    def byte_range(self) -> list[int]:
        return [int(number) for number in self.embedded.byte_range]

    def certificate(self) -> x509.Certificate:
        """The signer's certificate, as embedded."""
        return x509.load_der_x509_certificate(self.embedded.signer_cert.dump())

    def intact(self) -> str:
        require(self.status().intact is True, "the signed bytes were changed: their digest differs")
        return "digest matches"

    def valid(self) -> str:
        require(self.status().valid is True, "the signature does not fit the signer's key")
        return "fits"

    def canonical(self) -> str:
        try:
            der = read_contents(self.pdf, self.byte_range)
            require(self.embedded.pkcs7_content.startswith(der), "the signature read is not the one in the gap")
            require(rebuild_container(der, self._embedded_chain()) == der, "the signature's container was altered")
        except ValueError as error:
            raise NotSo(str(error)) from None
        return "hex, padding, certificates and container as written by the signer"

    def _embedded_chain(self) -> list[bytes]:
        """The embedded certificates, the signer's first: byte for byte those of the validated path."""
        path = self.status().validation_path
        validated = {bytes(one.dump()) for one in path} if path is not None else None
        chain = [bytes(self.embedded.signer_cert.dump())]
        chain += [bytes(one.dump()) for one in self.embedded.other_embedded_certs]
        # A trust anchor is matched by name and key, so its embedded copy could differ in other bits.
        known = validated is None or validated.issuperset(chain)
        require(known, "an embedded certificate took no part in the validated path")
        return chain

    def time(self) -> str:
        require(self.signed_at is not None, "no time of signing is stated")
        assert self.signed_at is not None
        certificate = self.certificate()
        require(self.signed_at <= self.now + CLOCK_TOLERANCE, "the time of signing lies in the future")
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        require(start <= self.signed_at <= end, "the signer's certificate was not valid at the time of signing")
        ended = f"; that certificate has ended since, on {end:%Y-%m-%d}" if self.now > end else ""
        return f"{self.signed_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, by the signer's own statement{ended}"

    def trusted(self) -> str:
        info = describe_certificate(self.certificate(), verified_issuer=False)
        who = f"{info.name}, fingerprint {info.fingerprint_sha256}"
        require(bool(self.anchors), f"issuer unknown: no trusted certificate was given (signed by {who})")
        status = self.status()
        if status.valid is not True:  # pyHanko follows no chain then
            raise Unseen("not looked at: the signature does not fit the key of the certificate in it")
        known = status.validation_path is not None and status.trust_problem_indic is None
        require(known, f"signed by someone you did not say you trust ({who})")
        mere = "a certificate that you trust issued this one, but is no CA's: it vouches for itself alone"
        require(issuers_may_issue(status.validation_path), f"{mere} ({who})")
        return who


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)
