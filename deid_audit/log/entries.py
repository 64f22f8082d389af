"""Entry: one event with its place in the log, as one line of canonical JSON (RFC 8785).

The line's bytes, without the line feed, are the leaf of the Merkle tree and what the next entry's `prev` names.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import rfc8785
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from deid_audit.log.events import Event, Sha256
from deid_audit.records import Strict

NO_PREVIOUS = "0" * 64
"""`prev` of the first entry."""
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_EVENT: TypeAdapter[Event] = TypeAdapter(Event)


def time_text(moment: datetime) -> str:
    """A moment in UTC as entries have it, in whole seconds; two of them compare as the moments do."""
    return moment.strftime(_TIME)


def _a_time(text: str) -> str:
    if time_text(datetime.strptime(text, _TIME)) != text:
        raise ValueError("not a time")
    return text


class _Place(Strict):
    seq: Annotated[int, Field(ge=0)]
    prev: Sha256
    time: Annotated[str, AfterValidator(_a_time)]
    clock_went_back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event as it was logged.

    Attributes:
        seq: Its number, from 0: also its index in the Merkle tree.
        prev: Leaf hash of the line before, hex.
        time: The host's clock, UTC.
        clock_went_back: Whether that clock showed less than in the entry before.
    """

    seq: int
    prev: str
    time: str
    clock_went_back: bool
    event: Event


def entry_line(entry: Entry) -> bytes:
    """The entry's line, without a line feed. `clock_went_back` is written only where it is so."""
    place: dict[str, Any] = {"seq": entry.seq, "prev": entry.prev, "time": entry.time}
    if entry.clock_went_back:
        place["clock_went_back"] = True
    return rfc8785.dumps(entry.event.model_dump(mode="json") | place)


def read_entry(line: bytes) -> Entry:
    """The entry in a line; ValueError, with the reason, for any other form, key, type or spelling."""
    try:
        table = json.loads(line.decode())
        if not isinstance(table, dict):
            raise ValueError("not a JSON object")
        names = _Place.model_fields
        place = _Place.model_validate({key: table.pop(key) for key in names if key in table}, strict=True)
        event = _EVENT.validate_json(rfc8785.dumps(table), strict=True)
        entry = Entry(**place.model_dump(), event=event)
        if entry_line(entry) != line:
            raise ValueError("not in canonical form")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        said = f"{'.'.join(str(part) for part in first['loc']):.60}: {first['msg']:.120}"
        # It may repeat what stands in the line, and is printed on a terminal.
        raise ValueError(said.encode("unicode_escape").decode()) from None
    except (json.JSONDecodeError, UnicodeError, RecursionError):
        raise ValueError("not JSON") from None
    return entry
