"""Face landmarks: MediaPipe FaceMesh on a crop brought to a fixed size, so small and far faces get landmarks too.

Two sides of a comparison must use the same crops and the same mode: crop and mode move landmarks by several
percent of the inter-ocular distance on small faces.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from deid_audit.frames import Float, Image
from deid_audit.vision.models import FACE_MESH, FACE_SHORT_RANGE, model_path

LANDMARK_COUNT = 478
_FOREHEAD, _CHIN = 10, 152
_CROP_PX = 320
_CROP_PER_BOX = 1.7
# the outline from forehead over the cheeks to the chin, in drawing order
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_EYE = (362, 382, 381, 380, 374, 373, 390, 249, 263, 466, 388, 387, 386, 385, 384, 398)
RIGHT_IRIS, LEFT_IRIS = range(468, 473), range(473, 478)
OUTER_CORNERS = (33, 263)  # of the eyes
LIDS_MIDDLE = ((145, 159), (374, 386))  # lower and upper
LIPS_MIDDLE = (14, 13)  # inner, lower and upper
BROWS_MIDDLE = (105, 334)
NOSE_TIP = 4
# eyes with their brows, and lips: what is not skin inside a face
BROWS_AND_EYES = (
    (70, 63, 105, 66, 107, 133, 153, 145, 163, 33),
    (300, 293, 334, 296, 336, 362, 380, 374, 390, 263),
)
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
FEATURE_RINGS = (*BROWS_AND_EYES, LIPS)
# dlib's five points: outer and inner corner of the image-right eye, of the image-left eye, base of the nose
FIVE_POINTS = (263, 362, 33, 133, 2)


def filled_hull(ring_xy: NDArray[np.float64], share: float, shape: tuple[int, ...]) -> Image:
    """The hull of a ring (n, 2) px about its mean, `share` as large, as uint8 (H, W) of 0 and 255."""
    centre = ring_xy.mean(0)
    hull = cv2.convexHull((centre + (ring_xy - centre) * share).astype(np.float32))[:, 0]
    canvas = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(canvas, np.round(hull).astype(np.int32), 255)
    return canvas


def reach_of(outline_xy: NDArray[np.float64], angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the outline (n, 2) lies from its mean in each direction, `angles` in radians as arctan2 gives them."""
    spokes = outline_xy - outline_xy.mean(0)
    own, radii = np.arctan2(spokes[:, 1], spokes[:, 0]), np.hypot(spokes[:, 0], spokes[:, 1])
    order = np.argsort(own)
    return np.asarray(np.interp(angles, own[order], radii[order], period=2 * np.pi))


def box_of(landmarks_xy: Float) -> Float:
    """Box float32 (4,) xyxy px around landmarks (n, 2)."""
    return np.asarray(np.concatenate((landmarks_xy.min(0), landmarks_xy.max(0))), np.float32)


def roll_of(landmarks_xy: Float) -> float:
    """Degrees clockwise by which the head is tilted, from forehead to chin, which a profile shows too; (-180, 180]."""
    down = landmarks_xy[_CHIN, :2] - landmarks_xy[_FOREHEAD, :2]
    return float(np.degrees(np.arctan2(-down[0], down[1])))


def quarter_turn(landmarks_xy: Float | None) -> float:
    """The quarter turn in degrees that brings this head nearest to upright; 0 without landmarks.

    The mesh fits an inverted face upright just as well, so whoever looks at a known face again must say how it lies.
    """
    return 0.0 if landmarks_xy is None else 90.0 * round(roll_of(landmarks_xy) / 90.0)


class FaceMesh:
    """Landmarks of the one face inside a box. `video=True` follows a face from frame to frame (one instance a face)."""

    def __init__(self, *, video: bool, min_score: float = 0.5) -> None:
        import mediapipe as mp  # noqa: PLC0415  (slow import)

        model_path(FACE_MESH)
        model_path(FACE_SHORT_RANGE)
        self._graph = mp.solutions.face_mesh.FaceMesh(
            static_image_mode=not video,
            max_num_faces=1,
            refine_landmarks=True,
            min_detection_confidence=min_score,
            min_tracking_confidence=min_score,
        )

    def landmarks(self, image_rgb: Image, box_xyxy: Float, *, turn_degrees: float = 0.0) -> Float | None:
        """Landmarks float32 (478, 3): x, y in px of the image, z in px (nearer is negative); None without a face.

        `turn_degrees` turns the crop before looking (a tilted head); the result is in the unturned image.
        """
        centre = (box_xyxy[:2] + box_xyxy[2:]) / 2
        side = float((box_xyxy[2:] - box_xyxy[:2]).max()) * _CROP_PER_BOX
        if side < 4:
            return None
        image_to_crop = cv2.getRotationMatrix2D(tuple(map(float, centre)), turn_degrees, _CROP_PX / side)
        image_to_crop[:, 2] += _CROP_PX / 2 - centre
        smooth = cv2.INTER_AREA if side > _CROP_PX else cv2.INTER_CUBIC
        crop = cv2.warpAffine(image_rgb, image_to_crop, (_CROP_PX, _CROP_PX), flags=smooth)
        found = self._graph.process(crop).multi_face_landmarks
        if not found:
            return None
        points = np.array([(p.x, p.y, p.z) for p in found[0].landmark], np.float64) * _CROP_PX
        crop_to_image = cv2.invertAffineTransform(image_to_crop)
        xy = points[:, :2] @ crop_to_image[:, :2].T + crop_to_image[:, 2]
        return np.column_stack((xy, points[:, 2] * side / _CROP_PX)).astype(np.float32)

    def close(self) -> None:
        self._graph.close()
