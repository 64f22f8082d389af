"""Where the time goes: seconds of each pass, and of the parts inside it, summed over all threads.

Always running, since it costs a microsecond a part; whether anybody is shown the parts is the caller's.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Stopwatch:
    """One pass: seconds from beginning to end, frames, and the seconds that threads spent in each named part.

    A part inside another one of the same thread counts for itself alone. Parts of several threads run side by side, so
    that they may come to more than the pass took.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.frames = 0
        self.parts: dict[str, float] = {}
        self._lock = threading.Lock()
        self._inside = threading.local()

    @contextmanager
    def running(self, frames: int) -> Iterator[None]:
        """The pass itself over so many frames; several (one a video) are added up."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - started
            self.frames += frames

    @contextmanager
    def part(self, name: str | None) -> Iterator[None]:
        """Adds the time inside to this part; None: to no part, as for waiting, nor to the part around it."""
        around: list[float] = self._inside.__dict__.setdefault("stack", [])
        started = time.perf_counter()
        around.append(0.0)
        try:
            yield
        finally:
            taken = time.perf_counter() - started
            alone = taken - around.pop()
            if around:
                around[-1] += taken
            if name is not None:
                with self._lock:
                    self.parts[name] = self.parts.get(name, 0.0) + alone

    def each(self, name: str | None, items: Iterable[T]) -> Iterator[T]:
        """The items; making each of them counts for this part."""
        source = iter(items)
        try:
            while True:
                with self.part(name):
                    try:
                        item = next(source)
                    except StopIteration:
                        return
                yield item
                del item
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()

    def timed(self, name: str, thing: T) -> T:
        """The thing, whose every method counts for this part: for what is called where no clock is at hand."""
        return cast(T, _Timed(self, name, thing))


class _Timed:
    def __init__(self, watch: Stopwatch, name: str, thing: object) -> None:
        self._watch, self._name, self._thing = watch, name, thing

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._thing, attribute)
        if not callable(found):
            return found
        method: Callable[..., Any] = found

        def call(*values: Any, **named: Any) -> Any:
            with self._watch.part(self._name):
                return method(*values, **named)

        return call


@dataclass(slots=True)
class Timer:
    """Seconds a pass, all its rounds, for the statement and for the person waiting; `watches` have their parts."""

    seconds: dict[str, float] = field(default_factory=dict)
    watches: dict[str, Stopwatch] = field(default_factory=dict)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - started, 1)

    def watch(self, name: str) -> Stopwatch:
        """The stopwatch of a pass; the same one when asked again."""
        return self.watches.setdefault(name, Stopwatch())
