"""The media key, which marks released videos (`--c2pa`), with its certificate: made anew, or read from a file.

A key of its own: C2PA asks for a certificate with emailProtection that names its issuer, a PDF's signature for one
with nonRepudiation, and neither key is taken for the other. What such a certificate says stands in every video.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from deid_audit.certificate.key_files import KeyFile, KeyUse, read_key_file, write_key_files
from deid_audit.certificate.keys import (
    KEY_VALIDITY,
    NewKey,
    allows_commitment,
    describe_certificate,
    holder,
    is_for_mail,
    refuse_no_passphrase,
    usage_of,
)
from deid_audit.errors import SignatureError
from deid_audit.findings import SignerInfo

_USE = KeyUse(
    whose="media",
    passphrase_by="--c2pa-passphrase-file, DEID_AUDIT_C2PA_PASSPHRASE",
    make_one="make a key with: deid-audit keys new --role media --out DIR",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSigner(KeyFile):
    """Who marks videos: never taken for a signer of certificates. `info` is what a statement says about it."""

    info: SignerInfo


def new_media_key(out: Path, *, common_name: str, organisation: str | None, passphrase: bytes, now: datetime) -> NewKey:
    """Write a P-256 key with its certificate and that of its issuer (PKCS#12, 0600), both certificates also as PEM.

    The issuer vouches for this one key: its own key is forgotten at once. Never overwrites.

    Raises:
        SettingsError: a file of that name exists, the passphrase is empty, or a name cannot stand in a certificate.
    """
    refuse_no_passphrase(passphrase)
    start = now.astimezone(UTC).replace(microsecond=0)
    issuer, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issued_by, held_by = holder(f"{common_name}, issuer", organisation), holder(common_name, organisation)

    def certificate(
        name: x509.Name, of: ec.EllipticCurvePrivateKey, *extensions: tuple[x509.ExtensionType, bool]
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issued_by)
            .public_key(of.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + KEY_VALIDITY)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(of.public_key()), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(issuer, hashes.SHA256())

    above = certificate(
        issued_by,
        issuer,
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (usage_of("key_cert_sign", "crl_sign"), True),
    )
    own = certificate(
        held_by,
        key,
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (usage_of("digital_signature"), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), False),
    )
    key_file, certificate_file = write_key_files(
        out, name=common_name, key=key, certificate=own, above=(above,), passphrase=passphrase
    )
    info = describe_certificate(own, verified_issuer=True)
    return NewKey(key_file=key_file, certificate_file=certificate_file, info=info)


def load_media_signer(path: Path, passphrase: bytes | None, now: datetime) -> MediaSigner:
    """Read a media key from PKCS#12 or PEM; whether C2PA takes its certificate is tried later (`video/marking.py`).

    Raises:
        SignatureError: no usable key file (`key_files.py`), a key that signs certificates, or one not meant for media.
    """
    held = read_key_file(path, passphrase, now, _USE)
    if allows_commitment(held.certificate):
        raise SignatureError(
            "this key signs certificates (its key usage has nonRepudiation), and what signs those marks no video",
            next_step="give a media key with --c2pa; " + _USE.make_one,
        )
    if not is_for_mail(held.certificate):
        raise SignatureError(
            "the media certificate is not meant for media: its extended key usage lacks emailProtection",
            next_step="ask for a certificate with key usage digitalSignature and extended key usage emailProtection, "
            "or " + _USE.make_one,
        )
    return MediaSigner(
        info=describe_certificate(held.certificate, verified_issuer=True),
        certificate=held.certificate,
        chain=held.chain,
        private_key=held.private_key,
    )
