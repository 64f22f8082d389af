"""One face of one frame swapped, or not and why: each attempt is measured on the rendered frame before it is kept.

Fail closed: any failed check, and any exception while a face is swapped, means that the caller covers the region.
"""

from dataclasses import dataclass

import numpy as np

from deid_audit.errors import DeidAuditError
from deid_audit.faces.align import align
from deid_audit.frames import Float, Frame, Image, TrackedFace
from deid_audit.ledger import Rung
from deid_audit.render.blend import SteadyColour, masks_agree, paste
from deid_audit.swap.convert import swap_face
from deid_audit.swap.networks import SwapModel
from deid_audit.vision.mesh import FaceMesh, box_of
from deid_audit.vision.recognizer import Recognizer

_LEAST_DISTANCE = 0.605  # to the same frame's original: the audit's 0.6 and a little for the encoder
METHOD_TEXT = (
    "The subject's face is covered in black, not swapped, in every frame in which it has no landmarks of its own, is "
    "too small, may be somebody else, the net's mask does not fit it, no landmarks are found on the swapped face, or "
    f"the swapped face's descriptor lies within {_LEAST_DISTANCE} of the same frame's original before encoding (the "
    "same recogniser as in the audit). Every other face is covered in all frames."
)
_WRONG_PERSON = 0.75  # the original of a frame this far from the subject's average may be somebody else
_LEAST_MASK_AGREEMENT = 0.6
SMALLEST_SWAP_PX = 24

Numbers = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attempt:
    """What became of one face: `image_rgb` is the whole frame with the face swapped, None where it must be covered.

    `original` (128,) describes the face before the swap, NaN where it could not be described.
    """

    image_rgb: Image | None
    rung: Rung
    reason: str
    numbers: Numbers
    original: Float


@dataclass(slots=True, eq=False)
class FaceSwapper:
    """Swaps one person's face, frame after frame in their order; `person_average` (128,) says who that is."""

    person_average: Float
    model: SwapModel
    recognizer: Recognizer
    colour: SteadyColour
    mesh: FaceMesh

    def attempt(self, frame: Frame, face: TrackedFace) -> Attempt:
        """The frame with this face swapped, or the reason why it must be covered."""
        original = np.full(128, np.nan, np.float32)
        try:
            chip = self.recognizer.chip(frame.image_rgb, face.box_xyxy, face.landmarks_xy)
            original = self.recognizer.describe([chip])[0]
            image, reason, numbers = self._swap(frame, face, original)
        except DeidAuditError:
            raise
        except Exception as error:  # whatever goes wrong inside a swap, the region is covered
            image, reason, numbers = None, f"the swap failed ({type(error).__name__})", ()
        rung = Rung.COVER if image is None else Rung.SWAP
        return Attempt(image_rgb=image, rung=rung, reason=reason, numbers=numbers, original=original)

    def _swap(self, frame: Frame, face: TrackedFace, original: Float) -> tuple[Image | None, str, Numbers]:
        landmarks_xy = face.landmarks_xy
        why_not = unfit(face, original, self.person_average)
        if why_not or landmarks_xy is None:
            return None, why_not, ()
        aligned = align(frame.index, frame.image_rgb, landmarks_xy, self.model.preset.size)
        made = swap_face(self.model, aligned)
        pasted = paste(frame.image_rgb, landmarks_xy, aligned, made, self.colour)
        agreement = masks_agree(aligned, made)
        numbers: Numbers = (("mask agreement", agreement),)
        if agreement < _LEAST_MASK_AGREEMENT:
            return None, f"the net's mask fits the face by {agreement:.2f} only", numbers
        points = self.mesh.landmarks(pasted, box_of(landmarks_xy))
        if points is None:
            return None, "no landmarks found on the swapped face", numbers
        rendered = self.recognizer.describe([self.recognizer.chip(pasted, face.box_xyxy, points[:, :2])])[0]
        distance = float(np.linalg.norm(rendered - original))
        numbers = (*numbers, ("distance before encoding", distance))
        if not distance > _LEAST_DISTANCE:  # written so that NaN is near
            return None, f"too near the original: {distance:.2f}", numbers
        return pasted, f"distance: {distance:.2f}", numbers


def unfit(face: TrackedFace, descriptor: Float, subject_average: Float) -> str:
    """Why this face must not be swapped, as far as it shows before a swap is made; empty when one may be tried."""
    if face.landmarks_xy is None:
        return f"no landmarks: {face.source}"
    if face.filled:
        return f"no landmarks of its own: {face.source}"
    if float(np.ptp(face.box_xyxy[[1, 3]])) < SMALLEST_SWAP_PX:
        return f"face under {SMALLEST_SWAP_PX} px"
    if not np.linalg.norm(descriptor - subject_average) < _WRONG_PERSON:
        return "not surely the subject"
    return ""
