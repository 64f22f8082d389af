"""The recogniser that a user names: its alignment, its two ways to see a picture, and files that are none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deid_audit.errors import SettingsError
from deid_audit.frames import Float
from deid_audit.settings import AttackerKind, make_settings
from deid_audit.vision.mesh import NOSE_TIP
from deid_audit.vision.onnx_recognizer import SIDE_PX, OnnxRecognizer
from tests.conftest import Portraits
from tests.unit.onnx_files import write_embedding_model, write_simcc_model

TILES = 3 * (SIDE_PX // 16) ** 2
ASKED: dict[str, Any] = {
    "subjects": (Path("s.mp4"),), "donors": (Path("d.mp4"),), "policy": "release", "out": Path("o"), "case_id": "c",
}  # fmt: skip


def tile_model(path: Path) -> Path:
    """Every tile of the picture as a number of its own."""
    return write_embedding_model(path, np.eye(TILES, dtype=np.float32))


def landmarks_at_template() -> Float:
    """FaceMesh landmarks whose five points stand where ArcFace wants them."""
    points = np.full((478, 2), 56.0, np.float32)
    for corners, eye in (((33, 133), (38.2946, 51.6963)), ((362, 263), (73.5318, 51.5014))):
        points[list(corners)] = eye
    points[NOSE_TIP], points[61], points[291] = (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)
    return points


def test_a_face_where_the_template_has_it_is_seen_as_it_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(0, 256, (7, 7, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    tiles = image[::16, ::16].astype(np.float64)
    kinds: tuple[AttackerKind, ...] = ("arcface", "sface")
    expected = {"arcface": (tiles - 127.5) / 127.5, "sface": tiles[:, :, ::-1]}
    for kind in kinds:
        recogniser = OnnxRecognizer(kind, tile_model(tmp_path / "m.onnx"))
        row = recogniser.describe(image, landmarks_at_template())
        flat = expected[kind].transpose(2, 0, 1).ravel()
        np.testing.assert_allclose(row, flat / np.linalg.norm(flat), atol=2e-3)
        assert recogniser.length == TILES and f"{kind} ONNX model, sha256" in recogniser.method


def test_a_turned_and_moved_face_gives_the_same_row(tmp_path: Path) -> None:
    recogniser = OnnxRecognizer("sface", tile_model(tmp_path / "m.onnx"))
    rng = np.random.default_rng(1)
    image = np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((14, 14, 1))).astype(np.uint8)
    turned = np.ascontiguousarray(np.rot90(np.pad(image, ((0, 40), (0, 40), (0, 0)))))
    points = landmarks_at_template()
    moved = np.stack((points[:, 1], turned.shape[0] - 1 - points[:, 0]), axis=1)
    first, second = recogniser.describe(image, points), recogniser.describe(turned, moved.astype(np.float32))
    assert float(first @ second) > 0.999


def test_two_portraits_are_told_apart(portraits: Portraits, tmp_path: Path) -> None:
    recogniser = OnnxRecognizer("arcface", tile_model(tmp_path / "m.onnx"))
    first, second = (recogniser.describe(one.image_rgb, one.landmarks_xy) for one in portraits)
    again = recogniser.describe(portraits.hopper.image_rgb, portraits.hopper.landmarks_xy)
    assert np.array_equal(first, again) and float(first @ second) < 0.9


def test_what_is_no_recogniser_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("not a model")
    for path, words in (
        (tmp_path / "nowhere.onnx", "cannot be read"),
        (tmp_path / "text.onnx", "not a face recogniser"),
        (write_simcc_model(tmp_path / "pose.onnx"), "not a face recogniser"),
    ):
        with pytest.raises(SettingsError, match=words):
            OnnxRecognizer("arcface", path)
    for text in ("arcface", "arcface:", "facenet:m.onnx", ":m.onnx"):
        with pytest.raises(SettingsError, match=r"arcface:MODEL\.onnx or sface:MODEL\.onnx"):
            make_settings(**ASKED, attacker=text)
    assert make_settings(**ASKED, attacker="sface:m.onnx").attacker == ("sface", Path("m.onnx"))
