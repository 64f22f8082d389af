"""`deid-audit recheck`: whether the files are still what was certified and still pass, without the originals."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deid_audit.cli.options import (
    CrlFiles,
    Device,
    Json,
    ReferencesPassphraseFile,
    ReleaseFolder,
    Trusted,
    TrustedTimestamps,
    TrustFile,
    print_json,
)

if TYPE_CHECKING:
    from deid_audit.pipeline.rechecking import Compared, RecheckReport

SCHEMA = "deid-audit/recheck/v1"


def recheck(
    certificate: Annotated[
        Path, typer.Argument(metavar="CERTIFICATE", readable=False, help="The certificate.pdf of the release.")
    ],
    references: Annotated[
        Path,
        typer.Option("--references", metavar="FILE", readable=False, help="What --keep-references wrote with it."),
    ],
    references_passphrase_file: ReferencesPassphraseFile = None,
    release: ReleaseFolder = None,
    trust: Trusted = None,
    trust_file: TrustFile = None,
    trust_tsa: TrustedTimestamps = None,
    crl: CrlFiles = None,
    policy: Annotated[
        str | None,
        typer.Option("--policy", metavar="NAME|FILE", help="Judge by this policy, not by the certificate's own."),
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure a released set again, without originals, against the references that were kept with it.

    First all that `verify` checks; then identity and residue, by the rules that need no original. Writes nothing. Exit
    status 0 if all of it holds and no rule is missed; 3 if a rule or the certificate is not passed; else 1.
    """
    from deid_audit.cli.passphrase import references_passphrase  # noqa: PLC0415
    from deid_audit.cli.report import progress_on_stderr  # noqa: PLC0415
    from deid_audit.pipeline.rechecking import recheck as recheck_pipeline  # noqa: PLC0415  (heavy)
    from deid_audit.pipeline.verify import read_trust  # noqa: PLC0415

    report = recheck_pipeline(
        certificate,
        references=references,
        passphrase=references_passphrase(references_passphrase_file, new=False),
        trust=read_trust(trust or [], trust_file, timestamps=trust_tsa or [], crls=crl or []),
        release=release,
        policy=policy,
        device=device,
        progress=progress_on_stderr(),
    )
    if as_json:
        print_json(document(report))
    else:
        _print(report)
    raise typer.Exit(report.exit_code)


def _print(report: "RecheckReport") -> None:
    """What does not hold, or every rule with its number then and now; then the result in words."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from deid_audit.cli.verify import MARKS, plain  # noqa: PLC0415
    from deid_audit.policy import OPERATOR_WORDS  # noqa: PLC0415

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    for check in report.verified.checks:
        if check.status not in ("ok", "not_applicable"):
            typer.echo(plain(f"{MARKS[check.status]}  {check.title}: {check.detail}"))
    if report.policy is not None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("outcome", "rule", "then", "now", "limit"):
            table.add_column(title)
        numbers = {(one.metric, one.of, one.scope): one for one in report.values}
        for finding in report.findings:
            rule = finding.rule
            one = numbers.get((rule.metric, rule.of, finding.scope or ""))
            limit = f"{OPERATOR_WORDS[rule.op]} {rule.limit:g}"
            then, now = ("-", "-") if one is None else (_number(one.then), _number(one.now))
            table.add_row(finding.outcome.value, f"{rule.metric} of {rule.of}", then, now, limit)
        console.print(table)
        for missing in report.not_again:
            console.print(f"not measured again: {missing.metric} of {missing.of}: {missing.why}", markup=False)
        if report.largest is not None:
            where = report.largest
            difference = f"{where.difference:.2g}"
            console.print(
                f"largest difference: {difference} ({where.metric} of {where.of}, {where.scope})", markup=False
            )
    typer.echo(plain(report.conclusion))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"


def document(report: "RecheckReport") -> dict[str, Any]:
    """The result as one JSON document."""
    verified, policy, largest = report.verified, report.policy, report.largest
    return {
        "schema": SCHEMA,
        "ok": report.exit_code == 0,
        "conclusion": report.conclusion,
        "case_id": None if verified.case is None else verified.case.case_id,
        "certificate": {
            "holds": verified.holds,
            "verdict": None if verified.verdict is None else verified.verdict.value,
            "checks": [{"id": one.id, "status": one.status, "detail": one.detail} for one in verified.checks],
        },
        "policy": None if policy is None else {"id": policy.id, "version": policy.version, "sha256": policy.sha256},
        "values": [_value(one) for one in report.values],
        "largest_difference": None if largest is None else _value(largest),
        "findings": [finding.model_dump(mode="json") for finding in report.findings],
        "not_measured_again": [{"metric": one.metric, "of": one.of, "why": one.why} for one in report.not_again],
    }


def _value(one: "Compared") -> dict[str, Any]:
    return {
        "metric": one.metric,
        "of": one.of,
        "scope": one.scope,
        "then": one.then,
        "now": one.now,
        "difference": one.difference,
    }
