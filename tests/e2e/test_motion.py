"""`deid-audit motion` on whole clips: the same video, one with a frame lost, one of another size."""

from itertools import islice
from pathlib import Path

import pytest

from deid_audit.frames import Frame
from deid_audit.pipeline.demo_clips import planned
from deid_audit.video.reader import open_video, read_frames
from deid_audit.video.writer import write_video
from tests.e2e.warm import WarmCommand, assert_one_message
from tests.schemas import document_in

pytestmark = pytest.mark.e2e
FRAMES = 14


@pytest.fixture(scope="module")
def short(clips: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The beginning of the subject's clip, and the same without its eleventh frame."""
    source = open_video(clips[0], label="subject")
    frames = list(islice(read_frames(source), FRAMES))
    folder = tmp_path_factory.mktemp("Mustermann")
    paths = folder / "whole.mp4", folder / "lost.mp4"
    for path, kept in zip(paths, (frames, frames[:10] + frames[11:]), strict=True):
        plan = planned("short", kept[0].image_rgb, [frame.pts for frame in kept], source.time_base)
        numbered = (Frame(index=at, pts=frame.pts, image_rgb=frame.image_rgb) for at, frame in enumerate(kept))
        write_video(path, numbered, like=plan)
    return paths


def test_the_same_video_agrees_with_itself(warm: WarmCommand, short: tuple[Path, Path], tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    done = warm.run("motion", short[0], short[0], "--json", "--csv", table, timeout_s=300)
    assert done.status == 0, done.stderr
    document = document_in(done.stdout)
    assert document["timing"]["identical"] and document["timing"]["compared"] == FRAMES
    [mesh] = [row for row in document["rows"] if row["name"] == "all of the mesh"]
    assert mesh["released"]["errors"]["p95_px"] == 0 and mesh["released"]["x"]["icc"]["value"] == 1
    assert mesh["null_edit"]["errors"]["median_px"] > 0  # encoding is seen
    assert mesh["released"]["x"]["icc"]["because"] == "seen in 1 seconds; an interval needs at least 10"
    assert len(table.read_text(encoding="utf-8").splitlines()) == 1 + len(document["rows"])
    for text in (done.stdout, done.stderr, table.read_text(encoding="utf-8")):
        assert "Mustermann" not in text


def test_a_lost_frame_is_told_and_only_common_instants_are_compared(
    warm: WarmCommand, short: tuple[Path, Path]
) -> None:
    done = warm.run("motion", *short, "--no-null-edit", timeout_s=300)
    assert done.status == 3, done.stderr
    assert done.stdout.startswith("timing     DIFFERS: 14 and 13 frames, 13 at common instants")
    assert "\nface (" in done.stdout and "not looked at" in done.stdout
    assert "Mustermann" not in done.stdout


def test_another_size_is_refused(warm: WarmCommand, clips: tuple[Path, Path]) -> None:
    done = warm.run("motion", clips[0], clips[1], timeout_s=300)
    assert_one_message(done, 1, "second video is")
    assert done.stdout == ""
