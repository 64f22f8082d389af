"""Augmentation: repeatable, inside its limits, and never mirrored."""

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from deid_audit.frames import AlignedFace
from deid_audit.swap.augment import FaceSet, draw_batch, face_set, plain_batch
from tests.conftest import Portraits
from tests.unit.swap_faces import face_set_of


@pytest.fixture(scope="module")
def faces(portraits: Portraits) -> FaceSet:
    return face_set_of(portraits.hopper)


def _draw(faces: FaceSet, seed: int = 0, *, warp: float = 1.0, count: int = 12) -> tuple[Tensor, Tensor]:
    return draw_batch(faces, count, 64, warp=warp, generator=Generator().manual_seed(seed))


def _leaning() -> FaceSet:
    """A face that is bright on the left and has a mark at the top right: mirrored, it is another picture."""
    plane = np.tile(np.linspace(250, 5, 80), (80, 1))
    plane[10:25, 50:70] = 255
    crop = np.repeat(plane[..., None], 3, 2).astype(np.uint8)
    face = AlignedFace(frame_index=0, crop_rgb=crop, mask=np.ones((80, 80), np.float32), frame_to_crop=np.eye(2, 3))
    return face_set([face], [np.zeros((80, 80), np.float32)], "cpu")


def test_packing_keeps_colours_mask_and_attention() -> None:
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 256, (80, 80, 3), dtype=np.uint8)
    mask, look = rng.random((2, 80, 80)).astype(np.float32)
    face = AlignedFace(frame_index=0, crop_rgb=crop, mask=mask, frame_to_crop=np.eye(2, 3))
    planes = face_set([face, face], [look, look], "cpu").planes
    assert planes.shape == (2, 5, 80, 80)
    assert planes.dtype == torch.uint8
    np.testing.assert_array_equal(planes[1, :3].permute(1, 2, 0), crop)
    np.testing.assert_allclose(planes[1, 3] / 255, mask, atol=1 / 255)
    np.testing.assert_allclose(planes[1, 4] / 255, look, atol=1 / 255)


def test_wiping_leaves_nothing() -> None:
    packed = _leaning()
    assert packed.planes.any()
    packed.wipe()
    assert not packed.planes.any()


def test_without_augmentation_the_middle_of_the_crop_comes_back(faces: FaceSet) -> None:
    plain = plain_batch(faces, 64)
    torch.testing.assert_close(plain, faces.planes[:, :, 8:72, 8:72].float() / 255, atol=1e-4, rtol=0)


def test_a_seed_gives_one_batch(faces: FaceSet) -> None:
    first, again, other = _draw(faces, 7), _draw(faces, 7), _draw(faces, 8)
    for mine, same, different in zip(first, again, other, strict=True):
        assert torch.equal(mine, same)
        assert not torch.equal(mine, different)


def test_the_global_generator_is_left_alone(faces: FaceSet) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    _draw(faces)
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize("warp", [0.0, 0.4, 1.0])
def test_all_values_are_in_range(faces: FaceSet, warp: float) -> None:
    inputs, targets = _draw(faces, warp=warp)
    assert inputs.shape == (12, 3, 64, 64)
    assert targets.shape == (12, 5, 64, 64)
    for values in (inputs, targets):
        assert values.min() >= 0
        assert values.max() <= 1


def test_without_warp_the_input_is_the_target(faces: FaceSet) -> None:
    inputs, targets = _draw(faces, warp=0)
    assert torch.equal(inputs, targets[:, :3])


def test_warp_bends_the_input_and_leaves_the_target(faces: FaceSet) -> None:
    straight, target = _draw(faces, warp=0)
    half, target_half = _draw(faces, warp=0.5)
    full, target_full = _draw(faces, warp=1)
    assert torch.equal(target, target_half)
    assert torch.equal(target, target_full)
    assert 1e-4 < (half - straight).abs().mean() < (full - straight).abs().mean() < 0.2


def test_shift_turn_and_zoom_stay_small(faces: FaceSet) -> None:
    _, targets = _draw(faces, count=64)
    assert targets[:, 3].std(0).max() > 0.1
    plain = plain_batch(faces, 64)[:, 3].mean(0) > 0.5
    overlap = [float((plain & mask).sum() / (plain | mask).sum()) for mask in targets[:, 3] > 0.5]
    assert min(overlap) > 0.75


def _mirrored(batch: Tensor, plain: Tensor) -> Tensor:
    """Which pictures of a batch look more like the mirrored original than like the original."""

    def likeness(reference: Tensor) -> Tensor:
        pictures, target = batch.flatten(1), reference.flatten()
        pictures, target = pictures - pictures.mean(1, keepdim=True), target - target.mean()
        return (pictures @ target) / (pictures.norm(dim=1) * target.norm())

    return likeness(plain.flip(-1)) > likeness(plain)


@pytest.mark.parametrize("warp", [0.0, 1.0])
def test_nothing_is_ever_mirrored(warp: float) -> None:
    faces = _leaning()
    plain = plain_batch(faces, 64)[0, :3]
    assert _mirrored(plain.flip(-1)[None], plain).all()
    for seed in range(4):
        for batch in _draw(faces, seed, warp=warp, count=64):
            assert not _mirrored(batch[:, :3], plain).any()


def test_every_face_gets_its_turn(faces: FaceSet) -> None:
    planes = torch.zeros(6, 5, 80, 80, dtype=torch.uint8)
    planes += (torch.arange(6, dtype=torch.uint8) * 40).view(6, 1, 1, 1)
    _, targets = _draw(FaceSet(planes=planes), count=120)
    drawn, times = (targets[:, 0, 32, 32] * 255 / 40).round().unique(return_counts=True)
    assert drawn.tolist() == [0, 1, 2, 3, 4, 5]
    assert times.min() > 5
