"""The forms of the certificates that this tool issues: a signer's, a media key's, a timestamp authority's, an
issuing authority's; and the marks by which they are told apart.

Builds and signs; who asks, and where keys lie, is the matter of `keys` and `authority`.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deid_audit.certificate.key_files import LocalKey
from deid_audit.errors import SettingsError, SignatureError

# In the subject of what was made here, since a name is what everybody shows: neither proves anything to a stranger.
SELF_MADE = "made with deid-audit for a pilot"
OWN_CLOCK = "the issuer's own clock"
_ALL_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


class Profile(StrEnum):
    """What a certificate is for."""

    SIGNER = "signer"
    MEDIA = "media"
    TIMESTAMPS = "timestamps"
    ISSUER = "issuer"


_USAGES = {
    Profile.SIGNER: ("digital_signature", "content_commitment"),
    Profile.MEDIA: ("digital_signature",),
    Profile.TIMESTAMPS: ("digital_signature", "content_commitment"),
    Profile.ISSUER: ("key_cert_sign", "crl_sign"),
}
_UNITS = {Profile.TIMESTAMPS: OWN_CLOCK, Profile.ISSUER: SELF_MADE}
# Each with whether it is critical. RFC 3161, 2.3: critical, and for nothing else; C2PA asks for emailProtection.
_EXTENDED = {
    Profile.MEDIA: (ExtendedKeyUsageOID.EMAIL_PROTECTION, False),
    Profile.TIMESTAMPS: (ExtendedKeyUsageOID.TIME_STAMPING, True),
}
VALIDITY = {
    Profile.SIGNER: timedelta(days=730),
    Profile.MEDIA: timedelta(days=730),
    Profile.TIMESTAMPS: timedelta(days=730),
    Profile.ISSUER: timedelta(days=1826),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """An authority's key with its own certificate."""

    certificate: x509.Certificate
    private_key: LocalKey = field(repr=False)


def make_certificate(
    key: LocalKey,
    profile: Profile,
    *,
    common_name: str,
    organisation: str | None,
    now: datetime,
    validity: timedelta | None = None,
    issuer: Issuer | None = None,
) -> x509.Certificate:
    """A certificate for `key`, issued by `issuer`, or by the key itself; it never outlives its issuer.

    Raises:
        SettingsError: a name cannot stand in a certificate.
        SignatureError: the issuer's certificate is not valid at `now`.
    """
    start = now.astimezone(UTC).replace(microsecond=0)
    subject = _subject(profile, common_name, organisation)
    end = start + (validity or VALIDITY[profile])
    if issuer is not None:
        if not issuer.certificate.not_valid_before_utc <= start < issuer.certificate.not_valid_after_utc:
            raise SignatureError(
                "the authority's certificate is not valid now",
                next_step="check this machine's clock, or make another with: deid-audit keys new-ca",
            )
        end = min(end, issuer.certificate.not_valid_after_utc)
    # A signer is no authority: the certificate may be its own trust anchor and must not vouch for others.
    authority = profile is Profile.ISSUER
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
        .add_extension(usage_of(*_USAGES[profile]), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if profile in _EXTENDED:
        purpose, critical = _EXTENDED[profile]
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=critical)
    if issuer is None:
        return builder.sign(key, hashes.SHA256())
    vouching = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.private_key.public_key())
    return builder.add_extension(vouching, critical=False).sign(issuer.private_key, hashes.SHA256())


def usage_of(*allowed: str) -> x509.KeyUsage:
    """A key usage that allows these, by the names of RFC 5280 in Python's spelling, and nothing else."""
    return x509.KeyUsage(**{one: one in allowed for one in _ALL_USAGES})


def allows_commitment(certificate: x509.Certificate) -> bool:
    """Whether its key usage names nonRepudiation, as those of keys that sign documents or times do."""
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.content_commitment
    except (x509.ExtensionNotFound, ValueError):
        return False


def is_for_mail(certificate: x509.Certificate) -> bool:
    """Whether it says emailProtection, which is what C2PA asks of a certificate that marks media."""
    return ExtendedKeyUsageOID.EMAIL_PROTECTION in _purposes(certificate)


def is_for_timestamps(certificate: x509.Certificate) -> bool:
    """Whether this certificate says that it is a timestamp authority's."""
    return ExtendedKeyUsageOID.TIME_STAMPING in _purposes(certificate)


def _purposes(certificate: x509.Certificate) -> list[x509.ObjectIdentifier]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except (x509.ExtensionNotFound, ValueError):
        return []


def says(certificate: x509.Certificate, unit: str) -> bool:
    """Whether the subject bears one of the two labels above."""
    units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    return any(one.value == unit for one in units)


def _subject(profile: Profile, common_name: str, organisation: str | None) -> x509.Name:
    parts = {
        NameOID.COMMON_NAME: common_name,
        NameOID.ORGANIZATION_NAME: organisation,
        NameOID.ORGANIZATIONAL_UNIT_NAME: _UNITS.get(profile),
    }
    try:
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts.items() if value])
    except ValueError as error:
        raise SettingsError(f"this name cannot stand in a certificate: {error}", next_step="shorten --name") from None
