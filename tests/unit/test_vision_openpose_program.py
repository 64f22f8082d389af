"""An OpenPose program, here a script that looks for a red patch: it sees the frames, and none becomes a file."""

import sys
from pathlib import Path

import numpy as np
import pytest

from deid_audit.errors import SettingsError, StageError
from deid_audit.vision.openpose_program import OpenPoseProgram
from tests.unit.openpose_files import BODY_25, face_box, standing

FAKE = """#!{python}
import cv2, json, pathlib, sys
import numpy as np
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
assert arguments["--model_pose"] == "BODY_25" and arguments["--keypoint_scale"] == "0"
assert arguments["--display"] == arguments["--render_pose"] == "0"
log = pathlib.Path(__file__).with_name("log.txt")
film = cv2.VideoCapture(arguments["--video"])
person, places = json.loads({person!r}), {places!r}
count = 0
while True:
    read, frame = film.read()
    if not read:
        break
    blue, green, red = frame.astype(int).transpose(2, 0, 1)
    ys, xs = np.nonzero((abs(red - 200) < 8) & (abs(green - 30) < 8) & (abs(blue - 60) < 8))
    row = [0.0] * 75
    for place, (x, y, confidence) in zip(places, person):
        row[3 * place : 3 * place + 3] = [x + float(xs.mean()), y + float(ys.mean()), confidence]
    people = [dict(person_id=[-1], pose_keypoints_2d=row)]
    name = pathlib.Path(arguments["--video"]).name
    file = pathlib.Path(arguments["--write_json"]) / f"{{name}}_{{count:012d}}_keypoints.json"
    file.write_text(json.dumps(dict(version=1.3, people=people)))
    count += 1
with log.open("a") as stream:
    stream.write(f"{{count}} {{arguments['--write_json']}} {{arguments.get('--model_folder')}}\\n")
{ending}
"""


def program(folder: Path, ending: str = "") -> Path:
    relative = (standing(0, 0) + np.array([0, 0, 0], np.float32)).tolist()
    path = folder / "build" / "openpose.bin"
    path.parent.mkdir(parents=True)
    (folder / "models" / "pose").mkdir(parents=True)
    path.write_text(FAKE.format(python=sys.executable, person=str(relative), places=list(BODY_25), ending=ending))
    path.chmod(0o755)
    return path


def frame(x: int, y: int = 60) -> np.ndarray:
    image = np.full((360, 640, 3), 90, np.uint8)
    image[y - 5 : y + 6, x - 5 : x + 6] = (200, 30, 60)
    return image


@pytest.mark.parametrize(("stretch", "runs"), [(256_000_000, [5]), (1_500_000, [3, 2])])
def test_the_frames_arrive_in_order_and_nothing_is_left(tmp_path: Path, stretch: int, runs: list[int]) -> None:
    path = program(tmp_path)
    backend = OpenPoseProgram(path, stretch_bytes=stretch)
    detector = backend.start("masked", window_xyxy=None)
    places = (200, 210, 220, 230, 240)
    for x in places:
        detector.add(frame(x), face_box(x))
    keypoints, area = detector.finish()
    for at, x in enumerate(places):
        np.testing.assert_allclose(keypoints[at, :, :2], standing(x)[:, :2], atol=0.01)
    np.testing.assert_allclose(area, 0.53 * np.ptp(standing()[:, :2], axis=0).prod(), rtol=1e-3)
    lines = [line.split() for line in (tmp_path / "build" / "log.txt").read_text().splitlines()]
    assert [int(count) for count, _, _ in lines] == runs
    assert not any(Path(folder).exists() for _, folder, _ in lines)
    assert {models for _, _, models in lines} == {f"{tmp_path}/models/"}


def test_no_frames_run_nothing(tmp_path: Path) -> None:
    keypoints, area = OpenPoseProgram(program(tmp_path)).start("original", window_xyxy=None).finish()
    assert keypoints.shape == (0, 17, 3) and area.shape == (0,)
    assert not (tmp_path / "build" / "log.txt").exists()


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        ("sys.exit(3)", "ended with status 3"),
        ("file.unlink()", "1 frames in the folder, 2 in the video"),
        ("file.write_text('{')", "not a JSON file"),
    ],
)
def test_a_program_that_fails_is_one_clear_error(tmp_path: Path, ending: str, said: str) -> None:
    detector = OpenPoseProgram(program(tmp_path, ending)).start("original", window_xyxy=None)
    for x in (200, 210):
        detector.add(frame(x), face_box(x))
    with pytest.raises(StageError, match=said) as caught:
        detector.finish()
    assert "by hand" in caught.value.next_step


def test_what_is_no_program_is_a_wrong_option(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("not a program")
    for path in (tmp_path / "nowhere", tmp_path, tmp_path / "text.txt"):
        with pytest.raises(SettingsError, match="no program"):
            OpenPoseProgram(path)


def test_a_program_of_another_machine_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "openpose.bin").write_bytes(b"\x7fELF not for this machine")
    (tmp_path / "openpose.bin").chmod(0o755)
    detector = OpenPoseProgram(tmp_path / "openpose.bin").start("original", window_xyxy=None)
    detector.add(frame(200), face_box())
    with pytest.raises(StageError, match="cannot be run"):
        detector.finish()


def test_what_the_certificate_says_of_it(tmp_path: Path) -> None:
    traits = OpenPoseProgram(program(tmp_path)).traits
    assert "noise floor" in traits.text and "0.53" in traits.text and not traits.missing_because
    assert len(traits.settings["openpose_sha256"]) == 64
