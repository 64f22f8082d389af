"""Cases as tasks of a Ray cluster (the extra `ray`): the same function, with what it needs declared; Ray schedules.

A task gets an order and gives digests: videos, weights and keys are opened in its process on its node and stay there.
The process ends with the case. Inputs, OUT and the signer's key must be found under the same paths on every node.
"""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deid_audit.dataset.case import DoCase, Order
from deid_audit.dataset.state import Ended
from deid_audit.errors import SettingsError

_PATIENCE_S = 10.0
_START_ONE = "start one with `ray start --head`, and give the address that it prints"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What one case is promised on its node."""

    processors: float = 2
    gpus: float = 0
    memory_bytes: int = 6_000_000_000


class RayWorkers:
    """As many cases at once as the cluster has room for; all of them are handed to Ray's own queue."""

    def __init__(self, do: DoCase, address: str, needs: Needs) -> None:
        """Connects; SettingsError where Ray is not installed, nobody answers there, or no node has room for a case."""
        self._ray = _connected(address)
        try:
            _expect_room(needs, [node["Resources"] for node in self._ray.nodes() if node["Alive"]])
        except SettingsError:
            self._ray.shutdown()
            raise
        as_task: Any = self._ray.remote(
            num_cpus=needs.processors,
            num_gpus=needs.gpus,
            memory=needs.memory_bytes,
            max_retries=0,  # whoever hands out the cases counts how often one is tried
            max_calls=1,  # the process ends with its case, and what it held in memory with it
        )
        self._task = as_task(do)
        self._orders: dict[Any, Order] = {}

    @property
    def free(self) -> int:
        """Ray queues what does not fit; so many more than it runs are enough to keep every node at work."""
        room = int(self._ray.cluster_resources().get("CPU", 1)) * 2
        return max(0, room - len(self._orders))

    @property
    def under_way(self) -> list[Order]:
        return list(self._orders.values())

    def start(self, order: Order) -> None:
        """Hands a case to Ray."""
        self._orders[self._task.remote(order)] = order

    def ended(self, within_s: float) -> list[tuple[Order, Ended | None]]:
        """Cases that have ended; None for one whose process or node was lost."""
        if not self._orders:
            return []
        ready, _ = self._ray.wait(list(self._orders), num_returns=1, timeout=within_s)
        return [(self._orders.pop(one), self._answer(one)) for one in ready]

    def stop(self) -> None:
        """Cancels what has not ended; a case that is interrupted destroys what it holds."""
        for one in self._orders:
            self._ray.cancel(one, force=False)
        if self._orders:
            self._ray.wait(list(self._orders), num_returns=len(self._orders), timeout=60)
        self._orders = {}
        self._ray.shutdown()

    def _answer(self, task: Any) -> Ended | None:
        try:
            return Ended.model_validate(self._ray.get(task).model_dump())
        except self._ray.exceptions.RayError:
            return None


def _expect_room(needs: Needs, nodes: Sequence[Mapping[str, float]]) -> None:
    """SettingsError where no node could ever take a case: Ray would wait for one without a word.

    `nodes` are the whole resources of each, as Ray has them: processors and GPUs by number, memory in bytes.
    """
    wanted = {"CPU": needs.processors, "GPU": needs.gpus, "memory": needs.memory_bytes}
    if any(all(node.get(name, 0) >= amount for name, amount in wanted.items()) for node in nodes):
        return
    most = {name: max((node.get(name, 0) for node in nodes), default=0) for name in wanted}
    raise SettingsError(
        f"no node of the cluster has room for a case: one needs {_room(wanted)}, and no node has more than "
        f"{_room(most)}",
        next_step="ask for less with --case-cpus, --case-gpus and --case-memory-gb, or add a node that has it",
    )


def _room(of: Mapping[str, float]) -> str:
    return f"{of['CPU']:g} processors, {of['GPU']:g} GPUs and {of['memory'] / 1e9:.1f} GB"


def _expect_somebody(address: str) -> None:
    """SettingsError where nothing answers: Ray itself would wait for minutes. `auto` is Ray's to look up."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon and address == "auto":
        return
    try:
        with socket.create_connection((host, int(port)), _PATIENCE_S):
            return
    except (OSError, ValueError, OverflowError):
        raise SettingsError("no Ray cluster answers at --address", next_step=_START_ONE) from None


def _connected(address: str) -> Any:
    try:
        import ray  # noqa: PLC0415  (an extra, and heavy)
    except ImportError:
        raise SettingsError(
            "--address needs Ray, which is not installed", next_step="pip install 'deid-audit[ray]', or leave it out"
        ) from None
    import ray.exceptions  # noqa: PLC0415

    _expect_somebody(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", ignore_reinit_error=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise SettingsError(
            f"no Ray cluster answers at --address ({type(error).__name__})", next_step=_START_ONE
        ) from None
    return ray
