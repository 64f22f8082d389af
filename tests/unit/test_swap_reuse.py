"""What a donor's pack carries of a model, and that training begins from it and nowhere else."""

import numpy as np
import pytest
import torch

from deid_audit.progress import SilentProgress
from deid_audit.swap import train as training
from deid_audit.swap.networks import PRESETS, SwapModel
from deid_audit.swap.reuse import Weights, is_reused, put_into, shapes_of, weights_of
from deid_audit.swap.train import Faces, Priors, train, train_donor
from tests.unit.swap_faces import TINY, probe_of

pytestmark = pytest.mark.usefixtures("one_thread")


def donor_alone(pair: Faces, steps: int) -> SwapModel:
    with SilentProgress().step("", steps) as step:
        return train_donor(TINY, pair["donor"], steps=steps, seed=0, device="cpu", step=step)


@pytest.fixture(scope="module")
def carried(pair: Faces) -> Weights:
    return weights_of(donor_alone(pair, 5))


def begun(pair: Faces, start: Weights | None) -> training.Trainer:
    return training.Trainer(TINY, pair, {}, 0, "cpu", start)


def test_a_pack_carries_all_but_bottleneck_and_subject() -> None:
    with torch.device("meta"):
        names = set(SwapModel(PRESETS["micro64"]).state_dict())
    left_out = names - set(shapes_of("micro64"))
    kinds = {".".join(name.split(".")[:2]) for name in left_out}
    assert kinds == {"encoder.fold", "encoder.unfold", "decoders.subject"}


def test_training_on_the_donor_alone_moves_nothing_of_the_subject(pair: Faces) -> None:
    before, after = (donor_alone(pair, steps).state_dict() for steps in (0, 3))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved and not [name for name in moved if "subject" in name]
    assert "decoders.donor.last.weight" in moved and "encoder.stages.0.weight" in moved


def test_a_run_begins_from_the_pack_with_a_fresh_bottleneck(pair: Faces, carried: Weights) -> None:
    scratch, reused = begun(pair, None).model.state_dict(), begun(pair, carried).model.state_dict()
    for name, weights in reused.items():
        expected = torch.from_numpy(carried[name]) if is_reused(name) else scratch[name]
        assert torch.equal(weights, expected), name


def test_what_is_reused_learns_at_a_fifth_of_the_rate(pair: Faces, carried: Weights) -> None:
    trainer = begun(pair, carried)
    own, reused = trainer.optimiser.param_groups
    named = {id(weights): name for name, weights in trainer.model.named_parameters()}
    assert all(is_reused(named[id(weights)]) for weights in reused["params"])
    assert not [one for one in own["params"] if is_reused(named[id(one)])]
    assert len(own["params"]) + len(reused["params"]) == len(named)
    trainer.step(0, 1)
    assert reused["lr"] == pytest.approx(0.2 * own["lr"]) and own["lr"] == pytest.approx(TINY.peak_rate)
    assert len(begun(pair, None).optimiser.param_groups) == 1


def test_a_run_trains_on_from_the_pack_and_leaves_the_pack_as_it_is(
    pair: Faces, priors: Priors, carried: Weights
) -> None:
    before = {name: weights.copy() for name, weights in carried.items()}
    with SilentProgress().step("", 3) as step:
        trained = train(
            TINY, pair, priors, steps=3, seed=0, device="cpu", probe=probe_of(), step=step, start=carried
        )  # fmt: skip
    assert all(np.array_equal(carried[name], weights) for name, weights in before.items())
    after = weights_of(trained.model)
    assert all(weights.any() for weights in carried.values())  # a run wipes its own weights, not these
    assert not np.array_equal(after["encoder.stages.0.weight"], before["encoder.stages.0.weight"])


def test_a_missing_weight_is_no_start(carried: Weights) -> None:
    less = {name: weights for name, weights in carried.items() if not name.endswith("last.bias")}
    with pytest.raises(KeyError):
        put_into(SwapModel(TINY), less)
