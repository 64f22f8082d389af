"""The clinician's page: its tables by hand, its curves from numbers, and what it says where nobody rated."""

from typing import Any

import numpy as np
import pytest

from deid_audit.certificate import exam_page
from deid_audit.certificate.filling import filled
from deid_audit.certificate.strings import TEXT
from deid_audit.certificate.tables import Values, voice_table
from deid_audit.findings import Figure, Measurement, measured, not_measured
from deid_audit.measure.exam.rerating import Ratings
from deid_audit.measure.exam_figure import exam_figure
from deid_audit.measure.expression import FaceSignals
from deid_audit.measure.face_exam import ExamInput, measure_exam
from deid_audit.measure.motion_tracks import MotionTracks
from deid_audit.measure.rerated import measure_rerating
from tests.unit.exam_tracks import along, sine, times
from tests.unit.test_measure_face_exam import AT, STARTS, blinking, given

SCOPE = "video 1"


def row(metric: str, value: float, of: Any = "swapped", **more: Any) -> Measurement:
    return measured(metric, of, SCOPE, value, sample_size=4, **more)


def rated(changed: int) -> Ratings:
    scores = np.arange(24) % 5
    released = scores.copy()
    released[:changed] = (released[:changed] + 1) % 5
    return Ratings(original=scores, released=released, clips=np.arange(24), items=("3.2", "3.4") * 12)


def faces() -> tuple[FaceSignals, FaceSignals]:
    def one(size: float) -> FaceSignals:
        still = np.zeros(len(AT))
        mouth = size * (1 + sine(AT, 0.5, 1.0))
        return FaceSignals(
            mouth=mouth, eye=still, brow=still, yaw=still, head_xy=np.zeros((len(AT), 2)), interocular_px=still + 60
        )

    return one(10.0), one(6.0)


def test_original_and_released_stand_beside_each_other_with_intervals_and_reasons() -> None:
    values = Values(
        [
            row("exam.blinks_kept", 0.75, noise_floor=1.0),
            row("exam.blink_duration", 171.6, "original"),
            row("exam.blink_duration", 140.2, noise_floor=170.0),
            row("exam.mouth_opening_range", 11.25, "original", detail={"low95": 10.0, "high95": 12.5}),
            not_measured("exam.mouth_opening_range", "swapped", SCOPE, "the face is not seen in 10 frames"),
        ]
    )
    kept = {cells[0]: cells[1:] for cells in exam_page.followed_table(values, SCOPE).rows}
    [blinks] = [cells for title, cells in kept.items() if title.startswith("Blinks: share")]
    assert blinks == ("0.750", "1.000", "4")
    table = exam_page.exam_table(values, SCOPE)
    compared = {cells[0]: cells[1:] for cells in table.rows}
    assert compared["Blink duration, median"] == ("172 ms", "140 ms", "170 ms")
    assert compared["Mouth opening: range"] == ("11.25 % (10.00 to 12.50)", "lost [1]", "–")
    assert table.notes == ["not measured: the face is not seen in 10 frames"]


def test_a_tremor_that_the_release_no_longer_shows_is_called_lost_and_one_that_nobody_has_is_not() -> None:
    at = times(12)
    trembling, still = (blinking(STARTS, face={152: along(0, sine(at, 5.0, px))}) for px in (3.0, 0.0))

    def cells(original: MotionTracks, released: MotionTracks) -> tuple[tuple[str, ...], list[str]]:
        table = exam_page.exam_table(Values(measure_exam(given(original, released), SCOPE)), SCOPE)
        return next(row[1:] for row in table.rows if row[0] == "Jaw tremor: frequency"), table.notes

    (before, after, null), notes = cells(trembling, still)
    assert before.startswith("5.00 Hz") and after.startswith("lost [") and null == "–"
    [why] = [note for at, note in enumerate(notes) if after == f"lost [{at + 1}]"]
    assert why.startswith("not measured: the original shows it, the released video does not: no such movement seen")
    (before, after, _), notes = cells(still, still)
    assert before == after and notes[int(after.strip("[]")) - 1].startswith("not applicable: no such movement seen")
    (_, after, _), _ = cells(trembling, trembling)
    assert after.startswith("5.00 Hz")


def test_ratings_by_item_and_not_done() -> None:
    none = Values(measure_rerating(None))
    assert not exam_page.rating_table(none).rows and exam_page.why_no_ratings(none) == "not done"
    table = exam_page.rating_table(Values(measure_rerating(rated(4))))
    assert [cells[0] for cells in table.rows] == ["All items", "Item 3.2", "Item 3.4"]
    assert [cells[-1] for cells in table.rows] == ["24", "12", "12"] and " to " in table.rows[0][1]
    same = Ratings(original=np.zeros(3, int), released=np.zeros(3, int), clips=np.arange(3), items=("3.4",) * 3)
    assert "all scores are the same" in exam_page.why_no_ratings(Values(measure_rerating(same)))


def page(values: Values, figures: list[Figure]) -> str:
    return filled(
        "annexes/exam.html.j2",
        {
            "text": TEXT, "exam": exam_page, "values": values, "exam_scopes": [(SCOPE, "")],
            "curves": exam_page.curves(figures),
        },
    )  # fmt: skip


def test_the_page_has_its_curves_and_says_not_done() -> None:
    figure = exam_figure(1, given(blinking(STARTS), blinking(STARTS[:3])), faces())
    other = Figure(name="roc", media_type="image/svg+xml", data=b"", kind="plot", caption="a curve", alt="a curve")
    html = page(Values(measure_rerating(None)), [other, figure])
    assert 'src="certificate:figure/1"' in html and 'src="certificate:figure/0"' not in html
    assert "by clinicians: not done." in html
    assert "not done" not in page(Values(measure_rerating(rated(4))), [])


def test_the_curves_are_numbers_and_mark_each_blink() -> None:
    one: ExamInput = given(blinking(STARTS), blinking([*STARTS[:3], 11.0]))
    figure = exam_figure(1, one, faces())
    assert figure.name == "exam-01" and figure.data.startswith(b"<?xml") and b"<image" not in figure.data
    assert "3 of 5 kept, 1 added" in figure.caption
    assert figure.csv is not None
    lines = [line.split(",") for line in figure.csv.splitlines()]
    assert lines[0] == ["time_s", "mouth_original", "mouth_released", "eye_original", "eye_released", "blink"]
    marks = {name: [float(cells[0]) for cells in lines[1:] if cells[-1] == name] for name in ("kept", "lost", "added")}
    assert max(marks["kept"]) < 6 and min(marks["lost"]) > 7 and 10.8 < min(marks["added"]) < 11.2
    assert figure == exam_figure(1, one, faces())  # the same bytes again


def test_wrists_have_curves_only_where_nothing_smooths_them_and_blinks_that_cannot_be_told_say_why() -> None:
    wrist = sine(AT, 5.2, 6.0)
    figure = exam_figure(1, given(blinking(STARTS), blinking(STARTS), smooths=False, wrist=wrist), faces())
    assert figure.csv is not None and "left_wrist_original" in figure.csv.splitlines()[0]
    assert "wrist" not in (exam_figure(1, given(blinking(STARTS), blinking(STARTS)), faces()).csv or "")
    rough = exam_figure(1, given(blinking(STARTS, noise=3.0), blinking([])), faces())
    assert "no blink can be told (original: the lids tremble" in rough.caption


@pytest.mark.parametrize(("sound", "said"), [(0.0, "none"), (1.0, "voice masked"), (2.0, "as it was")])
def test_codes_of_the_voice_are_words(sound: float, said: str) -> None:
    values = Values([
        row("voice.sound", sound), row("voice.pitch_moved", 1.0), row("voice.formants_moved", 3.0),
        row("voice.distance", 1.5),
    ])  # fmt: skip
    cells = [one[1] for one in voice_table(values, SCOPE).rows]
    assert "1 when" not in str(voice_table(Values([]), SCOPE).rows)
    assert cells[0] == said and cells[3:5] == ["moved", "3 of 3"] and cells[2] == "1.500" and cells[5] == "–"
