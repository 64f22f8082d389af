"""The signer's key and certificate: made anew, read from a file, or made on the spot for one run.

Every way in which a key file cannot sign is refused here, before any work starts. Nothing here signs or checks a
PDF; a passphrase comes in as bytes and is never kept.
"""

import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from deid_audit.certificate.profiles import VALIDITY, Issuer, Profile, SigningKey, is_for_timestamps, make_certificate
from deid_audit.errors import SettingsError, SignatureError
from deid_audit.findings import SignerInfo

if TYPE_CHECKING:
    from deid_audit.certificate.timestamps import TimestampAuthority

KEY_FILE_NAME = "signer.p12"
CERTIFICATE_FILE_NAME = "signer.crt"
KEY_VALIDITY = VALIDITY[Profile.SIGNER]
_SPOT_VALIDITY = timedelta(days=365)
_SPOT_NAME = "deid-audit key made on the spot"
_FILE_NAMES = {
    Profile.SIGNER: (KEY_FILE_NAME, CERTIFICATE_FILE_NAME),
    Profile.TIMESTAMPS: ("tsa.p12", "tsa.crt"),
    Profile.ISSUER: ("ca.p12", "ca.crt"),
}
_MAKE_ONE = "make a key with: deid-audit keys new --out DIR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A private key with its X.509 certificate and the chain above it; `info` is what a statement says about it.

    `crls` are written into the document with a timestamp; `timestamps` is whom the signer asks for one.
    """

    info: SignerInfo
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()
    private_key: SigningKey = field(repr=False)
    crls: tuple[x509.CertificateRevocationList, ...] = ()
    timestamps: "TimestampAuthority | None" = None

    @property
    def certificate_pem(self) -> bytes:
        """The signer's own certificate as PEM: what a board needs to check the signature."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


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


def new_key(
    out: Path,
    *,
    common_name: str,
    organisation: str | None,
    passphrase: bytes,
    now: datetime,
    profile: Profile = Profile.SIGNER,
    issuer: Issuer | None = None,
) -> NewKey:
    """Write a P-256 key (PKCS#12, mode 0600) and its certificate (PEM) into `out`; never overwrites.

    The certificate is issued by `issuer`, which then stands in the PKCS#12, too, or by the key itself.

    Raises:
        SettingsError: a file of that name exists, the passphrase is empty, or a name cannot stand in a certificate.
        SignatureError: the issuer's certificate is not valid at `now`.
    """
    if not passphrase:
        raise SettingsError("the passphrase is empty", next_step="choose a passphrase of several words")
    key_file, certificate_file = (out / name for name in _FILE_NAMES[profile])
    for path in (key_file, certificate_file):
        if path.exists() or path.is_symlink():
            raise SettingsError(
                f"{path.name} already stands in the output folder and is never overwritten",
                next_step="give another folder with --out",
            )
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = make_certificate(
        key, profile, common_name=common_name, organisation=organisation, now=now, issuer=issuer
    )
    bundle = pkcs12.serialize_key_and_certificates(
        common_name.encode(),
        key,
        certificate,
        None if issuer is None else [issuer.certificate],
        serialization.BestAvailableEncryption(passphrase),
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
        _write_new(key_file, bundle, 0o600)
        _write_new(certificate_file, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    except OSError as error:
        raise SettingsError(
            f"the key could not be written: {error.strerror or 'input/output error'}",
            next_step="give a folder that can be written with --out",
        ) from None
    info = describe_certificate(certificate, verified_issuer=True)
    return NewKey(key_file=key_file, certificate_file=certificate_file, info=info)


def ephemeral_signer(now: datetime) -> Signer:
    """A P-256 key made on the spot and held in memory only: it proves integrity, not who issued."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = make_certificate(
        key, Profile.SIGNER, common_name=_SPOT_NAME, organisation=None, now=now, validity=_SPOT_VALIDITY
    )
    info = describe_certificate(certificate, verified_issuer=False)
    return Signer(info=info, certificate=certificate, private_key=key)


def load_signer(path: Path, passphrase: bytes | None, now: datetime) -> Signer:
    """Read a signer from PKCS#12 (.p12, .pfx) or PEM (key and certificates in one file, key encrypted or not).

    Raises:
        SignatureError: missing file, wrong passphrase, not a key file, foreign or unsuitable key, certificate that
            does not belong to the key, is not valid at `now`, or is not meant for signatures.
    """
    signer = load_key(path, passphrase, now)
    _require_signing_usage(signer.certificate)
    return signer


def load_key(path: Path, passphrase: bytes | None, now: datetime) -> Signer:
    """Like `load_signer`, whatever the certificate is meant for."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise SignatureError("the signer's key file does not exist", next_step=_MAKE_ONE) from None
    except OSError as error:
        why = error.strerror or "input/output error"
        raise SignatureError(f"the signer's key file cannot be read: {why}", next_step=_MAKE_ONE) from None
    key, certificates = (
        _read_pem(data, passphrase) if data.lstrip().startswith(b"-----BEGIN") else _read_pkcs12(data, passphrase)
    )
    usable_key = _require_pdf_key(key)
    own = [one for one in certificates if one.public_key() == usable_key.public_key()]
    if not own:
        raise SignatureError(
            "the key in the signer's file does not belong to the certificate in it"
            if certificates
            else "the signer's file holds a key but no certificate",
            next_step="put the key and its own certificate into one file",
        )
    certificate = own[0]
    _require_valid_now(certificate, now)
    return Signer(
        info=describe_certificate(certificate, verified_issuer=True),
        certificate=certificate,
        chain=tuple(one for one in certificates if one not in own),
        private_key=usable_key,
    )


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Create `path`; O_EXCL makes "never overwritten" true even when two processes race."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _wrong_passphrase(passphrase: bytes | None) -> SignatureError:
    said = "the passphrase does not open the signer's key file" if passphrase else "the signer's key needs a passphrase"
    return SignatureError(said, next_step="give it with --passphrase-file, DEID_AUDIT_PASSPHRASE or at the prompt")


def _not_a_key_file() -> SignatureError:
    return SignatureError("the signer's file is not a key file (PKCS#12 or PEM)", next_step=_MAKE_ONE)


def _read_pkcs12(data: bytes, passphrase: bytes | None) -> tuple[object, list[x509.Certificate]]:
    try:
        bundle = pkcs12.load_pkcs12(data, passphrase)
    except (ValueError, TypeError):
        raise (_wrong_passphrase(passphrase) if _looks_like_pkcs12(data) else _not_a_key_file()) from None
    certificates = [bundle.cert.certificate] if bundle.cert else []
    certificates += [one.certificate for one in bundle.additional_certs]
    if bundle.key is None:
        raise SignatureError("the signer's file holds no private key", next_step="export the key with its certificate")
    return bundle.key, certificates


def _looks_like_pkcs12(data: bytes) -> bool:
    from asn1crypto import pkcs12 as asn1_pkcs12  # noqa: PLC0415  (only on the way to an error)

    try:
        return bool(asn1_pkcs12.Pfx.load(data, strict=True)["version"].native == "v3")
    except (ValueError, TypeError):
        return False


def _read_pem(data: bytes, passphrase: bytes | None) -> tuple[object, list[x509.Certificate]]:
    encrypted = b"ENCRYPTED" in data
    if b"PRIVATE KEY-----" not in data:
        raise SignatureError("the signer's file holds no private key", next_step="put key and certificate in one file")
    if encrypted and not passphrase:
        raise _wrong_passphrase(None)
    try:
        key = serialization.load_pem_private_key(_key_block(data), passphrase if encrypted else None)
    except (ValueError, TypeError):
        raise (_wrong_passphrase(passphrase) if encrypted else _not_a_key_file()) from None
    try:
        return key, x509.load_pem_x509_certificates(data) if b"BEGIN CERTIFICATE" in data else []
    except ValueError:
        raise _not_a_key_file() from None


def _key_block(data: bytes) -> bytes:
    """The private key's PEM block alone: cryptography reads the first block of whatever kind."""
    at = data.index(b"PRIVATE KEY-----")
    start = data.rindex(b"-----BEGIN", 0, at)
    end = data.find(b"PRIVATE KEY-----", at + 1)
    return data[start : end + len(b"PRIVATE KEY-----")] + b"\n" if end > 0 else b""


def _require_pdf_key(key: object) -> SigningKey:
    """P-256, P-384 and RSA from 2048 bits: the keys whose PDF signatures common viewers check."""
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
        return key
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
        return key
    kind = type(key).__name__.removesuffix("PrivateKey")
    raise SignatureError(
        f"a key of this type ({kind}) is refused: PDF viewers cannot check its signatures, or it is too weak",
        next_step="use ECDSA P-256 or P-384, or RSA of at least 2048 bits; " + _MAKE_ONE,
    )


def _require_valid_now(certificate: x509.Certificate, now: datetime) -> None:
    if now < certificate.not_valid_before_utc:
        raise SignatureError(
            f"the signer's certificate is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
            next_step="check this machine's clock, or wait",
        )
    if now > certificate.not_valid_after_utc:
        raise SignatureError(
            f"the signer's certificate expired on {certificate.not_valid_after_utc:%Y-%m-%d}", next_step=_MAKE_ONE
        )


def _require_signing_usage(certificate: x509.Certificate) -> None:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        usage = None
    if usage is None or not usage.content_commitment:
        raise SignatureError(
            "the signer's certificate is not meant for signatures: its key usage lacks nonRepudiation",
            next_step="ask for a certificate with key usage digitalSignature and nonRepudiation, or " + _MAKE_ONE,
        )
    if is_for_timestamps(certificate):
        raise SignatureError(
            "the signer's certificate is a timestamp authority's, and good for nothing else",
            next_step="give it with --tsa, and a signer's key with --signer",
        )
