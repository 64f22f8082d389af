"""Augmentation: repeatable, inside its limits, and never mirrored."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from deid_audit.frames import AlignedFace, Float, Image
from deid_audit.swap import augment
from deid_audit.swap.augment import CROP_MARGIN, Batch, FaceSet, draw_batch, even_chances, face_set
from deid_audit.swap.prior import FacePrior, make_prior
from deid_audit.vision.mesh import NOSE_TIP
from tests.conftest import Portraits
from tests.unit.made_faces import made_layout, shape
from tests.unit.swap_faces import crops_of, face_set_of, plain_batch


@pytest.fixture(scope="module")
def faces(portraits: Portraits) -> FaceSet:
    return face_set_of(portraits.hopper)


def _draw(faces: FaceSet, seed: int = 0, *, strength: float = 1.0, count: int = 12) -> Batch:
    warp = torch.tensor(strength) if strength else None
    return draw_batch(faces, count, 64, strength=warp, generator=Generator().manual_seed(seed))


def _parts(batch: Batch) -> list[Tensor]:
    return [getattr(batch, part.name) for part in fields(batch)]


def _face(crop: Image, mask: Float, layout_xy: Float) -> AlignedFace:
    return AlignedFace(frame_index=0, crop_rgb=crop, mask=mask, frame_to_crop=np.eye(2, 3), layout_xy=layout_xy)


def _leaning() -> FaceSet:
    """A face that is bright on the left and has a mark at the top right: mirrored, it is another picture."""
    plane = np.tile(np.linspace(250, 5, 80), (80, 1))
    plane[10:25, 50:70] = 255
    face = _face(np.repeat(plane[..., None], 3, 2).astype(np.uint8), np.ones((80, 80), np.float32), made_layout())
    prior = make_prior([face], np.ones(1), margin=CROP_MARGIN)
    return face_set([face], [np.zeros((80, 80), np.float32)], prior, "cpu")


def test_packing_keeps_colours_mask_and_attention_beside_the_prior_in_the_faces_own_shape() -> None:
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 256, (80, 80, 3), dtype=np.uint8)
    mask, look = rng.random((2, 80, 80)).astype(np.float32)
    texture = rng.random((160, 160, 5)).astype(np.float32)
    texture[..., 3] = 1
    prior = FacePrior(texture=texture, neutral_xy=shape(), margin=CROP_MARGIN)
    shapes = (made_layout(), made_layout(lids=0.05))
    planes = face_set([_face(crop, mask, shape) for shape in shapes], [look, look], prior, "cpu").planes
    assert planes.shape == (2, 9, 80, 80)
    assert planes.dtype == torch.uint8
    np.testing.assert_array_equal(planes[1, :3].permute(1, 2, 0), crop)
    np.testing.assert_allclose(planes[1, 3] / 255, mask, atol=1 / 255)
    np.testing.assert_allclose(planes[1, 4] / 255, look, atol=1 / 255)
    # two by two pixels of the larger texture are one of the crop; the second face has its eyes wide open
    halved = texture[..., :4].reshape(80, 2, 80, 2, 4).mean((1, 3))
    np.testing.assert_allclose(planes[0, 5:].permute(1, 2, 0) / 255, halved, atol=1.5 / 255)
    moved = (planes[0, 5:].float() - planes[1, 5:].float()).abs().amax(0)
    assert moved[24:32].max() > 20
    assert moved[50:].max() <= 1


def test_what_the_prior_leaves_out_of_the_face_is_not_trained_on() -> None:
    texture = np.full((80, 80, 5), 0.5, np.float32)
    texture[:30, :, 3] = 0  # the donor's fringe
    texture[30:, :, 3] = 1
    prior = FacePrior(texture=texture, neutral_xy=shape(), margin=CROP_MARGIN)
    whole = np.ones((80, 80), np.float32)
    face = _face(np.zeros((80, 80, 3), np.uint8), whole, made_layout())
    mask = face_set([face], [whole], prior, "cpu").planes[0, 3]
    assert not mask[:29].any()
    assert (mask[31:] == 255).all()


def test_wiping_leaves_nothing() -> None:
    packed = _leaning()
    assert packed.planes.any()
    packed.wipe()
    assert not packed.planes.any()


def test_without_turn_zoom_and_shift_the_middle_of_the_crop_comes_back(
    faces: FaceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for reach in ("_TURN_DEGREES", "_ZOOM", "_SHIFT"):
        monkeypatch.setattr(augment, reach, 0.0)
    alone = FaceSet(planes=faces.planes[:1], chances=torch.ones(1))
    middle = (faces.planes[0, :, 8:72, 8:72].float() / 255).expand(12, -1, -1, -1)
    batch = _draw(alone, strength=0)
    torch.testing.assert_close(batch.targets, middle[:, :5], atol=1e-4, rtol=0)
    torch.testing.assert_close(batch.priors, middle[:, 5:], atol=1e-4, rtol=0)
    torch.testing.assert_close(plain_batch(alone, 64), middle[:1], atol=1e-4, rtol=0)


def test_a_seed_gives_one_batch(faces: FaceSet) -> None:
    first, again, other = (_parts(_draw(faces, seed)) for seed in (7, 7, 8))
    for mine, same, different in zip(first, again, other, strict=True):
        assert torch.equal(mine, same)
        assert not torch.equal(mine, different)


def test_the_global_generator_is_left_alone(faces: FaceSet) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    _draw(faces)
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize("strength", [0.0, 0.4, 1.0])
def test_all_values_are_in_range(faces: FaceSet, strength: float) -> None:
    batch = _draw(faces, strength=strength)
    assert [len(part[0]) for part in (batch.images, batch.seen, batch.targets, batch.priors)] == [3, 4, 5, 4]
    for values in _parts(batch):
        assert (len(values), *values.shape[2:]) == (12, 64, 64)
        assert values.min() >= 0
        assert values.max() <= 1


def test_without_warp_the_input_is_the_target(faces: FaceSet) -> None:
    batch = _draw(faces, strength=0)
    assert torch.equal(batch.images, batch.targets[:, :3])
    assert torch.equal(batch.seen, batch.priors)


def test_warp_bends_the_input_with_its_prior_and_leaves_the_target_with_its_own(faces: FaceSet) -> None:
    straight, half, full = (_draw(faces, strength=strength) for strength in (0, 0.5, 1))
    for bent in (half, full):
        assert torch.equal(straight.targets, bent.targets)
        assert torch.equal(straight.priors, bent.priors)
    for part in ("images", "seen"):
        none, some, much = (getattr(batch, part) for batch in (straight, half, full))
        assert 1e-4 < (some - none).abs().mean() < (much - none).abs().mean() < 0.2


def test_picture_and_prior_of_the_input_are_bent_alike() -> None:
    # the prior of this face is the face itself; what is left is that the picture is made brighter or darker
    batch = _draw(_leaning(), count=32)
    gain = batch.images.mean((1, 2, 3), keepdim=True) / batch.seen[:, :3].mean((1, 2, 3), keepdim=True)
    assert gain.max() > 1.02
    assert gain.min() < 0.98
    assert (batch.images - batch.seen[:, :3] * gain).abs().mean() < 0.01


def test_shift_turn_and_zoom_stay_small(faces: FaceSet) -> None:
    targets = _draw(faces, count=64).targets
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


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_nothing_is_ever_mirrored(strength: float) -> None:
    faces = _leaning()
    plain = plain_batch(faces, 64)[0, :3]
    assert _mirrored(plain.flip(-1)[None], plain).all()
    for seed in range(4):
        for part in _parts(_draw(faces, seed, strength=strength, count=64)):
            assert not _mirrored(part[:, :3], plain).any()


def test_every_face_gets_its_turn() -> None:
    planes = torch.zeros(6, 9, 80, 80, dtype=torch.uint8)
    planes += (torch.arange(6, dtype=torch.uint8) * 40).view(6, 1, 1, 1)
    targets = _draw(FaceSet(planes=planes, chances=torch.ones(6)), count=120).targets
    drawn, times = (targets[:, 0, 32, 32] * 255 / 40).round().unique(return_counts=True)
    assert drawn.tolist() == [0, 1, 2, 3, 4, 5]
    assert times.min() > 5


def test_seldom_turns_are_drawn_as_often_as_others_but_one_face_not_without_end(portraits: Portraits) -> None:
    [face] = crops_of(portraits.hopper, 1)

    def turned(by: float) -> AlignedFace:
        layout = face.layout_xy.copy()
        layout[NOSE_TIP, 0] += by
        return replace(face, layout_xy=layout)

    chances = even_chances([turned(0.0)] * 30 + [turned(0.1)] * 10)
    assert chances.sum() == pytest.approx(1)
    assert chances[:30].sum() == pytest.approx(0.5)
    # one face of a hundred counts as if it were five: it is drawn five times as often as its share
    alone = even_chances([turned(0.0)] * 99 + [turned(0.1)])
    assert alone[-1] / alone[0] == pytest.approx(99 / 5)
