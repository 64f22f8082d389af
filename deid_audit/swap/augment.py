"""Training faces that live on the device, and their augmentation in one batched grid_sample.

Nothing is mirrored: the subject's laterality is diagnostic, and a mirrored donor is less like the donor (measured:
its descriptor moves 0.03 towards other people). Turns, zooms and shifts are small, since every crop is aligned when
it is swapped: larger ones cost the eyes five times the steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Generator, Tensor

from deid_audit.frames import AlignedFace, Float

CROP_MARGIN = 1.25  # crops are stored a quarter wider, so that shifts and turns have pixels to take
_WARP_SIGMA = 2 / 256
_TURN_DEGREES, _ZOOM, _SHIFT = 3.0, 0.015, 0.015


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaceSet:
    """One identity's crops on the device: uint8 (n, 5, M, M): red, green, blue, mask, attention."""

    planes: Tensor

    def wipe(self) -> None:
        self.planes.zero_()


def face_set(faces: Sequence[AlignedFace], attention: Sequence[Float], device: str) -> FaceSet:
    """Packs crops made with CROP_MARGIN; `attention` are float32 (M, M) maps in [0, 1]."""
    stacked = [
        np.dstack((face.crop_rgb, (face.mask * 255).astype(np.uint8), (look * 255).astype(np.uint8)))
        for face, look in zip(faces, attention, strict=True)
    ]
    return FaceSet(planes=torch.from_numpy(np.stack(stacked).transpose(0, 3, 1, 2).copy()).to(device))


def _uniform(generator: Generator, count: int, reach: float) -> Tensor:
    return (torch.rand(count, generator=generator, device=generator.device) * 2 - 1) * reach


def plain_batch(faces: FaceSet, size: int) -> Tensor:
    """All faces of a set without augmentation, float32 (n, 5, S, S) in [0, 1]."""
    theta = torch.eye(2, 3, device=faces.planes.device).repeat(len(faces.planes), 1, 1) / CROP_MARGIN
    grid = F.affine_grid(theta, [len(faces.planes), 1, size, size], align_corners=False)
    return F.grid_sample(faces.planes.float() / 255, grid, padding_mode="border", align_corners=False)


def draw_batch(faces: FaceSet, count: int, size: int, *, warp: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """A random batch: warped inputs (count, 3, S, S) and targets (count, 5, S, S), both in [0, 1].

    Turn, zoom and shift move both; the 5x5 random warp, whose strength is `warp` in [0, 1], moves the input only.
    """
    device = faces.planes.device
    picked = torch.randint(len(faces.planes), (count,), generator=generator, device=device)
    planes = faces.planes[picked].float() / 255
    angle = torch.deg2rad(_uniform(generator, count, _TURN_DEGREES))
    zoom = (1 + _uniform(generator, count, _ZOOM)) / CROP_MARGIN
    theta = torch.stack(
        (
            torch.stack((angle.cos() * zoom, -angle.sin() * zoom, _uniform(generator, count, _SHIFT)), 1),
            torch.stack((angle.sin() * zoom, angle.cos() * zoom, _uniform(generator, count, _SHIFT)), 1),
        ),
        1,
    )
    grid = F.affine_grid(theta, [count, 1, size, size], align_corners=False)
    target = F.grid_sample(planes, grid, padding_mode="border", align_corners=False)
    if warp <= 0:
        return target[:, :3], target
    nodes = torch.randn(count, 2, 5, 5, generator=generator, device=device) * (2 * _WARP_SIGMA * warp)
    bend = F.interpolate(nodes, size=(size, size), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    bent = F.grid_sample(planes[:, :3], grid + bend / CROP_MARGIN, padding_mode="border", align_corners=False)
    gain = 1 + _uniform(generator, count, 0.08).view(-1, 1, 1, 1)
    return (bent * gain).clamp(0, 1), target
