"""The recogniser: two portraits are two people, and one portrait at another size is the same person."""

import cv2
import numpy as np

from deid_audit.errors import StageError
from deid_audit.frames import Float, Image
from deid_audit.pipeline.doctor.steps.faces import portraits
from deid_audit.vision.recognizer import MATCH_DISTANCE, Recognizer

_SMALLER = 0.7


def recogniser(device: str) -> str:
    """Distances on both sides of dlib's own cut."""
    recognizer = Recognizer(device)
    chips: list[Image | None] = []
    for image_rgb, box_xyxy in portraits():
        small: Image = np.ascontiguousarray(cv2.resize(image_rgb, None, fx=_SMALLER, fy=_SMALLER))
        chips += [_chip(recognizer, image_rgb, box_xyxy), _chip(recognizer, small, box_xyxy * np.float32(_SMALLER))]
    first, first_small, second, second_small = recognizer.describe(chips)
    same = max(_distance(first, first_small), _distance(second, second_small))
    apart = _distance(first, second)
    if not same < MATCH_DISTANCE:
        raise StageError(f"one person at two sizes was told apart (distance {same:.2f}, below {MATCH_DISTANCE} needed)")
    if not apart > MATCH_DISTANCE:
        raise StageError(f"two people were taken for one (distance {apart:.2f}, above {MATCH_DISTANCE} needed)")
    return f"two people {apart:.2f} apart, one person {same:.2f} ({MATCH_DISTANCE} is the cut)"


def _chip(recognizer: Recognizer, image_rgb: Image, box_xyxy: Float) -> Image:
    chip = recognizer.chip(image_rgb, box_xyxy, None)
    if chip is None:
        raise StageError("a portrait's face could not be cut out")
    return chip


def _distance(first: Float, second: Float) -> float:
    return float(np.linalg.norm(first - second))
