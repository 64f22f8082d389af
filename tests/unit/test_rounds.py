"""Rounds of rendering and watching: what one covered stays covered, and only the file that stays is counted."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deid_audit.ledger import LedgerFrame, Rung, State
from deid_audit.measure.canaries import Canary
from deid_audit.pipeline import rounds
from deid_audit.pipeline.reviewing import Pending
from deid_audit.pipeline.rounds import Rounds, watched_and_reviewed
from deid_audit.progress import SilentProgress
from deid_audit.review.records import Reading
from deid_audit.timing import Timer
from tests.unit.readings import FALSE_FIND, MATCHES, decided, reading, region

FIND = region(State.UNDECIDED, FALSE_FIND, track_id=None, is_subject=False, box_xyxy=(200.0, 10.0, 230.0, 40.0))
Audit = Callable[[int, tuple[LedgerFrame, ...]], tuple[LedgerFrame, ...]]


class Flock:
    """One known face a watching."""

    videos = 2

    def __init__(self) -> None:
        self.seen: list[Canary] = []

    def state(self) -> list[Canary]:
        return list(self.seen)

    def restore(self, state: list[Canary]) -> None:
        self.seen[:] = state

    def forget(self, pasted: list[Canary]) -> None:
        self.seen[:] = [one for one in self.seen if not any(one is gone for gone in pasted)]


class Stage:
    """Two videos of two frames with one swapped face; `audit` says what the audit makes of a video's ledger."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, audit: Audit) -> None:
        self.renders: list[tuple[str, dict[int, list[tuple[int | None, str]]], dict[Any, Rung], int]] = []
        self.flock, self.wiped = Flock(), list[str]()
        monkeypatch.setattr(rounds, "render_video", self.render_video)
        monkeypatch.setattr(rounds, "observe", self.observe)
        monkeypatch.setattr(rounds, "finished_ledger", lambda frames, seen: audit(seen.number, tuple(frames)))
        monkeypatch.setattr(rounds, "open_video", lambda path, label: SimpleNamespace(path=path, number=int(label[-1])))
        monkeypatch.setattr(rounds.writer, "check_same_timing", lambda *_: None)
        monkeypatch.setattr(rounds, "wipe_arrays_with", lambda vault, what, arrays: self.wiped.append(what))
        for name in ("part_of", "outsider_of"):
            monkeypatch.setattr(rounds, name, lambda *_, **__: None)
        source = SimpleNamespace(label="subject video", facts=SimpleNamespace(frame_count=2))
        given: dict[str, Any] = {
            "subject": SimpleNamespace(others=(), average=None, videos=[SimpleNamespace(source=source)] * 2),
            "pair": SimpleNamespace(model=SimpleNamespace(preset=SimpleNamespace(size=64))),
            "settings": SimpleNamespace(case_id="c", burned_in_text="flag", lossless=False, readers=1),
            "voice": SimpleNamespace(track=lambda source: None, measure=lambda *_: (), carried=lambda source: False),
            "vault": SimpleNamespace(register_memory=lambda *_: None),
            "engines": None,
            "keypoints": None,
        }
        self.rounds = Rounds(
            folder=folder / "rendered", companions=(), marker=None, progress=SilentProgress(), timer=Timer(),
            canaries=self.flock, **given,
        )  # type: ignore[arg-type]  # fmt: skip

    def render_video(self, parts: Any, path: Path, done: Any, **asked: Any) -> None:
        wanted = {at: [(one.track_id, one.reason) for one in found] for at, found in asked["again"].items()}
        self.renders.append((path.name, wanted, dict(asked["harder"]), len(asked["known"])))
        for at in range(2):
            tracks = {track for track, _ in wanted.get(at, [])}
            face = region()
            if 0 in tracks:
                face = replace(face, state=State.CONCEALED, reason="covered", rung=Rung.COVER)
            done.ledger.append(LedgerFrame(index=at, time_s=at / 25, regions=(face,)))

    def observe(self, cast: Any, released: Any, done: Any, **_: Any) -> Any:
        self.flock.seen.append(Canary(kind=f"video {released.number}", height_px=64, found=True))
        return SimpleNamespace(number=released.number, arrays=list)


def holds(number: int, frames: tuple[LedgerFrame, ...]) -> tuple[LedgerFrame, ...]:
    return frames


def near_in_the_first_frame(number: int, frames: tuple[LedgerFrame, ...]) -> tuple[LedgerFrame, ...]:
    """What video 2's audit finds, until the face is covered."""
    first = frames[0].regions[0]
    if number == 2 and first.state is State.SWAPPED:
        return (replace(frames[0], regions=(replace(first, state=State.UNDECIDED, reason=MATCHES),)), *frames[1:])
    return frames


def test_what_the_audit_leaves_undecided_is_covered_in_a_second_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path, monkeypatch, near_in_the_first_frame)
    videos = stage.rounds.first()
    assert [one[:2] for one in stage.renders] == [("c-01.mp4", {}), ("c-02.mp4", {}), ("c-02.mp4", {0: [(0, MATCHES)]})]
    assert [frame.state.value for frame in videos[1].ledger] == ["concealed", "swapped"]
    assert [one.kind for one in stage.flock.seen] == ["video 1", "video 2"]
    assert [one[3] for one in stage.renders] == [0, 0, 1], "the originals are not described again"


def test_a_further_round_keeps_what_earlier_ones_covered_and_counts_the_last_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path, monkeypatch, near_in_the_first_frame)
    stage.rounds.first()
    stage.rounds.again(2, {1: (region(reason="drawn", track_id=None),)}, {(1, 0): Rung.WIDER})
    stage.rounds.again(2, {1: (region(reason="drawn", track_id=None),)}, {})
    _, wanted, harder, _ = stage.renders[-1]
    assert wanted == {0: [(0, MATCHES)], 1: [(None, "drawn")]} and harder == {(1, 0): Rung.WIDER}
    assert [one.kind for one in stage.flock.seen] == ["video 1", "video 2"]
    assert set(stage.rounds.timer.seconds) == {"rendering", "measuring"}
    assert stage.wiped.count("descriptors and landmarks, video 2") == 4, "each round's descriptors are wiped"


def test_what_a_reviewers_round_leaves_undecided_is_covered_like_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finds_once(number: int, frames: tuple[LedgerFrame, ...]) -> tuple[LedgerFrame, ...]:
        if len(stage.renders) == 3:
            return (replace(frames[0], regions=(*frames[0].regions, FIND)), *frames[1:])
        return frames

    stage = Stage(tmp_path, monkeypatch, finds_once)
    stage.rounds.first()
    stage.rounds.again(1, {}, {(0, 0): Rung.HARDER})
    assert stage.renders[-1][1] == {0: [(None, FALSE_FIND)]} and len(stage.renders) == 4


def test_nobody_is_asked_without_a_reviewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job: Any = SimpleNamespace(progress=SilentProgress())
    watched, review = watched_and_reviewed(Stage(tmp_path, monkeypatch, holds).rounds, None, job)
    assert len(watched) == 2 and review is None


def test_a_finished_review_is_in_the_log_before_anything_else_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Any] = []
    job: Any = SimpleNamespace(progress=SilentProgress(), journal=SimpleNamespace(append=events.append))
    monkeypatch.setattr(rounds, "refuse_own_faces", lambda orders, *_: orders)
    facts = SimpleNamespace(width=320, height=240, frame_count=2)
    stage = Stage(tmp_path, monkeypatch, holds)
    monkeypatch.setattr(rounds, "open_video", lambda path, label: SimpleNamespace(path=path, number=1, facts=facts))
    script = [reading(decided("conceal", 1, track=0)), reading()]

    def reviewing(pending: Pending) -> Reading:
        return script[pending.round - 1]

    watched, review = watched_and_reviewed(stage.rounds, reviewing, job)
    assert [frame.state.value for frame in watched[0].ledger] == ["swapped", "concealed"]
    assert review is not None and [(one.event, one.readers, one.decisions) for one in events] == [("reviewed", 1, 1)]
    assert events[0].review_sha256 == review.record.file_sha256
