"""Residue on made ledgers and boxes: each leak that it must see, and each search that did not happen."""

import numpy as np
import pytest

from deid_audit.catalog import METRICS
from deid_audit.findings import Measurement
from deid_audit.frames import Float
from deid_audit.ledger import LedgerFrame, Region, State
from deid_audit.measure.residue import belongs, measure_residue

BOX = (100.0, 100.0, 200.0, 220.0)
NOBODY = np.empty((0, 4), np.float32)


def region(state: State = State.SWAPPED, *, subject: bool = True) -> Region:
    return Region(track_id=1, is_subject=subject, state=state, reason="", decided_by="", box_xyxy=BOX)


def boxes(*rows: tuple[float, float, float, float]) -> Float:
    return np.array(rows, np.float32).reshape(-1, 4)


def residue(
    found: list[Float] | None, regions: list[tuple[Region, ...]], distances: list[float], **left: object
) -> dict[str, Measurement]:
    frames = [LedgerFrame(index=index, time_s=index / 25, regions=each) for index, each in enumerate(regions)]
    keys = left.get("keys", [])
    assert isinstance(keys, list)
    rows = measure_residue(
        scope="video 1",
        detections=found,
        seen_by=[[("a look",)] * len(each) for each in found or []],
        searched_with="tests",
        frames=frames,
        distances_to_original=np.array(distances),
        leftover_streams=int(str(left.get("streams", 0))),
        leftover_keys=keys,
    )
    of_the_gallery = {"residue.gallery_matches"}  # measured beside, from descriptors
    assert {row.metric for row in rows} | of_the_gallery == {name for name in METRICS if name.startswith("residue.")}
    return {row.metric.removeprefix("residue."): row for row in rows}


def test_a_clean_release_has_nothing_left() -> None:
    rows = residue(
        [boxes(BOX), NOBODY, boxes(BOX)], [(region(),), (), (region(State.CONCEALED),)], [0.7, np.nan, np.nan]
    )
    assert {row.value for row in rows.values()} == {0}
    assert rows["unaccounted_faces"].sample_size == 3


def test_a_face_elsewhere_is_unaccounted_for() -> None:
    rows = residue([boxes(BOX, (300, 100, 400, 220)), boxes((0, 0, 20, 20))], [(region(),), ()], [0.7, np.nan])
    assert rows["unaccounted_faces"].value == 2
    assert rows["subject_faces"].value == 0


@pytest.mark.parametrize("state", [State.CLEAR, State.REVIEWED, State.UNDECIDED])
def test_only_swapped_and_concealed_regions_account_for_a_face(state: State) -> None:
    assert residue([boxes(BOX)], [(region(state),)], [np.nan])["unaccounted_faces"].value == 1


def test_a_region_of_another_frame_does_not_account_for_a_face() -> None:
    rows = residue([boxes(BOX), NOBODY], [(), (region(),)], [np.nan, 0.7])
    assert rows["unaccounted_faces"].value == 1


@pytest.mark.parametrize(("distance", "count"), [(0.599, 1), (0.601, 0)])
def test_a_swapped_face_that_still_matches_its_original_is_the_subjects(distance: float, count: int) -> None:
    assert residue([boxes(BOX)], [(region(),)], [distance])["subject_faces"].value == count


def test_concealed_regions_and_other_people_do_not_match_the_subject() -> None:
    rows = residue([boxes(BOX), boxes(BOX)], [(region(State.CONCEALED),), (region(subject=False),)], [0.1, 0.1])
    assert rows["subject_faces"].value == 0


def test_a_swapped_face_that_could_not_be_compared_is_a_gap_unless_another_frame_matches() -> None:
    both = [(region(),), (region(),)]
    gap = residue([boxes(BOX), boxes(BOX)], both, [0.7, np.nan])["subject_faces"]
    assert gap.value is None
    assert not gap.absent
    assert residue([boxes(BOX), boxes(BOX)], both, [0.2, np.nan])["subject_faces"].value == 1


@pytest.mark.parametrize("found", [None, [NOBODY], []])
def test_a_search_that_did_not_cover_every_frame_has_no_value(found: list[Float] | None) -> None:
    rows = residue(found, [(), ()], [np.nan, np.nan])
    for name in ("unaccounted_faces", "subject_faces"):
        assert rows[name].value is None
        assert not rows[name].absent


def test_no_frames_are_a_gap() -> None:
    assert residue([], [], [])["unaccounted_faces"].value is None


def test_streams_and_keys_are_counted_and_keys_are_not_printed() -> None:
    rows = residue([NOBODY], [()], [np.nan], streams=2, keys=["title-of-jane-doe"])
    assert (rows["audio_streams"].value, rows["metadata_keys"].value) == (2, 1)
    assert "jane" not in "".join(row.model_dump_json() for row in rows.values())


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        ((90, 110, 100, 120), True),  # centre 5 px left of the box: within a tenth of its width
        ((70, 110, 100, 120), False),  # centre 15 px left of it
        ((0, 100, 160, 220), True),  # centre outside, IoU 60/200 = 0.3
        ((0, 100, 155, 220), False),  # IoU 55/200
        ((np.nan, 100, 200, 220), False),
        ((400, 400, 400, 400), False),
    ],
)
def test_the_matching_rule(box: tuple[float, float, float, float], inside: bool) -> None:
    assert belongs(np.array(box, np.float32), region()) is inside


def test_a_face_of_the_subject_found_to_match_counts_also_when_its_frame_became_undecided() -> None:
    rows = residue([boxes(BOX), boxes(BOX)], [(region(State.UNDECIDED),), (region(),)], [0.1, 0.7])
    assert (rows["subject_faces"].value, rows["unaccounted_faces"].value) == (1, 1)
