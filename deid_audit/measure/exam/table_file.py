"""A table that somebody else's program or a rater filled in, as a CSV file."""

import csv
from pathlib import Path

from deid_audit.errors import TableFileError


def read_rows(path: Path, what: str, *, next_step: str) -> list[list[str]]:
    """The rows that are not empty, the header first, with its names stripped; empty for an empty file.

    Raises:
        TableFileError: The file of `what` cannot be read or is no CSV file in UTF-8.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except OSError as error:
        raise TableFileError(f"the table of {what} cannot be read", next_step="Check the path.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableFileError(f"the table of {what} is no CSV file in UTF-8", next_step=next_step) from error
    return [[name.strip() for name in row] if at == 0 else row for at, row in enumerate(rows)]
