"""`deid-audit keys`: make keys and certificates, and revoke them. No passphrase comes from the command line."""

import os
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deid_audit.certificate.passphrases import VARIABLE
from deid_audit.cli.options import Json, print_json
from deid_audit.cli.passphrase import CA_VARIABLE, read_passphrase
from deid_audit.errors import SettingsError

if TYPE_CHECKING:
    from deid_audit.certificate.keys import NewKey
    from deid_audit.certificate.profiles import Issuer

SCHEMA = "deid-audit/keys-new/v1"
CA_SCHEMA, LIST_SCHEMA = "deid-audit/keys-new-ca/v1", "deid-audit/keys-revoke/v1"
app = typer.Typer(
    name="keys", help="Make keys to sign certificates, or to mark videos, with, and revoke them.", no_args_is_help=True
)
_KEEP = "(keep it and its passphrase to yourself)"
_NAMES = {
    "steward": "Data steward",
    "chair": "Ethics chair",
    "media": "deid-audit media key",
    "tsa": "Timestamp authority",
    "ca": "Issuing authority",
}


class KeyRole(StrEnum):
    STEWARD = "steward"
    CHAIR = "chair"
    MEDIA = "media"
    TSA = "tsa"


class ReasonWord(StrEnum):
    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "keyCompromise"
    AFFILIATION_CHANGED = "affiliationChanged"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessationOfOperation"


Organisation = Annotated[str | None, typer.Option("--organisation", help="For whom, e.g. the hospital.")]
NewPassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", readable=False, help=f"File with the passphrase; else {VARIABLE} or a prompt."),
]
CaPassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--ca-passphrase-file", readable=False, help=f"The authority's passphrase; else {CA_VARIABLE} or a prompt."
    ),
]


@app.command("new")
def new_command(
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="DIR", readable=False, help="Folder for signer.p12 and signer.crt; of a tsa: tsa.*."
        ),
    ],
    role: Annotated[
        KeyRole,
        typer.Option(
            "--role",
            help="Whose key: the steward's, the ethics board's chair's, one that marks videos (media), or a timestamp "
            "authority's (tsa): of your own, and so no more than your own clock.",
        ),
    ] = KeyRole.STEWARD,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="Who signs; stands on every certificate, of a media key in every video. Without it: Data steward, "
            "Ethics chair, deid-audit media key, Timestamp authority.",
        ),
    ] = None,
    organisation: Organisation = None,
    ca: Annotated[
        Path | None,
        typer.Option(
            "--ca",
            metavar="CA.p12",
            readable=False,
            help="The authority that issues it; else the key itself, or a media key's own issuer.",
        ),
    ] = None,
    passphrase_file: NewPassphraseFile = None,
    ca_passphrase_file: CaPassphraseFile = None,
    as_json: Json = False,
) -> None:
    """A P-256 key (signer.p12, readable by you only) and its certificate (signer.crt), valid for two years.

    A media key, for --c2pa, comes with an issuer of its own, or by --ca; it signs no certificate, and no other key
    marks videos.
    """
    from deid_audit.certificate.keys import new_key  # noqa: PLC0415  (heavy)
    from deid_audit.certificate.media_keys import new_media_key  # noqa: PLC0415
    from deid_audit.certificate.profiles import OWN_CLOCK, Profile  # noqa: PLC0415

    called, now = name or _NAMES[role], datetime.now(UTC)
    issuer = None if ca is None else _authority(ca, ca_passphrase_file)
    passphrase = _new_passphrase(passphrase_file)
    if role is KeyRole.MEDIA:
        made = new_media_key(
            out, common_name=called, organisation=organisation, passphrase=passphrase, now=now, issuer=issuer
        )
    else:
        made = new_key(
            out,
            common_name=called,
            organisation=organisation,
            passphrase=passphrase,
            now=now,
            profile=Profile.TIMESTAMPS if role is KeyRole.TSA else Profile.SIGNER,
            issuer=issuer,
        )
    if as_json:
        print_json(_document(made))
        return
    checks = "reads your videos' marks" if role is KeyRole.MEDIA else "checks your certificates"
    _print(made, f"give it to whoever {checks}")
    if role is KeyRole.TSA:
        typer.echo(f"Its times are {OWN_CLOCK}: they show order and expiry to those who trust it, and no more.")
        typer.echo("Timestamp with: deid-audit run --signer KEY --tsa TSA.p12")
        return
    use = {KeyRole.STEWARD: "run --signer", KeyRole.CHAIR: "approve --signer", KeyRole.MEDIA: "run --c2pa"}[role]
    typer.echo(f"Tell the checkers the fingerprint by another way than the file. Use it with: deid-audit {use} KEY")


@app.command("new-ca")
def new_ca_command(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", readable=False, help="Folder for ca.p12 and ca.crt.")],
    name: Annotated[
        str | None, typer.Option("--name", help="The authority's name. Without it: Issuing authority.")
    ] = None,
    organisation: Organisation = None,
    passphrase_file: NewPassphraseFile = None,
    as_json: Json = False,
) -> None:
    """An issuing authority of your own for a pilot (ca.p12, ca.crt), valid for five years.

    It issues keys (keys new --ca) and revokes them. Made by oneself it proves nothing to strangers: they can only trust
    it if ca.crt came to them by a way that they trust. Where the hospital has an authority, use that.
    """
    from deid_audit.certificate.keys import new_key  # noqa: PLC0415  (heavy)
    from deid_audit.certificate.profiles import Profile  # noqa: PLC0415

    made = new_key(
        out,
        common_name=name or _NAMES["ca"],
        organisation=organisation,
        passphrase=_new_passphrase(passphrase_file),
        now=datetime.now(UTC),
        profile=Profile.ISSUER,
    )
    if as_json:
        print_json({**_document(made), "schema": CA_SCHEMA})
        return
    _print(made, "whoever trusts it trusts every key that it issues")
    typer.echo("An authority made by oneself proves nothing to strangers. Issue with: deid-audit keys new --ca CA.p12")


@app.command("revoke")
def revoke_command(
    crl: Annotated[
        Path, typer.Option("--crl", metavar="FILE", readable=False, help="The authority's list; made if not there.")
    ],
    ca: Annotated[Path, typer.Option("--ca", metavar="CA.p12", readable=False, help="The authority that issued it.")],
    certificate: Annotated[
        Path | None,
        typer.Argument(metavar="[CERTIFICATE.crt]", readable=False, help="Whose key is no longer to be relied on."),
    ] = None,
    reason: Annotated[ReasonWord, typer.Option("--reason", help="Stands in the list.")] = ReasonWord.UNSPECIFIED,
    ca_passphrase_file: CaPassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Put a certificate on the authority's revocation list, for good, and sign the list anew for 30 days.

    Without a certificate the list is signed anew only, also when nobody is revoked yet. Those who check have to be
    given the list: nothing fetches it.
    """
    from deid_audit.certificate.crls import Reason, pem_of, read_crls, revoke  # noqa: PLC0415  (heavy)
    from deid_audit.certificate.trust import load_certificate_file  # noqa: PLC0415
    from deid_audit.files import replace_file  # noqa: PLC0415

    now = datetime.now(UTC)
    revoked = None if certificate is None else load_certificate_file(certificate)
    old = read_crls([crl])[0] if crl.exists() or crl.is_symlink() else None
    made = revoke(revoked, _authority(ca, ca_passphrase_file), old, Reason(reason.value), now)
    try:
        crl.parent.mkdir(parents=True, exist_ok=True)
        replace_file(crl, pem_of(made))
    except OSError as error:
        raise SettingsError(
            f"the list could not be written: {error.strerror or 'input/output error'}",
            next_step="give a file that can be written with --crl",
        ) from None
    until = f"{made.next_update_utc:%Y-%m-%dT%H:%M:%SZ}"
    if as_json:
        print_json({"schema": LIST_SCHEMA, "list": os.fspath(crl), "revoked": len(made), "counts_until": until})
        return
    typer.echo(f"list         {os.fspath(crl)}  (give it to whoever checks, with --crl)")
    typer.echo(f"revoked      {len(made)}")
    typer.echo(f"counts until {until}; sign it anew before, by the same command")


def _authority(ca: Path, passphrase_file: Path | None) -> "Issuer":
    from deid_audit.certificate.authority import load_authority  # noqa: PLC0415  (heavy)

    passphrase = read_passphrase(
        passphrase_file, prompt="The authority's passphrase", variable=CA_VARIABLE, option="--ca-passphrase-file"
    )
    return load_authority(ca, passphrase, datetime.now(UTC))


def _new_passphrase(file: Path | None) -> bytes:
    passphrase = read_passphrase(file, prompt="Passphrase for the new key", confirm=True)
    if passphrase is None:
        raise SettingsError(
            "no passphrase: standard input is not a terminal",
            next_step=f"give --passphrase-file or set {VARIABLE}",
        )
    return passphrase


def _print(made: "NewKey", give: str) -> None:
    typer.echo(f"key          {os.fspath(made.key_file)}  {_KEEP}")
    typer.echo(f"certificate  {os.fspath(made.certificate_file)}  ({give})")
    typer.echo(f"fingerprint  {made.info.fingerprint_sha256}")
    typer.echo(f"valid until  {made.info.not_after}")


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
