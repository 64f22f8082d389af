"""A model used, saved, loaded and wiped; and the device it runs on."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from deid_audit.errors import StageError
from deid_audit.faces.align import align
from deid_audit.render.blend import masks_agree
from deid_audit.swap.convert import (
    load_model,
    pick_device,
    rebuild_face,
    save_model,
    swap_face,
    swapped_px,
    wipe_model,
)
from deid_audit.swap.networks import PRESETS, Side, SwapModel
from deid_audit.swap.prior import HAIR, moved_as, shape_of
from tests.conftest import Portraits
from tests.unit.swap_faces import TINY_PAPER, prior_of


@pytest.fixture
def model(portraits: Portraits) -> SwapModel:
    torch.manual_seed(1)
    made = SwapModel(PRESETS["micro64"]).eval().requires_grad_(False)
    for decoder in made.decoders.values():
        torch.nn.init.normal_(decoder.last.weight, std=0.05)
    mouth = prior_of(portraits.astronaut, 1)
    mouth.texture[..., :3] *= (0.5, 0.1, 0.1)
    donor = replace(prior_of(portraits.astronaut).resized(160), open_mouth=mouth)
    made.set_priors({"subject": prior_of(portraits.hopper), "donor": donor})
    return made


def _arrays(model: SwapModel) -> list[np.ndarray]:
    return [array for prior in model.priors.values() for array in prior.arrays()]


def _batch(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None].float()


def test_a_model_comes_back_bit_for_bit(model: SwapModel) -> None:
    stream = io.BytesIO()
    save_model(model, stream)
    stream.seek(0)
    loaded = load_model(stream, "cpu")
    before, after = model.state_dict(), loaded.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert loaded.preset == model.preset
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert [prior.margin for prior in loaded.priors.values()] == [1.25, 1.25]
    assert len(_arrays(loaded)) == len(_arrays(model)) == 3 + 6
    for own, stored in zip(_arrays(model), _arrays(loaded), strict=True):
        assert own.dtype == stored.dtype
        np.testing.assert_array_equal(own, stored)


def test_a_loaded_model_swaps_as_before_and_can_be_wiped(model: SwapModel, portraits: Portraits) -> None:
    face = align(0, portraits.hopper.image_rgb, portraits.hopper.landmarks_xy, 64)
    stream = io.BytesIO()
    save_model(model, stream)
    stream.seek(0)
    loaded = load_model(stream, "cpu")
    for swap in (swap_face, rebuild_face):
        before, after = swap(model, face), swap(loaded, face)
        pictures = [one if isinstance(one, np.ndarray) else one.crop_rgb for one in (before, after)]
        np.testing.assert_array_equal(*pictures)
    wipe_model(loaded)
    assert not any(array.any() for array in _arrays(loaded))
    assert all(array.any() for array in _arrays(model))


def test_wiping_leaves_only_zeros(model: SwapModel) -> None:
    arrays = _arrays(model)
    assert all(array.any() for array in arrays)
    tensors = (*model.parameters(), *model.buffers())
    assert sum(bool(tensor.any()) for tensor in tensors) > 10
    addresses = [tensor.data_ptr() for tensor in tensors]
    wipe_model(model)
    assert not any(tensor.any() for tensor in tensors)
    assert not any(array.any() for array in arrays)
    # in place: a copy full of zeros beside the old weights would destroy nothing
    assert [tensor.data_ptr() for tensor in (*model.parameters(), *model.buffers())] == addresses


def test_wiping_reaches_weights_that_are_still_being_trained(model: SwapModel) -> None:
    model.train().requires_grad_(True)
    images, seen, priors = ({side: torch.rand(1, n, 64, 64) for side in model.priors} for n in (3, 4, 4))
    model(images, seen, priors)["subject"].sum().backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert any(gradient.any() for gradient in gradients)
    wipe_model(model)
    assert not any(parameter.any() for parameter in model.parameters())
    assert not any(gradient.any() for gradient in gradients)


def test_a_swapped_face_is_the_donors_decoders_picture_in_the_faces_shape(
    model: SwapModel, portraits: Portraits
) -> None:
    person = portraits.hopper
    face = align(0, person.image_rgb, person.landmarks_xy, 64)
    swapped = swap_face(model, face)
    # as large as the donor's prior: 160 px that show a quarter more
    assert swapped_px(model.priors["donor"]) == 128
    assert swapped.crop_rgb.shape == (128, 128, 3)
    assert swapped.crop_rgb.dtype == np.uint8
    assert swapped.crop_rgb.flags.c_contiguous
    assert swapped.mask.shape == (128, 128)
    own, donor, shape = model.priors["subject"], model.priors["donor"], shape_of(face)
    seen = own.posed(shape, 64)
    posed = donor.posed(moved_as(donor.neutral_xy, own.neutral_xy, shape), 128)
    code = model.encode(_batch(face.crop_rgb) / 255, _batch(seen[..., :HAIR]))
    expected = model.decode(code, "donor", _batch(posed[..., :HAIR]))[0]
    np.testing.assert_allclose(swapped.crop_rgb, expected[:3].permute(1, 2, 0) * 255, atol=0.51)
    np.testing.assert_allclose(swapped.mask, expected[3], atol=1e-5)
    rebuilt = model.decode(code, "subject", _batch(seen[..., :HAIR]))[0, :3].permute(1, 2, 0) * 255
    np.testing.assert_allclose(rebuild_face(model, face), rebuilt, atol=0.51)
    assert np.abs(swapped.crop_rgb[::2, ::2] - rebuilt.numpy()).mean() > 10


def test_the_subjects_hair_comes_with_the_swap_and_the_donors_does_not(model: SwapModel, portraits: Portraits) -> None:
    face = align(0, portraits.hopper.image_rgb, portraits.hopper.landmarks_xy, 64)
    assert not swap_face(model, face).hair.any()
    for side, there in (("donor", False), ("subject", True)):
        model.priors[side].texture[:20, :, HAIR] = 1  # type: ignore[index]
        hair = swap_face(model, face).hair
        assert hair.shape == (64, 64)
        assert bool(hair[:11].all()) is there
        assert not hair[16:].any()


def test_a_model_without_a_mask_takes_the_originals_outline(portraits: Portraits) -> None:
    # an all-ones mask overlaps the outline by half only: every frame of the paper's preset would be concealed
    person = portraits.astronaut
    face = align(0, person.image_rgb, person.landmarks_xy, 64)
    swapped = swap_face(SwapModel(TINY_PAPER).eval(), face)
    np.testing.assert_array_equal(swapped.mask, face.mask)
    assert swapped.hair.shape == face.mask.shape
    assert not swapped.hair.any()
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
    mean: dict[Side, np.ndarray] = {side: prior.posed(shape_of(face), 64) for side, prior in model.priors.items()}
    error = {side: np.abs(rebuilt - picture[..., :3] * 255).mean() for side, picture in mean.items()}
    assert error["subject"] < 0.5 * error["donor"]
