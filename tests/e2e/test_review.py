"""A run that waits for a scripted reviewer: the release changes as decided, the log says so, and no page closed passes.

The page itself is tested in a browser; here whoever decides is a function.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deid_audit.digests import sha256_file
from deid_audit.errors import StageError
from deid_audit.evidence import parse_statement
from deid_audit.findings import CaseRecord
from deid_audit.log.entries import read_entry
from deid_audit.pipeline.finished_out import open_out
from deid_audit.pipeline.review_material import pending_of
from deid_audit.pipeline.reviewing import Pending
from deid_audit.pipeline.run import run
from deid_audit.progress import SilentProgress
from deid_audit.review.queue import queue
from deid_audit.review.records import Decision, Reading, ReviewFile, Shown, load_review, save_review
from deid_audit.settings import make_settings
from tests.e2e.short_clips import FRAMES, SENTINEL, pictures_of
from tests.e2e.typed import EASY_POLICY, deid_audit

pytestmark = pytest.mark.e2e
COVERED_POLICY = EASY_POLICY.split("[[rules]]")[0] + "[[rules]]" + EASY_POLICY.split("[[rules]]")[2]
DRAWN = (8.0, 400.0, 60.0, 460.0)  # a corner of the picture, far from the face


def settings(clips: tuple[Path, Path], folder: Path) -> Any:
    (folder / "easy.toml").write_text(EASY_POLICY)
    return make_settings(
        subjects=(clips[0],), donors=(clips[1],), policy=str(folder / "easy.toml"), out=folder / "out", case_id="c1",
        iterations=3, log=folder / "log", review=True,
    )  # fmt: skip


def reading(pending: Pending, *decisions: dict[str, Any], shown: int = FRAMES) -> Reading:
    now = datetime.now(UTC)
    return Reading(
        reviewer="A. B.", role=pending.role, started_at=now, finished_at=now,
        decisions=tuple(
            Decision(number=number, video=1, reviewer="A. B.", decided_at=now, **one)
            for number, one in enumerate(decisions, start=1)
        ),
        shown=(Shown(video=1, first_frame=0, last_frame=shown - 1),) if shown else (),
    )  # fmt: skip


def case_of(out: Path) -> CaseRecord:
    return parse_statement((out / "evidence.json").read_bytes())


def dark(picture: Any, box: tuple[float, float, float, float]) -> bool:
    left, top, right, bottom = (int(edge) for edge in box)
    return bool(picture[top + 2 : bottom - 2, left + 2 : right - 2].mean() < 24)


def test_what_a_reviewer_decides_is_in_the_release_the_statement_and_the_log(
    clips: tuple[Path, Path], tmp_path: Path
) -> None:
    looks: list[Pending] = []
    before: list[Any] = []

    def reviewing(pending: Pending) -> Reading:
        looks.append(pending)
        if pending.round > 1:
            return reading(pending, shown=0)
        before.extend(pictures_of(pending.released[0].path))
        track = next(one.track_id for frame in pending.ledgers[0] for one in frame.regions if one.is_subject)
        return reading(
            pending,
            {"kind": "conceal", "first_frame": 5, "last_frame": 9, "box_xyxy": DRAWN},
            {"kind": "conceal", "first_frame": 20, "last_frame": 22, "track": track},
            {"kind": "reswap", "first_frame": 30, "last_frame": 31, "track": track},
            {"kind": "clear", "first_frame": 40, "last_frame": 40},
        )

    run(settings(clips, tmp_path), signer=None, progress=SilentProgress(), reviewing=reviewing)
    out = tmp_path / "out"
    case = case_of(out)
    assert case.outputs_folder == "release" and [one.round for one in looks] == [1, 2]

    [film] = (out / "release" / "data").glob("*.mp4")
    after = pictures_of(film)
    assert [at for at in range(FRAMES) if dark(after[at], DRAWN) and not dark(before[at], DRAWN)] == [5, 6, 7, 8, 9]
    second = looks[1].ledgers[0]
    mine = {at: next(one for one in second[at].regions if one.is_subject) for at in (21, 25, 30)}
    assert mine[21].state == "concealed" and mine[21].reason == "a reviewer had it covered"
    assert dark(after[21], mine[21].box_xyxy) and not dark(after[25], mine[25].box_xyxy)
    assert mine[30].rung != "swap", "a reswap begins with the next step, or ends under a cover"
    assert np.abs(after[45].astype(int) - before[45]).mean() < 4, "nothing else changed but by encoding"

    review = case.review
    assert review is not None and review.readers == 1 and review.frames == FRAMES
    assert review.readings[0].decisions == {"clear": 1, "conceal": 2, "reswap": 1}
    assert review.frames_shown <= FRAMES - 8 and review.kappa is None
    rows = {one.metric: one.value for one in case.measurements}
    assert rows["review.readers"] == 1
    kept = load_review(out / "audit" / "review.json")
    assert len(kept.readings) == 2 and kept.ledger_sha256 == looks[-1].ledger_sha256, "of what was looked at last"
    assert "Review by people" in (out / "audit" / "report.html").read_text()

    read_back = pending_of(open_out(out), [clips[0]], role="first", readings=(), progress=SilentProgress())
    assert [one.score for one in queue(read_back.ledgers)] == [one.score for one in queue(looks[-1].ledgers)]
    numbers = [(frame.expression_error, frame.unaccounted_faces) for frame in read_back.ledgers[0]]
    assert any(error for error, _ in numbers) and all(strays is not None for _, strays in numbers)
    assert sum(strays for _, strays in numbers) == rows["residue.unaccounted_faces"]

    events = [read_entry(line).event for line in (tmp_path / "log" / "log.jsonl").read_bytes().splitlines()]
    names = [one.event for one in events]
    assert names.index("reviewed") < names.index("weights_destroyed") < names.index("run_ended")
    [told] = [one for one in events if one.event == "reviewed"]
    assert (told.review_sha256, told.decisions) == (review.file_sha256, 4)  # type: ignore[union-attr]


def test_a_review_after_the_run_covers_what_it_asks_for_and_takes_the_rest_as_it_is(
    released: tuple[Path, dict[str, Any]], named_clips: tuple[Path, Path], tmp_path: Path
) -> None:
    out, _ = released
    case = case_of(out)
    [film] = (out / "release" / "data").glob("*.mp4")
    now = datetime.now(UTC)
    bound = {"statement_sha256": sha256_file(out / "evidence.json"), "ledger_sha256": case.ledger.sha256}
    (tmp_path / "easy.toml").write_text(COVERED_POLICY)
    for name, kinds in (("same", []), ("covered", [{"kind": "conceal", "first_frame": 5, "last_frame": 9}])):
        made = Reading(
            reviewer="A. B.", role="first", started_at=now, finished_at=now,
            decisions=tuple(
                Decision(number=1, video=1, reviewer="A. B.", decided_at=now, box_xyxy=DRAWN, **one) for one in kinds
            ),
        )  # fmt: skip
        save_review(tmp_path / f"{name}.json", ReviewFile(case_id=case.case_id, readings=(made,), **bound))
        done = deid_audit(
            "run", "--from-review", tmp_path / f"{name}.json", "--of", out, "--subject", named_clips[0],
            "--out", tmp_path / name, "--policy", tmp_path / "easy.toml", "--case-id", name,
            "--log", tmp_path / "log",
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert SENTINEL not in done.stdout + done.stderr
    [same] = (tmp_path / "same" / "release" / "data").glob("*.mp4")
    assert same.read_bytes() == film.read_bytes()
    [covered] = (tmp_path / "covered" / "release" / "data").glob("*.mp4")
    pictures = pictures_of(covered)
    assert [at for at in range(FRAMES) if dark(pictures[at], DRAWN)] == [5, 6, 7, 8, 9]
    second = case_of(tmp_path / "covered")
    assert second.review is not None and second.review.readings[0].decisions == {"conceal": 1}
    assert bound["statement_sha256"] in second.stages[0].method
    reasons = [row.not_measured_because or "" for row in second.measurements]
    assert second.kind == "reviewed" and "another tool" not in " ".join((*second.not_assessed, *reasons))
    assert "another tool" not in (tmp_path / "covered" / "release" / "README.txt").read_text()
    assert second.ledger.videos[0].regions == case_of(tmp_path / "same").ledger.videos[0].regions + 5


def closed(pending: Pending) -> Reading:
    return reading(pending).model_copy(update={"finished_at": None})


def stopped(pending: Pending) -> Reading:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("reviewing", "error"), [(closed, StageError), (stopped, KeyboardInterrupt)])
def test_a_review_that_does_not_end_well_leaves_nothing(
    clips: tuple[Path, Path], tmp_path: Path, reviewing: Callable[[Pending], Reading], error: type[BaseException]
) -> None:
    with pytest.raises(error):
        run(settings(clips, tmp_path), signer=None, progress=SilentProgress(), reviewing=reviewing)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["easy.toml", "log"]
    events = [read_entry(line).event.event for line in (tmp_path / "log" / "log.jsonl").read_bytes().splitlines()]
    assert "reviewed" not in events and events[-1] == "run_refused"
