"""Where a rule is not met: a planted bad second is found exactly, in every family of metrics."""

import numpy as np
import pytest

from deid_audit.findings import measured
from deid_audit.measure.exam.eyes import LidTrack
from deid_audit.pipeline.explaining import explain
from deid_audit.pipeline.locating import LISTED_STRETCHES, Fault
from tests.fakes import make_rule
from tests.unit.explaining_cases import (
    BAD,
    FAMILIES,
    RATE,
    N,
    bumped,
    case_of,
    explained,
    face,
    looks,
    pose,
    seen,
    tracks,
    trembling,
)

MIRRORED = np.sin(np.arange(N) / 4)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_bad_stretch_is_found_exactly(family: str) -> None:
    rule, video = FAMILIES[family]
    one = explained(rule, video)
    assert [(stretch.video, stretch.from_s, stretch.to_s) for stretch in one.stretches] == [(1, 2.0, 3.0)]
    assert one.stretch_count == 1 and one.where == "video 1: 2.0-3.0 s"
    assert one.worst is not None and 50 <= one.worst.frame < 75 and one.worst.time_s == one.worst.frame / RATE
    assert not explained(rule, seen()).stretches, "a video without a fault has no such stretch"


def test_what_lowers_a_correlation_is_found() -> None:
    wave, turned = MIRRORED.copy(), MIRRORED.copy()
    turned[BAD] *= -1
    rule = make_rule("expression.eye_r", "at_least", 0.75)
    one = explained(rule, seen(original_face=face(eye=wave), released_face=face(eye=turned)))
    [stretch] = one.stretches
    assert 1.5 < stretch.from_s <= 2.0 and 3.0 <= stretch.to_s < 3.5
    assert not explained(rule, seen(original_face=face(eye=wave), released_face=face(eye=2 * wave + 9))).stretches


def test_where_the_released_face_trembles_is_found() -> None:
    rule = make_rule("quality.flicker", "at_most", 1.5)
    looked = looks(points_xy=trembling())
    video = seen(appearance=looked, flicker=tracks(looked))
    for look in looked.values():  # the vault is destroyed before anything is explained
        look.points_xy.fill(0)
    [stretch] = explained(rule, video).stretches
    assert 1.4 < stretch.from_s <= 2.0 and 3.0 <= stretch.to_s < 3.6
    assert not explained(rule, seen()).stretches


@pytest.mark.parametrize(
    ("metric", "op"),
    [
        ("erasure.complete", "at_least"),
        ("residue.audio_streams", "at_most"),
        ("residue.metadata_keys", "at_most"),
        ("coverage.frames", "at_least"),
        ("motion.head_tremor_ratio", "at_least"),
        ("expression.mouth_offset", "at_most"),
    ],
)
def test_what_has_no_place_says_so(metric: str, op: str) -> None:
    one = explained(make_rule(metric, op, 0.5, of="run" if metric.startswith("erasure") else "swapped"))
    assert (one.stretches, one.worst, one.picture) == ((), None, None)
    assert one.where == one.placeless != ""


def test_frames_where_nothing_could_be_measured_are_found() -> None:
    lost = np.zeros((N, 2))
    lost[BAD] = np.nan
    one = explained(
        make_rule("motion.head_tremor_ratio", "at_least", 0.9),
        seen(released_face=face(head_xy=lost)),
        fault=Fault.MISSING,
    )
    assert one.where == "video 1: 2.0-3.0 s" and "found in 88% of the frames" in one.noticed[0]
    mouth = explained(
        make_rule("expression.mouth_mae", "at_most", 5),
        seen(released_face=face(mouth=bumped(0, np.nan))),
        fault=Fault.MISSING,
    )
    assert mouth.where == "video 1: 2.0-3.0 s"


def test_noise_is_looked_for_in_the_null_edit() -> None:
    video = seen(poses={"original": pose(), "swapped": pose(), "reencoded": pose(20.0)})
    one = explained(make_rule("keypoints.ap95", "at_least", 0.95), video, fault=Fault.NOISE)
    assert one.where == "video 1: 2.0-3.0 s" and "cannot mend this" in one.next_steps[0]


def test_near_stretches_are_one_and_the_five_worst_are_listed() -> None:
    distance = np.full(N, 0.8)
    distance[[0, 10]] = 0.5  # 0.36 s between them: one stretch
    for number, at in enumerate(range(40, 180, 20)):
        distance[at] = 0.55 - 0.01 * number
    one = explained(make_rule("identity.to_original.p01"), seen(to_original=distance))
    assert one.stretch_count == 8 and len(one.stretches) == LISTED_STRETCHES
    starts = [stretch.from_s for stretch in one.stretches]
    assert starts == sorted(starts) and starts[0] == 0.0 and 40 / RATE not in starts
    assert one.stretches[0].to_s == 11 / RATE and one.where.endswith("(and 3 more)")
    assert one.worst is not None and one.worst.frame == 160


def test_every_video_that_misses_the_rule_is_looked_at_and_no_other() -> None:
    rule = make_rule("identity.to_original.mean", "above", 0.6)
    rows = [
        measured(rule.metric, "swapped", f"video {number}", value, sample_size=N)
        for number, value in enumerate((0.7, 0.4, 0.5), start=1)
    ]
    videos = [seen(number, to_original=bumped(0.8, 0.5)) for number in (1, 2, 3)]
    [one] = explain(case_of([rule], rows), videos)
    assert one.where == "video 2: 2.0-3.0 s; video 3: 2.0-3.0 s"
    assert one.finding.scope == "video 2" and one.also == ("video 3: 0.5 is not above 0.6",)


def lids(*starts_s: float) -> LidTrack:
    """Eyes that close for a fifth of a second at these moments."""
    times = np.arange(N) / RATE
    closed = np.zeros(N)
    for start in starts_s:
        closed[(times >= start) & (times < start + 0.2)] = 1
    ratio = 0.3 - 0.25 * closed
    return LidTrack(left=ratio, right=ratio, times_s=times, real_hz=RATE)


def test_lost_and_added_blinks_are_found_at_their_moments() -> None:
    watched = {"original": lids(1.0, 4.0, 6.0), "swapped": lids(1.0, 5.0, 6.0), "reencoded": lids(1.0, 4.0, 6.0)}
    [lost] = explained(make_rule("exam.blinks_kept", "at_least", 0.9), seen(lids=watched)).stretches
    assert 3.9 < lost.from_s <= 4.05 and 4.15 <= lost.to_s < 4.3
    [added] = explained(make_rule("exam.blinks_added", "at_most", 0), seen(lids=watched)).stretches
    assert 4.9 < added.from_s <= 5.05 and 5.15 <= added.to_s < 5.3
    whole = watched | {"swapped": watched["original"]}
    assert not explained(make_rule("exam.blinks_kept", "at_least", 0.9), seen(lids=whole)).stretches
    assert not explained(make_rule("exam.blink_depth", "at_least", 0.9), seen(lids=watched)).stretches
