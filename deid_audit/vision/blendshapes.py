"""Blendshape scores of a face from a FaceLandmarker model that the user has: none travels with this package.

One picture at a time, so nothing is smoothed over time.
"""

from pathlib import Path
from typing import Any

import numpy as np

from deid_audit.errors import SettingsError
from deid_audit.frames import Image

_NEXT = "give a FaceLandmarker model with blendshapes (face_landmarker.task, MediaPipe's model page), under its licence"


class Blendshapes:
    """Finds the 52 scores of one face; `close` it at the end."""

    def __init__(self, model: Path) -> None:
        """Raises SettingsError for a file that is missing or no such model."""
        try:
            data = model.read_bytes()
        except OSError as error:
            why = error.strerror or "it cannot be read"
            raise SettingsError(f"the blendshape model: {why}", next_step=_NEXT) from None
        self._landmarker = _landmarker(data)

    def scores(self, image_rgb: Image) -> dict[str, float] | None:
        """Scores 0 to 1 by name, of the face in a picture uint8 (H, W, 3) that is cut to it; None where none is seen.

        Raises SettingsError where the model finds faces and gives no blendshapes.
        """
        import mediapipe as mp  # noqa: PLC0415  (slow import)

        picture = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(image_rgb))
        found = self._landmarker.detect(picture)
        if not found.face_landmarks:
            return None
        if not found.face_blendshapes:
            raise SettingsError("the blendshape model gives landmarks and no blendshapes", next_step=_NEXT)
        return {one.category_name: float(one.score) for one in found.face_blendshapes[0]}

    def close(self) -> None:
        self._landmarker.close()


def _landmarker(data: bytes) -> Any:
    """The one place that knows MediaPipe's task; tried with a stand-in alone, not with a real model file."""
    from mediapipe.tasks.python import BaseOptions, vision  # noqa: PLC0415  (slow import)

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=data),
        output_face_blendshapes=True,
        num_faces=1,
        running_mode=vision.RunningMode.IMAGE,
    )
    try:
        return vision.FaceLandmarker.create_from_options(options)
    except (RuntimeError, ValueError) as error:
        raise SettingsError("the blendshape model is no FaceLandmarker .task file", next_step=_NEXT) from error
