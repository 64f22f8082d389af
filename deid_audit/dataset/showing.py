"""How a data set's run goes: a live table on a terminal, elsewhere a line for every case that ends.

On standard error, by case ids and numbers; what has ended in this run tells the rate and the time that is left.
"""

import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

from deid_audit.dataset.case import Order
from deid_audit.dataset.driving import Workers
from deid_audit.dataset.state import Ended

_AGAIN = "what was made is not whole any more: it is made again"
_LISTED = 12  # cases under way that are shown by name


def words_of(ended: Ended) -> str:
    """`PASSED`, or `refused: NotEnoughFaces`."""
    return ended.verdict if ended.outcome == "done" else f"{ended.outcome}: {ended.error}"


def duration(seconds: float) -> str:
    """
    >>> duration(59), duration(3700)
    ('0:01', '1:02')
    """
    minutes = max(1, round(seconds / 60)) if seconds else 0
    return f"{minutes // 60}:{minutes % 60:02d}"


@dataclass(slots=True, kw_only=True)
class Pace:
    """What this run has seen so far; `before` cases were done at its start, of `total`."""

    total: int
    before: int
    began: float = field(default_factory=time.monotonic)
    ended: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def take(self, ended: Ended) -> None:
        self.ended[words_of(ended)] += 1
        self.seconds.append(ended.seconds)

    @property
    def done(self) -> int:
        return self.before + sum(self.ended.values())

    def per_hour(self, now: float) -> float:
        """Cases an hour, by this run."""
        return sum(self.ended.values()) / max(1e-6, now - self.began) * 3600

    def left(self, now: float) -> str:
        """The time that is left, at this run's rate."""
        rate = self.per_hour(now)
        return duration((self.total - self.done) / rate * 3600) if rate else "not known yet"


class LineWatcher:
    """One line a case, for logs and pipes."""

    def __init__(self, stream: TextIO, pace: Pace) -> None:
        self._stream, self.pace = stream, pace

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def show(self, workers: Workers, waiting: int) -> None:
        return

    def again(self, order: Order) -> None:
        print(f"{order.case_id}  {order.label}  {_AGAIN}", file=self._stream, flush=True)

    def tell(self, order: Order, ended: Ended) -> None:
        self.pace.take(ended)
        print(
            f"{self.pace.done} of {self.pace.total}  {order.case_id}  {order.label}  {words_of(ended)}  "
            f"{ended.seconds:.0f} s  left {self.pace.left(time.monotonic())}",
            file=self._stream,
            flush=True,
        )


class TableWatcher:
    """The live table."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
        self._since: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def again(self, order: Order) -> None:
        self._live.console.print(f"{order.case_id}  {order.label}  {_AGAIN}", highlight=False, markup=False)

    def tell(self, order: Order, ended: Ended) -> None:
        self.pace.take(ended)
        self._since.pop(order.case_id, None)
        self._live.console.print(f"{order.case_id}  {order.label}  {words_of(ended)}", highlight=False, markup=False)

    def show(self, workers: Workers, waiting: int) -> None:
        now = time.monotonic()
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_row("done", f"{self.pace.done} of {self.pace.total} (before this run {self.pace.before})")
        for words, count in sorted(self.pace.ended.items()):
            table.add_row(f"  {words}", str(count))
        table.add_row("under way", f"{len(workers.under_way)}, waiting {waiting}")
        table.add_row("rate", f"{self.pace.per_hour(now):.1f} cases an hour")
        table.add_row("left", f"{self.pace.left(now)} h")
        for order in workers.under_way[:_LISTED]:
            since = self._since.setdefault(order.case_id, now)
            table.add_row(f"  {order.case_id}", f"{order.label}, {duration(now - since)} h")
        self._live.update(table, refresh=True)
