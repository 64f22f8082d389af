"""Training on a few crops: it learns, it repeats, it stops when the probe says so."""

import ast
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

import deid_audit.swap
from deid_audit.progress import SilentProgress
from deid_audit.swap import train as training
from deid_audit.swap.augment import Batch, FaceSet, draw_batch
from deid_audit.swap.networks import SIDES, Preset, SwapModel
from deid_audit.swap.train import Faces, Priors, ProbeReading, Trained, learning_rate_share, steps_for, train
from tests.unit.swap_faces import MICRO, TINY, TINY_PAPER, plain_batch, probe_of

pytestmark = pytest.mark.usefixtures("one_thread")
Probe = Callable[[SwapModel, int], ProbeReading]


@pytest.fixture(autouse=True)
def _ten_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules are tested at fixed numbers, whatever the tuned ones are."""
    monkeypatch.setattr(training, "_PROBES", 10)
    monkeypatch.setattr(training, "_STOP_NOT_BEFORE", 0.5)


def _train(
    pair: Faces,
    steps: int,
    *,
    preset: Preset = TINY,
    seed: int = 0,
    priors: Priors | None = None,
    probe: Probe | None = None,
) -> Trained:
    """Training itself uses the priors that lie beside the faces; those of the model are for whoever swaps with it."""
    with SilentProgress().step("", steps) as step:
        return train(
            preset, pair, priors or {}, steps=steps, seed=seed, device="cpu", probe=probe or probe_of(), step=step
        )


def _error(model: SwapModel, pair: Faces) -> float:
    """Mean absolute error inside the face, over both sides' own faces."""
    errors = []
    for side, faces in pair.items():
        plain = plain_batch(faces, model.preset.size)
        with torch.inference_mode():
            made = model.decode(model.encode(plain[:, :3], plain[:, 5:]), side, plain[:, 5:])
        errors.append(float(((made[:, :3] - plain[:, :3]).abs() * plain[:, 3:4]).mean()))
    return sum(errors) / 2


def test_training_tells_faces_apart_that_the_mean_face_does_not(pair: Faces) -> None:
    # each side holds both portraits beside the mean face of one of them, which does not fit the other
    first, second = (pair[side].planes for side in SIDES)
    mixed: Faces = {
        side: FaceSet(planes=torch.cat((own[:4], torch.cat((other[4:, :5], own[4:, 5:]), 1))), chances=torch.ones(8))
        for side, own, other in zip(SIDES, (first, second), (second, first), strict=True)
    }
    before, after = (_error(_train(mixed, steps, preset=MICRO).model, mixed) for steps in (0, 50))
    assert after < 0.8 * before


def test_the_papers_model_learns_without_a_prior(pair: Faces) -> None:
    preset = replace(TINY_PAPER, peak_rate=5e-3)
    before, after = (_error(_train(pair, steps, preset=preset).model, pair) for steps in (0, 60))
    assert after < 0.9 * before


def test_the_same_seed_and_steps_repeat_bit_for_bit(pair: Faces) -> None:
    first, again, other = (_train(pair, 4, preset=MICRO, seed=seed) for seed in (5, 5, 6))
    states = [trained.model.state_dict() for trained in (first, again, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_the_seed_also_makes_the_first_weights(pair: Faces) -> None:
    first, other = (_train(pair, 0, seed=seed).model.state_dict() for seed in (5, 6))
    assert not torch.equal(first["encoder.fold.weight"], other["encoder.fold.weight"])


def test_before_the_first_step_the_donor_is_their_mean_face_posed(pair: Faces) -> None:
    plain, model = plain_batch(pair["donor"], 64), _train(pair, 0).model
    with torch.inference_mode():
        made = model.decode(model.encode(torch.rand(8, 3, 64, 64), plain[:, 5:]), "donor", plain[:, 5:])
    assert (made - plain[:, 5:].clamp(0.02, 0.98)).abs().max() < 1 / 255


def test_the_model_has_mean_faces_of_its_own(pair: Faces, priors: Priors) -> None:
    """It wipes them when it is wiped; the caller's are the vault's."""
    before = {side: [array.copy() for array in prior.arrays()] for side, prior in priors.items()}
    model = _train(pair, 1, priors=priors).model
    assert model.priors.keys() == priors.keys()
    for side, prior in model.priors.items():
        for own, given, was in zip(prior.arrays(), priors[side].arrays(), before[side], strict=True):
            np.testing.assert_array_equal(own, was)
            np.testing.assert_array_equal(given, was)  # the running model's were wiped, and these with none of them
            assert not np.shares_memory(own, given)


def test_the_result_is_the_average_ready_for_use(pair: Faces) -> None:
    trained = _train(pair, 3)
    assert not trained.model.training
    assert not any(parameter.requires_grad for parameter in trained.model.parameters())
    assert (trained.steps, trained.planned_steps, trained.probe_every) == (3, 3, 1)
    assert trained.seconds > 0


@pytest.mark.parametrize(
    ("holds", "stops_at"),
    [
        (lambda step: True, 10),  # not before half of the steps
        ((12, 14, 16), 14),
        ((8, 10), 10),  # the first of the two may lie in the first half
        ((2, 4, 6), 20),
        ((12, 16, 20), 20),  # never twice in a row
        ((), 20),
    ],
)
def test_training_stops_when_the_probe_holds_twice_in_the_second_half(
    pair: Faces, holds: Callable[[int], bool] | Sequence[int], stops_at: int
) -> None:
    trained = _train(pair, 20, probe=probe_of(holds))
    assert trained.steps == stops_at
    assert trained.planned_steps == 20
    assert [reading.step for reading in trained.readings] == list(range(2, stops_at + 1, 2))


def test_the_last_step_is_probed_also_between_two_probes(pair: Faces) -> None:
    assert [reading.step for reading in _train(pair, 21).readings][-2:] == [20, 21]


def test_a_run_given_the_recorded_steps_repeats_one_that_stopped_early(pair: Faces) -> None:
    stopped, repeated = (_train(pair, 20, probe=probe_of(lambda step: True)) for _ in range(2))
    assert stopped.steps == repeated.steps == 10
    for one, other in zip(stopped.model.parameters(), repeated.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_both_sides_are_bent_alike_and_no_longer_at_the_end(pair: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[int, list[float]] = {id(faces): [] for faces in pair.values()}

    def watched(faces: FaceSet, *arguments: Any, strength: Tensor | None, **more: Any) -> Batch:
        seen[id(faces)].append(0.0 if strength is None else float(strength))
        return draw_batch(faces, *arguments, strength=strength, **more)

    monkeypatch.setattr(training, "draw_batch", watched)
    monkeypatch.setattr(training, "_WARP_FULL_UNTIL", 0.7)
    monkeypatch.setattr(training, "_WARP_OFF_FROM", 0.85)
    _train(pair, 20)
    subject, donor = (seen[id(faces)] for faces in pair.values())
    assert len(subject) == 20
    assert subject == donor
    assert subject[:14] == [1.0] * 14
    assert subject[17:] == [0.0] * 3
    assert all(0 < strength <= 1 for strength in subject[14:17])


@pytest.mark.parametrize("steps", [20, 1000, 5000])
def test_the_rate_warms_up_then_falls_to_a_fiftieth(steps: int) -> None:
    shares = np.array([learning_rate_share(step, steps) for step in range(steps)])
    top = int(shares.argmax())
    assert shares[top] == pytest.approx(1)
    assert 1 <= top + 1 <= max(1, steps // 10) + 1
    assert (np.diff(shares[: top + 1]) > 0).all()
    assert (np.diff(shares[top + 1 :]) < 0).all()
    assert learning_rate_share(steps, steps) == pytest.approx(0.02)
    for later in range(0, steps // 2, max(1, steps // 20)):  # a cosine looks the same from its other end
        high, low = learning_rate_share(top + 1 + later, steps), learning_rate_share(steps - later, steps)
        assert high + low == pytest.approx(1.02)


def test_the_rate_is_sound_for_the_shortest_runs() -> None:
    assert [learning_rate_share(0, steps) for steps in (1, 2)] == [1, 1]


def test_a_budget_becomes_steps_by_the_clock(pair: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def half_a_second_a_step() -> float:
        asked.append(0.0)
        return len(asked) // 2 * 0.5

    monkeypatch.setattr(training.time, "perf_counter", half_a_second_a_step)
    assert steps_for(100.0, TINY, pair, "cpu") == 200
    assert len(asked) == 2 * 13
    asked.clear()
    assert steps_for(3.0, TINY, pair, "cpu") == 6
    assert len(asked) == 2  # one step told it: the trial must not cost more than the training
    asked.clear()
    assert steps_for(0.001, TINY, pair, "cpu") == 1


@pytest.fixture
def trainers(monkeypatch: pytest.MonkeyPatch) -> list[training.Trainer]:
    """All trainers that a test makes, with what they held."""
    made: list[training.Trainer] = []

    class Watched(training.Trainer):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(training, "Trainer", Watched)
    return made


def _left_behind(trainer: training.Trainer) -> list[str]:
    """What of the running model, its mean faces, its gradients and its optimiser is not zero."""
    named = [(name, value) for name, value in trainer.model.state_dict().items()]
    named += [(f"gradient of {name}", p.grad) for name, p in trainer.model.named_parameters() if p.grad is not None]
    for state in trainer.optimiser.state.values():
        named += [(f"optimiser's {name}", value) for name, value in state.items()]
    return [name for name, value in named if bool(torch.as_tensor(value).any())] + _faces_in(trainer.model)


def _faces_in(model: SwapModel) -> list[str]:
    """Whose mean face is not zero."""
    return [f"mean face of the {side}" for side, prior in model.priors.items() if any(a.any() for a in prior.arrays())]


def test_after_training_only_the_averaged_model_is_left(
    pair: Faces, priors: Priors, trainers: list[training.Trainer]
) -> None:
    trained = _train(pair, 3, priors=priors)
    assert len(trainers) == 1
    assert len(_faces_in(trained.model)) == len(trainers[0].model.priors) == 2
    assert len(trainers[0].optimiser.state) > 10
    assert not _left_behind(trainers[0])
    assert all(parameter.isfinite().all() for parameter in trained.model.parameters())
    assert sum(bool(parameter.any()) for parameter in trained.model.parameters()) > 10


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_training_that_is_stopped_leaves_nothing(
    pair: Faces, priors: Priors, trainers: list[training.Trainer], stop: type[BaseException]
) -> None:
    def probe(model: SwapModel, step: int) -> ProbeReading:
        assert any(parameter.any() for parameter in model.parameters())
        raise stop

    with pytest.raises(stop):
        _train(pair, 3, priors=priors, probe=probe)
    assert not _left_behind(trainers[0])
    assert len(trainers[0].average.priors) == 2
    assert not _faces_in(trainers[0].average)
    assert not any(value.any() for value in trainers[0].average.state_dict().values())


def test_the_trial_that_times_a_step_leaves_nothing(pair: Faces, trainers: list[training.Trainer]) -> None:
    assert steps_for(0.001, TINY, pair, "cpu") == 1
    assert not _left_behind(trainers[0])
    assert not any(value.any() for value in trainers[0].average.state_dict().values())


def _made(seed: int = 0) -> tuple[Tensor, Tensor]:
    """A target (1, 5, 64, 64) with the face in the left half and attention in a corner of it, and a perfect output."""
    target = torch.rand(1, 5, 64, 64, generator=torch.Generator().manual_seed(seed))
    target[:, 3:] = 0
    target[:, 3, :, :32] = 1
    target[:, 4, :16, :16] = 1
    return target, target[:, :4].clone()


def test_a_perfect_output_has_no_loss() -> None:
    target, output = _made()
    for with_mask in (True, False):
        assert float(training._loss(output, target, with_mask=with_mask)) == pytest.approx(0, abs=1e-6)


def test_what_lies_outside_the_face_does_not_count() -> None:
    target, output = _made()
    output[:, :3, :, 40:] = 0
    assert float(training._loss(output, target, with_mask=True)) == pytest.approx(0, abs=1e-6)


def test_eyes_and_mouth_count_more_than_cheeks() -> None:
    target, output = _made()
    losses = []
    for rows in (slice(2, 12), slice(40, 50)):
        wrong = output.clone()
        wrong[:, :3, rows, 2:12] += 0.2
        losses.append(float(training._loss(wrong, target, with_mask=True)))
    # a weight of three against one
    assert 4 * losses[1] > losses[0] > 2 * losses[1] > 0


def test_a_wrong_mask_costs_only_where_there_is_one() -> None:
    target, output = _made()
    output[:, 3] = 1 - output[:, 3]
    assert float(training._loss(output, target, with_mask=True)) == pytest.approx(1, abs=1e-5)
    assert float(training._loss(output, target, with_mask=False)) == pytest.approx(0, abs=1e-6)


def test_dissimilarity_is_scikit_images() -> None:
    first, second = torch.rand(2, 1, 3, 40, 50, generator=torch.Generator().manual_seed(1))
    second = 0.7 * first + 0.3 * second
    ours = 1 - 2 * training._dissimilarity(first, second)[0].numpy()
    for channel in range(3):
        _, theirs = structural_similarity(
            first[0, channel].numpy(), second[0, channel].numpy(), win_size=7, data_range=1.0,
            use_sample_covariance=False, full=True,
        )  # fmt: skip
        np.testing.assert_allclose(ours[channel, 2:-2, 2:-2], theirs[::2, ::2][2:-2, 2:-2], atol=1e-4)


def test_dissimilarity_of_flat_pictures_by_hand_up_to_the_edge() -> None:
    # without variance SSIM is (2ab + c1) / (a^2 + b^2 + c1), c1 = 0.01^2: 0.0101 / 0.0126 for 0.05 and 0.1
    first, second = torch.full((1, 1, 16, 16), 0.05), torch.full((1, 1, 16, 16), 0.1)
    expected = torch.full((1, 1, 8, 8), (1 - 0.0101 / 0.0126) / 2)
    torch.testing.assert_close(training._dissimilarity(first, second), expected, atol=1e-4, rtol=0)


def test_no_part_of_the_swap_knows_the_auditing_recogniser() -> None:
    names: set[str] = set()
    for file in Path(next(iter(deid_audit.swap.__path__))).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names.add(node.module or "")
            elif isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
    assert "deid_audit.swap.networks" in names
    looks_at = {name for name in names if name.startswith(("deid_audit.vision", "deid_audit.measure", "dlib"))}
    assert looks_at == {
        "deid_audit.vision.mesh",
        "deid_audit.vision.transfer",
    }  # which landmark is which; copies to a GPU
