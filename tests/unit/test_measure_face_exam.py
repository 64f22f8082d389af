"""Exam measures of a certificate, on lids and faces moved by code: blinks lost, late, added, or not to be told.

Pictures and detectors take no part.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deid_audit.catalog import METRICS
from deid_audit.findings import Measurement, Of, Outcome, Rule
from deid_audit.measure.exam.blink_agreement import blink_agreement
from deid_audit.measure.exam.eyes import blink_values
from deid_audit.measure.exam.face_ranges import face_range_values
from deid_audit.measure.exam.kept_face import KeptFace, joined_faces, kept_face
from deid_audit.measure.exam.points import FACE_USED
from deid_audit.measure.face_exam import MOST_FRAMES, NAMES, ExamInput, measure_exam, wrist_speeds
from deid_audit.measure.keypoints import PoseTrack
from deid_audit.measure.motion_tracks import MotionTracks
from deid_audit.policy import judge, load_policy
from deid_audit.vision.keypoint_detectors import KeypointTraits
from tests.unit.exam_tracks import Moves, Signal, along, blinks, lids, sine, times, tracks

AT = times(12)
STARTS = [1.0, 3.0, 5.5, 8.0, 10.0]


def blinking(starts: list[float], at: Signal = AT, *, depth: float = 1.0, seed: int = 0, **more: Any) -> MotionTracks:
    """A face whose eyes close at these times for 0.15 s, by a share `depth`."""
    closure = depth * blinks(at, starts, 0.15)
    moves: dict[int, Signal] = {}
    for side in ("left", "right"):
        moves |= lids(closure, side)
    return tracks(at, face=moves | more.pop("face", {}), noise=more.pop("noise", 0.1), seed=seed, **more)


def kept(moved: MotionTracks) -> KeptFace:
    flat = np.zeros((*moved.face_xy.shape[:2], 3), np.float32)
    flat[:, :, :2] = moved.face_xy
    flat[~np.isfinite(moved.face_xy).all(axis=(1, 2))] = np.nan
    return joined_faces([kept_face(flat[:100]), kept_face(flat[100:])])


def pose(*, smooths: bool, count: int = len(AT), moved: Signal | None = None) -> PoseTrack:
    points = np.ones((count, 17, 3), np.float32)
    points[:, :, :2] = 100 + 40 * np.arange(17)[:, None]
    if moved is not None:
        points[:, 9, 0] += moved.astype(np.float32)
    traits = KeypointTraits(method="tests", text="tests", visible_cut=0.5, smooths=smooths)
    return PoseTrack(keypoints=points, area=np.full(count, 9e4, np.float32), traits=traits)


def given(
    original: MotionTracks,
    released: MotionTracks,
    null: MotionTracks | None = None,
    *,
    compared: NDArray[np.bool_] | None = None,
    smooths: bool = True,
    wrist: Signal | None = None,
) -> ExamInput:
    at = original.times_s
    compared = np.ones(len(at), np.bool_) if compared is None else compared
    moved: dict[Of, MotionTracks] = {"original": original, "swapped": released, "reencoded": null or original}
    faces: Mapping[Of, KeptFace] = {of: kept(one) for of, one in moved.items()}
    body = pose(smooths=smooths, count=len(at), moved=wrist)
    return ExamInput(
        faces=faces,
        lids={of: face.lids(at, compared) for of, face in faces.items()},
        poses=dict.fromkeys(moved, body),
        times_s=at,
        compared=compared,
    )


def rows(one: ExamInput) -> dict[tuple[str, str], Measurement]:
    return {(row.metric, row.of): row for row in measure_exam(one, "video 1")}


def share(one: ExamInput) -> Measurement:
    return rows(one)["exam.blinks_kept", "swapped"]


def test_every_blink_is_found_in_a_face_that_follows() -> None:
    found = rows(given(blinking(STARTS), blinking(STARTS, seed=1), blinking(STARTS, seed=2)))
    row = found["exam.blinks_kept", "swapped"]
    assert (row.value, row.sample_size, row.noise_floor) == (1.0, 5, 1.0)
    assert found["exam.blinks", "original"].value == found["exam.blinks", "swapped"].value == 5
    assert found["exam.blinks_added", "swapped"].value == 0
    duration = found["exam.blink_duration", "swapped"]
    assert duration.value == pytest.approx(150, abs=25) and duration.noise_floor == pytest.approx(150, abs=25)


def test_lost_half_closed_late_and_added_blinks_are_told_apart() -> None:
    """Two stay, one comes a second late, two never come; what came late counts as added, too."""
    original = blinking(STARTS)
    found = rows(given(original, blinking([1.0, 3.0, 6.5], seed=1), original))
    assert found["exam.blinks_kept", "swapped"].value == pytest.approx(2 / 5)
    assert found["exam.blinks_added", "swapped"].value == 1
    half = rows(given(original, blinking(STARTS, depth=0.4, seed=1), original))
    assert half["exam.blinks_kept", "swapped"].value == 0
    assert half["exam.blinks", "swapped"].value == 0 and half["exam.blinks", "original"].value == 5
    duration = half["exam.blink_duration", "swapped"]  # nobody blinks any more: a loss, nothing absent
    assert duration.value is None and not duration.absent
    assert (
        duration.not_measured_because
        == "the original shows it, the released video does not: no such movement seen: nobody blinks"
    )


@pytest.mark.parametrize("late_s", [0.0, 1 / 30, 0.1])
def test_a_blink_may_come_a_little_late(late_s: float) -> None:
    found = blink_agreement(*(kept(blinking(starts)).lids(AT, np.ones(len(AT), np.bool_)) for starts in (
        STARTS, [start + late_s for start in STARTS]
    )))  # fmt: skip
    assert not isinstance(found, str) and all(found.kept) and not found.added


def test_nobody_blinks_or_no_blink_can_be_told_is_no_finding_against_the_release() -> None:
    still = share(given(blinking([]), blinking([], seed=1)))
    assert still.absent and "blinks 0 times" in (still.not_measured_because or "")
    short = times(2)
    assert share(given(blinking([1.0], short), blinking([], short))).absent
    slow = times(12, 10)
    assert share(given(blinking(STARTS, slow), blinking([], slow))).absent
    rough = share(given(blinking(STARTS, noise=3.0), blinking([])))
    assert rough.absent and "tremble" in (rough.not_measured_because or "")


def test_a_released_face_that_cannot_be_read_or_frames_that_were_not_swapped_are_a_gap() -> None:
    rough = share(given(blinking(STARTS), blinking(STARTS, noise=3.0)))
    assert (
        rough.value is None and not rough.absent and "released: the lids tremble" in (rough.not_measured_because or "")
    )
    nothing = share(given(blinking(STARTS), blinking(STARTS), compared=np.zeros(len(AT), np.bool_)))
    assert nothing.value is None and not nothing.absent
    lost = blinking(STARTS)
    lost.face_xy[:] = np.nan
    unseen = share(given(blinking(STARTS), lost))
    assert unseen.value is None and not unseen.absent


def test_an_original_that_blinks_too_seldom_has_nothing_to_lose_whatever_the_released_lids_are() -> None:
    found = rows(given(blinking([3.0, 6.0]), blinking([], noise=3.0)))
    row = found["exam.blinks_kept", "swapped"]
    assert row.absent and "blinks 2 times" in (row.not_measured_because or "")
    assert found["exam.blink_depth", "swapped"].absent
    added = found["exam.blinks_added", "swapped"]  # whether it has more cannot be told
    assert added.value is None and not added.absent


def test_how_long_the_eyes_are_seen_is_asked_of_the_original() -> None:
    at = times(3)
    starts = [0.5, 1.2, 2.0]
    gap = blinking(starts, at, seed=1)
    gap.face_xy[-1] = np.nan
    row = share(given(blinking(starts, at), gap))
    assert (row.value, row.sample_size) == (1.0, 3)
    away = blinking(starts, at, seed=1)
    away.face_xy[len(at) // 2 :] = np.nan  # a blink falls where nothing is seen: it is lost
    assert share(given(blinking(starts, at), away)).value == pytest.approx(2 / 3)


def test_only_compared_frames_count() -> None:
    compared = AT < 6.5
    row = share(given(blinking(STARTS), blinking([1.0, 10.0]), compared=compared))
    assert (row.value, row.sample_size) == (pytest.approx(1 / 3), 3)


def test_ranges_gaze_and_tremor_stand_beside_each_other() -> None:
    def moving(scale: float, seed: int) -> MotionTracks:
        face: Moves = {
            14: along(0, scale * (20 + sine(AT, 0.7, 20))),
            **dict.fromkeys(range(468, 478), along(sine(AT, 0.4, 5 * scale), 0)),
            152: along(0, sine(AT, 5.0, 3.0)),
        }
        return blinking(STARTS, face=face, seed=seed)

    found = rows(given(moving(1.0, 0), moving(0.5, 1), moving(1.0, 2)))
    before, after = (found["exam.mouth_opening_range", of] for of in ("original", "swapped"))
    assert before.value is not None and after.value == pytest.approx(before.value / 2, rel=0.05)
    assert after.noise_floor == pytest.approx(before.value, rel=0.02)
    assert before.detail["low95"] < before.value < before.detail["high95"]
    gaze = found["exam.gaze_horizontal_r", "swapped"]
    assert gaze.value is not None and gaze.value > 0.98
    assert found["exam.gaze_vertical_r", "swapped"].absent  # it does not move up or down
    assert found["exam.jaw_tremor_hz", "swapped"].value == pytest.approx(5, abs=0.1)
    assert found["exam.head_tremor_hz", "original"].absent
    assert {name for name, _ in found} <= set(METRICS)
    assert {(name, of) for name in NAMES.values() for of in ("original", "swapped")} <= set(found)


def test_the_kept_points_give_what_all_landmarks_give() -> None:
    whole = blinking(STARTS, face={14: along(0, 10 + sine(AT, 0.7, 10))}, noise=0.0)
    rebuilt = kept(whole).tracks(AT, np.ones(len(AT), np.bool_), None)
    np.testing.assert_allclose(rebuilt.face_xy[:, FACE_USED], whole.face_xy[:, FACE_USED], atol=1e-4)
    for one, other in zip(
        [*face_range_values(whole), *blink_values(whole)],
        [*face_range_values(rebuilt), *blink_values(rebuilt)],
        strict=True,
    ):
        assert (one.name, one.side) == (other.name, other.side)
        assert (one.value is None) == (other.value is None)
        assert one.value is None or other.value == pytest.approx(one.value, rel=1e-3, abs=1e-3)


def test_the_body_is_measured_only_where_nothing_smooths_it() -> None:
    wrist = sine(AT, 5.2, 6.0)
    smoothed = rows(given(blinking(STARTS), blinking(STARTS), wrist=wrist))
    row = smoothed["exam.wrist_tremor_hz.left", "original"]
    assert row.value is None and "deid-audit motion" in (row.not_measured_because or "")
    plain = rows(given(blinking(STARTS), blinking(STARTS), smooths=False, wrist=wrist))
    assert plain["exam.wrist_tremor_hz.left", "original"].value == pytest.approx(5.2, abs=0.1)
    assert plain["exam.wrist_tremor_hz.right", "original"].value is None
    speeds = wrist_speeds(pose(smooths=False, moved=wrist), AT)
    assert speeds is not None and speeds[:, 0].max() > 100 and speeds[:, 1].max() < 1e-6
    assert wrist_speeds(pose(smooths=True), AT) is None


def test_a_detector_that_knows_no_null_edit_gives_the_body_without_a_noise_floor() -> None:
    one = given(blinking(STARTS), blinking(STARTS), smooths=False, wrist=sine(AT, 5.2, 6.0))
    known = {of: track for of, track in one.poses.items() if of != "reencoded"}
    found = rows(replace(one, poses=known))
    row = found["exam.wrist_tremor_hz.left", "swapped"]
    assert row.value == pytest.approx(5.2, abs=0.1) and row.noise_floor is None
    assert found["exam.blinks", "swapped"].noise_floor == 5


def test_a_very_long_video_has_its_blinks_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deid_audit.measure.face_exam.MOST_FRAMES", len(AT) - 1)
    found = rows(given(blinking(STARTS), blinking(STARTS)))
    assert len(AT) < MOST_FRAMES and found["exam.blinks_kept", "swapped"].value == 1
    assert found["exam.blinks", "original"].value == 5
    assert "frames" in (found["exam.mouth_opening_range", "original"].not_measured_because or "")
    assert found["exam.gaze_horizontal_r", "swapped"].value is None


@pytest.mark.parametrize("name", ["release", "release-face", "strict", "expert-determination", "external"])
def test_policies_fail_a_release_that_lost_its_blinks_and_let_one_rest_where_none_can_be_told(name: str) -> None:
    policy = load_policy(name)

    def outcome(original: MotionTracks, released: MotionTracks) -> Outcome:
        [rule] = [rule for rule in policy.rules if rule.metric == "exam.blinks_kept"]
        alone: tuple[Rule, ...] = (rule,)
        verdict = judge(measure_exam(given(original, released), "video 1"), policy.model_copy(update={"rules": alone}))
        return verdict.findings[0].outcome

    assert outcome(blinking(STARTS), blinking(STARTS, seed=1)) is Outcome.PASSED
    assert outcome(blinking(STARTS), blinking([], seed=1)) is Outcome.FAILED
    assert outcome(blinking([3.0, 6.0]), blinking([], seed=1)) is Outcome.NOT_APPLICABLE
    assert outcome(blinking([]), blinking([], seed=1)) is Outcome.NOT_APPLICABLE
    assert outcome(blinking([3.0, 6.0]), blinking([], noise=3.0)) is Outcome.NOT_APPLICABLE
    assert outcome(blinking(STARTS), blinking(STARTS, noise=3.0)) is Outcome.INDETERMINATE
