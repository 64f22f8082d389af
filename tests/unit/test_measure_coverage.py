"""Coverage counted by hand."""

from deid_audit.catalog import METRICS
from deid_audit.findings import SUBJECT_SCOPE
from deid_audit.ledger import LedgerFrame, Region, State
from deid_audit.measure.coverage import measure_coverage

NAMES = {name for name in METRICS if name.startswith("coverage.")}


def frame(index: int, *states: State, subject: bool = True, cleared: bool = True) -> LedgerFrame:
    regions = tuple(
        Region(track_id=1, is_subject=subject, state=state, reason="", decided_by="", box_xyxy=(0, 0, 10, 10))
        for state in states
    )
    return LedgerFrame(
        index=index, time_s=index / 10, regions=regions, cleared_by=("one", "two") if cleared else ("one",)
    )


def values(videos: list[list[LedgerFrame]], scope: str) -> dict[str, float | None]:
    rows = [row for row in measure_coverage(videos) if row.scope == scope]
    assert {row.metric for row in rows} == NAMES
    assert {row.of for row in rows} == {"swapped"}
    return {row.metric.removeprefix("coverage."): row.value for row in rows}


FIRST = [
    frame(0, State.SWAPPED),
    frame(1, State.SWAPPED, State.CONCEALED),
    frame(2, State.CONCEALED),
    frame(3),
    frame(4, cleared=False),
]
SECOND = [
    frame(0, State.CONCEALED, subject=False),
    frame(1, State.REVIEWED),
    frame(2, State.SWAPPED),
    frame(3, State.UNDECIDED),
    frame(4, State.CONCEALED),
]


def test_every_frame_is_counted_once_by_its_worst_region() -> None:
    assert values([FIRST, SECOND], "video 1") == {
        **{"frames": 5, "swapped": 1, "concealed": 2, "clear": 1, "reviewed": 0, "undecided": 1},
        **{"concealed_share": 0.4, "other_covers_share": 0.0, "longest_concealed_s": 0.3 - 0.1},
    }


def test_another_persons_concealment_is_not_the_subjects() -> None:
    second = values([FIRST, SECOND], "video 2")
    assert second["concealed"] == 2
    assert second["concealed_share"] == 0.2
    assert second["other_covers_share"] == 0.2, "the first frame's, which is not the subject's"


def test_the_subjects_scope_adds_up_and_a_stretch_stays_within_its_video() -> None:
    ends_covered = [frame(0, State.SWAPPED), frame(1, State.CONCEALED)]
    starts_covered = [frame(0, State.CONCEALED), frame(1, State.SWAPPED)]
    pooled = values([ends_covered, starts_covered], SUBJECT_SCOPE)
    assert (pooled["frames"], pooled["concealed"], pooled["concealed_share"]) == (4, 2, 0.5)
    assert pooled["longest_concealed_s"] == 0.1


def test_a_video_without_frames_has_no_share() -> None:
    empty = values([[]], "video 1")
    assert empty["frames"] == 0
    assert empty["concealed_share"] is empty["other_covers_share"] is None
    assert empty["longest_concealed_s"] is None
    assert all(row.sample_size == 0 for row in measure_coverage([[]]))
