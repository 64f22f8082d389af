"""The journal: what is acknowledged stands, whoever is killed; what was changed is never signed again."""

import errno
import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from deid_audit.errors import LogError
from deid_audit.log import Journal, storage
from deid_audit.log.checking import check_log
from deid_audit.log.checkpoint import VerifierKey, open_note
from deid_audit.log.entries import NO_PREVIOUS, entry_line, read_entry
from deid_audit.log.events import Recovered
from deid_audit.log.merkle import EMPTY_ROOT, leaf_hash, root_of
from tests.unit.log_building import EVENTS, STARTED, Clock, filled, lines_of, rewrite

NAMES = {"log.jsonl", "log.key", "log.pub", "checkpoint"}


def holds(folder: Path) -> bool:
    return not check_log(folder).problems


def test_the_first_use_makes_everything_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "log"
    journal = Journal(folder, clock=Clock())
    assert not folder.exists()
    assert journal.append(STARTED) == 0
    assert {path.name for path in folder.iterdir()} == NAMES
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    key = load_pem_private_key((folder / "log.key").read_bytes(), None)
    assert (folder / "log.pub").read_text() == VerifierKey.of(key).text + "\n"  # type: ignore[arg-type]


def test_entries_follow_each_other_under_one_root(tmp_path: Path) -> None:
    journal = Journal(tmp_path, clock=Clock())
    assert [journal.append(event) for event in EVENTS] == [0, 1, 2, 3, 4]
    lines = lines_of(tmp_path)
    entries = [read_entry(line) for line in lines]
    assert [entry.event for entry in entries] == list(EVENTS)
    assert [entry.seq for entry in entries] == [0, 1, 2, 3, 4]
    assert [entry.prev for entry in entries] == [NO_PREVIOUS, *(leaf_hash(line).hex() for line in lines[:-1])]
    assert [entry.time for entry in entries][:2] == ["2026-01-02T03:04:06Z", "2026-01-02T03:04:07Z"]
    key = VerifierKey.parse((tmp_path / "log.pub").read_text().strip())
    known = open_note(journal.checkpoint().encode(), key)
    assert (known.size, known.root) == (5, root_of([leaf_hash(line) for line in lines]))
    assert journal.checkpoint().encode() == (tmp_path / "checkpoint").read_bytes()
    assert holds(tmp_path)


def test_a_checkpoint_of_a_log_without_entries(tmp_path: Path) -> None:
    note = Journal(tmp_path, clock=Clock()).checkpoint()
    known = open_note(note.encode(), VerifierKey.parse((tmp_path / "log.pub").read_text().strip()))
    assert (known.size, known.root) == (0, EMPTY_ROOT)
    assert holds(tmp_path)


def test_another_process_goes_on_with_the_same_key(tmp_path: Path) -> None:
    filled(tmp_path)
    key = (tmp_path / "log.key").read_bytes()
    assert Journal(tmp_path, clock=Clock()).append(STARTED) == 5
    assert (tmp_path / "log.key").read_bytes() == key
    assert holds(tmp_path)


def test_a_clock_that_goes_back_is_noted_and_not_refused(tmp_path: Path) -> None:
    clock = Clock()
    journal = Journal(tmp_path, clock=clock)
    journal.append(STARTED)
    clock.now -= timedelta(days=1)
    journal.append(STARTED)
    journal.append(STARTED)
    clock.now = clock.now.astimezone(timezone(timedelta(hours=5)))  # the same time, told elsewhere
    journal.append(STARTED)
    assert [read_entry(line).clock_went_back for line in lines_of(tmp_path)] == [False, True, False, False]
    assert b"clock_went_back" not in lines_of(tmp_path)[0]
    assert holds(tmp_path)


def test_nothing_of_the_machine_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "the-stewards-own-machine"  # a real one may be two letters, which any signature holds by chance
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", name, "6.1", "#1", "x86_64")))
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    filled(tmp_path)
    for file in NAMES - {"log.key"}:
        text = (tmp_path / file).read_text()
        assert str(tmp_path) not in text and name not in text


# -- torn, and stopped between two steps -----------------------------------------------------------------------------


def test_a_torn_line_is_cut_and_told(tmp_path: Path) -> None:
    journal = filled(tmp_path)
    with (tmp_path / "log.jsonl").open("ab") as stream:
        stream.write(b'{"case_id":"c')
    assert journal.append(STARTED) == 6
    events = [read_entry(line).event for line in lines_of(tmp_path)]
    assert events == [*EVENTS, Recovered(cut_bytes=13), STARTED]
    assert holds(tmp_path)


def test_an_entry_without_its_checkpoint_is_covered_by_the_next(tmp_path: Path) -> None:
    journal = filled(tmp_path)
    before = (tmp_path / "checkpoint").read_bytes()
    journal.append(STARTED)
    (tmp_path / "checkpoint").write_bytes(before)  # as if stopped there
    report = check_log(tmp_path)
    assert not report.problems and "not covered" in report.notes[0]
    assert journal.checkpoint().split("\n")[1] == "6"
    assert not check_log(tmp_path, journal.checkpoint().encode()).problems
    assert journal.append(STARTED) == 6
    (tmp_path / "checkpoint").write_bytes(before)  # two behind: no process leaves that
    with pytest.raises(LogError, match="it was changed"):
        journal.append(STARTED)


def test_a_note_that_was_being_written_is_no_obstacle(tmp_path: Path) -> None:
    journal = filled(tmp_path)
    (tmp_path / "checkpoint.new").write_bytes(b"half")
    assert journal.append(STARTED) == 5
    assert {path.name for path in tmp_path.iterdir()} == NAMES


@pytest.mark.parametrize("left", [("log.jsonl",), ("log.jsonl", "log.key"), ("log.jsonl", "log.key", "log.pub")])
def test_stopped_while_it_was_made(tmp_path: Path, left: tuple[str, ...]) -> None:
    Journal(tmp_path, clock=Clock()).checkpoint()
    for name in NAMES - set(left):
        (tmp_path / name).unlink()
    assert Journal(tmp_path, clock=Clock()).append(STARTED) == 0
    assert holds(tmp_path)


# -- changed: never signed again -------------------------------------------------------------------------------------


def _without(*names: str) -> Callable[[Path], object]:
    return lambda folder: [(folder / name).unlink() for name in names]


CHANGES: dict[str, Callable[[Path], object]] = {
    "a line removed": lambda folder: rewrite(folder, lambda lines: [*lines[:2], *lines[3:]]),
    "a line changed": lambda folder: rewrite(
        folder, lambda lines: [lines[0].replace(b"case-1", b"case-2"), *lines[1:]]
    ),
    "two lines swapped": lambda folder: rewrite(folder, lambda lines: [lines[1], lines[0], *lines[2:]]),
    "a line added": lambda folder: rewrite(folder, lambda lines: [*lines[:2], lines[1], *lines[2:]]),
    "two lines added at the end": lambda folder: rewrite(folder, lambda lines: [*lines, *lines[:2]]),
    "a last line that is no entry": lambda folder: rewrite(folder, lambda lines: [*lines, b"{}"]),
    "the last line cut": lambda folder: rewrite(folder, lambda lines: lines[:-1]),
    "the end of the last line cut": lambda folder: os.truncate(folder / "log.jsonl", _size(folder) - 3),
    "all lines cut": lambda folder: rewrite(folder, lambda lines: []),
    "the lines gone": _without("log.jsonl"),
    "the checkpoint gone": _without("checkpoint"),
    "the key gone": _without("log.key"),
    "lines and key gone": _without("log.jsonl", "log.key"),
    "checkpoint and key gone": _without("checkpoint", "log.key"),
    "the checkpoint changed": lambda folder: (folder / "checkpoint").write_bytes(b"changed"),
    "the key exchanged": lambda folder: _exchange(folder, "log.key"),
    "the checkpoint exchanged": lambda folder: _exchange(folder, "checkpoint"),
    "the key changed": lambda folder: (folder / "log.key").write_bytes(b"changed"),
    "a link in the key's place": lambda folder: _link(folder, "log.key"),
    "the key readable by others": lambda folder: (folder / "log.key").chmod(0o640),
}


def _size(folder: Path) -> int:
    return (folder / "log.jsonl").stat().st_size


def _link(folder: Path, name: str) -> None:
    (folder / name).rename(folder.with_name(name))
    (folder / name).symlink_to(folder.with_name(name))


def _exchange(folder: Path, name: str) -> None:
    other = folder.with_name("other")
    filled(other)
    (folder / name).write_bytes((other / name).read_bytes())


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_is_not_signed_again(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "log"
    journal = filled(folder)
    CHANGES[name](folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for attempt in (lambda: journal.append(STARTED), journal.checkpoint):
        with pytest.raises(LogError) as caught:
            attempt()
        assert caught.value.next_step and caught.value.exit_code == 1
        assert str(tmp_path) not in f"{caught.value} {caught.value.next_step}"
    made = {"log.jsonl": b""} if "lines gone" in name or "lines and key" in name else {}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before | made


# -- storage that takes no more --------------------------------------------------------------------------------------


def _fails(code: int, after: int = 0) -> Callable[..., object]:
    real, calls = {"write": os.write, "fsync": os.fsync}, [0]

    def failing(name: str) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            calls[0] += 1
            if calls[0] > after:
                raise OSError(code, os.strerror(code))
            return real[name](*arguments)  # type: ignore[operator]

        return call

    return failing


@pytest.mark.parametrize("name", ["write", "fsync"])
@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_full_disk_is_one_message_and_the_log_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, after: int
) -> None:
    journal = filled(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, name, _fails(errno.ENOSPC, after)(name))
        for _ in range(3):
            with pytest.raises(LogError, match="cannot be written: No space left"):
                for _ in range(3):
                    journal.append(STARTED)
    assert journal.append(STARTED) >= 5
    assert holds(tmp_path)


def test_a_line_written_by_halves_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, write = filled(tmp_path), os.write
    size, calls = _size(tmp_path), [0]

    def halves(descriptor: int, data: memoryview) -> int:
        calls[0] += 1
        if calls[0] == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[: len(data) // 2])

    with monkeypatch.context() as patched, pytest.raises(LogError, match="No space"):
        patched.setattr(os, "write", halves)
        journal.append(STARTED)
    assert _size(tmp_path) == size
    calls[0] = 2  # short writes alone are no fault
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    assert journal.append(STARTED) == 5
    assert holds(tmp_path)


def test_ctrl_c_while_a_line_is_written_takes_it_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, size = filled(tmp_path), _size(tmp_path)

    def stop(descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(os, "fsync", stop)
        journal.append(STARTED)
    assert _size(tmp_path) == size and holds(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(LogError, match="Permission denied"):
        Journal(tmp_path / "log", clock=Clock()).append(STARTED)
    tmp_path.chmod(0o700)


def test_a_place_where_no_folder_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LogError, match="cannot be written: Not a directory"):
        Journal(tmp_path / "file" / "log", clock=Clock()).append(STARTED)

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(LogError, match="Permission denied") as caught:
        Journal(tmp_path / "new", clock=Clock()).append(STARTED)
    assert "--log" in caught.value.next_step


def test_a_link_in_place_of_the_lines_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "log.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LogError):
        Journal(tmp_path / "log", clock=Clock()).append(STARTED)
    assert (tmp_path / "elsewhere").read_bytes() == b""


# -- several processes -----------------------------------------------------------------------------------------------


def test_a_lock_that_is_held_is_waited_for_and_then_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = filled(tmp_path)
    monkeypatch.setattr(storage, "LOCK_WAIT_S", 0.1)
    with (tmp_path / "log.jsonl").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(LogError, match="another process has held the log"):
            journal.append(STARTED)
        with pytest.raises(LogError, match="another process has held the log"):
            check_log(tmp_path)
    assert journal.append(STARTED) == 5


_APPENDS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from deid_audit.log import Journal, RunStarted
journal = Journal(Path(sys.argv[1]), clock=lambda: datetime.now(UTC))
number = 0
while number < int(sys.argv[3]):
    seq = journal.append(RunStarted(case_id=f"{sys.argv[2]}-{number}", kind="swap"))
    print(seq, f"{sys.argv[2]}-{number}", flush=True)
    number += 1
"""


def _appending(folder: Path, name: str, count: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _APPENDS, str(folder), name, str(count)], stdout=subprocess.PIPE, text=True
    )


def _cases(folder: Path) -> dict[int, str | None]:
    entries = [read_entry(line) for line in lines_of(folder)]
    return {entry.seq: getattr(entry.event, "case_id", None) for entry in entries}


def _told(output: str) -> dict[int, str]:
    """What a process said it had logged; a last line without its end was not said."""
    return {int(line.split()[0]): line.split()[1] for line in output.splitlines(keepends=True) if line.endswith("\n")}


def test_two_processes_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "log"  # made by one of them
    both = [_appending(folder, name, 40) for name in ("a", "b")]
    told = [_told(process.communicate(timeout=100)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert len(_cases(folder)) == 80
    assert told[0] | told[1] == _cases(folder)
    assert holds(folder)


def _kill_again_and_again(folder: Path, kills: int) -> None:
    filled(folder)
    rest, told = len(EVENTS), dict[int, str]()
    for number in range(kills):
        process = _appending(folder, f"c{number}", 1_000_000)
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(0.011 * (number % 7))
        process.send_signal(signal.SIGKILL)
        told |= _told(first + process.communicate(timeout=60)[0])
        assert process.returncode == -signal.SIGKILL
        assert holds(folder)
    Journal(folder, clock=lambda: datetime.now(UTC)).append(STARTED)
    report, cases = check_log(folder), _cases(folder)
    assert not report.problems and len(report.notes) == 1
    assert len(told) >= kills
    assert {seq: cases.get(seq) for seq in told} == told
    assert len(cases) <= rest + len(told) + 2 * kills + 1  # a kill leaves one unacknowledged, and a recovered, at most


def test_killed_at_any_moment_what_was_acknowledged_stands(tmp_path: Path) -> None:
    _kill_again_and_again(tmp_path, kills=5)


@pytest.mark.soak
def test_killed_many_times_what_was_acknowledged_stands(tmp_path: Path) -> None:
    _kill_again_and_again(tmp_path, kills=50)


@pytest.mark.parametrize("fault", ["seq", "prev", "no entry"])
def test_a_line_that_no_writer_left_is_not_signed(tmp_path: Path, fault: str) -> None:
    journal = filled(tmp_path)
    note, lines = (tmp_path / "checkpoint").read_bytes(), lines_of(tmp_path)
    last = read_entry(lines[-1])
    follows = replace(last, seq=last.seq + 1, prev=leaf_hash(lines[-1]).hex())
    wrong = {"seq": replace(follows, seq=77), "prev": replace(follows, prev=NO_PREVIOUS)}
    line = entry_line(wrong[fault]) if fault in wrong else b"{}"
    with (tmp_path / "log.jsonl").open("ab") as stream:
        stream.write(line + b"\n")
    with pytest.raises(LogError, match="last line"):
        journal.append(STARTED)
    assert (tmp_path / "checkpoint").read_bytes() == note
