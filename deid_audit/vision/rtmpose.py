"""RTMPose-style models (Jiang et al. 2023, arXiv 2303.07399) that the user provides, as ONNX with SimCC output.

Top-down: the person's box comes from MediaPipe's pose, as does the person mask. `onnx_network.py` runs the network. No
model is shipped, and none is downloaded.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deid_audit.digests import sha256_file
from deid_audit.errors import SettingsError, StageError
from deid_audit.findings import Of
from deid_audit.frames import Float, Image
from deid_audit.vision.keypoint_detectors import Found, KeypointDetector, KeypointTraits, Window, stacked
from deid_audit.vision.onnx_network import OnnxNetwork, onnx_network
from deid_audit.vision.pose import BodyPose, PoseTracker

INPUT_SIZES = ((192, 256), (288, 384))  # (width, height) in which body models of RTMPose are published
_PER_PX = 2  # SimCC bins a pixel of the input
_POINTS = (17, 26, 133)  # COCO, Halpe26 and COCO-WholeBody: each begins with COCO's 17
_MEAN = np.array([123.675, 116.28, 103.53], np.float32)  # ImageNet's, RGB
_SPREAD = np.array([58.395, 57.12, 57.375], np.float32)
VISIBLE_SCORE = 0.3  # where mmpose begins to draw a keypoint
_PADDING = 1.5  # times the box of the visible keypoints; mmpose's 1.25 is for the box of the whole person
_NEXT = (
    "give an RTMPose body model as ONNX with outputs simcc_x and simcc_y, such as end2end.onnx from mmpose's archive "
    "of rtmpose-m 256x192"
)


class RtmPose:
    """Backend: an RTMPose-style model from a file, on `device` "cuda" or "cpu".

    Raises:
        SettingsError: `model` cannot be read, or is not such a model.
    """

    def __init__(self, model: Path, device: str = "cpu") -> None:
        try:
            digest = sha256_file(model)
        except OSError:
            raise SettingsError("--keypoints rtmpose:MODEL.onnx: the model cannot be read", next_step=_NEXT) from None
        self._model, self._device = model, device
        self._size, run_by = _input_size(model, device)
        width, height = self._size
        self.traits = KeypointTraits(
            method=f"RTMPose-style ONNX model {width}x{height}, COCO-17; box and area: MediaPipe Pose's person mask",
            text=(
                f"Keypoints: an RTMPose-style model that was given (sha256 {digest[:16]}..., input {width} x {height}, "
                f"run by {run_by}, no smoothing over time) on original, released, masked, blurred and pixelated video "
                f"and on the re-encoded original (the noise floor); keypoints of score {VISIBLE_SCORE} or more count. "
                "It sees the box that MediaPipe Pose puts around the person; whom that does not find is lost, and its "
                "person mask is the area."
            ),
            visible_cut=VISIBLE_SCORE,
            settings={"model_sha256": digest, "model_run_by": run_by},
        )

    def start(self, of: Of, *, window_xyxy: Window | None) -> KeypointDetector:
        return _TopDown(onnx_network(self._model, self._device), self._size, window_xyxy)


class _TopDown:
    def __init__(self, network: OnnxNetwork, size: tuple[int, int], window_xyxy: Window | None) -> None:
        self._network, self._size, self._window = network, size, window_xyxy
        self._boxes = PoseTracker(window_xyxy=window_xyxy)
        self._poses: list[BodyPose | None] = []

    def add(self, image_rgb: Image, face_xyxy: Float) -> None:
        person = self._boxes.track(image_rgb)
        if person is None:
            self._poses.append(None)
            return
        box = _box(person.keypoints, image_rgb, self._window)
        keypoints = keypoints_in_box(self._network, self._size, image_rgb, box)
        self._poses.append(BodyPose(keypoints=keypoints, area_px2=person.area_px2))

    def finish(self) -> Found:
        self._boxes.close()
        return stacked(self._poses)


def _box(keypoints: Float, image_rgb: Image, window: Window | None) -> Float:
    """The box of the visible keypoints; the window, or all of the frame, when hardly any is visible."""
    seen = keypoints[keypoints[:, 2] >= 0.5, :2]
    if len(seen) >= 3 and np.ptp(seen, axis=0).min() >= 1:
        return np.concatenate((seen.min(axis=0), seen.max(axis=0)))
    height, width = image_rgb.shape[:2]
    return np.array(window or (0, 0, width, height), np.float32)


def keypoints_in_box(
    network: OnnxNetwork, size: tuple[int, int], image_rgb: Image, box_xyxy: Float
) -> NDArray[np.float32]:
    """COCO's 17 keypoints (17, 3) of the person in a box (4,) px: x px, y px, score 0..1."""
    width, height = size
    centre = (box_xyxy[:2] + box_xyxy[2:]) / 2
    wide, high = (box_xyxy[2:] - box_xyxy[:2]) * _PADDING
    px = float(max(wide / width, high / height))  # of the frame, for one of the input: the box's shape is kept
    corner = centre - np.array([width, height]) / 2 * px
    input_to_frame = np.array([[px, 0, corner[0]], [0, px, corner[1]]])
    crop = cv2.warpAffine(image_rgb, input_to_frame, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    blob = np.ascontiguousarray(((crop - _MEAN) / _SPREAD).astype(np.float32).transpose(2, 0, 1)[None])
    along_x, along_y = _simcc(network.run(blob), size)
    if not (np.isfinite(along_x).all() and np.isfinite(along_y).all()):
        raise StageError("the keypoint model gave values that are not numbers", next_step=_NEXT)
    at = np.stack((along_x[:17].argmax(axis=1), along_y[:17].argmax(axis=1)), axis=1) / _PER_PX
    score = np.minimum(along_x[:17].max(axis=1), along_y[:17].max(axis=1))
    return np.column_stack((at * px + corner, np.clip(score, 0, 1))).astype(np.float32)


def _simcc(outputs: Sequence[Float], size: tuple[int, int]) -> tuple[Float, Float]:
    """The two outputs by their lengths (k, 2 width) and (k, 2 height); ValueError when they are not SimCC."""
    width, height = size
    by_length = {one.shape[2]: one[0] for one in outputs if one.ndim == 3 and one.shape[1] in _POINTS}
    if len(outputs) != 2 or set(by_length) != {width * _PER_PX, height * _PER_PX}:
        raise ValueError("not SimCC")
    return by_length[width * _PER_PX], by_length[height * _PER_PX]


def _input_size(model: Path, device: str) -> tuple[tuple[int, int], str]:
    """The size whose SimCC lengths fit, and by what the model is run.

    OpenCV does not tell a model's input, and a wrong one fails or does not fit.
    """
    for size in INPUT_SIZES:
        try:
            network = onnx_network(model, device)  # read anew: OpenCV spoils a network whose input changes size
            _simcc(network.run(np.zeros((1, 3, size[1], size[0]), np.float32)), size)
        except (cv2.error, RuntimeError, ValueError):
            continue
        return size, network.run_by
    sizes = " or ".join(f"{width}x{height}" for width, height in INPUT_SIZES)
    raise SettingsError(f"--keypoints rtmpose: not a SimCC model of input {sizes} with COCO's keypoints first",
                        next_step=_NEXT)  # fmt: skip
