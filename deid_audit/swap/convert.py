"""Turns an aligned crop of the subject into the donor's face, and saves or loads the model as a stream."""

from dataclasses import dataclass
from typing import Any, BinaryIO

import cv2
import numpy as np
import torch
from torch import Tensor

from deid_audit.errors import StageError
from deid_audit.frames import AlignedFace, Float, Image, SwappedFace
from deid_audit.heap import few_heaps
from deid_audit.swap.networks import PRESETS, Side, SwapModel
from deid_audit.swap.prior import HAIR, FacePrior, moved_as, shape_of, swapped_px
from deid_audit.vision.transfer import on_device

_SAME_HAIR, _HAIR_BLUR = 0.12, 1 / 64  # of full scale; of the crop's side
_NO_PRIOR = np.zeros((1, 1, 4), np.float32)


def pick_device(wanted: str) -> str:
    """`auto` is CUDA where torch can use it, else CPU; an explicit cuda that is not there is an error."""
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise StageError("torch finds no usable CUDA device", next_step="use --device auto or --device cpu")
    return wanted


def cuda_facts() -> dict[str, str | int | None]:
    """What torch sees of CUDA: the version it was built for, the first device's name and memory; None where not."""
    facts: dict[str, str | int | None] = {"built_for": torch.version.cuda, "name": None, "memory_bytes": None}
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        facts |= {"name": properties.name, "memory_bytes": properties.total_memory}
    return facts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TakenIn:
    """A face as the model takes it in: the crop, the subject's mean face `seen` in its pose, and the code of both."""

    face: AlignedFace
    seen: Float
    code: Tensor


def take_in(model: SwapModel, face: AlignedFace) -> TakenIn:
    """What both decoders begin from, so that a face that is swapped and rebuilt is posed and encoded once."""
    seen = model.priors["subject"].posed(shape_of(face), model.preset.size) if model.preset.prior else _NO_PRIOR
    with torch.inference_mode():
        code = model.encode(_on_device(model, face.crop_rgb) / 255, _on_device(model, seen[..., :HAIR]))
    return TakenIn(face=face, seen=seen, code=code)


def swapped(model: SwapModel, taken: TakenIn) -> SwappedFace:
    """The donor's face in this face's pose and expression, as large as the donor's prior is, and the net's own mask.

    A preset without a prior has no mask output; it gets the original's outline, which no check of masks can fault.
    """
    face = taken.face
    if not model.preset.prior:
        made = _decoded(model, taken.code, "donor", _NO_PRIOR)
        return SwappedFace(crop_rgb=_pixels(made), mask=face.mask, hair=np.zeros_like(face.mask))
    donor, own = model.priors["donor"], model.priors["subject"]
    posed = donor.posed(moved_as(donor.neutral_xy, own.neutral_xy, shape_of(face)), swapped_px(donor))
    made = _decoded(model, taken.code, "donor", posed)
    hair = _where_it_is_now(taken.seen, face)
    return SwappedFace(crop_rgb=_pixels(made), mask=np.ascontiguousarray(made[3]), hair=hair)


def rebuilt(model: SwapModel, taken: TakenIn) -> Image:
    """The crop uint8 (S, S, 3) as the model knows the subject: what it has rarely seen on that face comes out wrong."""
    return _pixels(_decoded(model, taken.code, "subject", taken.seen))


def swap_face(model: SwapModel, face: AlignedFace) -> SwappedFace:
    """`swapped`, of a face that nothing else is asked of."""
    return swapped(model, take_in(model, face))


def rebuild_face(model: SwapModel, face: AlignedFace) -> Image:
    """`rebuilt`, of a face that nothing else is asked of."""
    return rebuilt(model, take_in(model, face))


def _where_it_is_now(seen: Float, face: AlignedFace) -> Float:
    """The prior's hair (S, S) where this frame shows its colour: a fringe may be pinned back, a hat taken off."""
    difference = np.abs(face.crop_rgb.astype(np.float32) / 255 - seen[..., :3]).mean(2)
    alike = cv2.GaussianBlur(difference, (0, 0), _HAIR_BLUR * difference.shape[0]) < _SAME_HAIR
    return np.ascontiguousarray(seen[..., HAIR] * alike)


def _decoded(model: SwapModel, code: Tensor, side: Side, posed: Float) -> Float:
    with torch.inference_mode():
        made = model.decode(code, side, _on_device(model, posed[..., :HAIR]))[0]
    return np.asarray(made.float().cpu().numpy())


def _on_device(model: SwapModel, image: Float | Image) -> Tensor:
    """The image (S, S, c) as a batch float32 (1, c, S, S)."""
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    return on_device(planes, next(model.parameters()).device).float()[None]


def _pixels(made: Float) -> Image:
    return np.ascontiguousarray((made[:3].transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8))


def save_model(model: SwapModel, stream: BinaryIO) -> None:
    """Writes weights and priors to a stream that encrypts."""
    priors = {side: _stored(prior) for side, prior in model.priors.items()}
    content = {"preset": model.preset.name, "state": model.state_dict(), "priors": priors}
    torch.save(content, stream)


def load_model(stream: BinaryIO, device: str) -> SwapModel:
    """Reads what `save_model` wrote."""
    content = torch.load(stream, map_location=device, weights_only=True)
    model = SwapModel(PRESETS[content["preset"]])
    model.load_state_dict(content["state"])
    model.set_priors({side: _restored(stored) for side, stored in content["priors"].items()})
    return model.to(device).eval().requires_grad_(False)


def _stored(prior: FacePrior) -> dict[str, Any]:
    """What `torch.load` gives back without unpickling code."""
    return {
        "texture": torch.from_numpy(prior.texture),
        "neutral_xy": torch.from_numpy(prior.neutral_xy),
        "margin": prior.margin,
        "open_mouth": None if prior.open_mouth is None else _stored(prior.open_mouth),
    }


def _restored(stored: dict[str, Any]) -> FacePrior:
    return FacePrior(
        texture=stored["texture"].cpu().numpy(),
        neutral_xy=stored["neutral_xy"].cpu().numpy(),
        margin=stored["margin"],
        open_mouth=None if stored["open_mouth"] is None else _restored(stored["open_mouth"]),
    )


def wipe_model(model: SwapModel) -> None:
    """Overwrites every weight, gradient and prior in memory with zeros."""
    for prior in model.priors.values():
        for array in prior.arrays():
            array.fill(0)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.zero_()
            if tensor.grad is not None:
                tensor.grad.zero_()


def prepare_runtime(device: str, threads: int | None = None) -> int:
    """Makes torch repeat bit for bit on a CPU, with so many threads where that is said; gives the number it uses.

    Threads share few heaps from here on, or a long video would take more and more memory.

    On CUDA convolutions keep single precision (training asks for bfloat16 itself): with TF32, which torch takes there
    otherwise, a descriptor would be further from dlib's than the audit allows.
    """
    few_heaps()
    if threads is not None:
        torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(device == "cpu")
    torch.backends.cudnn.allow_tf32 = False
    torch.set_flush_denormal(True)
    return torch.get_num_threads()
