"""Hands out the cases that are not done, writes down what each came to, and stops for nothing but the steward.

The journal is written here alone. A case whose worker was lost is tried again; one that ends in an error is written
down, and the others go on.
"""

import shutil
import time
from collections.abc import Sequence
from typing import Protocol

from deid_audit.dataset.case import Order, found_done, is_whole, lacks_evidence
from deid_audit.dataset.state import Ended, Started, State
from deid_audit.errors import DeidAuditError
from deid_audit.evidence import CERTIFICATE
from deid_audit.files import partial_beside
from deid_audit.pipeline.staging import is_held
from deid_audit.pipeline.standing import status_beside

TRIES = 3  # of a case whose worker is lost, in one run of the set
_WITHDRAWN = (
    "it would be made again, and a status file beside its certificate says that it is withdrawn: "
    "move its folder away to make it again all the same"
)
_LOOK_EVERY_S = 0.5
_PATIENCE_S = 90.0  # for workers of a driver that was killed: they end with it, which takes a moment


class Workers(Protocol):
    """Whoever does cases: processes here, or a cluster."""

    @property
    def free(self) -> int:
        """How many more cases can be started now."""

    @property
    def under_way(self) -> list[Order]:
        """The cases that were started and have not ended."""

    def start(self, order: Order) -> None:
        """Starts a case."""

    def ended(self, within_s: float) -> list[tuple[Order, Ended | None]]:
        """Cases that have ended, waited for so long; None for a worker that was lost."""

    def stop(self) -> None:
        """Ends everything that is under way."""


class Watcher(Protocol):
    """Whoever is told how it goes: `show` is called often, `tell` once for every case that ends.

    `again` is called for a case that was done and is made again, since what stands there is not whole any more.
    """

    def show(self, workers: Workers, waiting: int) -> None: ...

    def tell(self, order: Order, ended: Ended) -> None: ...

    def again(self, order: Order) -> None: ...


def left_to_do(orders: Sequence[Order], state: State) -> list[Order]:
    """The cases that these inputs still need; one that was done while nobody was left to write it down is written down.

    An output counts for the inputs with which work on it last began, unless it is the very one that stood there before.
    """
    left = []
    for order in orders:
        ended, started = state.ended.get(order.case_id), state.started.get(order.case_id)
        if ended is not None and ended.inputs == order.inputs and ended.settled:
            if ended.outcome != "done" or _stands(order, ended):
                continue
        elif started is not None and started.inputs == order.inputs:
            found = _found(order)
            if found is not None and found.statement_sha256 != started.before and is_whole(order):
                state.append(found)
                continue
        left.append(order)
    return left


def drive(left: Sequence[Order], state: State, workers: Workers, watcher: Watcher) -> None:
    """Does every case of `left`. Leaves no worker behind, however it ends."""
    waiting = list(left)
    _wait_for_strays(waiting)
    tries = dict.fromkeys((order.case_id for order in waiting), 0)
    try:
        while waiting or workers.under_way:
            while waiting and workers.free > 0:
                order = waiting.pop(0)
                was = state.ended.get(order.case_id)
                if status_beside(order.settings.out / CERTIFICATE) is not None:
                    held = order.ended("broken", error="withdrawn", message=_WITHDRAWN)
                    state.append(held)
                    watcher.tell(order, held)
                    continue
                if was is not None and was.outcome == "done" and was.inputs == order.inputs:
                    watcher.again(order)
                if lacks_evidence(order):
                    shutil.rmtree(order.settings.out)
                tries[order.case_id] += 1
                before = _found(order)
                state.append(
                    Started(
                        case_id=order.case_id,
                        inputs=order.inputs,
                        before="" if before is None else before.statement_sha256,
                    )
                )
                workers.start(order)
            watcher.show(workers, len(waiting))
            for order, answer in workers.ended(_LOOK_EVERY_S):
                ended = answer or _lost(order, state)
                if answer is None and ended.outcome != "done" and tries[order.case_id] < TRIES:
                    waiting.append(order)
                    continue
                state.append(ended)
                watcher.tell(order, ended)
        watcher.show(workers, 0)
    finally:
        workers.stop()


def _lost(order: Order, state: State) -> Ended:
    """A worker that gave no answer may have ended its case all the same, just before."""
    found = _found(order)
    if found is not None and found.statement_sha256 != state.started[order.case_id].before:
        return found
    said = f"the process that did it was lost, {TRIES} times: killed, perhaps for memory"
    return order.ended("broken", error="lost", message=said)


def _found(order: Order) -> Ended | None:
    """A complete output at the case's place; one that cannot be read counts as none."""
    try:
        return found_done(order)
    except (DeidAuditError, OSError):
        return None


def _stands(order: Order, ended: Ended) -> bool:
    """Whether what was written down is still there, with every file as its statement says."""
    found = _found(order)
    return found is not None and found.statement_sha256 == ended.statement_sha256 and is_whole(order)


def _wait_for_strays(orders: Sequence[Order]) -> None:
    """Workers of a driver that was killed end with it; until then they hold their folders."""
    until = time.monotonic() + _PATIENCE_S
    for order in orders:
        partial = partial_beside(order.settings.out)
        while partial.is_dir() and is_held(partial) and time.monotonic() < until:
            time.sleep(_LOOK_EVERY_S)
