"""A key file, read: PKCS#12 or PEM, and every way in which it cannot be used refused with its own reason.

The same for every key; what its certificate must allow differs (`keys.py`, `media_keys.py`, `authority.py`), and so do
the words of the errors. No message carries a path; a passphrase is never kept.
"""

import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from deid_audit.errors import SettingsError, SignatureError
from deid_audit.signing_keys import USABLE_KEYS, usable

LocalKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
KEY_FILE_NAME = "signer.p12"
CERTIFICATE_FILE_NAME = "signer.crt"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """What errors call a key by (`whose` file), the ways its passphrase comes in, and how to make one."""

    whose: str
    passphrase_by: str
    make_one: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """What a key file holds: a usable key, its own certificate, valid now, and the other certificates."""

    private_key: LocalKey = field(repr=False)
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]


def read_key_file(path: Path, passphrase: bytes | None, now: datetime, use: KeyUse) -> KeyFile:
    """Read PKCS#12 (.p12, .pfx) or PEM (key and certificates in one file, key encrypted or not).

    Raises:
        SignatureError: missing file, wrong passphrase, not a key file, foreign or unsuitable key, certificate that
            does not belong to the key or is not valid at `now`.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise SignatureError(f"the {use.whose} key file does not exist", next_step=use.make_one) from None
    except OSError as error:
        why = error.strerror or "input/output error"
        raise SignatureError(f"the {use.whose} key file cannot be read: {why}", next_step=use.make_one) from None
    read = _read_pem if data.lstrip().startswith(b"-----BEGIN") else _read_pkcs12
    key, certificates = read(data, passphrase, use)
    usable_key = _require_common_key(key, use)
    own = [one for one in certificates if one.public_key() == usable_key.public_key()]
    if not own:
        raise SignatureError(
            f"the key in the {use.whose} file does not belong to the certificate in it"
            if certificates
            else f"the {use.whose} file holds a key but no certificate",
            next_step="put the key and its own certificate into one file",
        )
    require_valid_now(own[0], now, use)
    return KeyFile(
        private_key=usable_key, certificate=own[0], chain=tuple(one for one in certificates if one not in own)
    )


def write_key_files(
    out: Path,
    stem: str,
    *,
    name: str,
    key: LocalKey,
    certificate: x509.Certificate,
    above: tuple[x509.Certificate, ...],
    published: tuple[x509.Certificate, ...],
    passphrase: bytes,
) -> tuple[Path, Path]:
    """Write a key with its certificate and those above it (stem.p12, mode 0600), and what to hand on; never overwrites.

    `published` are the certificates that stand in stem.crt (PEM).

    Raises:
        SettingsError: a file of that name exists, or the folder cannot be written.
    """
    key_file, certificate_file = out / f"{stem}.p12", out / f"{stem}.crt"
    for path in (key_file, certificate_file):
        if path.exists() or path.is_symlink():
            raise SettingsError(
                f"{path.name} already stands in the output folder and is never overwritten",
                next_step="give another folder with --out",
            )
    bundle = pkcs12.serialize_key_and_certificates(
        name.encode(), key, certificate, above or None, serialization.BestAvailableEncryption(passphrase)
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
        _write_new(key_file, bundle, 0o600)
        _write_new(certificate_file, as_pem(*published), 0o644)
    except OSError as error:
        raise SettingsError(
            f"the key could not be written: {error.strerror or 'input/output error'}",
            next_step="give a folder that can be written with --out",
        ) from None
    return key_file, certificate_file


def as_pem(*certificates: x509.Certificate) -> bytes:
    """Certificates one after the other as PEM."""
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Create `path`; O_EXCL makes "never overwritten" true even when two processes race."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _wrong_passphrase(passphrase: bytes | None, use: KeyUse) -> SignatureError:
    needed = f"the {use.whose} key needs a passphrase"
    said = f"the passphrase does not open the {use.whose} key file" if passphrase else needed
    return SignatureError(said, next_step=f"give it with {use.passphrase_by} or at the prompt")


def _not_a_key_file(use: KeyUse) -> SignatureError:
    return SignatureError(f"the {use.whose} file is not a key file (PKCS#12 or PEM)", next_step=use.make_one)


def _read_pkcs12(data: bytes, passphrase: bytes | None, use: KeyUse) -> tuple[object, list[x509.Certificate]]:
    try:
        bundle = pkcs12.load_pkcs12(data, passphrase)
    except (ValueError, TypeError):
        raise (_wrong_passphrase(passphrase, use) if _looks_like_pkcs12(data) else _not_a_key_file(use)) from None
    certificates = [bundle.cert.certificate] if bundle.cert else []
    certificates += [one.certificate for one in bundle.additional_certs]
    if bundle.key is None:
        raise SignatureError(
            f"the {use.whose} file holds no private key", next_step="export the key with its certificate"
        )
    return bundle.key, certificates


def _looks_like_pkcs12(data: bytes) -> bool:
    from asn1crypto import pkcs12 as asn1_pkcs12  # noqa: PLC0415  (only on the way to an error)

    try:
        return bool(asn1_pkcs12.Pfx.load(data, strict=True)["version"].native == "v3")
    except (ValueError, TypeError):
        return False


def _read_pem(data: bytes, passphrase: bytes | None, use: KeyUse) -> tuple[object, list[x509.Certificate]]:
    encrypted = b"ENCRYPTED" in data
    if b"PRIVATE KEY-----" not in data:
        raise SignatureError(
            f"the {use.whose} file holds no private key", next_step="put key and certificate in one file"
        )
    if encrypted and not passphrase:
        raise _wrong_passphrase(None, use)
    try:
        key = serialization.load_pem_private_key(_key_block(data), passphrase if encrypted else None)
    except (ValueError, TypeError):
        raise (_wrong_passphrase(passphrase, use) if encrypted else _not_a_key_file(use)) from None
    try:
        return key, x509.load_pem_x509_certificates(data) if b"BEGIN CERTIFICATE" in data else []
    except ValueError:
        raise _not_a_key_file(use) from None


def _key_block(data: bytes) -> bytes:
    """The private key's PEM block alone: cryptography reads the first block of whatever kind."""
    at = data.index(b"PRIVATE KEY-----")
    start = data.rindex(b"-----BEGIN", 0, at)
    end = data.find(b"PRIVATE KEY-----", at + 1)
    return data[start : end + len(b"PRIVATE KEY-----")] + b"\n" if end > 0 else b""


def _require_common_key(key: object, use: KeyUse) -> LocalKey:
    if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) and usable(key.public_key()):
        return key
    raise refused_key(type(key).__name__.removesuffix("PrivateKey"), use)


def refused_key(kind: str, use: KeyUse) -> SignatureError:
    """What is said of a key of a kind that may not sign."""
    return SignatureError(
        f"a key of this type ({kind}) is refused: viewers cannot check its signatures, or it is too weak",
        next_step=f"use {USABLE_KEYS}; {use.make_one}",
    )


def require_valid_now(certificate: x509.Certificate, now: datetime, use: KeyUse) -> None:
    """Raises SignatureError for a certificate that is not valid at `now`."""
    if now < certificate.not_valid_before_utc:
        raise SignatureError(
            f"the {use.whose} certificate is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
            next_step="check this machine's clock, or wait",
        )
    if now > certificate.not_valid_after_utc:
        raise SignatureError(
            f"the {use.whose} certificate expired on {certificate.not_valid_after_utc:%Y-%m-%d}", next_step=use.make_one
        )
