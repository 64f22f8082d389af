"""One case: what a process, or a task on a cluster, does. What goes in and comes out are words and digests.

Videos, weights and keys are opened in the worker's process and stay there: an order names files, an answer has digests.
"""

import io
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from deid_audit.dataset.state import Ended
from deid_audit.digests import sha256_file
from deid_audit.errors import (
    DeidAuditError,
    Interrupted,
    NotCovered,
    NotEnoughFaces,
    PackError,
    SettingsError,
    VideoError,
    describe_defect,
)
from deid_audit.evidence import CERTIFICATE, STATEMENT_FILE, parse_statement
from deid_audit.settings import RunSettings

if TYPE_CHECKING:
    from deid_audit.certificate.keys import Signer

PASSPHRASE_VARIABLE = "DEID_AUDIT_PASSPHRASE"
# What the same inputs would meet again; anything else may be the machine's, and is tried again at the next start.
_LASTING = (NotEnoughFaces, NotCovered, PackError, VideoError)


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
    from deid_audit.pipeline.run import run  # noqa: PLC0415  (heavy, and loads what must know its threads)
    from deid_audit.progress import LineProgress  # noqa: PLC0415
    from deid_audit.vision.native_output import silence_native_stderr  # noqa: PLC0415

    started = time.monotonic()
    silence_native_stderr()
    try:
        # The lines are kept for the case's own run log; nobody watches this process.
        run(order.settings, signer=_signer(order.settings), progress=LineProgress(io.StringIO()))
    except Interrupted:
        raise
    except DeidAuditError as error:
        outcome = "refused" if isinstance(error, _LASTING) else "broken"
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


def _since(started: float) -> float:
    return round(time.monotonic() - started, 1)


def _signer(settings: RunSettings) -> "Signer | None":
    """The key is opened where it signs; nobody can be asked here."""
    from deid_audit.certificate.signers import open_signer, where_key_lies  # noqa: PLC0415

    if settings.signer is None:
        return None
    secret = secret_of(settings.passphrase_file)
    return open_signer(where_key_lies(settings.signer), secret, datetime.now(UTC))


def secret_of(file: Path | None) -> bytes | None:
    """The first line of a file, else the environment's variable; SettingsError for a file that cannot be read."""
    if file is None:
        given = os.environ.get(PASSPHRASE_VARIABLE)
        return given.encode() if given else None
    try:
        return file.read_bytes().split(b"\n", 1)[0].removesuffix(b"\r")
    except OSError as error:
        why = error.strerror or "input/output error"
        raise SettingsError(f"the passphrase file cannot be read: {why}", next_step="check --passphrase-file") from None
