"""`check_log`: each way to change a log is told, by line; what only an older checkpoint can show is shown by one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from deid_audit.errors import LogError
from deid_audit.log import Journal
from deid_audit.log.checking import LogReport, check_log, read_entries
from deid_audit.log.checkpoint import VerifierKey, signed_note
from deid_audit.log.entries import Entry, entry_line, read_entry
from deid_audit.log.merkle import leaf_hash, root_of
from tests.unit.log_building import EVENTS, STARTED, Clock, filled, lines_of, rewrite

CHAIN = "it does not follow the line before: that one was changed, removed or added"


def told(report: LogReport) -> list[tuple[int | None, str]]:
    return [(one.line, one.what) for one in report.problems]


def key_of(folder: Path) -> Ed25519PrivateKey:
    key = load_pem_private_key((folder / "log.key").read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def sign(folder: Path) -> None:
    """A checkpoint over the lines as they now are, by who has the key: only the lines themselves can give it away."""
    leaves = [leaf_hash(line) for line in lines_of(folder)]
    (folder / "checkpoint").write_text(signed_note(len(leaves), root_of(leaves), key_of(folder)), encoding="utf-8")


def forged(lines: list[bytes], change: Callable[[Entry], Entry]) -> list[bytes]:
    """All entries changed, with numbers and hashes that fit again."""
    made: list[bytes] = []
    for line in lines:
        entry = change(read_entry(line))
        prev = leaf_hash(made[-1]).hex() if made else "0" * 64
        made.append(entry_line(replace(entry, seq=len(made), prev=prev)))
    return made


def test_a_log_that_holds(tmp_path: Path) -> None:
    journal = filled(tmp_path)
    report = check_log(tmp_path)
    assert told(report) == []
    assert report.size == 5
    assert report.root == root_of([leaf_hash(line) for line in lines_of(tmp_path)]).hex()
    assert report.key == VerifierKey.of(key_of(tmp_path))
    assert report.checkpoint == journal.checkpoint()
    assert report.since is None
    assert report.notes == (
        "known here: 5 entries; entries cut off the end, or a log made anew, are seen only against a checkpoint kept "
        "elsewhere (--since)",
    )
    assert [entry.event for entry in read_entries(tmp_path)] == list(EVENTS)


def test_nothing_is_written_by_a_check(tmp_path: Path) -> None:
    filled(tmp_path)
    with (tmp_path / "log.jsonl").open("ab") as stream:
        stream.write(b"torn")
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()}
    report = check_log(tmp_path)
    assert told(report) == [] and "4 bytes of an unfinished entry" in report.notes[0]
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()} == before


# -- lines changed, and signed again by who has the key ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (lambda lines: [*lines[:2], *lines[3:]], [(3, "its number is 3, not 2"), (3, CHAIN)]),
        (lambda lines: lines[1:], [(1, "its number is 1, not 0"), (1, CHAIN)]),
        (lambda lines: [lines[0].replace(b"case-1", b"case-2"), *lines[1:]], [(2, CHAIN)]),
        (lambda lines: [*lines[:1], *lines], [(2, "its number is 0, not 1"), (2, CHAIN), (3, CHAIN)][:2]),
        (
            lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
            [
                (2, "its number is 2, not 1"),
                (2, CHAIN),
                (3, "its number is 1, not 3"),
                (3, CHAIN),
                (3, "its time is earlier than the entry before, and not marked so"),
                (4, "its number is 3, not 2"),
                (4, CHAIN),
            ],
        ),
        (lambda lines: [*lines[:4], lines[4] + b" "], [(5, "not an entry: not in canonical form")]),
        (lambda lines: [*lines[:1], b"", *lines[1:]], [(2, "not an entry: not JSON"), (3, CHAIN)]),
        (
            lambda lines: [lines[0].replace(b'"seq"', b'"rogue":1,"seq"'), *lines[1:]],
            [(1, "not an entry: run_started.rogue: Extra inputs are not permitted"), (2, CHAIN)],
        ),
    ],
    ids=["removed", "first removed", "changed", "doubled", "swapped", "space", "empty line", "another key"],
)
def test_changed_lines_are_told_though_the_key_signed_them(
    tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], problems: list[tuple[int, str]]
) -> None:
    filled(tmp_path)
    rewrite(tmp_path, change)
    sign(tmp_path)
    assert told(check_log(tmp_path)) == problems


def test_a_time_that_is_marked_wrongly_is_told(tmp_path: Path) -> None:
    filled(tmp_path)
    rewrite(tmp_path, lambda lines: forged(lines, lambda entry: replace(entry, clock_went_back=entry.seq == 2)))
    sign(tmp_path)
    assert told(check_log(tmp_path)) == [(3, "its time is marked as earlier")]
    rewrite(
        tmp_path,
        lambda lines: forged(
            lines,
            lambda entry: replace(
                entry, time="2000-01-01T00:00:00Z" if entry.seq == 1 else entry.time, clock_went_back=False
            ),
        ),
    )
    sign(tmp_path)
    assert told(check_log(tmp_path)) == [(2, "its time is earlier than the entry before, and not marked so")]


# -- lines changed without the key ------------------------------------------------------------------------------------

CHANGED = "its root is not that of the first 5 entries: they were changed"


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (lambda lines: forged(lines, lambda entry: replace(entry, time="2026-01-01T00:00:00Z")), [CHANGED]),
        (lambda lines: lines[:-1], ["it covers 5 entries, the log has 4: entries were removed"]),
        (lambda lines: [], ["it covers 5 entries, the log has 0: entries were removed"]),
        (
            lambda lines: forged([*lines, lines[4], lines[4]], lambda entry: entry),
            ["2 entries follow the checkpoint, and it is never more than one behind"],
        ),
    ],
    ids=["all anew", "last cut", "all cut", "two added"],
)
def test_a_chain_made_anew_is_told_by_the_checkpoint(
    tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], problems: list[str]
) -> None:
    filled(tmp_path)
    rewrite(tmp_path, change)
    report = check_log(tmp_path)
    assert told(report) == [(None, what) for what in problems]
    assert report.checkpoint is not None


def test_the_end_of_the_last_line_cut_is_told(tmp_path: Path) -> None:
    filled(tmp_path)
    path = tmp_path / "log.jsonl"
    path.write_bytes(path.read_bytes()[:-3])
    report = check_log(tmp_path)
    assert told(report) == [(None, "it covers 5 entries, the log has 4: entries were removed")]
    assert "unfinished entry" in report.notes[0]


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("checkpoint", None, "the log's checkpoint is gone"),
        ("checkpoint", b"nonsense\n", "this is no signed checkpoint, or not in its exact form"),
        ("log.pub", None, "the log's public key, log.pub, is gone: no checkpoint can be checked"),
        ("log.pub", b"nonsense\n", "this is no verifier key (name+key id+base64)"),
        ("log.pub", b"\xff\n", "this is no verifier key (name+key id+base64)"),
    ],
)
def test_files_gone_or_changed_are_told(tmp_path: Path, name: str, data: bytes | None, what: str) -> None:
    journal = filled(tmp_path)
    kept = journal.checkpoint().encode()
    if data is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(data)
    for since in (None, kept):
        report = check_log(tmp_path, since)
        assert told(report) == [(None, what)] and report.checkpoint is None


def test_a_checkpoint_of_another_log_is_told(tmp_path: Path) -> None:
    filled(tmp_path / "log")
    note = filled(tmp_path / "other").checkpoint()
    (tmp_path / "log" / "checkpoint").write_text(note, encoding="utf-8")
    assert told(check_log(tmp_path / "log")) == [
        (None, "the checkpoint is of another log, or signed with another key"),
    ]


# -- what only a checkpoint kept elsewhere can show -------------------------------------------------------------------


def test_a_log_that_was_only_added_to(tmp_path: Path) -> None:
    journal = Journal(tmp_path, clock=Clock())
    kept = [journal.checkpoint()]
    for event in EVENTS:
        journal.append(event)
        kept.append(journal.checkpoint())
    for size, note in enumerate(kept):
        report = check_log(tmp_path, note.encode())
        assert (told(report), report.since) == ([], size)
        assert f"later than the older checkpoint's {size} it is not seen" in report.notes[-1]


def test_a_log_put_back_to_an_earlier_day_is_told_only_by_a_later_checkpoint(tmp_path: Path) -> None:
    journal = filled(tmp_path)
    earlier = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    journal.append(STARTED)
    kept = journal.checkpoint().encode()
    for name, data in earlier.items():
        (tmp_path / name).write_bytes(data)
    assert told(check_log(tmp_path)) == []
    assert told(check_log(tmp_path, kept)) == [
        (None, "the older checkpoint: it covers 6 entries, the log has 5: entries were removed")
    ]
    Journal(tmp_path, clock=Clock()).append(EVENTS[1])  # and gone on with, as if nothing had been
    assert told(check_log(tmp_path)) == []
    assert told(check_log(tmp_path, kept)) == [
        (None, "the older checkpoint: its root is not that of the first 6 entries: they were changed")
    ]


def test_the_checkpoint_alone_put_back_is_told(tmp_path: Path) -> None:
    journal = filled(tmp_path)
    earlier = (tmp_path / "checkpoint").read_bytes()
    journal.append(STARTED)
    journal.append(STARTED)
    (tmp_path / "checkpoint").write_bytes(earlier)
    assert "2 entries follow the checkpoint" in told(check_log(tmp_path))[0][1]


def test_a_log_made_anew_with_its_key_is_told_only_by_an_older_checkpoint(tmp_path: Path) -> None:
    kept = filled(tmp_path).checkpoint().encode()
    rewrite(tmp_path, lambda lines: forged(lines, lambda entry: replace(entry, time="2026-01-01T00:00:00Z")))
    sign(tmp_path)
    assert told(check_log(tmp_path)) == []
    assert told(check_log(tmp_path, kept)) == [(None, f"the older checkpoint: {CHANGED}")]


def test_a_log_made_anew_with_another_key_is_told_only_by_an_older_checkpoint(tmp_path: Path) -> None:
    kept = filled(tmp_path).checkpoint().encode()
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "log.key").write_bytes(pem)
    (tmp_path / "log.pub").write_text(VerifierKey.of(key).text)
    sign(tmp_path)
    assert told(check_log(tmp_path)) == []
    report = check_log(tmp_path, kept)
    assert told(report) == [
        (None, "the older checkpoint: the checkpoint is of another log, or signed with another key")
    ]
    assert report.since is None


def test_no_checkpoint_as_the_older_one_is_told(tmp_path: Path) -> None:
    filled(tmp_path)
    [(line, what)] = told(check_log(tmp_path, b"nonsense"))
    assert line is None and "no signed checkpoint" in what


# -- no log -----------------------------------------------------------------------------------------------------------


def test_no_log_is_no_log_that_holds(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path, tmp_path / "nowhere", tmp_path / "file"):
        for look in (check_log, read_entries):
            with pytest.raises(LogError, match="there is no log"):
                look(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_entries_are_read_up_to_a_line_that_is_none(tmp_path: Path) -> None:
    filled(tmp_path)
    rewrite(tmp_path, lambda lines: [*lines[:2], b"{}", *lines[3:]])
    with pytest.raises(LogError, match="line 3 is not an entry"):
        read_entries(tmp_path)
