"""An original's keypoints are looked for once, also when the video is rendered and measured a second time."""

from collections.abc import Iterator

import numpy as np
import pytest

from deid_audit.findings import Of
from deid_audit.frames import Float, Frame, Image
from deid_audit.pipeline import watching
from deid_audit.pipeline.original_side import OriginalSide
from deid_audit.pipeline.watching import Watchers
from deid_audit.timing import Stopwatch
from deid_audit.vision.keypoint_detectors import MEDIAPIPE, Found, Window

BOXES = np.float32([[0, 0, 10, 10], [np.nan] * 4, [2, 2, 12, 12]])
TURNS = np.zeros(len(BOXES), np.int16)
SIDES: tuple[Of, ...] = ("original", "swapped", "reencoded", "masked")


class Keypoints:
    """Counts the renditions that it was started for, and the frames that it was shown."""

    traits = MEDIAPIPE

    def __init__(self) -> None:
        self.started: list[Of] = []
        self.shown = 0

    def start(self, of: Of, *, window_xyxy: Window | None) -> "Keypoints":
        self.started.append(of)
        return self

    def add(self, image_rgb: Image, face_xyxy: Float) -> None:
        self.shown += 1

    def finish(self) -> Found:
        return np.full((len(BOXES), 17, 3), len(self.started), np.float32), np.ones(len(BOXES), np.float32)


class Mesh:
    looks = 0

    def __init__(self, *, video: bool) -> None:
        pass

    def landmarks(self, image_rgb: Image, box_xyxy: Float, *, turn_degrees: float) -> Float:
        Mesh.looks += 1
        return np.full((478, 3), Mesh.looks, np.float32)


@pytest.fixture(autouse=True)
def mesh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(watching, "FaceMesh", Mesh)
    Mesh.looks = 0
    yield


def watched(side: OriginalSide, keypoints: Keypoints, boxes: Float = BOXES) -> dict[Of, tuple[list[float], float]]:
    """One round: each rendition's landmarks, one value a frame, and its keypoints, one value."""
    watchers = Watchers(side, TURNS, boxes, keypoints, None, Stopwatch())  # type: ignore[arg-type]
    found: dict[Of, tuple[list[float], float]] = {}
    for of in SIDES:
        watcher = watchers.of(of)
        frames = [Frame(index=at, pts=at, image_rgb=np.zeros((16, 16, 3), np.uint8)) for at in range(len(boxes))]
        values = [float(points[0, 0]) for _, points in watcher.watched(frames)]
        pose = watchers.pose_of(of, watcher)
        assert pose is not None
        found[of] = values, float(pose.keypoints[0, 0, 0])
    return found


def test_a_second_round_finds_keypoints_in_the_released_file_alone() -> None:
    side, keypoints = OriginalSide(), Keypoints()
    first = watched(side, keypoints)
    assert keypoints.started == list(SIDES) and keypoints.shown == 4 * len(BOXES)
    second = watched(side, keypoints)
    assert keypoints.started[len(SIDES) :] == ["swapped"] and keypoints.shown == 5 * len(BOXES)
    assert all(second[of][1] == first[of][1] for of in ("original", "reencoded", "masked"))
    assert second["swapped"][1] != first["swapped"][1]


def test_every_round_looks_for_landmarks_where_there_is_a_box() -> None:
    side, keypoints = OriginalSide(), Keypoints()
    for number in (1, 2):
        watched(side, keypoints)
        assert Mesh.looks == number * 3 * 2, "three renditions, two frames with a box"


def test_other_boxes_are_looked_at_again() -> None:
    side, keypoints = OriginalSide(), Keypoints()
    watched(side, keypoints)
    watched(side, keypoints, BOXES + np.float32(1))
    assert keypoints.started[len(SIDES) :] == list(SIDES)


def test_however_it_ends_the_landmarks_of_a_round_are_overwritten() -> None:
    kept: list[Float] = []
    with pytest.raises(RuntimeError), Watchers(OriginalSide(), TURNS, BOXES, Keypoints(), None, Stopwatch()) as made:  # type: ignore[arg-type]
        for of in ("original", "swapped", "reencoded"):
            watcher = made.of(of)  # type: ignore[arg-type]
            frame = Frame(index=0, pts=0, image_rgb=np.zeros((16, 16, 3), np.uint8))
            kept.append(watcher.see(frame))
            watcher.keep(frame, kept[-1], kept[-1], wanted=False)
        assert all(points.all() for points in kept)
        raise RuntimeError
    assert not any(points.any() for points in kept)
