"""`deid-audit verify`: check a certificate and what goes with it; every check is printed, also skipped ones.

Of a file that is no PDF only that is printed, since all other checks rest on it; `--json` always lists them all.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from deid_audit.cli.options import (
    AttestationFile,
    CrlFiles,
    Json,
    LogFolder,
    ReleaseFolder,
    StatusFile,
    Trusted,
    TrustedTimestamps,
    TrustFile,
    print_json,
)

if TYPE_CHECKING:
    from deid_audit.certificate.checking import SignedBy
    from deid_audit.dataset.documents import SetVerified
    from deid_audit.pipeline.checks import VerifyReport
    from deid_audit.pipeline.standing import Withdrawn

SCHEMA = "deid-audit/verify/v3"
MARKS = {"ok": "ok     ", "failed": "FAILED ", "skipped": "skipped", "not_applicable": "-      "}


def verify(
    certificate: Annotated[
        Path,
        typer.Argument(
            metavar="CERTIFICATE", readable=False, help="The certificate.pdf to check, or a data set's folder."
        ),
    ],
    release: ReleaseFolder = None,
    trust: Trusted = None,
    trust_file: TrustFile = None,
    trust_tsa: TrustedTimestamps = None,
    crl: CrlFiles = None,
    attestation: AttestationFile = None,
    status: StatusFile = None,
    log: LogFolder = None,
    as_json: Json = False,
) -> None:
    """Check a certificate offline: signatures, statement, attestation, verdict, files, and a withdrawal that is here.

    Exit status 0 only if all of it holds and the verdict is PASSED; 3 if it is authentic but not PASSED, past its
    validity, refused by the ethics board's chair, or withdrawn; else 1.
    """
    from deid_audit.dataset.verifying import set_folder, verify_set  # noqa: PLC0415
    from deid_audit.errors import SettingsError  # noqa: PLC0415
    from deid_audit.log import Verified  # noqa: PLC0415
    from deid_audit.pipeline.noting import note  # noqa: PLC0415
    from deid_audit.pipeline.verify import read_trust  # noqa: PLC0415  (heavy)
    from deid_audit.pipeline.verify import verify as run_verify  # noqa: PLC0415

    trusted = read_trust(trust or [], trust_file, timestamps=trust_tsa or [], crls=crl or [])
    if (package := set_folder(certificate)) is not None:
        if (release, attestation, status) != (None, None, None):
            raise SettingsError(
                "a data set's folder holds all that it is about: --release, --attestation and --status are of one case",
                next_step="leave them out, or give one case's certificate.pdf",
            )
        _finish_set(verify_set(package, trust=trusted), as_json=as_json)
    report = run_verify(certificate, release=release, trust=trusted, attestation=attestation, status=status)
    if as_json:
        print_json(_document(report))
    else:
        _print(report)
    checked = Verified(statement_sha256=report.statement_sha256 or None, exit_code=report.exit_code)
    if unnoted := note(log, lambda: checked):
        typer.echo(unnoted, err=True)
    raise typer.Exit(report.exit_code)


def _finish_set(found: "SetVerified", *, as_json: bool) -> NoReturn:
    """Every check of a data set, and the result as the last line."""
    if as_json:
        print_json(found.model_dump(mode="json", by_alias=True))
    else:
        for check in found.checks:
            typer.echo(plain(f"{MARKS[check.status]}  {check.id}: {check.detail}"))
        typer.echo(plain(found.conclusion))
    raise typer.Exit(found.exit_code)


def _print(report: "VerifyReport") -> None:
    """The checks, what each one that does not hold means, and the result as the last line; of no PDF only that."""
    from deid_audit.pipeline.meanings import MEANINGS  # noqa: PLC0415

    first = report.checks[0]
    if first.id == "pdf.readable" and first.status == "failed":  # all that follows rests on it
        typer.echo(plain(f"{MARKS[first.status]}  {first.title}: {first.detail}"))
        meaning = MEANINGS[first.id]
        typer.echo(f"{meaning.means} {meaning.do} Nothing else could be checked.")
        return
    for check in report.checks:
        typer.echo(plain(f"{MARKS[check.status]}  {check.title}: {check.detail}"))
    if report.trust_sha256 is not None:
        typer.echo(f"trust file sha256 {report.trust_sha256}")
    if report.unmet:
        typer.echo("\nWhat does not hold, and what to do:")
    for check in report.unmet:
        meaning = MEANINGS[check.id]
        made = "" if check.status == "failed" else "Not checked. If it does not hold: "
        typer.echo(f"{check.title}\n  means  {made}{meaning.means}\n  do     {meaning.do}")
    if report.unmet:
        typer.echo("")
    typer.echo(plain(report.conclusion))


def _document(report: "VerifyReport") -> dict[str, Any]:
    problems = [{"name": one.name, "kind": one.kind, "detail": one.detail} for one in report.file_problems]
    return {
        "schema": SCHEMA,
        "ok": report.exit_code == 0,
        "verdict": None if report.verdict is None else report.verdict.value,
        "conclusion": report.conclusion,
        "checks": [{"id": one.id, "status": one.status, "detail": one.detail} for one in report.checks],
        "signers": [signer_document(one) for one in report.signers],
        "withdrawn": None if report.withdrawn is None else withdrawn_document(report.withdrawn),
        "trust_file_sha256": report.trust_sha256,
        "files": {"compared": report.files_compared, "problems": problems},
    }


def signer_document(signer: "SignedBy") -> dict[str, Any]:
    """One signature: by whom, in which role, when and, of a chair, with which decision."""
    time = signer.signed_at if signer.proven is None else signer.proven.at
    return {
        "role": signer.role,
        "name": signer.info.name,
        "subject": signer.subject,
        "fingerprint_sha256": signer.info.fingerprint_sha256,
        "not_after": signer.info.not_after,
        "trusted": signer.info.verified_issuer,
        "time": None if time is None else time.isoformat(),
        "time_source": "signer's clock" if signer.proven is None else f"timestamp by {signer.proven.by}",
        "decision": None if signer.decision is None else signer.decision.word,
        "conditions": None if signer.decision is None else signer.decision.conditions,
    }


def withdrawn_document(withdrawn: "Withdrawn") -> dict[str, Any]:
    """A withdrawal: by whom, in which role, when by their own statement, and why."""
    return {
        "role": withdrawn.role,
        "signer": withdrawn.signer.model_dump(mode="json"),
        "withdrawn_at": withdrawn.withdrawal.withdrawn_at,
        "reason": withdrawn.withdrawal.reason,
    }


def plain(text: str) -> str:
    """Without control characters: names in a foreign certificate must not steer the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
