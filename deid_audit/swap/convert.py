"""Turns an aligned crop of the subject into the donor's face, and saves or loads the model as a stream."""

from typing import BinaryIO

import numpy as np
import torch

from deid_audit.errors import StageError
from deid_audit.frames import AlignedFace, Float, Image, SwappedFace
from deid_audit.swap.networks import PRESETS, Side, SwapModel


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


def swap_face(model: SwapModel, face: AlignedFace) -> SwappedFace:
    """The donor's face in this face's pose and expression, and the net's own mask of it.

    A preset without a prior has no mask output; it gets the original's outline, which no check of masks can fault.
    """
    made = _decoded(model, face, "donor")
    mask = np.ascontiguousarray(made[3]) if model.preset.prior else face.mask
    return SwappedFace(crop_rgb=_pixels(made), mask=mask)


def rebuild_face(model: SwapModel, face: AlignedFace) -> Image:
    """The crop uint8 (S, S, 3) as the model knows the subject: what it has rarely seen on that face comes out wrong."""
    return _pixels(_decoded(model, face, "subject"))


def _decoded(model: SwapModel, face: AlignedFace, side: Side) -> Float:
    device = next(model.parameters()).device
    pixels = torch.from_numpy(face.crop_rgb.transpose(2, 0, 1).copy()).to(device).float()[None] / 255
    with torch.inference_mode():
        made = model.decode(model.encoder(pixels), side)[0]
    return np.asarray(made.float().cpu().numpy())


def _pixels(made: Float) -> Image:
    return np.ascontiguousarray((made[:3].transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8))


def save_model(model: SwapModel, stream: BinaryIO) -> None:
    """Writes weights and priors to a stream that encrypts."""
    torch.save({"preset": model.preset.name, "state": model.state_dict()}, stream)


def load_model(stream: BinaryIO, device: str) -> SwapModel:
    """Reads what `save_model` wrote."""
    content = torch.load(stream, map_location=device, weights_only=True)
    model = SwapModel(PRESETS[content["preset"]])
    model.load_state_dict(content["state"])
    return model.to(device).eval().requires_grad_(False)


def wipe_model(model: SwapModel) -> None:
    """Overwrites every weight, gradient and prior in memory with zeros."""
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.zero_()
            if tensor.grad is not None:
                tensor.grad.zero_()


def prepare_runtime(device: str) -> int:
    """Makes torch repeat bit for bit on a CPU and gives the number of threads it uses."""
    torch.use_deterministic_algorithms(device == "cpu")
    torch.set_flush_denormal(True)
    return torch.get_num_threads()
