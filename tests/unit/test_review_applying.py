"""What follows from readings: covers, harder swaps, clears; and that no review makes a face pass that shows."""

from dataclasses import replace
from typing import Any

import pytest

from deid_audit.errors import ReviewFileError
from deid_audit.ledger import DISTANCE_IN_FILE, LedgerFrame, Rung, State
from deid_audit.pipeline.finishing import judged
from deid_audit.review.applying import CLEARABLE, Orders, orders_of, reviewed_ledger
from tests.unit.readings import FALSE_FIND, MATCHES, UNDESCRIBED, decided, ledger, reading, region

SIZE = (320, 240)
Ledger = tuple[LedgerFrame, ...]


def orders(frames: Ledger, *decisions: dict[str, Any], model: bool = True) -> Orders:
    return orders_of([reading(*decisions)], [frames], model_is_there=model)


def states(frames: Ledger, *decisions: dict[str, Any]) -> list[str]:
    made = orders(frames, *decisions)
    return [frame.state.value for frame in reviewed_ledger(frames, 1, made, size=SIZE)]


def told(made: Orders) -> list[tuple[int, int, int | None, str]]:
    return [(*key, one.track_id, one.reason) for key, regions in made.covers.items() for one in regions]


def test_conceal_of_a_track_covers_its_regions_and_no_others() -> None:
    frames = ledger([region(), region(track_id=3)], [region()], [region(State.CONCEALED, "turned")])
    made = orders(frames, decided("conceal", 0, 2, track=0))
    words = "a reviewer had it covered"
    assert told(made) == [(1, 0, 0, words), (1, 1, 0, words)], "what is covered already stays as it is"
    assert made.videos == {1} and not made.refused
    [cover] = made.covers[1, 0]
    assert (cover.state, cover.decided_by, cover.box_xyxy) == (State.CONCEALED, "reviewer: AB", (10, 10, 50, 60))


def test_neither_track_nor_box_is_every_region_of_the_frames() -> None:
    frames = ledger([region(), region(track_id=3)])
    assert [one[2] for one in told(orders(frames, decided("conceal", 0)))] == [0, 3]


def test_a_drawn_region_is_covered_where_the_ledger_has_no_face() -> None:
    made = orders(ledger([], [region()], cleared_by=("a", "b")), decided("conceal", 0, 1, box_xyxy=(1, 2, 30, 40)))
    found = [(key, one.track_id, one.box_xyxy) for key, regions in made.covers.items() for one in regions]
    assert found == [((1, 0), None, (1, 2, 30, 40)), ((1, 1), None, (1, 2, 30, 40))]


def test_a_drawn_cover_is_marked_and_the_frame_is_cleared_by_a_clear_of_the_whole_alone() -> None:
    box = (1.0, 2.0, 5.0, 6.0)
    [cover] = orders(ledger([], cleared_by=("a",)), decided("conceal", 0, box_xyxy=box)).covers[1, 0]
    assert cover.is_drawn and not orders(ledger([region()]), decided("conceal", 0)).covers[1, 0][0].is_drawn
    [bare] = ledger([], cleared_by=("a",))
    frames = (replace(bare, regions=(cover,)),)
    assert states(frames, decided("clear", 0, box_xyxy=box)) == ["undecided"]
    assert states(frames, decided("clear", 0)) == ["concealed"]
    made = orders(frames, decided("clear", 0))
    assert [one.state.value for one in reviewed_ledger(frames, 1, made, size=SIZE)[0].regions] == [
        "concealed",
        "reviewed",
    ]


def test_a_cover_of_what_is_covered_is_told_and_not_carried_out() -> None:
    frames = ledger([region(State.CONCEALED, "turned")], [region()])
    for kind in ("conceal", "wrong_person"):
        made = orders(frames, decided(kind, 0, track=0))
        assert not made.videos and made.refused[0].endswith("frames 0 to 0): already covered")
        assert not orders(frames, decided(kind, 0, 1, track=0)).refused, "a part of it is carried out"


def test_what_was_drawn_can_be_taken_back_before_the_reading_ends() -> None:
    box = (1.0, 2.0, 30.0, 40.0)
    made = orders(ledger([region()]), decided("conceal", 0, box_xyxy=box), decided("clear", 0, box_xyxy=box))
    assert not made.covers


def test_a_rejected_track_is_covered_as_somebody_elses() -> None:
    made = orders(ledger([region()], [region()]), decided("wrong_person", 0, 1, track=0))
    assert {one[3] for one in told(made)} == {"a reviewer says that it is somebody else's"}
    assert all(one.is_subject for regions in made.covers.values() for one in regions), "it counts against the limits"


@pytest.mark.parametrize(("rung", "next_rung"), [(Rung.SWAP, Rung.WIDER), (Rung.WIDER, Rung.HARDER)])
def test_another_swap_begins_with_the_next_rung(rung: Rung, next_rung: Rung) -> None:
    made = orders(ledger([region(rung=rung)]), decided("reswap", 0, track=0))
    assert made.harder == {(1, 0, 0): next_rung} and not made.covers and made.videos == {1}


def test_another_swap_is_a_cover_where_none_is_harder_or_the_model_is_gone() -> None:
    words = [(1, 0, 0, "a reviewer wanted another swap, and there is none that is harder")]
    assert told(orders(ledger([region(rung=Rung.HARDER)]), decided("reswap", 0))) == words
    assert told(orders(ledger([region()]), decided("reswap", 0), model=False)) == words
    covered = orders(ledger([region(State.CONCEALED, "turned")]), decided("reswap", 0))
    assert not covered.videos and "nothing is harder" in covered.refused[0]


# -- clearing ------------------------------------------------------------


@pytest.mark.parametrize("reason", [UNDESCRIBED, FALSE_FIND, "neither covered nor to be compared: 0.71 of the fine"])
def test_a_face_that_cannot_be_described_and_a_false_find_can_be_cleared(reason: str) -> None:
    frames = ledger([region(State.UNDECIDED, reason)])
    made = orders(frames, decided("clear", 0, track=0))
    [[entry]] = [frame.regions for frame in reviewed_ledger(frames, 1, made, size=SIZE)]
    assert (entry.state, entry.decided_by) == (State.REVIEWED, "reviewer: AB")
    assert entry.reason == f"{reason}; a reviewer cleared it" and not made.videos


def test_a_frame_that_two_detectors_did_not_clear_can_be_cleared_as_a_whole() -> None:
    frames = ledger([], [], cleared_by=("mediapipe",))
    made = orders(frames, decided("clear", 0))
    first, second = reviewed_ledger(frames, 1, made, size=SIZE)
    assert (first.state, second.state) == (State.REVIEWED, State.UNDECIDED)
    assert first.regions[0].box_xyxy == (0, 0, 320, 240) and not first.subject_regions[:0]


@pytest.mark.parametrize(
    ("face", "says"),
    [
        (region(State.UNDECIDED, MATCHES, numbers=((DISTANCE_IN_FILE, 0.42),)), "matches the subject's"),
        (region(State.UNDECIDED, UNDESCRIBED, numbers=((DISTANCE_IN_FILE, 0.42),)), "matches the subject's"),
        (region(State.UNDECIDED, MATCHES), "matches the subject's"),
        (region(State.UNDECIDED, "shown as in the original: 0.90 of it"), "a person cannot clear this"),
        (region(State.UNDECIDED, "the cover does not hide the face in the written file: 0.7"), "cannot clear this"),
        (region(State.UNDECIDED, "a reason of tomorrow"), "a person cannot clear this"),
    ],
)
def test_a_clear_of_a_face_that_shows_is_refused_with_words(face: Any, says: str) -> None:
    frames = ledger([face])
    made = orders(frames, decided("clear", 0, track=0))
    assert not made.clears and says in made.refused[0]
    assert made.refused[0].startswith("decision 1 (clear; video 1, frames 0 to 0): ")
    assert states(frames, decided("clear", 0)) == ["undecided"]


def test_what_the_audit_finds_matching_cannot_be_cleared_in_its_own_words() -> None:
    near = judged(region(), distance=0.42, detail=0.0)
    gone = judged(region(), distance=float("nan"), detail=0.0)
    assert states(ledger([near], [gone]), decided("clear", 0, 1)) == ["undecided", "reviewed"]
    assert any(words in gone.reason for words in CLEARABLE)


def test_a_clear_is_held_against_the_ledger_as_it_is_then() -> None:
    before = ledger([region(State.UNDECIDED, UNDESCRIBED)])
    made = orders(before, decided("clear", 0))
    moved = ledger([region(State.UNDECIDED, UNDESCRIBED, box_xyxy=(90.0, 90.0, 120.0, 120.0))])
    for after in (ledger([region(State.UNDECIDED, MATCHES)]), moved):
        assert [frame.state for frame in reviewed_ledger(after, 1, made, size=SIZE)] == [State.UNDECIDED]
    found = ledger([region(State.UNDECIDED, FALSE_FIND, track_id=None)])
    whole = orders(ledger([], cleared_by=("a",)), decided("clear", 0))
    assert reviewed_ledger(found, 1, whole, size=SIZE) == found, "a face that was seen since is another matter"


@pytest.mark.parametrize("state", [State.SWAPPED, State.CONCEALED])
def test_a_clear_changes_nothing_about_what_the_tool_decided(state: State) -> None:
    frames = ledger([region(state, "it was")])
    made = orders(frames, decided("clear", 0))
    assert not made.clears and not made.refused and reviewed_ledger(frames, 1, made, size=SIZE) == frames


def test_a_clear_of_a_small_box_clears_no_frame() -> None:
    frames = ledger([], cleared_by=("a",))
    made = orders(frames, decided("clear", 0, box_xyxy=(0.0, 0.0, 4.0, 4.0)))
    assert not made.clears and "no face region there" in made.refused[0]


def test_a_clear_counts_only_for_the_frames_that_its_reader_was_shown() -> None:
    frames = ledger(*[[region(State.UNDECIDED, UNDESCRIBED)]] * 3, [])
    made = orders_of([reading(decided("clear", 0, 3), shown=[(1, 1, 1), (2, 0, 9)])], [frames])
    assert [*made.clears] == [(1, 1)]
    words = "decision 1 (clear; video 1, frames 0 to 3): 3 of its frames were not shown to whoever cleared them"
    assert made.refused == (words,)
    first = reading(decided("clear", 0), shown=[(1, 0, 0)])
    for shown, count in (((), 0), ([(1, 0, 0)], 1)):
        second = reading(decided("clear", 0), reviewer="CD", role="second", shown=shown)
        assert len(orders_of([first, second], [frames]).clears) == count, "the one's look is not the other's"


def test_one_face_that_is_cleared_does_not_clear_the_frame() -> None:
    frames = ledger([region(State.UNDECIDED, UNDESCRIBED), region(State.UNDECIDED, MATCHES, track_id=5)])
    assert states(frames, decided("clear", 0, track=0)) == ["undecided"]


def test_a_decision_about_nothing_is_told() -> None:
    frames = ledger([region()], [], cleared_by=("a", "b"))
    made = orders(
        frames,
        decided("conceal", 1),
        decided("conceal", 7),
        decided("conceal", 0, video=2),
        decided("clear", 0, track=9),
    )
    assert [one.partition("): ")[2] for one in made.refused] == [
        "there is no face region there",
        "there are no such frames",
        "there are no such frames",
        "there is no face region there",
    ]
    assert not made.videos and not made.clears


# -- two readers ------------------------------------------------------------

TWO = ledger([region()], [region(State.UNDECIDED, UNDESCRIBED)])


def both(
    first: list[dict[str, Any]], second: list[dict[str, Any]], resolved: list[dict[str, Any]] | None = None
) -> Orders:
    readings = [reading(*first), reading(*second, reviewer="CD", role="second")]
    if resolved is not None:
        readings.append(reading(*resolved, reviewer="EF", role="resolution"))
    return orders_of(readings, [TWO])


def test_what_both_say_is_done_and_carries_both_names() -> None:
    made = both([decided("conceal", 0), decided("clear", 1)], [decided("conceal", 0), decided("clear", 1)])
    assert made.covers[1, 0][0].decided_by == "reviewer: AB and CD" and made.unresolved == 0
    assert made.clears[1, 1][0].by == "AB and CD"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([decided("conceal", 0)], []),
        ([], [decided("reswap", 0)]),
        ([decided("clear", 0)], [decided("wrong_person", 0)]),
    ],
)
def test_a_difference_that_nobody_resolved_is_covered(first: list[Any], second: list[Any]) -> None:
    made = both(first, second)
    assert told(made) == [(1, 0, 0, "a reviewer had it covered")] and made.unresolved == 1


def test_a_clear_of_only_one_reader_is_none() -> None:
    for made in (both([decided("clear", 1)], []), both([], [decided("clear", 1)])):
        assert not made.clears and not made.covers and made.unresolved == 1


def test_the_resolution_decides_where_they_differ_and_there_alone() -> None:
    made = both([decided("conceal", 0)], [decided("clear", 0)], [decided("clear", 0)])
    assert not made.covers and made.unresolved == 0
    made = both([decided("conceal", 0)], [decided("conceal", 0)], [decided("clear", 0)])
    assert (1, 0) in made.covers, "what both wanted covered is not taken back"
    made = both([], [], [decided("clear", 1)])
    assert not made.clears and "neither reader cleared it" in made.refused[0]
    made = both([], [], [decided("conceal", 0)])
    assert (1, 0) in made.covers
    made = both([decided("clear", 1)], [decided("clear", 1)], [decided("conceal", 1)])
    assert (1, 1) in made.covers and not made.clears
    made = both([decided("conceal", 1)], [], [decided("clear", 1)])
    assert not made.clears and not made.covers and "neither reader cleared it" in made.refused[0]
    made = both([decided("clear", 1)], [], [decided("clear", 1)])
    assert made.clears[1, 1][0].by == "EF"


def test_one_person_is_not_two_readers_and_a_second_needs_a_first() -> None:
    with pytest.raises(ReviewFileError, match="by one person"):
        orders_of([reading(), reading(reviewer="ab", role="second")], [TWO])
    with pytest.raises(ReviewFileError, match="no first"):
        orders_of([reading(reviewer="CD", role="second")], [TWO])


@pytest.mark.parametrize("name", ["AB", "ab", "Cd"])
def test_neither_reader_resolves_what_they_differ_in(name: str) -> None:
    readings = [reading(decided("clear", 1)), reading(reviewer="CD", role="second")]
    with pytest.raises(ReviewFileError, match="by one of the two readers"):
        orders_of([*readings, reading(decided("clear", 1), reviewer=name, role="resolution")], [TWO])


def test_in_a_later_look_a_resolution_alone_clears_nothing() -> None:
    later = orders_of([reading(decided("clear", 1), decided("conceal", 0), role="resolution")], [TWO])
    assert not later.clears and (1, 0) in later.covers and "takes both readers" in later.refused[0]


def test_clears_of_rounds_add_up_and_covers_and_refusals_are_the_last_rounds() -> None:
    one = orders(TWO, decided("conceal", 0, track=0), decided("clear", 9))
    two = orders(TWO, decided("clear", 1), decided("conceal", 0, box_xyxy=(100.0, 100.0, 130.0, 130.0)))
    added = two.after(one)
    assert [region.track_id for region in added.covers[1, 0]] == [None] and (1, 1) in added.clears
    assert (1, 1) in Orders().after(added).clears
    assert one.refused and not added.refused
    kept = replace(added, harder={(2, 0, 1): Rung.WIDER})
    assert kept.videos == {1, 2} and [*kept.of_video(1)] == [0]
