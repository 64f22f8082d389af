"""Which program runs a model of the user's: ONNX Runtime where it has CUDA and was asked for it, else OpenCV.

ONNX Runtime is played by a stand-in that lets OpenCV do the arithmetic: it is no dependency, and no test has a GPU.
"""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from deid_audit.vision.onnx_network import onnx_network
from deid_audit.vision.rtmpose import RtmPose, keypoints_in_box
from tests.unit.onnx_files import write_simcc_model
from tests.unit.test_vision_rtmpose import patch_at

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
BLOB = np.random.default_rng(0).normal(size=(1, 3, 256, 192)).astype(np.float32)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_simcc_model(tmp_path / "end2end.onnx")


def runtime(*offered: str, usable: bool = True, broken: bool = False) -> Any:
    """ONNX Runtime as it would be installed: `usable` says whether CUDA's libraries are found, too."""

    class Session:
        def __init__(self, path: str, providers: list[str]) -> None:
            if broken:
                raise ValueError("no such opset")
            assert providers[0] == CUDA
            self.network = cv2.dnn.readNetFromONNX(path)

        def get_providers(self) -> list[str]:
            return [CUDA, CPU] if usable else [CPU]

        def get_inputs(self) -> list[SimpleNamespace]:
            return [SimpleNamespace(name="input")]

        def run(self, wanted: None, given: dict[str, np.ndarray]) -> list[np.ndarray]:
            if given["input"].shape != BLOB.shape:
                raise ValueError("Got invalid dimensions for input")
            self.network.setInput(given["input"])
            return list(self.network.forward(self.network.getUnconnectedOutLayersNames()))

    return SimpleNamespace(get_available_providers=lambda: list(offered), InferenceSession=Session)


def test_on_cuda_it_is_onnx_runtime_and_gives_the_same(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime(CUDA, CPU))
    network = onnx_network(model, "cuda")
    assert network.run_by == "ONNX Runtime on CUDA"
    for mine, theirs in zip(network.run(BLOB), onnx_network(model, "cpu").run(BLOB), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(RuntimeError, match="cannot run the model"):
        network.run(BLOB[..., :100])


@pytest.mark.parametrize(
    "installed",
    [None, runtime(CPU), runtime(CUDA, CPU, usable=False), runtime(CUDA, CPU, broken=True)],
    ids=["not installed", "without CUDA", "CUDA's libraries are missing", "the model is refused"],
)
def test_where_it_cannot_opencv_does(model: Path, monkeypatch: pytest.MonkeyPatch, installed: Any) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", installed)  # None makes an import fail
    assert onnx_network(model, "cuda").run_by == "OpenCV on a CPU"


def test_a_cpu_is_never_left_for_a_gpu(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime(CUDA, CPU))
    assert onnx_network(model, "cpu").run_by == "OpenCV on a CPU"


def test_the_statement_says_by_what_the_keypoints_were_found(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime(CUDA, CPU))
    box, found = np.array([100, 50, 400, 450], np.float32), []
    for device, said in (("cpu", "OpenCV on a CPU"), ("cuda", "ONNX Runtime on CUDA")):
        traits = RtmPose(model, device).traits
        assert said in traits.text and traits.settings["model_run_by"] == said
        found.append(keypoints_in_box(onnx_network(model, device), (192, 256), patch_at(250, 150), box))
    np.testing.assert_array_equal(*found)
