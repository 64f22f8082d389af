"""What a donor's pack carries of a model from run to run: the encoder without its bottleneck, the donor's decoder.

The bottleneck starts afresh in every run: kept, it would hold on to the faces it was trained on (what DeepFaceLab does
when pretraining ends). Nothing here knows the pack's file.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from deid_audit.swap.networks import PRESETS, SwapModel

Weights = Mapping[str, NDArray[np.float32]]
_REUSED = ("encoder.stages.", "encoder.up.", "decoders.donor.")


def is_reused(name: str) -> bool:
    """Whether the weight of this name comes with a pack.

    >>> is_reused("encoder.stages.0.weight"), is_reused("encoder.fold.weight"), is_reused("decoders.subject.last.bias")
    (True, False, False)
    """
    return name.startswith(_REUSED)


def weights_of(model: SwapModel) -> dict[str, NDArray[np.float32]]:
    """A copy of what a pack carries, by name."""
    named = model.named_parameters()
    return {name: weights.detach().cpu().numpy().copy() for name, weights in named if is_reused(name)}


def shapes_of(preset: str) -> dict[str, tuple[int, ...]]:
    """The shape of everything a pack of this preset must carry, by name."""
    with torch.device("meta"):
        model = SwapModel(PRESETS[preset])
    return {name: tuple(weights.shape) for name, weights in model.named_parameters() if is_reused(name)}


def put_into(model: SwapModel, weights: Weights) -> None:
    """Overwrites a new model's reused part; all of `shapes_of` must be there."""
    with torch.no_grad():
        for name, own in model.named_parameters():
            if is_reused(name):
                own.copy_(torch.from_numpy(weights[name]))
