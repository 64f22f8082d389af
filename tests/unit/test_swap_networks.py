"""The model family: sizes as published, shapes, and what stands at step 0."""

import pytest
import torch

from deid_audit.swap.networks import PRESETS, SwapModel
from tests.unit.swap_faces import MICRO, TINY, TINY_PAPER


def _parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _without_memory(name: str) -> SwapModel:
    with torch.device("meta"):
        return SwapModel(PRESETS[name])


@pytest.mark.parametrize(
    ("name", "millions"),
    [("micro64", 2.50), ("lite64", 7.81), ("original64", 82.06), ("hq128", 79.54), ("hq256", 37.14)],
)
def test_the_presets_have_the_sizes_they_are_known_by(name: str, millions: float) -> None:
    assert _parameters(_without_memory(name)) / 1e6 == pytest.approx(millions, abs=0.005)
    assert PRESETS[name].name == name


def test_original64_is_the_papers_model_layer_by_layer() -> None:
    model = _without_memory("original64")
    convolutions = sum(i * o * 25 + o for i, o in ((3, 128), (128, 256), (256, 512), (512, 1024)))
    dense = (16384 * 1024 + 1024) + (1024 * 16384 + 16384)
    up = 1024 * (4 * 512) * 9 + 4 * 512
    assert _parameters(model.encoder) == convolutions + dense + up
    assert _parameters(model.encoder) / 1e6 == pytest.approx(69.7, abs=0.05)
    ups = sum(i * 4 * o * 9 + 4 * o for i, o in ((512, 256), (256, 128), (128, 64)))
    for decoder in model.decoders.values():
        assert _parameters(decoder) == ups + 64 * 3 * 25 + 3
        assert _parameters(decoder) / 1e6 == pytest.approx(6.2, abs=0.05)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_faces_come_out_as_large_as_they_went_in(name: str) -> None:
    model, size = _without_memory(name), PRESETS[name].size
    assert str(size) in name
    given = {"subject": 3, "donor": 2}
    made = model({side: torch.empty(count, 3, size, size, device="meta") for side, count in given.items()})
    assert {side: faces.shape for side, faces in made.items()} == {s: (n, 4, size, size) for s, n in given.items()}


def _priors() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(4)
    return torch.rand(3, 64, 64, generator=generator) * 0.9 + 0.05, torch.rand(64, 64, generator=generator) * 0.9 + 0.05


def test_at_step_0_a_decoder_gives_its_mean_face_whatever_it_is_shown() -> None:
    torch.manual_seed(0)
    model = SwapModel(MICRO)
    (donor_rgb, donor_mask), subject_rgb = _priors(), torch.full((3, 64, 64), 0.3)
    model.set_prior("donor", donor_rgb, donor_mask)
    model.set_prior("subject", subject_rgb, donor_mask)
    with torch.inference_mode():
        made = model.decode(model.encoder(torch.rand(5, 3, 64, 64)), "donor")
        own = model.decode(model.encoder(torch.rand(1, 3, 64, 64)), "subject")
    assert (made[:, :3] - donor_rgb).abs().max() < 1 / 255
    assert (made[:, 3] - donor_mask).abs().max() < 1 / 255
    assert (own[:, :3] - subject_rgb).abs().max() < 1 / 255


def test_black_and_white_in_a_mean_face_stay_finite() -> None:
    model = SwapModel(TINY)
    model.set_prior("donor", torch.cat((torch.zeros(2, 64, 64), torch.ones(1, 64, 64))), torch.ones(64, 64))
    made = model.decode(model.encoder(torch.rand(1, 3, 64, 64)), "donor")
    assert made.isfinite().all()
    # not quite black or white, where no training could move them any more
    assert ((made[0, 0] > 0.01) & (made[0, 0] < 0.03)).all()
    assert ((made[0, 2] > 0.97) & (made[0, 2] < 0.99)).all()


def test_the_papers_model_has_neither_prior_nor_mask() -> None:
    torch.manual_seed(0)
    model = SwapModel(TINY_PAPER)
    faces = torch.rand(2, 3, 64, 64)
    before = model.decode(model.encoder(faces), "donor")
    rgb, mask = _priors()
    model.set_prior("donor", rgb, mask)
    assert torch.equal(model.decode(model.encoder(faces), "donor"), before)
    assert (before[:, :3] - rgb).abs().mean() > 0.1
    assert (before[:, 3] == 1).all()
    assert PRESETS["original64"].prior is False
    assert [name for name, preset in PRESETS.items() if not preset.prior] == ["original64"]


def test_the_decoders_share_nothing_but_the_code() -> None:
    model = SwapModel(TINY)
    subject, donor = (set(map(id, decoder.parameters())) for decoder in model.decoders.values())
    assert not subject & donor
    torch.nn.init.normal_(model.decoders["donor"].last.weight)
    faces = torch.rand(2, 3, 64, 64)
    code = model.encoder(faces)
    assert not torch.allclose(model.decode(code, "donor"), model.decode(code, "subject"))
    made = model({"subject": faces, "donor": faces})
    torch.testing.assert_close(made["subject"], model.decode(code, "subject"))
    torch.testing.assert_close(made["donor"], model.decode(code, "donor"))
