"""Steps of training recorded as CUDA graphs, where a trial on the spot says that replaying them is quicker.

On a GPU a step of these small networks is hundreds of kernels, and starting them takes longer than what they compute.
A recorded step starts all of them at once, and gives the same bits. torch.compile does not pay beside it: it made
steps 3 to 5 % quicker after 14 to 35 s of compiling (benchmarks/gpu/training.py).
"""

import time
from collections import Counter
from collections.abc import Callable
from statistics import median

import torch
from torch import Generator

_WARM_UP, _TIMED = 3, 5  # steps: a library's first calls allocate, which a recording must not
TRIAL_STEPS = _WARM_UP + 2 * _TIMED
"""So many steps pass before it is settled how the rest are made."""


class StepGraphs:
    """Runs `work(kind)`, one call a step: as it is at first, then replayed from a recording if that was quicker.

    All that changes from step to step must be tensors on the device that are filled in place, or come from the
    `generator`; whatever else `work` depends on is its `kind`.
    """

    def __init__(self, work: Callable[[bool], None], generator: Generator) -> None:
        self._work, self._generator = work, generator
        self._recorded: dict[bool, torch.cuda.CUDAGraph] = {}
        self._warm: Counter[bool] = Counter()
        self._plain_s: list[float] = []
        self._replayed_s: list[float] = []
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self.pays: bool | None = None

    def run(self, kind: bool) -> None:
        """The next step."""
        if self.pays is False:
            self._work(kind)
        elif self._warm[kind] < (_WARM_UP if self.pays else _WARM_UP + _TIMED):
            self._warm[kind] += 1
            self._plain_s.append(_seconds_of(lambda: self._aside(kind)))
        else:
            if kind not in self._recorded:
                self._recorded[kind] = self._record(kind)
            if self.pays:
                self._recorded[kind].replay()
            else:
                self._replayed_s.append(_seconds_of(self._recorded[kind].replay))
                self._settle()

    def drop(self) -> None:
        """Gives the recordings' memory back: it holds the last step's pictures."""
        self._recorded.clear()
        torch.cuda.empty_cache()

    def _settle(self) -> None:
        if len(self._replayed_s) == _TIMED:
            self.pays = median(self._replayed_s) < median(self._plain_s[-_TIMED:])
            if not self.pays:
                self.drop()

    def _aside(self, kind: bool) -> None:
        """On the stream that recordings are made on, as torch asks for."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            self._work(kind)
        torch.cuda.current_stream().wait_stream(self._stream)

    def _record(self, kind: bool) -> torch.cuda.CUDAGraph:
        """Records a step; nothing is computed meanwhile."""
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)
        with torch.cuda.graph(graph, stream=self._stream):
            self._work(kind)
        return graph


def _seconds_of(run: Callable[[], object]) -> float:
    torch.cuda.synchronize()
    started = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - started
