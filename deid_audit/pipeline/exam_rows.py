"""What an exam's video shows of movement, in two videos and a null edit: a row for each measure (`measure/exam/`)."""

from collections.abc import Sequence
from dataclasses import dataclass

from deid_audit.measure.exam import ExamValue, compare_exams, exam_measures, tremor_agreement
from deid_audit.measure.motion_tracks import MotionTracks

Ends = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamRow:
    """One measure in both videos; `because` says why a value is missing where one is.

    `difference` is the second's less the first's, `null_difference` the null edit's less the first's. The intervals are
    those that docs/exam_measures.md says of each measure.
    """

    name: str
    side: str
    unit: str
    original: float | None
    released: float | None
    difference: float | None
    null_difference: float | None
    original_interval: Ends | None
    released_interval: Ends | None
    because: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TremorRow:
    """How far one tremor of the first video is still in the second: a number of both, and the null edit's beside it."""

    name: str
    side: str
    unit: str
    value: float | None
    interval: Ends | None
    null_edit: float | None
    because: str
    reference: str


def exam_rows(first: MotionTracks, second: MotionTracks, null_edit: MotionTracks | None) -> tuple[ExamRow, ...]:
    """Every measure, in the order of docs/exam_measures.md."""
    before = exam_measures(first)
    after = exam_measures(second, before)
    floors = {} if null_edit is None else _by_place(exam_measures(null_edit, before))
    old, new = _by_place(before), _by_place(after)
    rows = []
    for one in compare_exams(before, after):
        place = one.name, one.side
        floor = floors[place].value if place in floors else None
        known = floor is not None and one.original is not None
        rows.append(
            ExamRow(
                name=one.name, side=one.side, unit=one.unit, original=one.original, released=one.released,
                difference=one.difference,
                null_difference=floor - one.original if known else None,  # type: ignore[operator]
                original_interval=_ends(old[place]), released_interval=_ends(new[place]),
                because=one.reason, reference=one.reference,
            )
        )  # fmt: skip
    return tuple(rows)


def tremor_rows(first: MotionTracks, second: MotionTracks, null_edit: MotionTracks | None) -> tuple[TremorRow, ...]:
    """Of hands, head and jaw: difference of the frequencies, ratio of the power, coherence at the first's peak."""
    floors = {} if null_edit is None else _by_place(tremor_agreement(first, null_edit))
    return tuple(
        TremorRow(
            name=one.name, side=one.side, unit=one.unit, value=one.value, interval=_ends(one),
            null_edit=floors[one.name, one.side].value if floors else None,
            because=one.reason, reference=one.reference,
        )
        for one in tremor_agreement(first, second)
    )  # fmt: skip


def _by_place(values: Sequence[ExamValue]) -> dict[tuple[str, str], ExamValue]:
    return {(one.name, one.side): one for one in values}


def _ends(value: ExamValue) -> Ends | None:
    return None if value.low is None or value.high is None else (value.low, value.high)
