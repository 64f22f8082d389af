"""Body keypoints with MediaPipe Pose in video mode: one fresh instance a video and method.

Smoothed, in COCO's order, for OKS (`PoseTracker`): that all but erases a 5 Hz movement of a few pixels. As found, all
33 points, for movement (`MovingBody`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.frames import Float, Image
from deid_audit.vision.models import POSE_DETECTION, POSE_LANDMARKS, model_path

# nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles (left, right) among BlazePose's 33
COCO17_OF_33 = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
_PERSON_CUT = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BodyPose:
    """`keypoints` float32 (17, 3): x, y in px, visibility in [0, 1]; `area_px2` of the person mask."""

    keypoints: Float
    area_px2: float


class PoseTracker:
    """Follows one person through one video, optionally inside a fixed window of the frame."""

    def __init__(self, *, window_xyxy: tuple[int, int, int, int] | None = None) -> None:
        import mediapipe as mp  # noqa: PLC0415  (slow import)

        model_path(POSE_DETECTION)
        model_path(POSE_LANDMARKS)
        self._window = window_xyxy
        self._graph = mp.solutions.pose.Pose(
            static_image_mode=False, model_complexity=1, smooth_landmarks=True, enable_segmentation=True
        )

    def track(self, image_rgb: Image) -> BodyPose | None:
        """The person in the next frame uint8 (H, W, 3), None when lost."""
        left, top = 0, 0
        if self._window is not None:
            left, top, right, bottom = self._window
            image_rgb = np.ascontiguousarray(image_rgb[top:bottom, left:right])
        height, width = image_rgb.shape[:2]
        result = self._graph.process(image_rgb)
        if result.pose_landmarks is None or result.segmentation_mask is None:
            return None
        points = result.pose_landmarks.landmark
        rows = [(points[i].x * width + left, points[i].y * height + top, points[i].visibility) for i in COCO17_OF_33]
        area = float((result.segmentation_mask > _PERSON_CUT).sum())
        return BodyPose(keypoints=np.array(rows, np.float32), area_px2=area)

    def close(self) -> None:
        self._graph.close()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BodyPoints:
    """`xy` float64 (33, 2) in px, `visibility` float64 (33,) in [0, 1], in MediaPipe Pose's order."""

    xy: NDArray[np.float64]
    visibility: NDArray[np.float64]


class MovingBody:
    """Follows one person through one video without smoothing: each frame's points are those of that frame."""

    def __init__(self) -> None:
        import mediapipe as mp  # noqa: PLC0415  (slow import)

        model_path(POSE_DETECTION)
        model_path(POSE_LANDMARKS)
        self._graph = mp.solutions.pose.Pose(static_image_mode=False, model_complexity=1, smooth_landmarks=False)

    def find(self, image_rgb: Image) -> BodyPoints | None:
        """The person in the next frame uint8 (H, W, 3), None when lost."""
        height, width = image_rgb.shape[:2]
        found = self._graph.process(image_rgb).pose_landmarks
        if found is None:
            return None
        rows = np.array([(p.x * width, p.y * height, p.visibility) for p in found.landmark], np.float64)
        return BodyPoints(xy=rows[:, :2], visibility=rows[:, 2])

    def close(self) -> None:
        self._graph.close()
