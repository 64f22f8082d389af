"""From what was asked for to the backend of each video: frames counted against the video's, paired ones picked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deid_audit.errors import SettingsError, VideoError
from deid_audit.pipeline.keypoint_backends import backend_for, backends_for
from deid_audit.settings import KeypointChoice
from deid_audit.video.reader import SourceVideo, open_video
from deid_audit.vision.keypoint_detectors import KeypointBackend, MediaPipePose
from deid_audit.vision.rtmpose import RtmPose
from tests.unit.made_videos import make_video
from tests.unit.onnx_files import write_simcc_model
from tests.unit.openpose_files import face_box, standing, write_frames

FRAMES = 4


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> SourceVideo:
    path = tmp_path_factory.mktemp("video") / "exam.mp4"
    make_video(path, [40 * at for at in range(FRAMES)], size=(320, 360))
    return open_video(path, label="original video 1")


def chosen(*folders: tuple[Path, Path]) -> KeypointChoice:
    return KeypointChoice(backend="openpose-json", folders=folders)


def xs(backend: KeypointBackend, of: str, count: int) -> list[float]:
    detector = backend.start(of, window_xyxy=None)  # type: ignore[arg-type]
    assert detector is not None
    for _ in range(count):
        detector.add(np.zeros((360, 320, 3), np.uint8), face_box(150))
    return [float(f"{x:g}") for x in detector.finish()[0][:, 0, 0]]


def folder(path: Path, start: int, count: int = FRAMES, points: int = 25) -> Path:
    return write_frames(path, [[standing(start + at, 60)] for at in range(count)], points=points)


def test_each_choice_gives_its_backend(tmp_path: Path) -> None:
    assert isinstance(backend_for(KeypointChoice()), MediaPipePose)
    model = write_simcc_model(tmp_path / "m.onnx")
    assert isinstance(backend_for(KeypointChoice(backend="rtmpose", path=model)), RtmPose)
    with pytest.raises(SettingsError, match="no program"):
        backend_for(KeypointChoice(backend="openpose", path=tmp_path / "nowhere"))


def test_each_pair_of_videos_has_the_folders_of_its_place(tmp_path: Path, video: SourceVideo) -> None:
    made = [folder(tmp_path / name, start) for name, start in (("a", 150), ("b", 151), ("c", 155), ("d", 156))]
    released = replace(video, facts=video.facts.model_copy(update={"label": "released video 1"}))
    first, second = backends_for(chosen((made[0], made[1]), (made[2], made[3])), [video] * 2, [released] * 2)
    assert xs(first, "original", FRAMES) == [150, 151, 152, 153]
    assert xs(first, "swapped", FRAMES) == [151, 152, 153, 154]
    assert xs(second, "original", FRAMES) == [155, 156, 157, 158]
    assert len(backends_for(KeypointChoice(), [video] * 2, [released] * 2)) == 2


def test_frames_paired_by_time_are_picked_from_the_files_of_the_whole_video(tmp_path: Path, video: SourceVideo) -> None:
    aligned = replace(video, pts=video.pts[:2], view_of=video, picks=(1, 3))
    released = replace(video, pts=video.pts[:2])
    (backend,) = backends_for(
        chosen((folder(tmp_path / "a", 150), folder(tmp_path / "b", 150, 2))), [aligned], [released]
    )
    assert xs(backend, "original", 2) == [151, 153]


def test_another_number_of_frames_is_refused_on_either_side(tmp_path: Path, video: SourceVideo) -> None:
    whole, short = folder(tmp_path / "a", 150), folder(tmp_path / "b", 150, 3)
    for pair in ((whole, short), (short, whole)):
        with pytest.raises(VideoError, match=f"3 frames in the folder, {FRAMES} in the video"):
            backends_for(chosen(pair), [video], [video])


def test_two_formats_in_one_pair_are_refused(tmp_path: Path, video: SourceVideo) -> None:
    pair = (folder(tmp_path / "a", 150), folder(tmp_path / "b", 150, points=18))
    with pytest.raises(VideoError, match="25 points a person") as caught:
        backends_for(chosen(pair), [video], [video])
    assert "--model_pose" in caught.value.next_step
