"""`deid-audit motion`: whether the movement of one video is still there in another, keypoint by keypoint."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deid_audit.cli.motion_table import print_report, write_csv
from deid_audit.cli.options import Json, print_json
from deid_audit.cli.ratings import value_row
from deid_audit.cli.report import progress_on_stderr

if TYPE_CHECKING:
    from deid_audit.measure.motion import Agreement, AxisAgreement, Estimate, MotionRow
    from deid_audit.pipeline.exam_rows import ExamRow, TremorRow
    from deid_audit.pipeline.movement import MotionReport

SCHEMA = "deid-audit/motion/v1"


def motion(
    first: Annotated[
        Path, typer.Argument(metavar="FIRST", readable=False, help="The video to compare with: the original.")
    ],
    second: Annotated[Path, typer.Argument(metavar="SECOND", readable=False, help="The video made from it.")],
    null_edit: Annotated[
        bool,
        typer.Option(
            "--null-edit/--no-null-edit", help="Compare the first video with itself re-encoded, too: the noise floor."
        ),
    ] = True,
    margin: Annotated[
        float | None,
        typer.Option(
            "--margin",
            metavar="PERCENT",
            help="Test equivalence of place: the mean displacement that counts as none, in % of torso, hand or eyes.",
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", readable=False, help="Write a row for each keypoint; must not exist."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier file at --csv.")] = False,
    action_units: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--action-units",
            metavar="CSV CSV",
            readable=False,
            help="Compare action units, too: tables of OpenFace or py-feat of FIRST and of SECOND.",
        ),
    ] = None,
    blendshapes: Annotated[
        Path | None,
        typer.Option(
            "--blendshapes",
            metavar="MODEL.task",
            readable=False,
            help="Compare blendshapes, too, with a FaceLandmarker model of yours; none travels with this package.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare the movement of body, hands and face in two videos of the same instants.

    It finds the person in both with the same detectors, without smoothing, and says how far each keypoint's place and
    speed differ, beside what a mere re-encoding does. No verdict and no diagnosis. Exit status 0; 3 where the frames'
    instants differ, or where a stated margin is not shown to be kept.
    """
    from deid_audit.pipeline.movement import compare_movement  # noqa: PLC0415  (heavy)

    report = compare_movement(
        first,
        second,
        null_edit=null_edit,
        margin_percent=margin,
        table=csv,
        force=force,
        action_units=action_units,
        blendshapes=blendshapes,
        write_table=write_csv,
        progress=progress_on_stderr(),
    )
    if as_json:
        print_json(document(report))
    else:
        print_report(report)
    raise typer.Exit(report.exit_code)


def document(report: "MotionReport") -> dict[str, Any]:
    """The comparison as one JSON document; no path, no picture."""
    timing = report.timing
    return {
        "schema": SCHEMA,
        "timing": {
            "agrees": timing.agrees,
            "identical": timing.identical,
            "first_frames": timing.first_frames,
            "second_frames": timing.second_frames,
            "compared": len(timing.pairs),
            "largest_difference_s": timing.largest_difference_s,
        },
        "others_in_view": report.others,
        "null_edit": report.null_edit,
        "margin_percent": report.margin_percent,
        "equivalent": report.equivalent,
        "yardsticks": [
            {"group": group, "name": one.name, "px": one.px} for group, one in report.comparison.yardsticks.items()
        ],
        "rows": [_row(one) for one in report.comparison.rows],
        "exam": [_exam(one) for one in report.exam],
        "tremors": [_exam(one) for one in report.tremors],
        "action_units": [value_row(one) for one in report.action_units],
        "blendshapes": [value_row(one) for one in report.blendshapes],
    }


def _exam(row: "ExamRow | TremorRow") -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(row).items()}


def _row(row: "MotionRow") -> dict[str, Any]:
    return {
        "group": row.group,
        "name": row.name,
        "because": row.because,
        "released": None if row.released is None else _agreement(row.released),
        "null_edit": None if row.null_edit is None else _agreement(row.null_edit),
        "ratios": row.ratios,
    }


def _agreement(one: "Agreement") -> dict[str, Any]:
    return {
        "frames": one.frames,
        "errors": one.errors,
        "median_percent": one.median_percent,
        "p95_percent": one.p95_percent,
        "original_spread_px": one.original_spread_px,
        "seen_original": one.seen_original,
        "seen_other": one.seen_other,
        "x": _axis(one.axes["x"]),
        "y": _axis(one.axes["y"]),
    }


def _axis(axis: "AxisAgreement") -> dict[str, Any]:
    test = axis.equivalence
    tested = None
    if test is not None and not isinstance(test, str):
        tested = {
            "margin_px": test.margin,
            "mean_px": test.mean,
            "low_px": test.low,
            "high_px": test.high,
            "p": test.p,
            "seconds": test.blocks,
            "shown": test.shown,
        }
    return {
        "correlation": _estimate(axis.correlation),
        "icc": _estimate(axis.icc),
        "icc_if_independent": None if axis.icc_if_independent is None else list(axis.icc_if_independent),
        "bias_px": _estimate(axis.bias_px),
        "limits_px": [axis.limits.low, axis.limits.high],
        "equivalence": tested,
        "equivalence_missing": test if isinstance(test, str) else "",
    }


def _estimate(one: "Estimate") -> dict[str, Any]:
    interval = None if one.interval is None else one.interval.model_dump(mode="json")
    return {"value": one.value, "interval": interval, "because": one.because}
