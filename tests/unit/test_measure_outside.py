"""What tells the subject outside the face: the filling, distances by hand, and two people with the face in grey."""

import numpy as np
import pytest

from deid_audit.findings import Measurement
from deid_audit.frames import Float
from deid_audit.measure.outside import Surroundings, face_in_grey, measure_outside
from deid_audit.vision.recognizer import Recognizer
from tests.conftest import Portrait, Portraits


def at(*places: float) -> Float:
    """Descriptors at these places on one axis."""
    rows = np.zeros((len(places), 128), np.float32)
    rows[:, 0] = places
    return rows


def rows_of(videos: list[Surroundings], elsewhere: Float) -> dict[tuple[str, str], Measurement]:
    return {
        (row.metric.removeprefix("identity.outside."), row.scope): row for row in measure_outside(videos, elsewhere)
    }


def test_distances_by_hand() -> None:
    # five released frames at 0, the originals at their own times; the nearest more than a second away counts
    video = Surroundings(
        released=at(0, 0, 0, 0, 0), original=at(0.1, 0.2, 0.3, 0.4, 0.5), times_s=np.array([0.0, 0.5, 1.0, 2.0, 3.0])
    )
    rows = rows_of([video], at(0.35, 0.6, 0.7, 0.8, 0.9))
    # frame 0: 0.4 (2 s); 1: 0.4; 2: 0.5 (3 s; 2 s is not more than 1 s away); 3: 0.1; 4: 0.1
    own = rows["to_original.mean", "video 1"]
    assert own.value == pytest.approx((0.4 + 0.4 + 0.5 + 0.1 + 0.1) / 5)
    assert own.detail["to_strangers_mean"] == pytest.approx(0.35)
    assert rows["to_original.p01", "subject"].value == pytest.approx(0.1)
    assert rows["auc", "video 1"].value == pytest.approx(2 / 5)  # 0.1 and 0.1 lie below 0.35
    assert rows["auc", "video 1"].sample_size == 5


def test_another_video_of_the_subject_is_another_moment_at_any_time() -> None:
    one = Surroundings(released=at(*[0.0] * 5), original=at(*[0.0] * 5), times_s=np.zeros(5))
    other = Surroundings(released=at(*[1.0] * 5), original=at(*[0.25] * 5), times_s=np.zeros(5))
    rows = rows_of([one, other], at(*[0.5] * 5))
    assert rows["to_original.mean", "video 1"].value == pytest.approx(0.25)
    assert rows["to_original.mean", "video 2"].value == pytest.approx(1.0)
    assert rows["auc", "video 1"].value == 1.0
    assert rows["to_original.mean", "subject"].sample_size == 10


def test_a_short_video_and_a_world_without_others_are_gaps_not_numbers() -> None:
    near = Surroundings(released=at(*[0.0] * 9), original=at(*[0.0] * 9), times_s=np.linspace(0, 0.9, 9))
    assert all(row.value is None for row in measure_outside([near], at(*[0.5] * 9)))
    alone = Surroundings(released=at(*[0.0] * 9), original=at(*[0.1] * 9), times_s=np.arange(9) * 2.0)
    rows = rows_of([alone], np.empty((0, 128), np.float32))
    assert rows["to_original.mean", "video 1"].value == pytest.approx(0.1)
    assert rows["auc", "video 1"].value is None and not rows["auc", "video 1"].absent


def test_a_frame_that_could_not_be_described_is_left_out() -> None:
    released = at(*[0.0] * 6)
    released[0] = np.nan
    video = Surroundings(released=released, original=at(*[0.1] * 6), times_s=np.arange(6) * 2.0)
    assert rows_of([video], at(*[0.5] * 5))["to_original.mean", "video 1"].sample_size == 5


def test_the_face_is_filled_and_what_stands_around_it_is_not(portraits: Portraits) -> None:
    person = portraits.astronaut
    filled = face_in_grey(person.image_rgb, person.landmarks_xy)
    inside = tuple(np.round(person.landmarks_xy).astype(int)[:, ::-1].T)
    assert (filled[inside] == 128).all()
    left, top, right, bottom = person.box_xyxy.astype(int)
    untouched = filled == person.image_rgb
    width, height = right - left, bottom - top
    assert untouched[: top - height // 8].all() and untouched[:, : left - width // 8].all()
    assert untouched[bottom + height // 8 :].all() and untouched[:, right + width // 8 :].all()


def test_hair_ears_and_neck_of_one_person_are_nearer_than_anothers(
    portraits: Portraits, recognizer: Recognizer
) -> None:
    def around(person: Portrait) -> Float:
        sizes = [person.resized(factor) for factor in (0.6, 0.7, 0.8, 0.9, 1.0)]
        grey = [(face_in_grey(one.image_rgb, one.landmarks_xy), one.landmarks_xy) for one in sizes]
        return recognizer.describe([recognizer.chip_from_mesh(image, points) for image, points in grey])

    mine, others = around(portraits.hopper), around(portraits.astronaut)
    apart = np.arange(5) * 2.0
    [same, _, leak] = measure_outside([Surroundings(released=mine, original=mine, times_s=apart)], others)[:3]
    [changed, _, hidden] = measure_outside([Surroundings(released=others, original=mine, times_s=apart)], others)[:3]
    assert leak.value == 1.0 and hidden.value == 0.0  # same hair tells her; with the other's hair nothing does
    assert same.value is not None and changed.value is not None
    assert changed.value > 3 * same.value
