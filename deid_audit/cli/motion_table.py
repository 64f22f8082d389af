"""How `deid-audit motion` shows its comparison: tables for people, and a CSV file of the keypoints for programs."""

import csv
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from deid_audit.measure.exam import ExamValue
    from deid_audit.measure.motion import Agreement, MotionRow
    from deid_audit.pipeline.exam_rows import ExamRow, TremorRow
    from deid_audit.pipeline.movement import MotionReport

_ERRORS = ("median_px", "p95_px", "velocity_px_s", "acceleration_px_s2", "jerk_px_s3")
_AXIS_COLUMNS = (
    "correlation", "icc", "icc_low", "icc_high", "bias_px", "limit_low_px", "limit_high_px", "equivalence_p",
)  # fmt: skip
COLUMNS = (
    "group", "name", "not_measured", "frames", *_ERRORS, "median_percent", "p95_percent", "original_spread_px",
    "seen_original", "seen_other", *(f"{name}_to_null_edit" for name in _ERRORS),
    *(f"{axis}_{name}" for axis in ("x", "y") for name in _AXIS_COLUMNS),
)  # fmt: skip


def write_csv(report: "MotionReport", path: Path) -> None:
    """A row for each keypoint or group of them, none of the exam; a cell is empty where nothing was measured."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(_cells(row) for row in report.comparison.rows)


def _cells(row: "MotionRow") -> dict[str, object]:
    cells: dict[str, object] = {"group": row.group, "name": row.name, "not_measured": row.because}
    one = row.released
    if one is None:
        return cells
    cells |= {name: one.errors[name] for name in _ERRORS}
    cells |= {f"{name}_to_null_edit": row.ratios[name] for name in _ERRORS}
    for name in ("frames", "median_percent", "p95_percent", "original_spread_px", "seen_original", "seen_other"):
        cells[name] = getattr(one, name)
    for axis, found in one.axes.items():
        test, interval = found.equivalence, found.icc.interval
        values = (
            found.correlation.value,
            found.icc.value,
            None if interval is None else interval.low,
            None if interval is None else interval.high,
            found.bias_px.value,
            found.limits.low,
            found.limits.high,
            None if test is None or isinstance(test, str) else test.p,
        )
        cells |= {f"{axis}_{name}": value for name, value in zip(_AXIS_COLUMNS, values, strict=True)}
    return cells


def print_report(report: "MotionReport") -> None:
    """Timing, then body, hands and face, then what an examination measures.

    JSON has all of it and more; the CSV has more of each keypoint and nothing of the exam.
    """
    from rich.console import Console  # noqa: PLC0415

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    for text in _about(report):
        typer.echo(text)
    for group, yardstick in report.comparison.yardsticks.items():
        unit = "never seen" if yardstick.px is None else f"{yardstick.px:.1f} px"
        rows = [row for row in report.comparison.rows if row.group == group]
        shown = [row for row in rows if row.released is not None]
        typer.echo(f"\n{group} (100 % is the {yardstick.name}: {unit})")
        if shown:
            _print_group(console, shown, tested=report.margin_percent is not None)
        for because in _untested(rows):
            typer.echo(f"equivalence not tested: {because}")
        for because, names in _missing(rows):
            console.print(f"not measurable here: {names}: {because}", markup=False, soft_wrap=True)
    _print_exam(console, report)


def _about(report: "MotionReport") -> Iterator[str]:
    timing = report.timing
    frames = f"{timing.first_frames} and {timing.second_frames} frames"
    if timing.identical:
        yield f"timing     {frames}, at identical instants"
    elif timing.agrees:
        yield f"timing     {frames}, at the same instants but for {1000 * timing.largest_difference_s:.3g} ms at most"
    else:
        yield f"timing     DIFFERS: {frames}, {len(timing.pairs)} at common instants; only these are compared"
        yield "next step  make SECOND anew with every frame of FIRST at its own time; where another tool changed the"
        yield "           frame rate, deid-audit audit --align pairs the frames by time"
    if report.others:
        yield "people     others are in view: the largest face's body and hands were looked for around it"
    floor = "each error also as a multiple of the re-encoded first video's" if report.null_edit else "not looked at"
    yield f"null edit  {floor}"
    if report.equivalent is not None:
        words = "is kept by all that can be measured" if report.equivalent else "is NOT shown to be kept by all"
        yield f"margin     {report.margin_percent:g} % of the lengths below: {words}"


def _print_exam(console: "Console", report: "MotionReport") -> None:
    """What can be measured of an exam, then how far tremors are kept, then what cannot be and why."""
    typer.echo("\nexam (docs/exam_measures.md)")
    measured = [one for one in report.exam if one.difference is not None]
    if measured:
        rows = (
            (
                _called(one), one.unit,
                f"{_number(one.original)}{_between(one.original_interval)}",
                f"{_number(one.released)}{_between(one.released_interval)}",
                _number(one.difference), _number(one.null_difference),
            )
            for one in measured
        )  # fmt: skip
        _print_rows(console, ("measure", "unit", "original", "released", "difference", "null edit's"), rows)
    kept = [one for one in report.tremors if one.value is not None]
    if kept:
        told = (
            (
                _called(one), one.unit,
                f"{_number(one.value)}{_between(one.interval)}", _number(one.null_edit),
            )
            for one in kept
        )  # fmt: skip
        _print_rows(console, ("how tremors are kept", "unit", "released", "null edit's"), told)
    for because, names in _unmeasured(report).items():
        console.print(f"not measurable here: {', '.join(names)}: {because}", markup=False, soft_wrap=True)
    for title, values in (("action units", report.action_units), ("blendshapes", report.blendshapes)):
        if values:
            _print_facial(console, title, values)


def _print_facial(console: "Console", title: str, values: "Sequence[ExamValue]") -> None:
    """What somebody else's model saw in both videos, by unit."""
    rows = ((one.name, one.unit, _number(one.value), str(one.sample_size)) for one in values if one.value is not None)
    _print_rows(console, (title, "unit", "released against original", "frames"), rows)
    for one in values:
        if one.value is None:
            console.print(f"not measurable here: {one.name}: {one.reason}", markup=False, soft_wrap=True)


def _called(row: "ExamRow | TremorRow") -> str:
    return f"{row.side} {row.name}".strip().replace("_", " ")


def _unmeasured(report: "MotionReport") -> dict[str, list[str]]:
    """Each reason once, with what it holds for; how a tremor is kept joins its part's line that says the same."""
    missing = [row for row in report.exam if row.difference is None]
    reasons: dict[str, list[str]] = {}
    for row in missing:
        reasons.setdefault(row.because, []).append(_called(row))
    for kept in report.tremors:
        if kept.value is None:
            part = kept.name.partition("_tremor_")[0]
            own = [row.because for row in missing if (row.name.partition("_tremor_")[0], row.side) == (part, kept.side)]
            same = (because for because in own if _bare(kept.because) in _bare(because))
            reasons.setdefault(next(same, kept.because), []).append(_called(kept))
    return reasons


def _bare(because: str) -> str:
    """A reason without whose video it is of: the two tables say that in different words."""
    return re.sub(r"\b(original|released)(: | )", "", because)


def _print_rows(console: "Console", titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.table import Table  # noqa: PLC0415

    table = Table(*titles, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _between(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f" ({ends[0]:.3g} to {ends[1]:.3g})"


def _print_group(console: "Console", rows: list["MotionRow"], *, tested: bool) -> None:
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    titles = ("keypoint", "median px", "95th px", "median %", "seen", "px/s", "px/s³", "r x, y", "ICC x, y", "bias px")
    for title in (*titles, *(("equivalent",) if tested else ())):
        table.add_column(title, justify="left" if title == "keypoint" else "right")
    for row in rows:
        one = row.released
        if one is not None:
            table.add_row(row.name, *_shown(row, one), *((_test(one),) if tested else ()))
    console.print(table)


def _shown(row: "MotionRow", one: "Agreement") -> Iterator[str]:
    median, p95, velocity, _, jerk = (_number(one.errors[name]) + _times(row.ratios[name]) for name in _ERRORS)
    yield from (median, p95, _number(one.median_percent), f"{one.seen_other - one.seen_original:+.1%}", velocity, jerk)
    for what in ("correlation", "icc", "bias_px"):
        values = [getattr(axis, what).value for axis in one.axes.values()]
        yield ", ".join("-" if value is None else f"{value:.2f}" for value in values)


def _test(one: "Agreement") -> str:
    tests = [axis.equivalence for axis in one.axes.values()]
    if any(isinstance(test, str) for test in tests):
        return "not tested"
    shown = all(test is not None and not isinstance(test, str) and test.shown for test in tests)
    return "yes" if shown else "not shown"


def _untested(rows: list["MotionRow"]) -> list[str]:
    """Why equivalence could not be tested, each reason once."""
    axes = [axis for row in rows if row.released is not None for axis in row.released.axes.values()]
    return list(dict.fromkeys(axis.equivalence for axis in axes if isinstance(axis.equivalence, str)))


def _missing(rows: list["MotionRow"]) -> Iterator[tuple[str, str]]:
    """Each reason once, with the names it holds for."""
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        if row.released is None:
            by_reason.setdefault(row.because, []).append(row.name)
    for because, names in by_reason.items():
        yield because, "all" if len(names) == len(rows) else ", ".join(names)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:.2g}"


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f" ({ratio:.1f}x)"
