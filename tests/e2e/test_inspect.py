"""`deid-audit inspect` on whole clips: text, document, exit status, and a contact sheet without a face."""

import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from deid_audit.frames import Image
from deid_audit.vision.detectors import CenterFaceDetector, FaceDetector, MediaPipeDetector
from tests.e2e.short_clips import FRAMES, pictures_of, side_by_side
from tests.e2e.warm import WarmCommand, assert_one_message
from tests.schemas import document_in

pytestmark = pytest.mark.e2e
SENTINEL = "Mustermann"


@pytest.fixture(scope="module")
def two(clips: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people side by side, all the time."""
    return side_by_side(tmp_path_factory.mktemp("two") / "two.mp4", *clips)


@pytest.fixture(scope="module")
def named(clips: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The subject's clip with a patient's name in its folder, its own name and a tag."""
    path = tmp_path_factory.mktemp(SENTINEL) / f"{SENTINEL}.mp4"
    with av.open(str(clips[0])) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        target.metadata["title"] = SENTINEL
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return path


def sheet(path: Path) -> Image:
    return np.ascontiguousarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB))


def faces(image: Image) -> list[tuple[str, int]]:
    """How many faces each detector finds on it, as it is and in quarters at twice the size."""
    height, width = image.shape[:2]
    parts = [image]
    for rows in (slice(0, height // 2 + 60), slice(height // 2 - 60, height)):
        for columns in (slice(0, width // 2 + 60), slice(width // 2 - 60, width)):
            parts.append(cv2.resize(image[rows, columns], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))
    detectors: tuple[FaceDetector, ...] = (MediaPipeDetector(), CenterFaceDetector())
    return [
        (one.name, sum(len(one.detect(np.ascontiguousarray(part)).boxes_xyxy) for part in parts)) for one in detectors
    ]


def without_covers(frames: list[Image]) -> Image:
    """What the sheet would be if its tiles were neither covered nor coarse."""
    return np.concatenate([np.concatenate(frames[at : at + 4], axis=1) for at in (0, 4)], axis=0)


def test_one_person_could_be_run(warm: WarmCommand, named: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    done = warm.run("inspect", named, "--json", "--out", out)
    assert done.status == 0, done.stderr
    document = document_in(done.stdout)
    assert document["can_start"] and document["subject"] == document["about"] == "person 1"
    [person] = document["people"]
    assert person["frames"] == FRAMES and person["landmark_share"] == 1
    [expected] = document["expected"]
    assert (expected["frames"], expected["to_swap"], expected["covered"]) == (FRAMES, FRAMES, 0)
    assert document["material"]["usable"] == FRAMES
    assert document["policy"]["misses"] == [f"video 1: {FRAMES} frames to swap, at least 100 are needed"]
    assert "title" in document["videos"][0]["dropped"]["metadata_keys"]
    assert document["contact_sheet_tiles"] == 24
    assert SENTINEL not in done.stdout and SENTINEL not in done.stderr
    assert SENTINEL.encode() not in out.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    assert [found for _, found in faces(sheet(out))] == [0, 0]


def test_the_detectors_would_find_uncovered_faces_on_a_sheet(two: Path) -> None:
    assert all(found >= 8 for _, found in faces(without_covers(pictures_of(two)[:8])))


def test_two_people_are_not_guessed_between_and_nothing_is_written(
    warm: WarmCommand, two: Path, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    video = Path(shutil.copy(two, folder))
    done = warm.run("inspect", video)
    assert done.status == 3, done.stderr
    text = " ".join(done.stdout.split())
    assert "person 1 " in text and "person 2 " in text and "(subject)" not in text
    assert f"A run could not start: two people could be the subject: seen in {FRAMES} and {FRAMES} frames." in text
    assert "next: " in text and str(folder) not in done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert list(folder.iterdir()) == [video] and list(tmp_path.iterdir()) == [folder]


def test_a_photo_settles_who_it_is_and_the_sheet_covers_both(
    warm: WarmCommand, two: Path, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    photo, out = tmp_path / "photo.png", tmp_path / "sheet.png"
    cv2.imwrite(str(photo), cv2.cvtColor(pictures_of(clips[1])[0], cv2.COLOR_RGB2BGR))
    done = warm.run("inspect", two, "--subject-photo", photo, "--out", out, "--json")
    assert done.status == 0, done.stderr
    document = document_in(done.stdout)
    assert len(document["people"]) == 2 and document["subject"] == document["about"]
    assert {one["reason"] for one in document["hard"]} <= {"border", "overlap", "turned", "blurred"}
    assert [found for _, found in faces(sheet(out))] == [0, 0]


def test_an_existing_sheet_is_kept(warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    out.write_bytes(b"mine")
    done = warm.run("inspect", clips[0], "--out", out)
    assert_one_message(done, 2, "--out exists already")
    assert out.read_bytes() == b"mine"


def test_an_unreadable_video_ends_with_one_message(warm: WarmCommand, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"not a video")
    out = tmp_path / "sheet.png"
    assert_one_message(warm.run("inspect", bad, "--out", out), 1, "video 1 is not a video", bad)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.mp4"]
