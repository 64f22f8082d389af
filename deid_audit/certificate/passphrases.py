"""A passphrase that is stored: in a file, or in the environment; never on the command line."""

import os
from pathlib import Path

from deid_audit.errors import SettingsError

VARIABLE = "DEID_AUDIT_PASSPHRASE"


def stored_passphrase(
    file: Path | None, *, variable: str = VARIABLE, option: str = "--passphrase-file"
) -> bytes | None:
    """The first line of `file`, else the environment's `variable`, else None.

    Raises:
        SettingsError: the file cannot be read, or its first line says nothing.
    """
    if file is None:
        given = os.environ.get(variable)
        return given.encode() if given else None
    try:
        line = file.read_bytes().split(b"\n", 1)[0].removesuffix(b"\r")
    except OSError as error:
        why = error.strerror or "input/output error"
        raise SettingsError(f"the passphrase file cannot be read: {why}", next_step=f"check {option}") from None
    if not line:
        raise SettingsError("the passphrase file's first line is empty", next_step="put the passphrase there")
    return line
