"""`deid-audit keys`: make a signer's key and certificate. The passphrase never comes from the command line."""

import os
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deid_audit.cli.options import Json, print_json
from deid_audit.cli.passphrase import VARIABLE, read_passphrase
from deid_audit.errors import SettingsError

if TYPE_CHECKING:
    from deid_audit.certificate.keys import NewKey

SCHEMA = "deid-audit/keys-new/v1"
app = typer.Typer(name="keys", help="Make a key to sign certificates, or to mark videos, with.", no_args_is_help=True)


class KeyRole(StrEnum):
    STEWARD = "steward"
    CHAIR = "chair"
    MEDIA = "media"


@app.callback()
def _group() -> None:
    """Keeps `new` a subcommand while it is the only one."""


@app.command("new")
def new_command(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", readable=False, help="Folder for signer.p12 and signer.crt.")
    ],
    role: Annotated[
        KeyRole,
        typer.Option("--role", help="Whose key: the steward's, the ethics board's chair's, or one that marks videos."),
    ] = KeyRole.STEWARD,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="Who signs; stands on every certificate, of a media key in every video. Without it: Data steward, "
            "Ethics chair, deid-audit media key.",
        ),
    ] = None,
    organisation: Annotated[str | None, typer.Option("--organisation", help="For whom, e.g. the hospital.")] = None,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(
            "--passphrase-file", readable=False, help=f"File with the passphrase; else {VARIABLE} or a prompt."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """A P-256 key (signer.p12, readable by you only) and its certificate (signer.crt), valid for two years.

    A media key, for --c2pa, comes with an issuer of its own; it signs no certificate, and no other key marks videos.
    """
    from deid_audit.certificate.keys import new_key  # noqa: PLC0415  (heavy)
    from deid_audit.certificate.media_keys import new_media_key  # noqa: PLC0415

    passphrase = read_passphrase(passphrase_file, prompt="Passphrase for the new key", confirm=True)
    if passphrase is None:
        raise SettingsError(
            "no passphrase: standard input is not a terminal",
            next_step=f"give --passphrase-file or set {VARIABLE}",
        )
    unnamed = {
        KeyRole.STEWARD: "Data steward",
        KeyRole.CHAIR: "Ethics chair",
        KeyRole.MEDIA: "deid-audit media key",
    }
    called = name or unnamed[role]
    make = new_media_key if role is KeyRole.MEDIA else new_key
    made = make(out, common_name=called, organisation=organisation, passphrase=passphrase, now=datetime.now(UTC))
    if as_json:
        print_json(_document(made))
        return
    typer.echo(f"key          {os.fspath(made.key_file)}  (keep it and its passphrase to yourself)")
    checks = "reads your videos' marks" if role is KeyRole.MEDIA else "checks your certificates"
    typer.echo(f"certificate  {os.fspath(made.certificate_file)}  (give it to whoever {checks})")
    typer.echo(f"fingerprint  {made.info.fingerprint_sha256}")
    typer.echo(f"valid until  {made.info.not_after}")
    use = {KeyRole.STEWARD: "run --signer", KeyRole.CHAIR: "approve --signer", KeyRole.MEDIA: "run --c2pa"}[role]
    typer.echo(f"Tell the checkers the fingerprint by another way than the file. Use it with: deid-audit {use} KEY")


def _document(made: "NewKey") -> dict[str, Any]:
    """What was made, as one JSON document; the passphrase is no part of it."""
    return {
        "schema": SCHEMA,
        "key_file": os.fspath(made.key_file),
        "certificate_file": os.fspath(made.certificate_file),
        "name": made.info.name,
        "fingerprint_sha256": made.info.fingerprint_sha256,
        "not_after": made.info.not_after,
    }
