"""A second recogniser that the user names: ArcFace- or SFace-type networks as ONNX files, run by OpenCV.

It only attacks what was released; it takes no part in swapping, clearing or training. No model is shipped, none is
downloaded.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from deid_audit.digests import sha256_file
from deid_audit.errors import SettingsError
from deid_audit.frames import Float, Image
from deid_audit.settings import AttackerKind
from deid_audit.vision.mesh import NOSE_TIP

SIDE_PX = 112
# Where ArcFace's training puts eyes, nose and corners of the mouth in 112 px (Deng et al. 2019, arXiv 1801.07698).
_TEMPLATE = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)], np.float32
)
_CORNERS_OF_EYES = ((33, 133), (362, 263))  # FaceMesh, the image's left eye first
_CORNERS_OF_MOUTH = (61, 291)
_NEXT = "give a model with one input (1, 3, 112, 112) and one output, such as ArcFace's w600k_r50 or SFace"


class OnnxRecognizer:
    """An ONNX model from a file; `arcface` sees RGB scaled to -1..1, `sface` blue, green, red as they are.

    Raises:
        SettingsError: the file cannot be read, or is no such model.
    """

    def __init__(self, kind: AttackerKind, model: Path) -> None:
        try:
            self.sha256 = sha256_file(model)
        except OSError:
            raise SettingsError("--attacker: the model cannot be read", next_step=_NEXT) from None
        try:
            self._network: Any = cv2.dnn.readNetFromONNX(str(model))
            self._kind = kind
            length = self._row(np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)).size
        except (cv2.error, ValueError):
            length = 0
        if length < 2:
            raise SettingsError("--attacker: not a face recogniser that can be run", next_step=_NEXT)
        self.length = length

    @property
    def method(self) -> str:
        """What was run, for the statement."""
        numbers = f"{self.length} numbers a face, mean L2 to a person's pictures"
        return f"{self._kind} ONNX model, sha256 {self.sha256}, {numbers}"

    def describe(self, image_rgb: Image, landmarks_xy: Float) -> Float:
        """The face of FaceMesh's landmarks (478, 2) as a vector float32 (d,) of length 1; NaN where there is none."""
        points = landmarks_xy[:, :2].astype(np.float32)
        eyes = [points[list(corners)].mean(axis=0) for corners in _CORNERS_OF_EYES]
        five = np.stack([*eyes, points[NOSE_TIP], *(points[corner] for corner in _CORNERS_OF_MOUTH)])
        to_chip = cv2.estimateAffinePartial2D(five, _TEMPLATE, method=cv2.LMEDS)[0]
        if to_chip is None:
            return np.full(self.length, np.nan, np.float32)
        row = self._row(cv2.warpAffine(image_rgb, to_chip, (SIDE_PX, SIDE_PX)))
        size = float(np.linalg.norm(row))
        return np.asarray(row / size if size > 0 else np.full(self.length, np.nan), np.float32)

    def _row(self, chip_rgb: Image) -> Float:
        scale, mean = (1 / 127.5, 127.5) if self._kind == "arcface" else (1.0, 0.0)
        order = chip_rgb if self._kind == "arcface" else chip_rgb[:, :, ::-1]
        blob = ((order.astype(np.float32) - mean) * scale).transpose(2, 0, 1)[None]
        self._network.setInput(np.ascontiguousarray(blob))
        return np.asarray(self._network.forward(), np.float32).ravel()
