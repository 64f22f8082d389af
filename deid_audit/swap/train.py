"""Trains the pair's model on crops in memory. A probe on held-out frames, handed in, says when it is done.

Also the donor's half alone, for a pack, before there is any subject: then nothing but the number of steps ends it.
Never sees the auditing recogniser in a loss. Nothing is written here; the caller decides where weights may live.
"""

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Generator, Tensor

from deid_audit.progress import Step
from deid_audit.swap.augment import FaceSet, draw_batch
from deid_audit.swap.convert import wipe_model
from deid_audit.swap.graphs import TRIAL_STEPS, StepGraphs
from deid_audit.swap.networks import Preset, Side, SwapModel
from deid_audit.swap.prior import FacePrior
from deid_audit.swap.reuse import Weights, is_reused, put_into

METHOD_TEXT = (
    "One model is trained for this pair: a shared encoder and a decoder for each of subject and donor, on face crops "
    "held in memory only, with masked L1, structural dissimilarity and weight on eyes, brows and mouth. Training "
    "stops when a probe on held-out frames holds twice, or when its number of steps is used up; the probe looks at "
    "the audit's descriptor distance, at expression and at sharpness, the loss looks at none of them."
)
PACKED_METHOD_TEXT = (
    "The shared encoder, without its bottleneck, and the donor's decoder began as a donor's pack holds them, trained "
    "on the donor alone, and learned on at a fifth of the rate; the bottleneck and the subject's decoder began afresh. "
    "The faces for the prior are those in the donor's own usual expression, which were put into the pack."
)
Faces = Mapping[Side, FaceSet]
Priors = Mapping[Side, FacePrior]
_WARP_FULL_UNTIL, _WARP_OFF_FROM = 0.7, 0.85
_STOP_NOT_BEFORE = 0.5
_WARM_UP_STEPS = 60
_PROBES = 6
_TRIAL_WARM_UP, _TRIAL_TIMED, _TRIAL_SHARE = 3, 10, 0.1
_REUSED_RATE = 0.2  # of the full rate: what is reused is adapted, not learned again


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReading:
    """What the held-out frames said at one step: numbers for the curve, and in words each floor that does not hold."""

    step: int
    values: dict[str, float]
    lacking: tuple[str, ...]
    text: str

    @property
    def holds(self) -> bool:
        """Whether every floor holds, with room."""
        return not self.lacking


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """The averaged model and how it came about; `planned_steps` repeats the run bit for bit on a CPU."""

    model: SwapModel
    steps: int
    planned_steps: int
    probe_every: int
    seconds: float
    readings: tuple[ProbeReading, ...]
    cuda_graphs: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainState:
    """All that decides how training goes on after `step` of `planned_steps`, beside faces, priors and preset.

    `model` and `average` are weights by name, `optimiser` is what torch's optimiser keeps, `generator` the state of
    the random numbers, uint8 (n,). As handed to a checkpoint these are training's own tensors, not copies.
    """

    model: dict[str, Tensor]
    average: dict[str, Tensor]
    optimiser: dict[str, Any]
    generator: Tensor
    step: int
    planned_steps: int
    seconds: float
    readings: tuple[ProbeReading, ...]

    def tensors(self) -> list[Tensor]:
        """Every tensor in it."""
        kept = [value for each in self.optimiser["state"].values() for value in each.values()]
        return [
            *self.model.values(),
            *self.average.values(),
            *(value for value in kept if isinstance(value, Tensor)),
            self.generator,
        ]

    def wipe(self) -> None:
        """Overwrites every tensor with zeros."""
        for tensor in self.tensors():
            tensor.zero_()


def _build(preset: Preset, priors: Priors, seed: int, device: str, start: Weights | None) -> SwapModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SwapModel(preset)
    if start is not None:
        put_into(model, start)
    model.to(device).set_priors(copy.deepcopy(dict(priors)))  # wiped with this model; the caller's stay
    return model


def _dissimilarity(first: Tensor, second: Tensor) -> Tensor:
    """1 - SSIM with 7x7 box windows (Wang et al. 2004; boxes, every second one, for speed), (n, c, S/2, S/2)."""

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 7, 2, 3, count_include_pad=False)

    mu1, mu2 = mean(first), mean(second)
    var1, var2 = mean(first * first) - mu1 * mu1, mean(second * second) - mu2 * mu2
    covariance = mean(first * second) - mu1 * mu2
    c1, c2 = 0.01**2, 0.03**2
    ssim = ((2 * mu1 * mu2 + c1) * (2 * covariance + c2)) / ((mu1 * mu1 + mu2 * mu2 + c1) * (var1 + var2 + c2))
    return (1 - ssim) / 2


def _loss(output: Tensor, target: Tensor, *, with_mask: bool) -> Tensor:
    """Masked L1 + DSSIM + gradient L1, eyes, brows and mouth counting threefold; the mask by squared error."""
    colour, mask, attention = target[:, :3], target[:, 3:4], target[:, 4:5]
    weight = mask * (1 + 2 * attention)
    total = weight.sum() * 3 + 1e-6
    made = output[:, :3]
    loss = (weight * (made - colour).abs()).sum() / total
    at_windows = weight[..., ::2, ::2]
    unlike = _dissimilarity(made * mask, colour * mask)
    loss = loss + (at_windows * unlike).sum() / (at_windows.sum() * 3 + 1e-6)
    for axis in (2, 3):
        edge = (made - colour).diff(dim=axis).abs() * weight.narrow(axis, 1, weight.shape[axis] - 1)
        loss = loss + 0.1 * edge.sum() / total
    return loss + F.mse_loss(output[:, 3:4], mask) if with_mask else loss


def learning_rate_share(step: int, steps: int) -> float:
    """One cycle: linear warm-up, then a cosine from 1 down to 0.02."""
    warm_up = min(_WARM_UP_STEPS, max(1, steps // 10))
    if step < warm_up:
        return (step + 1) / warm_up
    share = (step - warm_up) / max(1, steps - warm_up)
    return 0.02 + 0.98 * (1 + math.cos(math.pi * share)) / 2


def _warp_strength(share: float) -> float:
    return min(1.0, max(0.0, (_WARP_OFF_FROM - share) / (_WARP_OFF_FROM - _WARP_FULL_UNTIL)))


def _groups(model: SwapModel, preset: Preset, *, reuses: bool) -> list[dict[str, Any]]:
    """The optimiser's groups, each with the rate that it has at the top of the cycle."""
    own = [weights for name, weights in model.named_parameters() if not (reuses and is_reused(name))]
    groups: list[dict[str, Any]] = [{"params": own, "peak": preset.peak_rate}]
    if reuses:
        reused = [weights for name, weights in model.named_parameters() if is_reused(name)]
        groups.append({"params": reused, "peak": preset.peak_rate * _REUSED_RATE})
    return groups


class Trainer:
    """The model, its average and the optimiser, one step at a time; what a recipe can differ in are methods."""

    def __init__(
        self,
        preset: Preset,
        faces: Faces,
        priors: Priors,
        seed: int,
        device: str,
        start: Weights | None = None,
    ):
        self.preset, self.faces = preset, faces
        self.model = _build(preset, priors, seed, device, start)
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.generator = Generator(device=device).manual_seed(seed + 1)
        if device.startswith("cuda"):  # on a CPU it made steps slower
            self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        groups = _groups(self.model, preset, reuses=start is not None)
        self.on_cuda = device.startswith("cuda")
        self.optimiser = torch.optim.AdamW(
            groups, lr=preset.peak_rate, betas=(0.9, 0.99), weight_decay=0, fused=self.on_cuda, capturable=self.on_cuda
        )
        # what changes from step to step, where a recorded step looks for it
        self._strength, self._new_share = torch.zeros((), device=device), torch.zeros((), device=device)
        self.graphs = None
        if self.on_cuda:
            self.graphs = StepGraphs(self._work, self.generator)
            for group in self.optimiser.param_groups:
                group["lr"] = torch.zeros((), device=device)

    def step(self, number: int, steps: int) -> None:
        """Step `number` of `steps`."""
        strength = self.warp_strength(number / steps)
        self._strength.fill_(strength)
        self._new_share.fill_(1 - self.average_decay(number))
        for group in self.optimiser.param_groups:
            rate = group["peak"] * self.rate_share(number, steps)
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        run = self._work if self.graphs is None else self.graphs.run
        run(strength > 0)

    def _work(self, warps: bool) -> None:
        preset, strength = self.preset, self._strength if warps else None
        drawn = {
            side: draw_batch(faces, preset.batch, preset.size, strength=strength, generator=self.generator)
            for side, faces in self.faces.items()
        }
        images, seen, priors = (
            {side: getattr(batch, of) for side, batch in drawn.items()} for of in ("images", "seen", "priors")
        )
        with torch.autocast("cuda", torch.bfloat16, enabled=self.on_cuda, cache_enabled=False):
            made = self.model(images, seen, priors)
        losses = [self.loss(made[side].float(), drawn[side].targets) for side in drawn]
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.model.parameters(), strict=True):
                kept.lerp_(new, self._new_share)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Of one side's results (n, 4, S, S) against (n, 5, S, S)."""
        return _loss(output, target, with_mask=self.preset.prior)

    def warp_strength(self, share: float) -> float:
        """After this share of the steps."""
        return _warp_strength(share)

    def rate_share(self, number: int, steps: int) -> float:
        """The learning rate over its peak."""
        return learning_rate_share(number, steps)

    def average_decay(self, number: int) -> float:
        """How much of the averaged weights stays."""
        return min(0.999, (1 + number) / (10 + number))

    def state(self, step: int, planned_steps: int, seconds: float, readings: Sequence[ProbeReading]) -> TrainState:
        """After `step` steps; good until the next one."""
        return TrainState(
            model=self.model.state_dict(),
            average=self.average.state_dict(),
            optimiser=self.optimiser.state_dict(),
            generator=self.generator.get_state(),
            step=step,
            planned_steps=planned_steps,
            seconds=seconds,
            readings=tuple(readings),
        )

    def restore(self, state: TrainState) -> None:
        """Takes over weights, average, optimiser and random numbers, and wipes what it took them from."""
        self.model.load_state_dict(state.model)
        self.average.load_state_dict(state.average)
        # torch keeps the tensors that it is given here: a copy, which `wipe` reaches
        rates = [group["lr"] for group in self.optimiser.param_groups]
        self.optimiser.load_state_dict(copy.deepcopy(state.optimiser))
        for group, rate in zip(self.optimiser.param_groups, rates, strict=True):
            group["lr"] = rate  # filled anew in every step, where a recorded one looks for it
        self.generator.set_state(state.generator)
        state.wipe()

    def wipe(self) -> None:
        """Overwrites the running weights and the optimiser's state; the averaged model is the caller's."""
        wipe_model(self.model)
        for state in self.optimiser.state.values():
            for value in state.values():
                if isinstance(value, Tensor):
                    value.zero_()
        if self.graphs is not None:
            self.graphs.drop()


def steps_for(seconds: float, preset: Preset, faces: Faces, device: str) -> int:
    """How many steps fit into `seconds`, at least one: by timing up to ten steps of a throw-away model.

    The first steps warm up, fewer where a step takes more than a tenth of the budget: then the last one is the measure.
    """
    trial = Trainer(preset, faces, {}, 0, device)
    warm_up = _TRIAL_WARM_UP if trial.graphs is None else TRIAL_STEPS
    taken: list[float] = []
    for _ in range(warm_up + _TRIAL_TIMED):
        started = time.perf_counter()
        trial.step(0, 1)
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - started)
        if sum(taken) > _TRIAL_SHARE * seconds:
            break
    trial.wipe()
    wipe_model(trial.average)
    warm = taken[warm_up:] or taken[-1:]
    return max(1, round(seconds * len(warm) / sum(warm)))


def _good_enough(readings: Sequence[ProbeReading], done: int, steps: int) -> bool:
    """Whether the probe has just held for the second time in a row, in the second half."""
    just_held = len(readings) > 1 and readings[-1].step == done and readings[-1].holds and readings[-2].holds
    return just_held and done >= _STOP_NOT_BEFORE * steps


def train(
    preset: Preset,
    faces: Faces,
    priors: Priors,
    *,
    steps: int,
    seed: int,
    device: str,
    probe: Callable[[SwapModel, int], ProbeReading],
    step: Step,
    start: Weights | None = None,
    checkpoint: Callable[[TrainState], None] | None = None,
    resume: TrainState | None = None,
) -> Trained:
    """At most `steps` steps; stops when the probe holds twice in a row in the second half.

    `start` are the weights of a donor's pack, which then learn at a fifth of the rate. `checkpoint` is called after
    each probe. `resume` is what it was once given with all else alike: training goes on from there, bit for bit as if
    it had never stopped on a CPU, and the state is wiped.
    """
    torch.set_flush_denormal(True)
    trainer = Trainer(preset, faces, priors, seed, device, start)
    probe_every = max(1, steps // _PROBES)
    readings: list[ProbeReading] = []
    started = time.perf_counter()
    done = 0
    try:
        if resume is not None:
            done, readings, started = resume.step, list(resume.readings), started - resume.seconds
            trainer.restore(resume)
            step.advance(done)
        while done < steps and not _good_enough(readings, done, steps):
            trainer.step(done, steps)
            done += 1
            step.advance()
            if done % probe_every == 0 or done == steps:
                readings.append(probe(trainer.average, done))
                step.note(readings[-1].text)
                if checkpoint is not None:
                    checkpoint(trainer.state(done, steps, time.perf_counter() - started, readings))
    except BaseException:
        wipe_model(trainer.average)
        raise
    finally:
        trainer.wipe()
    return Trained(
        model=trainer.average,
        steps=done,
        planned_steps=steps,
        probe_every=probe_every,
        seconds=time.perf_counter() - started,
        readings=tuple(readings),
        cuda_graphs=trainer.graphs is not None and trainer.graphs.pays is True,
    )


def train_donor(
    preset: Preset,
    donor: FaceSet,
    *,
    steps: int,
    seed: int,
    device: str,
    step: Step,
) -> SwapModel:
    """Encoder and donor's decoder after `steps` steps on the donor alone; the subject's decoder is untrained."""
    torch.set_flush_denormal(True)
    trainer = Trainer(preset, {"donor": donor}, {}, seed, device)
    for number in range(steps):
        trainer.step(number, steps)
        step.advance()
    return trainer.average
