"""Arrays on their way to a device; what needs a GPU is skipped where there is none, saying so."""

import numpy as np
import pytest
import torch

from deid_audit.vision.recognizer import Recognizer
from deid_audit.vision.transfer import on_device


def test_on_a_cpu_nothing_is_copied() -> None:
    array = np.arange(6, dtype=np.float32)
    made = on_device(array, "cpu")
    array[0] = 9
    assert made[0] == 9


def test_to_cuda_it_goes_through_locked_memory_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    class Locked:
        def to(self, device: object, *, non_blocking: bool) -> str:
            said.append(f"to {device}, {non_blocking=}")
            return "there"

    class Plain:
        def pin_memory(self) -> Locked:
            said.append("locked")
            return Locked()

    monkeypatch.setattr(torch, "from_numpy", lambda array: Plain())
    assert on_device(np.zeros(3, np.uint8), "cuda") == "there"
    assert said == ["locked", "to cuda, non_blocking=True"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: copies to it cannot be compared here")
def test_copies_to_a_gpu_are_the_same() -> None:
    arrays = [np.random.default_rng(at).integers(0, 255, (64, 150, 150, 3), np.uint8) for at in range(8)]
    there = [on_device(array, "cuda") for array in arrays]
    for array, made in zip(arrays, there, strict=True):
        np.testing.assert_array_equal(made.cpu().numpy(), array)


def test_descriptors_of_several_batches_stand_in_the_order_of_their_chips() -> None:
    chips = [np.full((150, 150, 3), 40 * at, np.uint8) for at in range(5)]
    recognizer = Recognizer()
    together = recognizer.describe([chips[0], None, *chips[1:]], batch=2)
    assert np.isnan(together[1]).all() and np.isnan(recognizer.describe([None])).all()
    alone = [recognizer.describe([chip])[0] for chip in chips]
    np.testing.assert_allclose(together[[0, 2, 3, 4, 5]], alone, atol=1e-6)
    assert recognizer.describe([]).shape == (0, 128)
