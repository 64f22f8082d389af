"""`deid-audit log`: check and show the log of this machine, prove one case's entry, and check such a proof offline."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deid_audit.cli.options import Json, LogFolder, print_json
from deid_audit.errors import LogError, SettingsError

if TYPE_CHECKING:
    from deid_audit.log.checking import LogReport
    from deid_audit.log.entries import Entry
    from deid_audit.log.proving import ProofReport

MOST_PROBLEMS = 20
_COLUMNS = ("SEQ", "TIME", "EVENT", "CASE")
_FIELDS = (
    "case_id", "kind", "verdict", "statement_sha256", "certificate_sha256", "signer_sha256",
    "status_sha256", "error", "exit_code", "complete", "key_id", "cut_bytes",
)  # fmt: skip
app = typer.Typer(name="log", help="Check, show and prove what happened to every case.", no_args_is_help=True)

Since = Annotated[
    Path | None,
    typer.Option("--since", metavar="FILE", readable=False, help="An older checkpoint of this log, kept elsewhere."),
]


@app.command("verify")
def verify_command(log: LogFolder = None, since: Since = None, as_json: Json = False) -> None:
    """Check every line of the log, their chain, the checkpoint and its signature; with --since that nothing was undone.

    Changes nothing. Exit status 0 when all of it holds, else 1.
    """
    from deid_audit.log.checking import check_log  # noqa: PLC0415
    from deid_audit.log.storage import log_folder  # noqa: PLC0415

    report = check_log(log_folder(log), None if since is None else _read(since, "the older checkpoint"))
    if as_json:
        print_json(verify_document(report))
    else:
        for line in _verify_lines(report):
            typer.echo(line)
    raise typer.Exit(1 if report.problems else 0)


@app.command("show")
def show_command(
    log: LogFolder = None,
    case: Annotated[str | None, typer.Option("--case", metavar="CASE_ID", help="Only what concerns this case.")] = None,
    as_json: Json = False,
) -> None:
    """The log's entries, oldest first. They are not checked here, only read: that is `log verify`."""
    from deid_audit.log.checking import read_entries  # noqa: PLC0415
    from deid_audit.log.storage import log_folder  # noqa: PLC0415

    rows = _of_case([entry_row(entry) for entry in read_entries(log_folder(log))], case)
    if as_json:
        print_json({"schema": "deid-audit/log-show/v1", "entries": rows})
        return
    table = [_COLUMNS, *((str(row["seq"]), row["time"], row["event"], row["case_id"] or "-") for row in rows)]
    widths = [max(len(cells[column]) for cells in table) for column in range(len(_COLUMNS))]
    for cells, details in zip(table, ["DETAILS", *(_details(row) for row in rows)], strict=True):
        typer.echo(
            "  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), details]).rstrip()
        )
    typer.echo("as it stands in the file; whether it was changed: deid-audit log verify", err=True)


@app.command("prove")
def prove_command(
    case_id: Annotated[str, typer.Argument(metavar="CASE_ID", help="The case whose finished run is to be proven.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", readable=False, help="Where the proof is written; must not exist.")
    ],
    log: LogFolder = None,
    since: Since = None,
    as_json: Json = False,
) -> None:
    """Prove to somebody else that the end of a case's run is in the log; the proof shows no other entry.

    With --since it also proves that nothing was undone since that checkpoint. The proof is what --json prints.
    """
    from deid_audit.log.proving import proof_document, prove  # noqa: PLC0415
    from deid_audit.log.storage import log_folder  # noqa: PLC0415

    proof = prove(log_folder(log), case_id, None if since is None else _read(since, "the older checkpoint"))
    document = proof_document(proof)
    try:
        with out.open("x", encoding="utf-8") as stream:
            stream.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        if not isinstance(error, FileExistsError):  # what was begun must not stand there as a proof
            out.unlink(missing_ok=True)
        raise SettingsError(
            f"the proof cannot be written: {error.strerror}", next_step="give a new file's name with --out"
        ) from None
    if as_json:
        print_json(document)
        return
    typer.echo(f"proof of entry {proof.index}  {os.fspath(out)}")
    typer.echo(f"verifier key       {proof.key}  (tell the checker by another way than the file)")


@app.command("check-proof")
def check_proof_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", readable=False, help="What `log prove` wrote.")],
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", metavar="FILE", readable=False, help="A checkpoint of this log that you kept."),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="VKEY", help="The log's verifier key, had by another way than FILE.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check such a proof offline, without the log. Exit status 0 when it holds, else 1.

    Without --key it does not show whose log it is: the key inside the proof is whatever its maker put there.
    """
    from deid_audit.log.checkpoint import VerifierKey  # noqa: PLC0415
    from deid_audit.log.proving import check_proof  # noqa: PLC0415

    try:
        believed = None if key is None else VerifierKey.parse(key)
    except LogError as error:
        raise SettingsError(f"--key: {error}", next_step=error.next_step) from None
    kept = None if checkpoint is None else _read(checkpoint, "the checkpoint")
    report = check_proof(_read(file, "the proof"), key=believed, checkpoint=kept)
    if as_json:
        print_json(proof_check_document(report, key_given=key is not None, checkpoint_given=checkpoint is not None))
    else:
        for line in _proof_lines(report):
            typer.echo(line)
    raise typer.Exit(1 if report.problems else 0)


def entry_row(entry: "Entry") -> dict[str, Any]:
    """An entry as documents show it: every key that any event has, null where this one has no such thing."""
    event = entry.event.model_dump(mode="json")
    place = {"seq": entry.seq, "time": entry.time, "clock_went_back": entry.clock_went_back, "event": event["event"]}
    return place | {name: event.get(name) for name in _FIELDS}


def verify_document(report: "LogReport") -> dict[str, Any]:
    """What `log verify --json` prints."""
    return {
        "schema": "deid-audit/log-verify/v1",
        "ok": not report.problems,
        "size": report.size,
        "root": report.root,
        "key": None if report.key is None else report.key.text,
        "checkpoint": report.checkpoint,
        "since_size": report.since,
        "problems": [{"line": one.line, "what": one.what} for one in report.problems[:MOST_PROBLEMS]],
        "problem_count": len(report.problems),
        "notes": list(report.notes),
    }


def proof_check_document(report: "ProofReport", *, key_given: bool, checkpoint_given: bool) -> dict[str, Any]:
    """What `log check-proof --json` prints."""
    known = report.checkpoint
    return {
        "schema": "deid-audit/log-check-proof/v1",
        "ok": not report.problems,
        "entry": None if report.entry is None else entry_row(report.entry),
        "log": None if known is None else known.origin,
        "size": None if known is None else known.size,
        "key_given": key_given,
        "checkpoint_given": checkpoint_given,
        "problems": list(report.problems),
        "notes": list(report.notes),
    }


def _verify_lines(report: "LogReport") -> list[str]:
    lines = [
        f"FAILED  {'' if one.line is None else f'line {one.line}: '}{one.what}"
        for one in report.problems[:MOST_PROBLEMS]
    ]
    if len(report.problems) > MOST_PROBLEMS:
        lines.append(f"FAILED  and {len(report.problems) - MOST_PROBLEMS} more, {len(report.problems)} in all")
    if not report.problems:
        name = report.key.name if report.key else ""
        lines.append(f"ok      {report.size} entries of {name}, root {report.root}")
    if report.since is not None and not report.problems:
        lines.append(f"ok      it begins with the {report.since} entries of the older checkpoint")
    return [*lines, *(f"note    {note}" for note in report.notes)]


def _proof_lines(report: "ProofReport") -> list[str]:
    lines = [f"FAILED  {what}" for what in report.problems]
    if not report.problems and report.entry is not None and report.checkpoint is not None:
        row = entry_row(report.entry)
        lines += [
            f"ok      entry {row['seq']} of the {report.checkpoint.size} of {report.checkpoint.origin}",
            f"        {row['time']} {row['event']} {row['case_id'] or ''}: {_details(row)}",
        ]
    return [*lines, *(f"note    {note}" for note in report.notes)]


def _of_case(rows: list[dict[str, Any]], case: str | None) -> list[dict[str, Any]]:
    """A case's entries, and those that name its statement only."""
    if case is None:
        return rows
    own = {row["statement_sha256"] for row in rows if row["case_id"] == case} - {None}
    return [row for row in rows if row["case_id"] == case or row["statement_sha256"] in own]


def _details(row: dict[str, Any]) -> str:
    """What an event says beside its case, digests shortened."""
    said = [
        f"{name} {row[name][:16] if name.endswith('sha256') else row[name]}"
        for name in _FIELDS[1:]
        if row[name] is not None
    ]
    return ", ".join([*said, *(["the clock went back"] if row["clock_went_back"] else [])])


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LogError(f"{what} cannot be read: {error.strerror}", next_step="check the file's name") from None
