"""The independent search of the written file, frame by frame: what the audit's looks see, and whose faces.

Part of pass 4; it looks and describes, what follows from it is `finishing`'s and `reckoning`'s.
"""

import math
from dataclasses import dataclass

import numpy as np

from deid_audit.frames import Float, Frame, Image
from deid_audit.ledger import LedgerFrame, Region, State
from deid_audit.measure.canaries import Flock
from deid_audit.measure.detail import detail_kept
from deid_audit.measure.residue import faces_elsewhere
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.rendering import RenderedPass
from deid_audit.render.conceal import grown
from deid_audit.timing import Stopwatch
from deid_audit.vision.detectors import Detections
from deid_audit.vision.looks import Sighted
from deid_audit.vision.mesh import FaceMesh
from deid_audit.vision.recognizer import Recognizer

_DESCRIBE_BATCH = 16
_SEARCH, _KNOWN_FACES = "search", "known faces"
_TAKEN_BOX = 1.15  # landmarks end at the skin: a pasted face keeps away from the hair, too


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionSeen:
    """One region of the ledger in the written file: how much of its fine picture is left (see `detail_kept`)."""

    detail: float


class ReleasedSearch:
    """Looks for faces in every frame of one written file; `sighted[i]` are frame i's.

    `second_look[i]` is what the family that cleared sees in a frame i without found regions, `regions[i]` how each
    region of it looks now, beside the original where that is there. `others` describes the faces that do not stand
    where the subject's is shown, `other_frames` says in which frame; `beside` describes other people's shown faces, by
    frame and track in `beside_keys`.
    """

    def __init__(
        self, engines: Engines, canaries: Flock | None, done: RenderedPass, clock: Stopwatch | None = None
    ) -> None:
        self.sighted: list[Sighted] = []
        self.second_look: dict[int, Detections] = {}
        self.regions: list[tuple[RegionSeen, ...]] = []
        self.others = Descriptions(engines.recognizer)
        self.other_frames: list[int] = []
        self._clock = clock or Stopwatch()
        self._before = dict(self._clock.parts)
        self._beside = Descriptions(engines.recognizer)
        self._beside_keys: list[tuple[int, int]] = []
        self._engines, self._canaries, self._done = engines, canaries, done
        self._planted = set() if canaries is None else canaries.frames_of(len(done.ledger))
        self._still = FaceMesh(video=False)

    def see(self, before: Frame | None, after: Frame) -> None:
        """Searches the next frame, and on a few frames a copy of it with known faces pasted in.

        `before` is the same frame of the original; None where there is none any more.
        """
        image, entry = after.image_rgb, self._done.ledger[after.index]
        with self._clock.part(_SEARCH):
            sighted = self._engines.audit.see(image, after.index)
            self.sighted.append(sighted)
            for box in faces_elsewhere(sighted.boxes_xyxy, entry):
                self.others.add(self._chip_of(image, box))
                self.other_frames.append(after.index)
            self._look_at_regions(None if before is None else before.image_rgb, image, entry)
        if self._canaries is not None and after.index in self._planted:
            with self._clock.part(_KNOWN_FACES):
                regions = [np.array(region.box_xyxy, np.float32) for region in entry.regions]
                self._canaries.release(
                    image,
                    [*sighted.boxes_xyxy, *(grown(box, _TAKEN_BOX) for box in regions)],
                    lambda copy: self._engines.audit.detect(copy).boxes_xyxy,
                )

    @property
    def seconds(self) -> float:
        """Time it took to search, in seconds."""
        return self._spent(_SEARCH)

    @property
    def canary_seconds(self) -> float:
        """Time it took to search for known faces, in seconds."""
        return self._spent(_KNOWN_FACES)

    def _spent(self, part: str) -> float:
        return self._clock.parts.get(part, 0.0) - self._before.get(part, 0.0)

    def distances_beside(self) -> dict[tuple[int, int], float]:
        """How far every shown face of somebody else, by frame and track, stands from its own original; NaN unknown."""
        unknown = np.full(128, np.nan, np.float32)
        rows = self._beside.rows()
        distances = {
            key: float(np.linalg.norm(row - self._done.beside.get(key, unknown)))
            for key, row in zip(self._beside_keys, rows, strict=True)
        }
        rows.fill(0)
        return distances

    def close(self) -> None:
        self._still.close()

    def _look_at_regions(self, before_rgb: Image | None, after_rgb: Image, entry: LedgerFrame) -> None:
        if not entry.found:  # what a person drew hides a place, and says nothing of the others
            self.second_look[entry.index] = self._engines.second.detect(after_rgb)
        seen = []
        for region in entry.regions:
            box = np.array(region.box_xyxy, np.float32)
            detail = math.nan if before_rgb is None else detail_kept(before_rgb, after_rgb, box)
            seen.append(RegionSeen(detail=detail))
            if shows_another(region):
                chip = self._chip_of(after_rgb, box)
                self._beside.add(chip)
                self.others.add(chip)
                self.other_frames.append(entry.index)
                self._beside_keys.append((entry.index, -1 if region.track_id is None else region.track_id))
        self.regions.append(tuple(seen))

    def _chip_of(self, image_rgb: Image, box_xyxy: Float) -> Image | None:
        """The chip of a face in this box without landmarks at hand; None when it cannot be made."""
        chip = self._engines.recognizer.chip(image_rgb, box_xyxy, None)
        if chip is not None:
            return chip
        points = self._still.landmarks(image_rgb, box_xyxy)
        return None if points is None else self._engines.recognizer.chip_from_mesh(image_rgb, points[:, :2])


def shows_another(region: Region) -> bool:
    """Whether a face is shown there that is not the subject's."""
    return region.state is State.SWAPPED and not region.is_subject


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
