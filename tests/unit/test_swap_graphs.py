"""Steps as recorded CUDA graphs: when they are taken, and (on a GPU) that they train as others do."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Generator

from deid_audit.frames import Image
from deid_audit.swap import graphs
from deid_audit.swap.augment import FaceSet
from deid_audit.swap.graphs import TRIAL_STEPS, StepGraphs
from deid_audit.swap.networks import PRESETS, Side
from deid_audit.swap.train import Faces, Trainer
from tests.conftest import Portraits
from tests.unit.swap_faces import face_set_of

PLAIN_S = 0.010


class _Recording:
    def __init__(self, made: list[str], kind: bool) -> None:
        self._made, self._kind = made, kind

    def replay(self) -> None:
        self._made.append(f"replayed {self._kind}")


@pytest.fixture
def made() -> list[str]:
    return []


@pytest.fixture
def steps(made: list[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[float], StepGraphs]:
    """Step graphs without a GPU, whose replays take so many seconds; what they do goes into `made`."""

    def begin(replayed_s: float) -> StepGraphs:
        def seconds_of(run: Callable[[], object]) -> float:
            run()
            return replayed_s if made[-1].startswith("replayed") else PLAIN_S

        def record(self: StepGraphs, kind: bool) -> _Recording:
            made.append(f"recorded {kind}")
            return _Recording(made, kind)

        monkeypatch.setattr(graphs, "_seconds_of", seconds_of)
        monkeypatch.setattr(StepGraphs, "_record", record)
        monkeypatch.setattr(StepGraphs, "_aside", lambda self, kind: made.append(f"plain {kind}"))
        monkeypatch.setattr(torch.cuda, "Stream", lambda: None)
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
        return StepGraphs(lambda kind: made.append(f"plain {kind}"), Generator())

    return begin


def _run(steps: StepGraphs, kinds: Sequence[bool]) -> None:
    for kind in kinds:
        steps.run(kind)


def test_replays_are_taken_once_they_were_quicker(steps: Callable[[float], StepGraphs], made: list[str]) -> None:
    begun = steps(PLAIN_S / 2)
    _run(begun, [True] * TRIAL_STEPS)
    assert begun.pays is True
    assert made == ["plain True"] * 8 + ["recorded True"] + ["replayed True"] * 5
    made.clear()
    _run(begun, [True] * 3)
    assert made == ["replayed True"] * 3


def test_replays_that_are_no_quicker_are_given_up(steps: Callable[[float], StepGraphs], made: list[str]) -> None:
    begun = steps(PLAIN_S)
    _run(begun, [True] * TRIAL_STEPS)
    assert begun.pays is False
    made.clear()
    _run(begun, [True, False, True])
    assert made == ["plain True", "plain False", "plain True"]


def test_another_kind_of_step_is_recorded_for_itself(steps: Callable[[float], StepGraphs], made: list[str]) -> None:
    begun = steps(PLAIN_S / 2)
    _run(begun, [True] * TRIAL_STEPS)
    made.clear()
    _run(begun, [False] * 5)
    assert made == ["plain False"] * 3 + ["recorded False"] + ["replayed False"] * 2


def test_every_call_is_one_step(steps: Callable[[float], StepGraphs], made: list[str]) -> None:
    _run(steps(PLAIN_S / 2), [True] * 40 + [False] * 20)
    assert sum(not one.startswith("recorded") for one in made) == 60


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: recorded steps are not compared with others")
def test_recorded_steps_train_bit_for_bit_as_others_do(portraits: Portraits) -> None:
    crops: dict[Side, Image] = {"subject": portraits.hopper, "donor": portraits.astronaut}
    made = {side: face_set_of(each) for side, each in crops.items()}
    faces: Faces = {
        side: FaceSet(planes=each.planes.cuda(), chances=each.chances.cuda()) for side, each in made.items()
    }
    trainers = [Trainer(PRESETS["micro64"], faces, {}, 0, "cuda") for _ in range(2)]
    assert trainers[0].graphs is not None
    trainers[0].graphs.pays = False
    for trainer in trainers:
        for number in range(40):
            trainer.step(number, 40)
    assert trainers[1].graphs is not None
    assert trainers[1].graphs.pays
    for one, other in zip(*(trainer.average.parameters() for trainer in trainers), strict=True):
        assert torch.equal(one, other)
