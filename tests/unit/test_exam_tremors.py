"""Tremors of programmed frequency and amplitude, and movement that must not be called one."""

import numpy as np
import pytest

from deid_audit.measure.exam import ExamValue, tremor_agreement
from deid_audit.measure.exam.tremors import axis_coherence, tremor_values
from deid_audit.measure.motion_tracks import MotionTracks
from tests.unit.exam_tracks import Moves, Signal, along, openings, sine, times, tracks, uneven_times


def of(values: list[ExamValue], name: str, side: str = "") -> ExamValue:
    return next(one for one in values if (one.name, one.side) == (name, side))


def measured(made: MotionTracks, name: str, side: str = "") -> float:
    found = of(tremor_values(made), name, side)
    assert found.value is not None, found.reason
    return found.value


def why_not(made: MotionTracks, name: str, side: str = "") -> str:
    found = of(tremor_values(made), name, side)
    assert found.value is None
    return found.reason


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30, 59.94, 120, None])
@pytest.mark.parametrize(("hz", "px", "noise"), [(4.0, 1.0, 0.3), (5.0, 2.0, 1.0), (6.5, 5.0, 1.0), (5.0, 10.0, 0.5)])
def test_frequencies_are_found_within_a_tenth_of_a_hertz(fps: float | None, hz: float, px: float, noise: float) -> None:
    at = times(8, fps) if fps else uneven_times(8)
    moved: Moves = {-1: along(sine(at, hz, px), sine(at, 0.15, 20))}
    made = tracks(at, face=moved, left_hand=moved, noise=noise)
    made.left_hand_xy[40:42] = made.face_xy[60:61] = np.nan
    for name, side in (("hand_tremor_frequency", "left"), ("head_tremor_frequency", "")):
        assert measured(made, name, side) == pytest.approx(hz, abs=0.1)


def test_a_jaw_that_trembles_under_closed_lips() -> None:
    at = times(8)
    made = tracks(at, face={-1: along(sine(at, 0.3, 15), 0), 152: along(0, sine(at, 5, 3))})
    assert measured(made, "jaw_tremor_frequency") == pytest.approx(5, abs=0.1)
    assert "head has no peak" in why_not(made, "head_tremor_frequency")


def test_size_and_share_and_interval_by_hand() -> None:
    """Of 3 px at 5 Hz beside 4 px at 1 Hz, 9 parts in 25 of the power are tremor; the palm is 100 px."""
    at = times(30)
    made = tracks(at, right_hand={-1: along(sine(at, 5, 3), sine(at, 1, 4))}, noise=0.01)
    values = tremor_values(made)
    assert measured(made, "hand_tremor_amplitude", "right") == pytest.approx(3, rel=0.01)
    assert measured(made, "hand_tremor_relative_amplitude", "right") == pytest.approx(3, rel=0.01)
    assert measured(made, "hand_tremor_band_share", "right") == pytest.approx(36, abs=0.5)
    amplitude, frequency = (of(values, f"hand_tremor_{name}", "right") for name in ("amplitude", "frequency"))
    assert amplitude.sample_size == 14
    assert amplitude.low is not None and amplitude.high is not None
    assert amplitude.low <= 3.01 and amplitude.high >= 2.99
    assert frequency.high == pytest.approx(5 + 0.5 / 4, abs=0.02)


def test_axes_that_move_together_are_coherent_and_others_are_not() -> None:
    at, rng = times(30), np.random.default_rng(1)
    wander = np.cumsum(rng.normal(0, 0.25, (2, len(at))), axis=1)
    together = {-1: along(sine(at, 5, 3), sine(at, 5, 1))}
    apart = {-1: along(3 * np.sin(2 * np.pi * 5 * at + wander[0]), 3 * np.sin(2 * np.pi * 5 * at + wander[1]))}
    assert measured(tracks(at, right_hand=together, noise=0.1), "hand_tremor_axis_coherence", "right") > 0.95
    assert measured(tracks(at, right_hand=apart, noise=0.1), "hand_tremor_axis_coherence", "right") < 0.6
    assert axis_coherence(np.array([[1, 1], [1, -1]], complex)) == 0
    assert np.isnan(axis_coherence(np.zeros((2, 2), complex)))


def test_the_bodys_wrist_stands_in_for_a_hand_that_is_not_found() -> None:
    at = times(8)
    values = tremor_values(tracks(at, body={15: along(sine(at, 6, 3), 0)}))
    assert of(values, "hand_tremor_frequency", "left").value == pytest.approx(6, abs=0.1)
    assert of(values, "hand_tremor_relative_amplitude", "left").unit == "% of forearm"
    assert "no peak" in of(values, "hand_tremor_frequency", "right").reason


@pytest.mark.parametrize("along_px", [0.0, 3.0], ids=["it errs", "the whole arm trembles"])
def test_an_elbow_does_not_hide_the_hands_tremor(along_px: float) -> None:
    at = times(8)
    elbow = along(sine(at, 4, along_px), 0) + np.random.default_rng(4).normal(0, 3, (len(at), 2))
    made = tracks(at, left_hand={-1: along(sine(at, 4, 3), 0)}, body={13: elbow})
    assert measured(made, "hand_tremor_frequency", "left") == pytest.approx(4, abs=0.02)
    assert measured(made, "hand_tremor_amplitude", "left") == pytest.approx(3, abs=0.2)


@pytest.mark.parametrize(
    "move",
    [
        lambda at: along(0.0, 0 * at),
        lambda at: along(sine(at, 0.8, 40), sine(at, 0.4, 20)),
        lambda at: along(np.cumsum(np.random.default_rng(3).normal(0, 1, len(at))), 0.0),
    ],
    ids=["noise alone", "slow movement", "wandering"],
)
def test_what_does_not_tremble_has_no_frequency(move: "object") -> None:
    at = times(8)
    moved: Moves = {-1: move(at)}  # type: ignore[operator]
    made = tracks(at, face=moved, left_hand=moved, noise=0.5)
    assert "no such movement seen" in why_not(made, "hand_tremor_frequency", "left")
    assert "no such movement seen" in why_not(made, "head_tremor_frequency")
    assert "no such movement seen" in why_not(made, "hand_tremor_amplitude", "left")
    assert of(tremor_values(made), "head_tremor_band_share").value is not None


def test_a_multiple_of_a_slower_repeated_movement_is_no_tremor() -> None:
    at = times(10)
    made = tracks(at, left_hand={-1: along(sine(at, 2, 30) + sine(at, 4, 8), 0)})
    assert "multiple of a stronger movement at 2.0 Hz" in why_not(made, "hand_tremor_frequency", "left")


def test_talking_and_tapping_are_no_tremor_of_jaw_or_hand() -> None:
    at = times(10)
    opening = 4 + sine(at, 5, 4)
    made = tracks(
        at,
        face={14: along(0, opening), 152: along(0, 0.8 * opening)},
        left_hand={-1: along(0, openings(at, 4, 4, 0, 40)), 8: along(openings(at, 4, 60, 0, 40), 0)},
    )
    assert "the lips open and shut" in why_not(made, "jaw_tremor_frequency")
    assert "tap at the same 4.0 Hz" in why_not(made, "hand_tremor_frequency", "left")


def test_what_is_a_tremor_in_the_original_is_not_taken_for_talking_in_what_was_made_from_it() -> None:
    at = times(8)

    def jaw(hz: float, chin: float, lips: float) -> MotionTracks:
        return tracks(at, face={14: along(0, 5 + sine(at, hz, lips)), 152: along(0, sine(at, hz, chin))})

    original, released = jaw(5, 3, 0.5), jaw(5, 1.5, 1.2)
    assert "the lips open and shut" in why_not(released, "jaw_tremor_frequency")
    found = of(tremor_values(released, tremor_values(original)), "jaw_tremor_frequency")
    assert found.value == pytest.approx(5, abs=0.1)
    for other in (jaw(7, 3, 0.5), jaw(5, 3, 3), jaw(5, 0, 0)):  # another rhythm, talking, nothing
        told = of(tremor_values(released, tremor_values(other)), "jaw_tremor_frequency")
        assert told.value is None and "the lips open and shut" in told.reason


def repeated(made: MotionTracks) -> MotionTracks:
    made.face_xy[1::2] = made.face_xy[::2]
    return made


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (tracks(times(0.2), face={}), "6 frames with a time"),
        (tracks(times(8)), "not seen in 10 frames"),
        (tracks(times(8, 20), face={}), "20.0 frames a second show the head anew; 12 Hz needs 24"),
        (repeated(tracks(times(8), face={})), "15.0 frames a second"),
        (tracks(times(2), face={}), "no 3 s in one piece"),
        (tracks(times(8), face={}, noise=0), "does not move at all"),
    ],
    ids=["too few", "not seen", "slow", "repeated frames", "short", "still"],
)
def test_why_a_tremor_is_not_measurable(made: MotionTracks, said: str) -> None:
    assert said in why_not(made, "head_tremor_frequency")


def test_few_windows_give_no_coherence_and_no_interval() -> None:
    at = times(5)
    made = tracks(at, face={-1: along(sine(at, 5, 3), 0)})
    assert "coherence needs 4" in why_not(made, "head_tremor_axis_coherence")
    assert of(tremor_values(made), "head_tremor_amplitude").low is None


def pair(original: Signal, released: Signal, at: Signal) -> list[ExamValue]:
    return tremor_agreement(
        tracks(at, face={-1: along(original, 0)}, noise=0.1, seed=1),
        tracks(at, face={-1: along(released, 0)}, noise=0.1, seed=2),
    )


def test_agreement_of_a_tremor_that_is_kept_halved_shifted_or_gone() -> None:
    at = times(12)
    kept = pair(sine(at, 5, 4), sine(at, 5, 2), at)
    assert of(kept, "head_tremor_frequency_difference").value == pytest.approx(0, abs=0.02)
    assert of(kept, "head_tremor_power_ratio").value == pytest.approx(0.25, rel=0.02)
    assert of(kept, "head_tremor_coherence").value == pytest.approx(1, abs=0.01)
    shifted = pair(sine(at, 5, 4), sine(at, 6, 4), at)
    assert of(shifted, "head_tremor_frequency_difference").value == pytest.approx(1, abs=0.05)
    assert (of(shifted, "head_tremor_power_ratio").value or 0) < 0.1
    gone = pair(sine(at, 5, 4), 0 * at, at)
    assert "released head has no peak" in of(gone, "head_tremor_frequency_difference").reason
    assert (of(gone, "head_tremor_power_ratio").value or 0) < 0.01
    assert (of(gone, "head_tremor_coherence").value or 0) < 0.9


def test_a_tremor_out_of_step_loses_its_coherence_but_not_its_frequency() -> None:
    at = times(30)
    wander = np.cumsum(np.random.default_rng(4).normal(0, 0.12, len(at)))
    values = pair(sine(at, 5, 4), 4 * np.sin(2 * np.pi * 5 * at + wander), at)
    coherence = of(values, "head_tremor_coherence")
    assert coherence.value is not None and coherence.value < 0.7
    assert coherence.low is not None
    assert of(values, "head_tremor_frequency_difference").value == pytest.approx(0, abs=0.5)


def test_why_two_tremors_cannot_be_compared() -> None:
    at = times(8)
    moved: Moves = {-1: along(sine(at, 5, 4), 0)}
    one = tracks(at, face=moved)
    assert "times differ" in tremor_agreement(one, tracks(at + 0.01, face=moved))[0].reason
    assert "times differ" in tremor_agreement(one, tracks(times(7), face={}))[0].reason
    assert "no peak" in of(tremor_agreement(tracks(at, face={}), one), "head_tremor_coherence").reason
    assert "original: the head is not seen" in of(tremor_agreement(tracks(at), one), "head_tremor_coherence").reason
    by_hand, by_body = tracks(at, left_hand=moved), tracks(at, body=moved)
    assert "body's wrist" in of(tremor_agreement(by_hand, by_body), "hand_tremor_coherence", "left").reason
    still = tracks(at, face={}, noise=0)
    assert "released" in of(tremor_agreement(one, still), "head_tremor_coherence").reason
    half = tracks(at, face=moved)
    half.face_xy[1::10] = half.face_xy[::10]
    assert "repeats frames" in of(tremor_agreement(one, half), "head_tremor_coherence").reason
    short = times(5)
    few = of(pair(sine(short, 5, 4), sine(short, 5, 4), short), "head_tremor_coherence")
    assert "coherence needs 4" in few.reason
