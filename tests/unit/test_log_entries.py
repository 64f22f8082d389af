"""Entries: what they hold as bytes, and every other spelling, key and type refused."""

import json
from typing import Any

import pytest
import rfc8785
from pydantic import TypeAdapter, ValidationError

from deid_audit.log.entries import NO_PREVIOUS, Entry, entry_line, read_entry
from deid_audit.log.events import (
    Approved,
    Event,
    Recovered,
    RefusedByChair,
    Reviewed,
    RunEnded,
    RunRefused,
    RunStarted,
    Verified,
    WeightsDestroyed,
    Withdrawn,
)
from deid_audit.records import Outcome
from tests.unit.log_building import CERTIFICATE, SIGNER, STATEMENT

SIGNED = {"case_id": "c", "statement_sha256": STATEMENT, "signer_sha256": SIGNER}
EVENTS: tuple[Event, ...] = (
    RunStarted(case_id="c", kind="audit"),
    RunEnded(
        case_id="c", kind="conceal", verdict=Outcome.FAILED, statement_sha256=STATEMENT, certificate_sha256=CERTIFICATE
    ),
    RunRefused(case_id="c", error="NotCovered", exit_code=3),
    Reviewed(case_id="c", review_sha256=STATEMENT, readers=2, decisions=7),
    WeightsDestroyed(case_id="c", complete=False, key_id="0123456789abcdef"),
    Approved(**SIGNED),
    RefusedByChair(**SIGNED),
    Withdrawn(**SIGNED, status_sha256=STATEMENT),
    Verified(statement_sha256=None, exit_code=1),
    Recovered(cut_bytes=12),
)


def entry(event: Event = EVENTS[0], **place: Any) -> Entry:
    return Entry(
        **{"seq": 3, "prev": "12" * 32, "time": "2026-01-02T03:04:05Z", "clock_went_back": False, "event": event}
        | place
    )


def test_an_entry_by_hand() -> None:
    first = entry(seq=0, prev=NO_PREVIOUS)
    assert entry_line(first) == (
        b'{"case_id":"c","event":"run_started","kind":"audit","prev":"' + b"0" * 64 + b'","seq":0,'
        b'"time":"2026-01-02T03:04:05Z"}'
    )
    assert b'{"case_id":"c","clock_went_back":true,"event"' in entry_line(entry(clock_went_back=True))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.event)
def test_every_event_survives_being_written_and_read(event: Event) -> None:
    for back in (False, True):
        written = entry(event, clock_went_back=back)
        assert read_entry(entry_line(written)) == written


def test_every_event_of_the_table_is_tried() -> None:
    schema = TypeAdapter(Event).json_schema()
    assert set(schema["discriminator"]["mapping"]) == {event.event for event in EVENTS}


GOOD = json.loads(entry_line(entry()))


def test_the_example_is_read() -> None:
    assert read_entry(rfc8785.dumps(GOOD)) == entry()


@pytest.mark.parametrize(
    "change",
    [
        {"note": "one more"},
        {"path": "videos"},
        {"event": "unheard_of"},
        {"event": None},
        {"kind": "swop"},
        {"case_id": "a/b"},
        {"case_id": ".hidden"},
        {"case_id": "Jane Doe"},
        {"case_id": "c\n"},
        {"case_id": 7},
        {"seq": -1},
        {"seq": "3"},
        {"seq": True},
        {"prev": "12" * 31},
        {"prev": "AB" * 32},
        {"prev": "12" * 32 + "\n"},
        {"time": "2026-01-02T03:04:05"},
        {"time": "2026-01-02T03:04:05+00:00"},
        {"time": "2026-1-2T03:04:05Z"},
        {"time": "2026-02-30T03:04:05Z"},
        {"time": "2026-01-02T03:04:05.5Z"},
        {"time": 1767323045},
        {"clock_went_back": False},
        {"clock_went_back": 1},
        {"clock_went_back": None},
        {"statement_sha256": STATEMENT},
    ],
    ids=str,
)
def test_another_key_or_value_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        read_entry(rfc8785.dumps(GOOD | change))


@pytest.mark.parametrize("key", GOOD)
def test_a_missing_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError):
        read_entry(rfc8785.dumps({name: value for name, value in GOOD.items() if name != key}))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        entry_line(entry()) + b" ",
        b" " + entry_line(entry()),
        entry_line(entry()).replace(b":3,", b": 3,"),
        entry_line(entry()).replace(b":3,", b":3.0,"),
        entry_line(entry()).replace(b":3,", b":" + b"9" * 5000 + b","),
        entry_line(entry()).replace(b":3,", b":NaN,"),
        entry_line(entry()).replace(b'"c"', b'"\\u0063"'),
        entry_line(entry()).replace(b'"c"', b'"\\ud800"'),
        entry_line(entry()).replace(b'{"case_id":"c",', b'{"case_id":"b","case_id":"c",'),
        json.dumps(dict(reversed(GOOD.items())), separators=(",", ":")).encode(),
    ],
    ids=lambda line: repr(line[:30]),
)
def test_another_spelling_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        read_entry(line)


def test_the_reason_steers_no_terminal() -> None:
    for change in ({"\x1b[31m": 1}, {"kind": "\x1b[31m"}, {"event": "\x1b[31m"}):
        with pytest.raises(ValueError) as caught:
            read_entry(rfc8785.dumps(GOOD | change))
        assert str(caught.value).isprintable()


def test_what_could_name_a_place_or_a_person_cannot_be_an_event() -> None:
    for event, values in (
        (RunRefused, {"error": "no file in /videos", "exit_code": 1}),
        (RunStarted, {"kind": "swap"}),
    ):
        for case_id in ("c", "Jane Doe"):
            with pytest.raises(ValidationError):
                event(case_id=case_id, **(values if event is RunRefused else values | {"host": "here"}))
