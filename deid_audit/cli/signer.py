"""The signer that `--signer` names, with the passphrase or PIN from where it comes from."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from deid_audit.cli.passphrase import read_passphrase

if TYPE_CHECKING:
    from deid_audit.certificate.keys import Signer


def named_signer(named: str, passphrase_file: Path | None, *, whose: str) -> "Signer":
    """Opens the key; `whose` it is stands in the prompt, where one is needed."""
    from deid_audit.certificate.signers import open_signer, where_key_lies  # noqa: PLC0415  (heavy)

    where = where_key_lies(named)
    secret, of_what = ("Passphrase", "key") if isinstance(where, Path) else ("PIN", "token")
    given = read_passphrase(passphrase_file, prompt=f"{secret} of the {whose}'s {of_what}")
    return open_signer(where, given, datetime.now(UTC))
