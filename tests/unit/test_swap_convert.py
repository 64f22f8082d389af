"""A model used, saved, loaded and wiped; and the device it runs on."""

import io

import numpy as np
import pytest
import torch

from deid_audit.errors import StageError
from deid_audit.faces.align import align
from deid_audit.render.blend import masks_agree
from deid_audit.swap.convert import load_model, pick_device, rebuild_face, save_model, swap_face, wipe_model
from deid_audit.swap.networks import PRESETS, SwapModel
from tests.conftest import Portraits
from tests.unit.swap_faces import TINY_PAPER


@pytest.fixture
def model() -> SwapModel:
    torch.manual_seed(1)
    made = SwapModel(PRESETS["micro64"]).eval().requires_grad_(False)
    for decoder in made.decoders.values():
        torch.nn.init.normal_(decoder.last.weight, std=0.05)
    made.set_prior("donor", torch.rand(3, 64, 64), torch.rand(64, 64))
    made.set_prior("subject", torch.rand(3, 64, 64), torch.rand(64, 64))
    return made


def test_a_model_comes_back_bit_for_bit(model: SwapModel) -> None:
    stream = io.BytesIO()
    save_model(model, stream)
    stream.seek(0)
    loaded = load_model(stream, "cpu")
    before, after = model.state_dict(), loaded.state_dict()
    assert before.keys() == after.keys()
    assert {"prior_subject", "prior_donor"} < before.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert loaded.preset == model.preset
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    code = torch.rand(1, 3, 64, 64)
    assert torch.equal(model.decode(model.encoder(code), "donor"), loaded.decode(loaded.encoder(code), "donor"))


def test_wiping_leaves_only_zeros(model: SwapModel) -> None:
    tensors = (*model.parameters(), *model.buffers())
    assert all(tensor.any() for tensor in model.buffers())
    assert sum(bool(tensor.any()) for tensor in tensors) > 10
    addresses = [tensor.data_ptr() for tensor in tensors]
    wipe_model(model)
    assert not any(tensor.any() for tensor in tensors)
    # in place: a copy full of zeros beside the old weights would destroy nothing
    assert [tensor.data_ptr() for tensor in (*model.parameters(), *model.buffers())] == addresses


def test_wiping_reaches_weights_that_are_still_being_trained(model: SwapModel) -> None:
    model.train().requires_grad_(True)
    model({"subject": torch.rand(1, 3, 64, 64), "donor": torch.rand(1, 3, 64, 64)})["subject"].sum().backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert any(gradient.any() for gradient in gradients)
    wipe_model(model)
    assert not any(parameter.any() for parameter in model.parameters())
    assert not any(gradient.any() for gradient in gradients)


def test_a_swapped_face_is_the_donors_decoders_picture(model: SwapModel, portraits: Portraits) -> None:
    person = portraits.hopper
    face = align(0, person.image_rgb, person.landmarks_xy, 64)
    swapped = swap_face(model, face)
    assert swapped.crop_rgb.shape == (64, 64, 3)
    assert swapped.crop_rgb.dtype == np.uint8
    assert swapped.crop_rgb.flags.c_contiguous
    assert swapped.mask.shape == (64, 64)
    pixels = torch.from_numpy(face.crop_rgb).permute(2, 0, 1)[None].float() / 255
    expected = model.decode(model.encoder(pixels), "donor")[0]
    np.testing.assert_allclose(swapped.crop_rgb, expected[:3].permute(1, 2, 0) * 255, atol=0.51)
    np.testing.assert_allclose(swapped.mask, expected[3], atol=1e-5)
    own = model.decode(model.encoder(pixels), "subject")[0, :3].permute(1, 2, 0) * 255
    assert np.abs(swapped.crop_rgb - own.numpy()).mean() > 10


def test_a_model_without_a_mask_takes_the_originals_outline(portraits: Portraits) -> None:
    # an all-ones mask overlaps the outline by half only: every frame of the paper's preset would be concealed
    person = portraits.astronaut
    face = align(0, person.image_rgb, person.landmarks_xy, 64)
    swapped = swap_face(SwapModel(TINY_PAPER).eval(), face)
    np.testing.assert_array_equal(swapped.mask, face.mask)
    assert masks_agree(face, swapped) == 1


def test_the_device_is_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for present, expected in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda present=present: present)
        assert pick_device("auto") == expected
        assert pick_device("cpu") == "cpu"


def test_a_cuda_device_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("cuda") == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(StageError, match="no usable CUDA device") as refused:
        pick_device("cuda")
    assert "--device cpu" in refused.value.next_step


def test_the_model_rebuilds_the_subject_not_the_donor(model: SwapModel, portraits: Portraits) -> None:
    face = align(0, portraits.hopper.image_rgb, portraits.hopper.landmarks_xy, 64)
    rebuilt = rebuild_face(model, face)
    assert (rebuilt.shape, rebuilt.dtype) == ((64, 64, 3), np.uint8)
    mean = {
        side: torch.sigmoid(getattr(model, f"prior_{side}"))[:3].numpy().transpose(1, 2, 0) * 255
        for side in ("subject", "donor")
    }
    assert np.abs(rebuilt - mean["subject"]).mean() < 0.5 * np.abs(rebuilt - mean["donor"]).mean()
