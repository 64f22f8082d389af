"""The detectors and the recogniser of one run, loaded once; families are checked to differ."""

from dataclasses import dataclass

from deid_audit.errors import StageError
from deid_audit.vision.detectors import CenterFaceDetector, HogDetector, MediaPipeDetector
from deid_audit.vision.recognizer import Recognizer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Engines:
    """`leading` finds faces to swap, `second` must agree that a frame is clear, `audit` judges the written file."""

    leading: MediaPipeDetector
    second: HogDetector
    audit: CenterFaceDetector
    recognizer: Recognizer


def load_engines(device: str) -> Engines:
    """Loads all; StageError when a model file is not the pinned one or two roles share a detector family."""
    engines = Engines(
        leading=MediaPipeDetector(),
        second=HogDetector(),
        audit=CenterFaceDetector(),
        recognizer=Recognizer(device),
    )
    if len({engines.leading.family, engines.second.family, engines.audit.family}) != 3:
        raise StageError("swap, second opinion and audit must be detectors of three families")
    return engines
