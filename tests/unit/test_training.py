"""What pass 2 makes of both sides' faces before training, what of it is wiped, and what the statement says of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from deid_audit.faces.align import OVAL_SHARE
from deid_audit.faces.choose import expressions, features_of
from deid_audit.frames import AlignedFace
from deid_audit.pipeline import learning, run, training
from deid_audit.pipeline.cast import Material, average_colours
from deid_audit.pipeline.training import donor_prior, prepare_faces, train_pair
from deid_audit.progress import SilentProgress
from deid_audit.settings import RunSettings
from deid_audit.swap import prior as prior_module
from deid_audit.swap.augment import CROP_MARGIN
from deid_audit.swap.networks import PRESETS
from deid_audit.swap.prior import HAIR
from deid_audit.swap.train import train
from deid_audit.vault import Vault
from tests.conftest import Portrait, Portraits
from tests.unit.made_faces import made_face, made_layout
from tests.unit.swap_faces import crops_of, probe_of
from tests.unit.taught import taught_in_a_thread

MICRO = PRESETS["micro64"]
SIZE = round(MICRO.size * CROP_MARGIN)


def _material(person: Portrait, *, large: int = 0) -> Material:
    crops = crops_of(person, 4)
    return Material(
        crops=crops,
        portraits=crops_of(person, large, size=320),
        attention=[np.zeros_like(face.mask) for face in crops],
        features=features_of(crops),
        probe=[],
        descriptors=np.ones((4, 128), np.float32),
    )


@pytest.mark.parametrize(("times", "texture_px"), [(0.5, 80), (1.0, 80), (2.4, 240), (9.0, 320)])
def test_the_donors_mean_face_is_as_large_as_the_subjects_face_asks_for(
    portraits: Portraits, times: float, texture_px: int
) -> None:
    """A multiple of the net's side, and no larger than a swap is ever made."""
    own, given = _material(portraits.hopper), _material(portraits.astronaut, large=3)
    priors, faces = prepare_faces(own, given, MICRO, "cpu", face_px=times * OVAL_SHARE * MICRO.size)
    assert priors["donor"].texture.shape[0] == texture_px
    assert priors["subject"].texture.shape[0] == SIZE
    assert [tuple(faces[side].planes.shape) for side in priors] == [(4, 9, SIZE, SIZE)] * 2
    for prior in priors.values():
        assert prior.margin == CROP_MARGIN
        assert prior.open_mouth is not None
        assert prior.open_mouth.texture.shape[0] == SIZE


def test_the_donor_is_in_the_subjects_colours_and_only_the_subjects_hair_is_kept(portraits: Portraits) -> None:
    own, given = _material(portraits.astronaut), _material(portraits.hopper, large=3)
    before = [face.crop_rgb.copy() for face in (*given.crops, *given.portraits)]
    priors, faces = prepare_faces(own, given, MICRO, "cpu", face_px=50)
    wanted = average_colours(own.crops).mean
    trained_on = [
        replace(face, crop_rgb=np.ascontiguousarray(planes[:3].permute(1, 2, 0)))
        for planes, face in zip(faces["donor"].planes, given.crops, strict=True)
    ]
    np.testing.assert_allclose(average_colours(trained_on).mean, wanted, atol=2)
    assert np.abs(average_colours(given.crops).mean - wanted).max() > 8
    for face, was in zip((*given.crops, *given.portraits), before, strict=True):
        np.testing.assert_array_equal(face.crop_rgb, was)
    assert priors["subject"].texture[..., HAIR].max() > 0.99
    assert not priors["donor"].texture[..., HAIR].any()
    # the fringe is in the subject's own mask, and would not be in a donor's
    inside = np.minimum.reduce([face.mask for face in own.crops]) > 0.99
    assert (faces["subject"].planes[0, 3].numpy()[inside] > 250).mean() > 0.95
    swapped = prepare_faces(given, _material(portraits.astronaut, large=3), MICRO, "cpu", face_px=50)[1]
    assert (swapped["donor"].planes[0, 3].numpy()[inside] > 250).mean() < 0.9


def test_a_donors_mean_face_is_of_the_portraits_nearest_to_the_shared_expression() -> None:
    def face(level: int, lips: float, size: int) -> AlignedFace:
        return made_face(made_layout(lips=lips), np.full((size, size, 3), level, np.uint8), margin=CROP_MARGIN)

    portraits = [*(face(60, 0.0, 160) for _ in range(3)), *(face(200, 0.01 * gap, 160) for gap in range(5, 15))]
    crops = [face(90, 0.0, SIZE), face(120, 0.05, SIZE), face(120, 0.06, SIZE)]
    for lips, level in ((0.0, 60), (0.1, 200)):
        neutral = expressions(features_of([face(0, lips, SIZE)]), features_of(crops))[0]
        prior = donor_prior(portraits, crops, neutral, SIZE)
        assert prior.texture.shape == (SIZE, SIZE, 5)
        assert prior.texture[40, 40, 0] * 255 == pytest.approx(level, abs=1)
        assert prior.open_mouth is not None
        assert prior.open_mouth.texture[40, 40, 0] * 255 == pytest.approx(110, abs=1)


class _Kept:
    """A vault that remembers how what was registered is wiped."""

    def __init__(self) -> None:
        self.wipes: dict[str, Callable[[], object]] = {}
        self.sizes: dict[str, int] = {}

    def register_memory(self, kind: str, size_bytes: int, wipe: Callable[[], object]) -> None:
        self.wipes[kind], self.sizes[kind] = wipe, size_bytes


class _Heard(SilentProgress):
    """What is said to the person who waits."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.parametrize("holds", [True, False])
def test_a_pair_is_trained_kept_and_wiped_and_what_its_probe_lacks_is_said(
    portraits: Portraits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, holds: bool
) -> None:
    own, given = _material(portraits.hopper), _material(portraits.astronaut, large=2)
    asked: list[Any] = []
    subject = SimpleNamespace(average=np.zeros(128, np.float32))
    donor = SimpleNamespace(
        pack=None, average=np.ones(128, np.float32), material=lambda *_, near, **__: asked.append(near) or given
    )
    probe = probe_of(lambda step: holds)
    monkeypatch.setattr(training, "gather_subject", lambda *_, **__: own)
    monkeypatch.setattr(training, "face_height", lambda _: 50.0)
    monkeypatch.setattr(learning, "make_probe", lambda *_: SimpleNamespace(frames=()))
    monkeypatch.setattr(learning, "train", lambda *a, **more: train(*a, **more | {"probe": probe}))
    heard = _Heard()
    settings = SimpleNamespace(preset="micro64", iterations=2, train_seconds=None, seed=0)
    with taught_in_a_thread(monkeypatch, tmp_path) as (vault, trainee):
        pair = train_pair(
            *cast(Any, (subject, donor)), **cast(Any, {"settings": settings, "progress": heard}),
            vault=vault, trainee=trainee, device="cpu", engines=cast(Any, SimpleNamespace(recognizer=None)),
        )  # fmt: skip
        trainee.end()
        # the model and its mean faces are the vault's
        faces = [array for prior in pair.model.priors.values() for array in prior.arrays()]
        assert len(faces) == 12  # texture, shape and its triangles, of face and open mouth, of two people
        faces += [face.crop_rgb for face in (*own.crops, *given.portraits)]
        assert all(array.any() for array in faces)
    assert not any(array.any() for array in faces)
    assert not any(weights.any() for weights in pair.model.parameters())
    kinds = {artefact.kind for artefact in vault.destroy().artefacts}
    assert {f"mean face of the {who}, in the process that trained" for who in ("subject", "donor")} < kinds
    assert asked[0] is own.features  # portraits are chosen near the subject
    assert pair.facts["swap_px"] == 64
    assert pair.facts["probe_lacks"] == ("" if holds else "a made floor")
    words = "training of the subject ended with held-out frames that may not pass a policy: a made floor"
    assert [text.startswith(words) for text in heard.said if text.startswith("training")] == ([] if holds else [True])
    [foreseen] = [text for text in heard.said if text.startswith("before training: ")]
    assert "50 px high" in foreseen
    assert pair.facts["foreseen"] in foreseen


def test_pictures_and_landmarks_of_the_faces_are_wiped_with_the_vault(portraits: Portraits) -> None:
    vault, material = _Kept(), _material(portraits.hopper, large=2)
    training._register(cast(Vault, vault), "subject", material)
    faces = [*material.crops, *material.portraits]
    arrays = [material.features, material.descriptors, *(face.crop_rgb for face in faces)]
    arrays += [face.layout_xy for face in faces]
    assert all(array.any() for array in arrays)
    assert sum(vault.sizes.values()) == sum(array.nbytes for array in arrays)
    for wipe in vault.wipes.values():
        wipe()
    assert not any(array.any() for array in arrays)


@pytest.mark.parametrize(("preset", "told"), [("micro64", True), ("hq128", True), ("original64", False)])
def test_the_statement_tells_of_the_posed_mean_face_where_there_is_one(preset: str, *, told: bool) -> None:
    pair: Any = SimpleNamespace(model=SimpleNamespace(preset=PRESETS[preset]), facts={})
    timer: Any = SimpleNamespace(seconds=dict.fromkeys(("reading", "finding faces", "training", "rendering"), 0.0))
    subject, donor, settings = (
        SimpleNamespace(others=()),
        SimpleNamespace(pack=None),
        RunSettings.model_construct(seed=0),
    )
    rows = run._stages(
        timer, cast(Any, subject), cast(Any, donor), pair, [], settings, "a test", marked=False, audio="drop"
    )
    [method] = [row[1] for row in rows if row[0] == "swap"]
    assert (prior_module.METHOD_TEXT in method) is told
