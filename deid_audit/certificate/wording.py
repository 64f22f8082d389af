"""Numbers into words for the certificate's pages: digits by unit, limits, outcomes, reasons for a missing value.

Pure functions over paper-side types; nothing here lays out a page. A rounded value never seems to stand on the
other side of its limit.
"""

import re
from collections.abc import Callable

from deid_audit.catalog import METRICS
from deid_audit.certificate.strings import ANNEXES, BOUND_WORDS, KIND_WORDS, LIMIT_WORDS, TEXT
from deid_audit.findings import Finding, JobKind, Measurement, Operator, Rule

_DIGITS = {
    "distance": 3,
    "": 3,
    "% of inter-ocular": 2,
    "% of torso": 2,
    "degrees": 2,
    "s": 2,
    "Hz": 2,
    "ms": 0,
    "1/min": 1,
    "steps/min": 0,
    "% of eye width": 1,
    "%": 1,
    "delta E": 2,
    "L*": 2,
}
_MOST_DIGITS = 12
_SHORT_UNITS = {
    "% of inter-ocular": "%",
    "% of torso": "%",
    "% of eye width": "%",
    "degrees": "°",
    "distance": "",
    "": "",
}
_HOLDS: dict[Operator, Callable[[float, float], bool]] = {
    "above": lambda value, limit: value > limit,
    "below": lambda value, limit: value < limit,
    "at_least": lambda value, limit: value >= limit,
    "at_most": lambda value, limit: value <= limit,
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
    return with_unit(metric, text) if unit else text


def with_unit(metric: str, text: str) -> str:
    """`text` and the unit of its metric, where that has a short one."""
    kind = METRICS[metric].unit
    short = _SHORT_UNITS.get(kind, kind)
    return f"{text} {short}" if short else text


def observed(finding: Finding) -> str:
    """The observed value with as many digits as it takes to show on which side of the limit it stands."""
    rule, value = finding.rule, finding.observed
    if value is None:
        return TEXT["none"]
    holds = _HOLDS[rule.op]
    usual = number(rule.metric, value, unit=False)
    longer = (f"{value:.{digits}f}" for digits in range(4, _MOST_DIGITS))
    for text in (usual, *longer):
        shown = float(text)
        if holds(shown, rule.limit) == holds(value, rule.limit) and (shown == rule.limit) == (value == rule.limit):
            return text
    return repr(value)


def metric_title(metric: str) -> str:
    """A metric's title as it begins a line: its first letter is made large, and no other is touched."""
    words = METRICS[metric].title
    return words[:1].upper() + words[1:]


def limit(rule: Rule) -> str:
    """`at least 0.95`, with the unit where it has one, and which end of an interval it is for."""
    return limit_words(rule.metric, rule.op, rule.limit) + BOUND_WORDS[rule.bound]


def limit_words(metric: str, op: Operator, value: float) -> str:
    """`at least 0.95`, with the unit where it has one."""
    unit = _SHORT_UNITS.get(METRICS[metric].unit, METRICS[metric].unit)
    return TEXT["limit_words"].format(op=LIMIT_WORDS[op], limit=f"{value:g}", unit=unit).rstrip()


def interval(row: Measurement | None) -> str:
    """`0.612 to 0.655 (27 seconds)`, or why there is no interval."""
    if row is None or row.value is None:
        return "–"
    if row.interval is None:
        return TEXT["interval_none"].format(reason=row.no_interval_because or TEXT["not_computed"])
    low, high = (number(row.metric, end, unit=False) for end in (row.interval.low, row.interval.high))
    ends = TEXT["interval"].format(low=low, high=high)
    return TEXT["interval_clusters"].format(ends=ends, clusters=row.interval.clusters, unit=row.interval.unit)


def missing(row: Measurement) -> str:
    """Why there is no value: `not applicable: ...` where the original has nothing of the kind, else `not measured`."""
    return TEXT["not_applicable" if row.absent else "not_measured"].format(reason=row.not_measured_because)


def failure_bound(subjects: int) -> float:
    """Upper end of the one-sided 95 % interval of a failure rate after `subjects` successes and no failure.

    Clopper-Pearson with no failure: 1 - 0.05**(1/n).

    >>> round(failure_bound(1), 3), round(failure_bound(59), 3)
    (0.95, 0.05)
    """
    return float(1 - 0.05 ** (1 / subjects))


def log_entries(checkpoint: str) -> str:
    """How many entries a log had, by its checkpoint (a signed note); empty without one.

    >>> log_entries("a-log\\n42\\nroot\\n")
    '42'
    """
    return checkpoint.split("\n")[1] if checkpoint else ""


def size(count: int) -> str:
    """Bytes in kB or MB (powers of ten).

    >>> size(999), size(1_234_567)
    ('999 bytes', '1.23 MB')
    """
    if count < 1000:
        return TEXT["bytes"].format(count=count)
    return f"{count / 1e3:.1f} kB" if count < 1e6 else f"{count / 1e6:.2f} MB"


def letter(annex: str) -> str:
    """The letter of an annex by its name in `ANNEXES`.

    >>> letter("rules"), letter("files")
    ('A', 'G')
    """
    return chr(ord("A") + list(ANNEXES).index(annex))


def annex(name: str) -> str:
    """What running text calls an annex.

    >>> annex("files")
    'annex G'
    """
    return TEXT["annex"].format(letter=letter(name))


def annex_titles(kind: JobKind) -> dict[str, str]:
    """The title of every annex by its name, in their order, for a certificate of this kind."""
    words = KIND_WORDS[kind]
    return {**ANNEXES, "destruction": words.destruction, "method": words.method}


def shortened(text: str, length: int) -> str:
    """At most `length` characters of `text`, cut between words where there are any, with a mark where it was cut.

    >>> shortened("a title that goes on", 12), shortened("short", 12)
    ('a title…', 'short')
    """
    if len(text) <= length:
        return text
    cut = text[: length - 1]
    return (cut.rpartition(" ")[0] or cut).rstrip(" ,;:.") + "…"


def headline(item: str, length: int) -> str:
    """What an item of a list begins with, before it explains itself; a long one is cut at a comma, else at a word.

    >>> headline("Voice and sound: removed, so not measured.", 80), headline("Gait, posture, speech; kept.", 16)
    ('Voice and sound', 'Gait, posture…')
    """
    first = re.split(r"[:;]\s|\.(?:\s|$)", item, maxsplit=1)[0]
    comma = first.rfind(", ", 0, length)
    if len(first) > length and comma > length / 2:
        return f"{first[:comma]}…"
    return shortened(first, length)
