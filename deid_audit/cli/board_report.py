"""`deid-audit report`: the board's report of a finished job, made again from its OUT alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deid_audit.cli.options import Json, print_json
from deid_audit.records import Outcome

if TYPE_CHECKING:
    from deid_audit.pipeline.reporting import Reported

SCHEMA = "deid-audit/report/v1"


def report(
    out: Annotated[Path, typer.Argument(metavar="OUT", readable=False, help="The folder that a job left.")],
    as_json: Json = False,
) -> None:
    """Write OUT/audit/report.html again: one page for the ethics board, with released pictures, that needs no network.

    Every job writes it; this makes the same from its statement, the steward's folder and the released files, and opens
    no original. A file that is not the one that the statement names is refused. It checks no signature: `verify` does.
    Exit status 0 if the verdict is PASSED; 3 if it is another; 1 if OUT does not hold.
    """
    from deid_audit.cli.report import progress_on_stderr  # noqa: PLC0415
    from deid_audit.pipeline.reporting import write_report  # noqa: PLC0415  (heavy)

    done = write_report(out, progress_on_stderr())
    if as_json:
        print_json(document(done))
    else:
        typer.echo(f"case       {done.case.case_id}: {done.case.verdict.outcome.value}")
        typer.echo(f"report     {done.path}, {done.size_bytes} bytes, {done.pictures} released pictures")
        typer.echo(f"statement  sha256 {done.statement_sha256}")
    raise typer.Exit(0 if done.case.verdict.outcome is Outcome.PASSED else 3)


def document(done: "Reported") -> dict[str, Any]:
    """What `report --json` prints."""
    return {
        "schema": SCHEMA,
        "case_id": done.case.case_id,
        "verdict": done.case.verdict.outcome.value,
        "statement_sha256": done.statement_sha256,
        "report": str(done.path),
        "report_sha256": done.report_sha256,
        "size_bytes": done.size_bytes,
        "pictures": done.pictures,
    }
