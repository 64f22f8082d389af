"""Hands with MediaPipe, 21 landmarks each, followed from frame to frame: near a face, or both hands of one person.

Looking around the face alone finds hands that are small in the whole picture, and costs the same whatever its size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

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
_FARTHEST = 2.0  # hand lengths between a hand's wrist and the body's: beyond, it is somebody else's


class HandFinder:
    """Follows up to two hands around one face; one instance a face, frames in their order."""

    def __init__(self) -> None:
        self._graph = _started()

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundHand:
    """`xy` float64 (21, 2) px; `looks_left` is what MediaPipe takes it for, said of the subject's own side."""

    xy: NDArray[np.float64]
    looks_left: bool

    @property
    def length_px(self) -> float:
        """From the wrist to the middle fingertip along the joints."""
        bones = np.diff(self.xy[[WRIST, *FINGERS[2]]], axis=0)
        return float(np.hypot(bones[:, 0], bones[:, 1]).sum())


class MovingHands:
    """Follows up to two hands through one video, unsmoothed; one fresh instance a video."""

    def __init__(self) -> None:
        self._graph = _started()

    def find(self, square_rgb: Image) -> list[FoundHand]:
        """The hands in the next frame uint8 (S, S, 3), which must be square: MediaPipe turns hands as if it were."""
        side = square_rgb.shape[0]
        if square_rgb.shape[1] != side:
            raise ValueError("square_rgb must be square")
        found = self._graph.process(square_rgb)
        hands = zip(found.multi_hand_landmarks or (), found.multi_handedness or (), strict=True)
        # MediaPipe's labels are for a mirrored picture, as of a selfie; these pictures are not
        return [
            FoundHand(
                xy=np.array([(p.x * side, p.y * side) for p in points.landmark], np.float64),
                looks_left=label.classification[0].label == "Right",
            )
            for points, label in hands
        ]

    def close(self) -> None:
        self._graph.close()


def by_side(
    hands: Sequence[FoundHand], wrists_xy: NDArray[np.float64]
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """The subject's left and right hand (21, 2) among those found; None where there is none.

    `wrists_xy` (2, 2) are the body's left and right wrist in px, NaN where it is not seen. A hand is of the side whose
    wrist is nearest, the nearest first, and nobody's beyond two hand lengths. Where no wrist is seen it is of the side
    it looks like; of two that look alike, the one that MediaPipe found first.
    """
    places: list[NDArray[np.float64] | None] = [None, None]
    seen = np.isfinite(wrists_xy).all(axis=1)
    if not seen.any():
        for hand in hands:
            side = 0 if hand.looks_left else 1
            places[side] = hand.xy if places[side] is None else places[side]
        return places[0], places[1]
    claims = sorted(
        (float(np.hypot(*(hand.xy[WRIST] - wrists_xy[side]))) / max(hand.length_px, 1.0), number, side)
        for number, hand in enumerate(hands)
        for side in np.flatnonzero(seen).tolist()
    )
    taken: set[int] = set()
    for distance, number, side in claims:
        if distance <= _FARTHEST and number not in taken and places[side] is None:
            places[side] = hands[number].xy
            taken.add(number)
    return places[0], places[1]


def _started() -> Any:
    import mediapipe as mp  # noqa: PLC0415  (slow import)

    model_path(PALM_DETECTION)
    model_path(HAND_LANDMARKS)
    return mp.solutions.hands.Hands(
        static_image_mode=False,
        max_num_hands=_MOST_HANDS,
        model_complexity=1,
        min_detection_confidence=_LEAST_SCORE,
        min_tracking_confidence=_LEAST_SCORE,
    )
