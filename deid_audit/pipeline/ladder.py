"""One face of one frame swapped, or not and why: each attempt is measured on the rendered frame before it is kept.

Fail closed: any failed check, and any exception while a face is swapped, means that the caller covers the region.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from deid_audit.errors import DeidAuditError
from deid_audit.faces.align import align, apply
from deid_audit.frames import Float, Frame, Image, TrackedFace
from deid_audit.ledger import Rung
from deid_audit.pipeline.certainty import METHOD_TEXT as CERTAINTY_METHOD
from deid_audit.pipeline.certainty import Certainty
from deid_audit.render.blend import PLAIN, SOLID, WIDER, SteadyColour, masks_agree, paste
from deid_audit.render.occlusion import METHOD_TEXT as OCCLUSION_METHOD
from deid_audit.render.occlusion import comes_from_outside, foreign_share, hand_mask, most_hidden
from deid_audit.swap.convert import TakenIn, rebuilt, swapped, take_in
from deid_audit.swap.networks import SwapModel
from deid_audit.vision.hands import HandFinder
from deid_audit.vision.mesh import FACE_OVAL, LEFT_EYE, RIGHT_EYE, FaceMesh, box_of, quarter_turn
from deid_audit.vision.recognizer import Recognizer

_LEAST_DISTANCE = 0.605  # to the same frame's original: the audit's 0.6 and a little for the encoder
METHOD_TEXT = (
    "Each swapped face is measured on the rendered frame: landmarks must be found on it, and its descriptor must lie "
    f"more than {_LEAST_DISTANCE} from the same frame's original before encoding (the recogniser of the audit). Where "
    "they do not, the frame is tried again with a wider mask, then blended harder (full strength up to the wider "
    "outline), then covered in black. The subject's face is also covered, not swapped, in every frame in which it has "
    "no landmarks of its own, is too small, may be somebody else, the net's mask does not fit it, a hand hides an eye "
    "or much of it or is lost from sight before it, or something else is in front of it. Every other face is covered "
    f"in all frames, unless its own swap is told of here. What the search of the written file leaves undecided is "
    f"covered in a second round of the video, once. {CERTAINTY_METHOD} {OCCLUSION_METHOD}"
)
_REMEDIES = ((Rung.SWAP, PLAIN), (Rung.WIDER, WIDER), (Rung.HARDER, SOLID))
_MOST_HIDDEN = 0.40  # of the outline
# A hand that is drawn a little beside the real one must not leave an eye of the subject's: eyes tell most who it is.
_EYES, _MOST_OF_EYE = (RIGHT_EYE, LEFT_EYE), 0.25
# A fast hand may be lost while it still is in front: until none was seen for so many frames the face is covered, not
# painted over it. On five clips with hands before the face: 16 of 987 frames.
_IN_FRONT, _LOST_FRAMES = 0.01, 5
# Measured, before mean faces were posed, with models of 150 to 250 steps on 396 free faces of five people, most of them
# not trained on: at most 0.016 (0.023 in all 472 frames of one of the clips). Painted onto the same frames: a cup, a
# microphone or a bar before the eyes is over the limit in all, a thin stick to the mouth in 322 of 329 (39 of 67 in a
# light that the model does not know), a bar of the skin's own colour in 42 of 396: hands must be found as hands.
_MOST_FOREIGN = 0.025
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
    """Swaps one person's face, frame after frame in their order; `certainty` says whether it is theirs."""

    certainty: Certainty
    model: SwapModel
    recognizer: Recognizer
    colour: SteadyColour
    mesh: FaceMesh
    hands: HandFinder = field(default_factory=HandFinder)
    hand_before: int = -1000  # index of the last frame with a hand in front

    def attempt(
        self,
        frame: Frame,
        face: TrackedFace,
        beside: Sequence[TrackedFace] = (),
        described: Float | None = None,
        least: Rung = Rung.SWAP,
    ) -> Attempt:
        """The frame with this face swapped, or the reason why it must be covered; `beside` are its other faces.

        `described` (128,) is the face's descriptor before the swap, where it was made already; `least` is the first
        rung to try.
        """
        original = np.full(128, np.nan, np.float32) if described is None else described
        try:
            try:
                if described is None:
                    chip = self.recognizer.chip(frame.image_rgb, face.box_xyxy, face.landmarks_xy)
                    original = self.recognizer.describe([chip])[0]
            finally:  # also when that fails: a meeting must not go unnoticed
                doubt = self.certainty.doubt(face, beside, original)
            image, rung, reason, numbers = self._swap(frame, face, original, doubt, least)
        except DeidAuditError:
            raise
        except Exception as error:  # whatever goes wrong inside a swap, the region is covered
            image, rung, reason, numbers = None, Rung.COVER, f"the swap failed ({type(error).__name__})", ()
        return Attempt(image_rgb=image, rung=rung, reason=reason, numbers=numbers, original=original)

    def close(self) -> None:
        self.mesh.close()
        self.hands.close()

    def _swap(
        self, frame: Frame, face: TrackedFace, original: Float, doubt: str, least: Rung
    ) -> tuple[Image | None, Rung, str, Numbers]:
        landmarks_xy = face.landmarks_xy
        named = self._named(original)
        why_not = unfit(face) or doubt
        if why_not or landmarks_xy is None:
            return None, Rung.COVER, why_not, named
        aligned = align(frame.index, frame.image_rgb, landmarks_xy, self.model.preset.size)
        taken = take_in(self.model, aligned)
        kept, why_not, numbers = self._in_front(frame, face.box_xyxy, landmarks_xy, taken)
        numbers = (*named, *numbers)
        if why_not:
            return None, Rung.COVER, why_not, numbers
        made = swapped(self.model, taken)
        agreement = masks_agree(aligned, made)
        numbers = (*numbers, ("mask agreement", agreement))
        if agreement < _LEAST_MASK_AGREEMENT:
            return None, Rung.COVER, f"the net's mask fits the face by {agreement:.2f} only", numbers
        begun = [rung for rung, _ in _REMEDIES].index(least)
        for rung, blend in _REMEDIES[begun:]:
            pasted = paste(frame.image_rgb, landmarks_xy, aligned, made, self.colour, blend=blend, kept=kept)
            seen = self.mesh.landmarks(pasted, box_of(landmarks_xy), turn_degrees=quarter_turn(landmarks_xy))
            distance = self._distance(pasted, face.box_xyxy, seen, original)
            numbers = (*numbers, (f"distance before encoding, {rung.value}", distance))
            if seen is None:
                why_not = "no landmarks found on the swapped face"
            elif not distance > _LEAST_DISTANCE:  # written so that NaN is near
                why_not = f"too near the original: {distance:.2f}"
            else:
                return pasted, rung, f"distance: {distance:.2f}", numbers
        return None, Rung.COVER, why_not, numbers

    def _named(self, original: Float) -> Numbers:
        own, other = self.certainty.distances(original)
        found = (("distance to the person's average", own), ("distance to the nearest other person's", other))
        return tuple((name, value) for name, value in found if np.isfinite(value))

    def _in_front(
        self, frame: Frame, box_xyxy: Float, landmarks_xy: Float, taken: TakenIn
    ) -> tuple[Image | None, str, Numbers]:
        """The pixels (H, W) that hands keep in front of the face, None without any; why the face must be covered."""
        aligned, outline = taken.face, landmarks_xy[list(FACE_OVAL)]
        found = self.hands.find(frame.image_rgb, box_xyxy)
        hands = [hand for hand in found if comes_from_outside(hand, outline)]
        size = aligned.crop_rgb.shape[0]
        hidden = hand_mask([apply(aligned.frame_to_crop, hand).astype(np.float32) for hand in hands], size, size)
        inside = aligned.mask > 0.5
        hand_share = float((hidden[inside] > 0).mean()) if inside.any() else 0.0
        foreign = foreign_share(aligned, rebuilt(self.model, taken), hidden)
        numbers: Numbers = (("hand share", hand_share), ("foreign share", foreign))
        lost = not found and frame.index - self.hand_before <= _LOST_FRAMES
        if hand_share > _IN_FRONT:
            self.hand_before = frame.index
        if lost:
            return None, "the hand in front of the face is lost from sight", numbers
        if hand_share > _MOST_HIDDEN:
            return None, f"a hand hides {hand_share:.0%} of the face", numbers
        eyes = [apply(aligned.frame_to_crop, landmarks_xy[list(ring)]).astype(np.float32) for ring in _EYES]
        if most_hidden(hidden, eyes) > _MOST_OF_EYE:
            return None, "a hand hides an eye", numbers
        if not foreign <= _MOST_FOREIGN:
            return None, f"something is in front of the face: {foreign:.1%} of it", numbers
        return (hand_mask(hands, *frame.image_rgb.shape[:2]) if hands else None), "", numbers

    def _distance(self, image_rgb: Image, box_xyxy: Float, landmarks: Float | None, original: Float) -> float:
        if landmarks is None:
            return float("nan")
        chip = self.recognizer.chip(image_rgb, box_xyxy, landmarks[:, :2])
        return float(np.linalg.norm(self.recognizer.describe([chip])[0] - original))


def unfit(face: TrackedFace) -> str:
    """Why this face cannot be swapped, whosever it is, as far as it shows before a swap is made; empty when it can."""
    if face.landmarks_xy is None:
        return f"no landmarks: {face.source}"
    if face.filled:
        return f"no landmarks of its own: {face.source}"
    if float(np.ptp(face.box_xyxy[[1, 3]])) < SMALLEST_SWAP_PX:
        return f"face under {SMALLEST_SWAP_PX} px"
    return ""
