"""A data set in numbers, from its cases' statements alone: worst beside mean, groups, the bound, and what is unsaid."""

from collections.abc import Mapping, Sequence

from deid_audit.certificate.wording import failure_bound
from deid_audit.dataset.manifest import COLUMNS
from deid_audit.dataset.record import SMALLEST_GROUP, Group, RuleSummary, SetBound, Subgroups, WorstGroup
from deid_audit.findings import CaseRecord, Outcome, Rule
from deid_audit.measure.intervals import share_interval

NOT_ASSESSED = (
    "Whether videos of this set can be linked with each other by anything but faces (body, movement, surroundings, "
    "sound), or by anything with other videos of the same people.",
    "What becomes known by joining this set with other data about the same people.",
    "Groups by anything but the columns that the steward gave; whether these were right was not checked.",
)


def rule_summaries(cases: Sequence[CaseRecord]) -> tuple[RuleSummary, ...]:
    """Each rule over the cases, which share one policy; a subject's value is that of their worst video."""
    rules = cases[0].policy.rules if cases else ()
    summaries = []
    for at, rule in enumerate(rules):
        seen = [(one.verdict.findings[at].observed, one.case_id) for one in cases]
        values = [(value, case_id) for value, case_id in seen if value is not None]
        worst = _worst(rule, values)
        summaries.append(
            RuleSummary(
                metric=rule.metric,
                of=rule.of,
                op=rule.op,
                limit=rule.limit,
                subjects=len(values),
                not_measured=len(seen) - len(values),
                mean=_mean([value for value, _ in values]),
                worst=None if worst is None else worst[0],
                worst_case=None if worst is None else worst[1],
            )
        )
    return tuple(summaries)


def subgroups(cases: Sequence[CaseRecord], groups: Mapping[str, Mapping[str, str]]) -> tuple[Subgroups, ...]:
    """Each column that `groups` (case id to column to group) has; groups of fewer than ten are not named."""
    tables = []
    for column in COLUMNS:
        of_case = {case_id: said[column] for case_id, said in groups.items() if column in said}
        if not of_case:
            continue
        members: dict[str, list[CaseRecord]] = {}
        for case in cases:
            if case.case_id in of_case:
                members.setdefault(of_case[case.case_id], []).append(case)
        large = {name: some for name, some in sorted(members.items()) if len(some) >= SMALLEST_GROUP}
        rows = [_group(name, some) for name, some in large.items()]
        several = len(rows) > 1
        tables.append(
            Subgroups(
                column=column,
                groups=tuple(rows),
                too_small=len(members) - len(large),
                unknown=sum(case.case_id not in of_case for case in cases),
                worst=min(rows, key=lambda row: (row.passed / row.subjects, row.group)).group if several else None,
                worst_by_rule=_worst_by_rule(cases, large) if several else (),
            )
        )
    return tuple(tables)


def set_bound(cases: Sequence[CaseRecord], *, not_made: int) -> SetBound:
    """From how many subjects did not pass; Clopper and Pearson's interval, with no failure 1 - 0.05^(1/n).

    `not_made` subjects have no verdict and are in no share: the words say how many these are.
    """
    count = len(cases)
    missed = sum(case.verdict.outcome is not Outcome.PASSED for case in cases)
    upper: float | None = None
    if count and missed == 0:
        upper = failure_bound(count)
    elif count:
        interval, _ = share_interval(missed, count, "subjects")
        upper = None if interval is None else interval.high
    said = (
        "no bound: fewer than 10 subjects, of whom some did not pass"
        if upper is None
        else f"of further subjects like these whose cases are made, at most {upper:.1%} would not pass, with 95 % "
        "confidence"
    )
    return SetBound(
        subjects=count,
        not_passed=missed,
        upper95=upper,
        words=f"{missed} of {count} subjects did not pass: {said}. {not_made} more subjects are left out: their cases "
        "were not made, and it does not speak of such. It counts verdicts: a released case was chosen by its passing, "
        "and what the measures do not see is in no bound.",
    )


def _group(name: str, members: Sequence[CaseRecord]) -> Group:
    passed = sum(case.verdict.outcome is Outcome.PASSED for case in members)
    interval, _ = share_interval(passed, len(members), "subjects")
    assert interval is not None  # there are at least ten
    return Group(group=name, subjects=len(members), passed=passed, low95=interval.low, high95=interval.high)


def _worst_by_rule(cases: Sequence[CaseRecord], groups: Mapping[str, Sequence[CaseRecord]]) -> tuple[WorstGroup, ...]:
    """Only by rules of which every group has at least ten values."""
    found = []
    for at, rule in enumerate(cases[0].policy.rules):
        values = {
            name: [v for case in some if (v := case.verdict.findings[at].observed) is not None]
            for name, some in groups.items()
        }
        if all(len(some) >= SMALLEST_GROUP for some in values.values()):
            worst = _worst(rule, [(sum(some) / len(some), name) for name, some in values.items()])
            assert worst is not None
            found.append(WorstGroup(metric=rule.metric, of=rule.of, group=worst[1], mean=worst[0]))
    return tuple(found)


def _worst(rule: Rule, values: Sequence[tuple[float, str]]) -> tuple[float, str] | None:
    if not values:
        return None
    return min(values) if rule.op in ("above", "at_least") else max(values)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
