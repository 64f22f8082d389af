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
    images, seen, priors = (
        {side: torch.empty(count, planes, size, size, device="meta") for side, count in given.items()}
        for planes in (3, 4, 4)
    )
    made = model(images, seen, priors)
    assert {side: faces.shape for side, faces in made.items()} == {s: (n, 4, size, size) for s, n in given.items()}


def _drawn(count: int, planes: int, size: int = 64) -> torch.Tensor:
    """Random pictures, away from black and white."""
    return torch.rand(count, planes, size, size, generator=torch.Generator().manual_seed(planes)) * 0.9 + 0.05


def test_at_step_0_a_decoder_gives_its_posed_mean_face_whatever_it_is_shown() -> None:
    torch.manual_seed(0)
    model, donor, subject = SwapModel(MICRO), _drawn(5, 4), _drawn(5, 4).flip(0)
    with torch.inference_mode():
        code = model.encode(torch.rand(5, 3, 64, 64), subject)
        made, own = model.decode(code, "donor", donor), model.decode(code, "subject", subject)
    assert (made - donor).abs().max() < 1 / 255
    assert (own - subject).abs().max() < 1 / 255


def test_a_larger_prior_keeps_its_detail_under_what_the_net_adds() -> None:
    torch.manual_seed(0)
    model, fine = SwapModel(MICRO), _drawn(1, 4, 128)
    code = model.encode(_drawn(1, 3), _drawn(1, 4))
    with torch.inference_mode():
        assert (model.decode(code, "donor", fine) - fine).abs().max() < 1 / 255
        torch.nn.init.normal_(model.decoders["donor"].last.weight, std=0.05)
        added = torch.logit(model.decode(code, "donor", fine)) - torch.logit(fine)
        small = torch.logit(model.decode(code, "donor", _drawn(1, 4))) - torch.logit(_drawn(1, 4))
    # the same addition, made twice as large
    assert small.std() > 0.1
    halved = torch.nn.functional.avg_pool2d(added, 2)
    assert torch.corrcoef(torch.stack((halved.flatten(), small.flatten())))[0, 1] > 0.85


def test_black_and_white_in_a_mean_face_stay_finite() -> None:
    model = SwapModel(TINY)
    prior = torch.cat((torch.zeros(1, 2, 64, 64), torch.ones(1, 2, 64, 64)), 1)
    made = model.decode(model.encode(torch.rand(1, 3, 64, 64), prior), "donor", prior)
    assert made.isfinite().all()
    # not quite black or white, where no training could move them any more
    assert ((made[0, 0] > 0.01) & (made[0, 0] < 0.03)).all()
    assert ((made[0, 2] > 0.97) & (made[0, 2] < 0.99)).all()


def test_the_encoder_sees_what_the_prior_does_not_explain() -> None:
    torch.manual_seed(0)
    model, faces, prior = SwapModel(TINY), _drawn(2, 3), _drawn(2, 4)
    code = model.encode(faces, prior)
    # the same light on face and prior is nothing new, and the prior's mask is no picture
    lit = prior + 0.03
    torch.testing.assert_close(model.encode(faces + 0.03, lit), code)
    assert not torch.allclose(model.encode(faces + 0.03, prior), code)


def test_the_papers_model_has_neither_prior_nor_mask() -> None:
    torch.manual_seed(0)
    model = SwapModel(TINY_PAPER)
    faces, first, other = torch.rand(2, 3, 64, 64), _drawn(2, 4), torch.zeros(2, 4, 64, 64)
    before, after = (model.decode(model.encode(faces, prior), "donor", prior) for prior in (first, other))
    assert torch.equal(before, after)
    assert (before[:, :3] - first[:, :3]).abs().mean() > 0.1
    assert (before[:, 3] == 1).all()
    assert PRESETS["original64"].prior is False
    assert [name for name, preset in PRESETS.items() if not preset.prior] == ["original64"]


def test_the_decoders_share_nothing_but_the_code() -> None:
    model = SwapModel(TINY)
    subject, donor = (set(map(id, decoder.parameters())) for decoder in model.decoders.values())
    assert not subject & donor
    torch.nn.init.normal_(model.decoders["donor"].last.weight)
    faces, seen, prior = torch.rand(2, 3, 64, 64), _drawn(2, 4), _drawn(2, 4).flip(0)
    code = model.encode(faces, seen)
    own, other = model.decode(code, "subject", prior), model.decode(code, "donor", prior)
    assert not torch.allclose(other, own)
    both = {"subject": faces, "donor": faces}
    made = model(both, dict.fromkeys(both, seen), dict.fromkeys(both, prior))
    torch.testing.assert_close(made["subject"], own)
    torch.testing.assert_close(made["donor"], other)
