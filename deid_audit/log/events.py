"""Events: everything that a log can say, as a closed table.

Names of cases, digests and exit statuses only: no path, no host, no person, no text of an error (it could hold one).
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from deid_audit.findings import JobKind
from deid_audit.records import Outcome, Strict
from deid_audit.settings import CASE_ID_PATTERN


def _plain_name(case_id: str) -> str:
    if not CASE_ID_PATTERN.fullmatch(case_id) or case_id.startswith("."):
        raise ValueError("not a case's name: letters, digits, . _ -, 64 at most")
    return case_id


CaseId = Annotated[str, AfterValidator(_plain_name)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ExitStatus = Annotated[int, Field(ge=0, le=255)]


class _OfCase(Strict):
    case_id: CaseId


class _BySigner(_OfCase):
    """What a person signed: `signer_sha256` is the fingerprint of the certificate (DER)."""

    statement_sha256: Sha256
    signer_sha256: Sha256


class RunStarted(_OfCase):
    event: Literal["run_started"] = "run_started"
    kind: JobKind


class RunEnded(_OfCase):
    """A run that came to a verdict and issued a certificate, whatever the verdict."""

    event: Literal["run_ended"] = "run_ended"
    kind: JobKind
    verdict: Outcome
    statement_sha256: Sha256
    certificate_sha256: Sha256


class RunRefused(_OfCase):
    """A run that ended in an error: the error's class, never its text."""

    event: Literal["run_refused"] = "run_refused"
    error: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
    exit_code: ExitStatus


class Reviewed(_OfCase):
    """People looked at a case's videos and finished: who they are, and what they decided, stands in the review file."""

    event: Literal["reviewed"] = "reviewed"
    review_sha256: Sha256
    readers: Annotated[int, Field(ge=0, le=2)]
    decisions: Annotated[int, Field(ge=0)]


class WeightsDestroyed(_OfCase):
    """What the vault's record came to: `complete` is its conjunction of checks, `key_id` the key's random name."""

    event: Literal["weights_destroyed"] = "weights_destroyed"
    complete: bool
    key_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class Approved(_BySigner):
    event: Literal["approved"] = "approved"


class RefusedByChair(_BySigner):
    event: Literal["refused_by_chair"] = "refused_by_chair"


class Withdrawn(_BySigner):
    """The reason stands in the status file, and nowhere here."""

    event: Literal["withdrawn"] = "withdrawn"
    status_sha256: Sha256


class Verified(Strict):
    """A certificate was checked here; without a digest when no statement could be read from it."""

    event: Literal["verified"] = "verified"
    statement_sha256: Sha256 | None
    exit_code: ExitStatus


class Recovered(Strict):
    """A line that was never acknowledged, since its end was missing, was cut off."""

    event: Literal["recovered"] = "recovered"
    cut_bytes: Annotated[int, Field(ge=1)]


Event = Annotated[
    RunStarted
    | RunEnded
    | RunRefused
    | Reviewed
    | WeightsDestroyed
    | Approved
    | RefusedByChair
    | Withdrawn
    | Verified
    | Recovered,
    Field(discriminator="event"),
]
