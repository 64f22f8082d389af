"""Made people: a portrait with other proportions, so that more people can be shown than free portraits are at hand.

By dlib's descriptor the two are 0.68 and 0.67 from the portrait they are made of, 0.87 from each other, and 0.70 and
0.83 from Grace Hopper: other people by its cut of 0.6.
"""

from functools import cache

import cv2
import numpy as np

from deid_audit.frames import Float, Image
from deid_audit.pipeline.demo_clips import DONOR_MOTION, donor_portrait
from deid_audit.vision.detectors import MediaPipeDetector
from deid_audit.vision.mesh import FaceMesh
from tests.hard_cases.people import Person, moving

_EYES = ((33, 133, 159, 145), (263, 362, 386, 374))
_NOSE, _MOUTH, _CHIN = (1, 2, 98, 327), (13, 14, 61, 291), (152,)
# what of the face: (reach, wider, higher, to the left or right, down), lengths in shares of the inter-ocular distance
_Change = tuple[float, float, float, float, float]


@cache
def narrow_eyed() -> Person:
    """Small eyes near each other, a broad nose and mouth, a long chin."""
    portrait = _changed(
        eye=(0.35, 0.75, 0.7, 0.06, 0), nose=(0.4, 1.5, 1.2, 0, 0.05), mouth=(0.5, 1.3, 1.1, 0, 0.08),
        chin=(0.6, 1.2, 1.2, 0, 0.1),
    )  # fmt: skip
    return moving("narrow-eyed", portrait, DONOR_MOTION)


@cache
def long_faced() -> Person:
    """Large eyes far apart, a small nose and mouth, a narrow chin; the whole face longer."""
    portrait = _changed(
        eye=(0.4, 1.3, 1.4, -0.04, 0), nose=(0.4, 0.7, 0.8, 0, -0.1), mouth=(0.5, 0.7, 0.8, 0, -0.06),
        chin=(0.6, 0.8, 0.9, 0, -0.1),
    )  # fmt: skip
    return moving("long-faced", cv2.resize(portrait, None, fx=1, fy=1.25, interpolation=cv2.INTER_AREA), DONOR_MOTION)


def _changed(*, eye: _Change, nose: _Change, mouth: _Change, chin: _Change) -> Image:
    portrait = donor_portrait()
    mesh = FaceMesh(video=False)
    found = mesh.landmarks(portrait, MediaPipeDetector().detect(portrait).boxes_xyxy[0])
    mesh.close()
    assert found is not None
    points: Float = found[:, :2]
    unit = float(np.linalg.norm(points[263] - points[33]))
    mirrored = (*eye[:3], -eye[3], eye[4])
    height, width = portrait.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    to_x, to_y = x.copy(), y.copy()
    parts = ((_EYES[0], eye), (_EYES[1], mirrored), (_NOSE, nose), (_MOUTH, mouth), (_CHIN, chin))
    for where, (reach, wider, higher, aside, down) in parts:
        centre_x, centre_y = points[list(where)].mean(0).tolist()
        near = np.exp(-((x - centre_x) ** 2 + (y - centre_y) ** 2) / (reach * unit) ** 2)
        to_x += near * ((x - centre_x) * (1 / wider - 1) - aside * unit)
        to_y += near * ((y - centre_y) * (1 / higher - 1) - down * unit)
    return np.asarray(cv2.remap(portrait, to_x, to_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8)
