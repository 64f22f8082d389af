"""Cases in processes of this machine: one process a case, started anew, with its own share of the processor's threads.

A process that is killed, by hand or for memory, costs its case one try and no other case anything. No process outlives
the one that started it.
"""

import multiprocessing
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from deid_audit.dataset.case import DoCase, Order
from deid_audit.dataset.state import Ended
from deid_audit.errors import Interrupted
from deid_audit.vault.process import die_with_parent

_PATIENCE_S = 60.0  # for a case that was told to stop: it destroys what it holds


@dataclass(slots=True)
class _Running:
    order: Order
    process: SpawnProcess
    answer: Connection
    slot: int


class LocalWorkers:
    """At most `count` cases at once; `do` is what is done for each."""

    def __init__(self, do: DoCase, count: int) -> None:
        self._do, self.count = do, count
        self._running: list[_Running] = []
        self._context = multiprocessing.get_context("spawn")

    @property
    def free(self) -> int:
        return self.count - len(self._running)

    @property
    def under_way(self) -> list[Order]:
        return [one.order for one in self._running]

    def start(self, order: Order) -> None:
        """Starts a case; there must be a free place."""
        slot = min(set(range(self.count)) - {one.slot for one in self._running})
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_work, args=(self._do, order, theirs, os.getpid(), share_of(slot, self.count))
        )
        process.start()
        theirs.close()
        self._running.append(_Running(order, process, ours, slot))

    def ended(self, within_s: float) -> list[tuple[Order, Ended | None]]:
        """Cases that have ended, waited for so long; None for one whose process gave no answer."""
        wait([one.process.sentinel for one in self._running], within_s)
        done = [one for one in self._running if not one.process.is_alive()]
        self._running = [one for one in self._running if one not in done]
        return [(one.order, _answer_of(one)) for one in done]

    def stop(self) -> None:
        """Tells every case to stop, and waits until what it held is destroyed."""
        for one in self._running:
            with suppress(ProcessLookupError):
                one.process.terminate()
        for one in self._running:
            one.process.join(_PATIENCE_S)
            one.process.kill()
            one.process.join()
        self._running = []


def share_of(slot: int, count: int, processors: Sequence[int] | None = None) -> set[int]:
    """The processors of place `slot` of `count`: every library takes its threads from there.

    >>> share_of(1, 2, [0, 1, 2, 3]), share_of(2, 3, [0, 1])
    ({1, 3}, {0})
    """
    every = sorted(os.sched_getaffinity(0)) if processors is None else list(processors)
    return set(every[slot::count]) or {every[slot % len(every)]}


def _work(do: DoCase, order: Order, answer: Connection, parent: int, processors: set[int]) -> None:
    """What a worker's process does: a terminal's Ctrl-C is for the parent, which then stops the case."""
    os.setpgid(0, 0)
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.sched_setaffinity(0, processors)
    os.environ["OMP_NUM_THREADS"] = str(len(processors))
    with suppress(Interrupted):  # told to stop: nobody waits for an answer
        answer.send(do(order))
    answer.close()


def _answer_of(one: _Running) -> Ended | None:
    try:
        return one.answer.recv() if one.answer.poll() else None
    except (EOFError, OSError):
        return None
    finally:
        one.answer.close()
        one.process.join()
        one.process.close()
