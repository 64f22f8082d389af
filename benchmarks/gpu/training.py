"""Steps a second of each preset on a CUDA device: as a run trains, one kernel after another, and compiled.

The faces are the two portraits that the tool ships, over and over: only the speed is looked at. Says so and ends where
there is no CUDA device. A run takes its recorded steps where they are quicker. `compiled` is torch.compile; what it
costs to begin stands beside it, since a run waits for that too. Prints a Markdown table.
"""

import argparse
import time

import numpy as np
import torch
from common.cuda import prepared_gpu

from deid_audit.faces.align import align
from deid_audit.frames import AlignedFace
from deid_audit.pipeline.doctor.steps.faces import portraits
from deid_audit.swap.augment import CROP_MARGIN, face_set
from deid_audit.swap.networks import PRESETS, Preset
from deid_audit.swap.prior import make_prior
from deid_audit.swap.train import Faces, Priors, Trainer
from deid_audit.vision.mesh import FaceMesh

STEPS, WARM_UP, COPIES = 200, 20, 200
WAYS = ("as a run trains", "kernel by kernel", "compiled")


def material(preset: Preset, device: str) -> tuple[Faces, Priors]:
    mesh, size = FaceMesh(video=False), round(preset.size * CROP_MARGIN)
    faces: list[AlignedFace] = []
    for image_rgb, box_xyxy in portraits():
        points = mesh.landmarks(image_rgb, box_xyxy)
        assert points is not None
        faces.append(align(0, image_rgb, points[:, :2], size, margin=CROP_MARGIN))
    sides = dict(zip(("subject", "donor"), faces, strict=True))
    priors = {side: make_prior([face], np.ones(1), margin=CROP_MARGIN) for side, face in sides.items()}
    sets = {
        side: face_set([face] * COPIES, [np.ones_like(face.mask)] * COPIES, priors[side], device)
        for side, face in sides.items()
    }
    return sets, priors


def rate(trainer: Trainer) -> tuple[float, float]:
    """Seconds of the first steps, and steps a second after them."""
    started = time.perf_counter()
    for number in range(WARM_UP):
        trainer.step(number, WARM_UP + STEPS)
    torch.cuda.synchronize()
    warm_up = time.perf_counter() - started
    started = time.perf_counter()
    for number in range(WARM_UP, WARM_UP + STEPS):
        trainer.step(number, WARM_UP + STEPS)
    torch.cuda.synchronize()
    return warm_up, STEPS / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=list(PRESETS))
    parser.add_argument("--compiled", nargs="*", choices=PRESETS, default=list(PRESETS), help="also these, compiled")
    given = parser.parse_args()
    facts = prepared_gpu()
    print(f"{facts['name']}, CUDA {facts['built_for']}, torch {torch.__version__}\n")
    print(f"| preset | as | first {WARM_UP} steps, s | steps a second | peak memory, MB |")
    print("| --- " * 5 + "|")
    for name in given.presets:
        preset = PRESETS[name]
        sets, priors = material(preset, "cuda")
        for way in WAYS if name in given.compiled else WAYS[:2]:
            torch.cuda.reset_peak_memory_stats()
            trainer = Trainer(preset, sets, priors, 0, "cuda")
            assert trainer.graphs is not None
            if way != WAYS[0]:
                trainer.graphs.pays = False
            if way == "compiled":
                trainer.model.encoder.compile()
                for decoder in trainer.model.decoders.values():
                    decoder.compile()
            warm_up, steps = rate(trainer)
            recorded = ", recorded" if trainer.graphs.pays else ""
            memory_mb = torch.cuda.max_memory_allocated() / 1e6
            print(f"| {name} | {way}{recorded} | {warm_up:.1f} | {steps:.1f} | {memory_mb:.0f} |", flush=True)


if __name__ == "__main__":
    main()
