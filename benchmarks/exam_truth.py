"""How small a tremor, how fast a tap and how short a blink the exam measures still find, on movement made by code.

Prints Markdown tables for RESULTS.md: the tremor's frequency against the programmed one by amplitude and noise, over
seven frame rates, three frequencies and seeds; counts of taps and blinks over rates, durations and frame rates.
Run by hand from the repository's root: `python benchmarks/exam_truth.py [SEEDS]`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))  # what is made by code stands with the tests; an installed package stays in front

from deid_audit.measure.exam.eyes import blink_values  # noqa: E402
from deid_audit.measure.exam.tapping import finger_tapping_values  # noqa: E402
from deid_audit.measure.exam.tremors import looked_at, moving_part, outstanding_peak  # noqa: E402
from deid_audit.measure.motion_tracks import MotionTracks  # noqa: E402
from deid_audit.measure.spectra import Peak  # noqa: E402
from tests.unit.exam_tracks import Signal, along, blinks, lids, openings, sine, times, tracks, uneven_times  # noqa: E402

RATES: tuple[float | None, ...] = (24, 25, 29.97, 30, 59.94, 120, None)
FREQUENCIES_HZ = (4.0, 5.0, 6.5)
AMPLITUDES_PX = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
NOISES_PX = (0.3, 0.5, 1.0)
PARTS = (("hand", "left"), ("head", ""), ("jaw", ""))
SECONDS = 8.0
CLOSE_HZ = 0.1


def at_rate(fps: float | None, seconds: float, seed: int) -> Signal:
    """Even frame times, or with None a variable rate about 30."""
    return uneven_times(seconds, 30.0, seed) if fps is None else times(seconds, fps)


def with_gaps(made: MotionTracks, seed: int) -> MotionTracks:
    """One frame in twenty-five, drawn by chance, without a landmark."""
    lost = np.random.default_rng(seed).random(len(made)) < 0.04
    for one in (made.face_xy, made.left_hand_xy):
        one[lost] = np.nan
    return made


def trembling(at: Signal, hz: float, px: float, noise: float, seed: int, part: str) -> MotionTracks:
    moved = along(sine(at, hz, px), 20 * np.sin(2 * np.pi * 0.15 * at))
    jaw = {152: along(0.0, sine(at, hz, px))}
    face = jaw if part == "jaw" else {-1: moved}
    return with_gaps(tracks(at, face=face, left_hand={-1: moved}, noise=noise, seed=seed), seed)


def tremor_rows(seeds: int) -> Iterator[str]:
    yield "| part | noise px | " + " | ".join(f"{px:g} px" for px in AMPLITUDES_PX) + " | none |"
    yield "| --- " * (len(AMPLITUDES_PX) + 3) + "|"
    for part, side in PARTS:
        for noise in NOISES_PX:
            cells = []
            for px in (*AMPLITUDES_PX, 0.0):
                errors = [
                    error_hz(trembling(at_rate(fps, SECONDS, seed), hz, px, noise, seed, part), part, side, hz)
                    for fps in RATES
                    for hz in FREQUENCIES_HZ
                    for seed in range(seeds)
                ]
                found = np.array([error for error in errors if error is not None])
                wrong = float((found > CLOSE_HZ).sum()) / len(errors)
                cells.append(f"{len(found) / len(errors) - wrong:.0%}" + (f", {wrong:.0%} wrong" if wrong else ""))
            yield f"| {part} | {noise} | " + " | ".join(cells) + " |"


def error_hz(made: MotionTracks, part: str, side: str, hz: float) -> float | None:
    """How far the frequency found is off; None where the measure says that there is none."""
    seen = looked_at(moving_part(made, part, side), made.times_s)
    if isinstance(seen, str):
        return None
    peak = outstanding_peak(seen.windows.spectrum(), seen.rate_hz, part)
    return abs(peak.hz - hz) if isinstance(peak, Peak) else None


def tap_rows() -> Iterator[str]:
    rates = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    yield "| frame rate | " + " | ".join(f"{hz:g} Hz" for hz in rates) + " |"
    yield "| --- " * (len(rates) + 1) + "|"
    for fps in RATES:
        cells = []
        for hz in rates:
            exact = 0
            for noise in NOISES_PX:
                at, count = at_rate(fps, 2 + 12 / hz, 1), 12
                opening = openings(at, hz, 60, 1.0, count)
                made = tracks(at, right_hand={8: along(opening, 0.0)}, noise=noise)
                exact += any(
                    one.value == count
                    for one in finger_tapping_values(made)
                    if (one.name, one.side) == ("finger_taps", "right")
                )
            cells.append(f"{exact} of {len(NOISES_PX)}")
        yield f"| {fps or 'variable, about 30'} | " + " | ".join(cells) + " |"


def blink_rows() -> Iterator[str]:
    durations = (0.08, 0.15, 0.25, 0.4)
    yield "| frame rate | noise px | " + " | ".join(f"{1000 * one:.0f} ms" for one in durations) + " |"
    yield "| --- " * (len(durations) + 2) + "|"
    for fps in RATES:
        for noise in NOISES_PX:
            cells = []
            for seconds in durations:
                exact = refused = tried = 0
                for per_minute in (10, 20, 40):
                    at = at_rate(fps, 30.0, 1)
                    centres = [1.0 + 60 / per_minute * number for number in range(per_minute // 2)]
                    closure = blinks(at, centres, seconds)
                    made = tracks(at, face={**lids(closure, "left"), **lids(closure, "right")}, noise=noise)
                    tried += 1
                    found = blink_values(made)[0].value
                    exact += found == len(centres)
                    refused += found is None
                cells.append(f"{exact} of {tried}" + (f", {refused} not measurable" if refused else ""))
            yield f"| {fps or 'variable, about 30'} | {noise} | " + " | ".join(cells) + " |"


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for rows in (tremor_rows(seeds), tap_rows(), blink_rows()):
        print("\n".join(rows), end="\n\n")


if __name__ == "__main__":
    main()
