"""The recipes that the swap is compared with, as variants of the trainer that a run uses."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from deid_audit.frames import Float
from deid_audit.progress import SilentProgress
from deid_audit.render.blend import SOLID, WIDER, Blend, paste
from deid_audit.swap.networks import PRESETS, Preset
from deid_audit.swap.prior import FacePrior
from deid_audit.swap.reuse import weights_of
from deid_audit.swap.train import Faces, Priors, Trainer, train_donor
from deid_audit.swap.warping import Points


class GreyPrior(FacePrior):
    """No prior: grey everywhere, so that the network makes the whole face."""

    def posed(self, shape_xy: Points, size: int, *, margin: float = 1.0) -> Float:
        posed = super().posed(shape_xy, size, margin=margin)
        posed[..., :4] = 0.5
        return posed


class StillPrior(FacePrior):
    """The mean face of the donor as it is, in no pose: what this tool did before."""

    def posed(self, shape_xy: Points, size: int, *, margin: float = 1.0) -> Float:
        return super().posed(self.neutral_xy, size, margin=margin)


def priors_as(kind: type[FacePrior], priors: Priors) -> Priors:
    """The same mean faces, posed in another way; the texture no finer than what a network of 64 px makes."""
    return {
        side: kind(texture=prior.resized(80).texture, neutral_xy=prior.neutral_xy, margin=prior.margin)
        for side, prior in priors.items()
    }


class PlainTrainer(Trainer):
    """Mean absolute error over the crop, Adam at one rate, no average of the weights, warped inputs to the end."""

    rate, betas = 2e-4, (0.9, 0.999)

    def __init__(self, preset: Preset, faces: Faces, priors: Priors, seed: int, device: str) -> None:
        super().__init__(preset, faces, priors, seed, device)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=self.rate, betas=self.betas)
        for group in self.optimiser.param_groups:
            group["peak"] = self.rate

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output[:, :3] - target[:, :3]).abs().mean() + (output[:, 3:] - target[:, 3:4]).abs().mean()

    def warp_strength(self, share: float) -> float:
        return 1.0

    def rate_share(self, number: int, steps: int) -> float:
        return 1.0

    def average_decay(self, number: int) -> float:
        return 0.0


class PaperTrainer(PlainTrainer):
    """The paper's: Adam 5e-5, beta1 0.5, as its software had it; the mask is no part of it."""

    rate, betas = 5e-5, (0.5, 0.999)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output[:, :3] - target[:, :3]).abs().mean()


PAPER = replace(PRESETS["original64"], batch=64)


def changed(**methods: Any) -> type[Trainer]:
    """Our trainer with some of its methods replaced."""
    return type("Changed", (Trainer,), methods)


def begun_with_packs(donor: Faces, preset: Preset, steps: int, seed: int) -> dict[str, type[Trainer]]:
    """Our trainer as it begins with a donor's pack of `steps` steps, and the same with the pack's bottleneck, too."""
    with SilentProgress().step("", steps) as step:
        made = train_donor(preset, donor["donor"], steps=steps, seed=seed, device="cpu", step=step)
    start = weights_of(made)
    bottleneck = {
        name: own for name, own in made.named_parameters() if name.startswith(("encoder.fold.", "encoder.unfold."))
    }

    class Packed(Trainer):
        def __init__(self, preset: Preset, faces: Faces, priors: Priors, seed: int, device: str) -> None:
            super().__init__(preset, faces, priors, seed, device, start)

    class Kept(Packed):
        def __init__(self, preset: Preset, faces: Faces, priors: Priors, seed: int, device: str) -> None:
            super().__init__(preset, faces, priors, seed, device)
            for model in (self.model, self.average):
                model.load_state_dict(bottleneck, strict=False)

    return {"a donor's pack": Packed, "a pack, its bottleneck kept": Kept}


BLENDS: Sequence[tuple[str, Blend]] = (
    ("pasted up to 0.75 of the outline", Blend(grow=0.75)),
    ("pasted up to 0.9 of the outline", Blend(grow=0.9)),
    ("the wider mask", WIDER),
    ("the wider mask, hard", SOLID),
)


@contextmanager
def pasted_with(blend: Blend) -> Iterator[None]:
    """The probe pastes under another mask meanwhile."""
    with patch("deid_audit.pipeline.probe.paste", partial(paste, blend=blend)):
        yield


def bytes_of(trainer: Trainer) -> int:
    """Weights, their average, gradients and the optimiser's state."""
    own = sum(weights.nbytes for weights in trainer.model.parameters())
    state = (value for values in trainer.optimiser.state.values() for value in values.values())
    return 3 * own + sum(value.nbytes for value in state if isinstance(value, Tensor))
