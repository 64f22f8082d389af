"""Steps until the probe holds, with a donor's pack against from scratch, on the demo's two clips.

A pack is made of the donor's clip as `deid-audit donor prepare` makes it. Then the pair is trained both ways with one
seed and one number of threads, once for each number of planned steps (the learning rate goes by it), and probed at
every tenth of it, without stopping early. Prints a Markdown table.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from deid_audit.pipeline.cast import analyse, gather_subject, open_videos
from deid_audit.pipeline.demo_clips import write_demo_clips
from deid_audit.pipeline.donor_pack import read_pack
from deid_audit.pipeline.engines import load_engines
from deid_audit.pipeline.preparing import prepare_donor
from deid_audit.pipeline.probe import Probe, make_probe
from deid_audit.pipeline.training import prepare_faces
from deid_audit.progress import SilentProgress
from deid_audit.settings import make_prepare_settings
from deid_audit.swap import train as training
from deid_audit.swap.augment import CROP_MARGIN
from deid_audit.swap.convert import prepare_runtime
from deid_audit.swap.networks import PRESETS, SwapModel
from deid_audit.swap.reuse import Weights
from deid_audit.swap.train import Faces, Priors, ProbeReading, Trained, train
from deid_audit.vision.native_output import silence_native_stderr

PRESET = PRESETS["micro64"]


def material(folder: Path, pack_steps: int, seed: int) -> tuple[Faces, Priors, Probe, Weights, float]:
    """What both ways train on, and the weights of the pack with the seconds they took."""
    progress, engines = SilentProgress(), load_engines("cpu")
    subject_path, donor_path = write_demo_clips(folder, progress)
    asked = make_prepare_settings(videos=(donor_path,), out=folder / "d.pack", iterations=pack_steps, seed=seed)
    prepared = prepare_donor(asked, progress=progress)
    pack = read_pack(prepared.out)
    role = analyse(
        open_videos([subject_path], who="subject", digest_key=None), who="subject", engines=engines, progress=progress
    )
    size = round(PRESET.size * CROP_MARGIN)
    subject = gather_subject(role, who="subject", size=size, margin=CROP_MARGIN, engines=engines, progress=progress)
    donor = pack.material
    probe = make_probe(subject.probe, engines.recognizer, np.nanmean(donor.descriptors, axis=0))
    priors, faces = prepare_faces(subject, donor, PRESET, "cpu")
    return faces, priors, probe, pack.weights, prepared.manifest.training_seconds


def first_hold(trained: Trained) -> int | None:
    """The first probed step from which on it held at every later one too."""
    held = None
    for reading in trained.readings:
        held = None if not reading.holds else held if held is not None else reading.step
    return held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planned", type=int, nargs="+", default=[150, 200, 300, 600])
    parser.add_argument("--pack-steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    silence_native_stderr()
    threads = prepare_runtime("cpu")
    with tempfile.TemporaryDirectory() as folder:
        faces, priors, probe, start, seconds = material(Path(folder), given.pack_steps, given.seed)
    print(f"{PRESET.name}, {threads} threads, seed {given.seed}; pack: {given.pack_steps} steps, {seconds:.0f} s\n")
    print("| planned steps | began from | holds from step | seconds a step | " + " | ".join(_VALUES) + " |")
    print("| --- " * (4 + len(_VALUES)) + "|", flush=True)
    training._PROBES = 10  # finer than a run's, to see when it holds first
    training._STOP_NOT_BEFORE = 2.0  # never: both ways are to be seen to their end
    for planned in given.planned:
        for name, begin in (("scratch", None), ("the pack", start)):
            spent = 0.0

            def timed(model: SwapModel, step: int) -> ProbeReading:
                nonlocal spent
                started = time.perf_counter()
                reading = probe(model, step)
                spent += time.perf_counter() - started
                return reading

            with SilentProgress().step("", planned) as step:
                trained = train(
                    PRESET, faces, priors, steps=planned, seed=given.seed, device="cpu", probe=timed,
                    step=step, start=begin,
                )  # fmt: skip
            last = trained.readings[-1].values
            row = (planned, name, first_hold(trained) or "never", f"{(trained.seconds - spent) / planned:.3f}")
            shown = (f"{last[key]:.3f}" for key in _VALUES)
            print("| " + " | ".join(map(str, (*row, *shown))) + " |", flush=True)


_VALUES = ("to_original_p05", "to_donor_mean", "mouth_mae", "eye_mae", "mouth_r", "eye_r", "yaw_r")

if __name__ == "__main__":
    main()
