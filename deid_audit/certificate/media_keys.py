"""The media key, which marks released videos (`--c2pa`), with its certificate: made anew, or read from a file.

A key of its own: C2PA asks for a certificate with emailProtection that names its issuer, a PDF's signature for one
with nonRepudiation, and neither key is taken for the other. What such a certificate says stands in every video.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from deid_audit.certificate.key_files import KeyFile, KeyUse, read_key_file, write_key_files
from deid_audit.certificate.keys import NewKey, describe_certificate, refuse_no_passphrase
from deid_audit.certificate.profiles import (
    VALIDITY,
    Issuer,
    Profile,
    allows_commitment,
    is_for_mail,
    make_certificate,
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


def new_media_key(
    out: Path,
    *,
    common_name: str,
    organisation: str | None,
    passphrase: bytes,
    now: datetime,
    issuer: Issuer | None = None,
) -> NewKey:
    """Write a P-256 key with its certificate and that of its issuer (PKCS#12, 0600), both certificates also as PEM.

    Without `issuer`, one is made that vouches for this one key: its own key is forgotten at once. Never overwrites.

    Raises:
        SettingsError: a file of that name exists, the passphrase is empty, or a name cannot stand in a certificate.
        SignatureError: the issuer's certificate is not valid at `now`.
    """
    refuse_no_passphrase(passphrase)
    key = ec.generate_private_key(ec.SECP256R1())
    by = issuer or _own_issuer(common_name, organisation, now)
    own = make_certificate(key, Profile.MEDIA, common_name=common_name, organisation=organisation, now=now, issuer=by)
    key_file, certificate_file = write_key_files(
        out,
        "signer",
        name=common_name,
        key=key,
        certificate=own,
        above=(by.certificate,),
        published=(own, by.certificate),  # readers of a mark look for the issuer
        passphrase=passphrase,
    )
    info = describe_certificate(own, verified_issuer=True)
    return NewKey(key_file=key_file, certificate_file=certificate_file, info=info)


def _own_issuer(common_name: str, organisation: str | None, now: datetime) -> Issuer:
    """An issuer for this one certificate, as long valid as it is; its key is thrown away."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = make_certificate(
        key,
        Profile.ISSUER,
        common_name=f"{common_name}, issuer",
        organisation=organisation,
        now=now,
        validity=VALIDITY[Profile.MEDIA],
    )
    return Issuer(certificate=certificate, private_key=key)


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
