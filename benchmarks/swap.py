"""The swap's training against the paper's recipe and a plain one, side by side, and an ablation of ours.

Every recipe trains on the same crops with the same threads, in turns of a few seconds, so that what else the machine
does falls on all alike. The clock of each is its training alone. At each mark the model swaps frames spread over the
subject's clip, and the audit's own measures are taken. Prints Markdown tables.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common.pairs import Pair, clips_of, make_pair, roles_of
from common.recipes import (
    BLENDS,
    PAPER,
    GreyPrior,
    PaperTrainer,
    PlainTrainer,
    StillPrior,
    begun_with_packs,
    bytes_of,
    changed,
    pasted_with,
    priors_as,
)

from deid_audit.faces.align import align
from deid_audit.pipeline.engines import load_engines
from deid_audit.render.blend import SteadyColour, paste
from deid_audit.swap.augment import face_set
from deid_audit.swap.convert import prepare_runtime, swap_face
from deid_audit.swap.networks import PRESETS, SwapModel
from deid_audit.swap.train import Trainer
from deid_audit.vision.mesh import box_of
from deid_audit.vision.native_output import silence_native_stderr

OURS = PRESETS["micro64"]
PACK_STEPS = 600
# The release policy's floors: distances, errors in % of the inter-ocular distance, correlations where the part moves.
NEAREST, FARTHEST = 0.6, 0.5
ERRORS = {"mouth": 5.0, "eye": 3.0, "brow": 4.0}
CORRELATIONS = {"mouth": 0.75, "eye": 0.5, "brow": 0.6, "yaw": 0.9}
MOVES = {"mouth": 1.5, "eye": 1.0, "brow": 1.5, "yaw": 2.0}
SHOWN = ("to_original_p01", "to_donor_mean", "mouth_mae", "eye_mae", "brow_mae", "mouth_r", "eye_r", "brow_r", "yaw_r")
"""Columns; a correlation is shown only where the original moves."""


def moving(pair: Pair) -> list[str]:
    """The parts whose movement says something."""
    return [part for part, least in MOVES.items() if float(np.nanstd(getattr(pair.probe.signals, part))) > least]


def holds(values: dict[str, float], parts: Sequence[str]) -> bool:
    """Whether identity and expression are within the release policy's floors."""
    return (
        values["to_original_p01"] > NEAREST
        and values["to_donor_mean"] < FARTHEST
        and all(values[f"{part}_mae"] <= limit for part, limit in ERRORS.items())
        and all(values[f"{part}_r"] >= least for part, least in CORRELATIONS.items() if part in parts)
    )


def jitter(pair: Pair, model: SwapModel) -> float:
    """Second differences of the landmarks over consecutive frames, released over original."""
    tracks: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    colour = SteadyColour(25.0)
    for number, frame in enumerate(pair.stretch):
        face = align(number, frame.window_rgb, frame.landmarks_xy, model.preset.size)
        made = paste(frame.window_rgb, frame.landmarks_xy, face, swap_face(model, face), colour)
        for track, image in zip(tracks, (frame.window_rgb, made), strict=True):
            points = pair.probe.mesh.landmarks(image, box_of(frame.landmarks_xy))
            # windows move with the face: only what changes within it counts
            track.append(np.full((478, 2), np.nan) if points is None else points[:, :2] - points[:, :2].mean(0))
    moved = [np.nanmean(np.abs(np.diff(np.stack(track), n=2, axis=0))) for track in tracks]
    return float(moved[1] / moved[0])


def row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells) + " |"


def head(*names: str) -> None:
    print("\n" + row(names) + "\n" + "| --- " * len(names) + "|", flush=True)


def shown(values: dict[str, float], parts: Sequence[str]) -> list[object]:
    return [values[name] if name[-2:] != "_r" or name[:-2] in parts else "still" for name in SHOWN]


def compare(pair: Pair, marks: Sequence[float], seed: int) -> None:
    """One table of a pair: each recipe at each mark."""
    grey = priors_as(GreyPrior, pair.priors)
    faces = {
        "subject": face_set(pair.own.crops, pair.own.attention, grey["subject"], "cpu"),
        "donor": face_set(pair.given.crops, pair.given.attention, grey["donor"], "cpu"),
    }
    trainers: dict[str, Trainer] = {
        "paper": PaperTrainer(PAPER, faces, grey, seed, "cpu"),
        "plain": PlainTrainer(OURS, faces, grey, seed, "cpu"),
        "ours": Trainer(OURS, pair.faces, pair.priors, seed, "cpu"),
    }
    clock, steps = dict.fromkeys(trainers, 0.0), dict.fromkeys(trainers, 0)
    first: dict[str, float | None] = dict.fromkeys(trainers)
    parts = moving(pair)
    planned = planned_steps(trainers["ours"], marks[-1])
    print(f"\n### {pair.name}: {', '.join(parts) or 'nothing'} moves; face {pair.face_px:.0f} px")
    head("recipe", "after s", "steps", "holds", *SHOWN, "sharpness", "jitter")
    for mark in marks:
        for name, trainer in trainers.items():
            while clock[name] < mark:
                started = time.perf_counter()
                trainer.step(min(steps[name], planned - 1), planned)
                clock[name] += time.perf_counter() - started
                steps[name] += 1
            values = pair.probe(trainer.average, steps[name]).values
            held = holds(values, parts)
            first[name] = None if not held else clock[name] if first[name] is None else first[name]
            told = (name, round(clock[name], 1), steps[name], "yes" if held else "no", *shown(values, parts))
            print(row((*told, values["sharpness"], jitter(pair, trainer.average))), flush=True)
    head("recipe", "holds from s on", "steps a second", "memory of weights and optimiser, MB")
    for name, trainer in trainers.items():
        since = "never" if first[name] is None else f"{first[name]:.1f}"
        print(row((name, since, steps[name] / max(clock[name], 1e-9), round(bytes_of(trainer) / 1e6))), flush=True)


def planned_steps(trainer: Trainer, seconds: float) -> int:
    """How many steps fit; the trainer is not changed."""
    trial = type(trainer)(trainer.preset, trainer.faces, {}, 0, "cpu")
    trial.step(0, 100)
    started = time.perf_counter()
    for number in range(1, 9):
        trial.step(number, 100)
    return max(20, round(seconds * 8 / (time.perf_counter() - started)))


def ablate(pair: Pair, steps: int, seed: int) -> None:
    """One table: ours with one thing changed at a time."""
    parts = moving(pair)
    still, grey = (priors_as(kind, pair.priors) for kind in (StillPrior, GreyPrior))
    variants: dict[str, tuple[type[Trainer], object]] = {
        "ours": (Trainer, pair.priors),
        "prior not posed": (Trainer, still),
        "no prior": (Trainer, grey),
        "no warp": (changed(warp_strength=lambda self, share: 0.0), pair.priors),
        "warp to the end": (changed(warp_strength=lambda self, share: 1.0), pair.priors),
        "L1 alone": (changed(loss=PlainTrainer.loss), pair.priors),
        "no average of weights": (changed(average_decay=lambda self, number: 0.0), pair.priors),
        "rate x 1/4": (changed(rate_share=lambda self, n, s: Trainer.rate_share(self, n, s) / 4), pair.priors),
        "rate x 4": (changed(rate_share=lambda self, n, s: Trainer.rate_share(self, n, s) * 4), pair.priors),
    }
    packs = begun_with_packs(pair.faces, OURS, PACK_STEPS, seed)
    variants |= {name: (kind, pair.priors) for name, kind in packs.items()}
    print(f"\n### {pair.name}: ablation, {steps} steps each; a pack: {PACK_STEPS} steps on the donor alone")
    head("variant", "holds", *SHOWN, "sharpness")
    for name, (kind, priors) in variants.items():
        faces = pair.faces
        if priors is not pair.priors:
            faces = {
                "subject": face_set(pair.own.crops, pair.own.attention, priors["subject"], "cpu"),
                "donor": face_set(pair.given.crops, pair.given.attention, priors["donor"], "cpu"),
            }
        trainer = kind(OURS, faces, priors, seed, "cpu")
        for number in range(steps):
            trainer.step(number, steps)
        _tell(name, pair.probe(trainer.average, steps).values, parts)
        if name == "ours":
            for mask, blend in BLENDS:
                with pasted_with(blend):
                    _tell(mask, pair.probe(trainer.average, steps).values, parts)


def _tell(name: str, values: dict[str, float], parts: Sequence[str]) -> None:
    told = (name, "yes" if holds(values, parts) else "no", *shown(values, parts), values["sharpness"])
    print(row(told), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", nargs="+", default=["demo"])
    parser.add_argument("--marks", type=float, nargs="+", default=[0, 30, 60])
    parser.add_argument("--frames", type=int, default=300, help="of each clip")
    parser.add_argument("--probed", type=int, default=64)
    parser.add_argument("--ablation-steps", type=int, default=0, help="0: no ablation")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    silence_native_stderr()
    threads, engines = prepare_runtime("cpu"), load_engines("cpu")
    print(
        f"{threads} threads, seed {given.seed}, first {given.frames} frames of each clip, {given.probed} of them probed"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name in given.pairs:
            clips = clips_of(name, Path(folder))
            if clips is None:
                print(f"\n{name}: its clips are not there (DEID_AUDIT_SAMPLES)")
                continue
            pair = make_pair(name, roles_of(clips, engines, given.frames), OURS, engines, probed=given.probed)
            if given.marks[-1] > 0:
                compare(pair, given.marks, given.seed)
            if given.ablation_steps:
                ablate(pair, given.ablation_steps, given.seed)


if __name__ == "__main__":
    main()
