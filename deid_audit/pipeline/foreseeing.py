"""What a pair's material says, before training, about what the swap will not manage: said at once, not at the end."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deid_audit.faces.choose import expressions
from deid_audit.frames import Float
from deid_audit.vision.recognizer import MATCH_DISTANCE

_ALIKE = MATCH_DISTANCE + 0.1
_SMALL_PX = 64
_TURN, _NOD = 1, 4  # columns of `expressions`
_BEYOND = 0.03  # of the crop's height past the donor's outermost frames: about 6 degrees
_MANY = 0.1  # of the subject's training faces, which are chosen for their differences


def foreseen(
    own: NDArray[np.float32],
    given: NDArray[np.float32],
    *,
    face_px: float,
    averages: Sequence[Float],
    who: tuple[str, str] = ("subject", "donor"),
) -> list[str]:
    """Each doubt in a sentence, none where nothing speaks against the pair.

    `own` and `given` are pose features (n, 956) of subject and donor, `face_px` the subject's median height in the
    frames, `averages` the two average descriptors (128,), `who` names the two.
    """
    person, giver = who
    doubts = []
    distance = float(np.linalg.norm(averages[0] - averages[1]))
    if distance < _ALIKE:
        doubts.append(
            f"the {giver} looks much like the {person} (distance {distance:.2f}, {_ALIKE:.1f} or more is better): "
            "single frames may stay too near the original and be covered"
        )
    if face_px < _SMALL_PX:
        doubts.append(
            f"the {person}'s face is {face_px:.0f} px high in the middle, {_SMALL_PX} or more are better: "
            "eyelids and lips are a few pixels there, and may not be followed"
        )
    subject, donor = expressions(own, own), expressions(given, given)
    for column, words in ((_TURN, "turns"), (_NOD, "nods")):
        low, high = np.percentile(donor[:, column], (1, 99))
        share = float(np.mean((subject[:, column] < low - _BEYOND) | (subject[:, column] > high + _BEYOND)))
        if share > _MANY:
            doubts.append(
                f"the {person} {words} farther than the {giver} ever does in {share:.0%} of the faces to train on: "
                f"there the face of the {giver} is guessed, and may be covered"
            )
    return doubts
