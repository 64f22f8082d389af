"""Where a passphrase comes from: a file, the environment, or hidden input on a terminal; never the command line."""

import os
import sys
from pathlib import Path

import typer

from deid_audit.errors import SettingsError

VARIABLE = "DEID_AUDIT_PASSPHRASE"
MEDIA_VARIABLE = "DEID_AUDIT_C2PA_PASSPHRASE"
CA_VARIABLE = "DEID_AUDIT_CA_PASSPHRASE"
TSA_VARIABLE = "DEID_AUDIT_TSA_PASSPHRASE"
REFERENCES_VARIABLE = "DEID_AUDIT_REFERENCES_PASSPHRASE"


def read_passphrase(
    file: Path | None,
    *,
    prompt: str,
    confirm: bool = False,
    variable: str = VARIABLE,
    option: str = "--passphrase-file",
) -> bytes | None:
    """The passphrase from `file` (its first line), else from the environment's `variable`, else asked on a terminal.

    None when there is none of the three. Raises SettingsError for a file that cannot be read or says nothing.
    """
    if file is not None:
        return _first_line(file, option)
    if given := os.environ.get(variable):
        return given.encode()
    if not sys.stdin.isatty():
        return None
    asked: str = typer.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
    return asked.encode()


def _first_line(file: Path, option: str) -> bytes:
    try:
        line = file.read_bytes().split(b"\n", 1)[0].removesuffix(b"\r")
    except OSError as error:
        why = error.strerror or "input/output error"
        raise SettingsError(f"the passphrase file cannot be read: {why}", next_step=f"check {option}") from None
    if not line:
        raise SettingsError("the passphrase file's first line is empty", next_step="put the passphrase there")
    return line


def references_passphrase(file: Path | None, *, new: bool) -> bytes:
    """The passphrase of kept references; `new` asks twice on a terminal. SettingsError when there is none."""
    given = read_passphrase(
        file,
        prompt="Passphrase of the references",
        confirm=new,
        variable=REFERENCES_VARIABLE,
        option="--references-passphrase-file",
    )
    if not given:
        raise SettingsError(
            "no passphrase for the references: standard input is not a terminal",
            next_step=f"give --references-passphrase-file or set {REFERENCES_VARIABLE}",
        )
    return given
