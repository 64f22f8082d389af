"""One signature of a certificate under examination: digest, key, exact form, time and trust, each a fact of its own.

Every method returns what it found, in words, or raises `NotSo` with what is wrong, `Unseen` where it could not look; a
parser's own exceptions pass through, and the caller takes them for damage.
"""

from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from deid_audit.certificate.canonical import read_contents, rebuild_container
from deid_audit.certificate.crls import CLOCK_TOLERANCE
from deid_audit.certificate.facts import Moot, NotSo, Unseen, require
from deid_audit.certificate.keys import describe_certificate
from deid_audit.certificate.one_timestamp import ProvenTime, proven_time
from deid_audit.certificate.profiles import is_for_timestamps
from deid_audit.certificate.revocation import Carried, Signing, revocation_words
from deid_audit.certificate.trust import Trust
from deid_audit.certificate.vouching import issuers_may_issue


class OneSignature:
    """A signature of a PDF, held against the certificates that its reader trusts.

    `proven` is when it was made, once `timestamp` has found a trusted authority that says so.
    """

    def __init__(self, pdf: bytes, embedded: Any, trust: Trust, now: datetime) -> None:
        """`pdf` is the file up to the end of what this signature should cover; `embedded` is pyHanko's view of it."""
        self.pdf, self.embedded, self.trust, self.now = pdf, embedded, trust, now
        self.proven: ProvenTime | None = None
        self._tokens = _take_tokens(embedded)
        self._status: Any = None

    def status(self) -> Any:
        """pyHanko's status at the time of signing; trust is judged against the given anchors only."""
        if self._status is None:
            from asn1crypto import x509 as asn1_x509  # noqa: PLC0415
            from pyhanko.sign.validation import validate_pdf_signature  # noqa: PLC0415
            from pyhanko_certvalidator import ValidationContext  # noqa: PLC0415

            context = ValidationContext(
                trust_roots=[asn1_x509.Certificate.load(_der(one)) for one in self.trust.anchors],
                moment=self._moment or self.now,
                allow_fetching=False,
            )
            self._status = validate_pdf_signature(self.embedded, context)
        return self._status

    @property
    def _moment(self) -> datetime | None:
        return self.signed_at if self.proven is None else self.proven.at

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

    def timestamp(self) -> str:
        """Looked at before the certificates are: they are judged at the time that a trusted authority proves."""
        if not self._tokens:
            raise Moot("there is none: the time of signing is the signer's own statement")
        require(len(self._tokens) == 1, "the signature carries several timestamps")
        content = bytes(self.embedded.signer_info["signature"].native)
        signer = self.certificate()
        trust = self.trust
        proven = proven_time(self._tokens[0], content, trust.timestamp_anchors, trust.crls, [signer], self.now)
        stated = self.signed_at
        agree = stated is not None and abs(stated - proven.at) <= CLOCK_TOLERANCE
        require(agree, "the stated time of signing is more than a day away from the timestamp's")
        self.proven = proven
        return proven.words

    def time(self) -> str:
        require(self.signed_at is not None, "no time of signing is stated")
        assert self.signed_at is not None
        certificate = self.certificate()
        require(self.signed_at <= self.now + CLOCK_TOLERANCE, "the time of signing lies in the future")
        at = self._moment
        assert at is not None  # it is stated
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        require(start <= at <= end, "the signer's certificate was not valid at the time of signing")
        ended = f"; that certificate has ended since, on {end:%Y-%m-%d}" if self.now > end else ""
        stated = f"{self.signed_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, by the signer's own statement"
        return f"{stated if self.proven is None else self.proven.words}{ended}"

    def trusted(self) -> str:
        info = describe_certificate(self.certificate(), verified_issuer=False)
        who = f"{info.name}, fingerprint {info.fingerprint_sha256}"
        require(bool(self.trust.anchors), f"issuer unknown: no trusted certificate was given (signed by {who})")
        status = self.status()
        if status.valid is not True:  # pyHanko follows no chain then
            raise Unseen("not looked at: the signature does not fit the key of the certificate in it")
        known = status.validation_path is not None and status.trust_problem_indic is None
        require(known, f"signed by someone you did not say you trust ({who})")
        mere = "a certificate that you trust issued this one, but is no CA's: it vouches for itself alone"
        require(issuers_may_issue(status.validation_path), f"{mere} ({who})")
        # Whoever issues certificates for many may trust a clock with times, and with nothing else.
        require(not is_for_timestamps(self.certificate()), f"signed with a timestamp authority's key ({who})")
        return who

    def revocation(self, carried: Carried, document_time: ProvenTime | None) -> str:
        """What the verifier's lists say; `document_time` is proven for the whole file, this signature included."""
        found = self.status().validation_path
        if found is None and self.trust.crls:
            raise Unseen("not looked at: the issuer is not one you trust")
        path = [x509.load_der_x509_certificate(one.dump()) for one in found or ()]
        below = path[:0:-1] or [self.certificate()]  # without the anchor, for which you stand yourself
        embedded = [x509.load_der_x509_certificate(one.dump()) for one in self.embedded.other_embedded_certs]
        candidates = [*path, *embedded, *self.trust.anchors]
        signing = Signing(stated=self.signed_at, proven=self.proven or document_time)
        return revocation_words(below, candidates, self.trust.crls, carried, signing, self.now)


def _take_tokens(embedded: Any) -> list[bytes]:
    """The timestamps of a signature (DER), taken off pyHanko's view: a bad one must not make other facts fail."""
    info = embedded.signer_info
    attributes = list(info["unsigned_attrs"] or ())
    del info["unsigned_attrs"]
    stamps = [one for one in attributes if one["type"].native == "signature_time_stamp_token"]
    return [bytes(value.dump()) for one in stamps for value in one["values"]]


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)
