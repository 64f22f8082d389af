"""The first part of every job with a verdict: what was asked for, and whether this machine can do it at all."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from deid_audit.answers import Answer, missing_words
from deid_audit.certificate.keys import Signer, ephemeral_signer
from deid_audit.certificate.readiness import sample_page
from deid_audit.context import read_context
from deid_audit.errors import DeidAuditError, LogError, SettingsError
from deid_audit.files import lies_in_output
from deid_audit.findings import JobKind, Outcome, Policy, measured
from deid_audit.log import Journal, RunEnded, RunRefused, RunStarted, log_folder
from deid_audit.pipeline.engines import asks_for_thorough
from deid_audit.pipeline.issuing import environment
from deid_audit.pipeline.staging import refuse_existing
from deid_audit.pipeline.strangers import refuse_bad_folder
from deid_audit.policy import judge, load_policy
from deid_audit.progress import Progress
from deid_audit.settings import AuditSettings, RunSettings
from deid_audit.swap.convert import pick_device, prepare_runtime
from deid_audit.vault import protect_process
from deid_audit.video.places import read_small


def now() -> datetime:
    """The clock of a job, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a job was asked for: whose case, by which policy, signed by whom; `digest_key` names the originals.

    `context` holds the steward's answers, in the order of `context.FIELDS`.

    `ended` is what the log is told of once the output stands in its place.

    `thorough` says that the written file is searched in more ways, asked for by hand or by the policy.
    """

    kind: JobKind
    case_id: str
    out: Path
    policy: Policy
    context: tuple[Answer, ...]
    signer: Signer
    clock: Callable[[], datetime]
    digest_key: bytes
    progress: Progress
    device: str
    thorough: bool
    environment: dict[str, str]
    journal: Journal
    ended: list[RunEnded] = field(default_factory=list)

    @contextmanager
    def logged(self) -> Iterator[None]:
        """What is done inside stands in the log from its start; an end by an error does, too, by the error's class.

        Raises:
            LogError: the log cannot be written; then no work is begun.
        """
        self.journal.append(RunStarted(case_id=self.case_id, kind=self.kind))
        try:
            yield
        except BaseException as error:
            code = error.exit_code if isinstance(error, DeidAuditError) else 1
            with suppress(LogError):  # the first error is the one to tell
                self.journal.append(RunRefused(case_id=self.case_id, error=type(error).__name__, exit_code=code))
            raise
        for event in self.ended:  # only now does all of it stand where it belongs
            self.journal.append(event)


def prepare(
    kind: JobKind,
    settings: RunSettings | AuditSettings,
    *,
    signer: Signer | None,
    progress: Progress,
    clock: Callable[[], datetime],
) -> Job:
    """Refuses what cannot work before any work is done: policy, answers, output folder, device, fonts.

    Without a signer a key is made on the spot. What the policy asks for and nobody answered is said, not refused: the
    measurements may be wanted all the same.

    Raises:
        DeidAuditError: with the next step.
    """
    policy = load_policy(settings.policy)
    context = _answers(settings.context, policy, clock(), progress)
    refuse_existing(settings.out, force=settings.force)
    log = log_folder(settings.log)
    _refuse_log_inside(log, settings.out)
    refuse_bad_folder(settings.strangers)
    if settings.strangers is None and any(rule.metric.startswith("attack.") for rule in policy.rules):
        progress.say(f"the policy {policy.id} asks for attacks, which need pictures of other people: --strangers")
    if any(rule.metric.startswith("review.") for rule in policy.rules) and not getattr(settings, "review", False):
        progress.say(f"the policy {policy.id} asks for people who looked at the videos: --review")
    device = pick_device(settings.device)
    sample_page(b"{}", issued_at=clock())
    signer = signer or ephemeral_signer(clock())
    protection = protect_process()
    return Job(
        kind=kind,
        case_id=settings.case_id,
        out=settings.out,
        policy=policy,
        context=context,
        signer=signer,
        clock=clock,
        digest_key=secrets.token_bytes(32),
        progress=progress,
        device=device,
        thorough=settings.thorough or asks_for_thorough(policy),
        environment=environment(device, prepare_runtime(device), protection),
        journal=Journal(log, clock=clock),
    )


def _refuse_log_inside(log: Path, out: Path) -> None:
    """SettingsError where replacing OUT, or clearing OUT.partial, would take the log away."""
    if lies_in_output(log, out):
        raise SettingsError(
            "the log may not lie in the output folder: it would be replaced with it",
            next_step="give another folder with --log, or leave --log and DEID_AUDIT_LOG out",
        )


def refuse_by_policy(policy: Policy, metric: str, what: str, option: str) -> None:
    """Before any work: SettingsError when a job of which `metric` is 1 could not pass.

    `what` is not allowed, in words that end with the job; `option` asked for it.
    """
    row = measured(metric, "run", "run", 1.0, sample_size=1, method="asked for")
    findings = judge([row], policy).findings
    if any(one.rule.metric == metric and one.outcome is Outcome.FAILED for one in findings):
        raise SettingsError(
            f"the policy {policy.id} allows {what} cannot pass",
            next_step=f"leave {option} out, or choose another --policy",
        )


def read_answers(path: Path, limit: int) -> bytes | None:
    """The bytes of the steward's answers, at a path or a URL."""
    return read_small(path, "the context file", limit)


def _answers(file: Path | None, policy: Policy, at: datetime, progress: Progress) -> tuple[Answer, ...]:
    given = {} if file is None else read_context(file, on=at.date(), read=read_answers)
    context = tuple(Answer(field=name, answer=answer) for name, answer in given.items())
    if missing := missing_words(policy.answers, context, on=at.date()):
        progress.say(missing)
    return context
