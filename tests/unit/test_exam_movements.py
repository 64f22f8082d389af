"""Taps, steps and a rise of known number and time, and movement that is none of them."""

import numpy as np
import pytest

from deid_audit.measure.exam import ExamValue
from deid_audit.measure.exam.repeats import Repeats, decrement, hesitations, rate_hz, repeats_of
from deid_audit.measure.exam.rising import chair_rise_values
from deid_audit.measure.exam.sampling import frame_rate, new_frames, real_rate
from deid_audit.measure.exam.tapping import finger_tapping_values, toe_tapping_values
from deid_audit.measure.exam.walking import asymmetry, gait_values
from deid_audit.measure.motion_tracks import MotionTracks
from tests.unit.exam_tracks import Moves, Signal, along, openings, sine, times, tracks, uneven_times


def of(values: list[ExamValue], name: str, side: str = "") -> ExamValue:
    return next(one for one in values if (one.name, one.side) == (name, side))


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30, 59.94, 120, None])
@pytest.mark.parametrize("hz", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_taps_are_counted_exactly(fps: float | None, hz: float, noise: float) -> None:
    """The distance of two tips over a palm of 100 px, whose landmarks tremble by `noise` px each."""
    seconds = 2 + 12 / hz
    at = times(seconds, fps) if fps else uneven_times(seconds)
    opening = openings(at, hz, 60, 1.0, 12) + np.random.default_rng(1).normal(0, noise * np.sqrt(2), len(at))
    found = repeats_of(opening / 100, at, 0.15, noise * np.sqrt(2) / 100)
    assert isinstance(found, Repeats)
    assert found.count == 12
    assert rate_hz(found.intervals_s) == pytest.approx(hz, rel=0.03)


def test_rate_decrement_and_hesitations_by_hand() -> None:
    """Openings 0.5 s apart, of 1 to 0.55, one of them late by 0.4 s: five in a hundred less with each."""
    at = times(9, 60)
    opening = openings(at, 2, 60, 1, 5, 0.05) + openings(at, 2, 45, 3.9, 5, 0.05 / 0.75)
    values = finger_tapping_values(tracks(at, left_hand={8: along(-opening, 0)}, noise=0.05))
    assert of(values, "finger_taps", "left").value == 10
    assert of(values, "finger_tap_hesitations", "left").value == 1
    assert of(values, "finger_tap_rate", "left").value == pytest.approx(9 / 4.9, rel=0.01)
    slope = of(values, "finger_tap_decrement", "left")
    assert slope.value == pytest.approx(-5, abs=0.3)
    assert slope.low is not None and slope.high is not None and slope.low <= -4.7 and slope.high >= -5.3
    assert "not seen" in of(values, "finger_taps", "right").reason


def test_the_formulas_where_they_have_no_value() -> None:
    assert np.isnan(decrement(np.array([3.0])))
    assert decrement(np.array([4.0, 2.0])) == pytest.approx(-50)
    assert hesitations(np.array([1.0, 1.0, 1.5])) == 0
    assert np.isnan(asymmetry(np.array([]), np.array([1.0])))


def test_repetitions_are_not_joined_across_a_gap() -> None:
    at = times(10)
    opening = openings(at, 2, 1.0, 0.5, 18)
    opening[(at > 4.2) & (at < 5.2)] = np.nan
    found = repeats_of(opening, at, 0.15, 0)
    assert isinstance(found, Repeats)
    assert found.intervals_s.max() == pytest.approx(0.5, abs=0.02)


def hand(at: Signal, opening: Signal, noise: float = 0.3) -> MotionTracks:
    return tracks(at, left_hand={8: along(-opening, 0)}, noise=noise)


def cut(made: MotionTracks) -> MotionTracks:
    made.left_hand_xy[(np.arange(len(made)) % 20) > 14] = np.nan
    return made


def parted(made: MotionTracks) -> MotionTracks:
    """Three pieces with one tap each."""
    for start in (1.7, 3.7):
        made.left_hand_xy[(made.times_s > start) & (made.times_s < start + 0.3)] = np.nan
    return made


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (tracks(times(5)), "not seen in 10 frames"),
        (hand(times(5, 15), openings(times(5, 15), 2, 60, 0.5, 8)), "15.0 frames a second show the left hand anew"),
        (cut(hand(times(5), openings(times(5), 2, 60, 0.5, 8))), "not seen for 1 s in one piece"),
        (hand(times(5), 0 * times(5), 1.0), "no such movement seen (fingers of the left hand)"),
        (hand(times(5), openings(times(5), 2, 60, 0.5, 8), 12.0), "no such movement seen"),
        (hand(times(5), openings(times(5), 0.4, 60, 0.2, 1)), "1 repetitions; at least 3 are needed"),
        (hand(times(6), sine(times(6), 0.1, 40)), "no such movement seen"),
        (parted(hand(times(6), openings(times(6), 0.5, 60, 0.0, 3))), "no two repetitions in one piece"),
    ],
    ids=["not seen", "slow", "in pieces", "noise", "too much noise", "opened once", "slow movement", "parted"],
)
def test_why_taps_are_not_measurable(made: MotionTracks, said: str) -> None:
    for one in finger_tapping_values(made)[:4]:
        assert one.value is None
        assert said in one.reason


def test_toes_tap_only_while_the_heel_rests() -> None:
    at = times(8)
    up = along(0, -openings(at, 3, 30, 1, 15))
    values = toe_tapping_values(tracks(at, body={31: up}))
    assert of(values, "toe_taps", "left").value == 15
    assert of(values, "toe_tap_rate", "left").value == pytest.approx(3, rel=0.02)
    assert "no such movement" in of(values, "toe_taps", "right").reason
    stamping = toe_tapping_values(tracks(at, body={31: 2 * up, 29: up}))
    assert "that is no tapping" in of(stamping, "toe_taps", "left").reason
    assert "left lower leg is not seen" in toe_tapping_values(tracks(at))[0].reason
    slow = times(8, 12)
    assert "12.0 frames a second" in toe_tapping_values(tracks(slow, body={}))[0].reason


def walking(at: Signal, steps_per_minute: float, px: float = 80) -> Moves:
    swing = sine(at, steps_per_minute / 120, px)
    return {27: along(swing, 0), 28: along(-swing, 0)}


@pytest.mark.parametrize(("fps", "cadence"), [(24, 60), (30, 100), (29.97, 120), (120, 140), (None, 110)])
def test_cadence_and_step_time(fps: float | None, cadence: float) -> None:
    at = times(10, fps) if fps else uneven_times(10)
    values = gait_values(tracks(at, body=walking(at, cadence), noise=1.0))
    assert of(values, "gait_cadence").value == pytest.approx(cadence, rel=0.02)
    assert of(values, "gait_step_time").value == pytest.approx(60 / cadence, rel=0.02)
    assert (of(values, "gait_step_time_asymmetry").value or 0) < 10


def test_a_limp_is_an_asymmetry() -> None:
    """Steps of 0.6 s and 0.4 s: 40 % of their mean."""
    at = times(20, 60)
    phase = at % 1.0
    swing = np.where(phase < 0.6, -np.cos(np.pi * phase / 0.6), np.cos(np.pi * (phase - 0.6) / 0.4))
    body = {27: along(80 * swing, 0), 28: along(-80 * swing, 0)}
    values = gait_values(tracks(at, body=body))
    assert of(values, "gait_step_time_asymmetry").value == pytest.approx(40, abs=4)
    assert of(values, "gait_cadence").value == pytest.approx(120, rel=0.01)
    assert of(values, "gait_cadence").low is not None


AT = times(6)
SEATED = {index: along(0, -150 + 0 * AT) for index in range(25, 33)}


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (tracks(AT), "not all seen in 10 frames"),
        (tracks(times(6, 10), body=walking(times(6, 10), 60)), "10.0 frames a second show the legs anew"),
        (tracks(AT, body={**walking(AT, 100), 25: SEATED[25], 26: SEATED[26]}), "thighs do not stand upright"),
        (tracks(AT, body={}), "do not pass each other"),
        (tracks(AT, body={27: along(sine(AT, 1, 80), 0)}), "do not move against each other"),
        (tracks(AT, body=walking(AT, 20)), "steps"),
        (tracks(AT, body=walking(AT, 300)), "are not between 40 and 200"),
    ],
    ids=["not seen", "slow video", "seated", "standing", "one leg", "sway", "shaking"],
)
def test_why_nobody_walks(made: MotionTracks, said: str) -> None:
    for one in gait_values(made):
        assert one.value is None
        assert said in one.reason


def rising(at: Signal, start_s: float, seconds: float) -> dict[int, Signal]:
    """Hips and shoulders 150 px lower, over the knees after a rise along half a cosine."""
    done = np.clip((at - start_s) / seconds, 0, 1)
    low = along(0, 150 * (1 + np.cos(np.pi * done)) / 2)
    return {11: low, 12: low, 23: low, 24: low}


@pytest.mark.parametrize("fps", [24, 30, 60, None])
@pytest.mark.parametrize("seconds", [1.0, 2.0, 4.0])
def test_a_rise_takes_its_time(fps: float | None, seconds: float) -> None:
    """Half a cosine is between 5 % and 95 % for 0.713 of its time."""
    at = times(4 + seconds, fps) if fps else uneven_times(4 + seconds)
    (found,) = chair_rise_values(tracks(at, body=rising(at, 2, seconds)))
    assert found.value == pytest.approx(0.713 * seconds, abs=0.12)
    assert found.low is not None and found.high is not None
    assert found.high - found.low == pytest.approx(2 / (fps or 30), rel=0.1)


def gap(made: MotionTracks) -> MotionTracks:
    made.body_visibility[(np.arange(len(made)) % 40) > 35] = 0.1
    return made


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (tracks(AT), "not all seen in 10 frames"),
        (tracks(times(6, 10), body=rising(times(6, 10), 2, 1)), "10.0 frames a second show the hips anew"),
        (tracks(AT, body={}), "do not rise over the knees"),
        (gap(tracks(AT, body=rising(AT, 2, 1))), "not seen for 2 s in one piece"),
        (tracks(AT, body=rising(6 - AT, 2, 1)), "nobody goes from sitting to standing"),
        (tracks(AT, body=rising(AT, 0.1, 1)), "of sitting before or of standing after"),
    ],
    ids=["not seen", "slow", "standing", "in pieces", "sitting down", "no plateau"],
)
def test_why_no_rise_is_seen(made: MotionTracks, said: str) -> None:
    (found,) = chair_rise_values(made)
    assert found.value is None
    assert said in found.reason


def test_frames_that_repeat_are_no_samples() -> None:
    xy = np.array([[0, 0], [1, 1], [1, 1], [np.nan, 0], [2, 2]])
    assert new_frames(xy).tolist() == [True, True, False, False, True]
    at = times(0.5, 20)
    same = np.repeat(np.arange(5.0), 2)[:, None]
    assert real_rate(same, at) == pytest.approx(10)
    assert frame_rate(at[:5]) is None
    assert frame_rate(np.zeros(20)) is None
