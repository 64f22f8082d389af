"""Builders for the tests of the swap: crops of the portraits, a small preset, a probe that follows a script."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from deid_audit.faces.align import align, apply, attention_map
from deid_audit.frames import AlignedFace
from deid_audit.swap.augment import CROP_MARGIN, FaceSet, face_set
from deid_audit.swap.networks import PRESETS, SwapModel
from deid_audit.swap.prior import FacePrior, make_prior
from deid_audit.swap.train import ProbeReading
from tests.conftest import Portrait

MICRO = replace(PRESETS["micro64"], batch=4)
TINY = replace(
    MICRO, name="tiny", batch=2, encoder=(4, 4, 4), code=8, seed_channels=8, shared_up=8, decoder=(8, 8)
)  # fmt: skip
# the paper's architecture with few channels
TINY_PAPER = replace(
    PRESETS["original64"], name="tiny paper", batch=2,
    encoder=(4, 4, 8, 8), code=8, seed_channels=8, shared_up=8, decoder=(8, 8, 8),
)  # fmt: skip


def crops_of(person: Portrait, count: int, *, size: int = round(64 * CROP_MARGIN)) -> list[AlignedFace]:
    """`count` crops of one portrait, each moved a little and lit a little differently."""
    faces = []
    for number in range(count):
        moved = person.shifted(2 * number, -number)
        lit = np.clip(moved.image_rgb * (0.85 + 0.04 * number), 0, 255).astype(np.uint8)
        points = moved.landmarks_xy + np.float32((number % 3, -number % 2))
        faces.append(align(number, lit, points, size, margin=CROP_MARGIN))
    return faces


def prior_of(person: Portrait, count: int = 8) -> FacePrior:
    """The mean of the same crops."""
    return make_prior(crops_of(person, count), np.ones(count), margin=CROP_MARGIN)


def face_set_of(person: Portrait, count: int = 8) -> FaceSet:
    faces = crops_of(person, count)
    points = [apply(face.frame_to_crop, person.landmarks_xy) for face in faces]
    looks = [attention_map(each, face.crop_rgb.shape[0]) for each, face in zip(points, faces, strict=True)]
    return face_set(faces, looks, prior_of(person, count), "cpu")


def plain_batch(faces: FaceSet, size: int) -> Tensor:
    """All faces of a set without augmentation, float32 (n, 9, S, S) in [0, 1]."""
    theta = torch.eye(2, 3).repeat(len(faces.planes), 1, 1) / CROP_MARGIN
    grid = F.affine_grid(theta, [len(faces.planes), 1, size, size], align_corners=False)
    return F.grid_sample(faces.planes.float() / 255, grid, padding_mode="border", align_corners=False)


def probe_of(holds: Callable[[int], bool] | Sequence[int] = ()) -> Callable[[SwapModel, int], ProbeReading]:
    """A probe that holds at the steps that `holds` names."""

    def probe(model: SwapModel, step: int) -> ProbeReading:
        held = holds(step) if callable(holds) else step in holds
        return ProbeReading(
            step=step, values={"step": float(step)}, lacking=() if held else ("a made floor",), text=f"step {step}"
        )

    return probe
