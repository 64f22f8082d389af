"""The detectors, the landmarks and the pose model, each on the two portraits that the demo moves."""

import numpy as np

from deid_audit.errors import StageError
from deid_audit.frames import Float, Image
from deid_audit.pipeline.demo_clips import donor_portrait, subject_portrait
from deid_audit.vision.detectors import CenterFaceDetector, FaceDetector, HogDetector, MediaPipeDetector, iou_matrix
from deid_audit.vision.mesh import LANDMARK_COUNT, FaceMesh, box_of
from deid_audit.vision.pose import PoseTracker

_LEAST_OVERLAP = 0.5
_LEAST_VISIBILITY = 0.5
_NOSE_AND_SHOULDERS = [0, 5, 6]


def portraits() -> tuple[tuple[Image, Float], ...]:
    """Both portraits with the box of the face, forehead to chin, as the mesh found it once."""
    return (
        (subject_portrait(), np.array((218, 118, 331, 241), np.float32)),
        (donor_portrait(), np.array((179, 70, 271, 177), np.float32)),
    )


def leading_detector() -> str:
    """The one that finds faces to swap."""
    return _finds_both(MediaPipeDetector())


def second_opinion() -> str:
    """The one that must agree before a frame is called clear."""
    return _finds_both(HogDetector())


def audit_detector() -> str:
    """The one that searches what was written."""
    return _finds_both(CenterFaceDetector())


def _finds_both(detector: FaceDetector) -> str:
    overlaps = []
    for image_rgb, box_xyxy in portraits():
        found = detector.detect(image_rgb)
        if len(found.boxes_xyxy) != 1:
            raise StageError(f"{len(found.boxes_xyxy)} faces were found in a portrait of one person")
        overlaps.append(float(iou_matrix(box_xyxy[None], found.boxes_xyxy)[0, 0]))
    if min(overlaps) < _LEAST_OVERLAP:
        raise StageError(f"a face was found in the wrong place (overlap {min(overlaps):.2f})")
    return f"{detector.name}: both faces, overlap at least {min(overlaps):.2f}"


def landmarks() -> str:
    """The mesh around both faces fills their boxes."""
    mesh = FaceMesh(video=False)
    overlaps = []
    for image_rgb, box_xyxy in portraits():
        points = mesh.landmarks(image_rgb, box_xyxy)
        if points is None:
            raise StageError("no landmarks were found on a portrait")
        overlaps.append(float(iou_matrix(box_xyxy[None], box_of(points[:, :2])[None])[0, 0]))
    mesh.close()
    if min(overlaps) < _LEAST_OVERLAP:
        raise StageError(f"the landmarks lie in the wrong place (overlap {min(overlaps):.2f})")
    return f"{LANDMARK_COUNT} points on both faces"


def keypoints() -> str:
    """Nose and shoulders of both people are seen, the nose inside the face."""
    for image_rgb, box_xyxy in portraits():
        tracker = PoseTracker()
        pose = tracker.track(image_rgb)
        tracker.close()
        if pose is None:
            raise StageError("no person was found in a portrait")
        if pose.keypoints[_NOSE_AND_SHOULDERS, 2].min() < _LEAST_VISIBILITY:
            raise StageError("nose and shoulders were not seen in a portrait")
        nose_xy = pose.keypoints[0, :2]
        if not (box_xyxy[:2] < nose_xy).all() or not (nose_xy < box_xyxy[2:]).all():
            raise StageError("the nose was found outside the face")
    return "nose and shoulders of both people"
