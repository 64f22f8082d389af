"""An issuing authority of one's own, for pilots: it issues signers' certificates and says which ones it revokes.

It proves nothing to whoever does not know it. A hospital's own authority takes its place by its certificate and lists.
"""

from datetime import datetime
from pathlib import Path

from cryptography import x509

from deid_audit.certificate.key_files import KeyUse, read_key_file
from deid_audit.certificate.keys import Signer, signer_of
from deid_audit.certificate.profiles import Issuer, is_for_timestamps
from deid_audit.errors import SignatureError

_ISSUING = KeyUse(
    whose="authority's",
    passphrase_by="--ca-passphrase-file, DEID_AUDIT_CA_PASSPHRASE",
    make_one="make one with: deid-audit keys new-ca --out DIR",
)
_TIMESTAMPING = KeyUse(
    whose="timestamp authority's",
    passphrase_by="--tsa-passphrase-file, DEID_AUDIT_TSA_PASSPHRASE",
    make_one="make one with: deid-audit keys new --role tsa --out DIR, or give an address with --tsa",
)


def load_authority(path: Path, passphrase: bytes | None, now: datetime) -> Issuer:
    """Read an authority that may issue certificates and lists; SignatureError where the file holds none."""
    held = read_key_file(path, passphrase, now, _ISSUING)
    if not _may_issue(held.certificate):
        raise SignatureError("the file of --ca is no issuing authority's", next_step=_ISSUING.make_one)
    return Issuer(certificate=held.certificate, private_key=held.private_key)


def _may_issue(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return constraints.ca and usage.key_cert_sign and usage.crl_sign


def load_timestamp_authority(path: Path, passphrase: bytes | None, now: datetime) -> Signer:
    """Read a timestamp authority's key and certificates; SignatureError where the file holds none."""
    held = read_key_file(path, passphrase, now, _TIMESTAMPING)
    if not is_for_timestamps(held.certificate):
        raise SignatureError(
            "the file of --tsa is no timestamp authority's: its certificate lacks that extended key usage",
            next_step=_TIMESTAMPING.make_one,
        )
    return signer_of(held)
