"""`deid-audit doctor`: what this machine has and lacks, the commands that mend it, and a self-test."""

import shutil
import sys
import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deid_audit import __version__
from deid_audit.cli.options import Json, print_json

if TYPE_CHECKING:
    from deid_audit.pipeline.doctor.report import DoctorReport, Finding, StepResult

SCHEMA = "deid-audit/doctor/v1"
_WIDEST, _NARROWEST = 100, 60
_MARK, _LONGEST_NAME = 9, 24
_LIBRARIES = "libraries"


def doctor(
    as_json: Json = False,
    no_self_test: Annotated[
        bool, typer.Option("--no-self-test", help="Only look; leave out the self-test (about 20 seconds).")
    ] = False,
) -> None:
    """Say what this machine has, what is missing and the command that mends it, and run a short self-test.

    Exit status 0 when every command can work, warnings allowed; 1 when something is missing or a step failed.
    """
    from deid_audit.pipeline.doctor.examining import examine  # noqa: PLC0415

    with _Saying() as say:
        report = examine(self_test=not no_self_test, say=say)
    if as_json:
        print_json(document(report))
    else:
        for line in lines(report, _width()):
            typer.echo(line)
    raise typer.Exit(0 if report.ok else 1)


def document(report: "DoctorReport") -> dict[str, Any]:
    """The report as one JSON document."""
    from deid_audit.pipeline.doctor.report import COMMANDS  # noqa: PLC0415

    return {
        "schema": SCHEMA,
        "version": __version__,
        "ok": report.ok,
        "findings": [
            {
                "area": one.area,
                "name": one.name,
                "status": one.status,
                "found": one.found,
                "means": one.means,
                "mend": one.mend,
                "needed_by": list(one.needed_by),
            }
            for one in report.findings
        ],
        "commands": [{"command": one, "missing": list(report.blocked_by(one))} for one in COMMANDS],
        "self_test": None if report.steps is None else [_step_fields(one) for one in report.steps],
    }


def _step_fields(one: "StepResult") -> dict[str, Any]:
    return {
        "step": one.step,
        "status": "ok" if one.ok else "failed",
        "seconds": one.seconds,
        "detail": one.detail,
        "mend": one.mend,
    }


def lines(report: "DoctorReport", width: int) -> Iterator[str]:
    """The report for people, `width` columns wide; commands are never broken, so that they can be copied."""
    yield f"deid-audit {__version__}: what this machine has"
    for area, group in groupby(report.findings, key=lambda one: one.area):
        yield ""
        yield area
        yield from _area(list(group), width)
    if report.steps is not None:
        yield ""
        yield "self-test"
        said: set[str] = set()
        for step in report.steps:
            yield from _step(step, width, said)
    yield ""
    yield from _conclusion(report, width)


def _area(findings: list["Finding"], width: int) -> Iterator[str]:
    """One line a finding; libraries as they should be share one."""
    plain = [one for one in findings if one.status == "ok" and one.area == "software" and one.name != "python"]
    shown = [one for one in findings if one not in plain]
    names = [*(one.name for one in shown), *([_LIBRARIES] if plain else [])]
    longest = max(len(name) for name in names)
    column = longest + 2 if longest <= _LONGEST_NAME else 0
    for one in shown:
        name = one.name.ljust(column) if column else f"{one.name}: "
        yield from _hanging(_MARK + column, one.status.ljust(_MARK) + name, one.found, width)
        yield from _advice(one.means, one.mend, width)
    if plain:
        versions = ", ".join(f"{one.name} {one.found}" for one in plain)
        yield from _hanging(_MARK + column, "ok".ljust(_MARK) + _LIBRARIES.ljust(column), versions, width)


def _step(step: "StepResult", width: int, said: set[str]) -> Iterator[str]:
    """What was tested, what was seen, and what mends it unless an earlier step already `said` so."""
    mark = ("ok" if step.ok else "failed").ljust(_MARK) + f"{step.seconds:5.1f} s  "
    yield from _hanging(len(mark), mark, step.title, width)
    yield from _hanging(len(mark), " " * len(mark), step.detail, width)
    yield from _advice("", "" if step.mend in said else step.mend, width)
    said.add(step.mend)


def _advice(means: str, mend: str, width: int) -> Iterator[str]:
    space = " " * _MARK
    if means:
        yield from _hanging(_MARK, space, means, width)
    if mend:
        yield f"{space}mend: {mend}"


def _conclusion(report: "DoctorReport", width: int) -> Iterator[str]:
    from deid_audit.pipeline.doctor.report import COMMANDS  # noqa: PLC0415

    able = [one for one in COMMANDS if not report.blocked_by(one)]
    if able:
        yield from _hanging(_MARK, "works".ljust(_MARK), ", ".join(able), width)
    for one in COMMANDS:
        if blocked := report.blocked_by(one):
            yield from _hanging(_MARK, "cannot".ljust(_MARK), f"{one}: needs {', '.join(blocked)}", width)
    missing, failed, warnings = report.count("missing"), report.failed_steps, report.count("warning")
    counts = ((missing, "missing"), (failed, "failed"), (warnings, "warning" if warnings == 1 else "warnings"))
    said = ", ".join(f"{number} {word}" for number, word in counts if number)
    yield ("Ready" if report.ok else "Not ready") + (f": {said}." if said else ".")


def _hanging(indent: int, head: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=head, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )


def _width() -> int:
    return min(max(shutil.get_terminal_size((80, 24)).columns, _NARROWEST), _WIDEST)


class _Saying:
    """What is being done, on standard error: one line that is written over on a terminal, else a line each."""

    def __enter__(self) -> "_Saying":
        return self

    def __call__(self, text: str) -> None:
        if sys.stderr.isatty():
            text = f"\r\033[K{text[: _width() - 1]}"
        typer.echo(text, err=True, nl=not sys.stderr.isatty())

    def __exit__(self, *_: object) -> None:
        if sys.stderr.isatty():
            typer.echo("\r\033[K", err=True, nl=False)
