"""`deid-audit conceal`: every face of a video covered, without a swap, and no file when one was missed."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deid_audit.cli.options import (
    CaseId,
    ContextFile,
    CrlFiles,
    Device,
    Force,
    Json,
    LogFolder,
    MediaKeyFile,
    MediaPassphraseFile,
    PassphraseFile,
    SignerKey,
    SubjectPhoto,
    SubjectTrack,
    Thorough,
    TimestampPassphraseFile,
    TimestampSource,
    print_json,
)
from deid_audit.cli.report import document as audit_document
from deid_audit.cli.report import load_signer_of, media_signer_of, progress_on_stderr
from deid_audit.cli.report import print_result as print_audit

if TYPE_CHECKING:
    from deid_audit.pipeline.concealing import Concealed

SCHEMA = "deid-audit/conceal/v1"


def conceal(
    video: Annotated[
        Path, typer.Argument(metavar="VIDEO", readable=False, help="The video whose faces are to be covered.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE.mp4", readable=False, help="The covered video; must not exist.")
    ],
    method: Annotated[
        str, typer.Option("--method", metavar="mask|blur|pixelate", help="How; only the black mask keeps nothing.")
    ] = "mask",
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", metavar="DIR", help="Audit the result, and put the certificate here."),
    ] = None,
    policy: Annotated[
        str, typer.Option("--policy", metavar="NAME|FILE", help="What the audit must show; only with --certificate.")
    ] = "concealment",
    subject_photo: SubjectPhoto = None,
    subject_track: SubjectTrack = None,
    case_id: CaseId = None,
    signer: SignerKey = None,
    passphrase_file: PassphraseFile = None,
    c2pa: MediaKeyFile = None,
    c2pa_passphrase_file: MediaPassphraseFile = None,
    crl: CrlFiles = None,
    tsa: TimestampSource = None,
    tsa_passphrase_file: TimestampPassphraseFile = None,
    context: ContextFile = None,
    device: Device = "auto",
    thorough: Thorough = False,
    log: LogFolder = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Cover every face of a video, whoever it is: for those who want no swap.

    The written file is searched again by another family of detectors; if a face is left, no file is given out and the
    exit status is 3. A blur or tiles of this strength can be re-identified; the black mask is the default.
    """
    from deid_audit.pipeline.concealing import conceal as conceal_pipeline  # noqa: PLC0415  (heavy)
    from deid_audit.settings import make_conceal_settings  # noqa: PLC0415

    settings = make_conceal_settings(
        video=video, method=method, out=out, certificate=certificate,
        subject_photo=subject_photo, subject_tracks=tuple(subject_track or ()), policy=policy,
        case_id=case_id or f"case-{secrets.token_hex(4)}", signer=signer, passphrase_file=passphrase_file,
        context=context, c2pa=c2pa, c2pa_passphrase_file=c2pa_passphrase_file,
        crls=tuple(crl or ()), tsa=tsa, tsa_passphrase_file=tsa_passphrase_file,
        device=device, thorough=thorough, log=log, force=force,
    )  # fmt: skip
    result = conceal_pipeline(
        settings,
        signer=load_signer_of(settings),
        media_signer=media_signer_of(settings),
        progress=progress_on_stderr(),
    )
    if as_json:
        print_json(document(result))
    else:
        print_result(result)
    raise typer.Exit(0 if result.written else 3)


def document(result: "Concealed") -> dict[str, Any]:
    """The result as one JSON document; `audit` is that of `deid-audit audit`, or null."""
    return {
        "schema": SCHEMA,
        "out": str(result.out) if result.written else None,
        "method": result.method,
        "frames": {state.value: count for state, count in result.states.items()},
        "audit": None if result.certified is None else audit_document(result.certified),
    }


def print_result(result: "Concealed") -> None:
    """Frames by state, the audit when there was one, and where the file is."""
    counts = ", ".join(f"{count} {state.value}" for state, count in result.states.items() if count)
    typer.echo(f"frames        {counts}")
    if result.certified is not None:
        print_audit(result.certified)
    if not result.written:
        typer.echo("The audit did not pass: no covered video was given out.")
        return
    typer.echo(f"covered video {result.out}")
    if result.method != "mask":
        typer.echo("A blur or tiles of this strength can be re-identified; the mask cannot.", err=True)
