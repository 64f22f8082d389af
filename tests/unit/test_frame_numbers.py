"""Frames in numbers, read back and chosen from; the shapes that are drawn of them. All expected values by hand."""

from dataclasses import replace

import pytest

from deid_audit.certificate.frame_numbers import (
    SPREAD,
    WORST,
    Cover,
    FrameNumbers,
    choose,
    covers,
    read_distances,
    read_ledger,
)
from deid_audit.certificate.timeline import CURVE_HEIGHT, CURVE_TOP, LEFT, RIGHT, WIDTH, draw
from deid_audit.ledger import LedgerFrame, State, csv_lines
from deid_audit.measure.plotting import to_csv as plotted_csv
from tests.unit.board_pages import COVERED, ledger


def numbers(*distances: float | None, covered: tuple[int, ...] = (), rate: float = 25.0) -> FrameNumbers:
    frames = range(len(distances))
    return FrameNumbers(
        times_s=tuple(at / rate for at in frames),
        distances=distances,
        covered=tuple(at in covered for at in frames),
    )


def test_distances_are_read_as_the_figure_writes_them() -> None:
    rows = [(0.0, 0.7, 0), (0.04, float("nan"), 1), (0.08, 0.65, 0)]
    assert read_distances(plotted_csv(("time_s", "distance_to_original", "concealed"), rows)) == FrameNumbers(
        times_s=(0.0, 0.04, 0.08), distances=(0.7, None, 0.65), covered=(False, True, False)
    )


def test_the_ledger_is_read_as_it_is_written() -> None:
    """The worst state of a frame's faces, and the subject's face, wherever it stands among them."""
    own = ledger()
    face = own[0].regions[0]
    other = replace(face, is_subject=False, state=State.CONCEALED, box_xyxy=(1, 2, 3, 4))
    nobody = replace(other, is_known=False)
    frames = [
        LedgerFrame(index=0, time_s=0.0, regions=(nobody, other, face)),
        LedgerFrame(index=1, time_s=0.04, regions=(other, nobody)),
        LedgerFrame(index=2, time_s=0.08, regions=(other,)),
        LedgerFrame(index=3, time_s=0.12, regions=(), cleared_by=("a", "b")),
    ]
    first, second = read_ledger("".join(csv_lines([own, frames])))
    assert [at for at, frame in enumerate(first) if frame.state == State.CONCEALED] == list(COVERED)
    assert [frame.state for frame in second] == ["concealed", "concealed", "concealed", "clear"]
    assert [frame.face_xyxy for frame in second] == [face.box_xyxy, nobody.box_xyxy, None, None]


def test_a_cover_lasts_until_the_next_frame_that_shows_the_face() -> None:
    found = covers(numbers(*(0.7,) * 6, covered=(1, 2, 5), rate=10))
    assert found == [Cover(from_s=0.1, to_s=pytest.approx(0.3)), Cover(from_s=0.5, to_s=pytest.approx(0.6))]
    assert covers(numbers(0.7, 0.7)) == []


def test_half_are_the_worst_and_the_rest_evenly_spread() -> None:
    values = [0.9] * 101
    values[30], values[31], values[70] = 0.61, 0.60, 0.65
    chosen = choose(1, 101, numbers(*values, None, rate=1), 8)
    worst = {one.frame: one.distance for one in chosen if one.why == WORST}
    assert len(worst) == 4 and worst[31] == 0.60 and worst[70] == 0.65
    assert worst[30] == 0.61, "a second apart is far enough"
    assert [one.frame for one in chosen] == sorted({*worst, 0, 33, 67, 100})
    assert {one.why for one in chosen if one.frame in (33, 67, 100)} == {SPREAD}


def test_the_worst_are_not_all_of_one_moment() -> None:
    values = [0.9] * 1000
    values[500:510] = [0.61] * 10
    chosen = [one.frame for one in choose(1, 1000, numbers(*values), 8) if one.why == WORST]
    assert len(chosen) == 4 and sum(500 <= frame < 510 for frame in chosen) == 1


def test_without_numbers_all_are_spread_and_a_short_video_has_no_more_than_its_frames() -> None:
    assert [(one.frame, one.why) for one in choose(2, 5, None, 3)] == [(0, SPREAD), (2, SPREAD), (4, SPREAD)]
    assert [one.frame for one in choose(1, 2, numbers(0.7, None), 36)] == [0, 1]
    assert [one.frame for one in choose(1, 1, None, 36)] == [0]


def test_the_curve_is_drawn_where_it_belongs() -> None:
    """Three frames a second apart in three seconds; the scale goes from 0.56 to 0.84."""
    drawing = draw(numbers(0.8, None, 0.7, rate=1), (), (), cut=0.6, most_columns=600)
    assert (WIDTH, LEFT, RIGHT, CURVE_TOP, CURVE_HEIGHT) == (960, 92, 8, 14, 200)
    assert drawing.cut_y == round(14 + 200 * 24 / 28, 1)
    assert drawing.curve == "M92,42.6 92,42.6ZM665.3,114 665.3,114Z"
    assert [tick.words for tick in drawing.ticks_y] == ["0.6", "0.7", "0.8"]


def test_one_bad_frame_of_two_hours_is_drawn_and_the_drawing_stays_small() -> None:
    count = 2 * 3600 * 25
    values: list[float | None] = [0.8] * count
    values[77_777] = 0.41
    states = ["swapped"] * count
    states[77_777] = "undecided"
    drawing = draw(numbers(*values), states, choose(1, count, numbers(*values), 36), cut=0.6, most_columns=600)
    lowest = max(float(point.split(",")[1]) for point in drawing.curve[1:-1].split(" "))
    assert lowest == pytest.approx(CURVE_TOP + CURVE_HEIGHT * (0.84 - 0.41) / (0.84 - 0.37), abs=0.06)
    assert [lane.state for lane in drawing.lanes] == ["undecided", "swapped"]
    assert drawing.lanes[0].path.count("M") == 1
    assert len(drawing.curve) + sum(len(lane.path) for lane in drawing.lanes) < 20_000
    assert [tick.words for tick in drawing.ticks_x][:2] == ["0 s", "20:00"]


def test_states_that_alternate_are_boxes_of_their_own() -> None:
    lanes = draw(numbers(0.7, 0.7, 0.7, rate=1), ("swapped", "clear", "swapped"), (), cut=0.6, most_columns=9).lanes
    assert {lane.state: lane.path.count("M") for lane in lanes} == {"swapped": 2, "clear": 1}
