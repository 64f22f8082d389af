"""The ledger: a frame has its worst region's state, and nothing is clear that only one detector cleared."""

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import replace

import pytest

from deid_audit.ledger import (
    CSV_COLUMNS,
    DISTANCE_IN_FILE,
    DRAWN_BY,
    LedgerFrame,
    Region,
    State,
    count_states,
    csv_lines,
    longest_concealed_s,
)

WORST_FIRST = [State.UNDECIDED, State.CONCEALED, State.SWAPPED, State.REVIEWED, State.CLEAR]


def region(state: State, *, is_subject: bool = True, track_id: int | None = 1) -> Region:
    return Region(
        track_id=track_id,
        is_subject=is_subject,
        state=state,
        reason="a test says so",
        decided_by="tests",
        box_xyxy=(1, 2, 3.25, 4),
    )


def frame(index: int, *states: State, time_s: float | None = None, cleared_by: Sequence[str] = ()) -> LedgerFrame:
    return LedgerFrame(
        index=index,
        time_s=index / 25 if time_s is None else time_s,
        regions=tuple(region(state) for state in states),
        cleared_by=tuple(cleared_by),
    )


@pytest.mark.parametrize("better", range(len(WORST_FIRST)))
@pytest.mark.parametrize("worse", range(len(WORST_FIRST)))
def test_a_frame_has_its_worst_state_in_any_order(worse: int, better: int) -> None:
    expected = WORST_FIRST[min(worse, better)]
    assert frame(0, WORST_FIRST[worse], WORST_FIRST[better]).state is expected


def test_every_state_has_its_place_in_the_order() -> None:
    assert set(WORST_FIRST) == set(State)
    for state in State:
        assert frame(0, state).state is state


@pytest.mark.parametrize(
    ("detectors", "state"),
    [
        ((), State.UNDECIDED),
        (("mediapipe",), State.UNDECIDED),
        (("mediapipe", "mediapipe"), State.UNDECIDED),
        (("mediapipe", "hog"), State.CLEAR),
    ],
)
def test_no_face_is_clear_only_when_two_different_detectors_agree(detectors: tuple[str, ...], state: State) -> None:
    assert frame(0, cleared_by=detectors).state is state


def test_detectors_that_saw_nothing_do_not_outvote_a_region() -> None:
    assert frame(0, State.UNDECIDED, cleared_by=("a", "b")).state is State.UNDECIDED


def test_counts_name_every_state_and_add_up() -> None:
    frames = [
        frame(0, State.SWAPPED),
        frame(1, State.SWAPPED, State.CONCEALED),
        frame(2, cleared_by=("a", "b")),
        frame(3),
        frame(4, State.REVIEWED),
        frame(5, State.SWAPPED),
    ]
    counts = count_states(frames)
    assert counts == {
        State.SWAPPED: 2,
        State.CONCEALED: 1,
        State.CLEAR: 1,
        State.REVIEWED: 1,
        State.UNDECIDED: 1,
    }
    assert sum(counts.values()) == len(frames)
    assert count_states([]) == dict.fromkeys(State, 0)


S, C = State.SWAPPED, State.CONCEALED


@pytest.mark.parametrize(
    ("times", "states", "seconds"),
    [
        ([], [], 0.0),
        ([0.0, 0.1, 0.2], [S, S, S], 0.0),
        # 0.1 to 0.3: a stretch lasts until the next frame that is not concealed
        ([0.0, 0.1, 0.2, 0.3], [S, C, C, S], 0.2),
        # the longer of two stretches
        ([0.0, 0.1, 0.2, 0.3, 0.4, 0.5], [C, S, C, C, C, S], 0.3),
        # variable rate: 0.0 to 0.5 is longer than three quick frames, 0.5 to 0.56
        ([0.0, 0.5, 0.52, 0.54, 0.56], [C, S, C, C, S], 0.5),
        # at the end the last frame lasts as long as the one before it: 0.3 to 0.3 + 0.1 + 0.1
        ([0.0, 0.1, 0.2, 0.3, 0.4], [S, S, S, C, C], 0.2),
        # ... and with a variable rate: the frame before lasted 0.5, so 1.0 to 1.5
        ([0.0, 0.5, 1.0], [S, S, C], 0.5),
        # all concealed, from a start that is not zero
        ([2.0, 2.04, 2.08], [C, C, C], 0.12),
        # a single frame has no length
        ([0.0], [C], 0.0),
    ],
)
def test_the_longest_concealed_stretch(times: list[float], states: list[State], seconds: float) -> None:
    frames = [frame(i, state, time_s=time) for i, (time, state) in enumerate(zip(times, states, strict=True))]
    assert longest_concealed_s(frames) == pytest.approx(seconds)


def test_a_bystander_that_is_concealed_does_not_conceal_the_subject() -> None:
    regions = (region(State.SWAPPED), region(State.CONCEALED, is_subject=False, track_id=2))
    mixed = [LedgerFrame(index=i, time_s=i / 25, regions=regions) for i in range(5)]
    assert not mixed[0].subject_concealed and mixed[0].state is State.CONCEALED
    assert longest_concealed_s(mixed) == 0.0


def test_the_csv_has_a_row_a_region_and_one_for_an_empty_frame() -> None:
    first = [frame(0, State.SWAPPED, State.CONCEALED), frame(1, cleared_by=("a", "b"))]
    second = [LedgerFrame(index=0, time_s=0, regions=(region(State.CONCEALED, is_subject=False, track_id=None),))]
    rows = list(csv.DictReader(io.StringIO("".join(csv_lines([first, second])))))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [(row["video"], row["frame"], row["state"], row["region_state"]) for row in rows] == [
        ("1", "0", "concealed", "swapped"),
        ("1", "0", "concealed", "concealed"),
        ("1", "1", "clear", ""),
        ("2", "0", "concealed", "concealed"),
    ]
    assert (rows[2]["decided_by"], rows[2]["time_s"]) == ("a + b", "0.040000")
    assert (rows[3]["track"], rows[3]["subject"]) == ("", "no")
    assert [rows[0][edge] for edge in ("x0", "y0", "x1", "y1")] == ["1.0", "2.0", "3.2", "4.0"]


def test_a_frame_has_the_distance_of_the_subjects_nearest_shown_face() -> None:
    def at(distance: float, *, mine: bool = True) -> Region:
        return replace(region(State.SWAPPED, is_subject=mine), numbers=((DISTANCE_IN_FILE, distance), ("score", 0.1)))

    assert frame(0, State.SWAPPED).distance is None
    one = replace(frame(0), regions=(at(0.71234), at(0.65432), at(0.3, mine=False), region(State.CONCEALED)))
    assert one.distance == 0.6543, "as the file has it"


def test_a_frames_own_numbers_stand_in_each_of_its_rows() -> None:
    told = replace(frame(0, State.SWAPPED, State.CONCEALED), expression_error=0.0123456, unaccounted_faces=0)
    rows = list(csv.DictReader(io.StringIO("".join(csv_lines([[told, frame(1)]])))))
    assert [(row["expression_error"], row["unaccounted_faces"]) for row in rows] == [("0.01235", "0")] * 2 + [("", "")]


def drawn() -> Region:
    return replace(region(State.CONCEALED, is_subject=False, track_id=None), decided_by=f"{DRAWN_BY}AB")


@pytest.mark.parametrize(
    ("names", "state"), [(("a", "b"), State.CONCEALED), (("a", "a"), State.UNDECIDED), ((), State.UNDECIDED)]
)
def test_what_a_person_drew_settles_no_frame_that_two_detectors_did_not_clear(
    names: tuple[str, ...], state: State
) -> None:
    one = LedgerFrame(index=0, time_s=0, regions=(drawn(),), cleared_by=names)
    assert one.state is state and not one.found
    beside = replace(one, regions=(region(State.CONCEALED), drawn()))
    assert beside.state is State.CONCEALED and len(beside.found) == 1


def test_a_long_ledger_holds_its_words_once() -> None:
    first, second = (
        replace(region(State.SWAPPED), reason=f"distance: {0.7 + at:.2f}", numbers=((f"number {at}", 1.0),))
        for at in (0, 0)
    )
    assert first.reason is second.reason
    assert first.numbers[0][0] is second.numbers[0][0]
    assert first == second


def test_numbers_are_held_small_and_read_as_they_were_given() -> None:
    given = (("distance", 0.725), ("hand share", float("inf")), ("third", 3.0))
    held = replace(region(State.SWAPPED), numbers=given)
    assert tuple(held.numbers) == given and held.numbers == given and dict(held.numbers)["third"] == 3.0
    assert held.numbers[1] == given[1] and held.numbers[:2] == given[:2] and len(held.numbers) == 3
    assert held.numbers != (("distance", 0.725),) and held != replace(held, numbers=given[:2])
    assert hash(held) == hash(replace(held, numbers=tuple(held.numbers)))
    assert replace(held, numbers=(*held.numbers, ("fourth", 4.0))).numbers[3] == ("fourth", 4.0)
    assert sys.getsizeof(held.numbers) + sys.getsizeof(held.numbers._packed) < 120
