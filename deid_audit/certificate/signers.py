"""Whoever the command line names as signer: a key file, or a key on a token."""

from datetime import datetime
from pathlib import Path

from deid_audit.certificate.keys import Signer, load_signer
from deid_audit.certificate.token_keys import load_token_signer
from deid_audit.certificate.token_uri import SCHEME, TokenUri, parse_token_uri


def where_key_lies(named: str) -> Path | TokenUri:
    """What `--signer` names; SettingsError for a `pkcs11:` URI that names no key."""
    return parse_token_uri(named) if named.startswith(SCHEME) else Path(named)


def open_signer(where: Path | TokenUri, secret: bytes | None, now: datetime) -> Signer:
    """The signer there, with the file's passphrase or the token's PIN; raises what `load_signer` and its like do."""
    return load_token_signer(where, secret, now) if isinstance(where, TokenUri) else load_signer(where, secret, now)
