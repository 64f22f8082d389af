"""Revocation lists (CRLs, RFC 5280): read, held against a certificate and its issuer, and made by a pilot's authority.

A list comes from whoever checks or signs, from a file; nothing is looked up. What a revocation means for a signature
depends on when it was made, which is not asked here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization

from deid_audit.certificate.profiles import Issuer
from deid_audit.errors import SettingsError
from deid_audit.files import read_at_most

Crl = x509.CertificateRevocationList
LIST_VALIDITY = timedelta(days=30)
CLOCK_TOLERANCE = timedelta(days=1)
_LARGEST_LIST_BYTES = 16 << 20
_KNOWN_CRITICAL = (x509.CRLNumber, x509.AuthorityKeyIdentifier)


class Reason(StrEnum):
    """Why a certificate is revoked (RFC 5280, 5.3.1), as far as a person chooses it."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "keyCompromise"
    AFFILIATION_CHANGED = "affiliationChanged"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessationOfOperation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """Since when a certificate is not to be relied on: the earlier of the list's two dates."""

    since: datetime
    reason: str


def read_crls(files: Sequence[Path]) -> tuple[Crl, ...]:
    """The lists of these files (PEM or DER); SettingsError for one that cannot be read, or is none."""
    lists = []
    for path in files:
        try:
            data = read_at_most(path, _LARGEST_LIST_BYTES)
        except OSError as error:
            why = error.strerror or "input/output error"
            raise SettingsError(f"a revocation list cannot be read: {why}", next_step="check --crl") from None
        lists.append(parse_crl(data or b""))
    return tuple(lists)


def parse_crl(data: bytes) -> Crl:
    """One list in PEM or DER; SettingsError when it is none."""
    try:
        if b"-----BEGIN" in data:
            return x509.load_pem_x509_crl(data)
        return x509.load_der_x509_crl(data)
    except ValueError:
        raise SettingsError(
            "a file of --crl holds no revocation list", next_step="give the issuer's list (PEM or DER)"
        ) from None


def issuer_of(certificate: x509.Certificate, among: Iterable[x509.Certificate]) -> x509.Certificate | None:
    """Whose key signed this certificate: the issuer by proof, whoever is trusted."""
    for one in among:
        try:
            certificate.verify_directly_issued_by(one)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            continue
        return one
    return None


def is_self_issued(certificate: x509.Certificate) -> bool:
    """Whether the certificate vouches for itself: then there is nobody to revoke it."""
    return issuer_of(certificate, [certificate]) is not None


def list_by(issuer: x509.Certificate, lists: Iterable[Crl]) -> Crl | None:
    """The newest list in the name of this issuer; whether it is theirs, and holds, `fault_of` says."""
    own = [one for one in lists if one.issuer == issuer.subject]
    return max(own, key=lambda one: one.last_update_utc, default=None)


def fault_of(crl: Crl, issuer: x509.Certificate) -> str:
    """Why this list says nothing on any day: another key signed it, or its form is not understood; else empty."""
    try:
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        usage = None
    if usage is not None and not usage.crl_sign:
        return "the issuer's certificate is not meant for revocation lists"
    try:
        fits = crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
        strange = any(one.critical and not isinstance(one.value, _KNOWN_CRITICAL) for one in crl.extensions)
        strange = strange or any(one.critical for entry in crl for one in entry.extensions)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "the revocation list is damaged"
    if not fits:
        return "the revocation list bears the issuer's name, and another key signed it"
    if strange:  # a list of changes only, say, or of some certificates only
        return "the revocation list has a critical extension that is not understood here"
    return ""


def out_of_date(crl: Crl, at: datetime) -> str:
    """Why this list says nothing on that day: it has run out, names no end, or is of the future; else empty."""
    if crl.last_update_utc > at + CLOCK_TOLERANCE:
        return f"the revocation list is dated {_day(crl.last_update_utc)}, which lies in the future"
    if crl.next_update_utc is None:
        return "the revocation list does not say until when it counts"
    if crl.next_update_utc < at:
        return f"the revocation list of {_day(crl.last_update_utc)} ran out on {_day(crl.next_update_utc)}"
    return ""


def revocation_of(certificate: x509.Certificate, crl: Crl) -> Revocation | None:
    """What the list says of this certificate; None where it does not name it."""
    entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
    if entry is None:
        return None
    since, reason = entry.revocation_date_utc, "unspecified"
    for extension in entry.extensions:
        if isinstance(extension.value, x509.InvalidityDate):
            since = min(since, extension.value.invalidity_date_utc)
        elif isinstance(extension.value, x509.CRLReason):
            reason = str(extension.value.reason.value)
    return Revocation(since=since, reason=reason)


def revoke(
    certificate: x509.Certificate | None, authority: Issuer, old: Crl | None, reason: Reason, now: datetime
) -> Crl:
    """The authority's next list: all that the old one names, and this certificate; good for 30 days.

    Without a certificate it is made anew only. One that is revoked already keeps its first date.

    Raises:
        SettingsError: the certificate, or the old list, is not this authority's.
    """
    issuer = authority.certificate
    at = now.astimezone(UTC).replace(microsecond=0)
    if certificate is not None and issuer_of(certificate, [issuer]) is None:
        raise SettingsError(
            "the certificate was not issued by the authority of --ca, which cannot revoke it",
            next_step="give the authority that issued it",
        )
    number = 1
    entries: list[x509.RevokedCertificate] = []
    if old is not None:
        if old.issuer != issuer.subject or fault_of(old, issuer):
            raise SettingsError(
                "the file of --crl holds another authority's list, or an altered one: nothing was written",
                next_step="give this authority's list, or a file that is not there yet",
            )
        entries = list(old)
        number = _number_of(old) + 1
    if certificate is not None and all(one.serial_number != certificate.serial_number for one in entries):
        entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(at)
        if reason is not Reason.UNSPECIFIED:  # RFC 5280: the entry should then be left out
            entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags(reason.value)), critical=False)
        entries.append(entry.build())
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(at)
        .next_update(at + LIST_VALIDITY)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.private_key.public_key()), critical=False
        )
    )
    for one in entries:
        builder = builder.add_revoked_certificate(one)
    return builder.sign(authority.private_key, hashes.SHA256())


def _number_of(crl: Crl) -> int:
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0


def pem_of(crl: Crl) -> bytes:
    """The list as a file."""
    return crl.public_bytes(serialization.Encoding.PEM)


def _day(when: datetime) -> str:
    return f"{when:%Y-%m-%d}"
