"""Whether clinicians rate the released clips as the originals: weighted kappa of blinded scores, with its interval.

The table comes from outside. Whether the raters were blinded and the clips shuffled cannot be seen in it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deid_audit.errors import TableFileError
from deid_audit.measure.exam.table_file import read_rows
from deid_audit.measure.exam.values import Definition, ExamValue
from deid_audit.measure.intervals import Clusters, bootstrap

NOT_DONE = "not done"
COLUMNS = ("clip", "rater", "item", "condition", "score")
SCORES = 5
# items are printed, so nothing that could be a name or a sentence may stand there
_ITEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,15}")
_CONDITIONS = ("original", "released")
_NEXT = "Give a CSV file in UTF-8 with the columns clip, rater, item, condition (original or released), score (0 to 4)."
_WEIGHTS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {"linear": np.abs, "quadratic": np.square}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ratings:
    """Paired scores 0 to 4: `original` and `released` int (n,), with the `clips` int (n,) and `items` of each."""

    original: NDArray[np.intp]
    released: NDArray[np.intp]
    clips: NDArray[np.intp]
    items: tuple[str, ...]


def weighted_kappa(one: NDArray[np.intp], other: NDArray[np.intp], weights: str) -> float:
    """Cohen's kappa of two ratings 0 to 4 (n,) with `weights` "linear" or "quadratic"; NaN where all scores are one.

    >>> round(weighted_kappa(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2]), "linear"), 4)
    0.7143
    """
    counts = np.bincount(SCORES * one + other, minlength=SCORES**2).reshape(SCORES, SCORES)
    steps = np.arange(float(SCORES))
    cost = _WEIGHTS[weights](steps[:, None] - steps[None, :])
    expected = float((np.outer(counts.sum(axis=1), counts.sum(axis=0)) * cost).sum()) / max(1, len(one))
    return 1 - float((counts * cost).sum()) / expected if expected > 0 else float("nan")


def rerating_values(ratings: Ratings | None) -> list[ExamValue]:
    """Both kappas over all pairs and of each item, original against released; "not done" without ratings."""
    kappas = {
        weights: Definition(name=f"rerating_kappa_{weights}", unit="1", reference="Cohen 1968") for weights in _WEIGHTS
    }
    if ratings is None:
        return [one.missing(NOT_DONE) for one in kappas.values()]
    out = _of_rows(ratings, np.arange(len(ratings.original)), kappas)
    for item in sorted(set(ratings.items)):
        of_item = {
            weights: Definition(name=f"{one.name}.{item}", unit=one.unit, reference=one.reference)
            for weights, one in kappas.items()
        }
        out += _of_rows(ratings, np.flatnonzero(np.array(ratings.items) == item), of_item)
    return out


def _of_rows(ratings: Ratings, rows: NDArray[np.intp], kappas: dict[str, Definition]) -> list[ExamValue]:
    one, other = ratings.original[rows], ratings.released[rows]

    def statistics(at: NDArray[np.intp]) -> dict[str, float]:
        return {weights: weighted_kappa(one[at], other[at], weights) for weights in kappas}

    values = statistics(np.arange(len(rows)))
    # a clip's scores hang together, whoever gave them
    bounds = bootstrap(statistics, Clusters(labels=ratings.clips[rows], unit="clips"))
    return [
        definition.given(values[weights], len(rows), interval=bounds.of(weights)[0])
        if np.isfinite(values[weights])
        else definition.missing("all scores are the same, so agreement by chance is complete", sample_size=len(rows))
        for weights, definition in kappas.items()
    ]


def read_ratings(path: Path) -> Ratings:
    """Read a table of ratings; each clip, rater and item stands in it once as original and once as released.

    Raises:
        TableFileError: It is no such table; names row and column, never what stands there.
    """
    table = read_rows(path, "ratings", next_step=_NEXT)
    header = table[0] if table else []
    for name in COLUMNS:
        if header.count(name) != 1:
            raise TableFileError(f"the table of ratings needs one column {name}", next_step=_NEXT)
    if len(table) < 2:
        raise TableFileError("the table of ratings has no rows", next_step=_NEXT)
    scores: dict[tuple[str, str, str], dict[str, int]] = {}
    first_row: dict[tuple[str, str, str], int] = {}
    for number, row in enumerate(table[1:], start=2):
        key, condition, score = _rating(header, row, number)
        if condition in scores.setdefault(key, {}):
            raise TableFileError(f"row {number}, column condition: this rating stands above already", next_step=_NEXT)
        scores[key][condition] = score
        first_row.setdefault(key, number)
    for key, pair in scores.items():
        if len(pair) < len(_CONDITIONS):
            raise TableFileError(
                f"row {first_row[key]}, column condition: rated in one condition only",
                next_step="Add the other condition's row, or take this one out.",
            )
    order = {clip: at for at, clip in enumerate(sorted({key[0] for key in scores}))}
    return Ratings(
        original=np.array([pair["original"] for pair in scores.values()], np.intp),
        released=np.array([pair["released"] for pair in scores.values()], np.intp),
        clips=np.array([order[key[0]] for key in scores], np.intp),
        items=tuple(key[2] for key in scores),
    )


def _rating(header: list[str], row: list[str], number: int) -> tuple[tuple[str, str, str], str, int]:
    if len(row) != len(header):
        raise TableFileError(f"row {number}: {len(row)} columns, {len(header)} in the header", next_step=_NEXT)
    found = {name: row[header.index(name)].strip() for name in COLUMNS}
    for name in COLUMNS[:3]:
        if not found[name]:
            raise TableFileError(f"row {number}, column {name}: empty", next_step=_NEXT)
    if not _ITEM.fullmatch(found["item"]):
        raise TableFileError(f"row {number}, column item: not the number or short name of an item", next_step=_NEXT)
    if found["condition"] not in _CONDITIONS:
        raise TableFileError(f"row {number}, column condition: neither original nor released", next_step=_NEXT)
    if found["score"] not in {str(score) for score in range(SCORES)}:
        raise TableFileError(f"row {number}, column score: not a whole number from 0 to 4", next_step=_NEXT)
    return (found["clip"], found["rater"], found["item"]), found["condition"], int(found["score"])
