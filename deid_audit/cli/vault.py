"""`deid-audit vault`: what runs have left at a place, and what this machine does for keys in memory."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deid_audit.cli.options import Json, print_json

if TYPE_CHECKING:
    from deid_audit.pipeline.leftovers import Killed, Left

SCHEMA = "deid-audit/vault-status/v1"
app = typer.Typer(name="vault", help="See what is left of what a run encrypted.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `status` a subcommand while it is the only one."""


@app.command("status")
def status_command(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", readable=False, help="What was given to a run as --out; need not exist.")
    ],
    as_json: Json = False,
) -> None:
    """What stands at OUT of a run's encrypted work: of one that is going on, was killed, or has ended.

    Changes nothing, opens nothing. Exit status 0 when nothing is left that could show or rebuild a subject, else 3.
    """
    from deid_audit.pipeline.leftovers import find_leftovers, machine_facts  # noqa: PLC0415

    left, machine = find_leftovers(out), machine_facts()
    if as_json:
        print_json(_document(left, machine))
    else:
        for line in (*_killed_lines(left.killed), *_checkpoint_lines(left), *_ended_lines(left)):
            typer.echo(line)
        for name, value in machine.items():
            typer.echo(f"this machine: {name}: {value}")
    raise typer.Exit(0 if left.nothing_to_do else 3)


def _killed_lines(killed: "Killed | None") -> list[str]:
    if killed is None:
        return ["no run is at work here, and none was killed here"]
    held = f"{killed.ciphertexts} encrypted files, {killed.ciphertext_bytes} bytes"
    if killed.alive:
        lines = [f"a run is at work here: {held}; its key is in that process's memory"]
    else:
        lines = [
            f"a run was killed here: {held}; their key was in its memory and ended with it",
            "next: the next run with this --out takes them away; or delete the folder OUT.partial",
        ]
    if killed.videos:
        lines.append(f"{killed.videos} videos, finished or not, that no audit has passed: not to be given to anyone")
    if killed.doubtful:
        lines.append(f"NOT ENCRYPTED BY THE LOOK OF IT: {', '.join(killed.doubtful)}: delete it, and report this")
    return lines


def _checkpoint_lines(left: "Left") -> list[str]:
    return [
        f"{os.fspath(path)}: an encrypted checkpoint of training; who has its key file can rebuild the subject's face. "
        "Go on with it (run --resume-key), or delete it and its key file"
        for path in left.checkpoints
    ]


def _ended_lines(left: "Left") -> list[str]:
    if left.case is None:
        return []
    erasure = left.case.erasure
    held = sum(check.holds for check in erasure.checks)
    state = "complete" if erasure.complete else "NOT COMPLETE"
    return [
        f"case {left.case.case_id} has ended: erasure {state}, {held} of {len(erasure.checks)} checks held, "
        f"{len(erasure.artefacts)} artefacts, key destroyed {erasure.destroyed_at}",
        *(
            [
                "face descriptors of the subject were kept by request, encrypted, in a file elsewhere: "
                "whoever has it and its passphrase can recognise the subject"
            ]
            if erasure.references_kept
            else []
        ),
        "that is what its statement says; whether the statement is genuine: deid-audit verify",
    ]


def _document(left: "Left", machine: dict[str, str]) -> dict[str, Any]:
    killed, case = left.killed, left.case
    return {
        "schema": SCHEMA,
        "nothing_left": left.nothing_to_do,
        "unfinished": None
        if killed is None
        else {
            "at_work": killed.alive,
            "encrypted_files": killed.ciphertexts,
            "encrypted_bytes": killed.ciphertext_bytes,
            "doubtful_files": list(killed.doubtful),
            "videos_not_audited": killed.videos,
        },
        "checkpoints": len(left.checkpoints),
        "ended": None
        if case is None
        else {
            "case_id": case.case_id,
            "erasure_complete": case.erasure.complete,
            "checks": [check.model_dump(mode="json") for check in case.erasure.checks],
            "destroyed_at": case.erasure.destroyed_at,
            "references_kept": case.erasure.references_kept,
        },
        "machine": [{"fact": fact, "found": found} for fact, found in machine.items()],
    }
