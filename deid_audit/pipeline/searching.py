"""The independent search of the written file, frame by frame: what the audit's detector sees, and whose faces.

Part of pass 4; it looks and describes, what follows from it is `reckoning`'s.
"""

from collections.abc import Sequence

import numpy as np

from deid_audit.frames import Float, Frame, Image
from deid_audit.ledger import LedgerFrame
from deid_audit.measure.canaries import Flock
from deid_audit.measure.residue import faces_elsewhere
from deid_audit.pipeline.engines import Engines
from deid_audit.render.conceal import grown
from deid_audit.vision.mesh import FaceMesh
from deid_audit.vision.recognizer import Recognizer

_DESCRIBE_BATCH = 16
_TAKEN_BOX = 1.15  # landmarks end at the skin: a pasted face keeps away from the hair, too


class ReleasedSearch:
    """Looks for faces in every frame of one written file; `detections[i]` are frame i's boxes (k, 4).

    `others` describes the faces that do not stand where the subject's is shown, `other_frames` says in which frame.
    """

    def __init__(self, engines: Engines, canaries: Flock, ledger: Sequence[LedgerFrame]) -> None:
        self.detections: list[Float] = []
        self.others = Descriptions(engines.recognizer)
        self.other_frames: list[int] = []
        self._engines, self._canaries, self._ledger = engines, canaries, ledger
        self._planted = canaries.frames_of(len(ledger))
        self._still = FaceMesh(video=False)

    def see(self, frame: Frame) -> None:
        """Searches the next frame, and on a few frames a copy of it with known faces pasted in."""
        image, entry = frame.image_rgb, self._ledger[frame.index]
        boxes = self._engines.audit.detect(image).boxes_xyxy
        self.detections.append(boxes)
        for box in faces_elsewhere(boxes, entry):
            self.others.add(_chip_of(image, box, self._engines.recognizer, self._still))
            self.other_frames.append(frame.index)
        if frame.index in self._planted:
            regions = [np.array(region.box_xyxy, np.float32) for region in entry.regions]
            self._canaries.release(
                image,
                [*boxes, *(grown(box, _TAKEN_BOX) for box in regions)],
                lambda copy: self._engines.audit.detect(copy).boxes_xyxy,
            )

    def close(self) -> None:
        self._still.close()


class Descriptions:
    """Descriptors of chips as they come, in batches."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self._waiting: list[Image | None] = []
        self._rows: list[Float] = [np.empty((0, 128), np.float32)]

    def add(self, chip: Image | None) -> None:
        self._waiting.append(chip)
        if len(self._waiting) == _DESCRIBE_BATCH:
            self._describe()

    def rows(self) -> Float:
        """All of them, float32 (n, 128); NaN where there was no chip."""
        self._describe()
        return np.concatenate(self._rows)

    def _describe(self) -> None:
        self._rows.append(self._recognizer.describe(self._waiting))
        self._waiting = []


def _chip_of(image_rgb: Image, box_xyxy: Float, recognizer: Recognizer, still: FaceMesh) -> Image | None:
    """The chip of a face that only the audit's detector has found; None when it cannot be made."""
    chip = recognizer.chip(image_rgb, box_xyxy, None)
    if chip is not None:
        return chip
    points = still.landmarks(image_rgb, box_xyxy)
    return None if points is None else recognizer.chip_from_mesh(image_rgb, points[:, :2])
