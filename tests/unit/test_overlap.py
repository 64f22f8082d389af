"""Work ahead in threads: order, bounds, errors, early ends, signals; no thread is left in any of them."""

import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator

import pytest

from deid_audit import overlap
from deid_audit.errors import VideoError
from deid_audit.overlap import ahead, frames_ahead, mapped

DEPTHS = (0, 1, 4)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


class Source:
    """Counts; says how far it came, which thread ran it and whether it was closed."""

    def __init__(self, count: int, fails_at: int | None = None) -> None:
        self.count, self.fails_at = count, fails_at
        self.made = 0
        self.closed_by: list[str] = []

    def __iter__(self) -> Iterator[int]:
        try:
            for number in range(self.count):
                if number == self.fails_at:
                    raise VideoError("frame is damaged", next_step="copy it again")
                self.made += 1
                yield number
        finally:
            self.closed_by.append(threading.current_thread().name)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("count", [0, 1, 50])
def test_all_items_come_in_their_order(depth: int, count: int) -> None:
    with ahead(Source(count), depth) as items:
        assert list(items) == list(range(count))


@pytest.mark.parametrize("depth", DEPTHS)
def test_stages_in_a_row_keep_the_order(depth: int) -> None:
    with ahead(Source(30), depth) as first, ahead(mapped(lambda n: n * n, first), depth) as second:
        assert list(second) == [n * n for n in range(30)]


def test_it_is_another_thread_that_makes_them_and_without_depth_it_is_not() -> None:
    made_by = {}
    for depth in (0, 1):
        with ahead(mapped(lambda _: threading.current_thread(), range(3)), depth) as items:
            made_by[depth] = set(items)
    assert made_by[0] == {threading.current_thread()}
    assert len(made_by[1]) == 1 and threading.current_thread() not in made_by[1]


@pytest.mark.parametrize("depth", [1, 4])
def test_no_more_are_made_than_there_is_room_for(depth: int) -> None:
    source = Source(100)
    with ahead(source, depth) as items:
        for taken in range(1, 4):
            next(items)
            time.sleep(0.1)
            assert source.made <= taken + depth
        assert source.made == 3 + depth, "and it does work ahead"


@pytest.mark.parametrize("depth", DEPTHS)
def test_an_error_comes_where_its_item_was_due_as_it_was_raised(depth: int) -> None:
    seen = []
    with pytest.raises(VideoError, match="frame is damaged") as raised, ahead(Source(9, fails_at=3), depth) as items:
        for item in items:
            seen.append(item)
    assert seen == [0, 1, 2]
    assert raised.value.next_step == "copy it again"
    assert any(line.name == "__iter__" for line in traceback.extract_tb(raised.value.__traceback__))


@pytest.mark.parametrize("depth", DEPTHS)
def test_an_error_goes_through_a_stage_behind(depth: int) -> None:
    with (
        pytest.raises(VideoError),
        ahead(Source(9, fails_at=3), depth) as first,
        ahead(mapped(str, first), depth) as second,
    ):
        assert list(second)


@pytest.mark.parametrize("depth", [1, 4])
def test_also_what_ends_a_program_comes_across(depth: int) -> None:
    def leaves(number: int) -> int:
        raise SystemExit(number)

    with pytest.raises(SystemExit), ahead(mapped(leaves, range(3)), depth) as items:
        next(items)


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_loop_that_stops_early_ends_what_it_read_from(depth: int) -> None:
    source = Source(1000)
    with ahead(source, depth) as first, ahead(mapped(float, first), depth) as second:
        assert next(second) == 0.0
    assert source.made < 20
    assert source.closed_by == ["MainThread" if depth == 0 else "ahead"], "closed once, by who ran it"


def test_an_error_in_the_loop_ends_what_it_read_from() -> None:
    source = Source(1000)
    with pytest.raises(ZeroDivisionError), ahead(source, 2) as items:
        assert 1 / next(items)
    assert source.closed_by == ["ahead"]


def test_nothing_is_made_after_the_end() -> None:
    source = Source(1000)
    with ahead(source, 3) as items:
        next(items)
    made = source.made
    time.sleep(0.05)
    assert source.made == made


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_loop_that_waits(number: signal.Signals) -> None:
    """The maker is slow, so the main thread waits when the signal comes; as in a run, its handler raises."""

    def slow(value: int) -> int:
        time.sleep(0.02)
        return value

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(number, stop)
    source = Source(100_000)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), number))
    timer.start()
    try:
        with (
            pytest.raises(KeyboardInterrupt),
            ahead(source, 2) as first,
            ahead(mapped(slow, first), 2) as second,
        ):
            for _ in second:
                pass
    finally:
        timer.join()
        signal.signal(number, before)
    assert source.closed_by == ["ahead"]


def test_a_second_signal_does_not_leave_the_thread_at_work() -> None:
    """It comes while the first one's way out waits for the item that the thread is at."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    def slow(value: int) -> int:
        time.sleep(0.4)
        return value

    before = signal.signal(signal.SIGALRM, stop)
    source = Source(100)
    try:
        with pytest.raises(KeyboardInterrupt), ahead(mapped(slow, source), 1) as items:
            signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
            for _ in items:
                pass
        assert source.closed_by == ["ahead"]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_many_signals_at_odd_moments_leave_nothing_locked() -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        for moment in range(40):
            with pytest.raises(KeyboardInterrupt), ahead(Source(10**9), 1 + moment % 3) as items:
                signal.setitimer(signal.ITIMER_REAL, 0.001 + moment * 0.0001)
                for _ in items:
                    pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_frames_in_flight_are_bounded_by_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap.os, "sched_getaffinity", lambda _: {0, 1})
    assert [frames_ahead(*size) for size in ((400, 300), (1920, 1080), (3840, 2160), (8192, 4320))] == [4, 4, 1, 1]
    monkeypatch.setattr(overlap.os, "sched_getaffinity", lambda _: {0})
    assert frames_ahead(400, 300) == 0, "one core: a thread could only take turns"
