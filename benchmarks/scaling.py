"""A data set on 1 to 1,000 GPUs, by simulation: a case's time was measured elsewhere, the driver's is measured here.

    python benchmarks/scaling.py [--statement evidence.json] [--cases 10000]

Every case holds one place until it ends; the driver hands them out one after the other; a shared disk has one bandwidth
for all. Lengths of cases vary as a log-normal. Nothing is run but the driver's own steps; the table is arithmetic and
chance.
"""

import argparse
import heapq
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from deid_audit.dataset.state import Ended, Started, opened_state
from deid_audit.evidence import parse_statement

PLACES = (1, 2, 10, 100, 1000)
SPREAD = 0.4  # of the logarithm of a case's seconds; assumed
LOST = 0.01  # tries that end with their process, and are made again; assumed


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What one case takes: seconds on its place, bytes read (every pass reads the original again) and written."""

    name: str
    seconds: float
    read_bytes: float
    written_bytes: float


# 120 frames of 608x1080 took 240 s on one H200 (RESULTS.md, gpu/training.py). 9000 frames: the passes' 103 s times 75,
# the training's 88 s and the papers' 49 s as they are. A second of such video has 0.25 MB; ten passes read it.
CASES = (
    Case(name="120 frames, 240 s (measured)", seconds=240, read_bytes=10 * 1.2e6, written_bytes=8e6),
    Case(name="9000 frames, 7860 s (reckoned)", seconds=7860, read_bytes=10 * 90e6, written_bytes=120e6),
)


def driver_seconds(statement: Path | None, rounds: int = 200) -> dict[str, float]:
    """What the driver does for a case, in seconds: two lines of the journal, forced to disk; its statement read."""
    with tempfile.TemporaryDirectory() as folder, opened_state(Path(folder)) as state:
        began = time.perf_counter()
        for at in range(rounds):
            name = f"case-{at:012x}"
            state.append(Started(case_id=name, inputs="ab" * 32))
            state.append(Ended(case_id=name, inputs="ab" * 32, outcome="done", verdict="PASSED"))
        journal = (time.perf_counter() - began) / rounds
    reading = 0.0
    if statement is not None:
        data, began = statement.read_bytes(), time.perf_counter()
        for _ in range(5):
            parse_statement(data)
        reading = (time.perf_counter() - began) / 5
    return {"journal": journal, "statement": reading}


def simulated(case: Case, places: int, cases: int, hand_out_s: float, seed: int = 0) -> float:
    """Seconds until the last of `cases` has ended."""
    chance = random.Random(seed)
    free = [0.0] * places
    driver = end = 0.0
    mean = case.seconds / 2.718281828 ** (SPREAD**2 / 2)  # so that the mean is the case's
    for _ in range(cases):
        at = max(heapq.heappop(free), driver)
        driver = at + hand_out_s
        taken = chance.lognormvariate(0, SPREAD) * mean
        while chance.random() < LOST:
            taken += chance.random() * taken
        end = max(end, driver + taken)
        heapq.heappush(free, driver + taken)
    return end


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--statement", type=Path)
    parser.add_argument("--cases", type=int, default=10_000)
    asked = parser.parse_args()
    costs = driver_seconds(asked.statement)
    hand_out = sum(costs.values())
    print(", ".join(f"{name} {seconds * 1000:.1f} ms" for name, seconds in costs.items()))
    print("| a case | places | hours | of the ideal | cases an hour | driver busy | read, MB/s | written, MB/s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for case in CASES:
        for places in PLACES:
            seconds = simulated(case, places, asked.cases, hand_out)
            ideal = asked.cases * case.seconds / places
            rate = asked.cases / seconds
            read, written = (rate * size / 1e6 for size in (case.read_bytes, case.written_bytes))
            print(
                f"| {case.name} | {places} | {seconds / 3600:.1f} | {ideal / seconds:.0%} | {rate * 3600:.0f} "
                f"| {rate * hand_out:.1%} | {read:.1f} | {written:.1f} |"
            )


if __name__ == "__main__":
    main()
