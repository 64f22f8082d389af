"""In which order to look: stretches, what makes them worse, and how large a queue of a long video is."""

from dataclasses import replace

from deid_audit.ledger import DISTANCE_IN_FILE, DRAWN_BY, LedgerFrame, State, csv_lines
from deid_audit.ledger_file import read_ledger_file
from deid_audit.review.queue import queue
from tests.unit.readings import ledger, region

CONCEALED = region(State.CONCEALED, "a hand hides 55% of the face")
UNDECIDED = region(State.UNDECIDED, "the face in the written file could not be compared with the original")


def test_consecutive_frames_of_one_track_state_and_reason_are_one_stretch() -> None:
    frames = ledger([region(reason="distance: 0.71")], [region(reason="distance: 0.72")], [CONCEALED], [region()])
    told = [(one.first_frame, one.last_frame, one.state.value, one.reason) for one in queue([frames])]
    assert told == [
        (2, 2, "concealed", "a hand hides 55% of the face"),
        (0, 1, "swapped", "distance"),
        (3, 3, "swapped", "distance"),
    ]


def test_undecided_stands_above_whatever_the_numbers_say_and_numbers_order_the_rest() -> None:
    near, far = (region(numbers=((DISTANCE_IN_FILE, distance),)) for distance in (0.61, 1.1))
    first, *rest = ledger([near, region(track_id=1)], [UNDECIDED], [far], cleared_by=("a", "b"))
    items = queue([[replace(first, expression_error=3.0, unaccounted_faces=4), *rest]])
    assert [(one.state, one.first_frame) for one in items][:2] == [(State.UNDECIDED, 1), (State.SWAPPED, 0)]
    assert items[-1].first_frame == 2 and items[0].score > 7 > items[1].score
    assert [one.track for one in items] == [0, 0, 1, 0]


def test_a_frame_without_a_face_is_a_stretch_of_its_own_and_videos_are_not_joined() -> None:
    clear = ledger([], [], cleared_by=("mediapipe", "hog"))
    doubtful = ledger([], cleared_by=("mediapipe",))
    items = queue([clear, doubtful])
    assert [(one.video, one.first_frame, one.last_frame, one.state.value, one.box_xyxy) for one in items] == [
        (2, 0, 0, "undecided", None),
        (1, 0, 1, "clear", None),
    ]


def test_a_frame_with_nothing_but_what_was_drawn_is_still_to_be_looked_at() -> None:
    drawn = replace(CONCEALED, track_id=None, decided_by=f"{DRAWN_BY}AB")
    items = queue([ledger([drawn])])
    assert [(one.state.value, one.reason) for one in items] == [
        ("undecided", "not cleared by two detectors"),
        ("concealed", "a hand hides 55% of the face"),
    ]


def made(count: int, error: float | None, strays: int | None) -> tuple[LedgerFrame, ...]:
    """Stretches of one frame: a mouth that is off, a face left over, and distances that differ in their fifth digit."""
    frames = ledger(
        *[
            [region(reason=f"shown: {'ab'[at % 2]}", numbers=((DISTANCE_IN_FILE, 0.7 - at / 1e5),))]
            for at in range(count)
        ]
    )
    numbered = {count // 2: {"expression_error": error}, count // 3: {"unaccounted_faces": strays}}
    return tuple(replace(one, **numbered.get(one.index, {})) for one in frames)  # type: ignore[arg-type]


def test_the_ledgers_file_gives_the_queue_of_the_run() -> None:
    """What `run --review` has in memory and `review OUT` reads back."""
    ledgers = [made(30, 0.123456, 1), made(24, 0.2, 2)]
    again = read_ledger_file("".join(csv_lines(ledgers)))
    assert queue(again) == queue(ledgers)
    first, second, third, fourth, *_ = queue(again)
    assert {(one.video, one.first_frame) for one in (first, second)} == {(1, 10), (2, 8)}, "a face that was left over"
    assert [(one.video, one.first_frame) for one in (third, fourth)] == [(2, 12), (1, 15)], "a mouth that is off"


def test_without_its_numbers_the_file_gives_another_queue() -> None:
    ledgers = [made(30, 0.123456, 1)]
    for poorer in (made(30, None, 1), made(30, 0.123456, None)):
        again = read_ledger_file("".join(csv_lines([poorer])))
        places = [[one.first_frame for one in queue(frames)] for frames in (ledgers, again)]
        assert places[0] != places[1] and sorted(places[0]) == sorted(places[1])


def test_a_long_video_has_as_many_stretches_as_things_changed() -> None:
    assert queue([()]) == ()
    frames = ledger(*[[CONCEALED if 5000 <= at < 5100 else region()] for at in range(30_000)])
    assert [(one.first_frame, one.last_frame) for one in queue([frames])] == [(5000, 5099), (0, 4999), (5100, 29_999)]
