"""What a verification or a decision leaves in the log of whoever keeps one.

A run makes a log where there is none; a look at somebody's certificate does not, unless a log was named. The result
stands whether or not it could be noted: what went wrong is given back in words.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from deid_audit.errors import LogError
from deid_audit.log import Event, Journal, log_folder
from deid_audit.log.storage import LOG


def _now() -> datetime:
    return datetime.now(UTC)


def note(log: Path | None, make: Callable[[], Event], *, clock: Callable[[], datetime] = _now) -> str:
    """Appends what `make` gives to the log that was named, or to the user's own where there is one.

    Why it could not be noted, in words; empty when it was, or where nobody keeps a log.
    """
    folder = log_folder(log)
    if log is None and not (folder / LOG).exists():
        return ""
    try:
        Journal(folder, clock=clock).append(make())
    except LogError as error:
        return f"not noted in the log: {error}"
    except ValidationError:  # a foreign certificate may call its case anything
        return "not noted in the log: the certificate's case has a name that the log does not take"
    return ""
