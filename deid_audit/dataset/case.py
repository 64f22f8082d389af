"""One case: what a process, or a task on a cluster, does. What goes in and comes out are words and digests.

Videos, weights and keys are opened in the worker's process and stay there: an order names files, an answer has digests.
"""

import io
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from deid_audit.dataset.state import Ended
from deid_audit.digests import sha256_file
from deid_audit.errors import (
    DeidAuditError,
    Interrupted,
    NotCovered,
    NotEnoughFaces,
    PackError,
    VideoAccessError,
    VideoError,
    describe_defect,
)
from deid_audit.evidence import CERTIFICATE, STATEMENT_FILE, compare_files, parse_statement
from deid_audit.settings import RunSettings

# What the same inputs would meet again; anything else may be the machine's, and is tried again at the next start.
_LASTING = (NotEnoughFaces, NotCovered, PackError, VideoError)
_PASSING = VideoAccessError


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A case to be done: `inputs` is the digest of what it is made from, `label` what it is called in messages."""

    case_id: str
    label: str
    inputs: str
    settings: RunSettings

    def ended(self, outcome: str, **more: object) -> Ended:
        """What the case came to, for the journal."""
        return Ended.model_validate({"case_id": self.case_id, "inputs": self.inputs, "outcome": outcome, **more})


DoCase = Callable[[Order], Ended]


def do_case(order: Order) -> Ended:
    """One call of the main job; every end but a signal's becomes an answer."""
    from deid_audit.certificate.signers import signer_unasked  # noqa: PLC0415
    from deid_audit.pipeline.run import run  # noqa: PLC0415  (heavy, and loads what must know its threads)
    from deid_audit.progress import LineProgress  # noqa: PLC0415
    from deid_audit.vision.native_output import silence_native_stderr  # noqa: PLC0415

    started = time.monotonic()
    silence_native_stderr()
    try:
        signer = signer_unasked(order.settings.signer, order.settings.passphrase_file)
        # The lines are kept for the case's own run log; nobody watches this process.
        run(order.settings, signer=signer, progress=LineProgress(io.StringIO()))
    except Interrupted:
        raise
    except DeidAuditError as error:
        outcome = "refused" if isinstance(error, _LASTING) and not isinstance(error, _PASSING) else "broken"
        return order.ended(outcome, error=type(error).__name__, message=str(error), seconds=_since(started))
    except Exception as defect:
        said = describe_defect(defect)
        return order.ended("broken", error="defect", message=said, seconds=_since(started))
    done = found_done(order)
    if done is None:
        return order.ended("broken", error="defect", message="a case ended without its files", seconds=_since(started))
    return done.model_copy(update={"seconds": _since(started)})


def found_done(order: Order) -> Ended | None:
    """What stands at the case's place as a complete output; None where nothing does."""
    statement, certificate = order.settings.out / STATEMENT_FILE, order.settings.out / CERTIFICATE
    if not statement.is_file() or not certificate.is_file():
        return None
    case = parse_statement(statement.read_bytes())
    return order.ended(
        "done",
        verdict=case.verdict.outcome.value,
        statement_sha256=sha256_file(statement),
        certificate_sha256=sha256_file(certificate),
    )


def lacks_evidence(order: Order) -> bool:
    """Whether a folder stands at the case's place without certificate or statement, which no job would replace.

    The place is named by the set's journal at random, so that nothing but a case of this set can stand there.
    """
    out = order.settings.out
    return out.is_dir() and not all(os.path.lexists(out / name) for name in (STATEMENT_FILE, CERTIFICATE))


def is_whole(order: Order) -> bool:
    """Whether the output's files are as its statement says, none missing or added; reads them all."""
    try:
        case = parse_statement((order.settings.out / STATEMENT_FILE).read_bytes())
        return not compare_files(case, order.settings.out / case.outputs_folder)
    except (DeidAuditError, OSError):
        return False


def _since(started: float) -> float:
    return round(time.monotonic() - started, 1)
