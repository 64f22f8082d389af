"""Swaps strangers' pictures as an intruder without the run's weights can: the donor's mean face, posed and pasted.

What is kept of a swapped picture are numbers: its descriptor and its landmarks in the canonical layout.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from deid_audit.faces.align import align, layout_points
from deid_audit.frames import Float, Image
from deid_audit.measure.sampled import INVERSION_FEATURES, NO_FEATURES
from deid_audit.render.blend import SteadyColour, paste
from deid_audit.swap.networks import SwapModel
from deid_audit.swap.prior import FacePrior, posed_as, shape_of
from deid_audit.vision.mesh import FaceMesh, box_of, quarter_turn
from deid_audit.vision.recognizer import Recognizer

NO_PRIOR = "a preset without a mean face of the donor: what an outsider would swap with is not known"
_NOWHERE = np.full(INVERSION_FEATURES, np.nan, np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outsider:
    """Who has the donor's mean face and nothing else of the run; `size` px is the crop that faces are aligned to."""

    donor: FacePrior
    size: int

    def swap(self, pictures: Sequence[tuple[Image, Float]]) -> list[Image | None]:
        """One person's pictures with their landmarks (478, 2) px, each with the donor's mean face pasted on.

        The person's mean shape stands for their neutral one, as an outsider has no more of them. None where a face
        cannot be warped: a stranger's odd picture must not end a run.
        """
        faces = [align(at, image, points, self.size) for at, (image, points) in enumerate(pictures)]
        neutral = np.mean([shape_of(face) for face in faces], axis=0) if faces else np.empty(0)
        swapped: list[Image | None] = []
        for face, (image, points) in zip(faces, pictures, strict=True):
            try:
                made = posed_as(self.donor, neutral, face)
                # pictures of different moments: their colours are not averaged as a video's are
                swapped.append(paste(image, points, face, made, SteadyColour(1.0)))
            except (ArithmeticError, ValueError, RuntimeError, cv2.error):
                swapped.append(None)
        return swapped


def outsider_of(model: SwapModel) -> Outsider | None:
    """The outsider of this run, who gets the donor's side of the prior and no weight; None without a prior."""
    if not model.preset.prior:
        return None
    return Outsider(donor=model.priors["donor"], size=model.preset.size)


def seen_by_outsider(images: Sequence[Image], landmarks: Sequence[Float | None], recognizer: Recognizer) -> Float:
    """What the inversion is given of faces with landmarks (478, 2 or 3) px: (n, 1084), NaN where there are none."""
    chips = [
        None if points is None else recognizer.chip_from_mesh(image, points[:, :2])
        for image, points in zip(images, landmarks, strict=True)
    ]
    rows = [
        _NOWHERE if points is None else np.concatenate((row, layout_points(points[:, :2]).ravel()))
        for row, points in zip(recognizer.describe(chips), landmarks, strict=True)
    ]
    return np.stack(rows) if rows else NO_FEATURES.copy()


def swapped_features(
    outsider: Outsider, pictures: Sequence[tuple[Image, Float]], mesh: FaceMesh, recognizer: Recognizer
) -> Float:
    """The person's swapped pictures as the inversion is given them: (k, 1084)."""
    pairs = zip(outsider.swap(pictures), pictures, strict=True)
    made = [(image, points) for image, (_, points) in pairs if image is not None]
    found = [mesh.landmarks(image, box_of(points), turn_degrees=quarter_turn(points)) for image, points in made]
    return seen_by_outsider([image for image, _ in made], found, recognizer)
