"""`deid-audit review`: a person looks at a finished job beside its originals; the decisions become a file."""

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer

from deid_audit.cli.options import Json, print_json
from deid_audit.cli.pages import announce

SCHEMA = "deid-audit/review/v1"


def review(
    out: Annotated[Path, typer.Argument(metavar="OUT", readable=False, help="The folder that a job left.")],
    originals: Annotated[
        list[Path],
        typer.Option(
            "--originals",
            metavar="VIDEO",
            readable=False,
            help="An original of the job; repeatable, all of them, in any order. Known by its keyed digest.",
        ),
    ],
    role: Annotated[
        Literal["first", "second", "resolution"],
        typer.Option(
            "--role",
            help="Which reading: a second one shows nothing of the first; a resolution shows both.",
        ),
    ] = "first",
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FILE",
            readable=False,
            help="The review file, which further readings are added to; else NAME.review.json beside OUT.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a finished job to a reviewer, on a page of this machine: worst first, each frame beside its original.

    Prints an address that works once, in a browser of this machine, and ends when the reviewer finishes; where the
    browser was closed, opening it again prints a fresh one. Every decision is saved at once: after an interruption the
    same command goes on. `run --from-review` carries the decisions out. Exit status 0 when the reading is finished.
    """
    from deid_audit.cli.report import progress_on_stderr  # noqa: PLC0415
    from deid_audit.web.review_file import read_out  # noqa: PLC0415  (heavy)

    file = to or out.absolute().with_name(f"{out.absolute().name}.review.json")
    progress = progress_on_stderr()
    done = read_out(out, originals, role=role, file=file, progress=progress, announce=announce)
    if as_json:
        print_json(document(file, done))
        return
    reading = done.readings[-1]
    typer.echo(f"case       {done.case_id}, {reading.role} reading, {len(reading.decisions)} decisions")
    typer.echo(f"review     {file}")
    subjects = " ".join(f"--subject ORIGINAL_{number}" for number in range(1, len(originals) + 1))
    typer.echo(f"carry out  deid-audit run --from-review {file.name} --of {out.name} {subjects} --out NEW_OUT")


def document(file: Path, done: Any) -> dict[str, Any]:
    """What `review --json` prints."""
    from deid_audit.digests import sha256_file  # noqa: PLC0415
    from deid_audit.review.records import Kind  # noqa: PLC0415

    reading = done.readings[-1]
    return {
        "schema": SCHEMA,
        "case_id": done.case_id,
        "review": str(file),
        "review_sha256": sha256_file(file),
        "role": reading.role,
        "readings": len(done.readings),
        "decisions": {kind: sum(one.kind == kind for one in reading.decisions) for kind in get_args(Kind)},
        "frames_shown": sum(one.last_frame - one.first_frame + 1 for one in reading.shown),
    }
