"""A few training steps of the smallest preset, on the device that a run would choose."""

from collections.abc import Mapping

import numpy as np

from deid_audit.errors import StageError
from deid_audit.faces.align import align
from deid_audit.frames import AlignedFace
from deid_audit.pipeline.doctor.steps.faces import portraits
from deid_audit.progress import SilentProgress
from deid_audit.swap.augment import CROP_MARGIN, face_set
from deid_audit.swap.convert import prepare_runtime, swap_face, wipe_model
from deid_audit.swap.networks import PRESETS, Side, SwapModel
from deid_audit.swap.prior import make_prior
from deid_audit.swap.train import ProbeReading, Trained, train
from deid_audit.vision.mesh import FaceMesh

_SMALLEST = "micro64"
_STEPS = 3


def few_steps(device: str) -> str:
    """Weights stay numbers, the decoders leave their untrained state, and a face can be swapped."""
    threads = prepare_runtime(device)
    size = round(PRESETS[_SMALLEST].size * CROP_MARGIN)
    subject, donor = _faces(size, CROP_MARGIN)
    trained = _trained({"subject": subject, "donor": donor}, device)
    try:
        problem = fault(trained.model)
        made = swap_face(trained.model, _faces(PRESETS[_SMALLEST].size, 1.0)[0])
    finally:
        wipe_model(trained.model)
    if problem or not np.isfinite(made.mask).all():
        raise StageError(problem or "a swapped face's mask is not a number")
    where = f"cpu, {threads} threads" if device == "cpu" else device
    return f"{_STEPS} steps of {_SMALLEST} on {where}, {trained.seconds / _STEPS:.2f} s each"


def fault(model: SwapModel) -> str:
    """What is wrong with a model that was trained a little; empty when nothing is."""
    if not all(bool(weights.isfinite().all()) for weights in model.parameters()):
        return "training gave weights that are not numbers"
    # The last layers start at zero and are not zero after training, on either side.
    last = [weights for name, weights in model.named_parameters() if name.endswith(".last.weight")]
    if not last or not all(bool(weights.any()) for weights in last):
        return "training changed nothing"
    return ""


def _trained(people: Mapping[Side, AlignedFace], device: str) -> Trained:
    priors = {side: make_prior([face], np.ones(1), margin=CROP_MARGIN) for side, face in people.items()}
    # The whole crop counts the same: this step does not learn an expression.
    faces = {side: face_set([face], [np.ones_like(face.mask)], priors[side], device) for side, face in people.items()}
    with SilentProgress().step("training", _STEPS) as step:
        return train(PRESETS[_SMALLEST], faces, priors, steps=_STEPS, seed=0, device=device, probe=_no_probe, step=step)


def _no_probe(model: SwapModel, step: int) -> ProbeReading:
    return ProbeReading(step=step, values={}, lacking=("nobody looked",), text="")


def _faces(size: int, margin: float) -> list[AlignedFace]:
    mesh = FaceMesh(video=False)
    aligned = []
    for image_rgb, box_xyxy in portraits():
        points = mesh.landmarks(image_rgb, box_xyxy)
        if points is None:
            raise StageError("no landmarks were found on a portrait")
        aligned.append(align(0, image_rgb, points[:, :2], size, margin=margin))
    mesh.close()
    return aligned
