"""The audit's looks at one frame of the written file: one detector as the frame comes, or several in several ways.

Runs detectors and makes one set of boxes of what they saw; what a face there means is `measure/residue.py`'s question.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from deid_audit.frames import Float, Image
from deid_audit.vision.detectors import CenterFaceDetector, HogDetector, MmodDetector, iou_matrix, turned_back
from deid_audit.vision.models import PinnedModel

_SAME_FACE_IOU = 0.4
# Least scores, from untouched sample clips. At native scale nothing from 0.25 up was no face (390 frames of 13 clips),
# nor mirrored (72 frames of 9); a bystander's head cut by the border came to 0.28 to 0.31. A printed skull came to 0.36
# at twice the scale, to 0.39 turned by 180 degrees and to 0.16 with mmod; a blurred hand to 0.70 turned by 270.
# Of 47 known faces of 32 px or more native scale finds 0.74 at 0.5 and 0.85 at 0.3; a border of 64 px around the frame
# (repeated, grey or mirrored) finds no more.
_UPRIGHT_SCORE, _LARGE_SCORE, _TURNED_SCORE, _LYING_SCORE, _MMOD_SCORE = 0.3, 0.5, 0.5, 0.75, 0.5
MMOD_EVERY = 10
_LARGEST_PX = 2560 * 1440  # a 1080p frame at twice the scale takes CenterFace over 3 s on one core here


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """One way to look: `boxes` gives float32 (n, 4) px of the frame; taken in every `every`-th frame.

    `independent` is False for the family that cleared frames: what it sees counts, that it sees nothing does not.
    """

    name: str
    family: str
    boxes: Callable[[Image], Float]
    every: int = 1
    independent: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sighted:
    """Each face once: `boxes_xyxy` float32 (n, 4), and for each of them the names of the looks that saw it."""

    boxes_xyxy: Float
    seen_by: tuple[tuple[str, ...], ...]


class AuditSearch:
    """All looks of one audit, taken at frame after frame."""

    def __init__(self, *, thorough: bool = False) -> None:
        self.looks = _thorough_looks() if thorough else (_native(),)

    @property
    def models(self) -> tuple[PinnedModel, ...]:
        """The files it looks with."""
        return (*CenterFaceDetector.models, *(MmodDetector.models if len(self.looks) > 1 else ()))

    @property
    def families(self) -> frozenset[str]:
        """The families that neither swapped nor cleared."""
        return frozenset(look.family for look in self.looks if look.independent)

    @property
    def words(self) -> str:
        """What it looks with, for the certificate."""
        return "; ".join(look.name for look in self.looks)

    def see(self, image_rgb: Image, index: int) -> Sighted:
        """Every face that any look of frame `index` sees."""
        return united([(look.name, look.boxes(image_rgb)) for look in self.looks if index % look.every == 0])

    def detect(self, image_rgb: Image) -> Sighted:
        """What the looks see that are taken in every frame: what can be promised of any."""
        return united([(look.name, look.boxes(image_rgb)) for look in self.looks if look.every == 1])


def united(found: Sequence[tuple[str, Float]]) -> Sighted:
    """One box for each face of several looks: a box that overlaps an earlier one by 0.4 (IoU) is the same face.

    >>> one, other = np.float32([[0, 0, 10, 10]]), np.float32([[0, 0, 10, 9], [50, 50, 60, 60]])
    >>> united([("a", one), ("b", other)]).seen_by
    (('a', 'b'), ('b',))
    """
    boxes = np.empty((0, 4), np.float32)
    names: list[list[str]] = []
    for name, more in found:
        overlaps = iou_matrix(more, boxes)
        for box, row in zip(more, overlaps, strict=True):
            if len(row) and row.max() >= _SAME_FACE_IOU:
                names[int(row.argmax())].append(name)
            else:
                boxes = np.concatenate((boxes, np.asarray(box, np.float32)[None]))
                names.append([name])
    return Sighted(boxes_xyxy=boxes, seen_by=tuple(tuple(dict.fromkeys(each)) for each in names))


def _native() -> Look:
    detector = CenterFaceDetector(min_score=_UPRIGHT_SCORE)
    return Look(
        name=f"{detector.name} at native scale",
        family=detector.family,
        boxes=lambda image: detector.detect(image).boxes_xyxy,
    )


def _thorough_looks() -> tuple[Look, ...]:
    """Detectors of their own for every picture size: CenterFace is read anew whenever the size changes."""
    twice, mirror = CenterFaceDetector(min_score=_LARGE_SCORE), CenterFaceDetector(min_score=_UPRIGHT_SCORE)
    over, lying = CenterFaceDetector(min_score=_TURNED_SCORE), CenterFaceDetector(min_score=_LYING_SCORE)
    mmod, hog = MmodDetector(min_score=_MMOD_SCORE), HogDetector()

    def doubled(image_rgb: Image) -> Float:
        scale = max(1.0, min(2.0, (_LARGEST_PX / (image_rgb.shape[0] * image_rgb.shape[1])) ** 0.5))
        large = cv2.resize(image_rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        return np.asarray(twice.detect(large).boxes_xyxy / scale, np.float32)

    def mirrored(image_rgb: Image) -> Float:
        boxes = mirror.detect(np.ascontiguousarray(image_rgb[:, ::-1])).boxes_xyxy.copy()
        boxes[:, [0, 2]] = image_rgb.shape[1] - boxes[:, [2, 0]]
        return boxes

    def turned(image_rgb: Image, quarters: int) -> Float:
        detector = over if quarters == 2 else lying
        found = detector.detect(np.ascontiguousarray(np.rot90(image_rgb, quarters))).boxes_xyxy
        return turned_back(found, quarters, image_rgb.shape[1], image_rgb.shape[0])

    centerface, family = twice.name, twice.family
    ways: list[tuple[str, Callable[[Image], Float]]] = [
        (f"at twice the scale, up to {_LARGEST_PX / 1e6:.1f} million px", doubled),
        ("mirrored", mirrored),
        *((f"turned by {90 * quarters} degrees", partial(turned, quarters=quarters)) for quarters in (1, 2, 3)),
    ]
    return (
        _native(),
        *(Look(name=f"{centerface} {way}", family=family, boxes=boxes) for way, boxes in ways),
        Look(
            name=f"{mmod.name} in every {MMOD_EVERY}th frame",
            family=mmod.family,
            boxes=lambda image: mmod.detect(image).boxes_xyxy,
            every=MMOD_EVERY,
        ),
        Look(
            name=f"{hog.name} at twice the scale",
            family=hog.family,
            boxes=lambda image: hog.detect(image, upsample=1).boxes_xyxy,
            independent=False,
        ),
    )
