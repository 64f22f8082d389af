"""A review after the run: which OUT it is about, what is covered, and that the other videos are the same bytes."""

import inspect
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.cli import from_review
from deid_audit.cli.run import run
from deid_audit.digests import sha256_bytes
from deid_audit.errors import EvidenceError, ReviewFileError, SettingsError
from deid_audit.evidence import build_statement
from deid_audit.ledger import State, csv_lines
from deid_audit.pipeline.auditing import _as_reviewed
from deid_audit.pipeline.finished_out import LEDGER_FILE, FinishedOut
from deid_audit.pipeline.rereleasing import Rework, _marker_like, rework_of
from deid_audit.progress import SilentProgress
from deid_audit.review.records import Reading, ReviewFile, review_bytes
from deid_audit.video.places import keyed_digest_of
from deid_audit.video.reader import open_video
from tests.e2e.short_clips import pictures_of, write_pictures
from tests.fakes import make_case, make_media_mark, make_video_facts
from tests.unit.board_pages import write_out
from tests.unit.media_keys import media_signer, read_mark, require_c2pa
from tests.unit.readings import UNDESCRIBED, decided, ledger, reading, region

FRAMES, GREY = 6, 128
BOTH = ["--from-review", "r.json", "--of", "OUT"]
FACE = (20.0, 20.0, 60.0, 60.0)


def finished(folder: Path, *, sound: bool = False, **changes: Any) -> FinishedOut:
    """An OUT of two grey films of six frames, as far as a review looks at it."""
    face = region(box_xyxy=FACE)
    frames = ledger(*[[face]] * (FRAMES - 1), [region(State.UNDECIDED, UNDESCRIBED, box_xyxy=FACE)])
    text = "".join(csv_lines([frames, frames]))
    case = make_case(videos=2)
    record = case.ledger.model_copy(update={"sha256": sha256_bytes(text.encode())})
    case = case.model_copy(update={"ledger": record})
    if sound:
        case = case.model_copy(update={"rendered": (make_video_facts(),)})
    (folder / "audit").mkdir(parents=True)
    (folder / LEDGER_FILE).write_text(text)
    for output in case.outputs:
        if output.role == "video":
            path = folder / "release" / output.name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_pictures(path, [np.full((120, 160, 3), GREY, np.uint8)] * FRAMES)
    return FinishedOut(path=folder, case=case, statement=build_statement(make_case(videos=2)))


def review(out: FinishedOut, *readings: Reading, **changes: Any) -> ReviewFile:
    bound = {"case_id": out.case.case_id, "statement_sha256": sha256_bytes(out.statement)}
    return ReviewFile(**{**bound, "ledger_sha256": out.case.ledger.sha256, "readings": readings, **changes})


def rework(out: FinishedOut, *decisions: dict[str, Any]) -> Rework:
    return rework_of(review(out, reading(*decisions)), out)


def test_covers_are_written_on_the_video_they_are_about_and_nowhere_else(tmp_path: Path) -> None:
    out = finished(tmp_path / "out")
    asked = rework(
        out,
        decided("conceal", 1, 2, box_xyxy=(100.0, 80.0, 130.0, 100.0)),
        decided("reswap", 4, track=0),
        decided("wrong_person", 0, 0, track=0),
    )
    assert asked.take(1, tmp_path / "new.mp4")
    after = pictures_of(tmp_path / "new.mp4")
    assert [int(picture[90, 115].mean()) < 30 for picture in after] == [False, True, True, False, False, False]
    assert [int(picture[40, 40].mean()) < 30 for picture in after] == [True, False, False, False, True, False]
    assert all(abs(int(picture[10, 150].mean()) - GREY) < 6 for picture in after)
    again = open_video(tmp_path / "new.mp4", label="new")
    assert again.times_s == open_video(out.videos[0], label="old").times_s
    assert not asked.take(2, tmp_path / "other.mp4") and not (tmp_path / "other.mp4").exists(), "its bytes are taken"
    assert "1 of 2 were written again" in asked.made_with and sha256_bytes(out.statement) in asked.made_with


def test_what_is_written_again_is_marked_as_the_others_are_and_only_so(tmp_path: Path) -> None:
    require_c2pa()
    signer = media_signer()
    ours = make_media_mark().model_copy(update={"signer": signer.info})
    marker = _marker_like(ours, signer)
    assert marker is not None and _marker_like(ours, None) is None
    for mark, words in ((None, "carry no mark"), (make_media_mark(), "marked with another key")):
        with pytest.raises(SettingsError, match=words):
            _marker_like(mark, signer)
    out = finished(tmp_path / "out")
    marked = replace(out, case=out.case.model_copy(update={"media_mark": make_media_mark()}))
    asked = replace(rework(marked, decided("conceal", 1, track=0)), marker=marker)
    assert asked.take(1, tmp_path / "new.mp4") and asked.media_mark == marker.record
    assert read_mark(tmp_path / "new.mp4")["manifests"]
    assert replace(asked, marker=None).media_mark is None, "the one that is written again lost its mark"
    assert rework(marked).media_mark == marked.case.media_mark, "every video is as it was"


def test_a_reading_that_asks_for_nothing_writes_nothing(tmp_path: Path) -> None:
    out = finished(tmp_path / "out")
    asked = rework(out, decided("clear", FRAMES - 1))
    assert not asked.take(1, tmp_path / "new.mp4") and not asked.orders.videos
    assert [*asked.orders.clears] == [(1, FRAMES - 1)]


@pytest.mark.parametrize(
    "change",
    [{"case_id": "other"}, {"statement_sha256": "0" * 64}, {"statement_sha256": None}, {"ledger_sha256": "1" * 64}],
)
def test_a_review_of_something_else_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    out = finished(tmp_path / "out")
    with pytest.raises(ReviewFileError, match="about another job than this OUT") as caught:
        rework_of(review(out, reading(), **change), out)
    assert caught.value.exit_code == 2 and caught.value.next_step


def test_a_review_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    out = finished(tmp_path / "out")
    for readings in ((), (reading().model_copy(update={"finished_at": None}),)):
        with pytest.raises(ReviewFileError, match="not finished"):
            rework_of(review(out, *readings), out)


def test_videos_with_sound_are_refused_since_nobody_can_tell_any_more_whose_voice_it_is(tmp_path: Path) -> None:
    out = finished(tmp_path / "out", sound=True)
    with pytest.raises(SettingsError, match="the videos have sound"):
        rework_of(review(out, reading()), out)


def test_another_ledger_or_none_is_refused(tmp_path: Path) -> None:
    out = finished(tmp_path / "out")
    (out.path / LEDGER_FILE).write_text("video\n")
    with pytest.raises(EvidenceError, match="is not the file that the statement names"):
        rework_of(review(out, reading()), out)
    (out.path / LEDGER_FILE).unlink()
    with pytest.raises(EvidenceError, match="has no audit/frames"):
        rework_of(review(out, reading()), replace(out))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--from-review", "r.json"], "--from-review and --of belong together"),
        (["--of", "OUT"], "--from-review and --of belong together"),
        ([*BOTH, "--iterations", "3"], "--iterations does not go with --from-review"),
        ([*BOTH, "--review"], "--review does not go with --from-review"),
        ([*BOTH, "--dicom"], "--dicom does not go with --from-review"),
        ([], "--donor is missing"),
        (["--donor", "d.mp4", "--readers", "2"], "--readers needs --review"),
    ],
)
def test_options_that_do_not_go_together_are_told_before_any_work(more: list[str], says: str, tmp_path: Path) -> None:
    told = CliRunner().invoke(build_app(), ["run", "--subject", "s.mp4", "--out", str(tmp_path / "o"), *more])
    assert told.exit_code == 2 and says in " ".join(told.stderr.split())


def test_every_option_of_run_is_refused_or_passed_on_with_a_review() -> None:
    source = Path(from_review.__file__).read_text()
    options = set(inspect.signature(run).parameters) - {"ctx", "as_json"}
    settled = {*from_review._SAME, *from_review._NEEDS_THE_MODEL}
    assert {name for name in options - settled if f'["{name}"]' not in source} == set()


def test_keypoints_are_released_beside_the_covered_videos_where_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, asked = finished(tmp_path / "out"), list[Any]()
    monkeypatch.setattr("deid_audit.pipeline.finished_out.open_out", lambda path: out)
    monkeypatch.setattr("deid_audit.pipeline.review_material.matched_originals", lambda *_, **__: [*out.videos])
    monkeypatch.setattr(from_review, "perform", lambda job, settings, as_json: asked.append(settings) or 0)
    told = CliRunner().invoke(
        build_app(),
        ["run", "--subject", "s.mp4", "--out", str(tmp_path / "new"), "--release-keypoints", "coco", *BOTH],
    )
    assert told.exit_code == 0, told.output
    assert asked[0].release_keypoints == ("coco",)


def test_what_a_look_at_the_pixels_refuses_is_told_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = finished(tmp_path / "out")
    asked = rework(out, decided("clear", FRAMES - 1), decided("clear", FRAMES + 5))
    [early] = asked.orders.refused
    near = {((1, FRAMES - 1), FACE): "the face there measures as a person of these videos"}
    monkeypatch.setattr("deid_audit.pipeline.rereleasing.refuse_own_faces", lambda orders, *_: orders.without(near))
    monkeypatch.setattr("deid_audit.pipeline.rereleasing.with_clears", lambda video, *_: video)
    told, events = list[str](), list[Any]()
    job: Any = SimpleNamespace(
        case_id="c", progress=SimpleNamespace(say=told.append), journal=SimpleNamespace(append=events.append)
    )
    subject: Any = SimpleNamespace(average=None, others=())
    seen: Any = SimpleNamespace(released=None, ledger=asked.ledgers[0])
    _, review = _as_reviewed(asked, [seen], subject, SimpleNamespace(), job)  # type: ignore[arg-type]
    assert told == [
        f"not carried out: decision 1 (clear; video 1, frames {FRAMES - 1} to {FRAMES - 1}): the face there measures "
        "as a person of these videos"
    ]
    assert review is not None and review.record.refused == 2 and early not in told and len(events) == 1


def told_with(original: Path, folder: Path) -> str:
    """What the command says of an OUT of one video, given this file as its original."""
    told = CliRunner().invoke(
        build_app(),
        ["run", "--subject", str(original), "--out", str(folder / "new"), "--from-review", str(folder / "r.json"),
         "--of", str(folder / "out")],
    )  # fmt: skip
    assert told.exit_code == 2 and not (folder / "new").exists()
    return " ".join(told.stderr.split())


def test_the_command_takes_the_very_originals_and_a_review_of_this_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the runner's own stderr must not be taken apart
    monkeypatch.setattr("deid_audit.cli.report.progress_on_stderr", SilentProgress)
    film = write_pictures(tmp_path / "film.mp4", [np.full((64, 96, 3), GREY, np.uint8)] * FRAMES)
    write_out(
        tmp_path / "out", film, originals=(make_video_facts(keyed_digest=keyed_digest_of(film, "a film", bytes(32))),)
    )
    (tmp_path / "out" / "audit" / "originals.key").write_text(bytes(32).hex() + "\n")
    other = tmp_path / "other.mp4"
    other.write_bytes(film.read_bytes() + b"more")
    assert "--subject, number 1: this video is none of the originals" in told_with(other, tmp_path)
    assert "the review cannot be read" in told_with(film, tmp_path)
    (tmp_path / "r.json").write_bytes(review_bytes(review(finished(tmp_path / "second"), reading())))
    assert "about another job than this OUT" in told_with(film, tmp_path)
