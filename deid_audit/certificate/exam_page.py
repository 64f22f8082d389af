"""The clinician's page as rows of text: what an examination shows, original beside released, and clinicians' ratings.

Between the case record and the page template; nothing is computed here.
"""

import re
from collections.abc import Sequence

from deid_audit.catalog import METRICS
from deid_audit.certificate.strings import TABLES
from deid_audit.certificate.tables import Table, Values
from deid_audit.certificate.wording import metric_title, number
from deid_audit.findings import Figure, Measurement, Of

FOLLOWED = (
    *("exam.blinks_kept", "exam.blink_depth", "exam.blinks_added"),
    *("exam.gaze_horizontal_r", "exam.gaze_vertical_r"),
)
_RATINGS = ("exam.rerating_kappa_linear", "exam.rerating_kappa_quadratic")
_COMPARED = tuple(name for name in METRICS if name.startswith("exam.") and name not in (*FOLLOWED, *_RATINGS))
_ITEM = re.compile(r"item ([A-Za-z0-9._-]+)")
_CURVES = "exam-"


def is_curve(figure: Figure) -> bool:
    """Whether this figure stands on the clinician's page."""
    return figure.name.startswith(_CURVES)


def followed_table(values: Values, scope: str) -> Table:
    """Blinks and gaze that are still there, beside the null edit's."""
    table = Table(head=("", TABLES["value"], TABLES["null_edit"], TABLES["sample"]))
    for metric in FOLLOWED:
        row = values.find(metric, "swapped", scope)
        known = row is not None and row.value is not None
        floor = "–" if row is None or row.noise_floor is None else number(metric, row.noise_floor)
        sample = str(row.sample_size) if row is not None and known else "–"
        table.rows.append((metric_title(metric), values.cell(table, metric, "swapped", scope), floor, sample))
    return table


def exam_table(values: Values, scope: str) -> Table:
    """Each measure of the original and of the released video, with its interval, and the null edit's.

    What the original shows and the released video does not is called lost, with the note that says why.
    """
    table = Table(head=("", TABLES["original"], TABLES["released"], TABLES["null_edit"]))
    for metric in _COMPARED:
        swapped = values.find(metric, "swapped", scope)
        floor = "–" if swapped is None or swapped.noise_floor is None else number(metric, swapped.noise_floor)
        before, after = (_between(values, table, metric, of, scope) for of in ("original", "swapped"))
        if _lost(values.find(metric, "original", scope), swapped):
            after = TABLES["lost"].format(note=after)
        table.rows.append((metric_title(metric), before, after, floor))
    return table


def rating_table(values: Values) -> Table:
    """Weighted kappas over all pairs and of each item; empty where nobody rated."""
    table = Table(head=("", TABLES["kappa_linear"], TABLES["kappa_quadratic"], TABLES["pairs"]))
    rows = [values.find(metric, "swapped", "run") for metric in _RATINGS]
    if any(row is None or row.value is None for row in rows):
        return table
    details = [row.detail for row in rows if row is not None]
    cells = [_between(values, table, metric, "swapped", "run") for metric in _RATINGS]
    table.rows.append((TABLES["all_items"], *cells, str(rows[0].sample_size if rows[0] else "")))
    for key in sorted(details[0]):
        if matched := _ITEM.fullmatch(key):
            kappas = (number(_RATINGS[0], one[key]) if key in one else "–" for one in details)
            pairs = f"{details[0][f'{key}: pairs']:g}"
            table.rows.append((TABLES["item"].format(item=matched[1]), *kappas, pairs))
    return table


def why_no_ratings(values: Values) -> str:
    """Why there is no table of ratings, in words: "not done" where none was given."""
    row = values.find(_RATINGS[0], "swapped", "run")
    return TABLES["not_done"] if row is None or row.not_measured_because is None else row.not_measured_because


def curves(figures: Sequence[Figure]) -> list[tuple[int, Figure]]:
    """The figures of the clinician's page, each with its number among all."""
    return [(number, one) for number, one in enumerate(figures) if is_curve(one)]


def _lost(original: Measurement | None, released: Measurement | None) -> bool:
    """Whether the original has a value, and the released video was looked at and has none."""
    return original is not None and original.value is not None and released is not None and released.value is None


def _between(values: Values, table: Table, metric: str, of: Of, scope: str) -> str:
    cell, row = values.cell(table, metric, of, scope), values.find(metric, of, scope)
    if row is None or "low95" not in row.detail:
        return cell
    low, high = (number(metric, row.detail[end], unit=False) for end in ("low95", "high95"))
    return TABLES["between"].format(value=cell, low=low, high=high)
