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

from deid_audit.frames import AlignedFace, Float, Image
from deid_audit.swap.prior import HAIR, FacePrior, shape_of, turn_of

CROP_MARGIN = 1.25  # crops are stored a quarter wider, so that shifts and turns have pixels to take
_TURNS, _LEAST_IN_TURN = 7, 0.05  # groups of turns; one with fewer than that share of the faces counts as it
_WARP_SIGMA = 2 / 256
_TURN_DEGREES, _ZOOM, _SHIFT = 3.0, 0.015, 0.015


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaceSet:
    """One identity's crops on the device: uint8 (n, 9, M, M): red, green, blue, mask, attention, and the posed prior's
    red, green, blue, mask. `chances` (n,) say how often each is drawn."""

    planes: Tensor
    chances: Tensor

    def wipe(self) -> None:
        self.planes.zero_()


def face_set(faces: Sequence[AlignedFace], attention: Sequence[Float], prior: FacePrior, device: str) -> FaceSet:
    """Packs crops made with CROP_MARGIN, each with the prior in its own shape; `attention` are (M, M) in [0, 1].

    What the prior leaves out of the face (a donor's hair) is left out of each crop's mask.
    """
    size = faces[0].mask.shape[0]
    small = prior.resized(size)
    stacked = []
    for face, look in zip(faces, attention, strict=True):
        posed = small.posed(shape_of(face), size, margin=CROP_MARGIN)
        mask = np.minimum(face.mask, posed[..., 3])
        stacked.append(np.dstack((face.crop_rgb, *(_levels(each) for each in (mask, look, posed[..., :HAIR])))))
    small.texture.fill(0)  # a copy that nobody else would wipe
    planes = torch.from_numpy(np.stack(stacked).transpose(0, 3, 1, 2).copy())
    return FaceSet(planes=planes.to(device), chances=torch.from_numpy(even_chances(faces)).to(device))


def even_chances(faces: Sequence[AlignedFace]) -> Float:
    """How often to draw each face, so that every turn of the head is drawn alike often, up to a limit; (n,), sum 1.

    A clip shows a face from the front most of the time; what is seen seldom would be learnt last.
    """
    turns = np.array([turn_of(face) for face in faces])
    edges = np.linspace(turns.min(), turns.max() + 1e-9, _TURNS + 1)
    group = np.clip(np.digitize(turns, edges) - 1, 0, _TURNS - 1)
    chances = 1 / np.maximum(np.bincount(group, minlength=_TURNS), _LEAST_IN_TURN * len(faces))[group]
    return np.asarray(chances / chances.sum(), np.float32)


def _levels(shares: Float) -> Image:
    return (shares * 255 + 0.5).astype(np.uint8)


def _uniform(generator: Generator, count: int, reach: float) -> Tensor:
    return (torch.rand(count, generator=generator, device=generator.device) * 2 - 1) * reach


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Some faces of one side, all in [0, 1]: `images` (n, 3, S, S) for the encoder with the priors `seen` beside them,
    `targets` (n, 5, S, S), colour, mask and attention, with their `priors` (n, 4, S, S)."""

    images: Tensor
    seen: Tensor
    targets: Tensor
    priors: Tensor


def draw_batch(faces: FaceSet, count: int, size: int, *, strength: Tensor | None, generator: Generator) -> Batch:
    """A random batch: turn, zoom and shift move all planes; the 5x5 random warp, whose strength is a number in [0, 1]
    on the device, moves the input only; None for no warp.
    """
    device = faces.planes.device
    picked = torch.multinomial(faces.chances, count, replacement=True, generator=generator)
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
    if strength is None:
        return Batch(images=target[:, :3], seen=target[:, 5:], targets=target[:, :5], priors=target[:, 5:])
    nodes = torch.randn(count, 2, 5, 5, generator=generator, device=device) * (2 * _WARP_SIGMA * strength)
    bend = F.interpolate(nodes, size=(size, size), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    seen = torch.cat((planes[:, :3], planes[:, 5:]), 1)  # the image and its prior
    bent = F.grid_sample(seen, grid + bend / CROP_MARGIN, padding_mode="border", align_corners=False)
    gain = 1 + _uniform(generator, count, 0.08).view(-1, 1, 1, 1)
    images = (bent[:, :3] * gain).clamp(0, 1)
    return Batch(images=images, seen=bent[:, 3:], targets=target[:, :5], priors=target[:, 5:])
