"""Pass 2: material, budget, training, and the model's way into the vault.

What exists in plain (crops, probe frames, weights) is registered with the vault before it is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from deid_audit.faces.choose import neutral_weights
from deid_audit.frames import Float
from deid_audit.pipeline.cast import Material, Role, gather, match_colours
from deid_audit.pipeline.donor_pack import DonorPack
from deid_audit.pipeline.donors import Donor
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.probe import make_probe
from deid_audit.progress import Progress
from deid_audit.settings import PresetName, RunSettings
from deid_audit.swap.augment import CROP_MARGIN, face_set
from deid_audit.swap.convert import load_model, save_model, wipe_model
from deid_audit.swap.networks import PRESETS, SwapModel
from deid_audit.swap.train import ProbeReading, steps_for, train
from deid_audit.vault import Vault

DEFAULT_SECONDS = 150.0
PACKED_SECONDS = 75.0  # with a donor's pack: the probe holds after a fraction of the steps (benchmarks/donor_pack.py)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedPair:
    """The model read back from the vault, the donor's descriptors, and what the statement says about training."""

    model: SwapModel
    donor_descriptors: Float
    readings: tuple[ProbeReading, ...]
    seconds: float
    facts: dict[str, str | int | float | bool | None]


def choose_preset(asked: PresetName, device: str, pack: DonorPack | None = None) -> tuple[str, str]:
    """The preset's name and why it was chosen; a pack has its own, and one that was asked for agrees with it."""
    if pack is not None:
        return pack.manifest.preset, "the donor's pack is of it"
    if asked != "auto":
        return asked, "asked for"
    if device.startswith("cuda"):
        return "hq128", "auto: a CUDA device"
    return "micro64", "auto: no CUDA device, where larger presets learn too slowly"


def train_pair(
    subject: Role,
    donor: Donor,
    *,
    settings: RunSettings,
    device: str,
    engines: Engines,
    vault: Vault,
    progress: Progress,
    who: tuple[str, str] = ("subject", "donor"),
) -> TrainedPair:
    """Trains the pair's model and leaves it in the vault, encrypted; NotEnoughFaces when there is too little.

    `who` names the two, in messages and in the vault's record.
    """
    person, giver = who
    name, why = choose_preset(settings.preset, device, donor.pack)
    preset = PRESETS[name]
    size = round(preset.size * CROP_MARGIN)
    material = {
        person: gather(
            subject, who=person, size=size, margin=CROP_MARGIN, engines=engines, progress=progress, probe=True
        )
    }
    _register(vault, person, material[person])
    material[giver] = donor.material(size, who=giver, engines=engines, progress=progress)
    _register(vault, giver, material[giver])
    recoloured = match_colours(material[giver], material[person])
    subject_faces = face_set(material[person].crops, material[person].attention, device)
    donor_faces = face_set(recoloured, material[giver].attention, device)
    for name_of, faces in ((person, subject_faces), (giver, donor_faces)):
        vault.register_memory(f"training tensor of the {name_of}", faces.planes.nbytes, faces.wipe)
    weights = neutral_weights(material[giver].features, material[person].features)
    donor_rows = material[giver].descriptors
    probe = make_probe(material[person].probe, engines.recognizer, np.nanmean(donor_rows, axis=0))
    budget = settings.train_seconds or (DEFAULT_SECONDS if donor.pack is None else PACKED_SECONDS)
    steps = settings.iterations or steps_for(
        budget, preset, {"subject": subject_faces, "donor": donor_faces}, weights, device
    )
    with progress.step(f"training {name}" + ("" if person == "subject" else f", {person}"), steps) as step:
        trained = train(
            preset, subject_faces, donor_faces, weights,
            steps=steps, seed=settings.seed, device=device, probe=probe, step=step,
            start=None if donor.pack is None else donor.pack.weights,
        )  # fmt: skip
    lacks = "; ".join(trained.readings[-1].lacking)
    if lacks:
        progress.say(
            f"training of the {person} ended with held-out frames that may not pass a policy: {lacks}. A longer "
            "training (--train-seconds), more varied videos or another donor may mend it; the run goes on and measures"
        )
    model_name = f"swap model of the {person}"
    with vault.write(model_name) as stream:
        save_model(trained.model, cast(BinaryIO, stream))
    wipe_model(trained.model)
    model = load_model(vault.read(model_name), device)
    vault.register_memory(f"{model_name} in use", sum(p.nbytes for p in model.parameters()), lambda: wipe_model(model))
    return TrainedPair(
        model=model,
        donor_descriptors=donor_rows,
        readings=trained.readings,
        seconds=trained.seconds,
        facts={
            "preset": name,
            "preset_because": why,
            "steps": trained.steps,
            "planned_steps": trained.planned_steps,
            "probe_every": trained.probe_every,
            "stopped_early": trained.steps < trained.planned_steps,
            "probe_lacks": lacks,
            "subject_faces": len(material[person].crops),
            "donor_faces": len(material[giver].crops),
            "probe_faces": len(probe.frames),
            "training_seconds": round(trained.seconds, 1),
        },
    )


def _register(vault: Vault, who: str, material: Material) -> None:
    """Crops, attention maps and probe frames are wiped with the vault."""
    wipe_arrays_with(vault, f"face crops of the {who}", [face.crop_rgb for face in material.crops])
    wipe_arrays_with(vault, f"probe frames of the {who}", [frame.window_rgb for frame in material.probe])
    wipe_arrays_with(vault, f"training descriptors of the {who}", [material.descriptors])


def wipe_arrays_with(vault: Vault, kind: str, arrays: Sequence[NDArray[Any]]) -> None:
    """Registers arrays that are overwritten with zeros when the vault is destroyed."""

    def wipe() -> None:
        for array in arrays:
            array.fill(0)

    if arrays:
        vault.register_memory(kind, sum(array.nbytes for array in arrays), wipe)


def learning_curve_csv(readings: tuple[ProbeReading, ...]) -> str:
    """The probe's readings as CSV text, one row a reading."""
    if not readings:
        return "step\n"
    names = list(readings[0].values)
    rows = [",".join(("step", *names, "holds"))]
    rows += [",".join((str(r.step), *(f"{r.values[n]:.4f}" for n in names), str(r.holds).lower())) for r in readings]
    return "\n".join(rows) + "\n"
