"""One person's movement from pictures: what is followed, whose hands they are, which instants are compared."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from deid_audit.errors import Interrupted, NotEnoughFaces, VideoError
from deid_audit.frames import Float, Frame, Image
from deid_audit.measure.motion_tracks import MotionTracks
from deid_audit.pipeline import movement, tracing
from deid_audit.pipeline.demo_clips import planned
from deid_audit.pipeline.movement import _nearest, compare_movement
from deid_audit.pipeline.tracing import Person, _chosen, _squared, find_person, trace
from deid_audit.progress import SilentProgress
from deid_audit.video.pairing import common_instants
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.video.writer import write_video
from deid_audit.vision.detectors import Detections
from deid_audit.vision.hands import FoundHand, MovingHands, by_side
from deid_audit.vision.pose import MovingBody
from tests.conftest import Portraits
from tests.sample_clips import sample

HZ, PX, FRAMES, RATE = 5.0, 2.0, 24, 30


def source_of(pts: list[int], *, time_base: Fraction = Fraction(1, 1000), height: int = 64) -> SourceVideo:
    return planned("made", np.zeros((height, 96, 3), np.uint8), pts, time_base)


def hand_at(x: float, *, looks_left: bool) -> FoundHand:
    """A hand of 80 px whose wrist lies at x, 0."""
    xy = np.zeros((21, 2))
    xy[:, 0] = x
    xy[[9, 10, 11, 12], 1] = (20, 40, 60, 80)
    return FoundHand(xy=xy, looks_left=looks_left)


# -- whose hand it is -------------------------------------------------------------------------------------------------


def test_a_hand_is_of_the_side_whose_wrist_is_nearest_whatever_it_looks_like() -> None:
    wrists = np.array([[100.0, 0], [300.0, 0]])
    near_left, near_right = hand_at(110, looks_left=False), hand_at(290, looks_left=True)
    for order in ((near_left, near_right), (near_right, near_left)):
        left, right = by_side(order, wrists)
        assert left is near_left.xy and right is near_right.xy
    left, right = by_side([near_right], wrists)
    assert left is None and right is near_right.xy


def test_two_hands_at_one_wrist_are_two_sides_and_a_far_one_is_nobodys() -> None:
    wrists = np.array([[100.0, 0], [200.0, 0]])
    close, less = hand_at(101, looks_left=True), hand_at(140, looks_left=True)
    left, right = by_side([less, close], wrists)
    assert left is close.xy and right is less.xy
    assert by_side([hand_at(400, looks_left=False)], wrists) == (None, None)  # 200 px off, the hand is 80 px long


def test_without_a_wrist_the_look_decides_and_the_first_has_it() -> None:
    unseen = np.full((2, 2), np.nan)
    first, second, other = hand_at(1, looks_left=True), hand_at(2, looks_left=True), hand_at(3, looks_left=False)
    left, right = by_side([first, second, other], unseen)
    assert left is first.xy and right is other.xy
    assert by_side([], unseen) == (None, None)


def test_hands_must_be_shown_in_a_square() -> None:
    hands = MovingHands()
    with pytest.raises(ValueError, match="square"):
        hands.find(np.zeros((10, 20, 3), np.uint8))
    hands.close()


@pytest.mark.samples
def test_on_a_real_clip_both_hands_lie_at_the_wrists_of_their_sides_and_look_so() -> None:
    clip = open_video(sample("full_body/latentsync_manF_seated_gestures.mp4"), label="clip")
    body, hands = MovingBody(), MovingHands()
    for frame in read_frames(clip):
        square, _ = _squared(frame.image_rgb, None)
        found, shown = body.find(square), hands.find(square)
        if frame.index == 2:
            break
    body.close()
    hands.close()
    assert found is not None and len(shown) == 2
    left, right = by_side(shown, found.xy[[15, 16]])
    assert left is not None and right is not None
    assert left[0, 0] > right[0, 0]  # he faces the camera
    looks = {one.looks_left: one.xy for one in shown}
    assert looks[True] is left and looks[False] is right


# -- who is followed --------------------------------------------------------------------------------------------------


def test_the_largest_face_is_chosen_then_the_nearest_and_none_far_away() -> None:
    boxes = np.float32([[0, 0, 20, 20], [200, 0, 260, 60]])
    found = Detections(boxes_xyxy=boxes, scores=np.ones(2, np.float32))
    largest = _chosen(found, None)
    assert largest is not None and largest.tolist() == boxes[1].tolist()
    followed = _chosen(found, np.float32([5, 0, 25, 20]))
    assert followed is not None and followed.tolist() == boxes[0].tolist()
    assert _chosen(found, np.float32([500, 0, 520, 20])) is None
    none = Detections(boxes_xyxy=np.empty((0, 4), np.float32), scores=np.empty(0, np.float32))
    assert _chosen(none, None) is None


class TwoFaces:
    """A detector that sees two people in every picture, a large one on the right."""

    boxes = np.float32([[0, 0, 20, 20], [200, 0, 260, 60]])

    def __init__(self, **_: object) -> None:
        return

    def detect(self, image_rgb: Image) -> Detections:
        return Detections(boxes_xyxy=self.boxes, scores=np.ones(2, np.float32))


class MeshUntil:
    """A mesh that fills whatever box it is given, in the first frames."""

    shown = 0

    def __init__(self, **_: object) -> None:
        self.frames = 0

    def landmarks(self, image_rgb: Image, box_xyxy: Float, *, turn_degrees: float) -> Float | None:
        self.frames += 1
        corners = np.resize(box_xyxy.reshape(2, 2), (478, 2))
        return np.column_stack((corners, np.zeros(478))).astype(np.float32) if self.frames <= self.shown else None

    def close(self) -> None:
        return


@pytest.fixture
def two_people(monkeypatch: pytest.MonkeyPatch) -> SourceVideo:
    """Forty pictures in which two faces are found."""
    source = planned("first video", np.zeros((300, 400, 3), np.uint8), range(40), Fraction(1, RATE))
    frames = [Frame(index=at, pts=at, image_rgb=np.zeros((4, 4, 3), np.uint8)) for at in range(40)]
    monkeypatch.setattr(tracing, "read_frames", lambda _: iter(frames))
    monkeypatch.setattr(tracing, "MediaPipeDetector", TwoFaces)
    monkeypatch.setattr(tracing, "FaceMesh", MeshUntil)
    return source


def test_with_others_in_view_the_largest_face_has_a_window_of_its_own(
    two_people: SourceVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MeshUntil, "shown", 40)
    person = find_person(two_people, SilentProgress())
    assert person.others and (person.boxes == TwoFaces.boxes[1]).all()
    # heads are 60 px wide: two and a half to each side, one above, nine below, inside the picture
    assert person.window_xyxy == (50, 0, 400, 300)


def test_more_than_one_person_and_a_face_that_is_lost_is_refused(
    two_people: SourceVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MeshUntil, "shown", 19)
    with pytest.raises(NotEnoughFaces, match="first video shows more than one person"):
        find_person(two_people, SilentProgress())
    monkeypatch.setattr(MeshUntil, "shown", 20)
    assert np.isfinite(find_person(two_people, SilentProgress()).boxes[:, 0]).sum() == 20


def test_a_window_becomes_a_square_with_its_corner() -> None:
    image = np.arange(60 * 40 * 3, dtype=np.uint32).astype(np.uint8).reshape(60, 40, 3)
    square, corner = _squared(image, (10, 5, 40, 15))
    assert square.shape == (30, 30, 3) and corner.tolist() == [10, 5]
    assert (square[:10] == image[5:15, 10:]).all() and not square[10:].any()
    assert _squared(image, None)[0].shape == (60, 60, 3)


def moved(portrait_rgb: Image, by_px: NDArray[np.float64]) -> Iterator[Frame]:
    height, width = portrait_rgb.shape[:2]
    for index, x in enumerate(by_px):
        image = cv2.warpAffine(
            portrait_rgb, np.float64([[1, 0, x], [0, 1, 0]]), (width, height),
            flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        yield Frame(index=index, pts=index, image_rgb=np.ascontiguousarray(image))


def test_a_tremor_of_two_pixels_put_into_a_written_video_is_followed(portraits: Portraits, tmp_path: Path) -> None:
    picture = portraits.astronaut.image_rgb
    truth = PX * np.sin(2 * np.pi * HZ * np.arange(FRAMES) / RATE)
    plan = planned("moved", picture, range(FRAMES), Fraction(1, RATE))
    write_video(tmp_path / "moved.mp4", moved(picture, truth), like=plan)
    source = open_video(tmp_path / "moved.mp4", label="moved")
    person = find_person(source, SilentProgress())
    assert np.isfinite(person.boxes).all() and not person.others and person.window_xyxy is None
    with SilentProgress().step("", None) as step:
        tracks = trace(read_frames(source), source.times_s, person, step)
    assert len(tracks) == FRAMES and tracks.times_s.tolist() == pytest.approx(np.arange(FRAMES) / RATE)
    head = tracks.face_xy[:, :, 0].mean(axis=1)
    assert np.corrcoef(head, truth)[0, 1] > 0.98
    gain = np.polyfit(truth, head, 1)[0]
    assert 0.9 < gain < 1.1  # smoothing leaves a small part of this
    assert np.isfinite(tracks.body_xy[:, 0]).all() and (tracks.body_visibility[:, 0] > 0.5).all()
    assert np.ptp(tracks.face_xy[:, :, 1].mean(axis=1)) < 1  # nothing moved up or down
    # without a box nothing is looked for in the face
    nobody = Person(
        boxes=np.full((2, 4), np.nan, np.float32), turns=np.zeros(2, np.float32), others=False, window_xyxy=None
    )
    empty = [Frame(index=at, pts=at, image_rgb=np.zeros((64, 96, 3), np.uint8)) for at in range(2)]
    with SilentProgress().step("", None) as step:
        blank = trace(iter(empty), (0.0, 0.1), nobody, step)
    assert not any(np.isfinite(one).any() for one in (blank.face_xy, blank.body_xy, blank.left_hand_xy))


# -- what is left of it -----------------------------------------------------------------------------------------------


def stopped(frames: int) -> Iterator[Frame]:
    """Some pictures, then a signal."""
    for at in range(frames):
        yield Frame(index=at, pts=at, image_rgb=np.zeros((4, 4, 3), np.uint8))
    raise Interrupted("stopped", exit_code=143)


def test_a_signal_while_the_person_is_looked_for_leaves_no_place_of_the_face(
    two_people: SourceVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    wiped: list[NDArray[Any]] = []
    monkeypatch.setattr(tracing, "wipe", wiped.extend)
    monkeypatch.setattr(tracing, "read_frames", lambda _: stopped(5))
    monkeypatch.setattr(MeshUntil, "shown", 40)
    with pytest.raises(Interrupted):
        find_person(two_people, SilentProgress())
    assert [one.shape for one in wiped] == [(40, 4), (40,)]


def test_a_signal_during_tracing_leaves_none_of_the_movement(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[MotionTracks] = []

    def made(**parts: Any) -> MotionTracks:
        begun.append(MotionTracks(**parts))
        return begun[-1]

    monkeypatch.setattr(tracing, "MotionTracks", made)
    nobody = Person(
        boxes=np.full((3, 4), np.nan, np.float32), turns=np.ones(3, np.float32), others=False, window_xyxy=None
    )
    with pytest.raises(Interrupted), SilentProgress().step("", None) as step:
        tracing.trace(stopped(2), (0.0, 0.1, 0.2), nobody, step)
    assert len(begun) == 1 and not any(array.any() for array in begun[0].arrays())


class Traced:
    """A comparison whose detectors see something everywhere; all that ever told of the person is kept in `seen`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[NDArray[Any]] = []
        self.traced = 0
        self.stop_at = 0  # the number of the tracing that a signal stops
        source = planned("made", np.zeros((64, 96, 3), np.uint8), range(12), Fraction(1, RATE))
        monkeypatch.setattr(movement, "open_video", lambda *_, **__: source)
        monkeypatch.setattr(movement, "read_frames", lambda _: iter(()))
        monkeypatch.setattr(movement, "roundtrip", lambda *_, **__: iter(()))
        monkeypatch.setattr(movement, "find_person", self.person)
        monkeypatch.setattr(movement, "trace", self.trace)
        monkeypatch.setattr(movement, "picked", self.picked)
        at = Person.at
        monkeypatch.setattr(Person, "at", lambda person, rows: self.kept(at(person, rows)))

    def kept(self, person: Person) -> Person:
        self.seen += [person.boxes, person.turns]
        return person

    def person(self, *_: object) -> Person:
        boxes, turns = np.ones((12, 4), np.float32), np.ones(12, np.float32)
        return self.kept(Person(boxes=boxes, turns=turns, others=False, window_xyxy=None))

    def trace(self, frames: object, times_s: tuple[float, ...], *_: object) -> MotionTracks:
        self.traced += 1
        if self.traced == self.stop_at:
            raise Interrupted("stopped", exit_code=143)
        rng = np.random.default_rng(self.traced)
        shapes = {"body_xy": (33, 2), "body_visibility": (33,), "left_hand_xy": (21, 2), "right_hand_xy": (21, 2)}
        made = MotionTracks(
            times_s=np.array(times_s),
            face_xy=rng.uniform(1, 60, (12, 478, 2)),
            **{name: rng.uniform(1, 60, (12, *shape)) for name, shape in shapes.items()},
        )
        self.seen += made.arrays()
        return made

    def picked(self, *given: Any) -> MotionTracks:
        some = tracing.picked(*given)
        self.seen += some.arrays()
        return some

    def compare(self, table: Path | None = None) -> None:
        def write(_: object, path: Path) -> None:
            path.write_text("rows", encoding="utf-8")

        compare_movement(
            Path("a.mp4"), Path("b.mp4"), null_edit=True, margin_percent=None, table=table, force=False,
            write_table=write, progress=SilentProgress(),
        )  # fmt: skip

    def nothing_left(self) -> bool:
        return not any(np.nan_to_num(one, nan=1).any() for one in self.seen)


def test_after_a_comparison_nothing_of_the_person_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The person in both videos, three whole tracings and what was picked of each: 2 x 2 and 3 x 2 x 6 arrays."""
    made = Traced(monkeypatch)
    made.compare(tmp_path / "rows.csv")
    assert len(made.seen) == 40 and made.nothing_left()
    assert (tmp_path / "rows.csv").read_text(encoding="utf-8") == "rows"


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_signal_leaves_nothing_of_what_was_traced_before(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Traced(monkeypatch)
    made.stop_at = number
    with pytest.raises(Interrupted):
        made.compare()
    assert len(made.seen) == 4 + 12 * (number - 1) and made.nothing_left()


def test_an_error_in_the_comparison_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ValueError("no exam")

    made = Traced(monkeypatch)
    monkeypatch.setattr(movement, "exam_rows", fails)
    with pytest.raises(ValueError, match="no exam"):
        made.compare()
    assert len(made.seen) == 40 and made.nothing_left()


# -- which instants are compared --------------------------------------------------------------------------------------


def test_identical_and_nearly_identical_instants() -> None:
    ours = source_of([0, 40, 80, 120])
    same = common_instants(ours, source_of([5, 45, 85, 125]))  # a clock that starts elsewhere
    assert same.identical and same.agrees and same.pairs == ((0, 0), (1, 1), (2, 2), (3, 3))
    finer = common_instants(ours, source_of([0, 3600, 7201, 10800], time_base=Fraction(1, 90000)))
    assert finer.agrees and not finer.identical and 0 < finer.largest_difference_s < 1e-3


def test_a_dropped_and_a_late_frame_are_found_and_left_out() -> None:
    ours = source_of([0, 40, 80, 120])
    dropped = common_instants(ours, source_of([0, 40, 120]))
    assert not dropped.agrees and dropped.pairs == ((0, 0), (1, 1), (3, 2)) and dropped.second_frames == 3
    late = common_instants(ours, source_of([0, 42, 80, 120]))
    assert not late.agrees and not late.identical and late.pairs == ((0, 0), (2, 2), (3, 3))
    with pytest.raises(VideoError, match="96x32"):
        common_instants(ours, source_of([0, 40], height=32))


def test_the_nearest_frame_in_time() -> None:
    assert _nearest(np.array([0.0, 0.1, 0.2]), np.array([0.0, 0.04, 0.06, 0.19, 0.5])).tolist() == [0, 0, 1, 2, 2]


def test_a_person_for_other_frames() -> None:
    boxes = np.arange(12, dtype=np.float32).reshape(3, 4)
    person = Person(boxes=boxes, turns=np.float32([0, 90, 180]), others=False, window_xyxy=None)
    other = person.at(np.array([2, 2, 0]))
    assert other.turns.tolist() == [180, 180, 0] and other.boxes[0].tolist() == boxes[2].tolist()
