"""The signer's key and certificate: made anew, read from a file, or made on the spot for one run.

Every way in which a key file cannot sign is refused here or in `key_files.py`, before any work starts. Nothing here
signs or checks a PDF; a passphrase comes in as bytes and is never kept.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deid_audit.certificate.key_files import KeyFile, KeyUse, as_pem, read_key_file, write_key_files
from deid_audit.certificate.profiles import (
    VALIDITY,
    Issuer,
    Profile,
    allows_commitment,
    is_for_mail,
    is_for_timestamps,
    make_certificate,
)
from deid_audit.errors import SettingsError, SignatureError
from deid_audit.findings import SignerInfo
from deid_audit.signing_keys import CertifiedKey

if TYPE_CHECKING:
    from deid_audit.certificate.timestamps import TimestampAuthority

KEY_VALIDITY = VALIDITY[Profile.SIGNER]
_SPOT_VALIDITY = timedelta(days=365)
_SPOT_NAME = "deid-audit key made on the spot"
_STEMS = {Profile.SIGNER: "signer", Profile.TIMESTAMPS: "tsa", Profile.ISSUER: "ca"}
USE = KeyUse(
    whose="signer's",
    passphrase_by="--passphrase-file, DEID_AUDIT_PASSPHRASE",
    make_one="make a key with: deid-audit keys new --out DIR",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer(CertifiedKey):
    """A private key with its X.509 certificate and the chain above it; `info` is what a statement says about it.

    `crls` are written into the document with a timestamp; `timestamps` is whom the signer asks for one.
    """

    info: SignerInfo
    chain: tuple[x509.Certificate, ...] = ()
    crls: tuple[x509.CertificateRevocationList, ...] = ()
    timestamps: "TimestampAuthority | None" = None

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
    refuse_no_passphrase(passphrase)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = make_certificate(
        key, profile, common_name=common_name, organisation=organisation, now=now, issuer=issuer
    )
    key_file, certificate_file = write_key_files(
        out,
        _STEMS[profile],
        name=common_name,
        key=key,
        certificate=certificate,
        above=() if issuer is None else (issuer.certificate,),
        # Alone: whoever trusts this file shall not trust all that its issuer ever issues.
        published=(certificate,),
        passphrase=passphrase,
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
    held = read_key_file(path, passphrase, now, USE)
    require_signing_usage(held.certificate)
    return signer_of(held)


def signer_of(held: KeyFile) -> Signer:
    """Whoever holds this key file, as a signer; what the certificate is meant for is the caller's to ask."""
    return Signer(
        info=describe_certificate(held.certificate, verified_issuer=True),
        certificate=held.certificate,
        chain=held.chain,
        private_key=held.private_key,
    )


def require_signing_usage(certificate: x509.Certificate) -> None:
    """Raises SignatureError for a certificate that is not for signing documents, with what it is for."""
    if is_for_timestamps(certificate):
        raise SignatureError(
            "the signer's certificate is a timestamp authority's, and good for nothing else",
            next_step="give it with --tsa, and a signer's key with --signer",
        )
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
