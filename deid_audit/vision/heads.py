"""Where a visible person's head must be, whether or not a face can be seen: MediaPipe's detector of bodies.

It sees people from behind, in the dark and with a hand before the face. It says nothing about who they are, and its
heads are too coarse to swap: they tell what must be covered.
"""

from dataclasses import dataclass

import numpy as np

from deid_audit.errors import StageError
from deid_audit.frames import Float, Image
from deid_audit.vision.models import POSE_DETECTION, PinnedModel, model_path

_GRAPH = """
input_stream: "image"
output_stream: "detections"
node { calculator: "PoseDetectionCpu" input_stream: "IMAGE:image" output_stream: "DETECTIONS:detections" }
"""
_SHOULDERS, _ABOVE_HEAD = 2, 3  # the detector's keypoints: middle of the shoulders, a point above the head
# Measured on 715 faces of 19 clips, from a whole body to a face that fills the frame, in units of the length from the
# shoulders to the point above the head: the face's centre lies at 0.30 (1st to 99th percentile 0.23 to 0.36) along
# that line and within 0.10 beside it, the face is 0.31 (0.24 to 0.38) high, and a square of 0.52 holds 99 % of them.
_ALONG = 0.305
_HALF_SIDE = 0.26
_SAME_HEAD = 0.5  # of a head's side: nearer heads are one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heads:
    """`boxes_xyxy` float32 (n, 4) px squares, partly outside the frame at its border; `scores` float32 (n,)."""

    boxes_xyxy: Float
    scores: Float


class HeadFinder:
    """Finds the heads of all people in a frame by their bodies; keeps no state between frames. Close it at the end."""

    name = "MediaPipe body detection"
    family = "blazepose"
    models: tuple[PinnedModel, ...] = (POSE_DETECTION,)

    def __init__(self) -> None:
        import mediapipe.calculators.util  # noqa: F401, PLC0415  (the graph's output types)
        from google.protobuf import text_format  # type: ignore[import-untyped]  # noqa: PLC0415
        from mediapipe.framework import calculator_pb2  # noqa: PLC0415
        from mediapipe.python.solution_base import SolutionBase  # noqa: PLC0415

        model_path(POSE_DETECTION)
        graph = text_format.Parse(_GRAPH, calculator_pb2.CalculatorGraphConfig())
        self._graph = SolutionBase(graph_config=graph, outputs=["detections"])

    def find(self, image_rgb: Image, *, several: bool = False) -> Heads:
        """The heads of an upright RGB image uint8 (H, W, 3), best first.

        `several` also looks at overlapping squares of the frame, as one look finds about two people in a crowd.
        StageError when the detector gives values that are not numbers.
        """
        found = self._look(image_rgb, (0, 0))
        if several:
            for left, top in _squares(image_rgb.shape[:2]):
                side = min(image_rgb.shape[:2])
                square = np.ascontiguousarray(image_rgb[top : top + side, left : left + side])
                found += self._look(square, (left, top))
        kept: list[tuple[float, Float]] = []
        for score, box in sorted(found, key=lambda one: -one[0]):
            if not any(is_near(box, other) for _, other in kept):
                kept.append((score, box))
        return Heads(
            boxes_xyxy=np.array([box for _, box in kept], np.float32).reshape(-1, 4),
            scores=np.array([score for score, _ in kept], np.float32),
        )

    def close(self) -> None:
        self._graph.close()

    def _look(self, image_rgb: Image, offset_xy: tuple[int, int]) -> list[tuple[float, Float]]:
        height, width = image_rgb.shape[:2]
        found = []
        for person in self._graph.process(image_rgb).detections or ():
            points = person.location_data.relative_keypoints
            shoulders, above = (
                np.array((points[which].x * width, points[which].y * height)) + offset_xy
                for which in (_SHOULDERS, _ABOVE_HEAD)
            )
            centre, half = shoulders + _ALONG * (above - shoulders), _HALF_SIDE * float(np.hypot(*(above - shoulders)))
            box = np.concatenate((centre - half, centre + half)).astype(np.float32)
            if not np.isfinite(box).all():
                raise StageError("the body detector gave values that are not numbers")
            found.append((float(person.score[0]), box))
        return found


def is_near(first_xyxy: Float, second_xyxy: Float) -> bool:
    """Whether two head boxes are of one head: the centres within half the larger side.

    >>> is_near(np.float32([0, 0, 10, 10]), np.float32([4, 0, 14, 10]))
    True
    """
    sides = float(first_xyxy[2] - first_xyxy[0]), float(second_xyxy[2] - second_xyxy[0])
    apart = float(np.abs((first_xyxy[:2] + first_xyxy[2:] - second_xyxy[:2] - second_xyxy[2:]) / 2).max())
    return apart < _SAME_HEAD * max(sides)


def _squares(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Left and top of the squares of the frame's shorter side, each overlapping the next by half or more.

    >>> _squares((100, 180)), _squares((100, 100))
    ([(0, 0), (50, 0), (80, 0)], [])
    """
    height, width = shape[:2]
    side = min(height, width)
    if height == width:
        return []
    starts = sorted({*range(0, max(height, width) - side, max(1, side // 2)), max(height, width) - side})
    return [(start, 0) if width > height else (0, start) for start in starts]
