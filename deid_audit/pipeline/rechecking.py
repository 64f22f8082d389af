"""A released set measured again, years later and without originals, against the references that the steward kept.

1 certificate and files as `verify` has them, 2 the references are those of this statement, 3 the faces of the files
described again by the engines of the audit, and their text looked for, 4 judged by the rules that need no more than
that. Writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deid_audit import __version__
from deid_audit.certificate.trust import Trust
from deid_audit.errors import EvidenceError
from deid_audit.findings import CaseRecord, Finding, Measurement, Outcome, Policy, video_scope
from deid_audit.pipeline.checks import VerifyReport
from deid_audit.pipeline.engines import asks_for_thorough, load_engines
from deid_audit.pipeline.keeping import MODELS
from deid_audit.pipeline.remeasuring import measure_again
from deid_audit.pipeline.verify import files_folder, verify
from deid_audit.policy import judge, load_policy
from deid_audit.progress import Progress
from deid_audit.swap.convert import pick_device, prepare_runtime
from deid_audit.vault import protect_process
from deid_audit.vault.references import References, read_references
from deid_audit.video.reader import open_video

_NEEDS_ORIGINALS = "needs the originals' pictures"
_WHY_NOT = {
    "attack": "needs the originals' pictures and those of strangers",
    "audit": "the known faces were pasted when the certificate was issued",
    "coverage": "the ledger was settled beside the originals",
    "voice": "the original's sound is needed",
    "viewers": "people saw the files when the test was made",
    "erasure": "a fact of the time when the certificate was issued",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One number then and now; None where it could not be measured."""

    metric: str
    of: str
    scope: str
    then: float | None
    now: float | None

    @property
    def difference(self) -> float | None:
        """How far they lie apart; None where one of them is missing."""
        return None if self.then is None or self.now is None else abs(self.now - self.then)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAgain:
    """A rule that cannot be judged without the originals, and why."""

    metric: str
    of: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecheckReport:
    """What a recheck came to; without `policy` nothing was measured, since certificate or files do not hold."""

    verified: VerifyReport
    policy: Policy | None = None
    values: tuple[Compared, ...] = ()
    findings: tuple[Finding, ...] = ()
    not_again: tuple[NotAgain, ...] = ()

    @property
    def largest(self) -> Compared | None:
        """The number that lies farthest from what it was."""
        known = [one for one in self.values if one.difference is not None]
        return max(known, key=lambda one: one.difference or 0.0, default=None)

    @property
    def missed(self) -> tuple[Finding, ...]:
        """The rules that were measured again and do not hold."""
        good = (Outcome.PASSED, Outcome.NOT_APPLICABLE)
        return tuple(one for one in self.findings if one.outcome not in good)

    @property
    def exit_code(self) -> int:
        """0 all of it holds and passes again; 3 something does not pass, then or now; 1 the evidence does not hold."""
        if self.policy is None or not self.verified.holds:
            return 1
        passed = any(one.outcome is Outcome.PASSED for one in self.findings)
        return 3 if self.missed or not passed else self.verified.exit_code

    @property
    def conclusion(self) -> str:
        """The result in plain sentences."""
        if self.policy is None:
            return f"{self.verified.conclusion} Nothing was measured again."
        judged = (
            f"of {len(self.findings)} rules measured again by policy {self.policy.id}, version {self.policy.version}"
        )
        if self.missed:
            first = self.missed[0]
            words = f"{len(self.missed)} {judged}, do not hold: {first.rule.metric}: {first.reason}"
        elif not any(one.outcome is Outcome.PASSED for one in self.findings):
            words = f"None {judged}, could be held"
        else:
            words = f"None {judged}, is missed"
        rest = f"; {len(self.not_again)} rules cannot be judged without the originals"
        return f"{words}{rest}. {self.verified.conclusion}"


def recheck(
    certificate: Path,
    *,
    references: Path,
    passphrase: bytes,
    trust: Trust,
    release: Path | None,
    policy: str | None,
    device: str,
    progress: Progress,
) -> RecheckReport:
    """The whole recheck; `policy` takes the place of the certificate's own.

    Raises:
        PolicyFileError: there is no such policy.
        VaultError: the references cannot be opened.
        EvidenceError: they are not of this certificate, or were made with another version or model.
        VideoError: a file cannot be decoded any more.
    """
    chosen = None if policy is None else load_policy(policy)
    device = pick_device(device)
    protect_process()
    verified = verify(certificate, release=release, trust=trust)
    if not verified.holds or verified.case is None:
        return RecheckReport(verified=verified)
    case = verified.case
    kept = read_references(references, passphrase)
    try:
        refuse_other(kept, case, verified.statement_sha256)
        prepare_runtime(device)
        folder = files_folder(certificate, release, case)
        names = [output.name for output in case.outputs if output.role == "video"]
        videos = [open_video(folder / name, label=f"released video {at}") for at, name in enumerate(names, start=1)]
        by = chosen or case.policy
        engines = load_engines(device, thorough=kept.head.thorough or asks_for_thorough(by))
        sounds = [_sound_accounted(case, video_scope(at)) for at in range(1, len(videos) + 1)]
        measurements = measure_again(kept, videos, sounds=sounds, engines=engines, progress=progress)
    finally:
        kept.wipe()
    return judged_again(verified, case, by, measurements)


def _sound_accounted(case: CaseRecord, scope: str) -> bool:
    """Whether the certificate says of this video that it has sound, which this tool was asked to write."""
    rows = [row for row in case.measurements if row.metric == "voice.sound" and row.scope == scope]
    return case.kind != "audit" and any(row.value for row in rows)


def refuse_other(kept: References, case: CaseRecord, statement_sha256: str) -> None:
    """EvidenceError unless the references belong to this statement and to this version of the tool."""
    head = kept.head
    if kept.statement_sha256 != statement_sha256 or head.case_id != case.case_id:
        raise EvidenceError(
            "the references are those of another certificate", next_step="give those that were kept with this one"
        )
    if head.tool_version != __version__:
        raise EvidenceError(
            f"the references were made by deid-audit {head.tool_version}, this is {__version__}: it may describe faces "
            "otherwise",
            next_step=f"install deid-audit {head.tool_version}; --policy FILE takes a newer policy's file",
        )
    if other := sorted(name for name in MODELS | head.models if MODELS.get(name) != head.models.get(name)):
        raise EvidenceError(
            f"the references were made with another model file: {', '.join(other)}",
            next_step="install deid-audit with the constraints.txt of that time",
        )
    if len(head.videos) != len(case.rendered):
        raise EvidenceError(f"the references are of {len(head.videos)} videos, the statement has {len(case.rendered)}")


def judged_again(
    verified: VerifyReport, case: CaseRecord, policy: Policy, measurements: Sequence[Measurement]
) -> RecheckReport:
    """The new numbers beside the recorded ones, and by the rules of `policy` that they suffice for."""
    known = {(row.metric, row.of) for row in measurements}
    rules = tuple(rule for rule in policy.rules if (rule.metric, rule.of) in known)
    rest = dict.fromkeys((rule.metric, rule.of) for rule in policy.rules if (rule.metric, rule.of) not in known)
    then = {(row.metric, row.of, row.scope): row.value for row in case.measurements}
    values = [
        Compared(
            metric=row.metric, of=row.of, scope=row.scope, then=then.get((row.metric, row.of, row.scope)), now=row.value
        )
        for row in measurements
    ]
    findings = judge(measurements, policy.model_copy(update={"rules": rules, "answers": ()})).findings if rules else ()
    not_again = (
        NotAgain(metric=metric, of=of, why=_WHY_NOT.get(metric.partition(".")[0], _NEEDS_ORIGINALS))
        for metric, of in rest
    )
    return RecheckReport(
        verified=verified, policy=policy, values=tuple(values), findings=findings, not_again=tuple(not_again)
    )
