"""What an exam measure gives: a value with its unit, interval and source, or why it is not measurable here.

Also the comparison of two exams, value by value. It judges nothing: no limit stands here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from deid_audit.findings import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamValue:
    """One measure of one exam.

    Attributes:
        side: The subject's "left" or "right", or "" where the measure has no side.
        value: In `unit`; None where it is not measurable here, and `reason` says why.
        low, high: An interval of 95 % or the resolution, see docs/exam_measures.md; None where none can be given.
        reference: Short key of the literature, spelled out in docs/exam_measures.md.
        sample_size: Frames, windows, taps, steps or pairs that the value rests on.
    """

    name: str
    side: str
    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    reason: str = ""
    reference: str
    sample_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a measure is called, its unit and its source: the constant part of its `ExamValue`."""

    name: str
    unit: str
    reference: str

    def given(
        self, value: float, sample_size: int, side: str = "", interval: Interval | tuple[float, float] | None = None
    ) -> ExamValue:
        low, high = (interval.low, interval.high) if isinstance(interval, Interval) else (interval or (None, None))
        return ExamValue(
            name=self.name,
            side=side,
            value=float(value),
            unit=self.unit,
            low=low,
            high=high,
            reference=self.reference,
            sample_size=sample_size,
        )

    def missing(self, reason: str, side: str = "", sample_size: int = 0) -> ExamValue:
        """Not measurable here; `reason` is a clause in words."""
        return ExamValue(
            name=self.name,
            side=side,
            value=None,
            unit=self.unit,
            reason=reason,
            reference=self.reference,
            sample_size=sample_size,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamDifference:
    """One measure in both exams.

    Attributes:
        difference: Released minus original in `unit`; None where one has no value, and `reason` says which and why.
        ratio: Released through original; None where the original is 0 or one has no value.
        intervals_meet: Whether the two intervals overlap; None where one of them has none.
    """

    name: str
    side: str
    unit: str
    original: float | None
    released: float | None
    difference: float | None
    ratio: float | None
    intervals_meet: bool | None
    reason: str
    reference: str


def compare_exams(original: Sequence[ExamValue], released: Sequence[ExamValue]) -> list[ExamDifference]:
    """Both exams matched by name and side, in the original's order; what stands in one alone comes with a reason."""
    after = {(value.name, value.side): value for value in released}
    before = {(value.name, value.side): value for value in original}
    return [_difference(before.get(key), after.get(key)) for key in {**before, **after}]


def _difference(original: ExamValue | None, released: ExamValue | None) -> ExamDifference:
    known = original or released
    assert known is not None
    reasons = [
        f"{whose}: {value.reason if value else 'this measure was not taken'}"
        for whose, value in (("original", original), ("released", released))
        if value is None or value.value is None
    ]
    difference = ratio = meet = None
    if original and released and original.value is not None and released.value is not None:
        if original.unit != released.unit:
            reasons.append(f"the units differ: {original.unit} and {released.unit}")
        else:
            difference = released.value - original.value
            ratio = released.value / original.value if original.value else None
            meet = _meet(original, released)
    return ExamDifference(
        name=known.name,
        side=known.side,
        unit=known.unit,
        original=original.value if original else None,
        released=released.value if released else None,
        difference=difference,
        ratio=ratio,
        intervals_meet=meet,
        reason="; ".join(reasons),
        reference=known.reference,
    )


def _meet(one: ExamValue, other: ExamValue) -> bool | None:
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return None
    return one.low <= other.high and other.low <= one.high
