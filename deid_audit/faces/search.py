"""Looking harder for faces that one look at a frame misses: small, sideways, upside down or in the dark.

Comes between the leading detector and the tracks. What it finds must also look like a face to the mesh, or be very
sure: at this strength of looking, hands and patterns pass for faces too.
"""

from collections.abc import Iterator
from itertools import cycle

import cv2
import numpy as np

from deid_audit.frames import Float, Image
from deid_audit.vision.detectors import Detections, FaceDetector, iou_matrix, overlap_of_smaller, turned_back
from deid_audit.vision.mesh import FaceMesh, box_of

EVERY_FRAMES = 3
METHOD_TEXT = (
    f"In every {EVERY_FRAMES}rd frame the same detector also looks at overlapping tiles of the frame, in turn as they "
    "are, with a grey border around the frame for faces that it cuts, and half as large for small faces; and where it "
    "saw nothing at the frame turned by 90, 180 and 270 degrees and brightened."
)
_SAME_FACE_IOU = 0.3
_PART_OF_FACE = 0.5  # of the smaller box
_AT_EDGE_PX = 4
_LARGEST_IN_FINE = 0.4  # of the tile
# Measured on seven real clips, CenterFace as reference: every false find had no landmarks and a score below 0.79.
_SURE_SCORE = 0.8
_LEAST_TILE_PX = 320
_PLAIN, _BORDERED, _FINE = range(3)
_TILE_STRIDE = 0.66
# Of eight faces that the frame's edge cuts by 40 % tiles find two without the border and seven with it.
_BORDER_PER_TILE = 0.25
_BORDER_GREY = (118, 118, 118)
_BRIGHTER_GAMMA = 0.45
_TURNS = (0.0, 90.0, -90.0, 180.0)


class HarderSearch:
    """One search for all frames of a video; keeps a mesh, so close it at the end."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector
        self._mesh = FaceMesh(video=False)
        self._ways = cycle((_PLAIN, _BORDERED, _FINE))

    def __call__(self, image_rgb: Image, found: Detections, *, nothing_seen: bool) -> Detections:
        """`found` with the faces it lacks: boxes in pixels of the image, best first among the new ones."""
        boxes, scores = list(found.boxes_xyxy), [float(score) for score in found.scores]
        turns = [0.0] * len(boxes)
        candidates = [(box, score, 0.0) for box, score in self._tiles(image_rgb, found.boxes_xyxy)]
        if nothing_seen:
            candidates += self._turned(image_rgb)
            candidates += [(box, score, 0.0) for box, score in self._brightened(image_rgb)]
        for box, score, turn in sorted(candidates, key=lambda candidate: -candidate[1]):
            known = np.array(boxes, np.float32).reshape(-1, 4)
            if len(known) and iou_matrix(box[None], known).max() >= _SAME_FACE_IOU:
                continue
            if score >= _SURE_SCORE or self._looks_like_a_face(image_rgb, box):
                boxes.append(box)
                scores.append(score)
                turns.append(turn)
        return Detections(
            boxes_xyxy=np.array(boxes, np.float32).reshape(-1, 4),
            scores=np.array(scores, np.float32),
            turns=np.array(turns, np.float32),
        )

    def close(self) -> None:
        self._mesh.close()

    def _looks_like_a_face(self, image_rgb: Image, box: Float) -> bool:
        for turn in _TURNS:
            points = self._mesh.landmarks(image_rgb, box, turn_degrees=turn)
            if points is not None and iou_matrix(box_of(points[:, :2])[None], box[None])[0, 0] >= _SAME_FACE_IOU:
                return True
        return False

    def _tiles(self, image_rgb: Image, known_xyxy: Float) -> Iterator[tuple[Float, float]]:
        """What is seen in overlapping tiles, without the parts of known faces that a tile's edge cuts through."""
        height, width = image_rgb.shape[:2]
        side = max(_LEAST_TILE_PX, min(width, height) // 2)
        way = next(self._ways)
        side = side // 2 if way == _FINE else side
        edge = round(side * _BORDER_PER_TILE) if way == _BORDERED else 0
        if edge:
            colour = cv2.BORDER_CONSTANT
            image_rgb = np.asarray(
                cv2.copyMakeBorder(image_rgb, edge, edge, edge, edge, colour, value=_BORDER_GREY), np.uint8
            )
        height, width = image_rgb.shape[:2]
        if side >= max(width, height):
            return
        for top in _starts(height, side):
            for left in _starts(width, side):
                tile = np.ascontiguousarray(image_rgb[top : top + side, left : left + side])
                for box, score in self._seen(tile):
                    moved = box + np.array((left, top, left, top), np.float32) - np.float32(edge)
                    cut = bool((box[:2] <= _AT_EDGE_PX).any() or (box[2:] >= side - _AT_EDGE_PX).any())
                    part = any(overlap_of_smaller(moved, one) >= _PART_OF_FACE for one in known_xyxy)
                    # finer tiles are for small faces only: they take the middle of a large one for another face
                    large = way == _FINE and float((box[2:] - box[:2]).max()) > _LARGEST_IN_FINE * side
                    if not (large or (part and (cut or way == _FINE))):
                        yield moved, score

    def _seen(self, image_rgb: Image) -> Iterator[tuple[Float, float]]:
        found = self._detector.detect(image_rgb)
        for box, score in zip(found.boxes_xyxy, found.scores, strict=True):
            yield box, float(score)

    def _turned(self, image_rgb: Image) -> Iterator[tuple[Float, float, float]]:
        """The frame in the three other quarter turns; boxes are turned back, each with its turn in degrees."""
        for quarters in (1, 2, 3):
            found = self._detector.detect(np.ascontiguousarray(np.rot90(image_rgb, quarters)))
            boxes = turned_back(found.boxes_xyxy, quarters, image_rgb.shape[1], image_rgb.shape[0])
            for box, score in zip(boxes, found.scores, strict=True):
                yield box, float(score), 90.0 * quarters

    def _brightened(self, image_rgb: Image) -> Iterator[tuple[Float, float]]:
        steps = (np.linspace(0, 1, 256) ** _BRIGHTER_GAMMA * 255).round().astype(np.uint8)
        yield from self._seen(np.asarray(cv2.LUT(image_rgb, steps)))


def _starts(length: int, side: int) -> list[int]:
    """Where tiles of `side` begin along an edge, the last one flush with its end.

    >>> _starts(1000, 500), _starts(300, 500)
    ([0, 330, 500], [0])
    """
    last = max(0, length - side)
    return sorted({*range(0, last, max(1, round(side * _TILE_STRIDE))), last})
