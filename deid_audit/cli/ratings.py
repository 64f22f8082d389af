"""`deid-audit ratings`: whether clinicians rate the released clips as the originals, from their table."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deid_audit.cli.options import Json, print_json

if TYPE_CHECKING:
    from deid_audit.measure.exam.rerating import Ratings
    from deid_audit.measure.exam.values import ExamValue

SCHEMA = "deid-audit/ratings/v1"


def ratings(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="CSV",
            readable=False,
            help="Columns clip, rater, item, condition (original or released), score (0 to 4).",
        ),
    ],
    as_json: Json = False,
) -> None:
    """Weighted kappa of clinicians' ratings: released clips against originals, over all and for each item.

    Each clip, rater and item stands in the table once as original and once as released. Whether the raters were
    blinded and the clips shuffled cannot be seen in it. audit --ratings puts the same into the certificate.
    """
    from deid_audit.measure.exam.rerating import read_ratings, rerating_values  # noqa: PLC0415  (heavy)

    read = read_ratings(table)
    values = rerating_values(read)
    if as_json:
        print_json(document(read, values))
        return
    typer.echo(f"ratings    {len(read.original)} pairs of scores, {len(set(read.clips.tolist()))} clips")
    for one in values:
        between = "" if one.low is None or one.high is None else f" ({one.low:.3g} to {one.high:.3g})"
        shown = f"not measurable: {one.reason}" if one.value is None else f"{one.value:.3f}{between}"
        typer.echo(f"{one.name:32} {shown}, {one.sample_size} pairs")


def document(read: "Ratings", values: "list[ExamValue]") -> dict[str, Any]:
    """The kappas as one JSON document; no clip and no rater is named."""
    return {
        "schema": SCHEMA,
        "pairs": len(read.original),
        "clips": len(set(read.clips.tolist())),
        "values": [value_row(one) for one in values],
    }


def value_row(one: "ExamValue") -> dict[str, Any]:
    """One measure as an object."""
    row = dataclasses.asdict(one)
    return {"because" if name == "reason" else name: value for name, value in row.items() if name != "side"}
