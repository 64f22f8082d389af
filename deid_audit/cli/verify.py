"""`deid-audit verify`: check a certificate and what goes with it; every check is printed, also skipped ones."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deid_audit.cli.options import Json, print_json

if TYPE_CHECKING:
    from deid_audit.pipeline.verify import VerifyReport

SCHEMA = "deid-audit/verify/v1"
MARKS = {"ok": "ok     ", "failed": "FAILED ", "skipped": "skipped"}


def verify(
    certificate: Annotated[
        Path, typer.Argument(metavar="CERTIFICATE", readable=False, help="The certificate.pdf to check.")
    ],
    release: Annotated[
        Path | None,
        typer.Option(
            "--release",
            metavar="DIR",
            readable=False,
            help="The files; else release/ or withheld/ beside the certificate.",
        ),
    ] = None,
    trust: Annotated[
        list[Path] | None,
        typer.Option(
            "--trust", metavar="CRT", readable=False, help="A certificate you trust as issuer; may be repeated."
        ),
    ] = None,
    attestation: Annotated[
        Path | None,
        typer.Option(
            "--attestation",
            metavar="FILE",
            readable=False,
            help="The attestation; else attestation.dsse.json beside the certificate, where it stands.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a certificate offline: signature, statement, attestation, verdict and files.

    Exit status 0 only if all of it holds and the verdict is PASSED; 3 if it is authentic but not PASSED; else 1.
    """
    from deid_audit.pipeline.verify import verify as run_verify  # noqa: PLC0415  (heavy)

    report = run_verify(certificate, release=release, trust=trust or [], attestation=attestation)
    if as_json:
        print_json(_document(report))
    else:
        for check in report.checks:
            typer.echo(plain(f"{MARKS[check.status]}  {check.title}: {check.detail}"))
        typer.echo(plain(report.conclusion))
    raise typer.Exit(report.exit_code)


def _document(report: "VerifyReport") -> dict[str, Any]:
    problems = [{"name": one.name, "kind": one.kind, "detail": one.detail} for one in report.file_problems]
    return {
        "schema": SCHEMA,
        "ok": report.exit_code == 0,
        "verdict": None if report.verdict is None else report.verdict.value,
        "conclusion": report.conclusion,
        "checks": [{"id": one.id, "status": one.status, "detail": one.detail} for one in report.checks],
        "signer": None if report.signer is None else report.signer.model_dump(mode="json"),
        "files": {"compared": report.files_compared, "problems": problems},
    }


def plain(text: str) -> str:
    """Without control characters: names in a foreign certificate must not steer the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
