"""Check a certificate's PDF: every fact about its signature apart, and `holds` only when all of them do.

Trust comes from the certificates handed in and from nowhere else: no network, no store of the operating system,
nothing that the PDF says about itself. Revocation is not looked up. Files and verdict are `pipeline.verify`'s.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from deid_audit.certificate.attachments import read_statement
from deid_audit.certificate.canonical import read_contents, rebuild_container
from deid_audit.certificate.keys import describe_certificate
from deid_audit.errors import SignatureError
from deid_audit.findings import SignerInfo

_CLOCK_TOLERANCE = timedelta(days=1)
FACTS = {
    "pdf.readable": "readable as PDF",
    "signature.present": "exactly one signature",
    "signature.covers_whole_file": "the signature covers the whole file",
    "signature.intact": "the signed bytes are unchanged",
    "signature.valid": "the signature fits the signer's key",
    "signature.canonical": "the signature itself has its one exact form",
    "signature.certifies": "certified: no change allowed after signing",
    "signature.time": "signed while the signer's certificate was valid",
    "signature.trusted": "the issuer is one you trust",
    "statement.attached": "exactly one statement attached",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that must be so; `holds` is None where it could not be looked at (which is not a pass)."""

    id: str
    holds: bool | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateCheck:
    """All facts of `FACTS`, in that order, with what was read on the way.

    `signer_certificates` are those of whoever signed in approval, the steward's first.
    """

    facts: tuple[Fact, ...]
    signer: SignerInfo | None
    signed_at: datetime | None
    statement: bytes | None
    signer_certificates: tuple[x509.Certificate, ...] = ()

    @property
    def holds(self) -> bool:
        return len(self.facts) == len(FACTS) and all(fact.holds is True for fact in self.facts)

    def fact(self, fact_id: str) -> Fact:
        """The fact of that id; KeyError when there is none."""
        return {fact.id: fact for fact in self.facts}[fact_id]


def load_trust(pem: bytes) -> list[x509.Certificate]:
    """The certificates of one PEM (or DER) file; raises SignatureError when there is none."""
    try:
        if b"-----BEGIN" in pem:
            return x509.load_pem_x509_certificates(pem)
        return [x509.load_der_x509_certificate(pem)]
    except ValueError:
        raise SignatureError(
            "a trusted file holds no certificate", next_step="give the issuer's certificate (PEM) with --trust"
        ) from None


def check_certificate(pdf: bytes, trust_pem: Sequence[bytes], *, now: datetime | None = None) -> CertificateCheck:
    """Every fact about `pdf`, trusting only the certificates in `trust_pem`.

    Args:
        pdf: the file's bytes.
        trust_pem: files with trusted certificates; empty means that no issuer is known.
        now: the time of checking; the machine's clock when left out.

    Raises:
        SignatureError: a file in `trust_pem` holds no certificate.
    """
    anchors = [one for pem in trust_pem for one in load_trust(pem)]
    for name in ("pyhanko", "pyhanko_certvalidator"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # it logs whole tracebacks for what we report in words
    return _Examination(pdf, anchors, now or datetime.now(UTC)).run()


class _Examination:
    """One PDF under examination: `run` goes through the facts in order; a fact that raises does not hold."""

    def __init__(self, pdf: bytes, anchors: list[x509.Certificate], now: datetime) -> None:
        self.pdf, self.anchors, self.now = pdf, anchors, now
        self.facts: dict[str, Fact] = {}
        self.reader: Any = None
        self.signature: Any = None
        self.status: Any = None
        self.signed_at: datetime | None = None
        self.statement: bytes | None = None

    def run(self) -> CertificateCheck:
        steps: dict[str, Callable[[], str]] = {
            "pdf.readable": self._open,
            "signature.present": self._one_signature,
            "signature.covers_whole_file": self._coverage,
            "signature.intact": self._intact,
            "signature.valid": self._valid,
            "signature.canonical": self._canonical,
            "signature.certifies": self._certifies,
            "signature.time": self._time,
            "signature.trusted": self._trusted,
            "statement.attached": self._attached,
        }
        for fact_id, step in steps.items():
            self._look(fact_id, step)
        return CertificateCheck(
            facts=tuple(self.facts[fact_id] for fact_id in FACTS),
            signer=self._signer_info(),
            signer_certificates=self._signer_certificates(),
            signed_at=self.signed_at,
            statement=self.statement,
        )

    def _look(self, fact_id: str, step: Callable[[], str]) -> None:
        needs = {"pdf.readable": True, "signature.present": self.reader is not None}
        needs["statement.attached"] = self.reader is not None
        if not needs.get(fact_id, self.signature is not None):
            self.facts[fact_id] = Fact(id=fact_id, holds=None, words="not looked at: no signature could be read")
            return
        try:
            self.facts[fact_id] = Fact(id=fact_id, holds=True, words=step())
        except _NotSo as problem:
            self.facts[fact_id] = Fact(id=fact_id, holds=False, words=str(problem))
        except Exception as error:  # a damaged file can make any parser raise anything; nothing of it may pass
            words = f"could not be checked: the file is damaged ({type(error).__name__})"
            self.facts[fact_id] = Fact(id=fact_id, holds=False, words=words)

    def _open(self) -> str:
        from pyhanko.pdf_utils.reader import PdfFileReader  # noqa: PLC0415  (heavy)

        reader = PdfFileReader(BytesIO(self.pdf))
        _require("/Pages" in reader.root, "the file has no pages")
        self.reader = reader
        return f"{len(self.pdf)} bytes"

    def _one_signature(self) -> str:
        signatures = list(self.reader.embedded_signatures)
        _require(bool(signatures), "unsigned: the file carries no signature")
        # The first one is what the issuer made; the facts below are about it also when others follow.
        self.signature = signatures[0]
        _require(len(signatures) == 1, f"{len(signatures)} signatures where exactly one is expected")
        _require(self.signature.sig_object_type == "/Sig", "the signature is a time stamp, not a signer's")
        return "one signature"

    def _coverage(self) -> str:
        from pyhanko.sign.validation.status import SignatureCoverageLevel  # noqa: PLC0415

        later = int(self.reader.total_revisions) - 1 - int(self.signature.signed_revision)
        _require(later == 0, f"changed after signing: {later} later revision(s) were added to the file")
        _, _, start, length = [int(number) for number in self.signature.byte_range]
        extra = len(self.pdf) - start - length
        _require(extra <= 0, f"{extra} bytes were appended after the signed part")
        level = self.signature.evaluate_signature_coverage()
        _require(level is SignatureCoverageLevel.ENTIRE_FILE, "the signed range does not fit the file")
        return "from the first byte to the last"

    def _validate(self) -> Any:
        """pyHanko's status at the time of signing; trust is judged against the given anchors only."""
        if self.status is None:
            from asn1crypto import x509 as asn1_x509  # noqa: PLC0415
            from pyhanko.sign.validation import validate_pdf_signature  # noqa: PLC0415
            from pyhanko_certvalidator import ValidationContext  # noqa: PLC0415

            self.signed_at = self.signature.self_reported_timestamp
            context = ValidationContext(
                trust_roots=[asn1_x509.Certificate.load(_der(one)) for one in self.anchors],
                moment=self.signed_at or self.now,
                allow_fetching=False,
            )
            self.status = validate_pdf_signature(self.signature, context)
        return self.status

    def _intact(self) -> str:
        _require(self._validate().intact is True, "the signed bytes were changed: their digest differs")
        return "digest matches"

    def _valid(self) -> str:
        _require(self._validate().valid is True, "the signature does not fit the signer's key")
        return "fits"

    def _canonical(self) -> str:
        try:
            der = read_contents(self.pdf, [int(number) for number in self.signature.byte_range])
            _require(self.signature.pkcs7_content.startswith(der), "the signature read is not the one in the gap")
            _require(rebuild_container(der, self._embedded_chain()) == der, "the signature's container was altered")
        except ValueError as error:
            raise _NotSo(str(error)) from None
        return "hex, padding, certificates and container as written by the signer"

    def _embedded_chain(self) -> list[bytes]:
        """The embedded certificates, the signer's first: byte for byte those of the validated path."""
        path = self._validate().validation_path
        validated = {bytes(one.dump()) for one in path} if path is not None else None
        chain = [bytes(self.signature.signer_cert.dump())]
        chain += [bytes(one.dump()) for one in self.signature.other_embedded_certs]
        # A trust anchor is matched by name and key, so its embedded copy could differ in other bits.
        known = validated is None or validated.issuperset(chain)
        _require(known, "an embedded certificate took no part in the validated path")
        return chain

    def _certifies(self) -> str:
        from pyhanko.sign.fields import MDPPerm  # noqa: PLC0415
        from pyhanko.sign.validation import read_certification_data  # noqa: PLC0415

        found = read_certification_data(self.reader)
        _require(found is not None, "the file is signed but not certified: /DocMDP is missing")
        own = self.signature.sig_object.container_ref
        _require(found.author_sig.container_ref == own, "another signature than the issuer's certifies the file")
        _require(found.permission is MDPPerm.NO_CHANGES, "the certification allows later changes")
        return "no change allowed"

    def _time(self) -> str:
        self._validate()
        _require(self.signed_at is not None, "no time of signing is stated")
        assert self.signed_at is not None
        certificate = self._signer_certificate()
        _require(self.signed_at <= self.now + _CLOCK_TOLERANCE, "the time of signing lies in the future")
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        _require(start <= self.signed_at <= end, "the signer's certificate was not valid at the time of signing")
        ended = f"; that certificate has ended since, on {end:%Y-%m-%d}" if self.now > end else ""
        return f"{self.signed_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, by the signer's own statement{ended}"

    def _trusted(self) -> str:
        info = describe_certificate(self._signer_certificate(), verified_issuer=False)
        who = f"{info.name}, fingerprint {info.fingerprint_sha256}"
        _require(bool(self.anchors), f"issuer unknown: no trusted certificate was given (signed by {who})")
        status = self._validate()
        known = status.validation_path is not None and status.trust_problem_indic is None
        _require(known, f"signed by someone you did not say you trust ({who})")
        return who

    def _attached(self) -> str:
        try:
            self.statement = read_statement(self.reader.root)
            if self.signature is not None:
                signed = self.reader.get_historical_root(self.signature.signed_revision)
                _require(read_statement(signed) == self.statement, "the attached statement is not the signed one")
        except ValueError as error:
            raise _NotSo(str(error)) from None
        return f"{len(self.statement)} bytes"

    def _signer_certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.signature.signer_cert.dump())

    def _signer_certificates(self) -> tuple[x509.Certificate, ...]:
        try:
            return () if self.signature is None else (self._signer_certificate(),)
        except Exception:  # as above: of a damaged certificate there is none
            return ()

    def _signer_info(self) -> SignerInfo | None:
        if self.signature is None:
            return None
        try:
            trusted = self.facts["signature.trusted"].holds is True
            return describe_certificate(self._signer_certificate(), verified_issuer=trusted)
        except Exception:  # as above: a damaged certificate names nobody
            return None


class _NotSo(Exception):
    """A fact that does not hold, in words."""


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise _NotSo(otherwise)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)
