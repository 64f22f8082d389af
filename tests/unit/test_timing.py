"""Seconds of passes and parts: added up over calls and threads, a part inside another counted once."""

import threading
import time
from collections.abc import Iterator

import pytest

from deid_audit import timing
from deid_audit.cli.profile import print_profile
from deid_audit.evidence import build_statement, parse_statement
from deid_audit.findings import StageProfile
from deid_audit.pipeline.concluding import profile_of
from deid_audit.timing import Stopwatch, Timer
from tests.fakes import make_case


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time; a test moves it on by hand."""
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    return now


def test_a_part_inside_another_counts_for_itself_alone(clock: list[float]) -> None:
    watch = Stopwatch()
    for _ in range(2):
        with watch.part("swap"):
            clock[0] += 3
            with watch.part("hands"):
                clock[0] += 2
            with watch.part(None):
                clock[0] += 10
            clock[0] += 1
    assert watch.parts == {"swap": 8.0, "hands": 4.0}


def test_making_each_item_counts_and_what_is_done_with_it_does_not(clock: list[float]) -> None:
    def items() -> Iterator[int]:
        for number in range(3):
            clock[0] += 1
            yield number

    watch = Stopwatch()
    for _ in watch.each("decode", items()):
        clock[0] += 5
    assert watch.parts == {"decode": 3.0}


def test_an_error_inside_is_counted_and_goes_on(clock: list[float]) -> None:
    watch = Stopwatch()
    with pytest.raises(ZeroDivisionError), watch.running(4), watch.part("net"):
        clock[0] += 2
        raise ZeroDivisionError
    assert (watch.parts, watch.seconds, watch.frames) == ({"net": 2.0}, 2.0, 4)


def test_a_timed_thing_is_used_like_the_thing(clock: list[float]) -> None:
    class Mesh:
        size = 7

        def landmarks(self, by: float, *, twice: bool = False) -> float:
            clock[0] += by
            return by * (2 if twice else 1)

    watch = Stopwatch()
    mesh = watch.timed("check", Mesh())
    assert (mesh.size, mesh.landmarks(2.0, twice=True), mesh.landmarks(1.0)) == (7, 4.0, 1.0)
    assert watch.parts == {"check": 3.0}


def test_threads_are_added_up_and_do_not_count_as_inside_each_other() -> None:
    watch = Stopwatch()

    def work() -> None:
        for _ in range(200):
            with watch.part("mesh"):
                pass
        with watch.part("mesh"):
            time.sleep(0.1)

    with watch.running(1), watch.part("around"):
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert watch.parts["mesh"] >= 0.3 and watch.parts["around"] >= 0.1
    assert watch.seconds >= 0.1


def test_a_pass_has_one_stopwatch(clock: list[float]) -> None:
    timer = Timer()
    with timer.of("measuring"), timer.watch("measuring").running(10):
        clock[0] += 4
    with timer.watch("measuring").running(5):
        clock[0] += 1
    assert timer.seconds == {"measuring": 4.0}
    assert (timer.watch("measuring").seconds, timer.watch("measuring").frames) == (5.0, 15)


# -- what is made of them ---------------------------------------------------------------------------------------------


def a_profile(clock: list[float]) -> tuple[StageProfile, ...]:
    timer = Timer()
    watch = timer.watch("rendering")
    with watch.running(4), watch.part("swap net and paste"):
        clock[0] += 3
        with watch.part("hands"):
            clock[0] += 1
    return profile_of(timer)


def test_the_profile_names_every_pass_and_part_the_longest_first(clock: list[float]) -> None:
    [stage] = a_profile(clock)
    assert (stage.stage, stage.frames, stage.seconds) == ("rendering", 4, 4.0)
    assert [(part.part, part.seconds) for part in stage.parts] == [("swap net and paste", 3.0), ("hands", 1.0)]


def test_a_statement_has_it_when_asked_for_and_reads_it_back(clock: list[float]) -> None:
    profile = a_profile(clock)
    for asked in ((), profile):
        assert parse_statement(build_statement(make_case(profile=asked))).profile == asked


def test_the_terminal_shows_seconds_milliseconds_a_frame_and_shares_on_stderr(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    print_profile(a_profile(clock))
    printed = capsys.readouterr()
    assert printed.out == ""
    rows = [line.split() for line in printed.err.splitlines()]
    assert rows[1] == ["rendering,", "1.0", "frames/s", "4.0", "1000.0"]
    assert rows[2] == ["swap", "net", "and", "paste", "3.0", "750.0", "75%"]
    assert rows[3] == ["hands", "1.0", "250.0", "25%"]


def test_a_pass_without_frames_or_time_is_printed_too(capsys: pytest.CaptureFixture[str]) -> None:
    print_profile([StageProfile(stage="comparing", frames=0, seconds=0.0, parts=())])
    assert capsys.readouterr().err.split()[-3:] == ["comparing", "0.0", "0.0"]
