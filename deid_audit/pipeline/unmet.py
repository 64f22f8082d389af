"""One rule that is not met, as advice sees it, and the words that several families of metrics share.

Below `advising`, which knows the families.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from deid_audit.findings import ErasureRecord, Finding, JobKind, Measurement, Of
from deid_audit.ledger import LedgerFrame, State
from deid_audit.pipeline.causes import CAUSES, GENERAL_CAUSE
from deid_audit.pipeline.locating import Fault, SeenVideo

Words = tuple[list[str], list[str]]
"""What was noticed, and the next steps."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One rule that is not met: by which videos, in what kind of job, and the measurement's own details.

    `training` is what the statement says about training; empty where this tool trained nothing.
    """

    finding: Finding
    fault: Fault
    videos: Sequence[SeenVideo]
    measurements: Sequence[Measurement]
    kind: JobKind
    training: Mapping[str, str | int | float | bool | None]
    erasure: ErasureRecord

    @property
    def name(self) -> str:
        """The metric without its family."""
        return self.finding.rule.metric.partition(".")[2]

    @property
    def detail(self) -> Mapping[str, float]:
        """The numbers that came with the value that was judged."""
        return self.detail_of(self.finding.rule.metric, self.finding.rule.of)

    def detail_of(self, metric: str, of: Of) -> Mapping[str, float]:
        """The numbers that came with a metric in the same scope; empty where it was not measured."""
        scope = self.finding.scope
        rows = [row for row in self.measurements if (row.metric, row.of, row.scope) == (metric, of, scope)]
        return rows[0].detail if rows else {}


COVER_OR_RUN_ANEW = (
    "Nothing can be swapped any more: have these stretches covered, or cleared where nobody is seen (deid-audit "
    "review, then run --from-review), or do the whole job anew."
)
"""What is left to do about videos that were reviewed after their run."""


def train_longer(case: Case) -> str:
    if case.kind == "reviewed":
        return COVER_OR_RUN_ANEW
    if case.kind != "swap":
        return "Train the tool that made the video longer, or use another tool."
    steps, seconds = case.training.get("steps", 0), float(case.training.get("training_seconds") or 0)
    if case.training.get("stopped_early"):
        return (
            f"Training stopped by itself after {steps} steps, because the held-out frames were good enough: more "
            "footage helps here, longer training does not."
        )
    wanted = max(300, round(3 * seconds / 60) * 60)
    return f"Train longer: --train-seconds {wanted} (this run made {steps} steps in {seconds:.0f} s)."


def causes_of(case: Case, state: State) -> Words:
    """The ledger's reasons for a state of the subject's face, counted in frames, and what mends the commonest two."""
    return counted_causes(case, lambda frame: [r.reason for r in frame.subject_regions if r.state is state])


def counted_causes(case: Case, reasons_of: Callable[[LedgerFrame], Sequence[str]]) -> Words:
    counts = Counter(
        next((cause for cause in CAUSES if cause.fits(reason)), GENERAL_CAUSE)
        for seen in case.videos
        for frame in seen.watched.ledger
        for reason in reasons_of(frame)[:1]
    )
    common = counts.most_common()
    noticed = [f"{count} frame{'s' * (count > 1)}: {cause.words}" for cause, count in common]
    if case.kind == "reviewed":
        return noticed, [COVER_OR_RUN_ANEW]
    steps = [cause.ours if case.kind == "swap" else cause.theirs for cause, _ in common[:2]]
    if any(cause.training for cause, _ in common[:2]):
        steps.append(train_longer(case))
    return noticed, list(dict.fromkeys(steps)) or [GENERAL_CAUSE.ours]
