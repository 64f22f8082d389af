"""Hands near a face: MediaPipe Hands, 21 landmarks each, followed from frame to frame on the face's surroundings.

Looking around the face alone finds hands that are small in the whole picture, and costs the same whatever its size.
"""

import cv2
import numpy as np

from deid_audit.frames import Float, Image
from deid_audit.vision.models import HAND_LANDMARKS, PALM_DETECTION, model_path

HAND_LANDMARK_COUNT = 21
# wrist, then four joints of thumb, index, middle, ring and little finger, each from the palm to the tip
WRIST = 0
FINGERS = ((1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (17, 18, 19, 20))
PALM = (0, 1, 2, 5, 9, 13, 17)
_CROP_PX = 256
_CROP_PER_BOX = 2.2
# Followed rather than looked for anew: on clips with hands cut off by the frame's edge single pictures miss most.
_LEAST_SCORE = 0.4
_MOST_HANDS = 2


class HandFinder:
    """Follows up to two hands around one face; one instance a face, frames in their order."""

    def __init__(self) -> None:
        import mediapipe as mp  # noqa: PLC0415  (slow import)

        model_path(PALM_DETECTION)
        model_path(HAND_LANDMARKS)
        self._graph = mp.solutions.hands.Hands(
            static_image_mode=False,
            max_num_hands=_MOST_HANDS,
            model_complexity=1,
            min_detection_confidence=_LEAST_SCORE,
            min_tracking_confidence=_LEAST_SCORE,
        )

    def find(self, image_rgb: Image, box_xyxy: Float) -> list[Float]:
        """Landmarks float32 (21, 2) in px of the image, one array a hand found around the face's box (4,)."""
        centre = (box_xyxy[:2] + box_xyxy[2:]) / 2
        side = float((box_xyxy[2:] - box_xyxy[:2]).max()) * _CROP_PER_BOX
        if side < 4:
            return []
        image_to_crop = np.array([[1, 0, -centre[0]], [0, 1, -centre[1]]], np.float64) * (_CROP_PX / side)
        image_to_crop[:, 2] += _CROP_PX / 2
        smooth = cv2.INTER_AREA if side > _CROP_PX else cv2.INTER_CUBIC
        crop = cv2.warpAffine(image_rgb, image_to_crop, (_CROP_PX, _CROP_PX), flags=smooth)
        found = self._graph.process(crop).multi_hand_landmarks or []
        points = [np.array([(p.x, p.y) for p in hand.landmark], np.float64) * _CROP_PX for hand in found]
        return [((xy - image_to_crop[:, 2]) * (side / _CROP_PX)).astype(np.float32) for xy in points]

    def close(self) -> None:
        self._graph.close()
