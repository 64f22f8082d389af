"""The ledger read back from the steward's file, as `ledger.csv_lines` wrote it: the same lines would come out again."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from deid_audit.errors import EvidenceError
from deid_audit.ledger import CSV_COLUMNS, LedgerFrame, Region, Rung, State, csv_lines

_NEXT = "give OUT as the job left it"


def read_ledger_file(text: str) -> tuple[tuple[LedgerFrame, ...], ...]:
    """Every frame of every video, from the text of `frames.csv`; boxes and numbers as exact as they stand there.

    Raises:
        EvidenceError: it is not a file that `csv_lines` writes.
    """
    try:
        rows = csv.DictReader(text.splitlines())
        if tuple(rows.fieldnames or ()) != CSV_COLUMNS:
            raise ValueError("other columns")
        found = tuple(tuple(_frames(video)) for _, video in groupby(rows, key=lambda row: row["video"]))
        _expect_the_same(text, found)
    except (ValueError, TypeError, KeyError, csv.Error):
        raise EvidenceError("the ledger is no file that deid-audit wrote", next_step=_NEXT) from None
    return found


def _expect_the_same(text: str, found: Sequence[Sequence[LedgerFrame]]) -> None:
    """ValueError unless the frames give exactly this text."""
    written = csv_lines(found)
    if any(line != next(written, None) for line in text.splitlines(keepends=True)) or next(written, None) is not None:
        raise ValueError("not the same lines")


def _frames(rows: Iterable[dict[str, str]]) -> Iterator[LedgerFrame]:
    for index, grouped in groupby(rows, key=lambda row: int(row["frame"])):
        lines = list(grouped)
        if any(None in line.values() for line in lines):
            raise ValueError("a line is cut off")
        head = lines[0] if lines[0]["x0"] == "" else None  # of a frame in which no face was found
        cleared = head["decided_by"].split(" + ") if head is not None and head["decided_by"] else ()
        yield LedgerFrame(
            index=index,
            time_s=float(lines[0]["time_s"]),
            regions=tuple(_region(line) for line in lines if line is not head),
            cleared_by=tuple(cleared),
            expression_error=float(lines[0]["expression_error"]) if lines[0]["expression_error"] else None,
            unaccounted_faces=int(lines[0]["unaccounted_faces"]) if lines[0]["unaccounted_faces"] else None,
        )


def _region(row: dict[str, str]) -> Region:
    numbers = (one.rpartition(" ") for one in row["numbers"].split("; ") if one)
    return Region(
        track_id=int(row["track"]) if row["track"] else None,
        is_subject=row["subject"] == "yes",
        is_known=row["subject"] != "unknown",
        state=State(row["region_state"]),
        rung=Rung(row["rung"]) if row["rung"] else None,
        reason=row["reason"],
        decided_by=row["decided_by"],
        numbers=tuple((name, float(value)) for name, _, value in numbers),
        box_xyxy=(float(row["x0"]), float(row["y0"]), float(row["x1"]), float(row["y1"])),
    )
