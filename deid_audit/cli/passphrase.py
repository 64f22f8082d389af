"""Where a passphrase comes from: a file, the environment, or hidden input on a terminal; never the command line."""

import sys
from pathlib import Path

import typer

from deid_audit.certificate.passphrases import VARIABLE, stored_passphrase
from deid_audit.errors import SettingsError

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
    given = stored_passphrase(file, variable=variable, option=option)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        return None
    asked: str = typer.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
    return asked.encode()


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
