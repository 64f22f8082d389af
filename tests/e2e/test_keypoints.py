"""The audit with OpenPose instead of MediaPipe: its files and a program that stands in for it, whole commands."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.test_audit import clips, encode, pictures  # noqa: F401  (a fixture and two helpers)
from tests.e2e.warm import Done, WarmCommand
from tests.schemas import document_in
from tests.unit.openpose_files import BODY_25, standing, write_frames

pytestmark = pytest.mark.e2e
FRAMES = 30
FACE = (135.0, 88.0)  # of the demo's subject at half size
PROGRAM = """#!{python}
import cv2, json, pathlib, sys
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
film, count = cv2.VideoCapture(arguments["--video"]), 0
while film.read()[0]:
    document = dict(version=1.3, people=[dict(person_id=[-1], pose_keypoints_2d={row})])
    file = pathlib.Path(arguments["--write_json"]) / f"film_{{count:012d}}_keypoints.json"
    file.write_text(json.dumps(document))
    count += 1
"""


@pytest.fixture(scope="module")
def command(
    warm: WarmCommand,
    clips: tuple[Path, Path],  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Done]:
    """Audits a copy of the subject's clip with the given --keypoints."""
    copy = encode(tmp_path_factory.mktemp("copy") / "copy.mp4", pictures(clips[0]))

    def audit(out: Path, keypoints: str) -> Done:
        return warm.run(
            *("audit", "--original", clips[0], "--released", copy, "--out", out),
            *("--keypoints", keypoints, "--json"),
        )

    return audit


def rows_of(out: Path) -> tuple[dict, dict]:
    statement = document_in((out / "evidence.json").read_text())["predicate"]
    rows = {
        (row["metric"].removeprefix("keypoints."), row["of"]): row
        for row in statement["measurements"]
        if row["metric"].startswith("keypoints.")
    }
    (stage,) = [stage for stage in statement["stages"] if stage["stage"] == "keypoints"]
    return rows, stage


def test_openposes_files_are_measured_and_what_they_leave_out_is_said(
    command: Callable[..., Done], tmp_path: Path
) -> None:
    other = standing(*FACE) + np.array([60, 0, 0], np.float32)
    before = write_frames(tmp_path / "before", [[other, standing(*FACE)] for _ in range(FRAMES)])
    after = write_frames(tmp_path / "after", [[standing(FACE[0] + 3, FACE[1] + 4), other] for _ in range(FRAMES)])
    done = command(tmp_path / "out", f"openpose-json:{before}:{after}")
    assert done.status == 3, done.stderr  # the copy still shows the subject
    rows, stage = rows_of(tmp_path / "out")
    assert rows["error_px.median", "swapped"]["value"] == pytest.approx(5, abs=1e-3)
    assert rows["error_px.median", "swapped"]["detail"]["left wrist"] == pytest.approx(5, abs=1e-3)
    assert rows["error_torso.p95", "swapped"]["value"] == pytest.approx(5, abs=1e-2)  # a torso of 2.5 x 40 px
    assert rows["detection_change", "swapped"]["value"] == 0
    assert rows["ap50", "swapped"]["value"] == 1 and rows["ap50", "swapped"]["sample_size"] == FRAMES
    assert all(row["noise_floor"] is None for row in rows.values())
    for of in ("masked", "blurred", "pixelated", "reencoded"):
        assert rows["ap95", of]["value"] is None
        assert "original and the released video only" in rows["error_px.p95", of]["not_measured_because"]
    assert "no noise floor" in stage["method"] and "MediaPipe" not in stage["method"]
    assert set(stage["settings"]) == {"original_files_sha256", "released_files_sha256"}
    assert not any(str(path) in (tmp_path / "out" / "evidence.json").read_text() for path in (before, after))


def test_a_program_measures_every_rendition_and_the_noise_floor(command: Callable[..., Done], tmp_path: Path) -> None:
    row = np.zeros((25, 3))
    row[list(BODY_25)] = standing(*FACE)
    path = tmp_path / "openpose.bin"
    path.write_text(PROGRAM.format(python=sys.executable, row=row.ravel().tolist()))
    path.chmod(0o755)
    done = command(tmp_path / "out", f"openpose:{path}")
    assert done.status == 3, done.stderr
    rows, stage = rows_of(tmp_path / "out")
    for of in ("swapped", "masked", "blurred", "pixelated", "reencoded"):
        assert rows["ap95", of]["value"] == pytest.approx(1) and rows["error_px.p95", of]["value"] == 0
    assert rows["ap95", "swapped"]["noise_floor"] == pytest.approx(1)
    assert "OpenPose BODY_25" in rows["ap95", "swapped"]["method"] and "0.53" in stage["method"]


def test_files_of_another_video_end_in_one_message_before_any_work(
    command: Callable[..., Done], tmp_path: Path
) -> None:
    before = write_frames(tmp_path / "before", [[standing(*FACE)]] * FRAMES)
    after = write_frames(tmp_path / "after", [[standing(*FACE)]] * (FRAMES - 1))
    done = command(tmp_path / "out", f"openpose-json:{before}:{after}")
    assert done.status == 1 and done.stdout == ""
    assert (
        f"error: keypoints of released video 1: {FRAMES - 1} frames in the folder, {FRAMES} in the video" in done.stderr
    )
    assert "next: run OpenPose on this very video" in done.stderr
    assert str(tmp_path) not in done.stderr and not (tmp_path / "out").exists()
    done = command(tmp_path / "out", f"openpose-json:{before}:{tmp_path / 'nowhere'}")
    assert done.status == 2 and "no such folder" in done.stderr
    done = command(tmp_path / "out", "openpose:")
    assert done.status == 2 and "--keypoints must be" in done.stderr
