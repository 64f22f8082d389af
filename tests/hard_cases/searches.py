"""The checker's own eyes: detectors and descriptors, freshly loaded, on the pictures it is shown."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from deid_audit.frames import Float, Image
from deid_audit.video.reader import open_video, read_frames
from deid_audit.vision.detectors import CenterFaceDetector, HogDetector
from deid_audit.vision.mesh import FaceMesh
from deid_audit.vision.models import RECOGNIZER, model_path
from deid_audit.vision.recognizer import Recognizer
from tests.hard_cases.checking import Search
from tests.hard_cases.ledgers import Box, SaidFrame
from tests.hard_cases.scenes import TrueFace


class Describer:
    """Descriptors of faces in boxes."""

    def __init__(self) -> None:
        self._recognizer, self._mesh = Recognizer(), FaceMesh(video=False)

    def __call__(self, image_rgb: Image, box: Box) -> Float | None:
        """The descriptor (128,) of the face that stands in the box; None where none can be made."""
        edges = np.array(box, np.float32)
        chip = self._recognizer.chip(image_rgb, edges, None)
        if chip is None:
            points = self._mesh.landmarks(image_rgb, edges)
            if points is None:
                return None
            chip = self._recognizer.chip_from_mesh(image_rgb, points[:, :2])
        return np.asarray(self._recognizer.describe([chip])[0])


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
    import dlib  # noqa: PLC0415

    beside = model_path(RECOGNIZER).with_name("mmod_human_face_detector.dat")  # travels with the recogniser
    network = dlib.cnn_face_detection_model_v1(str(beside))

    def search(image_rgb: Image) -> Float:
        boxes = [
            (one.rect.left(), one.rect.top(), one.rect.right() + 1, one.rect.bottom() + 1)
            for one in network(image_rgb, 0)
        ]
        return np.array(boxes, np.float32).reshape(-1, 4)

    return search


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
