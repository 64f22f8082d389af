"""Blinks, gaze, ranges of the face and proxies of action units on a face made by code."""

import numpy as np
import pytest

from deid_audit.measure.exam import ExamValue
from deid_audit.measure.exam.action_unit_proxies import action_unit_values
from deid_audit.measure.exam.eyes import blink_values, closings_of, eye_aspect_ratio, gaze_values
from deid_audit.measure.exam.face_ranges import face_range_values
from deid_audit.measure.exam.points import jitter, steady_face
from deid_audit.measure.motion_tracks import MotionTracks
from tests.unit.exam_tracks import Moves, Signal, along, blinks, lids, sine, times, tracks, uneven_times

# under ten seconds there are no intervals, which take most of the time
LONG, BRIEF, SHORT = times(30), times(9), times(6)


def of(values: list[ExamValue], name: str, side: str = "") -> ExamValue:
    return next(one for one in values if (one.name, one.side) == (name, side))


def both(closure: Signal) -> Moves:
    return {**lids(closure, "left"), **lids(closure, "right")}


@pytest.mark.parametrize("fps", [24, 29.97, 60, None])
@pytest.mark.parametrize("per_minute", [10, 40])
@pytest.mark.parametrize("seconds", [0.08, 0.15, 0.4])
def test_blinks_are_counted_and_timed(fps: float | None, per_minute: int, seconds: float) -> None:
    at = times(30, fps) if fps else uneven_times(30)
    centres = [1.0 + 60 / per_minute * number for number in range(per_minute // 2)]
    made = tracks(at, face=both(blinks(at, centres, seconds)), noise=0.3)
    values = blink_values(made)
    assert of(values, "blink_count").value == len(centres)
    rate = of(values, "blink_rate")
    assert rate.value == pytest.approx(per_minute, rel=0.02)
    assert rate.low is not None and rate.high is not None and rate.low < per_minute < rate.high
    assert of(values, "blink_duration").value == pytest.approx(1000 * seconds, rel=0.15)
    assert of(values, "one_eye_blinks", "left").value == of(values, "one_eye_blinks", "right").value == 0


def test_an_eyes_aspect_ratio_by_hand() -> None:
    """Lids 8 px apart, corners 32 px."""
    assert eye_aspect_ratio(tracks(SHORT, face={}, noise=0).face_xy, "left") == pytest.approx(8 / 32)


def test_the_interval_of_a_rate_is_that_of_a_poisson_count() -> None:
    """Garwood: of none, 0 to 3.69; of ten, 4.80 to 18.39."""
    made = tracks(LONG, face=both(0 * LONG))
    none = of(blink_values(made), "blink_rate")
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(2 * 3.689, abs=0.01)
    assert "nobody blinks" in of(blink_values(made), "blink_duration").reason
    ten = of(blink_values(tracks(LONG, face=both(blinks(LONG, [2.5 * k + 2 for k in range(10)], 0.2)))), "blink_rate")
    assert ten.low == pytest.approx(2 * 4.795, abs=0.01)
    assert ten.high == pytest.approx(2 * 18.39, abs=0.01)


def test_a_wink_is_the_subjects_own_sides_and_a_long_closing_no_blink() -> None:
    wink, shut = blinks(LONG, [5.0], 0.2), np.where((LONG > 12) & (LONG < 16), 1.0, 0.0)
    made = tracks(LONG, face={**lids(np.maximum(wink, shut), "left"), **lids(shut, "right")})
    values = blink_values(made)
    assert of(values, "one_eye_blinks", "left").value == 1
    assert of(values, "one_eye_blinks", "right").value == 0
    assert of(values, "blink_count").value == 0
    assert of(values, "closed_eye_stretches").value == 1
    assert of(values, "closed_eye_share").value == pytest.approx(100 * 4 / 30, abs=0.3)


def looking(down: Signal, aside: Signal) -> Moves:
    """Irises that wander, and upper lids that follow the eye down by up to 40 % of the opening."""
    moves = {index: along(aside, down) for index in range(468, 478)}
    for index in (385, 387, 160, 158):
        moves[index] = along(0, 0.6 * down)
    return moves


def test_a_wandering_gaze_is_no_blink_and_has_its_range() -> None:
    """Irises over 8 px of 32 to the sides and 5 px up and down: between the 5th and the 95th percentile 0.9 of it."""
    steps = (LONG // 3) % 2
    made = tracks(LONG, face=looking(5 * steps, 8 * ((LONG / 10) % 1)), noise=0.1)
    assert of(blink_values(made), "blink_count").value == 0
    assert of(blink_values(made), "closed_eye_stretches").value == 0
    values = gaze_values(made)
    assert of(values, "gaze_range_horizontal").value == pytest.approx(100 * 8 / 32 * 0.9, abs=0.7)
    assert of(values, "gaze_range_vertical").value == pytest.approx(100 * 5 / 32, abs=1)
    assert of(values, "gaze_range_vertical").low is not None
    shut = blinks(BRIEF, [3], 0.4)
    closed = tracks(BRIEF, face={**both(shut), 468: along(99 * (shut > 0.9), 0)})
    assert (of(gaze_values(closed), "gaze_range_horizontal").value or 0) < 5


def without_irises() -> MotionTracks:
    made = tracks(SHORT, face={})
    made.face_xy[:, 468:] = np.nan
    return made


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (tracks(SHORT), "the eyes are not seen in 10 frames"),
        (tracks(times(6, 12), face={}), "12.0 frames a second show the eyes anew; blinks need 15"),
        (tracks(times(2), face={}), "seen for 2.0 s"),
        (tracks(SHORT, face={}, noise=2), "tremble too much"),
    ],
    ids=["not seen", "slow", "short", "noise"],
)
def test_why_blinks_are_not_measurable(made: MotionTracks, said: str) -> None:
    for one in blink_values(made):
        assert one.value is None
        assert said in one.reason


def test_eyes_closed_where_the_video_begins_and_ends() -> None:
    """Five frames each, and nobody saw how long in all."""
    ratio = np.full(300, 0.25)
    ratio[:5] = ratio[-5:] = 0.08
    found = closings_of(ratio, np.arange(300) / 30, 30)
    assert found is not None
    assert [one.seconds for one in found] == pytest.approx([5 / 30, 5 / 30], abs=1e-6)
    assert all(one.cut for one in found)


def lost(closed: slice, gaps: list[slice]) -> list[ExamValue]:
    """Thirty seconds at 30 frames a second, both eyes shut in the rows `closed`, no face in those of `gaps`."""
    shut = np.zeros(len(LONG))
    shut[closed] = 1
    seen = tracks(LONG, face=both(shut), noise=0.05)
    for gap in gaps:
        seen.face_xy[gap] = np.nan
    return blink_values(seen)


def test_a_closing_never_spans_a_loss_of_the_face() -> None:
    """Two closed frames, three seconds without a face, two closed frames: four frames of 27 s, and no blink."""
    values = lost(slice(300, 394), [slice(302, 392)])
    assert of(values, "blink_count").value == of(values, "closed_eye_stretches").value == 0
    assert of(values, "closed_eye_share").value == pytest.approx(100 * 4 / 810, rel=0.03)
    assert [of(values, "one_eye_blinks", side).value for side in ("left", "right")] == [0, 0]


def test_both_sides_of_a_loss_are_stretches_of_their_own_as_far_as_they_are_seen() -> None:
    values = lost(slice(300, 430), [slice(330, 400)])  # a second of each side is seen
    assert of(values, "closed_eye_stretches").value == 2
    assert of(values, "closed_eye_share").value == pytest.approx(100 * 60 / 830, rel=0.01)


def test_two_missing_frames_are_bridged_and_three_cut_a_blink() -> None:
    assert of(lost(slice(300, 307), [slice(302, 304)]), "blink_count").value == 1
    assert of(lost(slice(300, 307), [slice(302, 305)]), "blink_count").value == 0


def test_bridged_frames_count_in_the_time_closed_and_in_the_time_seen() -> None:
    """Every second and third frame is missing in six seconds of closed eyes: six of thirty."""
    values = lost(slice(300, 480), [slice(at, at + 2) for at in range(301, 479, 3)])
    assert of(values, "closed_eye_stretches").value == 1
    assert of(values, "closed_eye_share").value == pytest.approx(100 * 6 / 30, rel=0.01)


def test_a_wink_that_a_loss_of_the_face_cuts_is_none() -> None:
    shut = np.zeros(len(LONG))
    shut[300:304] = 1
    seen = tracks(LONG, face={**lids(shut, "left"), **lids(0 * shut, "right")})
    assert of(blink_values(seen), "one_eye_blinks", "left").value == 1
    seen.face_xy[302:320] = np.nan
    assert of(blink_values(seen), "one_eye_blinks", "left").value == 0


def test_a_closing_whose_edge_trembles_is_one() -> None:
    ratio = np.full(1200, 0.25)
    ratio[600:648] = 0.08
    ratio[603] = 0.24
    found = closings_of(ratio, np.arange(1200) / 120, 120)
    assert found is not None
    assert [round(one.seconds, 1) for one in found] == [0.4]


def test_why_gaze_and_face_are_not_measurable() -> None:
    assert all("irises are not seen" in one.reason for one in gaze_values(without_irises()))
    assert all("the face is not seen" in one.reason for one in face_range_values(tracks(SHORT)))
    assert all("the face is not seen" in one.reason for one in action_unit_values(tracks(SHORT)))
    partly = tracks(SHORT, face={})
    partly.face_xy[:, 13] = np.nan
    assert "parts are not all seen" in of(face_range_values(partly), "mouth_opening_range").reason
    assert "parts are not all seen" in action_unit_values(partly)[0].reason
    brief = face_range_values(tracks(times(1), face={}))
    assert "less than 2 s" in of(brief, "brow_path", "left").reason


def test_ranges_of_a_face_by_hand_while_the_head_turns_and_nears() -> None:
    """From closed to 20 px by a ramp: 90 % of it lies between the percentiles; the head's own movement adds nothing."""
    ramp = (BRIEF / 3) % 1
    made = tracks(BRIEF, face={14: along(0, 20 * ramp), 61: along(-10 * ramp, 0), 291: along(10 * ramp, 0)}, noise=0.02)
    turn = np.radians(15) * np.sin(BRIEF)
    scale = 1 + 0.2 * np.sin(0.5 * BRIEF)
    spin = scale * np.exp(1j * turn)
    moved = (made.face_xy[..., 0] + 1j * made.face_xy[..., 1]) * spin[:, None] + (300 + 30 * BRIEF[:, None])
    made.face_xy[:] = np.stack((moved.real, moved.imag), axis=-1)
    values = face_range_values(made)
    assert of(values, "mouth_opening_range").value == pytest.approx(18, abs=0.4)
    assert of(values, "mouth_corner_range", "left").value == pytest.approx(9, abs=0.3)
    assert (of(values, "brow_range", "left").value or 0) < 0.5
    assert of(values, "head_roll_range").value == pytest.approx(30, abs=1)
    assert (of(values, "head_yaw_range").value or 0) < 0.5
    assert of(values, "mouth_corner_asymmetry").value == pytest.approx(0, abs=2)


def test_a_path_is_the_way_in_a_second_and_a_still_face_has_nearly_none() -> None:
    """Brows up and down by 10 px, twice a period of 4 s: 5 % a second, a little less in blocks of 0.2 s."""
    up = along(0, -5 * sine(BRIEF, 0.25, 1))
    values = face_range_values(tracks(BRIEF, face=dict.fromkeys((334, 296, 336), up), noise=0.05))
    assert of(values, "brow_path", "left").value == pytest.approx(5, abs=0.2)
    assert (of(values, "brow_path", "right").value or 0) < 0.3


@pytest.mark.parametrize(("left", "right", "sign"), [(10, 5, 1), (5, 10, -1)])
def test_an_asymmetry_is_positive_where_the_subjects_left_moves_more(left: float, right: float, sign: int) -> None:
    """(10 - 5) / (10 + 5): a third."""
    smile = sine(BRIEF, 0.3, 1)
    face: dict[int, Signal] = {291: along(left * smile, 0), 61: along(-right * smile, 0)}
    face |= dict.fromkeys((334, 296, 336), along(0, left * smile)) | dict.fromkeys(
        (105, 66, 107), along(0, right * smile)
    )
    values = face_range_values(tracks(BRIEF, face=face, noise=0.1))
    for part in ("mouth_corner", "brow"):
        assert of(values, f"{part}_asymmetry").value == pytest.approx(sign * 100 / 3, abs=1.5)


def test_a_still_face_has_no_asymmetry() -> None:
    assert "no such movement seen" in of(face_range_values(tracks(BRIEF, face={})), "brow_asymmetry").reason


def test_a_range_over_ten_seconds_has_an_interval() -> None:
    at = times(10)
    made = tracks(at, face={14: along(0, 20 * ((at / 3) % 1))})
    for found in (of(face_range_values(made), "mouth_opening_range"), of(action_unit_values(made), "au25_proxy")):
        assert found.value is not None and found.low is not None and found.high is not None
        assert found.low <= found.value <= found.high


def test_the_heads_turning_by_hand() -> None:
    """The nose tip over 20 px to the side and 10 px down on a face of 100 px, 0.9 of it between the percentiles."""
    ramp = (BRIEF / 3) % 1
    values = face_range_values(tracks(BRIEF, face={4: along(20 * ramp, 10 * ramp)}, noise=0.02))
    assert of(values, "head_yaw_range").value == pytest.approx(18, abs=0.4)
    assert of(values, "head_pitch_range").value == pytest.approx(9, abs=0.3)


@pytest.mark.parametrize(
    ("unit", "side", "moves"),
    [
        ("au1", "left", {336: (0, -10)}),
        ("au2", "right", {70: (0, -10)}),
        ("au4", "left", {336: (0, 10)}),
        ("au6_7", "right", {145: (0, -10)}),
        ("au12", "left", {291: (22 / 7.43, -71 / 7.43)}),
        ("au25", "", {14: (0, 10)}),
        ("au26", "", {152: (0, 10)}),
        ("au45", "left", {386: (0, 10)}),
    ],
    ids=["au1", "au2", "au4", "au6_7", "au12", "au25", "au26", "au45"],
)
def test_each_proxy_rises_by_what_its_point_moves(unit: str, side: str, moves: dict[int, tuple[float, float]]) -> None:
    """A tenth of the time 10 px from rest: 10 % of the 100 px between the eyes, on one side alone."""
    acts = (BRIEF % 2) < 0.2
    face = {index: along(x * acts, y * acts) for index, (x, y) in moves.items()}
    values = action_unit_values(tracks(BRIEF, face=face, noise=0.02))
    assert of(values, f"{unit}_proxy", side).value == pytest.approx(10, abs=0.2)
    if side:
        other = "left" if side == "right" else "right"
        assert (of(values, f"{unit}_proxy", other).value or 0) < 0.5


def test_jitter_is_the_noise_and_a_face_without_points_is_none() -> None:
    noise = np.random.default_rng(0).normal(0, 2, 5000)
    assert jitter(noise + np.linspace(0, 50, 5000)) == pytest.approx(2, rel=0.05)
    assert jitter(noise[:1]) == 0
    assert steady_face(tracks(SHORT).face_xy) is None
    assert steady_face(np.zeros((5, 478, 2))) is None
