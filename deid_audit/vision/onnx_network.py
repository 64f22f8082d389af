"""Runs an ONNX model that the user provides: on the GPU where ONNX Runtime offers it, else by OpenCV on a CPU.

ONNX Runtime is no dependency: its package for CUDA is the user's to install; without it only speed is missing.
"""

import importlib
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from deid_audit.frames import Float

_CUDA = "CUDAExecutionProvider"


class OnnxNetwork(Protocol):
    """A network that is ready: one input float32, all its outputs."""

    @property
    def run_by(self) -> str:
        """The program, for the statement."""
        ...

    def run(self, blob: Float) -> list[Float]:
        """The outputs for an input (1, 3, H, W); RuntimeError or cv2.error where it does not fit the model."""
        ...


def onnx_network(model: Path, device: str) -> OnnxNetwork:
    """The model, read anew; `device` "cuda" asks for the GPU, which is used where an installed ONNX Runtime can.

    Raises:
        cv2.error: OpenCV cannot read the file.
    """
    session = _session(model) if device == "cuda" else None
    return _OpenCv(model) if session is None else _OnnxRuntime(session)


def _session(model: Path) -> Any:
    """ONNX Runtime's session on the GPU; None where it is not installed, or cannot use this GPU or model."""
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError:
        return None
    if _CUDA not in runtime.get_available_providers():
        return None
    try:
        session = runtime.InferenceSession(str(model), providers=[_CUDA, "CPUExecutionProvider"])
    except Exception:  # its errors have no class of their own that is public; OpenCV has the word then
        return None
    return session if session.get_providers()[0] == _CUDA else None  # where CUDA fails it goes on without a word


class _OnnxRuntime:
    run_by = "ONNX Runtime on CUDA"

    def __init__(self, session: Any) -> None:
        self._session, self._input = session, session.get_inputs()[0].name

    def run(self, blob: Float) -> list[Float]:
        try:
            return [np.asarray(one) for one in self._session.run(None, {self._input: blob})]
        except Exception as error:  # as above; what does not fit the model must look alike for both programs
            raise RuntimeError("ONNX Runtime cannot run the model on this input") from error


class _OpenCv:
    run_by = "OpenCV on a CPU"

    def __init__(self, model: Path) -> None:
        self._network: Any = cv2.dnn.readNetFromONNX(str(model))

    def run(self, blob: Float) -> list[Float]:
        self._network.setInput(blob)
        return list(self._network.forward(self._network.getUnconnectedOutLayersNames()))
