"""Training that was cut off goes on from its encrypted checkpoint, bit for bit as if it had never stopped."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from deid_audit.progress import SilentProgress
from deid_audit.swap import train as training
from deid_audit.swap.checkpoint import faces_digest, load_state, save_state
from deid_audit.swap.reuse import weights_of
from deid_audit.swap.train import Faces, Priors, Trained, TrainState, train
from deid_audit.vault import Checkpoint
from tests.unit.swap_faces import MICRO, TINY, probe_of
from tests.unit.vault_building import next_checkpoint

pytestmark = pytest.mark.usefixtures("one_thread")
BINDING = {"seed": "5"}


class Killed(Exception):
    """Stands for a kill."""


@pytest.fixture(autouse=True)
def _four_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_PROBES", 4)
    monkeypatch.setattr(training, "_STOP_NOT_BEFORE", 0.5)


def _train(pair: Faces, priors: Priors, *, steps: int = 12, holds: Any = (), **more: Any) -> Trained:
    with SilentProgress().step("", steps) as step:
        return train(
            more.pop("preset", MICRO), pair, priors, seed=5, steps=steps, device="cpu", probe=_seeing(holds), step=step,
            **more,
        )  # fmt: skip


def _seeing(holds: Any) -> Callable[..., Any]:
    """A probe whose value is what the averaged model's weights come to, so that readings are compared bit for bit."""
    scripted = probe_of(holds)

    def probe(model: Any, step: int) -> Any:
        seen = {"seen": float(sum(weights.double().abs().sum() for weights in model.parameters()))}
        return replace(scripted(model, step), values=seen)

    return probe


def _copied(state: TrainState) -> tuple[list[Tensor], TrainState]:
    stream = BytesIO()
    save_state(state, BINDING, stream)
    again, _ = load_state(BytesIO(stream.getvalue()))
    return again.tensors(), again


def _cut_off(folder: Path, pair: Faces, priors: Priors, after: int, **more: Any) -> Checkpoint:
    """The files of a run that was killed right after the checkpoint of step `after`."""
    kept = Checkpoint(folder / "out", folder / "key")

    def checkpoint(state: TrainState) -> None:
        with next_checkpoint(kept) as stream:
            save_state(state, BINDING, stream)  # type: ignore[arg-type]
        if state.step == after:
            raise Killed

    with pytest.raises(Killed):
        _train(pair, priors, checkpoint=checkpoint, **more)
    return Checkpoint(folder / "out", folder / "key")  # what the next process opens


def _same(first: Trained, second: Trained) -> bool:
    pairs = zip(first.model.state_dict().values(), second.model.state_dict().values(), strict=True)
    return all(torch.equal(*both) for both in pairs)


@pytest.mark.parametrize("packed", [False, True])
def test_training_resumed_from_the_encrypted_file_is_bit_equal(
    pair: Faces, priors: Priors, tmp_path: Path, *, packed: bool
) -> None:
    """Twelve steps at once, and six, an end of everything, and six more: all of it is compared, after every probe."""
    more: dict[str, Any] = {}
    if packed:
        more["start"] = weights_of(_train(pair, priors, steps=1).model)
    whole: dict[int, list[Tensor]] = {}
    undisturbed = _train(pair, priors, checkpoint=lambda state: whole.update({state.step: _copied(state)[0]}), **more)
    state, binding = load_state(_cut_off(tmp_path, pair, priors, after=6, **more).read())
    assert (state.step, state.planned_steps, binding) == (6, 12, BINDING)
    rest: dict[int, list[Tensor]] = {}
    resumed = _train(
        pair, priors, resume=state, checkpoint=lambda later: rest.update({later.step: _copied(later)[0]}), **more
    )
    assert list(whole) == [3, 6, 9, 12]
    assert list(rest) == [9, 12]
    for step, tensors in rest.items():  # weights, average, optimiser, random numbers
        assert len(tensors) > 60
        assert all(torch.equal(*both) for both in zip(tensors, whole[step], strict=True))
    assert _same(resumed, undisturbed)
    assert resumed.readings == undisturbed.readings
    assert len(resumed.readings) == 4
    assert (resumed.steps, resumed.planned_steps, resumed.probe_every) == (12, 12, 3)
    assert _same(_train(pair, priors, **more), undisturbed)  # keeping checkpoints changes nothing


@pytest.mark.parametrize("part", ["model", "average", "optimiser", "generator"])
def test_each_part_of_the_state_is_needed(pair: Faces, priors: Priors, tmp_path: Path, part: str) -> None:
    """Resumed with one part as it was at another step, the result differs."""
    undisturbed = _train(pair, priors)
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    state, _ = load_state(_cut_off(tmp_path / "a", pair, priors, after=6).read())
    other, _ = load_state(_cut_off(tmp_path / "b", pair, priors, after=3).read())
    changed = replace(state, **{part: getattr(other, part)})
    assert not _same(_train(pair, priors, resume=changed), undisturbed)


@pytest.mark.parametrize(("holds", "stops_at"), [((6, 9), 9), ((3, 6), 6), ((3, 9), 12), ((3, 6, 9), 6), ((6, 12), 12)])
@pytest.mark.parametrize("after", [3, 6, 9])
def test_the_early_stop_is_decided_alike(
    pair: Faces, priors: Priors, tmp_path: Path, holds: tuple[int, ...], stops_at: int, after: int
) -> None:
    """Also from the checkpoint of the very step at which training stopped: nothing is trained then."""
    undisturbed = _train(pair, priors, holds=holds, preset=TINY)
    assert undisturbed.steps == stops_at
    if after > stops_at:
        return
    state, _ = load_state(_cut_off(tmp_path, pair, priors, after=after, holds=holds, preset=TINY).read())
    resumed = _train(pair, priors, holds=holds, preset=TINY, resume=state)
    assert resumed.steps == stops_at
    assert resumed.readings == undisturbed.readings
    assert _same(resumed, undisturbed)


def test_two_good_probes_in_the_first_half_do_not_stop_between_probes(pair: Faces, priors: Priors) -> None:
    """Of ten steps probed every second one: steps 2 and 4 hold, 6 does not; step 5 is half, and no probe."""
    assert _train(pair, priors, steps=10, holds=(2, 4), preset=TINY).steps == 10


def test_seconds_go_on_counting(pair: Faces, priors: Priors, tmp_path: Path) -> None:
    state, _ = load_state(_cut_off(tmp_path, pair, priors, after=3, preset=TINY).read())
    assert _train(pair, priors, preset=TINY, resume=replace(state, seconds=1000.0)).seconds > 1000


def test_what_was_resumed_from_is_wiped_and_so_is_the_plaintext(
    pair: Faces, priors: Priors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = _cut_off(tmp_path, pair, priors, after=6, preset=TINY).read()
    assert any(plain.getbuffer())
    state, _ = load_state(plain)
    assert not any(plain.getbuffer())
    assert sum(bool(tensor.any()) for tensor in state.tensors()) > 40
    made: list[training.Trainer] = []
    whole = training.Trainer.restore
    monkeypatch.setattr(
        training.Trainer, "restore", lambda self, kept: (made.append(self), whole(self, kept))[1]
    )  # fmt: skip
    _train(pair, priors, preset=TINY, resume=state)
    assert not any(tensor.any() for tensor in state.tensors())
    kept = [value for each in made[0].optimiser.state.values() for value in each.values()]
    assert len(kept) > 40
    assert not any(torch.as_tensor(value).any() for value in kept)


def test_a_state_that_does_not_fit_leaves_nothing(pair: Faces, priors: Priors, tmp_path: Path) -> None:
    state, _ = load_state(_cut_off(tmp_path, pair, priors, after=6, preset=TINY).read())
    with pytest.raises(RuntimeError):
        _train(pair, priors, resume=state)  # of another preset


def test_the_digest_of_the_faces_sees_each_of_them_and_its_key(pair: Faces, priors: Priors) -> None:
    key = bytes(range(32))
    before = faces_digest(pair, priors, key)
    assert before == faces_digest(pair, priors, key)
    assert before != faces_digest(pair, priors, bytes(32))
    for side in pair:
        for array in (pair[side].planes, pair[side].chances, *priors[side].arrays()):
            was = array.flat[7] if not isinstance(array, Tensor) else array.view(-1)[7].item()
            flat = array.view(-1) if isinstance(array, Tensor) else array.reshape(-1)
            flat[7] = 0 if was else 1
            assert faces_digest(pair, priors, key) != before
            flat[7] = was
    assert faces_digest(pair, priors, key) == before
