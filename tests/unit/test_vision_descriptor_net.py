"""The recogniser's network in torch held to dlib's own, and to refusing any file that is not the tested one."""

import sys
from dataclasses import replace
from pathlib import Path

import dlib
import numpy as np
import pytest

from deid_audit.errors import StageError
from deid_audit.frames import Float, Image
from deid_audit.vision import models
from deid_audit.vision.descriptor_net import DescriptorNet
from deid_audit.vision.models import ALL_MODELS, RECOGNIZER, model_path, model_records
from deid_audit.vision.recognizer import MATCH_DISTANCE, Recognizer
from tests.conftest import Portraits

DLIB_TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def chips(portraits: Portraits, recognizer: Recognizer) -> list[Image]:
    """Both people at three scales and three brightnesses: 18 chips."""
    made = []
    for person in portraits:
        for factor in (1.0, 0.6, 0.35):
            for gain in (0.5, 1.0, 1.4):
                seen = person.resized(factor)
                lit = np.clip(seen.image_rgb * gain, 0, 255).astype(np.uint8)
                chip = recognizer.chip(lit, seen.box_xyxy, None)
                assert chip is not None
                made.append(chip)
    return made


@pytest.fixture(scope="module")
def dlib_rows(chips: list[Image]) -> Float:
    network = dlib.face_recognition_model_v1(str(model_path(RECOGNIZER)))
    return np.array([network.compute_face_descriptor(chip) for chip in chips], np.float32)


def _distances(rows: Float) -> Float:
    return np.linalg.norm(rows[:, None] - rows[None], axis=-1)


def test_descriptors_are_dlibs(chips: list[Image], dlib_rows: Float, recognizer: Recognizer) -> None:
    assert len(chips) >= 16
    rows = recognizer.describe(chips)
    assert np.abs(rows - dlib_rows).max() < DLIB_TOLERANCE
    # not because all chips are alike, or all values tiny
    assert _distances(dlib_rows).max() > 0.5
    assert np.abs(rows[0] - dlib_rows[-1]).max() > 1000 * DLIB_TOLERANCE


def test_decisions_are_dlibs_and_the_right_ones(chips: list[Image], dlib_rows: Float, recognizer: Recognizer) -> None:
    ours = _distances(recognizer.describe(chips)) < MATCH_DISTANCE
    np.testing.assert_array_equal(ours, _distances(dlib_rows) < MATCH_DISTANCE)
    same_person = np.kron(np.eye(2), np.ones((9, 9))).astype(bool)
    np.testing.assert_array_equal(ours, same_person)


@pytest.mark.parametrize("keep_share", [0.1, 0.5, 0.999])
def test_a_cut_off_weight_file_is_refused(tmp_path: Path, keep_share: float) -> None:
    whole = model_path(RECOGNIZER).read_bytes()
    (tmp_path / "weights.dat").write_bytes(whole[: int(len(whole) * keep_share)])
    with pytest.raises(StageError) as refused:
        DescriptorNet(tmp_path / "weights.dat")
    assert refused.value.next_step


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.dat").write_bytes(b"\x01\x05con_4" + bytes(range(256)))
    with pytest.raises(StageError):
        DescriptorNet(tmp_path / "weights.dat")
    (tmp_path / "weights.dat").write_bytes(b"not a network at all")
    with pytest.raises(StageError, match="29-layer"):
        DescriptorNet(tmp_path / "weights.dat")


def test_one_changed_byte_is_refused_by_the_pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "models_of_a_test"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    data = bytearray(model_path(RECOGNIZER).read_bytes())
    monkeypatch.syspath_prepend(str(tmp_path))
    copied = replace(RECOGNIZER, package=package.name)
    (package / RECOGNIZER.relative).write_bytes(data)
    assert model_path(copied).is_file()
    models.model_path.cache_clear()
    data[len(data) // 2] ^= 1
    (package / RECOGNIZER.relative).write_bytes(data)
    with pytest.raises(StageError, match="not the tested model") as refused:
        model_path(copied)
    assert refused.value.next_step
    assert str(tmp_path) not in str(refused.value)
    sys.modules.pop(package.name, None)


def test_a_wrong_pin_stops_the_recogniser_and_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(RECOGNIZER, sha256="0" * 64)
    monkeypatch.setattr("deid_audit.vision.recognizer.RECOGNIZER", wrong)
    with pytest.raises(StageError, match="expected 0000000000000000"):
        Recognizer()
    monkeypatch.setattr(models, "ALL_MODELS", (*ALL_MODELS[1:], wrong))
    with pytest.raises(StageError, match="not the tested model"):
        model_records()


def test_a_missing_package_or_file_is_named() -> None:
    with pytest.raises(StageError, match="package no_such_package_of_models is not installed"):
        model_path(replace(RECOGNIZER, package="no_such_package_of_models"))
    with pytest.raises(StageError, match="does not hold dlib_face"):
        model_path(replace(RECOGNIZER, relative="models/nothing.dat"))


def test_the_records_list_every_model_with_its_licence() -> None:
    records = model_records()
    assert len(records) == len(ALL_MODELS)
    assert len({record.sha256 for record in records}) == len(ALL_MODELS)
    for record in records:
        assert len(record.sha256) == 64
        assert record.licence
        assert record.used_for
    # dlib's 68-point model may not be used commercially
    assert not any("68" in record.name for record in records)
