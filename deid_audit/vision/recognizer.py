"""The identity auditor: dlib's boxes, five landmarks and chips, its network run in torch.

Never part of a loss. Where HOG finds no face it looks again at twice the scale, then takes the track's box with
five points of the mesh; a face that still cannot be described is a finding, not a pass.
"""

from collections.abc import Sequence

import cv2
import dlib
import numpy as np
import torch

from deid_audit.frames import Float, Image
from deid_audit.vision.descriptor_net import DescriptorNet
from deid_audit.vision.detectors import HogDetector, iou_matrix
from deid_audit.vision.mesh import FIVE_POINTS
from deid_audit.vision.models import LANDMARKS_5, RECOGNIZER, model_path
from deid_audit.vision.transfer import on_device

MATCH_DISTANCE = 0.6
_CHIP_PX, _CHIP_PADDING = 150, 0.25
_SEARCH_PER_BOX = 2.2
_BATCH = 16

METHOD_TEXT = (
    "Identity is dlib's 128-D face descriptor (dlib_face_recognition_resnet_model_v1): frontal HOG box, five "
    "landmarks, a 150 px chip with padding 0.25, and the network run in torch from dlib's own weights. Where HOG "
    "finds no face it is tried at twice the scale, then five FaceMesh points are used; Euclidean distance, 0.6 is "
    "dlib's own cut for 'same person'."
)


class Recognizer:
    """Chips and descriptors of faces; `device` is a torch device name."""

    def __init__(self, device: str = "cpu") -> None:
        self._hog = HogDetector()
        self._points = dlib.shape_predictor(str(model_path(LANDMARKS_5)))
        self._net = DescriptorNet(model_path(RECOGNIZER)).to(device).eval()
        self._device = device

    def chip(self, image_rgb: Image, box_xyxy: Float, landmarks_xy: Float | None) -> Image | None:
        """The face chip uint8 (150, 150, 3) of the face that stands in `box_xyxy`; None when it cannot be made.

        HOG looks only around the box: the face asked for, not another one. `landmarks_xy` (478, 2) of the mesh are
        the last resort.
        """
        window, window_to_image, scale = self._search_window(image_rgb, box_xyxy)
        for upsample in (0, 1):
            found = self._hog.detect(window, upsample=upsample)
            boxes = found.boxes_xyxy / scale + np.tile(window_to_image, 2)
            if len(boxes):
                overlaps = iou_matrix(np.asarray(box_xyxy, np.float32)[None], boxes)[0]
                best = int(overlaps.argmax())
                if overlaps[best] > 0.15:
                    left, top, right, bottom = (round(float(edge)) for edge in boxes[best])
                    shape = self._points(image_rgb, dlib.rectangle(left, top, right - 1, bottom - 1))
                    return self._cut(image_rgb, shape)
        if landmarks_xy is None:
            return None
        return self.chip_from_mesh(image_rgb, landmarks_xy)

    def chip_from_mesh(self, image_rgb: Image, landmarks_xy: Float) -> Image:
        """The chip from five mesh points: cheaper than HOG, a little off dlib's own five points."""
        points = dlib.points([dlib.point(round(x), round(y)) for x, y in landmarks_xy[list(FIVE_POINTS), :2].tolist()])
        left, top, right, bottom = (int(v) for v in (*landmarks_xy.min(0)[:2], *landmarks_xy.max(0)[:2]))
        return self._cut(image_rgb, dlib.full_object_detection(dlib.rectangle(left, top, right, bottom), points))

    def describe(self, chips: Sequence[Image | None], *, batch: int = _BATCH) -> Float:
        """Descriptors float32 (n, 128), so many at once; the row of a missing chip is NaN."""
        rows = np.full((len(chips), 128), np.nan, np.float32)
        present = [i for i, chip in enumerate(chips) if chip is not None]
        made = []
        with torch.inference_mode():
            for start in range(0, len(present), batch):
                together = present[start : start + batch]
                pixels = on_device(np.stack([chips[i] for i in together]), self._device)  # type: ignore[misc]
                made.append(self._net(pixels.permute(0, 3, 1, 2).float()))
            if made:  # read back at the end: a GPU works on one batch while the next is stacked
                rows[present] = torch.cat(made).cpu().numpy()
        return rows

    def _search_window(self, image_rgb: Image, box_xyxy: Float) -> tuple[Image, Float, float]:
        """The surroundings of a box, large faces scaled down to what HOG needs: window, its origin px, its scale."""
        height, width = image_rgb.shape[:2]
        centre = (box_xyxy[:2] + box_xyxy[2:]) / 2
        half = float((box_xyxy[2:] - box_xyxy[:2]).max()) * _SEARCH_PER_BOX / 2
        left, top = (int(max(0, v)) for v in centre - half)
        right, bottom = int(min(width, centre[0] + half)), int(min(height, centre[1] + half))
        window = image_rgb[top:bottom, left:right]
        scale = min(1.0, 360 / max(1.0, 2 * half))
        if window.size == 0:
            return np.zeros((8, 8, 3), np.uint8), np.zeros(2, np.float32), 1.0
        if scale < 1:
            window = cv2.resize(window, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(window), np.array((left, top), np.float32), scale

    @staticmethod
    def _cut(image_rgb: Image, shape: dlib.full_object_detection) -> Image:
        return np.asarray(dlib.get_face_chip(image_rgb, shape, size=_CHIP_PX, padding=_CHIP_PADDING))
