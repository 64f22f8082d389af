"""Pass 2: material, budget, what is handed to the process that trains, and the model read back from the vault.

What exists in plain here (crops, probe frames, the model in use) is registered with the vault before it is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid_audit.faces.align import OVAL_SHARE
from deid_audit.faces.choose import expressions, features_of, neutral_weights, shared_neutral
from deid_audit.frames import AlignedFace, Float
from deid_audit.pipeline.cast import Material, Role, average_colours, face_height, gather_subject, with_colours_of
from deid_audit.pipeline.concluding import CurvePoint
from deid_audit.pipeline.donor_pack import DonorPack
from deid_audit.pipeline.donors import Donor
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.foreseeing import foreseen
from deid_audit.pipeline.lessons import Lesson
from deid_audit.pipeline.resuming import Resuming
from deid_audit.pipeline.training_process import TrainingProcess
from deid_audit.progress import Progress
from deid_audit.settings import PresetName, RunSettings
from deid_audit.swap.augment import CROP_MARGIN, FaceSet, face_set
from deid_audit.swap.convert import load_model, wipe_model
from deid_audit.swap.networks import PRESETS, Preset, Side, SwapModel
from deid_audit.swap.prior import FacePrior, make_prior, with_open_mouth
from deid_audit.swap.skin import skin_only, with_hair
from deid_audit.swap.train import ProbeReading
from deid_audit.vault import Vault

DEFAULT_SECONDS = 90.0
LARGEST_SWAP_PX = 256  # the crop that a face is pasted from; a face larger in the frame is enlarged from it
PACKED_SECONDS = 60.0  # with a donor's pack, which has half of it done
# Where `auto` changes its choice. On an H200 hq128 held within 16 s of training; hq256 missed one floor after 90 s.
_SMALL_PX, _LARGE_PX = 56, 180
_LONG_SECONDS, _LARGE_SECONDS = 900.0, 240.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedPair:
    """The model read back from the vault, the donor's descriptors, and what the statement says about training."""

    model: SwapModel
    donor_descriptors: Float
    readings: tuple[ProbeReading, ...]
    seconds: float
    facts: dict[str, str | int | float | bool | None]


def choose_preset(
    asked: PresetName, device: str, face_px: float, seconds: float, pack: DonorPack | None = None
) -> tuple[str, str]:
    """The preset's name and why it was chosen: by device, height of the face in the frames, seconds of training.

    A pack has its own, and one that was asked for agrees with it.
    """
    if pack is not None:
        return pack.manifest.preset, "the donor's pack is of it"
    if asked != "auto":
        return asked, "asked for"
    seen = f"a face {face_px:.0f} px high and {seconds:g} s of training"
    if not device.startswith("cuda"):
        long = seconds >= _LONG_SECONDS
        name, why = ("lite64", "long enough for it") if long else ("micro64", "larger presets learn too slowly")
        return name, f"auto: no CUDA device, {seen}: {why}"
    large = face_px >= _LARGE_PX and seconds >= _LARGE_SECONDS
    name = "micro64" if face_px < _SMALL_PX else "hq256" if large else "hq128"
    return name, f"auto: a CUDA device, {seen}"


def train_pair(
    subject: Role,
    donor: Donor,
    *,
    settings: RunSettings,
    device: str,
    engines: Engines,
    vault: Vault,
    trainee: TrainingProcess,
    progress: Progress,
    who: tuple[str, str] = ("subject", "donor"),
    resuming: Resuming | None = None,
) -> TrainedPair:
    """Has the pair's model trained and leaves it in the vault, encrypted; NotEnoughFaces when there is too little.

    `who` names the two, in messages and in the vault's record. `resuming` keeps training in a checkpoint, and has the
    one to go on from; its number of steps counts then, no new timing.
    """
    person, giver = who
    budget = settings.train_seconds or (DEFAULT_SECONDS if donor.pack is None else PACKED_SECONDS)
    face_px = face_height(subject)
    name, why = choose_preset(settings.preset, device, face_px, budget, donor.pack)
    size = round(PRESETS[name].size * CROP_MARGIN)
    own = gather_subject(subject, who=person, size=size, margin=CROP_MARGIN, engines=engines, progress=progress)
    _register(vault, person, own)
    given = donor.material(size, who=giver, near=own.features, engines=engines, progress=progress)
    _register(vault, giver, given)
    doubts = foreseen(own.features, given.features, face_px=face_px, averages=(subject.average, donor.average), who=who)
    for doubt in doubts:
        progress.say(f"before training: {doubt}")
    lesson = Lesson(
        who=who, own=own, given=given, preset=name, face_px=face_px, seconds=budget, iterations=settings.iterations,
        seed=settings.seed, start=None if donor.pack is None else donor.pack.weights,
        digest_key=None if resuming is None else resuming.digest_key,
    )  # fmt: skip
    model_name = f"swap model of the {person}"
    lessons = trainee.learn(lesson, model_name, progress=progress, keeps=resuming is not None)
    lacks = "; ".join(lessons.learned.readings[-1].lacking)
    if lacks:
        progress.say(
            f"training of the {person} ended with held-out frames that may not pass a policy: {lacks}. A longer "
            "training (--train-seconds), more varied videos or another donor may mend it; the run goes on and measures"
        )
    model = load_model(vault.read(model_name), device)
    vault.register_memory(f"{model_name} in use", sum(p.nbytes for p in model.parameters()), lambda: wipe_model(model))
    learned = lessons.learned
    return TrainedPair(
        model=model,
        donor_descriptors=given.descriptors,
        readings=learned.readings,
        seconds=learned.seconds,
        facts={
            "preset": name,
            "preset_because": why,
            "steps": learned.steps,
            "planned_steps": learned.planned_steps,
            "probe_every": learned.probe_every,
            "stopped_early": learned.steps < learned.planned_steps,
            "cuda_graphs": learned.cuda_graphs,
            "foreseen": "; ".join(doubts),
            "probe_lacks": lacks,
            "subject_faces": len(own.crops),
            "donor_faces": len(given.crops),
            "probe_faces": lessons.prepared.probe_faces,
            "swap_px": lessons.prepared.swap_px,
            "training_seconds": round(learned.seconds, 1),
            "resumed_after_step": lessons.resumed_after_step,
        },
    )


def prepare_faces(
    own: Material, given: Material, preset: Preset, device: str, *, face_px: float
) -> tuple[dict[Side, FacePrior], dict[Side, FaceSet]]:
    """Both sides' mean faces and training tensors; the donor in the subject's average colours.

    The donor's mean face is as large as the subject's face in the frames asks for.
    """
    target = average_colours(own.crops)
    source = average_colours(given.crops)
    portraits, coloured = (with_colours_of(faces, source, target) for faces in (given.portraits, given.crops))
    times = int(np.clip(np.ceil(face_px / (OVAL_SHARE * preset.size)), 1, max(1, LARGEST_SWAP_PX // preset.size)))
    neutral = shared_neutral(own.features, given.features)
    weights = neutral_weights(neutral, expressions(own.features, own.features))
    mean_own = make_prior(own.crops, weights, margin=CROP_MARGIN)
    priors: dict[Side, FacePrior] = {
        "subject": with_open_mouth(with_hair(mean_own), own.crops),
        "donor": donor_prior(portraits, coloured, neutral, round(preset.size * times * CROP_MARGIN)),
    }
    mean_own.texture.fill(0)  # `with_hair` made a copy of it
    faces: dict[Side, FaceSet] = {
        "subject": face_set(own.crops, own.attention, priors["subject"], device),
        "donor": face_set(coloured, given.attention, priors["donor"], device),
    }
    return priors, faces


def donor_prior(
    portraits: Sequence[AlignedFace], crops: Sequence[AlignedFace], neutral: NDArray[np.float64], size: int
) -> FacePrior:
    """The donor's mean face with a texture of `size` px, in the expression `neutral` (5,)."""
    weights = neutral_weights(neutral, expressions(features_of(portraits), features_of(crops)))
    return with_open_mouth(skin_only(make_prior(portraits, weights, margin=CROP_MARGIN)).resized(size), crops)


def shown(who: str, material: Material) -> dict[str, list[NDArray[Any]]]:
    """The arrays of the material that show a person, by name."""
    faces = [*material.crops, *material.portraits]
    return {
        f"face crops of the {who}": [face.crop_rgb for face in faces],
        f"face shapes of the {who}": [material.features, *(face.layout_xy for face in faces)],
        f"probe frames of the {who}": [frame.window_rgb for frame in material.probe],
        f"training descriptors of the {who}": [material.descriptors],
    }


def _register(vault: Vault, who: str, material: Material) -> None:
    """Crops, landmarks and probe frames are wiped with the vault."""
    for kind, arrays in shown(who, material).items():
        wipe_arrays_with(vault, kind, arrays)


def wipe_arrays_with(vault: Vault, kind: str, arrays: Sequence[NDArray[Any]]) -> None:
    """Registers arrays that are overwritten with zeros when the vault is destroyed."""

    def wipe() -> None:
        for array in arrays:
            array.fill(0)

    if arrays:
        vault.register_memory(kind, sum(array.nbytes for array in arrays), wipe)


def learning_curve(readings: tuple[ProbeReading, ...]) -> list[CurvePoint]:
    """The probe's readings in order: the step, each value (not a number: None), whether every floor held."""
    return [
        {
            "step": reading.step,
            **{name: value if np.isfinite(value) else None for name, value in reading.values.items()},
            "holds": reading.holds,
        }
        for reading in readings
    ]
