"""Tracks over made sequences with scripted detectors, and once over real faces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from deid_audit.faces import hidden, track
from deid_audit.faces.track import VideoFaces, track_faces
from deid_audit.frames import Float, Frame, Image, TrackedFace
from deid_audit.progress import SilentProgress
from deid_audit.vision.detectors import Detections, HogDetector, MediaPipeDetector, iou_matrix
from deid_audit.vision.heads import HeadFinder, Heads
from deid_audit.vision.mesh import box_of, quarter_turn, roll_of
from deid_audit.vision.recognizer import Recognizer
from tests.conftest import Portraits
from tests.unit.test_faces_follow import walk

RATE = 5.0
Run = Callable[..., VideoFaces]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One face of a scripted frame, and who can see it; `turn` is the head's tilt that the mesh needs."""

    x: float = 50.0
    size: float = 40.0
    leading: bool = True
    second: bool = False
    mesh: bool = True
    body: bool = False
    turn: float = 0.0
    mesh_shift: float = 0.0

    @property
    def box_xyxy(self) -> Float:
        return np.float32((self.x, 30, self.x + self.size, 30 + self.size))

    @property
    def landmarks(self) -> Float:
        steps = np.linspace(0, 1, 478, dtype=np.float32)[:, None]
        box = self.box_xyxy + np.float32(self.mesh_shift)
        return np.column_stack((box[:2] + steps * (box[2:] - box[:2]), steps))


UNSEEN = Shown(leading=False, mesh=False)


class Script:
    """A sequence of frames whose number stands in the first pixel; stands in for every engine."""

    def __init__(self, frames: Sequence[Sequence[Shown]]) -> None:
        self.frames = frames
        self.opened = self.closed = 0

    def shown(self, image_rgb: Image) -> Sequence[Shown]:
        return self.frames[int(image_rgb[0, 0, 0])]


@dataclass(kw_only=True)
class ScriptedDetector:
    script: Script
    name: str
    family: str = "made"

    def detect(self, image_rgb: Image, *, min_score: float = 0.0) -> Detections:
        seen = [face for face in self.script.shown(image_rgb) if getattr(face, self.name)]
        boxes = np.array([face.box_xyxy for face in seen], np.float32).reshape(-1, 4)
        return Detections(boxes_xyxy=boxes, scores=np.full(len(seen), 0.9, np.float32))


@dataclass(kw_only=True)
class ScriptedMesh:
    script: Script

    def __post_init__(self) -> None:
        self.script.opened += 1

    def landmarks(self, image_rgb: Image, box_xyxy: Float, *, turn_degrees: float = 0.0) -> Float | None:
        for face in self.script.shown(image_rgb):
            near = iou_matrix(face.box_xyxy[None], box_xyxy[None])[0, 0] > 0.1
            if face.mesh and near and face.turn == turn_degrees:
                return face.landmarks
        return None

    def close(self) -> None:
        self.script.closed += 1


@dataclass(kw_only=True)
class ScriptedRecognizer:
    """A chip says where its face stood; so does its descriptor."""

    batches: list[int] = field(default_factory=list)

    def chip_from_mesh(self, image_rgb: Image, landmarks_xy: Float) -> Image:
        return np.full((2, 2, 3), (image_rgb[0, 0, 0], landmarks_xy[0, 0], 0), np.uint8)

    def describe(self, chips: Sequence[Image]) -> Float:
        self.batches.append(len(chips))
        return np.array([np.resize(chip[0, 0].astype(np.float32), 128) for chip in chips]).reshape(-1, 128)


@dataclass(kw_only=True)
class ScriptedHeads:
    """Sees the heads of the people who have a body."""

    script: Script

    def __post_init__(self) -> None:
        self.script.opened += 1

    def find(self, image_rgb: Image, *, several: bool = False) -> Heads:
        boxes = [face.box_xyxy + np.float32((-10, -10, 10, 10)) for face in self.script.shown(image_rgb) if face.body]
        return Heads(boxes_xyxy=np.array(boxes, np.float32).reshape(-1, 4), scores=np.full(len(boxes), 0.9, np.float32))

    def close(self) -> None:
        self.script.closed += 1


class NoSearch:
    """The scripts say what is seen; looking harder has its own tests."""

    def __init__(self, detector: object) -> None:
        pass

    def __call__(self, image_rgb: Image, found: Detections, *, nothing_seen: bool) -> Detections:
        return found

    def close(self) -> None:
        pass


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    def running(frames: Sequence[Sequence[Shown]], recognizer: ScriptedRecognizer | None = None) -> VideoFaces:
        script = Script(frames)
        monkeypatch.setattr(track, "FaceMesh", lambda *, video: ScriptedMesh(script=script))
        monkeypatch.setattr(track, "HarderSearch", NoSearch)
        monkeypatch.setattr(hidden, "HeadFinder", lambda: ScriptedHeads(script=script))
        images = [np.full((120, 400, 3), index, np.uint8) for index in range(len(frames))]
        with SilentProgress().step("", len(frames)) as step:
            found = track_faces(
                [Frame(index=index, pts=index, image_rgb=image) for index, image in enumerate(images)],
                frame_rate=RATE,
                detector=ScriptedDetector(script=script, name="leading"),
                second_opinion=ScriptedDetector(script=script, name="second"),
                recognizer=recognizer or ScriptedRecognizer(),  # type: ignore[arg-type]
                step=step,
            )
        assert script.opened == script.closed, "a landmark network was left open"
        assert len(found.frames) == len(found.cleared_by) == len(frames)
        return found

    return running


def _only(faces: Sequence[TrackedFace]) -> TrackedFace:
    assert len(faces) == 1
    return faces[0]


def test_a_face_seen_throughout_is_one_track(run: Run) -> None:
    script = [[Shown(x=50.0 + 2 * index)] for index in range(10)]
    found = run(script)
    for index, faces in enumerate(found.frames):
        face = _only(faces)
        assert (face.frame_index, face.track_id, face.filled, face.source) == (index, 0, False, "video mesh")
        np.testing.assert_allclose(face.landmarks_xy, script[index][0].landmarks[:, :2], atol=1 / 64)
        np.testing.assert_allclose(face.box_xyxy, script[index][0].box_xyxy)
        assert face.score == pytest.approx(0.9)
    assert found.cleared_by == ((),) * 10


def test_a_gap_is_filled_from_both_sides_and_says_so(run: Run) -> None:
    found = run([[Shown(x=50)], [Shown(x=50)], [UNSEEN], [UNSEEN], [Shown(x=59)], [Shown(x=59)]])
    assert [_only(faces).filled for faces in found.frames] == [False, False, True, True, False, False]
    for index, x in ((2, 53.0), (3, 56.0)):
        face = _only(found.frames[index])
        assert face.track_id == 0
        assert face.source == "interpolated"
        assert face.score == 0
        np.testing.assert_allclose(face.box_xyxy, Shown(x=x).box_xyxy, atol=1e-4)
        np.testing.assert_allclose(face.landmarks_xy, Shown(x=x).landmarks[:, :2], atol=1 / 64)
    # a frame in a gap is not clear, whatever the detectors say about it
    assert found.cleared_by == ((),) * 6


def test_a_gap_with_landmarks_on_one_side_only_has_a_box_but_no_landmarks(run: Run) -> None:
    found = run([[Shown(x=50)], [UNSEEN], [Shown(x=54, mesh=False)]])
    face = _only(found.frames[1])
    assert face.filled
    assert face.landmarks_xy is None
    np.testing.assert_allclose(face.box_xyxy, Shown(x=52).box_xyxy)


def test_the_frames_around_a_track_stay_suspect(run: Run) -> None:
    found = run([[]] * 6 + [[Shown()]] * 2 + [[]] * 6)
    assert [len(faces) for faces in found.frames] == [0] * 3 + [1] * 8 + [0] * 3
    for index in (3, 4, 5):
        face = _only(found.frames[index])
        assert (face.filled, face.landmarks_xy, face.source) == (True, None, "before the first sighting")
        np.testing.assert_array_equal(face.box_xyxy, Shown().box_xyxy)
    for index in (8, 9, 10):
        assert _only(found.frames[index]).source == "after the last sighting"
    agreed = ("leading", "second", HeadFinder.name)
    assert list(found.cleared_by) == [agreed] * 3 + [()] * 8 + [agreed] * 3


def test_edges_do_not_reach_out_of_the_video(run: Run) -> None:
    found = run([[], [Shown()], []])
    assert [len(faces) for faces in found.frames] == [1, 1, 1]


def test_the_mesh_carries_a_track_that_the_detector_misses(run: Run) -> None:
    found = run([[Shown()], [Shown(leading=False)], [Shown(leading=False)]])
    for faces in found.frames[1:]:
        face = _only(faces)
        assert not face.filled
        assert face.landmarks_xy is not None
        assert face.score == 0


@pytest.mark.parametrize("turn", [30.0, -30.0, 90.0, -90.0])
def test_a_tilted_head_is_looked_for_turned(run: Run, turn: float) -> None:
    found = run([[Shown()], [Shown(turn=turn)]])
    assert _only(found.frames[1]).source == f"static mesh, turned {turn:.0f}"
    assert _only(found.frames[1]).landmarks_xy is not None


def test_a_detection_without_landmarks_is_kept_as_a_box(run: Run) -> None:
    face = _only(run([[Shown(mesh=False)]]).frames[0])
    assert (face.landmarks_xy, face.filled, face.source) == (None, False, "detector only")
    np.testing.assert_array_equal(face.box_xyxy, Shown().box_xyxy)


def test_landmarks_that_sit_elsewhere_are_not_believed(run: Run) -> None:
    face = _only(run([[Shown(mesh_shift=35)]]).frames[0])
    assert face.landmarks_xy is None


def test_two_people_are_two_tracks_that_keep_their_names(run: Run) -> None:
    frames = [[Shown(x=20 + 3 * i), Shown(x=200 - 3 * i)] for i in range(8)]
    frames[4] = list(reversed(frames[4]))  # the detector's order is not identity
    found = run(frames)
    for index, faces in enumerate(found.frames):
        where = {face.track_id: float(face.box_xyxy[0]) for face in faces}
        assert where == {0: pytest.approx(20 + 3 * index), 1: pytest.approx(200 - 3 * index)}


def test_a_second_box_on_one_face_is_not_a_second_person(run: Run) -> None:
    found = run([[Shown()], [Shown(), Shown(x=56)], [Shown()]])
    assert {face.track_id for faces in found.frames for face in faces} == {0}


def test_a_face_that_comes_later_starts_a_track(run: Run) -> None:
    found = run([[Shown()], [Shown(), Shown(x=200)], [Shown(), Shown(x=200)]])
    assert sorted(face.track_id for face in found.frames[2]) == [0, 1]
    early = [face for face in found.frames[0] if face.track_id == 1]
    assert _only(early).filled


def test_a_frame_is_clear_only_when_both_detectors_agree(run: Run) -> None:
    found = run([[]] * 5 + [[Shown(leading=False, second=True, mesh=False)]] + [[]] * 5)
    assert found.cleared_by[5] == ()
    lone = _only(found.frames[5])
    assert lone.source == "second only"
    assert lone.landmarks_xy is None
    assert not lone.filled
    np.testing.assert_array_equal(lone.box_xyxy, Shown().box_xyxy)
    assert found.cleared_by[0] == found.cleared_by[-1] == ("leading", "second", HeadFinder.name)
    # around it the region stays suspect, as around any track
    assert [len(faces) for faces in found.frames] == [0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0]


def test_the_second_opinions_faces_do_not_share_a_track(run: Run) -> None:
    lone = Shown(leading=False, second=True, mesh=False)
    found = run([[lone, Shown(x=300, leading=False, second=True, mesh=False)]])
    assert sorted(face.track_id for face in found.frames[0]) == [0, 1]


def test_a_track_lost_for_up_to_a_second_goes_on(run: Run) -> None:
    found = run([[Shown()]] + [[UNSEEN]] * int(RATE) + [[Shown()]])
    assert {face.track_id for faces in found.frames for face in faces} == {0}
    assert [_only(faces).filled for faces in found.frames] == [False] + [True] * int(RATE) + [False]


def test_short_losses_do_not_add_up_to_a_long_one(run: Run) -> None:
    lost = [[UNSEEN]] * (int(RATE) - 1)
    found = run([[Shown()], *lost, [Shown()], *lost, [Shown()]])
    assert {face.track_id for faces in found.frames for face in faces} == {0}
    assert all(len(faces) == 1 for faces in found.frames)


def test_a_track_lost_for_more_than_a_second_ends(run: Run) -> None:
    lost = int(RATE) + 3
    found = run([[Shown()]] + [[UNSEEN]] * lost + [[Shown()]])
    assert _only(found.frames[0]).track_id == 0
    assert _only(found.frames[-1]).track_id == 1
    assert "interpolated" not in {face.source for faces in found.frames for face in faces}
    # three suspect frames at each end; what lies between is clear, as both detectors say
    assert [bool(names) for names in found.cleared_by] == [False] * 4 + [True] * (lost - 6) + [False] * 4


def test_a_person_without_a_found_face_is_not_clear(run: Run) -> None:
    hidden_face = Shown(x=100, leading=False, mesh=False, body=True)
    found = run([[]] * 5 + [[hidden_face]] * 2 + [[]] * 6)
    assert [bool(names) for names in found.cleared_by] == [True] * 2 + [False] * 8 + [True] * 3
    assert _only(found.frames[5]).source == "head by the body"
    assert _only(found.frames[5]).landmarks_xy is None
    # with the face found the body adds nothing
    assert all(len(faces) == 1 for faces in run([[Shown(body=True)]] * 9).frames)


def test_a_second_person_without_a_face_is_covered_beside_the_first(run: Run) -> None:
    behind = Shown(x=200, leading=False, mesh=False, body=True)
    found = run([[Shown(body=True), behind]] * 9)
    assert [sorted(face.source for face in faces) for faces in found.frames] == [["head by the body", "video mesh"]] * 9


def test_the_second_opinion_looks_at_a_lowered_threshold(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def listening(self: ScriptedDetector, image_rgb: Image, *, min_score: float = 0.0) -> Detections:
        asked.append(min_score)
        return Detections(boxes_xyxy=np.zeros((0, 4), np.float32), scores=np.zeros(0, np.float32))

    monkeypatch.setattr(ScriptedDetector, "detect", listening)
    run([[]])
    assert asked == [0.0, -0.15]  # the leading detector at its own, the second lowered


def test_a_face_for_three_frames_is_covered_before_and_after_along_its_way(
    portraits: Portraits, recognizer: Recognizer
) -> None:
    images, boxes = walk(portraits, 16)
    shown = range(7, 10)

    class Glimpse:
        """Sees the face in three frames only."""

        name = family = "glimpse"

        def detect(self, image_rgb: Image, *, min_score: float = 0.0) -> Detections:
            seen = [i for i in shown if images[i] is image_rgb] if min_score == 0.0 else []
            found = np.array([boxes[i] for i in seen], np.float32).reshape(-1, 4)
            return Detections(boxes_xyxy=found, scores=np.full(len(seen), 0.9, np.float32))

    with SilentProgress().step("", None) as step:
        found = track_faces(
            [Frame(index=i, pts=i, image_rgb=image) for i, image in enumerate(images)],
            frame_rate=25, detector=Glimpse(), second_opinion=Glimpse(), recognizer=recognizer, step=step,
        )  # fmt: skip
    for faces, box in zip(found.frames, boxes, strict=True):
        assert any(iou_matrix(face.box_xyxy[None], box[None])[0, 0] > 0.5 for face in faces)
    assert "before the first sighting" in {face.source for face in found.frames[0]}


def test_every_face_with_landmarks_is_described_once(run: Run) -> None:
    recognizer = ScriptedRecognizer()
    frames = [[Shown(x=20), Shown(x=200, mesh=index % 2 == 0)] for index in range(20)]
    found = run(frames, recognizer)
    assert found.described == {0: tuple(range(20)), 1: tuple(range(0, 20, 2))}
    for number, x in ((0, 20), (1, 200)):
        np.testing.assert_array_equal(found.descriptors[number][:, 0], found.described[number])
        np.testing.assert_array_equal(found.descriptors[number][:, 1], x)
    assert sum(recognizer.batches) == 30
    assert max(recognizer.batches) <= 16


def test_no_frames_give_no_faces(run: Run) -> None:
    found = run([])
    assert found.frames == ()
    assert found.descriptors == {}


def test_two_real_faces_moving_and_leaving(portraits: Portraits, recognizer: Recognizer) -> None:
    both = np.zeros((320, 640, 3), np.uint8)
    left, right = portraits.hopper.resized(0.5), portraits.astronaut.resized(0.5)
    both[: left.image_rgb.shape[0], : left.image_rgb.shape[1]] = left.image_rgb
    both[: right.image_rgb.shape[0], 320 : 320 + right.image_rgb.shape[1]] = right.image_rgb
    shifts = (0, 3, -3, 3, -3, 0)
    images = [np.roll(both, shift, axis=1) for shift in shifts] + [np.zeros_like(both)] * 5
    with SilentProgress().step("", None) as step:
        found = track_faces(
            [Frame(index=i, pts=i, image_rgb=np.ascontiguousarray(image)) for i, image in enumerate(images)],
            frame_rate=25.0,
            detector=MediaPipeDetector(),
            second_opinion=HogDetector(),
            recognizer=recognizer,
            step=step,
        )
    assert {face.track_id for faces in found.frames for face in faces} == {0, 1}
    expected = (left.landmarks_xy, right.landmarks_xy + np.float32((320, 0)))
    for index, shift in enumerate(shifts):
        faces = sorted(found.frames[index], key=lambda face: float(face.box_xyxy[0]))
        assert [face.filled for face in faces] == [False, False]
        for face, still in zip(faces, expected, strict=True):
            assert face.landmarks_xy is not None
            moved = still + np.float32((shift, 0))
            assert np.abs(face.landmarks_xy - moved).mean() < 2.5
            assert iou_matrix(face.box_xyxy[None], box_of(moved)[None])[0, 0] > 0.8
    assert all(face.filled for faces in found.frames[6:] for face in faces)
    assert found.cleared_by[-1] == (MediaPipeDetector.name, HogDetector.name, HeadFinder.name)
    rows = found.descriptors
    assert {len(each) for each in rows.values()} == {len(shifts)}
    assert np.linalg.norm(rows[0].mean(0) - rows[1].mean(0)) > 0.6
    assert max(np.linalg.norm(each - each.mean(0), axis=1).max() for each in rows.values()) < 0.3


def test_landmarks_that_stand_on_their_head_are_none(portraits: Portraits) -> None:
    """The mesh fits an upright face upside down as well; the tilt before tells."""
    face = portraits.astronaut
    box = face.box_xyxy
    assert abs(roll_of(face.landmarks_xy)) < 20
    assert track._plausible(face.landmarks_xy, box, 0)
    assert not track._plausible(face.landmarks_xy, box, 180)
    turned = (box[:2] + box[2:]) - face.landmarks_xy
    assert abs(abs(roll_of(turned)) - 180) < 20
    assert not track._plausible(turned, box, 0) and track._plausible(turned, box, 180)
    assert (quarter_turn(face.landmarks_xy), abs(quarter_turn(turned)), quarter_turn(None)) == (0, 180, 0)


def test_landmarks_of_half_a_face_are_none(portraits: Portraits) -> None:
    box = portraits.astronaut.box_xyxy
    centre = (box[:2] + box[2:]) / 2
    for size, plausible in ((0.6, False), (0.9, True), (1.4, True), (1.7, False)):
        assert track._plausible(centre + (portraits.astronaut.landmarks_xy - centre) * size, box, 0) is plausible
