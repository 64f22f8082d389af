"""Agreement of two movements: programmed errors come out as they were put in, and what is not seen is said."""

from dataclasses import replace

import numpy as np
import pytest

from deid_audit.measure.agreement import Equivalence
from deid_audit.measure.motion import Agreement, MotionComparison, compare_tracks, derivatives
from deid_audit.measure.motion_points import BODY_NAMES, GROUPS, HAND_NAMES, sets_of, yardstick_of
from deid_audit.measure.motion_tracks import MotionTracks
from tests.unit.moving_points import EYES_PX, HAND_PX, TORSO_PX, made_tracks, sway


def line(found: MotionComparison, group: str, name: str) -> Agreement:
    [row] = [one for one in found.rows if (one.group, one.name) == (group, name)]
    assert row.released is not None, row.because
    return row.released


def moved_by(tracks: MotionTracks, px: tuple[float, float]) -> MotionTracks:
    names = ("body_xy", "left_hand_xy", "right_hand_xy", "face_xy")
    return replace(tracks, **{name: getattr(tracks, name) + np.array(px) for name in names})


def test_names_and_yardsticks() -> None:
    assert (len(BODY_NAMES), len(HAND_NAMES)) == (33, 21)
    assert BODY_NAMES[15] == "left wrist" and BODY_NAMES[28] == "right ankle"
    assert HAND_NAMES[4] == "thumb tip" and HAND_NAMES[8] == "index tip" and HAND_NAMES[17] == "little knuckle"
    tracks = made_tracks(seconds=1)
    lengths = [yardstick_of(tracks, group).px for group in GROUPS]
    assert lengths == pytest.approx([TORSO_PX, HAND_PX, HAND_PX, EYES_PX])
    for group, points in zip(GROUPS, (33, 21, 21, 478), strict=True):
        assert {at for one in sets_of(group) for at in one.points} == set(range(points))


def test_a_shift_is_an_error_and_a_bias_but_no_error_of_movement() -> None:
    before = made_tracks(move=sway(1, 20))
    found = compare_tracks(before, moved_by(before, (3, 4)), margin_percent=2)
    nose = line(found, "body", "nose")
    assert nose.frames == 360
    assert [nose.errors[name] for name in ("median_px", "p95_px")] == pytest.approx([5, 5])
    assert nose.median_percent == pytest.approx(100 * 5 / TORSO_PX)
    assert [nose.errors[name] for name in ("velocity_px_s", "jerk_px_s3")] == pytest.approx([0, 0], abs=1e-6)
    across, down = nose.axes["x"], nose.axes["y"]
    assert across.correlation.value == pytest.approx(1)
    assert (across.bias_px.value, down.bias_px.value) == pytest.approx((3, 4))
    assert (across.limits.low, across.limits.high) == pytest.approx((3, 3), abs=1e-6)
    # y stands still on both sides: nothing to correlate; a sway of 20 px has a variance of 200
    assert down.correlation.value is None and "does not move" in down.correlation.because
    # ICC(A,1) of a pure shift d of something with variance s (n - 1): 2 s / (2 s + d * d) but for 1 / n
    variance = float(np.var(before.body_xy[:, 0, 0], ddof=1))
    assert across.icc.value == pytest.approx(2 * variance / (2 * variance + 9), rel=1e-3)
    assert across.icc.interval is not None and across.icc.interval.clusters == 12
    # the margin is 2 % of 200 px: 4 px; 3 lies inside, 4 on the edge
    assert isinstance(across.equivalence, Equivalence) and across.equivalence.margin == pytest.approx(4)
    assert across.equivalence.shown
    assert isinstance(down.equivalence, Equivalence) and not down.equivalence.shown


def test_a_tremor_that_was_smoothed_away_is_equivalent_in_place_and_wrong_in_speed() -> None:
    hz, px = 5.0, 4.0
    before, after = made_tracks(move=sway(hz, px)), made_tracks()
    wrist = line(compare_tracks(before, after, margin_percent=1), "body", "left wrist")
    place = wrist.axes["x"].equivalence
    assert isinstance(place, Equivalence) and place.shown
    # differences over 1/30 s of a sine: amplitude times 2 sin(pi f / r) r, RMS over sqrt(2)
    slope = 2 * np.sin(np.pi * hz / 30) * 30
    for order, name in enumerate(("velocity_px_s", "acceleration_px_s2", "jerk_px_s3"), start=1):
        assert wrist.errors[name] == pytest.approx(px * slope**order / np.sqrt(2), rel=0.02)
    assert wrist.original_spread_px == pytest.approx(px / np.sqrt(2), rel=1e-3)


def test_derivatives_on_uneven_times_are_those_of_a_parabola_and_stop_at_a_gap() -> None:
    times = np.cumsum(np.array([0, 0.03, 0.04, 0.03, 0.04, 0.03, 0.04]))
    first, second, third = derivatives(times**2, times)
    assert first == pytest.approx(times[1:] + times[:-1])  # exact at the middle of each step
    assert second == pytest.approx(np.full(5, 2.0))
    assert third == pytest.approx(np.zeros(4), abs=1e-9)
    late = times + np.where(np.arange(7) >= 4, 0.1, 0)
    assert np.isnan(derivatives(late, late)[0]).tolist() == [False, False, False, True, False, False]
    lost = times.copy()
    lost[3] = np.nan
    assert np.isnan(derivatives(lost, times)[0]).tolist() == [False, False, True, True, False, False]
    assert np.isnan(derivatives(lost, times)[1]).tolist() == [False, True, True, True, False]


def test_noise_is_held_against_the_null_edits() -> None:
    before = made_tracks(seconds=4, move=sway(1, 20))
    null = made_tracks(seconds=4, move=sway(1, 20), noise_px=1, seed=5)
    after = made_tracks(seconds=4, move=sway(1, 20), noise_px=3, seed=6)
    found = compare_tracks(before, after, null)
    for row in found.rows:
        assert row.null_edit is not None and row.null_edit.axes["x"].icc.interval is None
        for name, ratio in row.ratios.items():
            assert ratio == pytest.approx(3, rel=0.35), (row.name, name)
    assert set(compare_tracks(before, after).rows[0].ratios.values()) == {None}
    assert set(compare_tracks(before, after, before).rows[0].ratios.values()) == {None}  # nothing beside a zero
    # the median length of a two-dimensional normal error is 1.177 sigma
    assert line(found, "face", "all of the mesh").errors["median_px"] == pytest.approx(1.1774 * 3, rel=0.01)


def test_autocorrelated_errors_get_a_wider_interval_than_independent_ones() -> None:
    before = made_tracks(seconds=30)
    slow = made_tracks(seconds=30, move=lambda t: np.stack((np.sin(2 * np.pi * t / 7), 0 * t), axis=1), noise_px=0.01)
    quick = made_tracks(seconds=30, noise_px=np.sqrt(0.5), seed=3)
    widths = []
    for after in (slow, quick):
        interval = line(compare_tracks(before, after), "body", "nose").axes["x"].bias_px.interval
        assert interval is not None
        widths.append(interval.high - interval.low)
    assert widths[0] > 3 * widths[1]  # the same spread of 0.71 px on both sides


def test_what_is_not_seen_is_said_and_short_videos_get_no_interval() -> None:
    before = made_tracks(seconds=2, move=sway(2, 10))
    hidden = replace(before, left_hand_xy=np.full_like(before.left_hand_xy, np.nan))
    seen = before.right_hand_xy.copy()
    seen[:51] = np.nan
    after = replace(before, left_hand_xy=hidden.left_hand_xy, right_hand_xy=seen)
    found = compare_tracks(before, after)
    [left] = [row for row in found.rows if (row.group, row.name) == ("left hand", "wrist")]
    assert left.released is None
    assert left.because == "both videos show it in 0 of 60 frames; at least 10 are needed"
    [right] = [row for row in found.rows if (row.group, row.name) == ("right hand", "wrist")]
    assert right.because == "both videos show it in 9 of 60 frames; at least 10 are needed"
    [gone] = [row for row in compare_tracks(hidden, before).rows if (row.group, row.name) == ("left hand", "wrist")]
    assert gone.because == "the first video shows it in 0 of 60 frames; at least 10 are needed"
    nose = line(found, "body", "nose")
    assert nose.axes["x"].icc.value == 1 and nose.axes["x"].icc.interval is None
    assert nose.axes["x"].icc.because == "seen in 2 seconds; an interval needs at least 10"


def test_points_of_low_visibility_are_not_seen_and_the_torso_is_needed_for_percent_and_margin() -> None:
    before = made_tracks(move=sway(1, 5))
    visibility = before.body_visibility.copy()
    visibility[:, 23:25] = 0.4
    hips = replace(before, body_visibility=visibility)
    found = compare_tracks(hips, before, margin_percent=5)
    nose = line(found, "body", "nose")
    assert nose.median_percent is None and nose.errors["median_px"] == 0
    assert nose.axes["x"].equivalence == "the margin is in % of a length that is never seen"
    [hip] = [row for row in found.rows if row.name == "left hip"]
    assert hip.released is None
    half = visibility.copy()
    half[:180, 0] = 0.1
    shares = line(compare_tracks(before, replace(before, body_visibility=half)), "body", "nose")
    assert (shares.seen_original, shares.seen_other, shares.frames) == (1, 0.5, 180)
