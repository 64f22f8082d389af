"""What an examination found: findings, the self-test's steps, and which commands work with that."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "missing"]
ISSUING = ("run", "audit", "demo")
VIDEO = (*ISSUING, "conceal", "dataset", "inspect", "motion", "donor", "recheck")
PAGES = ("review", "viewer-test")
SHOWING = (*VIDEO, "report", *PAGES)
LAYING_OUT = (*ISSUING, "approve", "dataset")
CHECKING = (*LAYING_OUT, "verify", "withdraw", "recheck")
SIGNING = (*LAYING_OUT, "conceal", "verify", "withdraw", "keys", "recheck", "log", "vault")
COMMANDS = (*SHOWING, "verify", "approve", "withdraw", "keys", "policy", "log", "vault", "ratings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at. `missing` means that the commands of `needed_by` cannot work.

    `found` is what is there, `means` what follows from it (empty where nothing does), `mend` a command or an advice.
    """

    area: str
    name: str
    status: Status
    found: str
    means: str = ""
    mend: str = ""
    needed_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """One step of the self-test: what it was to show, how it came out, what it saw or why it failed."""

    step: str
    title: str
    ok: bool
    seconds: float
    detail: str
    mend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorReport:
    """The whole examination; `steps` is None when no self-test was asked for."""

    findings: tuple[Finding, ...]
    steps: tuple[StepResult, ...] | None

    @property
    def ok(self) -> bool:
        """Nothing that a command needs is missing and no step failed; a self-test without steps shows nothing."""
        return not self.count("missing") and (self.steps is None or (bool(self.steps) and not self.failed_steps))

    @property
    def failed_steps(self) -> int:
        return sum(not step.ok for step in self.steps or ())

    def count(self, status: Status) -> int:
        return sum(finding.status == status for finding in self.findings)

    def blocked_by(self, command: str) -> tuple[str, ...]:
        """Names of the missing things that `command` needs."""
        missing = [one for one in self.findings if one.status == "missing"]
        return tuple(one.name for one in missing if command in one.needed_by)
