"""The ledger's last word: what the written file confirms and overturns, and a ledger that does not add up."""

import csv
import io
import math
from dataclasses import replace

import numpy as np
import pytest

from deid_audit.digests import sha256_bytes
from deid_audit.errors import EvidenceError
from deid_audit.ledger import DRAWN_BY, LedgerFrame, Region, Rung, State, csv_lines
from deid_audit.pipeline.finishing import (
    confirmed,
    finished_ledger,
    judged,
    ledger_record,
    refuse_incomplete,
    with_gallery,
)
from deid_audit.pipeline.searching import RegionSeen
from deid_audit.vision.detectors import Detections, HogDetector, MediaPipeDetector
from tests.unit.explaining_cases import N, seen

BOX = (40.0, 10.0, 70.0, 50.0)
NOTHING = Detections(boxes_xyxy=np.empty((0, 4), np.float32), scores=np.empty(0, np.float32))
FACE = Detections(boxes_xyxy=np.array([[1, 2, 30, 40]], np.float32), scores=np.array([0.7], np.float32))
BOTH = (MediaPipeDetector.name, HogDetector.name)


def region(state: State = State.SWAPPED, *, subject: bool = True) -> Region:
    return Region(
        track_id=3, is_subject=subject, state=state, reason="as made", decided_by="tests", box_xyxy=BOX,
        rung=Rung.SWAP, numbers=(("mask agreement", 0.9),),
    )  # fmt: skip


@pytest.mark.parametrize("subject", [True, False])
@pytest.mark.parametrize(
    ("distance", "state", "words"),
    [
        (0.601, State.SWAPPED, "as made"),
        (0.6, State.SWAPPED, "as made"),
        (0.599, State.UNDECIDED, "matches the original: 0.60"),
        (math.nan, State.UNDECIDED, "could not be compared"),
    ],
)
def test_a_shown_face_whosever_it_is_must_be_far_from_its_own_original(
    subject: bool, distance: float, state: State, words: str
) -> None:
    after = judged(region(subject=subject), distance=distance, detail=0.9)
    assert after.state is state and words in after.reason
    assert dict(after.numbers)["mask agreement"] == 0.9
    assert dict(after.numbers).get("distance in the written file", math.nan) == pytest.approx(distance, nan_ok=True)


@pytest.mark.parametrize(
    ("detail", "state"), [(0.39, State.CONCEALED), (0.4, State.UNDECIDED), (math.nan, State.UNDECIDED)]
)
def test_a_cover_must_hide_the_face_in_the_written_file(detail: float, state: State) -> None:
    assert judged(region(State.CONCEALED), distance=math.nan, detail=detail).state is state


def test_a_frame_is_clear_only_when_the_family_that_cleared_it_confirms_it_on_the_written_file() -> None:
    empty = LedgerFrame(index=0, time_s=0.0, regions=(), cleared_by=BOTH)
    assert confirmed(empty, None).state is State.UNDECIDED
    good = confirmed(empty, NOTHING)
    assert good.state is State.CLEAR
    assert good.cleared_by == (MediaPipeDetector.name, f"{HogDetector.name} (written file, too)")
    again = confirmed(empty, FACE)
    assert again.state is State.UNDECIDED
    assert (again.regions[0].box_xyxy, again.regions[0].decided_by) == ((1, 2, 30, 40), HogDetector.name)
    assert dict(again.regions[0].numbers)["score"] == pytest.approx(0.7)


def test_a_drawn_cover_leaves_the_frame_to_the_second_look_at_the_written_file() -> None:
    cover = replace(region(State.CONCEALED, subject=False), track_id=None, decided_by=f"{DRAWN_BY}AB")
    frame = LedgerFrame(index=0, time_s=0.0, regions=(cover,), cleared_by=BOTH)
    observed = replace(seen().watched.observed, regions=[(RegionSeen(detail=0.1),)])

    def after(entry: LedgerFrame, look: Detections | None) -> LedgerFrame:
        [done] = finished_ledger([entry], replace(observed, second_look={} if look is None else {0: look}))
        return done

    assert after(frame, NOTHING).state is State.CONCEALED
    assert after(frame, None).state is State.UNDECIDED
    assert after(replace(frame, cleared_by=(HogDetector.name,)), NOTHING).state is State.UNDECIDED
    found = after(frame, FACE)
    assert found.state is State.UNDECIDED and [one.state.value for one in found.regions] == ["concealed", "undecided"]


@pytest.mark.parametrize("names", [(), (HogDetector.name,)])
def test_the_second_family_alone_clears_nothing(names: tuple[str, ...]) -> None:
    assert confirmed(LedgerFrame(index=0, time_s=0.0, regions=(), cleared_by=names), NOTHING).state is State.UNDECIDED


def test_names_of_detectors_carry_their_versions() -> None:
    for name in BOTH:
        assert any(part[0].isdigit() and "." in part for part in name.split()), name


def test_what_nobody_looked_at_in_the_written_file_is_undecided() -> None:
    frames = [
        LedgerFrame(index=0, time_s=0.0, regions=(region(), region(State.CONCEALED, subject=False))),
        LedgerFrame(index=1, time_s=0.04, regions=(), cleared_by=BOTH),
    ]
    after = finished_ledger(frames, seen().watched.observed)
    # the descriptors of the case are all alike, so that the subject's face matches
    assert [one.state for one in after[0].regions] == [State.UNDECIDED] * 2
    assert after[1].state is State.UNDECIDED


def test_another_persons_shown_face_is_judged_by_its_own_distance() -> None:
    frames = [LedgerFrame(index=0, time_s=0.0, regions=(region(subject=False),))]
    observed = replace(seen().watched.observed, regions=[(RegionSeen(detail=0.9),)])
    far, near = replace(observed, beside={(0, 3): 0.7}), replace(observed, beside={(0, 3): 0.5})
    assert finished_ledger(frames, far)[0].state is State.SWAPPED
    assert finished_ledger(frames, near)[0].state is State.UNDECIDED
    assert finished_ledger(frames, observed)[0].state is State.UNDECIDED


def test_the_distance_to_the_nearest_original_joins_the_numbers() -> None:
    case = seen(to_gallery=np.full(N, 0.66))
    compared = tuple(
        replace(frame, regions=(judged(frame.regions[0], distance=0.7, detail=0.9),)) for frame in case.watched.ledger
    )
    [after] = with_gallery([replace(case.watched, ledger=compared)], [case.distances])
    assert dict(after.ledger[7].regions[0].numbers)["distance to nearest original"] == pytest.approx(0.66)


def test_every_frame_is_told_how_far_its_mouth_is_and_how_many_faces_are_left_over() -> None:
    """The faces add up to the gated number; what is constant about a mouth is anatomy, and a cover has none."""
    case = seen().watched
    mouth = np.full(N, 10.0)
    mouth[5] += 4.0
    faces = case.observed.original_face, case.observed.released_face
    observed = replace(
        case.observed,
        original_face=replace(faces[0], mouth=np.full(N, 7.0)),
        released_face=replace(faces[1], mouth=mouth),
        compared=np.arange(N) != 6,
        detections=[np.array([[300, 10, 330, 40]] * (at == 9) * 2, np.float32).reshape(-1, 4) for at in range(N - 1)],
    )
    ledger = finished_ledger(case.ledger, observed)
    assert [ledger[at].expression_error for at in (4, 5, 6)] == [0.0, pytest.approx(0.04), None]
    assert [ledger[at].unaccounted_faces for at in (8, 9, N - 1)] == [0, 2, None]


@pytest.mark.parametrize("lost", [0, 57, N - 1])
def test_a_ledger_that_lacks_a_frame_is_refused(lost: int) -> None:
    whole = seen().watched
    refuse_incomplete([whole])
    with pytest.raises(EvidenceError, match="holds 199 frames"):
        refuse_incomplete([replace(whole, ledger=(*whole.ledger[:lost], *whole.ledger[lost + 1 :]))])
    twice = (*whole.ledger[:lost], whole.ledger[0 if lost else 1], *whole.ledger[lost + 1 :])
    with pytest.raises(EvidenceError, match="every frame once"):
        refuse_incomplete([replace(whole, ledger=twice)])


def test_a_frame_that_only_the_written_file_or_the_search_lacks_is_refused() -> None:
    whole = seen().watched
    fewer = replace(whole.released, facts=whole.released.facts.model_copy(update={"frame_count": N - 1}))
    with pytest.raises(EvidenceError, match="the written file has 199"):
        refuse_incomplete([replace(whole, released=fewer)])
    with pytest.raises(EvidenceError, match="the search has 199"):
        refuse_incomplete([seen(detections=[np.empty((0, 4), np.float32)] * (N - 1)).watched])


def test_the_record_counts_every_frame_and_region_and_names_the_file() -> None:
    frames = [
        LedgerFrame(index=0, time_s=0.0, regions=(region(), replace(region(State.CONCEALED), rung=Rung.COVER))),
        LedgerFrame(index=1, time_s=0.04, regions=(replace(region(), rung=None, decided_by="a, mesh: seen"),)),
        LedgerFrame(index=2, time_s=0.08, regions=(), cleared_by=("a", "b")),
        LedgerFrame(index=3, time_s=0.12, regions=()),
    ]
    record = ledger_record([frames])
    [video] = record.videos
    assert (video.frames, video.regions) == (4, 3)
    assert {k: v for k, v in video.states.items() if v} == {"swapped": 1, "concealed": 1, "clear": 1, "undecided": 1}
    assert video.rungs == {"swap": 1, "cover": 1, "none tried": 1}
    assert video.decided_by == {"tests": 2, "a, mesh": 1}
    assert video.cleared_by == {"a + b": 1, "nobody": 1}
    text = "".join(csv_lines([frames]))
    assert record.sha256 == sha256_bytes(text.encode())
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["reason"], row["decided_by"]) for row in rows[3:]] == [
        ("no face", "a + b"),
        ("not cleared by two", ""),
    ]
