"""The rounds of a review with a scripted reviewer: what is asked, carried out, asked again, and what is refused."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from deid_audit.errors import Interrupted, StageError
from deid_audit.ledger import LedgerFrame, Region, Rung, State
from deid_audit.measure.expression import FaceSignals
from deid_audit.measure.identity import VideoDescriptors
from deid_audit.pipeline.reckoning import Watched
from deid_audit.pipeline.reviewing import Pending, ReviewRounds
from deid_audit.review.applying import Orders
from deid_audit.review.records import Reading, load_review
from tests.unit.readings import FALSE_FIND, UNDESCRIBED, decided, ledger, reading, region


def signals(mouth: Sequence[float]) -> FaceSignals:
    row = np.array(mouth, np.float64)
    return FaceSignals(mouth=row, eye=row, brow=row, yaw=row, head_xy=np.stack((row, row), 1), interocular_px=row)


def watched(frames: tuple[LedgerFrame, ...], distances: Sequence[float] | None = None) -> Watched:
    count = len(frames)
    swapped = np.zeros((count, 128), np.float32)
    swapped[:, 0] = [0.8] * count if distances is None else distances
    observed: Any = SimpleNamespace(
        descriptors=VideoDescriptors(
            swapped=swapped,
            original=np.zeros((count, 128), np.float32),
            subject_swapped=np.ones(count, np.bool_),
            times_s=np.arange(count) / 25,
            others=np.zeros((0, 128), np.float32),
            other_frames=np.zeros(0, np.intp),
        ),
        original_face=signals([10.0] * count),
        released_face=signals([14.0] * count),
        detections=[np.array([[300, 10, 330, 40]], np.float32)] + [np.zeros((0, 4), np.float32)] * (count - 1),
    )
    released: Any = SimpleNamespace(facts=SimpleNamespace(width=320, height=240, frame_count=count))
    return Watched(released=released, ledger=frames, observed=observed)


@dataclass
class Scripted:
    """Gives back one reading after the other; `asked` are the pendings, `rendered` what was carried out."""

    script: list[Reading | BaseException]
    asked: list[Pending] = field(default_factory=list)
    rendered: list[tuple[int, dict[int, list[tuple[int | None, str]]], dict[tuple[int, int], Rung]]] = field(
        default_factory=list
    )
    becomes: Callable[[tuple[LedgerFrame, ...]], tuple[LedgerFrame, ...]] = lambda frames: frames
    videos: list[Watched] = field(default_factory=list)
    refuse: dict[Any, str] = field(default_factory=dict)

    def reviewing(self, pending: Pending) -> Reading:
        self.asked.append(pending)
        answer = self.script[len(self.asked) - 1]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def again(
        self, number: int, wanted: Mapping[int, Sequence[Region]], harder: Mapping[tuple[int, int], Rung]
    ) -> Watched:
        """Covers the tracks that are wanted, as rendering does."""
        told = {frame: [(one.track_id, one.reason) for one in regions] for frame, regions in wanted.items()}
        self.rendered.append((number, told, dict(harder)))
        frames = []
        for frame in self.videos[number - 1].ledger:
            asked = list(wanted.get(frame.index, ()))
            tracks = {one.track_id for one in asked}
            row = [
                replace(one, state=State.CONCEALED, rung=Rung.COVER) if one.track_id in tracks else one
                for one in frame.regions
            ] + [one for one in asked if one.track_id is None]
            frames.append(replace(frame, regions=tuple(row)))
        self.videos[number - 1] = watched(self.becomes(tuple(frames)))
        return self.videos[number - 1]

    def run(self, *ledgers: tuple[LedgerFrame, ...], readers: int = 1) -> Any:
        self.videos = [watched(frames) for frames in ledgers]
        return ReviewRounds(
            case_id="c1",
            originals=(),
            reviewing=self.reviewing,
            readers=readers,
            again=self.again,
            checked=lambda orders, released: orders.without(self.refuse),
        ).of(self.videos)


PLAIN = ledger([region()], [region()], [region()])
COVERED = "a reviewer had it covered"


def test_a_reading_without_decisions_ends_the_review_at_once() -> None:
    someone = Scripted([reading(shown=[(1, 0, 1)])])
    done = someone.run(PLAIN)
    assert len(someone.asked) == 1 and not someone.rendered and done.watched[0].ledger == PLAIN
    assert (done.record.readers, done.record.frames, done.record.frames_shown) == (1, 3, 2)
    assert done.record.kappa is None and "one person read" in done.record.no_kappa_because


def test_a_video_that_changes_is_rendered_again_and_looked_at_again(tmp_path: Path) -> None:
    first = reading(decided("conceal", 1, track=0, video=2), shown=[(1, 0, 2), (2, 0, 2)])
    someone = Scripted([first, reading(shown=[(2, 0, 0)])])
    done = someone.run(PLAIN, PLAIN)
    assert someone.rendered == [(2, {1: [(0, COVERED)]}, {})], "the other video stays as it is"
    assert [one.round for one in someone.asked] == [1, 2]
    assert someone.asked[0].ledger_sha256 != someone.asked[1].ledger_sha256
    assert someone.asked[1].ledgers[1][1].state is State.CONCEALED and someone.asked[1].readings == (first,)
    assert [frame.state.value for frame in done.watched[1].ledger] == ["swapped", "concealed", "swapped"]
    assert done.record.frames_shown == 5, "the frame that changed was not looked at again"
    (tmp_path / "review.json").write_bytes(done.data)
    kept = load_review(tmp_path / "review.json")
    assert kept.statement_sha256 is None and len(kept.readings) == 2
    assert kept.ledger_sha256 == someone.asked[1].ledger_sha256
    assert done.record.readings[0].decisions == {"conceal": 1}


def test_a_drawn_region_and_a_harder_swap_reach_the_renderer() -> None:
    box = (100.0, 100.0, 140.0, 140.0)
    someone = Scripted([reading(decided("conceal", 0, box_xyxy=box), decided("reswap", 2, track=0)), reading()])
    done = someone.run(PLAIN)
    assert someone.rendered == [(1, {0: [(None, COVERED)]}, {(2, 0): Rung.WIDER})]
    assert [one.box_xyxy for one in done.watched[0].ledger[0].regions][1] == box


def test_a_clear_alone_renders_nothing_and_ends_the_review() -> None:
    frames = ledger([region(State.UNDECIDED, UNDESCRIBED)], [region()])
    someone = Scripted([reading(decided("clear", 0))])
    done = someone.run(frames)
    assert done.watched[0].ledger[0].state is State.REVIEWED and not someone.rendered and len(someone.asked) == 1


def test_a_clear_outlasts_later_rounds_as_long_as_the_ledger_says_the_same() -> None:
    frames = ledger([region(State.UNDECIDED, UNDESCRIBED)], [region()])
    script = [reading(decided("clear", 0), decided("conceal", 1)), reading()]
    assert Scripted([*script]).run(frames).watched[0].ledger[0].state is State.REVIEWED

    def now_it_matches(_: tuple[LedgerFrame, ...]) -> tuple[LedgerFrame, ...]:
        return ledger([region(State.UNDECIDED, "the face in the written file matches the original: 0.5")], [region()])

    done = Scripted([*script], becomes=now_it_matches).run(frames)
    assert done.watched[0].ledger[0].state is State.UNDECIDED, "what was looked at is not what is there now"


def test_a_face_that_measures_as_the_subjects_is_not_cleared_and_the_reviewer_is_told() -> None:
    find = region(State.UNDECIDED, FALSE_FIND, track_id=None)
    someone = Scripted([reading(decided("clear", 0)), reading()])
    someone.refuse = {((1, 0), find.box_xyxy): "the face there measures as a person of these videos"}
    done = someone.run(ledger([find]))
    assert done.watched[0].ledger[0].state is State.UNDECIDED
    assert someone.asked[1].refused == (
        "decision 1 (clear; video 1, frames 0 to 0): the face there measures as a person of these videos",
    )
    assert done.record.refused == 1


@pytest.mark.parametrize("end", [Interrupted("stopped by Ctrl-C: nothing was released"), StageError("page closed")])
def test_what_ends_the_waiting_ends_the_job(end: Exception) -> None:
    with pytest.raises(type(end), match=str(end)):
        Scripted([end]).run(PLAIN)


def test_an_unfinished_reading_or_one_in_another_role_is_no_review() -> None:
    unfinished = reading().model_copy(update={"finished_at": None})
    for given in (unfinished, reading(role="resolution")):
        with pytest.raises(StageError, match="not finished, so nothing is released"):
            Scripted([given]).run(PLAIN)


# -- two readers ------------------------------------------------------------


def test_two_readers_are_blind_to_each_other_and_agreement_needs_no_resolution() -> None:
    someone = Scripted([reading(decided("conceal", 0)), reading(decided("conceal", 0), reviewer="CD", role="second"),
                        reading(reviewer="EF", role="resolution")])  # fmt: skip
    done = someone.run(PLAIN, readers=2)
    assert [(one.role, one.round, len(one.readings)) for one in someone.asked] == [
        ("first", 1, 0),
        ("second", 1, 0),
        ("resolution", 2, 2),
    ]
    assert done.record.readers == 2 and done.record.unresolved == 0
    assert done.record.kappa is None and "both said the same" in done.record.no_kappa_because


def test_where_they_differ_a_third_reading_sees_both_and_decides() -> None:
    frames = ledger([region()], [region(State.CONCEALED, "turned")], [region(reason="wider mask: 0.7")])
    someone = Scripted(
        [
            reading(decided("conceal", 0)),
            reading(reviewer="CD", role="second"),
            reading(decided("clear", 0), reviewer="EF", role="resolution"),
            reading(reviewer="EF", role="resolution"),
        ]
    )
    done = someone.run(frames, readers=2)
    assert [one.role for one in someone.asked][:3] == ["first", "second", "resolution"]
    assert len(someone.asked[2].readings) == 2 and not someone.rendered
    # of 3 stretches they agree on 2: po 2/3, pe 2/3 x 1 + 1/3 x 0
    assert done.record.kappa == pytest.approx(0.0) and done.record.stretches == 3


def test_a_difference_that_nobody_resolved_is_covered_and_counted() -> None:
    someone = Scripted(
        [
            reading(decided("conceal", 0)),
            reading(reviewer="CD", role="second"),
            reading(reviewer="EF", role="resolution"),
            reading(reviewer="EF", role="resolution"),
        ]
    )
    done = someone.run(PLAIN, readers=2)
    assert someone.rendered == [(1, {0: [(0, COVERED)]}, {})] and done.record.unresolved == 1


def test_the_second_reader_must_be_somebody_else_and_is_asked_again() -> None:
    someone = Scripted([reading(), reading(reviewer="ab", role="second"), reading(reviewer="CD", role="second")])
    assert someone.run(PLAIN, readers=2).record.readers == 2
    assert "the same person" in someone.asked[2].refused[0]


@pytest.mark.parametrize("name", ["AB", "cd"])
def test_one_of_the_two_readers_cannot_resolve_and_somebody_else_is_asked(name: str) -> None:
    frames = ledger([region(State.UNDECIDED, UNDESCRIBED)])
    someone = Scripted(
        [
            reading(decided("clear", 0)),
            reading(reviewer="CD", role="second"),
            reading(decided("clear", 0), reviewer=name, role="resolution"),
            reading(reviewer="EF", role="resolution"),
        ]
    )
    done = someone.run(frames, readers=2)
    assert "third person" in someone.asked[3].refused[0] and len(done.record.readings) == 3
    assert done.watched[0].ledger[0].state is State.UNDECIDED


def test_the_record_counts_the_frames_of_the_reader_who_was_shown_the_fewest() -> None:
    script = [reading(shown=[(1, 0, 2)]), reading(reviewer="CD", role="second", shown=[(1, 2, 2)])]
    record = Scripted([*script]).run(PLAIN, readers=2).record
    assert (record.readers, record.frames_shown, record.frames) == (2, 1, 3)


def test_without_orders_nothing_is_left_to_do() -> None:
    assert Orders().after(Orders()) == Orders() and not Orders().videos
