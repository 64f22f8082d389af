"""`deid-audit approve`: the ethics board's chair decides on a certificate, once, with a signature of their own."""

from datetime import UTC
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deid_audit.cli.lasting import with_lists_and_time
from deid_audit.cli.options import (
    CrlFiles,
    Json,
    LogFolder,
    PassphraseFile,
    ReleaseFolder,
    TimestampPassphraseFile,
    TimestampSource,
    Trusted,
    TrustedTimestamps,
    TrustFile,
    print_json,
)
from deid_audit.cli.signer import named_signer

if TYPE_CHECKING:
    from deid_audit.log import Event
    from deid_audit.pipeline.approving import Approved

SCHEMA = "deid-audit/approve/v1"


class DecisionWord(StrEnum):
    APPROVE = "approve"
    REFUSE = "refuse"


def approve(
    certificate: Annotated[
        Path, typer.Argument(metavar="CERTIFICATE", readable=False, help="The certificate.pdf to decide on.")
    ],
    signer: Annotated[
        str, typer.Option("--signer", metavar="P12|PEM|pkcs11:URI", help="The chair's key; never the steward's.")
    ],
    decision: Annotated[DecisionWord, typer.Option("--decision", help="What the chair signs; it stands for good.")],
    conditions: Annotated[
        str | None,
        typer.Option("--conditions", metavar="TEXT", help="On which conditions: one line, at most 300 characters."),
    ] = None,
    passphrase_file: PassphraseFile = None,
    tsa: TimestampSource = None,
    tsa_passphrase_file: TimestampPassphraseFile = None,
    release: ReleaseFolder = None,
    trust: Trusted = None,
    trust_file: TrustFile = None,
    trust_tsa: TrustedTimestamps = None,
    crl: CrlFiles = None,
    log: LogFolder = None,
    as_json: Json = False,
) -> None:
    """Verify a certificate and sign the chair's decision into it; what does not hold is not signed.

    Exit status 1 if it does not hold, is decided already, or this signer may not decide; 3 if it holds and only
    a refusal is possible (not PASSED, or past its validity), or if it was withdrawn.
    """
    from deid_audit.certificate.decisions import decision_of  # noqa: PLC0415  (heavy)
    from deid_audit.pipeline.approving import approve as run_approve  # noqa: PLC0415
    from deid_audit.pipeline.noting import note  # noqa: PLC0415
    from deid_audit.pipeline.verify import read_trust  # noqa: PLC0415

    wanted = decision_of(approves=decision is DecisionWord.APPROVE, conditions=conditions)
    trusted = read_trust(trust or [], trust_file, timestamps=trust_tsa or [], crls=crl or [])
    chair = with_lists_and_time(
        named_signer(signer, passphrase_file, whose="chair"),
        crls=crl or [],
        tsa=tsa,
        tsa_passphrase_file=tsa_passphrase_file,
        others=trusted.anchors,
    )
    done = run_approve(certificate, chair, wanted, release=release, trust=trusted)
    if unnoted := note(log, lambda: _event(done)):
        typer.echo(unnoted, err=True)
    if as_json:
        print_json(_document(done))
        return
    typer.echo(f"signed       {done.decision.reason}")
    typer.echo(f"by           {done.signer.info.name}, fingerprint {done.signer.info.fingerprint_sha256}")
    typer.echo(f"certificate  sha256 {done.certificate_sha256}")


def _event(done: "Approved") -> "Event":
    from deid_audit.log import Approved, RefusedByChair  # noqa: PLC0415

    kind = Approved if done.decision.approves else RefusedByChair
    return kind(
        case_id=done.case_id,
        statement_sha256=done.statement_sha256,
        signer_sha256=done.signer.info.fingerprint_sha256,
    )


def _document(done: "Approved") -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "decision": done.decision.word,
        "conditions": done.decision.conditions,
        "signer": done.signer.info.model_dump(mode="json"),
        "signed_at": done.signed_at.astimezone(UTC).isoformat(timespec="seconds"),
        "certificate_sha256": done.certificate_sha256,
    }
