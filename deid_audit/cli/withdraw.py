"""`deid-audit withdraw`: whoever certified or decided says that nothing is to rest on a certificate any more."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deid_audit.cli.options import (
    CrlFiles,
    Json,
    LogFolder,
    PassphraseFile,
    Trusted,
    TrustedTimestamps,
    TrustFile,
    print_json,
)
from deid_audit.cli.signer import named_signer

if TYPE_CHECKING:
    from deid_audit.log import Event
    from deid_audit.pipeline.withdrawing import Written

SCHEMA = "deid-audit/withdraw/v1"


def withdraw(
    certificate: Annotated[
        Path, typer.Argument(metavar="CERTIFICATE", readable=False, help="The certificate.pdf to withdraw.")
    ],
    signer: Annotated[
        str,
        typer.Option(
            "--signer", metavar="P12|PEM|pkcs11:URI", help="The key that certified, or the chair's that decided."
        ),
    ],
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            metavar="TEXT",
            help="Why: one line, at most 300 characters. Everybody who verifies reads it: nothing about a person.",
        ),
    ],
    passphrase_file: PassphraseFile = None,
    trust: Trusted = None,
    trust_file: TrustFile = None,
    trust_tsa: TrustedTimestamps = None,
    crl: CrlFiles = None,
    log: LogFolder = None,
    as_json: Json = False,
) -> None:
    """Withdraw a certificate: writes a signed status.dsse.json beside it, with which `verify` ends with 3.

    Whoever has a copy of the certificate has to be given that file. A verdict, files or a validity that do not hold
    prevent no withdrawal. Exit status 1 if the certificate is not authentic, is withdrawn already, or this signer may
    not withdraw it.
    """
    from deid_audit.pipeline.noting import note  # noqa: PLC0415  (heavy)
    from deid_audit.pipeline.verify import read_trust  # noqa: PLC0415
    from deid_audit.pipeline.withdrawing import withdraw as run_withdraw  # noqa: PLC0415
    from deid_audit.status import STATUS_FILE, refuse_reason  # noqa: PLC0415

    refuse_reason(reason)
    trusted = read_trust(trust or [], trust_file, timestamps=trust_tsa or [], crls=crl or [])
    own = named_signer(signer, passphrase_file, whose="signer")
    done = run_withdraw(certificate, own, reason, trust=trusted)
    if unnoted := note(log, lambda: _event(done)):
        typer.echo(unnoted, err=True)
    if as_json:
        print_json(document(done))
        return
    said = done.withdrawn
    typer.echo(f"withdrawn    {said.withdrawal.reason}")
    typer.echo(f"by           the {said.role}, {said.signer.name}, fingerprint {said.signer.fingerprint_sha256}")
    typer.echo(f"status file  {STATUS_FILE}, sha256 {done.status_sha256}")
    typer.echo("hand it on to everybody who has the certificate: without it nobody can see the withdrawal", err=True)


def _event(done: "Written") -> "Event":
    from deid_audit.log import Withdrawn  # noqa: PLC0415

    return Withdrawn(
        case_id=done.withdrawn.withdrawal.case_id,
        statement_sha256=done.withdrawn.withdrawal.statement_sha256,
        signer_sha256=done.withdrawn.signer.fingerprint_sha256,
        status_sha256=done.status_sha256,
    )


def document(done: "Written") -> dict[str, Any]:
    """What `withdraw --json` prints."""
    said = done.withdrawn
    return {
        "schema": SCHEMA,
        "case_id": said.withdrawal.case_id,
        "statement_sha256": said.withdrawal.statement_sha256,
        "role": said.role,
        "signer": said.signer.model_dump(mode="json"),
        "withdrawn_at": said.withdrawal.withdrawn_at,
        "reason": said.withdrawal.reason,
        "status_sha256": done.status_sha256,
    }
