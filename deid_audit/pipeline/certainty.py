"""Whether a face is surely the person it is taken for, frame after frame: no swap may land on somebody else.

Where faces meet, tracks can change hands. From then on the face is nobody's until a frame of its own tells who it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from deid_audit.frames import Float, TrackedFace
from deid_audit.vision.detectors import overlap_of_smaller

# dlib's cut for one person. On four clips with hands, tears, profiles and low light no face of 1128 was farther than
# 0.57 from its own person's average; of strangers, where nobody else is known, a tenth would pass.
_WRONG_PERSON = 0.6
_SURE = 0.5  # needed to be known again after faces have met
_MARGIN = 0.05
_SURE_MARGIN = 0.15
_MEETING = 0.05  # of the smaller box: faces that touch by more than this may change hands
METHOD_TEXT = (
    f"A face is swapped only where its descriptor lies within {_WRONG_PERSON} of the person's average and nearer to it "
    f"(by {_MARGIN}) than to that of anybody else who is seen long enough to be known. Where two faces meet both are "
    "covered, and they stay so until a frame shows again who it is "
    f"(within {_SURE}, and nearer by {_SURE_MARGIN})."
)


@dataclass(slots=True, eq=False)
class Certainty:
    """Watches one person in one video; `average` and `others` are descriptors (128,) of them and of everyone else."""

    average: Float
    others: Sequence[Float] = ()
    _met: bool = field(default=False, init=False)

    def doubt(self, face: TrackedFace, beside: Sequence[TrackedFace], descriptor: Float) -> str:
        """Why this face may be somebody else's, empty when it is surely the person's; frames come in their order.

        `beside` are the other faces of the frame, `descriptor` (128,) is of this face, NaN where it has none.
        """
        if any(overlap_of_smaller(face.box_xyxy, other.box_xyxy) > _MEETING for other in beside):
            self._met = True
            return "not certain who it is: another face is in the way"
        own, other = self.distances(descriptor)
        if self._met and not (own < _SURE and other - own > _SURE_MARGIN):  # written so that NaN is no certainty
            return "not certain who it is since faces met"
        self._met = False
        if not own < _WRONG_PERSON:
            return "not surely the subject"
        if not other - own > _MARGIN:
            return "not certain who it is: as near to somebody else"
        return ""

    def distances(self, descriptor: Float) -> tuple[float, float]:
        """Distance to the person's average, and to the nearest other person's (infinite without one)."""
        own = float(np.linalg.norm(descriptor - self.average))
        return own, min((float(np.linalg.norm(descriptor - one)) for one in self.others), default=float("inf"))
