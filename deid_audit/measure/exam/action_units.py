"""Action units that another tool found: CSV files of OpenFace or py-feat, and how two of them agree, unit by unit.

The tools run elsewhere, on the original and on the released video; their models and licences are not this package's.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deid_audit.errors import TableFileError
from deid_audit.measure.exam.table_file import read_rows
from deid_audit.measure.exam.values import Definition, ExamValue
from deid_audit.measure.expression import correlation

MIN_FRAMES = 10
_UNIT = re.compile(r"AU(\d{2})(_r)?")
_NEXT = "Write the table anew with OpenFace (FeatureExtraction) or py-feat, for one face, and do not edit it."

Signal = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ActionUnitTable:
    """Intensities of one face: `frames` int (n,) rising, `units` by name ("AU01"), each (n,), NaN where none was found.

    `scale` is "0 to 5" (OpenFace's intensities) or "0 to 1" (py-feat).
    """

    frames: NDArray[np.int64]
    units: dict[str, Signal]
    scale: str


def read_action_units(path: Path) -> ActionUnitTable:
    """Read a CSV file of OpenFace or py-feat; the one with columns `AU01_r` is OpenFace's.

    Raises:
        TableFileError: The file is no such table; names row and column, never a value.
    """
    header, rows = _rows_of(path)
    columns = {name: match for name in header if (match := _UNIT.fullmatch(name))}
    rated = any(match[2] for match in columns.values())
    columns = {name: match for name, match in columns.items() if bool(match[2]) == rated}
    if "frame" not in header or not columns:
        missing = "no column frame" if "frame" not in header else "no column such as AU01_r or AU01"
        raise TableFileError(f"the table of action units has {missing}", next_step=_NEXT)
    frames = _column(header, rows, "frame")
    units = {f"AU{match[1]}": _column(header, rows, name, empty=True) for name, match in columns.items()}
    if not np.isfinite(frames).all() or (frames != np.floor(frames)).any():
        row = int(np.flatnonzero(~np.isfinite(frames) | (frames != np.floor(frames)))[0]) + 2
        raise TableFileError(f"row {row}, column frame: not a whole number", next_step=_NEXT)
    if (np.diff(frames) <= 0).any():
        row = int(np.flatnonzero(np.diff(frames) <= 0)[0]) + 3
        raise TableFileError(
            f"row {row}, column frame: not after the row before, as with several faces in a frame", next_step=_NEXT
        )
    if "success" in header:
        failed = _column(header, rows, "success") != 1
        units = {name: np.where(failed, np.nan, values) for name, values in units.items()}
    return ActionUnitTable(frames=frames.astype(np.int64), units=units, scale="0 to 5" if rated else "0 to 1")


def compare_action_units(original: ActionUnitTable, released: ActionUnitTable) -> list[ExamValue]:
    """Pearson's correlation and root mean square error of each unit, over the frames that both tables have.

    Raises:
        TableFileError: The tables are of two tools, or have no unit in common.
    """
    if original.scale != released.scale:
        raise TableFileError(
            f"the two tables of action units are not of one tool: {original.scale} and {released.scale}",
            next_step=_NEXT,
        )
    shared = sorted(set(original.units) & set(released.units))
    if not shared:
        raise TableFileError("the two tables have no action unit in common", next_step=_NEXT)
    _, at, beside = np.intersect1d(original.frames, released.frames, assume_unique=True, return_indices=True)
    out: list[ExamValue] = []
    for name in shared:
        before, after = original.units[name][at], released.units[name][beside]
        both = np.isfinite(before) & np.isfinite(after)
        out += _agreement(name, original.scale, before[both], after[both])
    return out


def _agreement(name: str, scale: str, before: Signal, after: Signal) -> list[ExamValue]:
    pcc = Definition(name=f"{name.lower()}_pcc", unit="1", reference="Baltrusaitis 2018")
    rmse = Definition(name=f"{name.lower()}_rmse", unit=f"intensity {scale}", reference="Baltrusaitis 2018")
    count = len(before)
    if count < MIN_FRAMES:
        why = f"{count} frames have this unit in both tables; at least {MIN_FRAMES} are needed"
        return [one.missing(why, sample_size=count) for one in (pcc, rmse)]
    error = rmse.given(float(np.sqrt(np.mean((after - before) ** 2))), count)
    if np.ptp(before) == 0:
        return [pcc.missing("no such movement seen: the original's intensity never changes", sample_size=count), error]
    return [pcc.given(correlation(before, after), count), error]


def _rows_of(path: Path) -> tuple[list[str], list[list[str]]]:
    table = read_rows(path, "action units", next_step=_NEXT)
    if len(table) < 2:
        raise TableFileError("the table of action units has no rows", next_step=_NEXT)
    header = table[0]
    for number, row in enumerate(table[1:], start=2):
        if len(row) != len(header):
            raise TableFileError(f"row {number}: {len(row)} columns, {len(header)} in the header", next_step=_NEXT)
    return header, table[1:]


def _column(header: list[str], rows: list[list[str]], name: str, *, empty: bool = False) -> Signal:
    at, out = header.index(name), np.empty(len(rows))
    for number, row in enumerate(rows):
        text = row[at].strip()
        try:
            out[number] = np.nan if empty and text.lower() in {"", "nan"} else float(text)
        except ValueError:
            raise TableFileError(f"row {number + 2}, column {name}: not a number", next_step=_NEXT) from None
    return out
