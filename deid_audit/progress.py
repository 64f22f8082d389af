"""Progress of long passes: a bar with rate and remaining time on a terminal, plain lines elsewhere.

Stages take the `Progress` protocol; nothing here writes to standard output, which belongs to the result.
"""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichBars


class Step(Protocol):
    """One running pass: `advance` counts units done, `note` shows a short word beside it (a probe's values)."""

    def advance(self, units: int = 1) -> None: ...

    def note(self, text: str) -> None: ...


class Progress(Protocol):
    """Opens a step for a pass of `total` units (None when unknown)."""

    def step(self, title: str, total: int | None) -> AbstractContextManager[Step]: ...

    def say(self, text: str) -> None: ...


class _Silent:
    def advance(self, units: int = 1) -> None:
        return

    def note(self, text: str) -> None:
        return


class SilentProgress:
    """Says nothing: for tests and for callers that bring no screen."""

    @contextmanager
    def step(self, title: str, total: int | None) -> Iterator[Step]:
        yield _Silent()

    def say(self, text: str) -> None:
        return


class _LineStep:
    def __init__(self) -> None:
        self.done = 0
        self.last_note = ""

    def advance(self, units: int = 1) -> None:
        self.done += units

    def note(self, text: str) -> None:
        self.last_note = text


class LineProgress:
    """One plain line when a pass ends: for logs and pipes; keeps the lines for the run log."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lines: list[str] = []

    @contextmanager
    def step(self, title: str, total: int | None) -> Iterator[Step]:
        started = time.monotonic()
        step = _LineStep()
        yield step
        seconds = time.monotonic() - started
        rate = f", {step.done / seconds:.1f}/s" if step.done and seconds > 0 else ""
        note = f" ({step.last_note})" if step.last_note else ""
        self.say(f"{title}: {step.done} in {seconds:.1f} s{rate}{note}")

    def say(self, text: str) -> None:
        self.lines.append(text)
        print(text, file=self._stream, flush=True)


class _BarStep:
    def __init__(self, bars: RichBars, task: int) -> None:
        self._bars, self._task = bars, task

    def advance(self, units: int = 1) -> None:
        self._bars.advance(self._task, units)  # type: ignore[arg-type]

    def note(self, text: str) -> None:
        self._bars.update(self._task, note=text)  # type: ignore[arg-type]


class TerminalProgress:
    """A bar a pass with count, elapsed and remaining time, on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self.lines: list[str] = []

    @contextmanager
    def step(self, title: str, total: int | None) -> Iterator[Step]:
        columns = (
            TextColumn("{task.description:<34}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        started = time.monotonic()
        with RichBars(*columns, console=self._console) as bars:
            task = bars.add_task(title, total=total, note="", rate="")
            yield _BarStep(bars, task)
            bars.update(task, total=bars.tasks[0].completed)
        seconds = time.monotonic() - started
        self.lines.append(f"{title}: {bars.tasks[0].completed:.0f} in {seconds:.1f} s")

    def say(self, text: str) -> None:
        self.lines.append(text)
        self._console.print(text, highlight=False)
