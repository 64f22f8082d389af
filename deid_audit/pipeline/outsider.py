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
from deid_audit.swap.prior import FacePrior, posed_as
from deid_audit.swap.warping import Points
from deid_audit.vision.mesh import FaceMesh, box_of, quarter_turn
from deid_audit.vision.recognizer import Recognizer

NO_PRIOR = "a preset without a mean face of the donor: what an outsider would swap with is not known"
_NOWHERE = np.full(INVERSION_FEATURES, np.nan, np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outsider:
    """Who has the donor's mean face and nothing else of the run; `size` px is the crop that faces are aligned to."""

    donor: FacePrior
    size: int

    def swap(self, image_rgb: Image, landmarks_xy: Float, neutral_xy: Points) -> Image | None:
        """The picture with the donor's mean face pasted on the face at the landmarks (478, 2) px.

        `neutral_xy` is the person's neutral shape. None where a face cannot be warped: an odd picture must not end a
        run.
        """
        try:
            face = align(0, image_rgb, landmarks_xy, self.size)
            made = posed_as(self.donor, neutral_xy, face)
            # pictures of different moments: their colours are not averaged as a video's are
            return paste(image_rgb, landmarks_xy, face, made, SteadyColour(1.0))
        except (ArithmeticError, ValueError, RuntimeError, cv2.error):
            return None


class Imitation:
    """One person's pictures swapped by the outsider, and what is seen of them."""

    def __init__(
        self, outsider: Outsider, landmarks: Sequence[Float], *, mesh: FaceMesh, recognizer: Recognizer
    ) -> None:
        """`landmarks` (478, 2) px are those of all the person's pictures.

        Their mean shape stands for the neutral one, as an outsider has no more of them.
        """
        self._outsider, self._mesh, self._recognizer = outsider, mesh, recognizer
        shapes = [np.asarray(layout_points(points), np.float64) for points in landmarks]
        self._neutral = np.mean(shapes, axis=0) if shapes else np.empty(0)

    def swap(self, image_rgb: Image, landmarks_xy: Float) -> Image | None:
        """The picture as the outsider swaps it, None where that cannot be."""
        return self._outsider.swap(image_rgb, landmarks_xy, self._neutral)

    def see(self, swapped: Image | None, landmarks_xy: Float) -> Float:
        """What the attacks are given of a picture that `swap` made: (1084,), NaN where there is none."""
        if swapped is None:
            return _NOWHERE.copy()
        turn = quarter_turn(landmarks_xy)
        found = self._mesh.landmarks(swapped, box_of(landmarks_xy), turn_degrees=turn)
        return seen_by_outsider(swapped, found, self._recognizer)

    def wipe(self) -> None:
        """Overwrites the person's shape, which is nobody's business once all pictures were seen."""
        self._neutral.fill(0)


def outsider_of(model: SwapModel) -> Outsider | None:
    """The outsider of this run, who gets the donor's side of the prior and no weight; None without a prior."""
    if not model.preset.prior:
        return None
    return Outsider(donor=model.priors["donor"], size=model.preset.size)


def seen_by_outsider(image_rgb: Image, landmarks_xy: Float | None, recognizer: Recognizer) -> Float:
    """What the attacks are given of a face with landmarks (478, 2 or 3) px: (1084,), NaN where there are none."""
    if landmarks_xy is None:
        return _NOWHERE.copy()
    points = landmarks_xy[:, :2]
    [row] = recognizer.describe([recognizer.chip_from_mesh(image_rgb, points)])
    return np.concatenate((row, layout_points(points).ravel()))


def swapped_features(
    outsider: Outsider, pictures: Sequence[tuple[Image, Float]], mesh: FaceMesh, recognizer: Recognizer
) -> Float:
    """The person's swapped pictures as the attacks are given them: (k, 1084), without those that cannot be swapped."""
    imitation = Imitation(outsider, [points for _, points in pictures], mesh=mesh, recognizer=recognizer)
    rows = [imitation.see(imitation.swap(image, points), points) for image, points in pictures]
    kept = [row for row in rows if np.isfinite(row).all()]
    return np.stack(kept) if kept else NO_FEATURES.copy()
