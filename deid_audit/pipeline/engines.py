"""The detectors and the recogniser of one run, loaded once; families and model files are checked to differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deid_audit.errors import StageError
from deid_audit.findings import Policy
from deid_audit.settings import AttackerKind
from deid_audit.vision.detectors import HogDetector, MediaPipeDetector
from deid_audit.vision.looks import AuditSearch
from deid_audit.vision.models import FACE_MESH, FACE_SHORT_RANGE, POSE_DETECTION, PinnedModel, shared_files
from deid_audit.vision.onnx_recognizer import OnnxRecognizer
from deid_audit.vision.recognizer import Recognizer

# what places the swap inside a face that was found, and what finds heads without a face
_PLACING = (FACE_SHORT_RANGE, FACE_MESH, POSE_DETECTION)
_BREADTH = ("audit.looks", "audit.families")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Engines:
    """`leading` finds faces to swap, `second` must agree that a frame is clear, `audit` searches the written file."""

    leading: MediaPipeDetector
    second: HogDetector
    audit: AuditSearch
    recognizer: Recognizer
    attacker: OnnxRecognizer | None = None

    @property
    def attacker_words(self) -> str:
        """What the recogniser is that the user named; empty without one."""
        return "" if self.attacker is None else self.attacker.method


def load_engines(device: str, *, thorough: bool = False, attacker: tuple[AttackerKind, Path] | None = None) -> Engines:
    """Loads all, with the recogniser that the user names for attacks, if any.

    Raises:
        StageError: a model file is not the pinned one, or two roles share a family or a file.
        SettingsError: the named recogniser cannot be run.
    """
    leading, second, audit = MediaPipeDetector, HogDetector, AuditSearch(thorough=thorough)
    used = {leading.family, second.family}
    if len(used) != 2 or used & audit.families:
        raise StageError("swap, second opinion and audit must be detectors of three families")
    refuse_shared_files((*leading.models, *second.models, *_PLACING), audit.models)
    named = None if attacker is None else OnnxRecognizer(*attacker)
    return Engines(leading=leading(), second=second(), audit=audit, recognizer=Recognizer(device), attacker=named)


def asks_for_thorough(policy: Policy) -> bool:
    """Whether the policy sets a floor to how widely the audit must look, which only the thorough audit can meet."""
    return any(rule.metric in _BREADTH and rule.op in ("at_least", "above") and rule.limit > 1 for rule in policy.rules)


def refuse_shared_files(finding: Sequence[PinnedModel], auditing: Sequence[PinnedModel]) -> None:
    """StageError when the audit would look with a file that swapped or cleared: what that missed, it would miss."""
    if shared := shared_files(finding, auditing):
        raise StageError(
            f"the audit would search with a model file that also swapped or cleared: {', '.join(shared)}",
            next_step="install deid-audit again; if this is a changed copy, give the audit a detector of its own",
        )
