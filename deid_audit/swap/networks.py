"""The model family: one shared encoder, two decoders (subject, donor), in five sizes.

`original64` is the paper's model (faceswap 'original'): no prior, no mask. The others add to a prior: the output is
sigmoid(logit(mean face of that identity, posed as the frame's landmarks say) + net) with a zero-initialised last layer,
so that at step 0 the donor's decoder already gives the donor's face in the frame's pose.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from deid_audit.swap.prior import FacePrior

Side = Literal["subject", "donor"]
SIDES: tuple[Side, Side] = ("subject", "donor")
_PRIOR_EDGE = 0.02  # a prior is kept that far from 0 and 1, where a logit has no end
_SLOPE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One size: crop px, channels of the encoder's stages, the code, the decoder's stages, and how it is trained."""

    name: str
    size: int
    encoder: tuple[int, ...]
    code: int
    seed_channels: int  # channels of the 4x4 map the code is unfolded to
    decoder: tuple[int, ...]
    shared_up: int | None = None  # up-sampling stage before the decoders split
    kernel: int = 3
    residual: bool = False
    prior: bool = True
    batch: int = 16  # faces of each side in a step
    peak_rate: float = 1e-3


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            name="micro64", size=64, peak_rate=2.5e-3,
            encoder=(64, 128, 256), code=128, seed_channels=128, shared_up=128, decoder=(64, 32),
        ),
        Preset(
            name="lite64", size=64,
            encoder=(64, 128, 256), code=256, seed_channels=256, shared_up=256, decoder=(128, 64), peak_rate=5e-4,
        ),
        Preset(
            name="original64", size=64, kernel=5, prior=False, peak_rate=5e-5,
            encoder=(128, 256, 512, 1024), code=1024, seed_channels=1024, shared_up=512, decoder=(256, 128, 64),
        ),
        Preset(
            name="hq128", size=128, residual=True, batch=32, peak_rate=2e-4,
            encoder=(64, 128, 256, 512, 512), code=256, seed_channels=512, decoder=(512, 512, 256, 128),
        ),
        Preset(
            name="hq256", size=256, residual=True, batch=16, peak_rate=2e-4,
            encoder=(48, 96, 192, 384, 384, 384), code=512, seed_channels=384, decoder=(256, 256, 256, 128, 64),
        ),
    )
}  # fmt: skip


def _same_conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
    nn.init.kaiming_uniform_(layer.weight, a=_SLOPE)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


class _Up(nn.Module):
    """Convolution to four times the channels, activation, pixel shuffle; optionally a residual pair after it."""

    def __init__(self, inputs: int, outputs: int, *, residual: bool) -> None:
        super().__init__()
        self.widen = _same_conv(inputs, outputs * 4, 3)
        self.refine = None
        if residual:
            self.refine = nn.Sequential(
                _same_conv(outputs, outputs, 3), nn.LeakyReLU(_SLOPE), _same_conv(outputs, outputs, 3)
            )

    def forward(self, x: Tensor) -> Tensor:
        x = F.pixel_shuffle(F.leaky_relu(self.widen(x), _SLOPE), 2)
        return x if self.refine is None else F.leaky_relu(x + self.refine(x), _SLOPE)


class _Encoder(nn.Module):
    """Images (n, 3, S, S) in [0, 1] to a shared code map."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.unshuffle = preset.prior and preset.size == 64
        channels = 12 if self.unshuffle else 3
        stages: list[nn.Module] = []
        for position, outputs in enumerate(preset.encoder):
            kernel = preset.kernel if preset.kernel == 5 or not preset.residual or position else 5
            stages += [_same_conv(channels, outputs, kernel, 2), nn.LeakyReLU(_SLOPE)]
            channels = outputs
        self.stages = nn.Sequential(*stages)
        side = preset.size // 2 ** (len(preset.encoder) + int(self.unshuffle))
        self.fold = nn.Linear(channels * side * side, preset.code)
        self.unfold = nn.Linear(preset.code, preset.seed_channels * 16)
        self.normalise = preset.prior
        self.up = _Up(preset.seed_channels, preset.shared_up, residual=False) if preset.shared_up else None

    def forward(self, x: Tensor) -> Tensor:
        flat = self.stages(F.pixel_unshuffle(x, 2) if self.unshuffle else x).flatten(1)
        if self.normalise:
            flat = flat * torch.rsqrt(flat.square().mean(1, keepdim=True) + 1e-6)
        seed = self.unfold(self.fold(flat)).unflatten(1, (-1, 4, 4))
        return seed if self.up is None else self.up(seed)  # type: ignore[no-any-return]


class _Decoder(nn.Module):
    """Code map to logits (n, 4, S, S): red, green, blue, mask (three channels without a prior)."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        channels = preset.shared_up or preset.seed_channels
        stages: list[nn.Module] = []
        for outputs in preset.decoder:
            stages.append(_Up(channels, outputs, residual=preset.residual))
            channels = outputs
        self.stages = nn.Sequential(*stages)
        # with a prior the last layer runs at half size and gives four sub-pixels of colour and mask
        self.last = _same_conv(channels, 16, 3) if preset.prior else _same_conv(channels, 3, 5)
        if preset.prior:
            nn.init.zeros_(self.last.weight)
        self.shuffle = preset.prior

    def forward(self, code: Tensor) -> Tensor:
        logits = self.last(self.stages(code))
        return F.pixel_shuffle(logits, 2) if self.shuffle else logits


class SwapModel(nn.Module):
    """Shared encoder, one decoder an identity, and each one's mean face, which whoever wipes the model wipes too."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.preset = preset
        self.encoder = _Encoder(preset)
        self.decoders = nn.ModuleDict({"subject": _Decoder(preset), "donor": _Decoder(preset)})
        self.priors: dict[Side, FacePrior] = {}

    def set_priors(self, priors: Mapping[Side, FacePrior]) -> None:
        """The mean faces that every swap poses, in memory of the host; those of the two may have different sizes."""
        self.priors = dict(priors)

    def encode(self, images: Tensor, priors: Tensor) -> Tensor:
        """Code maps of images (n, 3, S, S) in [0, 1] beside the same identity's posed priors (n, 4, S, S).

        The encoder sees what the prior does not explain (teeth, gaze, light), which differs less between two people
        than their faces do: given the faces, the donor's decoder takes back the movement that the prior made.
        """
        return self.encoder(images - priors[:, :3] if self.preset.prior else images)  # type: ignore[no-any-return]

    def decode(self, code: Tensor, side: Side, prior: Tensor) -> Tensor:
        """Colour and mask (n, 4, P, P) in [0, 1] for posed priors (n, 4, P, P); without a prior the mask is 1.

        A prior larger than the net keeps its fine detail: what the net adds is made as large.
        """
        logits = self.decoders[side](code)
        if not self.preset.prior:
            return torch.cat((torch.sigmoid(logits), torch.ones_like(logits[:, :1])), 1)
        if logits.shape[-1] != prior.shape[-1]:
            logits = F.interpolate(logits, size=prior.shape[-2:], mode="bicubic", align_corners=False)
        return torch.sigmoid(logits + torch.logit(prior, eps=_PRIOR_EDGE))

    def forward(
        self, images: Mapping[Side, Tensor], seen: Mapping[Side, Tensor], priors: Mapping[Side, Tensor]
    ) -> dict[Side, Tensor]:
        """Each side's reconstruction of its own faces; the encoder sees all of them as one batch.

        `seen` are the priors as the (warped) images' shapes ask for, `priors` those of the result.
        """
        batch = torch.cat(tuple(images.values())), torch.cat(tuple(seen[side] for side in images))
        codes = torch.split(self.encode(*batch), [len(faces) for faces in images.values()])
        return {side: self.decode(code, side, priors[side]) for side, code in zip(images, codes, strict=True)}
