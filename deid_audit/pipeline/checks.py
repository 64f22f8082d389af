"""What a verification came to: every check with its outcome, and what follows from all of them.

Whether the evidence holds, and the exit status, are derived here and stored nowhere. No check is made here.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from deid_audit.answers import valid_until
from deid_audit.certificate.checking import SignedBy
from deid_audit.certificate.decisions import Decision
from deid_audit.certificate.facts import FACTS, may_be_moot
from deid_audit.context import has_run_out
from deid_audit.evidence import FileProblem
from deid_audit.findings import CaseRecord, Outcome
from deid_audit.pipeline.standing import Withdrawn

Status = Literal["ok", "failed", "skipped", "not_applicable"]
CHECKS = FACTS | {
    "statement.parsed": "the statement is complete and in its exact form",
    "statement.sibling": "evidence.json beside the certificate is the attached one",
    "statement.signer": "the statement names the one who signed",
    "statement.verdict": "the verdict follows from the measurements, the answers and the policy",
    "attestation.readable": "the attestation beside the certificate is in its one exact form",
    "attestation.same": "the attestation holds the attached statement",
    "attestation.signed": "the attestation is signed by those who signed the certificate, and nobody else",
    "files.compared": "the files are those of the statement",
    "status.readable": "a status file, where there is one, is in its one exact form",
    "status.same": "the status file is of this certificate's statement",
    "status.signed": "the status file is signed by somebody who may withdraw the certificate",
}
_OF_ATTESTATION = [check for check in CHECKS if check.startswith("attestation.")]
_OF_STATUS = [check for check in CHECKS if check.startswith("status.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check: its id in `CHECKS`, how it came out, and what was found."""

    id: str
    status: Status
    detail: str

    @property
    def title(self) -> str:
        return CHECKS[self.id]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """Every check of `CHECKS` in order; whether the evidence holds, and the exit status, are derived.

    `checked_on` is the day (UTC) that a stated validity is held against; `statement_sha256` is of the attached
    statement's bytes, empty without one; `trust_sha256` is the trust file's; `withdrawn` what a status file says that
    holds.
    """

    checks: tuple[Check, ...]
    signers: tuple[SignedBy, ...]
    case: CaseRecord | None
    file_problems: tuple[FileProblem, ...]
    files_compared: int
    checked_on: date
    trust_sha256: str | None = None
    statement_sha256: str = ""
    withdrawn: Withdrawn | None = None

    @property
    def verdict(self) -> Outcome | None:
        """The recorded verdict, and only when it follows from the recorded measurements."""
        derived = any(check.id == "statement.verdict" and check.status == "ok" for check in self.checks)
        return self.case.verdict.outcome if self.case is not None and derived else None

    @property
    def holds(self) -> bool:
        """Whether every check was made and came out, beside what `_excused` says."""
        made = [check.id for check in self.checks] == list(CHECKS)
        return made and all(check.status == "ok" or check in self._excused for check in self.checks)

    @property
    def _excused(self) -> tuple[Check, ...]:
        """Checks of files that may be absent beside the certificate, and of what is not there and nobody demands.

        An attestation, or a status file, that was read is checked in full.
        """
        absent = {check.id for check in self.checks if check.status == "not_applicable"}
        may_be_absent = set(_OF_STATUS) if absent.issuperset(_OF_STATUS) else set()
        skipped = {check.id for check in self.checks if check.status == "skipped"}
        may_be_skipped = {"statement.sibling", *(_OF_ATTESTATION if skipped.issuperset(_OF_ATTESTATION) else ())}
        return tuple(
            check
            for check in self.checks
            if (check.id in may_be_skipped and check.status == "skipped")
            or (check.status == "not_applicable" and (may_be_moot(check.id) or check.id in may_be_absent))
        )

    @property
    def decision(self) -> Decision | None:
        """The chair's decision, where the chair has signed; it counts only where the evidence holds."""
        return next((one.decision for one in self.signers if one.role == "chair"), None)

    @property
    def refused(self) -> bool:
        return self.decision is not None and not self.decision.approves

    @property
    def unmet(self) -> tuple[Check, ...]:
        """What does not hold, failed checks first, then those that could not be made."""
        failed = [check for check in self.checks if check.status == "failed"]
        return (*failed, *(one for one in self.checks if one.status == "skipped" and one not in self._excused))

    @property
    def exit_code(self) -> int:
        """0 authentic, trusted, PASSED, the files as stated; 3 not PASSED, refused, run out or withdrawn; 1 else."""
        if not self.holds:
            return 1
        stands = not self.ran_out and not self.refused and self.withdrawn is None
        return 0 if self.verdict is Outcome.PASSED and stands else 3

    @property
    def ran_out(self) -> str:
        """The last day on which a release may rest on this certificate, where it has passed; else empty."""
        until = None if self.case is None else valid_until(self.case.context)
        return until if until is not None and has_run_out(until, self.checked_on) else ""

    @property
    def conclusion(self) -> str:
        """The result in one plain sentence."""
        if self.exit_code == 0:
            approved = "" if self.decision is None else f" approved by the chair{self._conditions},"
            return (
                f"Authentic, from an issuer you trust, PASSED,{approved} and every file is the certified one."
                f"{self._caveat}"
            )
        if self.exit_code == 3:
            return f"Authentic and from an issuer you trust, but {self._why_not}.{self._caveat}"
        too = "" if self.withdrawn is None else f" It was also {self.withdrawn.words}."
        return f"Does not hold: {self.unmet[0].detail if self.unmet else 'not every check was made'}.{too}"

    @property
    def _why_not(self) -> str:
        if self.withdrawn is not None:
            return f"WITHDRAWN: not to be released any more; {self.withdrawn.words}"
        if self.verdict is not Outcome.PASSED:
            return f"the verdict is {self.verdict}: not to be released"
        if self.refused:
            return f"the chair of the ethics board refused the release{self._conditions}: not to be released"
        return f"its steward stated that it is valid until {self.ran_out}: not to be released any more"

    @property
    def _conditions(self) -> str:
        stated = None if self.decision is None else self.decision.conditions
        return "" if stated is None else f" (conditions: {stated})"

    @property
    def _caveat(self) -> str:
        """A key made on the spot is trusted on the reader's word alone; say so."""
        if self.case is None or self.case.signer.verified_issuer:
            return ""
        return " The key was made on the spot: who issued this is as sure as the way its certificate came to you."
