"""A data set with one worker and with two, one thread each: `deid-audit dataset run` as a shell starts it.

    python benchmarks/workers.py --cases 4

Each worker has one processor, and every library its thread from there; the driver's own work, the check before the
first case and the set's certificate, has as many processors as there are workers, and is told apart. The cases are the
demo's subject at half size, lit a little differently.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path

import cv2
from common.clips import there_and_back, write_clip

from deid_audit.pipeline.demo_clips import write_demo_clips
from deid_audit.progress import SilentProgress

FRAMES, STEPS = 50, 20


def write_study(folder: Path, cases: int) -> Path:
    """Half-size clips of one face under several names, and the file of the data set."""
    subject, donor = write_demo_clips(folder, SilentProgress(), seconds=FRAMES / 25)
    names = [f"P{at}" for at in range(cases)]
    pairs = json.dumps(list(combinations(names, 2)))
    lines = ["schema = 1", 'title = "Workers"', f"iterations = {STEPS}", f"different_people = {pairs}"]
    for at, name in enumerate(names):
        (folder / name).mkdir()
        shown = (
            cv2.convertScaleAbs(cv2.resize(one, None, fx=0.5, fy=0.5), beta=at)
            for one in there_and_back(subject, FRAMES)
        )
        write_clip(folder / name / "a.mp4", shown, FRAMES)
        lines += ["[[subject]]", f'name = "{name}"', f'videos = ["{name}/a.mp4"]', f'donors = ["{donor.name}"]']
    (folder / "dataset.toml").write_text("\n".join(lines))
    return folder / "dataset.toml"


def run(path: Path, out: Path, workers: int) -> tuple[float, list[float]]:
    """Seconds of the whole command on as many processors, and of each case."""
    processors = sorted(os.sched_getaffinity(0))[:workers]
    assert len(processors) == workers, f"{workers} workers need as many processors"
    words = ["dataset", "run", path, "--out", out, "--workers", workers, "--log", out.with_suffix(".log"), "--json"]
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "deid_audit", *map(str, words)],
        stdout=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, processors), check=False,
    )  # fmt: skip
    took = time.perf_counter() - began
    cases = json.loads(done.stdout)["cases"]
    assert {one["outcome"] for one in cases} == {"done"}, cases
    journal = (out / "steward" / "journal.jsonl").read_text().splitlines()
    return took, [one["seconds"] for one in map(json.loads, journal) if one["event"] == "ended"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=4)
    asked = parser.parse_args()
    print(
        "| workers, one processor each | all, s | a case, s | beside the cases, s | cases an hour | times one worker |"
    )
    print("| --- " * 6 + "|")
    with tempfile.TemporaryDirectory() as name:
        path = write_study(Path(name), asked.cases)
        one = 0.0
        for workers in (1, 2):
            took, cases = run(path, Path(name) / f"out{workers}", workers)
            one = one or took
            mean = sum(cases) / len(cases)
            told = f"{took:.0f} | {mean:.0f} | {took - sum(cases) / workers:.0f} | {3600 * len(cases) / took:.1f}"
            print(f"| {workers} | {told} | {one / took:.2f} |", flush=True)


if __name__ == "__main__":
    main()
