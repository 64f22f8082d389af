"""The signer's key and certificate: made anew, read from a file, or made on the spot for one run.

Every way in which a key file cannot sign is refused here or in `key_files.py`, before any work starts. Nothing here
signs or checks a PDF; a passphrase comes in as bytes and is never kept.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deid_audit.certificate.key_files import KeyUse, as_pem, read_key_file, write_key_files
from deid_audit.errors import SettingsError, SignatureError
from deid_audit.findings import SignerInfo
from deid_audit.signing_keys import CertifiedKey

KEY_VALIDITY = timedelta(days=730)
_SPOT_VALIDITY = timedelta(days=365)
_SPOT_NAME = "deid-audit key made on the spot"
USE = KeyUse(
    whose="signer's",
    passphrase_by="--passphrase-file, DEID_AUDIT_PASSPHRASE",
    make_one="make a key with: deid-audit keys new --out DIR",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer(CertifiedKey):
    """A private key with its X.509 certificate and the chain above it; `info` is what a statement says about it."""

    info: SignerInfo
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def certificate_pem(self) -> bytes:
        """The signer's own certificate as PEM: what a board needs to check the signature."""
        return as_pem(self.certificate)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """Where `new_key` wrote, and whose key it is."""

    key_file: Path
    certificate_file: Path
    info: SignerInfo


def describe_certificate(certificate: x509.Certificate, *, verified_issuer: bool) -> SignerInfo:
    """The certificate's holder, SHA-256 fingerprint (hex, of the DER) and last valid second (UTC)."""
    parts = [
        str(attribute.value)
        for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
        for attribute in certificate.subject.get_attributes_for_oid(oid)
    ]
    return SignerInfo(
        name=", ".join(parts) or certificate.subject.rfc4514_string() or "no name in the certificate",
        fingerprint_sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        not_after=certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        verified_issuer=verified_issuer,
    )


def new_key(out: Path, *, common_name: str, organisation: str | None, passphrase: bytes, now: datetime) -> NewKey:
    """Write a P-256 key (PKCS#12, mode 0600) and its self-issued certificate (PEM) into `out`; never overwrites.

    Raises:
        SettingsError: a file of that name exists, the passphrase is empty, or a name cannot stand in a certificate.
    """
    refuse_no_passphrase(passphrase)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _self_issue(key, common_name, organisation, now, KEY_VALIDITY)
    key_file, certificate_file = write_key_files(
        out, name=common_name, key=key, certificate=certificate, above=(), passphrase=passphrase
    )
    info = describe_certificate(certificate, verified_issuer=True)
    return NewKey(key_file=key_file, certificate_file=certificate_file, info=info)


def refuse_no_passphrase(passphrase: bytes) -> None:
    """SettingsError for an empty one: no key is written in plain."""
    if not passphrase:
        raise SettingsError("the passphrase is empty", next_step="choose a passphrase of several words")


def ephemeral_signer(now: datetime) -> Signer:
    """A P-256 key made on the spot and held in memory only: it proves integrity, not who issued."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _self_issue(key, _SPOT_NAME, None, now, _SPOT_VALIDITY)
    info = describe_certificate(certificate, verified_issuer=False)
    return Signer(info=info, certificate=certificate, private_key=key)


def load_signer(path: Path, passphrase: bytes | None, now: datetime) -> Signer:
    """Read a signer from PKCS#12 (.p12, .pfx) or PEM (key and certificates in one file, key encrypted or not).

    Raises:
        SignatureError: missing file, wrong passphrase, not a key file, foreign or unsuitable key, certificate that
            does not belong to the key, is not valid at `now`, or is not meant for signatures.
    """
    held = read_key_file(path, passphrase, now, USE)
    require_signing_usage(held.certificate)
    return Signer(
        info=describe_certificate(held.certificate, verified_issuer=True),
        certificate=held.certificate,
        chain=held.chain,
        private_key=held.private_key,
    )


def holder(common_name: str, organisation: str | None) -> x509.Name:
    """The name of a certificate's holder; SettingsError where one cannot stand there."""
    try:
        names = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        if organisation:
            names.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    except ValueError as error:
        raise SettingsError(f"this name cannot stand in a certificate: {error}", next_step="shorten --name") from None
    return x509.Name(names)


def usage_of(*allowed: str) -> x509.KeyUsage:
    """A key usage that allows these, by the names of RFC 5280 in Python's spelling, and nothing else."""
    every = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: name in allowed for name in every})


def allows_commitment(certificate: x509.Certificate) -> bool:
    """Whether its key usage names nonRepudiation, which tells a key that signs documents from all others."""
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.content_commitment
    except (x509.ExtensionNotFound, ValueError):
        return False


def is_for_mail(certificate: x509.Certificate) -> bool:
    """Whether it says emailProtection, which is what C2PA asks of a certificate that marks media."""
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return ExtendedKeyUsageOID.EMAIL_PROTECTION in usages


def _self_issue(
    key: ec.EllipticCurvePrivateKey, common_name: str, organisation: str | None, now: datetime, validity: timedelta
) -> x509.Certificate:
    start = now.astimezone(UTC).replace(microsecond=0)
    name = holder(common_name, organisation)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + validity)
        # Not a CA: the certificate is its own trust anchor and must not vouch for others.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage_of("digital_signature", "content_commitment"), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def require_signing_usage(certificate: x509.Certificate) -> None:
    if allows_commitment(certificate):
        return
    if is_for_mail(certificate):
        raise SignatureError(
            "this is a media key, or one for mail: it may mark videos (--c2pa) and sign no certificate",
            next_step="give the steward's key with --signer, or " + USE.make_one,
        )
    raise SignatureError(
        "the signer's certificate is not meant for signatures: its key usage lacks nonRepudiation",
        next_step="ask for a certificate with key usage digitalSignature and nonRepudiation, or " + USE.make_one,
    )
