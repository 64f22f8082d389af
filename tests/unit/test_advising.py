"""Advice: every rule of every policy and every metric has some, and it follows the cause."""

import inspect
from dataclasses import replace

import pytest

from deid_audit.catalog import METRICS
from deid_audit.findings import Explanation, Outcome, Rule, measured, not_measured
from deid_audit.ledger import DRAWN_BY, Region, State
from deid_audit.pipeline import advising, causes, certainty, comparing, finishing, ladder, rendering
from deid_audit.pipeline.explaining import explain
from deid_audit.pipeline.locating import Fault
from deid_audit.policy import list_policies
from deid_audit.review import applying
from tests.fakes import make_case, make_rule
from tests.unit.explaining_cases import N, bumped, case_of, explained, ledger, pose, seen, unmet

ALL_RULES = {(policy.id, rule.metric, rule.op): rule for policy in list_policies() for rule in policy.rules}


def _is_control(rule: Rule) -> bool:
    return rule.if_missed == "indeterminate"


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("rule", ALL_RULES.values(), ids=["-".join(key) for key in ALL_RULES])
def test_every_rule_of_every_shipped_policy_is_explained(rule: Rule, fault: Fault) -> None:
    if fault is Fault.SMALL and rule.min_sample_size < 2:
        return
    if (fault is Fault.NO_INTERVAL) > (rule.bound != "value") or (fault is Fault.CONTROL) > _is_control(rule):
        return  # it does not ask for an interval, or is no control
    if fault is Fault.LIMIT and _is_control(rule):
        return  # then it is `CONTROL`
    kinds = ("swap", "conceal", "audit", "reviewed")
    for kind in kinds:
        one = explained(
            rule, seen(ledger=ledger(State.CONCEALED, "too near the original: 0.58")), fault=fault, kind=kind
        )
        assert one.finding.outcome is (Outcome.FAILED if fault is Fault.LIMIT else Outcome.INDETERMINATE)
        assert 1 <= len(one.next_steps) <= 4
        assert all(step.endswith((".", "mp4")) and 20 < len(step) < 260 for step in one.next_steps), one.next_steps
        assert one.where


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_of_the_catalogue_has_advice(metric: str) -> None:
    for op in ("at_least", "at_most"):
        rule = make_rule(metric, op, METRICS[metric].low, of="run" if metric.startswith("erasure") else "swapped")
        assert explained(rule).next_steps


def test_a_metric_without_advice_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, "gait.speed", METRICS["coverage.frames"])
    with pytest.raises(KeyError):
        explained(make_rule("gait.speed"))


def steps(one: Explanation) -> str:
    return " ".join(one.next_steps)


def test_covered_stretches_are_told_apart_by_their_reason() -> None:
    rule = make_rule("coverage.concealed_share", "at_most", 0.05)
    reasons = {
        "no landmarks of its own: interpolated": "hidden or turned away",
        "face under 24 px": "full size",
        "too near the original: 0.58": "Train longer",
        "not surely the subject": "who is seen there",
        "not certain who it is: another face is in the way": "both covered",
        "not certain who it is since faces met": "known again",
        "the cover of another face reaches into it": "close together",
        "second sighting": "mirror",
        "written tomorrow": "frames.csv",
    }
    for reason, words in reasons.items():
        one = explained(rule, seen(ledger=ledger(State.CONCEALED, reason)))
        assert words in steps(one), reason
        assert one.noticed[0].startswith("25 frames: ")


def test_a_frame_with_nothing_but_a_drawn_cover_is_told_from_one_without_a_face() -> None:
    """Two detectors did not clear either; only one of them has a cover, and a clear of its rest is what it lacks."""
    rule = make_rule("coverage.undecided", "at_most", 0)
    cover = replace(ledger(State.CONCEALED, "a reviewer had it covered")[-1].regions[0], state=State.CONCEALED)
    drawn = replace(cover, track_id=None, decided_by=f"{DRAWN_BY}AB", reason="a reviewer had it covered")
    for regions, words in (((drawn,), "only a region that a reviewer drew"), ((), "no face was found, but")):
        first, *rest = ledger()
        one = explained(rule, seen(ledger=(replace(first, regions=regions), *rest)))
        assert one.noticed[0].startswith(f"1 frame: {words}")
    assert "clear the frame beside the drawn region" in steps(
        explained(rule, seen(ledger=(replace(first, regions=(drawn,)), *rest)))
    )


def test_videos_that_were_reviewed_are_neither_trained_nor_another_tools() -> None:
    for metric, op in (("expression.eye_r", "at_least"), ("coverage.concealed_share", "at_most")):
        told = steps(explained(make_rule(metric, op, 0.5), seen(ledger=ledger(State.CONCEALED)), kind="reviewed"))
        assert "run --from-review" in told and "tool that made" not in told and "--train-seconds" not in told


def test_an_attack_that_finds_a_pasted_mean_face_too_is_not_mended_by_training() -> None:
    rule = make_rule("attack.strongest.auc", "at_most", 0.8)
    for imitated, words in ((0.79, "Train longer"), (0.8, "light, camera or outline tells")):
        row = measured(rule.metric, rule.of, "video 1", 0.99, sample_size=N, detail={"imitated": imitated})
        [one] = explain(case_of([rule], [row]), [seen()])
        assert (
            words in steps(one) and len([step for step in ("Train longer", "outline tells") if step in steps(one)]) == 1
        )
        assert any(f"mean face pasted on the subject: {imitated:.2f}" in noticed for noticed in one.noticed)


def test_every_cause_is_one_that_some_module_writes() -> None:
    written = "".join(
        inspect.getsource(module) for module in (ladder, certainty, rendering, comparing, finishing, advising, applying)
    )
    assert [cause.says for cause in causes.CAUSES if cause.says not in written] == []


def test_training_that_stopped_by_itself_is_not_asked_to_go_on() -> None:
    stages = make_case().stages
    facts = {"steps": 532, "training_seconds": 109.4, "stopped_early": True}
    stopped = (stages[0], stages[1].model_copy(update={"settings": facts}))
    rule = make_rule("expression.eye_r", "at_least", 0.5)
    assert "stopped by itself after 532 steps" in steps(explained(rule, stages=stopped))
    going_on = (stages[0], stages[1].model_copy(update={"settings": {**facts, "stopped_early": False}}))
    assert "--train-seconds 300" in steps(explained(rule, stages=going_on))
    assert "--train-seconds" not in steps(explained(rule, kind="audit", stages=stages[:1]))
    assert "glasses" in steps(explained(rule))


def test_a_close_up_is_sent_to_the_face_policy_and_a_whole_body_is_not() -> None:
    rule = make_rule("keypoints.ap95", "at_least", 0.95)
    close = seen(poses={"original": pose(hips=0.1), "swapped": pose(20.0, hips=0.1)})
    one = explained(rule, close)
    assert "--policy release-face" in steps(one) and "hips in 0% of the frames" in one.noticed[0]
    assert "release-face" not in steps(explained(rule, seen(poses={"original": pose(), "swapped": pose(20.0)})))
    assert "release-face" not in steps(explained(rule, close, kind="audit"))


def test_a_hand_that_is_covered_as_a_face_is_named_and_not_the_pose_model() -> None:
    rule = make_rule("keypoints.ap95", "at_least", 0.95)
    poses = {"original": pose(), "swapped": pose(20.0)}

    def covered(box: tuple[float, float, float, float], *, mine: bool = False) -> Explanation:
        hand = Region(
            track_id=7, is_subject=mine, state=State.CONCEALED, reason="nobody known", decided_by="tests",
            box_xyxy=box, is_known=False,
        )  # fmt: skip
        frames = [replace(one, regions=(*one.regions, hand)) if one.index in range(50, 75) else one for one in ledger()]
        return explained(rule, seen(poses=poses, ledger=tuple(frames)))

    wrist = covered((85, 85, 95, 95))  # the left wrist stands at (90, 90)
    said = "in 25 of the 25 frames whose keypoints are lost, something that is not the subject's face is covered"
    assert said in wrist.noticed[-1] and "left wrist" in wrist.noticed[-1]
    assert "The pose model is not at fault" in steps(wrist) and "wavers" not in steps(wrist)
    for elsewhere in (covered((400, 400, 410, 410)), covered((85, 85, 95, 95), mine=True)):
        assert not any(said in one for one in elsewhere.noticed)
        assert "not at fault" not in steps(elsewhere)


def test_tags_of_another_tool_are_removed_with_ffmpeg() -> None:
    rule = make_rule("residue.metadata_keys", "at_most", 0)
    assert "-map_metadata -1" in steps(explained(rule, kind="audit"))
    assert "-map_metadata" not in steps(explained(rule)), "deid-audit itself writes none: that is a defect"


def test_a_donor_who_is_near_the_subject_is_named_as_the_cause() -> None:
    rule = make_rule("identity.to_original.mean")
    for distance, named in ((0.7, True), (0.85, False)):
        average = measured(
            "identity.to_average_original.mean",
            "swapped",
            "video 1",
            0.5,
            sample_size=N,
            detail={"donor_before_swap_mean": distance},
        )
        [one] = explain(case_of([rule], [unmet(rule), average]), [seen(to_original=bumped(0.8, 0.5))])
        assert (one.next_steps[0].startswith("Take another donor")) is named


def test_a_soft_face_is_sent_to_a_larger_preset_and_a_restless_subject_to_another_clip() -> None:
    soft = make_rule("quality.sharpness", "at_least", 0.5)
    assert "--preset" in steps(explained(soft)) and "--preset" not in steps(explained(soft, kind="audit"))
    flicker = make_rule("quality.flicker", "at_most", 1.5)
    row = measured(
        flicker.metric,
        "swapped",
        "video 1",
        1.9,
        sample_size=N,
        detail={"positions: ratio": 1.9, "positions: original, %": 0.41},
    )
    [one] = explain(case_of([flicker], [row]), [seen()])
    assert one.noticed == ("jitter, positions: 1.90 times the original's 0.41 %",)
    restless = not_measured(flicker.metric, "swapped", "video 1", "3 frames of the original are still", absent=True)
    [gap] = explain(case_of([flicker], [restless]), [seen()])
    assert "keeps still" in steps(gap)
