"""The whole exam: always the same measures, each defined in the document, and two exams side by side."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from deid_audit.measure.exam import ExamValue, compare_exams, exam_measures, tremor_agreement
from tests.unit.exam_tracks import along, sine, times, tracks

DOCUMENT = (Path(__file__).parents[2] / "docs" / "exam_measures.md").read_text()


def value(name: str, number: float | None, **more: object) -> ExamValue:
    fields = {"side": "", "unit": "Hz", "reference": "Williams 2021", "sample_size": 3, "reason": ""} | more
    return ExamValue(name=name, value=number, **fields)  # type: ignore[arg-type]


def test_every_video_has_the_same_measures_with_a_value_or_a_reason() -> None:
    nothing = exam_measures(tracks(times(0)))
    at = times(6)
    shown = exam_measures(tracks(at, face={-1: along(sine(at, 5, 3), 0)}, left_hand={}, right_hand={}, body={}))
    assert [(one.name, one.side, one.reference) for one in nothing] == [
        (one.name, one.side, one.reference) for one in shown
    ]
    assert len({(one.name, one.side) for one in nothing}) == len(nothing)
    assert all((one.value is None) == bool(one.reason) for one in (*nothing, *shown))
    assert all(one.value is None for one in nothing)
    assert all(one.low is None or one.low <= one.value <= (one.high or 0) for one in shown if one.value is not None)


def test_the_document_defines_each_measure_with_its_unit_and_source() -> None:
    rows = {name: row for row in DOCUMENT.splitlines() if row.startswith("| `") for name in re.findall("`(.+?)`", row)}
    empty = tracks(times(0))
    values = [*exam_measures(empty), *tremor_agreement(empty, empty)]
    assert set(rows) >= {one.name for one in values}
    for one in values:
        assert one.reference in rows[one.name], one.name
        unit = "% of palm" if one.unit == "% of forearm" else one.unit
        assert one.unit == "1" or unit in rows[one.name], one.name
        assert f"- {one.reference}:" in DOCUMENT


def test_differences_by_hand() -> None:
    before = [value("a", 4.0, low=3.9, high=4.1), value("b", 0.0), value("c", None, reason="not seen")]
    after = [value("a", 5.0, low=4.9, high=5.1), value("b", 1.0, low=0.0, high=2.0), value("c", 1.0)]
    a, b, c = compare_exams(before, after)
    assert (a.original, a.released, a.difference, a.ratio, a.intervals_meet) == (4.0, 5.0, 1.0, 1.25, False)
    assert (b.difference, b.ratio, b.intervals_meet) == (1.0, None, None)
    assert (c.released, c.difference, c.reason) == (1.0, None, "original: not seen")
    (same,) = compare_exams([before[0]], [replace(before[0], value=4.05)])
    assert same.intervals_meet


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([value("a", 1.0)], [], "released: this measure was not taken"),
        ([], [value("a", 1.0)], "original: this measure was not taken"),
        ([value("a", 1.0, side="left")], [value("a", 1.0, side="left", unit="px")], "the units differ: Hz and px"),
        (
            [value("a", None, reason="too short")],
            [value("a", None, reason="not seen")],
            "original: too short; released: not seen",
        ),
    ],
)
def test_why_two_values_have_no_difference(before: list[ExamValue], after: list[ExamValue], said: str) -> None:
    (found,) = compare_exams(before, after)
    assert found.difference is None
    assert found.reason == said


def test_sides_are_not_mixed() -> None:
    before = [value("a", 1.0, side="left"), value("a", 2.0, side="right")]
    assert [one.difference for one in compare_exams(before, before[::-1])] == [0.0, 0.0]
