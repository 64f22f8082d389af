"""From what was asked for to the backend of each video: frames counted against the video's, paired ones picked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deid_audit.errors import SettingsError, VideoError
from deid_audit.findings import Of
from deid_audit.measure.intervals import clusters_of
from deid_audit.measure.keypoints import PoseTrack
from deid_audit.pipeline.keypoint_backends import NOT_ASKED, as_asked, backend_for, backends_for
from deid_audit.pipeline.reckoning import _keypoints
from deid_audit.policy import list_policies
from deid_audit.settings import KeypointChoice
from deid_audit.video.reader import SourceVideo, open_video
from deid_audit.vision.keypoint_detectors import (
    MEDIAPIPE,
    KeypointBackend,
    KeypointDetector,
    MediaPipePose,
    Window,
)
from deid_audit.vision.rtmpose import RtmPose
from tests.fakes import make_policy, make_rule
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
    assert isinstance(backend_for(KeypointChoice(), "cpu"), MediaPipePose)
    model = write_simcc_model(tmp_path / "m.onnx")
    assert isinstance(backend_for(KeypointChoice(backend="rtmpose", path=model), "cpu"), RtmPose)
    with pytest.raises(SettingsError, match="no program"):
        backend_for(KeypointChoice(backend="openpose", path=tmp_path / "nowhere"), "cpu")


def test_each_pair_of_videos_has_the_folders_of_its_place(tmp_path: Path, video: SourceVideo) -> None:
    made = [folder(tmp_path / name, start) for name, start in (("a", 150), ("b", 151), ("c", 155), ("d", 156))]
    released = replace(video, facts=video.facts.model_copy(update={"label": "released video 1"}))
    first, second = backends_for(chosen((made[0], made[1]), (made[2], made[3])), [video] * 2, [released] * 2, "cpu")
    assert xs(first, "original", FRAMES) == [150, 151, 152, 153]
    assert xs(first, "swapped", FRAMES) == [151, 152, 153, 154]
    assert xs(second, "original", FRAMES) == [155, 156, 157, 158]
    assert len(backends_for(KeypointChoice(), [video] * 2, [released] * 2, "cpu")) == 2


def test_frames_paired_by_time_are_picked_from_the_files_of_the_whole_video(tmp_path: Path, video: SourceVideo) -> None:
    aligned = replace(video, pts=video.pts[:2], view_of=video, picks=(1, 3))
    released = replace(video, pts=video.pts[:2])
    (backend,) = backends_for(
        chosen((folder(tmp_path / "a", 150), folder(tmp_path / "b", 150, 2))), [aligned], [released], "cpu"
    )
    assert xs(backend, "original", 2) == [151, 153]


def test_another_number_of_frames_is_refused_on_either_side(tmp_path: Path, video: SourceVideo) -> None:
    whole, short = folder(tmp_path / "a", 150), folder(tmp_path / "b", 150, 3)
    for pair in ((whole, short), (short, whole)):
        with pytest.raises(VideoError, match=f"3 frames in the folder, {FRAMES} in the video"):
            backends_for(chosen(pair), [video], [video], "cpu")


def test_two_formats_in_one_pair_are_refused(tmp_path: Path, video: SourceVideo) -> None:
    pair = (folder(tmp_path / "a", 150), folder(tmp_path / "b", 150, points=18))
    with pytest.raises(VideoError, match="25 points a person") as caught:
        backends_for(chosen(pair), [video], [video], "cpu")
    assert "--model_pose" in caught.value.next_step


# -- what the policy asks for ------------------------------------------------------------------------------------------

ALL: tuple[Of, ...] = ("original", "swapped", "reencoded", "masked", "blurred", "pixelated")


class Counting:
    """Starts a detector for every rendition and remembers which."""

    traits = MEDIAPIPE

    def __init__(self) -> None:
        self.started: list[Of] = []

    def start(self, of: Of, *, window_xyxy: Window | None) -> KeypointDetector | None:
        self.started.append(of)
        return None


def started(metric: str, of: Of = "swapped") -> list[Of]:
    backend = Counting()
    asked = as_asked(backend, make_policy((make_rule(metric, "at_least", 0.5, of=of),)))
    for one in ALL:
        asked.start(one, window_xyxy=None)
    return backend.started


def test_controls_are_measured_where_a_rule_is_about_keypoints() -> None:
    assert started("keypoints.ap95") == list(ALL)
    assert started("keypoints.oks_ge_95", of="pixelated") == list(ALL)
    assert started("identity.to_original.mean") == ["original", "swapped", "reencoded"]  # the floor is always measured


def test_the_shipped_policies_without_a_rule_about_keypoints_leave_the_controls_out() -> None:
    plain = MediaPipePose()
    left_out = [policy.id for policy in list_policies() if as_asked(plain, policy) is not plain]
    assert left_out == ["concealment", "release-face"]


def test_the_certificate_is_told_why_there_are_no_controls() -> None:
    traits = as_asked(Counting(), make_policy((make_rule("coverage.undecided", "at_most", 0),))).traits
    assert "masked, blurred and pixelated were left out" in traits.text
    assert traits.method == MEDIAPIPE.method
    still = PoseTrack(
        keypoints=_standing(12),
        area=np.full(12, 900, np.float32),
        traits=traits,
    )
    rows = _keypoints(
        {"original": still, "swapped": still, "reencoded": still}, "video 1", clusters_of([np.arange(12.0)])
    )
    for row in rows:
        known = row.of in ("swapped", "reencoded")
        assert (row.not_measured_because == NOT_ASKED) is not known, f"{row.metric} of {row.of}"
    assert {row.of for row in rows} == {"swapped", "reencoded", "masked", "blurred", "pixelated"}


def test_a_backend_that_knows_no_controls_says_so_itself(tmp_path: Path, video: SourceVideo) -> None:
    files = chosen((folder(tmp_path / "a", 150), folder(tmp_path / "b", 150)))
    (recorded,) = backends_for(files, [video], [video], "cpu")
    assert as_asked(recorded, make_policy((make_rule("coverage.undecided", "at_most", 0),))) is recorded


def _standing(count: int) -> NDArray[np.float32]:
    """A person who stands still, (n, 17, 3)."""
    points = np.random.default_rng(0).uniform(10, 90, (1, 17, 3))
    points[..., 2] = 1
    return np.repeat(points, count, axis=0).astype(np.float32)
