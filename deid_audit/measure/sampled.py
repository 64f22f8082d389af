"""What is kept of a few frames of each video for the controls and the costly attacks: numbers and small chips.

Types only: the pipeline fills them (`pipeline/surroundings.py`), `controls` and `attacks` read them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Of
from deid_audit.frames import Float, Image

INVERSION_FEATURES = 128 + 2 * 478  # a descriptor, and FaceMesh's landmarks
NO_FEATURES: Float = np.empty((0, INVERSION_FEATURES), np.float32)


def evenly(count: int, most: int) -> NDArray[np.intp]:
    """At most `most` of the places 0 to `count` - 1, spread evenly.

    >>> evenly(5, 3).tolist(), evenly(2, 3).tolist(), evenly(0, 3).tolist()
    ([0, 2, 4], [0, 1], [])
    """
    return np.linspace(0, count - 1, min(most, count)).round().astype(np.intp)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampledFaces:
    """Of the sampled frames of one video, at `times_s` (n,), under the original's landmarks.

    `described` are descriptors float32 (n, 128) of original, reencoded, blurred and pixelated face; `inside` are grey
    chips uint8 (S, S) of original, swapped and reencoded face with everything outside the face filled in; `rebuilt`
    float32 (n, 128) is what the subject's decoder makes of the released face, `unaided` the same crop without it.
    `attacker` has what the recogniser that the user named makes of original, swapped and reencoded face, (n, d).
    `released` float32 (n, 1084) is what an outsider's inversion is given: descriptor and landmarks in the canonical
    layout of the released face, under landmarks found on it; NaN where none were. `imitated` has the same of the
    original with the donor's mean face on it, as an outsider can swap it, and `inside_imitated` its chips, None where
    it cannot be swapped; both are empty where nobody knows how.
    """

    times_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    described: Mapping[Of, Float] = field(default_factory=dict)
    inside: Mapping[Of, list[Image]] = field(default_factory=dict)
    rebuilt: Float = field(default_factory=lambda: np.empty((0, 128), np.float32))
    unaided: Float = field(default_factory=lambda: np.empty((0, 128), np.float32))
    attacker: Mapping[Of, Float] = field(default_factory=dict)
    released: Float = field(default_factory=NO_FEATURES.copy)
    imitated: Float = field(default_factory=NO_FEATURES.copy)
    inside_imitated: tuple[Image | None, ...] = ()

    def arrays(self) -> list[NDArray[Any]]:
        """Everything, for whoever must overwrite it at the end."""
        chips = [chip for rows in self.inside.values() for chip in rows]
        chips += [chip for chip in self.inside_imitated if chip is not None]
        seen = [self.rebuilt, self.unaided, self.released, self.imitated]
        return [*self.described.values(), *self.attacker.values(), *chips, *seen]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Strangers:
    """Other people, one entry a person: descriptors float32 (k, 128), chips and `attacker` rows as in `SampledFaces`.

    `sources` says in words where each was seen, never a file name. `left_out` counts those who are so like subject or
    donor that they may be them. `swapped` has, of each person's pictures with the donor's mean face on them, what
    `SampledFaces.released` has, (k, 1084), or is empty, and `not_swapped_because` says why.
    """

    rows: tuple[Float, ...] = ()
    inside: tuple[tuple[Image, ...], ...] = ()
    sources: tuple[str, ...] = ()
    attacker: tuple[Float, ...] = ()
    left_out: int = 0
    swapped: tuple[Float, ...] = ()
    not_swapped_because: str = ""

    def arrays(self) -> list[NDArray[Any]]:
        """Everything, for whoever must overwrite it at the end."""
        return [*self.rows, *self.attacker, *self.swapped, *(chip for chips in self.inside for chip in chips)]

    def with_chips(self) -> "Strangers":
        """Those of whom there are chips."""
        kept = [at for at, chips in enumerate(self.inside) if chips]
        return Strangers(
            rows=tuple(self.rows[at] for at in kept),
            inside=tuple(self.inside[at] for at in kept),
            sources=tuple(self.sources[at] for at in kept),
            attacker=tuple(self.attacker[at] for at in kept) if self.attacker else (),
            left_out=self.left_out,
            swapped=tuple(self.swapped[at] for at in kept) if self.swapped else (),
            not_swapped_because=self.not_swapped_because,
        )

    @property
    def templates(self) -> Float:
        """Each person's average descriptor, float32 (n, 128)."""
        means = [rows.mean(axis=0) for rows in self.rows]
        return np.stack(means).astype(np.float32) if means else np.empty((0, 128), np.float32)
