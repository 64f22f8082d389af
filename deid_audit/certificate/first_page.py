"""What the first page says in short: five numbers with the policy's limits, and the heads of what was not tested.

Between the case record and the page template. Nothing is computed: a number is the worst video's, as the policy's own
finding has it where the policy gates it, and what was not measured says so and why. Texts that come with the case are
shortened, so that the page stays one page; an annex has each of them in full.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from deid_audit.catalog import METRICS
from deid_audit.certificate import wording
from deid_audit.certificate.quoting import rows_of_worst
from deid_audit.certificate.strings import FIVE_NUMBERS, OUTCOME_WORDS, TEXT
from deid_audit.findings import CaseRecord, Finding, Measurement, Outcome

# Of each row the first that the policy gates is shown; where it gates none, the first that was measured.
_CHOICES: tuple[tuple[str, ...], ...] = (
    ("identity.to_original.p01", "identity.to_original.mean"),
    ("identity.to_original.longest_run_below_frames", "identity.to_original.seconds_below"),
    ("coverage.concealed_share",),
    ("keypoints.ap95", "keypoints.oks_ge_95"),
    ("attack.strongest.auc", "attack.descriptor.rank1"),
)
_RANK = (Outcome.FAILED, Outcome.INDETERMINATE, Outcome.PASSED, Outcome.NOT_APPLICABLE)
_LONGEST_REASON = 90
_LONGEST_NAME = 110
_LONGEST_HEADLINE = 64
_MOST_HEADLINES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One of the five, as text; `outcome` is a finding's, or empty where the policy does not gate it.

    `reason` says why there is no value where it is not `known`, else why it is not judged, or where else it is missing.
    """

    metric: str
    title: str
    words: str
    value: str
    where: str
    interval: str
    limit: str
    outcome: str
    mark: str
    reason: str
    known: bool


def five_numbers(case: CaseRecord) -> list[Number]:
    """The five, in their order."""
    return [_number(case, _chosen(case, choices)) for choices in _CHOICES]


def _chosen(case: CaseRecord, choices: Sequence[str]) -> str:
    gated = {finding.rule.metric for finding in case.verdict.findings if finding.rule.of == "swapped"}
    known = {row.metric for row in case.measurements if row.of == "swapped" and row.value is not None}
    for wanted in (gated, known):
        for metric in choices:
            if metric in wanted:
                return metric
    return choices[0]


def _number(case: CaseRecord, metric: str) -> Number:
    findings = [one for one in case.verdict.findings if one.rule.metric == metric and one.rule.of == "swapped"]
    finding = min(findings, key=lambda one: _RANK.index(one.outcome), default=None)
    row, gaps = rows_of_worst(case, metric)
    if finding is not None:
        row = _row(case, metric, finding.scope)
    title, words = FIVE_NUMBERS[metric]
    known = row is not None and row.value is not None
    reason = _reason(finding, row, gaps)
    several = len(case.originals) > 1
    return Number(
        metric=metric,
        title=title,
        words=" ".join(filter(None, (words, _control(case, metric, row)))),
        value=_value(finding, row),
        where=row.scope if several and known and row is not None else "",
        interval=_interval(finding, row),
        limit=TEXT["five_no_limit"] if finding is None else wording.limit(finding.rule),
        outcome="" if finding is None else finding.outcome.value.lower(),
        mark=TEXT["five_not_gated"] if finding is None else OUTCOME_WORDS[finding.outcome],
        reason=wording.shortened(reason, _LONGEST_REASON),
        known=known,
    )


def _row(case: CaseRecord, metric: str, scope: str | None, of: str = "swapped") -> Measurement | None:
    rows = [one for one in case.measurements if (one.metric, one.of, one.scope) == (metric, of, scope)]
    return rows[0] if rows else None


def _value(finding: Finding | None, row: Measurement | None) -> str:
    if row is None or row.value is None:
        absent = row is not None and row.absent
        return TEXT["five_absent" if absent else "five_not_measured"]
    if finding is not None and finding.rule.bound == "value":
        return wording.with_unit(row.metric, wording.observed(finding))
    return wording.number(row.metric, row.value)


def _interval(finding: Finding | None, row: Measurement | None) -> str:
    """Both ends; the end that the policy holds against its limit with as many digits as tell on which side it is."""
    if row is None or row.value is None or row.interval is None:
        return TEXT["five_no_interval"]
    low, high = (wording.number(row.metric, end, unit=False) for end in (row.interval.low, row.interval.high))
    if finding is not None and finding.rule.bound == "lower95":
        low = wording.observed(finding)
    if finding is not None and finding.rule.bound == "upper95":
        high = wording.observed(finding)
    return TEXT["interval"].format(low=low, high=high)


def _reason(finding: Finding | None, row: Measurement | None, gaps: Sequence[Measurement]) -> str:
    """Why there is no value or no judgement; empty where the value and its limit say it all."""
    if row is not None and row.value is None:
        return f"{row.scope}: {row.not_measured_because}"
    if finding is not None:
        said = row is not None and finding.outcome in (Outcome.PASSED, Outcome.FAILED)
        return "" if said else finding.reason
    if gaps:
        return f"{gaps[0].scope}: {wording.missing(gaps[0])}"
    return TEXT["five_nowhere"] if row is None else ""


def _control(case: CaseRecord, metric: str, row: Measurement | None) -> str:
    """The same number of what was not protected: of the null edit, or of the attack on it."""
    if row is None or row.value is None:
        return ""
    if metric.startswith("keypoints."):
        null = _row(case, metric, row.scope, "reencoded")
        known = row.noise_floor if null is None else null.value
        if known is None:
            return TEXT["five_null_edit_unknown"]
        return TEXT["five_null_edit"].format(value=wording.number(metric, known))
    if not metric.startswith("attack."):
        return ""
    named = row.method.partition(":")[0]  # the strongest attack names the one that it is
    attack = _row(case, named, row.scope) if named in METRICS else row
    found = None if attack is None else attack.detail.get("null_edit")
    return "" if found is None else TEXT["five_unprotected"].format(value=wording.number(metric, found))


def untested(case: CaseRecord) -> list[str]:
    """The heads of what was not assessed, the most of them, and how many more there are."""
    heads = [wording.headline(item, _LONGEST_HEADLINE) for item in case.not_assessed]
    more = len(heads) - _MOST_HEADLINES
    return heads if more <= 0 else [*heads[:_MOST_HEADLINES], TEXT["untested_more"].format(count=more)]


def short_name(name: str) -> str:
    """A name or title that came from outside, cut to what the first page has room for."""
    return wording.shortened(name, _LONGEST_NAME)
