"""Whoever the command line names as signer: a key file, or a key on a token."""

from datetime import UTC, datetime
from pathlib import Path

from deid_audit.certificate.keys import Signer, load_signer
from deid_audit.certificate.passphrases import stored_passphrase
from deid_audit.certificate.token_keys import load_token_signer
from deid_audit.certificate.token_uri import SCHEME, TokenUri, parse_token_uri


def where_key_lies(named: str) -> Path | TokenUri:
    """What `--signer` names; SettingsError for a `pkcs11:` URI that names no key."""
    return parse_token_uri(named) if named.startswith(SCHEME) else Path(named)


def open_signer(where: Path | TokenUri, secret: bytes | None, now: datetime) -> Signer:
    """The signer there, with the file's passphrase or the token's PIN; raises what `load_signer` and its like do."""
    return load_token_signer(where, secret, now) if isinstance(where, TokenUri) else load_signer(where, secret, now)


def signer_unasked(named: str | None, passphrase_file: Path | None) -> Signer | None:
    """The signer of that name, by a secret that is stored somewhere, where nobody can be asked; None without a name."""
    if named is None:
        return None
    return open_signer(where_key_lies(named), stored_passphrase(passphrase_file), datetime.now(UTC))
