"""The forms of the certificates that this tool issues: a signer's, a timestamp authority's, an issuing authority's.

Builds and signs; who asks, and where keys lie, is the matter of `keys` and `authority`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deid_audit.errors import SettingsError, SignatureError

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
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
    TIMESTAMPS = "timestamps"
    ISSUER = "issuer"


_USAGES = {
    Profile.SIGNER: ("digital_signature", "content_commitment"),
    Profile.TIMESTAMPS: ("digital_signature", "content_commitment"),
    Profile.ISSUER: ("key_cert_sign", "crl_sign"),
}
_UNITS = {Profile.SIGNER: None, Profile.TIMESTAMPS: OWN_CLOCK, Profile.ISSUER: SELF_MADE}
VALIDITY = {
    Profile.SIGNER: timedelta(days=730),
    Profile.TIMESTAMPS: timedelta(days=730),
    Profile.ISSUER: timedelta(days=1826),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """An authority's key with its own certificate."""

    certificate: x509.Certificate
    private_key: SigningKey


def make_certificate(
    key: SigningKey,
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
        .add_extension(x509.KeyUsage(**{one: one in _USAGES[profile] for one in _ALL_USAGES}), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if profile is Profile.TIMESTAMPS:  # RFC 3161, 2.3: critical, and for nothing else
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    if issuer is None:
        return builder.sign(key, hashes.SHA256())
    vouching = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.private_key.public_key())
    return builder.add_extension(vouching, critical=False).sign(issuer.private_key, hashes.SHA256())


def is_for_timestamps(certificate: x509.Certificate) -> bool:
    """Whether this certificate says that it is a timestamp authority's."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return ExtendedKeyUsageOID.TIME_STAMPING in usage


def says(certificate: x509.Certificate, unit: str) -> bool:
    """Whether the subject bears one of the two labels above."""
    units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    return any(one.value == unit for one in units)


def _subject(profile: Profile, common_name: str, organisation: str | None) -> x509.Name:
    parts = {
        NameOID.COMMON_NAME: common_name,
        NameOID.ORGANIZATION_NAME: organisation,
        NameOID.ORGANIZATIONAL_UNIT_NAME: _UNITS[profile],
    }
    try:
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts.items() if value])
    except ValueError as error:
        raise SettingsError(f"this name cannot stand in a certificate: {error}", next_step="shorten --name") from None
