"""The checker's own eyes: detectors and descriptors, freshly loaded, on the pictures it is shown."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from deid_audit.frames import Float, Image
from deid_audit.render.conceal import grown
from deid_audit.video.reader import open_video, read_frames
from deid_audit.vision.detectors import CenterFaceDetector, HogDetector, MmodDetector, iou_matrix, turned_back
from deid_audit.vision.recognizer import Recognizer
from tests.hard_cases.checking import Search
from tests.hard_cases.ledgers import Box, SaidFrame
from tests.hard_cases.scenes import TrueFace

_AROUND = 2.2


class Describer:
    """Descriptors of faces in boxes."""

    def __init__(self) -> None:
        self._recognizer, self._hog = Recognizer(), HogDetector()

    def __call__(self, image_rgb: Image, box: Box) -> Float | None:
        """The descriptor (128,) of the face that stands in the box, however it is turned; None where none can be made.

        Turned as HOG, which knows upright faces only, sees it best: the mesh fits an inverted face upright as well.
        """
        found: tuple[float, Image, Float] | None = None
        around = grown(np.array(box, np.float32), _AROUND).round().astype(int).clip(0, None)
        window = image_rgb[around[1] : around[3], around[0] : around[2]]
        if min(window.shape[:2]) < 2:
            return None
        local = np.array(box, np.float32) - np.tile(around[:2], 2).astype(np.float32)
        height, width = window.shape[:2]
        for quarters in range(4):
            turned = np.ascontiguousarray(np.rot90(window, quarters))
            edges = local
            if quarters:  # what turns by 4 - q back turns by q on
                size = (width, height) if quarters == 2 else (height, width)
                edges = turned_back(local[None], 4 - quarters, *size)[0]
            seen = self._hog.detect(turned, upsample=1)
            near = [score for one, score in zip(seen.boxes_xyxy, seen.scores, strict=True) if _iou(one, edges) > 0.15]
            if near and (found is None or max(near) > found[0]):
                found = float(max(near)), turned, edges
        if found is None:
            return None
        chip = self._recognizer.chip(found[1], found[2], None)
        return None if chip is None else np.asarray(self._recognizer.describe([chip])[0])


def _iou(one: Float, other: Float) -> float:
    return float(iou_matrix(one[None], other[None])[0, 0])


def searches(*, hog_every: int = 5, mmod_every: int = 0, every: int = 1) -> tuple[tuple[str, Search, int], ...]:
    """CenterFace on every frame or so, dlib's HOG and its mmod network on fewer; 0 leaves mmod out."""
    centerface, hog = CenterFaceDetector(), HogDetector()
    found: list[tuple[str, Search, int]] = [
        ("CenterFace", lambda image: centerface.detect(image).boxes_xyxy, every),
        ("dlib HOG", lambda image: hog.detect(image).boxes_xyxy, hog_every),
    ]
    if mmod_every:
        found.append(("dlib mmod", _mmod(), mmod_every))
    return tuple(found)


def _mmod() -> Search:
    mmod = MmodDetector()
    return lambda image: mmod.detect(image).boxes_xyxy


def pairs(original: Path, written: Path) -> Iterator[tuple[Image, Image]]:
    """The pictures of both files, frame beside frame; ValueError where one is longer."""
    return zip(pictures(original), pictures(written), strict=True)


def pictures(path: Path) -> Iterator[Image]:
    """The upright pictures of a file."""
    return (frame.image_rgb for frame in read_frames(open_video(path, label=path.name)))


def gallery_of(
    images: Iterable[Image],
    truth: Sequence[Sequence[TrueFace]] | None,
    ledger: Sequence[SaidFrame],
    subject: str | None,
    describe: Describer,
    *,
    every: int = 5,
) -> list[Float]:
    """Descriptors of the subject's originals: where the truth says the subject is, else where the ledger does."""
    rows = []
    for index, image in enumerate(images):
        if index % every:
            continue
        if truth is not None:
            boxes = [face.box_xyxy for face in truth[index] if face.person == subject and face.visible > 0.8]
        else:
            boxes = [region.box_xyxy for region in ledger[index].regions if region.subject]
        rows += [row for box in boxes if (row := describe(image, box)) is not None]
    return rows
