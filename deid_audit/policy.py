"""What a release must show: reads policy files strictly and judges measurements by them.

Comes after measuring and destroying, before the statement. `judge` is a pure function: it reads no file and no
clock, and it fails closed: what was not measured, or not well enough, is INDETERMINATE and never PASSED.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from pydantic import ConfigDict, Field, ValidationError

from deid_audit.answers import Answer, RequiredAnswer, judge_answers
from deid_audit.catalog import METRICS
from deid_audit.digests import sha256_bytes
from deid_audit.errors import PolicyFileError
from deid_audit.files import read_at_most
from deid_audit.findings import Bound, Finding, Measurement, Operator, Outcome, Policy, Rule, Strict, Verdict
from deid_audit.resources import resource_dir
from deid_audit.toml_table import NotToml, toml_table

METHOD_TEXT = (
    "Each rule of the policy was held against the worst of the released videos. A rule whose value is missing, rests "
    "on too few frames, or could not be met even by the re-encoded original is indeterminate, never passed. A rule "
    "that asks for an end of the 95 % interval is indeterminate where there is no interval, and a control that does "
    "not hold makes the verdict indeterminate: then the measure cannot be trusted."
)

_LARGEST_FILE_BYTES = 1 << 20
_NEXT = "compare the file with a shipped one: deid-audit policy show release"
_VIDEO_SCOPE = re.compile(r"video [1-9][0-9]*")

OPERATOR_WORDS: dict[Operator, str] = {
    "above": "above",
    "below": "below",
    "at_least": "at least",
    "at_most": "at most",
}
_STRICT_END: dict[Operator, Bound] = {
    "above": "lower95",
    "at_least": "lower95",
    "below": "upper95",
    "at_most": "upper95",
}
BOUND_WORDS: dict[Bound, str] = {
    "value": "the value",
    "lower95": "the lower end of the 95 % interval",
    "upper95": "the upper end of the 95 % interval",
}
# Written positively, so that a value that compares False with everything cannot pass.
_HOLDS: dict[Operator, Callable[[float, float], bool]] = {
    "above": lambda value, limit: value > limit,
    "below": lambda value, limit: value < limit,
    "at_least": lambda value, limit: value >= limit,
    "at_most": lambda value, limit: value <= limit,
}


class _PolicyFile(Strict):
    """The keys that a policy file may have; its sha256 is computed, never read from it."""

    model_config = ConfigDict(strict=True)

    id: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    version: str = Field(min_length=1)
    title: str = Field(min_length=1)
    rules: tuple[Rule, ...] = Field(min_length=1)
    answers: tuple[RequiredAnswer, ...] = ()


def list_policies() -> list[Policy]:
    """The shipped policies, by name."""
    return [_read(path) for path in sorted(resource_dir("policies").glob("*.toml"), key=lambda path: path.stem)]


def load_policy(name_or_path: str) -> Policy:
    """The shipped policy of this name, or the policy in this .toml file; raises PolicyFileError."""
    shipped = {path.stem: path for path in resource_dir("policies").glob("*.toml")}
    if name_or_path in shipped:
        return _read(shipped[name_or_path])
    if name_or_path.endswith(".toml"):
        return _read(Path(name_or_path))
    raise PolicyFileError(
        f"there is no policy {Path(name_or_path).name!r}; shipped are {', '.join(sorted(shipped))}",
        next_step="give one of these names, or the path of a .toml file",
    )


def _read(path: Path) -> Policy:
    try:
        data = read_at_most(path, _LARGEST_FILE_BYTES)
    except OSError as error:
        why = error.strerror or "it cannot be read"
        raise PolicyFileError(f"{path.name}: {why}", next_step="check the path of the policy file") from None
    if data is None:
        raise PolicyFileError(f"{path.name}: larger than a policy can be (1 MiB)", next_step=_NEXT)
    return _parse(data, path.name)


def _parse(data: bytes, name: str) -> Policy:
    try:
        table = toml_table(data)
    except NotToml as error:
        raise PolicyFileError(f"{name}: {error}", next_step=_NEXT) from None
    for key in ("rules", "answers"):
        if isinstance(table.get(key), list):
            table[key] = tuple(map(_with_tuples, table[key]))
    try:
        file = _PolicyFile.model_validate(table, strict=True)
    except ValidationError as error:
        raise PolicyFileError(f"{name}: {_first_fault(error)}", next_step=_NEXT) from None
    _check_rules(file.rules, name)
    _check_answers(file.answers, name)
    return Policy(**dict(file), sha256=sha256_bytes(data))


def _with_tuples(row: object) -> object:
    """A table of a policy file with its lists as the tuples that the records hold."""
    if not isinstance(row, dict):
        return row
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


def _first_fault(error: ValidationError) -> str:
    faults = error.errors(include_url=False)
    first = faults[0]
    key = ""
    for part in first["loc"]:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else part
    words = {"missing": "missing", "extra_forbidden": "unknown key"}.get(
        first["type"], first["msg"].removeprefix("Value error, ")
    )
    if first["type"] in ("missing", "extra_forbidden") or isinstance(first["input"], dict | list | tuple):
        got = ""
    else:
        got = f", got {first['input']!r:.60}"
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{key}: {words}{got}{more}"


def _check_rules(rules: Sequence[Rule], name: str) -> None:
    """What a single rule's types cannot say: the metric exists, the limit can be met and missed, no rule twice."""
    seen: dict[tuple[str, str, str, str], int] = {}
    for number, rule in enumerate(rules):
        key = f"{name}: rules[{number}]"
        metric = METRICS.get(rule.metric)
        if metric is None:
            raise PolicyFileError(f"{key}.metric: unknown metric {rule.metric!r:.80}", next_step=_NEXT)
        if rule.limit < metric.low or (metric.high is not None and rule.limit > metric.high):
            high = "" if metric.high is None else f" to {metric.high:g}"
            raise PolicyFileError(
                f"{key}.limit: {rule.limit:g} is outside {rule.metric}, which goes from {metric.low:g}{high}",
                next_step="give the limit in the metric's own unit (a share is 0.05, not 5)",
            )
        if rule.bound != "value" and metric.no_interval:
            raise PolicyFileError(
                f"{key}.bound: {rule.metric} has no interval: {metric.no_interval}", next_step="leave bound out"
            )
        if rule.bound != "value" and rule.bound != _STRICT_END[rule.op]:
            raise PolicyFileError(
                f"{key}.bound: {rule.bound} is the lenient end for {rule.op!r}",
                next_step=f"write bound = {_STRICT_END[rule.op]!r}, or leave it out",
            )
        earlier = seen.setdefault((rule.metric, rule.of, rule.op, rule.bound), number)
        if earlier != number:
            raise PolicyFileError(
                f"{key}.op: the same metric, of, op and bound as rules[{earlier}]", next_step="keep one of the two"
            )


def _check_answers(answers: Sequence[RequiredAnswer], name: str) -> None:
    for number, one in enumerate(answers):
        earlier = [before.field for before in answers].index(one.field)
        if earlier != number:
            raise PolicyFileError(
                f"{name}: answers[{number}].field: the same as answers[{earlier}]", next_step="keep one of the two"
            )


def judge(
    measurements: Sequence[Measurement], policy: Policy, context: Sequence[Answer] = (), *, on: date = date.max
) -> Verdict:
    """Hold every rule against the worst scope of its metric, and the steward's answers against the questions.

    `on` is the day of issue (UTC); without one, a stated validity has run out.

    Scopes are the subject's videos; other scopes (the subject, the run) count only for a metric that no video has.
    A video that has other measurements of the same `of` but none for the rule is a gap, hence INDETERMINATE. A rule
    FAILED in one video is FAILED, whatever the others lack.
    """
    return Verdict(
        policy_id=policy.id,
        policy_version=policy.version,
        policy_sha256=policy.sha256,
        findings=tuple(_judge_rule(rule, measurements) for rule in policy.rules),
        answers=judge_answers(policy.answers, context, on=on),
    )


def _judge_rule(rule: Rule, measurements: Sequence[Measurement]) -> Finding:
    rows = [row for row in measurements if row.metric == rule.metric and row.of == rule.of]
    videos = [row for row in rows if _VIDEO_SCOPE.fullmatch(row.scope)]
    if not rows:
        return Finding(rule=rule, outcome=Outcome.INDETERMINATE, reason="not measured at all")
    findings = [_judge_row(rule, row) for row in videos or rows]
    if videos:
        known = {row.scope for row in measurements if row.of == rule.of and _VIDEO_SCOPE.fullmatch(row.scope)}
        for scope in sorted(known - {row.scope for row in videos}):
            reason = f"{scope}: not measured at all"
            findings.append(Finding(rule=rule, outcome=Outcome.INDETERMINATE, scope=scope, reason=reason))
    for outcome in (Outcome.FAILED, Outcome.INDETERMINATE, Outcome.PASSED):
        candidates = [finding for finding in findings if finding.outcome is outcome]
        if candidates:
            return max(candidates, key=lambda finding: _badness(rule, finding))
    return findings[0]


def _badness(rule: Rule, finding: Finding) -> float:
    """How far the observed value lies to the wrong side; no value at all is the worst."""
    if finding.observed is None:
        return float("inf")
    return -finding.observed if rule.op in ("above", "at_least") else finding.observed


def _in_words(value: float, rule: Rule) -> str:
    """The value with four digits, or with all where four would put it on the other side of the limit."""
    holds, short = _HOLDS[rule.op], f"{value:.4g}"
    return short if holds(float(short), rule.limit) == holds(value, rule.limit) else repr(value)


def _held(rule: Rule, row: Measurement) -> float | None:
    """What the rule holds against its limit: the value, or an end of the interval; None where there is none."""
    if rule.bound == "value":
        return row.value
    return None if row.interval is None else row.interval.low if rule.bound == "lower95" else row.interval.high


def _judge_row(rule: Rule, row: Measurement) -> Finding:
    holds = _HOLDS[rule.op]
    bound = f"{OPERATOR_WORDS[rule.op]} {rule.limit:g}"
    held = _held(rule, row)
    value = "" if row.value is None else _in_words(row.value, rule)
    outcome = Outcome.INDETERMINATE
    if row.value is None:
        because = row.not_measured_because or "no reason was recorded"
        if row.absent and rule.if_absent == "skip":
            outcome = Outcome.NOT_APPLICABLE
            reason = f"does not apply: {because}"
        else:
            reason = f"not measured: {because}"
    elif row.sample_size < rule.min_sample_size:
        reason = f"{value} rests on a sample of {row.sample_size}, the rule asks for at least {rule.min_sample_size}"
    elif held is None:
        reason = f"{value} has no interval, and the rule asks for one: {row.no_interval_because or 'none was computed'}"
    elif row.noise_floor is not None and not holds(row.noise_floor, rule.limit):
        reason = (
            f"{value} cannot be told from the video's own noise: the re-encoded original, with nothing "
            f"swapped, gives {_in_words(row.noise_floor, rule)}, which is itself not {bound}"
        )
    else:
        what = value if row.interval is None or rule.bound == "value" else _interval_words(value, held, rule, row)
        outcome, verb = (Outcome.PASSED, "is") if holds(held, rule.limit) else (Outcome.FAILED, "is not")
        reason = f"{what} {verb} {bound}"
        if outcome is Outcome.FAILED and rule.if_missed == "indeterminate":
            outcome = Outcome.INDETERMINATE
            reason += ": this control does not hold, so what rests on it is not known"
    return Finding(
        rule=rule,
        outcome=outcome,
        scope=row.scope,
        observed=held if row.value is not None and held is not None else row.value,
        sample_size=row.sample_size,
        interval=row.interval,
        noise_floor=row.noise_floor,
        reason=f"{row.scope}: {reason}",
    )


def _interval_words(value: str, held: float, rule: Rule, row: Measurement) -> str:
    interval = row.interval
    counted = "" if interval is None else f", {interval.clusters} {interval.unit}"
    return f"{value}: {BOUND_WORDS[rule.bound]}, {_in_words(held, rule)}{counted},"
