"""Numbers into words for the certificate's pages: digits by unit, limits, outcomes, reasons for a missing value.

Pure functions over paper-side types; nothing here lays out a page. A rounded value never seems to stand on the
other side of its limit.
"""

from collections.abc import Callable
from dataclasses import dataclass

from deid_audit.catalog import METRICS
from deid_audit.findings import Finding, JobKind, Measurement, Operator, Outcome, Rule

_DIGITS = {
    "distance": 3,
    "": 3,
    "% of inter-ocular": 2,
    "% of torso": 2,
    "degrees": 2,
    "s": 2,
    "Hz": 2,
    "delta E": 2,
    "L*": 2,
}
_MOST_DIGITS = 12
_SHORT_UNITS = {"% of inter-ocular": "%", "% of torso": "%", "degrees": "°", "distance": "", "": ""}
_HOLDS: dict[Operator, Callable[[float, float], bool]] = {
    "above": lambda value, limit: value > limit,
    "below": lambda value, limit: value < limit,
    "at_least": lambda value, limit: value >= limit,
    "at_most": lambda value, limit: value <= limit,
}
LIMIT_WORDS: dict[Operator, str] = {
    "above": "above",
    "below": "below",
    "at_least": "at least",
    "at_most": "at most",
}
OF_WORDS = {
    "swapped": "swapped",
    "masked": "masked",
    "blurred": "blurred",
    "pixelated": "pixelated",
    "reencoded": "null edit",
    "original": "original",
    "donor": "donor",
    "run": "this run",
}
TALLY_WORDS = {
    Outcome.PASSED: "Hold",
    Outcome.FAILED: "Do not hold",
    Outcome.INDETERMINATE: "Could not be judged",
    Outcome.NOT_APPLICABLE: "Do not apply",
}
OUTCOME_WORDS = {
    Outcome.PASSED: "holds",
    Outcome.FAILED: "does not hold",
    Outcome.INDETERMINATE: "not judged",
    Outcome.NOT_APPLICABLE: "does not apply",
}

ANSWER_WORDS = {
    Outcome.PASSED: "answered",
    Outcome.FAILED: "not accepted",
    Outcome.INDETERMINATE: "not answered",
}


@dataclass(frozen=True, slots=True)
class VerdictWords:
    """The verdict in large letters, and what it means for the files."""

    headline: str
    meaning: str
    files: str


VERDICT_WORDS = {
    Outcome.PASSED: VerdictWords(
        "PASSED",
        "Every rule of the policy that applies holds, and no answer it asks for is missing. Under this policy the "
        "files below may be released.",
        "Files that may be released",
    ),
    Outcome.FAILED: VerdictWords(
        "FAILED",
        "At least one rule of the policy does not hold, or an answer is not one it accepts. The videos are withheld: "
        "not released.",
        "Files withheld: not released",
    ),
    Outcome.INDETERMINATE: VerdictWords(
        "INDETERMINATE",
        "At least one rule of the policy could not be judged on these videos, or an answer it asks for is missing, and "
        "that is not a pass. "
        "The videos are withheld: not released.",
        "Files withheld: not released",
    ),
}


@dataclass(frozen=True, slots=True)
class KindWords:
    """What a certificate of a kind calls itself and its parts."""

    title: str
    destruction: str
    destruction_means: str
    method: str


KIND_WORDS: dict[JobKind, KindWords] = {
    "swap": KindWords(
        "Certificate of a face swap and of what it did to identity and movement",
        "Destruction of the model and of intermediate data",
        "Destroying the trained weights closes one route back to the original face, not all of them.",
        "How it was made",
    ),
    "conceal": KindWords(
        "Certificate of covered faces and of what that did to identity and movement",
        "Destruction of intermediate data",
        "No model was trained. A mask keeps nothing of the face; a blur or tiles this strong can be re-identified.",
        "How it was made",
    ),
    "audit": KindWords(
        "Certificate of an audit: what another tool did to identity and movement",
        "Destruction of what this audit itself kept",
        "This is about the audit's own data only. Another tool made the videos: whether it trained a model, and kept "
        "or destroyed it, is not known.",
        "How it was judged",
    ),
}


def number(metric: str, value: float, *, unit: bool = True) -> str:
    """`value` with the digits and, where short, the unit of its metric.

    >>> number("identity.to_original.mean", 0.78649), number("coverage.concealed", 3.0)
    ('0.786', '3 frames')
    """
    kind = METRICS[metric].unit
    text = f"{value:.{_DIGITS[kind]}f}" if kind in _DIGITS else f"{value:g}"
    if kind == "px" and not value.is_integer():
        text = f"{value:.2f}"
    short = _SHORT_UNITS.get(kind, kind)
    return f"{text} {short}" if unit and short else text


def observed(finding: Finding) -> str:
    """The observed value with as many digits as it takes to show on which side of the limit it stands."""
    rule, value = finding.rule, finding.observed
    if value is None:
        return "none"
    holds = _HOLDS[rule.op]
    usual = number(rule.metric, value, unit=False)
    longer = (f"{value:.{digits}f}" for digits in range(4, _MOST_DIGITS))
    for text in (usual, *longer):
        shown = float(text)
        if holds(shown, rule.limit) == holds(value, rule.limit) and (shown == rule.limit) == (value == rule.limit):
            return text
    return repr(value)


def limit(rule: Rule) -> str:
    """`at least 0.95`, with the unit where it has one."""
    unit = _SHORT_UNITS.get(METRICS[rule.metric].unit, METRICS[rule.metric].unit)
    held = {"value": "", "lower95": ", lower end of the interval", "upper95": ", upper end of the interval"}[rule.bound]
    return f"{LIMIT_WORDS[rule.op]} {rule.limit:g}" + (f" {unit}" if unit else "") + held


def interval(row: Measurement | None) -> str:
    """`0.612 to 0.655 (27 seconds)`, or why there is no interval."""
    if row is None or row.value is None:
        return "–"
    if row.interval is None:
        return f"none: {row.no_interval_because or 'not computed'}"
    low, high = (number(row.metric, end, unit=False) for end in (row.interval.low, row.interval.high))
    return f"{low} to {high} ({row.interval.clusters} {row.interval.unit})"


def missing(row: Measurement) -> str:
    """Why there is no value: `not applicable: ...` where the original has nothing of the kind, else `not measured`."""
    return f"{'not applicable' if row.absent else 'not measured'}: {row.not_measured_because}"


def failure_bound(subjects: int) -> float:
    """Upper end of the one-sided 95 % interval of a failure rate after `subjects` successes and no failure.

    Clopper-Pearson with no failure: 1 - 0.05**(1/n).

    >>> round(failure_bound(1), 3), round(failure_bound(59), 3)
    (0.95, 0.05)
    """
    return float(1 - 0.05 ** (1 / subjects))


def size(count: int) -> str:
    """Bytes in kB or MB (powers of ten).

    >>> size(999), size(1_234_567)
    ('999 bytes', '1.23 MB')
    """
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1e3:.1f} kB" if count < 1e6 else f"{count / 1e6:.2f} MB"
