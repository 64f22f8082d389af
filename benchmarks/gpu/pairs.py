"""Training on a CUDA device as a run trains, with its probe: when every floor holds, preset by preset.

Of one pair, from the first frames of its clips. Prints a Markdown table a preset: the readings in order, with the
seconds of training alone. Says so and ends where there is no CUDA device.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from common.cuda import prepared_gpu
from common.pairs import SILENT, clips_of, make_pair, roles_of

from deid_audit.pipeline.engines import load_engines
from deid_audit.pipeline.probe import Probe
from deid_audit.swap.networks import PRESETS, SwapModel
from deid_audit.swap.train import ProbeReading, steps_for, train

VALUES = ("to_original_p05", "to_donor_mean", "sharpness", "mouth_mae", "eye_mae", "mouth_r", "eye_r", "yaw_r")


@dataclass(slots=True, eq=False)
class TimedProbe:
    """Prints each reading with the seconds of training before it; its own are left out."""

    probe: Probe
    started: float = field(default_factory=time.perf_counter)
    spent: float = 0.0

    def __call__(self, model: SwapModel, step: int) -> ProbeReading:
        torch.cuda.synchronize()
        begun = time.perf_counter()
        reading = self.probe(model, step)
        trained = begun - self.started - self.spent
        self.spent += time.perf_counter() - begun
        told = " | ".join(f"{reading.values[value]:.3f}" for value in VALUES)
        print(f"| {step} | {trained:.1f} | {'yes' if reading.holds else 'no'} | {told} |", flush=True)
        return reading


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pair", default="demo")
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=["micro64", "hq128", "hq256"])
    parser.add_argument("--seconds", type=float, default=60.0, help="of training, turned into steps as a run does")
    parser.add_argument("--frames", type=int, default=300, help="of each clip")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    facts = prepared_gpu()
    engines = load_engines("cuda")
    print(f"{facts['name']}, torch {torch.__version__}, seed {given.seed}, first {given.frames} frames of each clip")
    with tempfile.TemporaryDirectory() as folder:
        clips = clips_of(given.pair, Path(folder))
        if clips is None:
            print(f"{given.pair}: its clips are not there (DEID_AUDIT_SAMPLES)")
            sys.exit(0)
        roles = roles_of(clips, engines, given.frames)
        for name in given.presets:
            preset = PRESETS[name]
            pair = make_pair(given.pair, roles, preset, engines, probed=40, device="cuda")
            steps = steps_for(given.seconds, preset, pair.faces, "cuda")
            print(f"\n### {given.pair}, {name}: {steps} steps planned, face {pair.face_px:.0f} px\n")
            print("| step | training s | holds | " + " | ".join(VALUES) + " |\n" + "| --- " * (3 + len(VALUES)) + "|")
            with SILENT.step("", steps) as step:
                train(
                    preset, pair.faces, pair.priors, steps=steps, seed=given.seed, device="cuda",
                    probe=TimedProbe(pair.probe), step=step,
                )  # fmt: skip


if __name__ == "__main__":
    main()
