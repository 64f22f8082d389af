"""An issuing authority of one's own, for pilots: it issues signers' certificates and says which ones it revokes.

It proves nothing to whoever does not know it. A hospital's own authority takes its place by its certificate and lists.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from cryptography import x509

from deid_audit.certificate.keys import Signer, load_key
from deid_audit.certificate.profiles import Issuer, is_for_timestamps
from deid_audit.errors import SignatureError

_MAKE_ONE = "make one with: deid-audit keys new-ca --out DIR"
_Loaded = TypeVar("_Loaded")


def load_authority(path: Path, passphrase: bytes | None, now: datetime) -> Issuer:
    """Read an authority that may issue certificates and lists; SignatureError where the file holds none."""
    loaded = _named("the authority's", lambda: load_key(path, passphrase, now))
    if not _may_issue(loaded.certificate):
        raise SignatureError("the file of --ca is no issuing authority's", next_step=_MAKE_ONE)
    return Issuer(certificate=loaded.certificate, private_key=loaded.private_key)


def _may_issue(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return constraints.ca and usage.key_cert_sign and usage.crl_sign


def load_timestamp_authority(path: Path, passphrase: bytes | None, now: datetime) -> Signer:
    """Read a timestamp authority's key and certificates; SignatureError where the file holds none."""
    loaded = _named("the timestamp authority's", lambda: load_key(path, passphrase, now))
    if not is_for_timestamps(loaded.certificate):
        raise SignatureError(
            "the file of --tsa is no timestamp authority's: its certificate lacks that extended key usage",
            next_step="make one with: deid-audit keys new --role tsa --out DIR, or give an address with --tsa",
        )
    return loaded


def _named(whose: str, load: Callable[[], _Loaded]) -> _Loaded:
    """A key file's errors, said of whose key it is."""
    try:
        return load()
    except SignatureError as error:
        raise SignatureError(str(error).replace("the signer's", whose), next_step=error.next_step) from None
