"""Policies: every way a file can be no policy, every way a rule can end, and the numbers that ship."""

import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from deid_audit.catalog import METRICS
from deid_audit.errors import PolicyFileError
from deid_audit.findings import Measurement, Outcome, Verdict
from deid_audit.policy import judge, list_policies, load_policy
from deid_audit.resources import resource_dir
from tests.fakes import make_case, make_measurement, make_measurements, make_policy, make_rule
from tests.unit.test_answers import all_answers

HEAD = 'id = "mine"\nversion = "1"\ntitle = "Mine"\n'
RULE = """[[rules]]
metric = "identity.to_original.mean"
of = "swapped"
op = "above"
limit = 0.6
why = "because"
source = "tests"
"""
ASKED = """[[answers]]
field = "recipient"
why = "because"
source = "tests"
"""
SECOND = RULE.replace("original.mean", "original.p01")


def write(folder: Path, text: str | bytes) -> str:
    path = folder / "mine.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


# -- files -----------------------------------------------------------------------------------------------------------


def test_a_good_file_is_read_and_its_exact_bytes_are_pinned(tmp_path: Path) -> None:
    text = HEAD + RULE + "min_sample_size = 100\n" + SECOND
    policy = load_policy(write(tmp_path, text))
    assert (policy.id, policy.version, policy.title) == ("mine", "1", "Mine")
    assert policy.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert [(rule.metric, rule.min_sample_size) for rule in policy.rules] == [
        ("identity.to_original.mean", 100),
        ("identity.to_original.p01", 1),
    ]
    assert load_policy(write(tmp_path, text + "# a comment\n")).sha256 != policy.sha256
    assert policy.answers == ()
    [asked] = load_policy(write(tmp_path, text + ASKED + 'allowed = ["a", "b"]\n')).answers
    assert (asked.field, asked.allowed, asked.why) == ("recipient", ("a", "b"), "because")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (HEAD + 'colour = "red"\n' + RULE, "colour: unknown key"),
        (HEAD + f'sha256 = "{"0" * 64}"\n' + RULE, "sha256: unknown key"),
        (HEAD + RULE + SECOND + 'limti = "x"\n', "rules[1].limti: unknown key"),
        (HEAD + RULE.replace("limit = 0.6", "limit = 0.6\nlimit = 0.1"), "limit: given twice (line 9)"),
        (HEAD + HEAD + RULE, "id: given twice (line 4)"),
        (HEAD + RULE + 'source = "again"', "source: given twice"),
        (HEAD + RULE.replace("0.6", "nan"), "rules[0].limit"),
        (HEAD + RULE.replace("0.6", "inf"), "rules[0].limit"),
        (HEAD + RULE.replace("0.6", "-inf"), "rules[0].limit"),
        (HEAD + RULE.replace("0.6", "1e999"), "rules[0].limit"),
        (HEAD + RULE + SECOND.replace("0.6", '"0.6"'), "rules[1].limit"),
        (HEAD + RULE.replace("0.6", "true"), "rules[0].limit"),
        (HEAD + RULE.replace("0.6", "[0.6]"), "rules[0].limit"),
        (HEAD + RULE.replace("0.6", "9" * 400), "rules[0].limit"),
        (HEAD + RULE.replace("limit = 0.6\n", ""), "rules[0].limit: missing"),
        (HEAD + RULE + 'min_sample_size = "5"\n', "rules[0].min_sample_size"),
        (HEAD + RULE + "min_sample_size = 5.0\n", "rules[0].min_sample_size"),
        (HEAD + RULE + "min_sample_size = true\n", "rules[0].min_sample_size"),
        (HEAD + RULE + "min_sample_size = 0\n", "rules[0].min_sample_size"),
        (HEAD + RULE + 'if_absent = "pass"\n', "rules[0].if_absent"),
        (HEAD + RULE.replace('"because"', '""'), "rules[0].why"),
        (HEAD + RULE.replace('source = "tests"\n', ""), "rules[0].source: missing"),
        (HEAD + RULE.replace("original.mean", "original.median"), "rules[0].metric: unknown metric"),
        (HEAD + RULE.replace('"swapped"', '"patient"'), "rules[0].of"),
        (HEAD + RULE.replace('"above"', '">"'), "rules[0].op"),
        (
            HEAD + RULE + SECOND + RULE.replace("0.6", "0.7"),
            "rules[2].op: the same metric, of, op and bound as rules[0]",
        ),
        (HEAD + RULE.replace("identity.to_original.mean", "coverage.concealed_share").replace("0.6", "5"), "a share"),
        (HEAD + RULE.replace("0.6", "-0.1"), "rules[0].limit"),
        (HEAD + RULE + ASKED.replace("recipient", "patient"), "answers[0]: unknown answer 'patient'"),
        (HEAD + RULE + ASKED.replace('"because"', '""'), "answers[0].why"),
        (HEAD + RULE + ASKED.replace('source = "tests"\n', ""), "answers[0].source: missing"),
        (HEAD + RULE + ASKED + 'limit = "x"\n', "answers[0].limit: unknown key"),
        (HEAD + RULE + ASKED + "allowed = [1]\n", "answers[0].allowed[0]"),
        (HEAD + RULE + ASKED + 'allowed = "a"\n', "answers[0].allowed"),
        (HEAD + RULE + ASKED + 'allowed = [""]\n', "answers[0]: allowed: must not be empty"),
        (HEAD + RULE + ASKED + ASKED, "answers[1].field: the same as answers[0]"),
        (HEAD + 'answers = "recipient"\n' + RULE, "answers"),
        (HEAD + "answers = [1]\n" + RULE, "answers[0]"),
        (HEAD + ASKED, "rules: missing"),
        (HEAD, "rules: missing"),
        (HEAD + "rules = []\n", "rules"),
        (HEAD + 'rules = "none"\n', "rules"),
        (HEAD + "rules = [1]\n", "rules[0]"),
        (HEAD.replace('"mine"', '"my policy"') + RULE, "id"),
        (HEAD.replace('"mine"', '"mine\\n"') + RULE, "id"),
        (HEAD.replace('"1"', "1") + RULE, "version"),
        (HEAD.replace('title = "Mine"\n', "") + RULE, "title: missing"),
        (HEAD + RULE.replace("limit = 0.6", "limit 0.6"), "line 8"),
        ("", "missing"),
        (b"\xff\xfe", "not UTF-8"),
        (HEAD + "x = " + "[" * 5000, "mine.toml"),
        (b"#" * ((1 << 20) + 1), "larger than"),
    ],
)
def test_a_file_that_is_no_policy_is_refused_with_file_and_key(tmp_path: Path, text: str | bytes, key: str) -> None:
    with pytest.raises(PolicyFileError) as caught:
        load_policy(write(tmp_path, text))
    said = f"{caught.value} {caught.value.next_step}"
    assert str(caught.value).startswith("mine.toml: ")
    assert key in said
    assert str(tmp_path) not in said
    assert caught.value.exit_code == 2
    assert caught.value.next_step


def test_a_folder_a_missing_file_and_an_unknown_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    for name in ("folder.toml", "none.toml"):
        with pytest.raises(PolicyFileError, match=f"^{name}: ") as caught:
            load_policy(str(tmp_path / name))
        assert str(tmp_path) not in str(caught.value)
    with pytest.raises(
        PolicyFileError,
        match=r"no policy 'nope'; shipped are aies2020, concealment, expert-determination, external, release,",
    ):
        load_policy("nope")


# -- what ships ------------------------------------------------------------------------------------------------------

PAPER_IDENTITY = {("identity.to_original.mean", "above", 0.6), ("identity.to_donor.mean", "below", 0.5)}
KEYPOINTS = {("keypoints.ap95", "at_least", 0.95), ("keypoints.oks_ge_95", "at_least", 0.95)}
RELEASE_FACE = PAPER_IDENTITY | {
    ("identity.to_original.p01", "above", 0.6),
    ("identity.to_original.longest_run_below_frames", "at_most", 1),
    ("expression.mouth_mae", "at_most", 5),
    ("expression.eye_mae", "at_most", 3),
    ("expression.brow_mae", "at_most", 4),
    ("expression.mouth_r", "at_least", 0.75),
    ("expression.eye_r", "at_least", 0.5),
    ("expression.eye_range_ratio", "at_least", 0.33),
    ("exam.blinks_kept", "at_least", 0.5),
    ("expression.brow_r", "at_least", 0.6),
    ("expression.yaw_r", "at_least", 0.9),
    ("motion.head_tremor_ratio", "at_least", 0.9),
    ("motion.head_tremor_ratio", "at_most", 1.1),
    ("quality.flicker", "at_most", 1.5),
    ("quality.colour", "at_most", 3.5),
    ("quality.colour_drift", "at_most", 2),
    ("quality.sharpness", "at_least", 0.5),
    ("coverage.concealed_share", "at_most", 0.05),
    ("coverage.longest_concealed_s", "at_most", 1),
    ("coverage.undecided", "at_most", 0),
    ("coverage.frames", "at_least", 100),
    ("residue.subject_faces", "at_most", 0),
    ("residue.unaccounted_faces", "at_most", 0),
    ("residue.gallery_matches", "at_most", 0),
    ("residue.audio_streams", "at_most", 0),
    ("residue.metadata_keys", "at_most", 0),
    ("control.same_person", "at_least", 0.95),
    ("erasure.complete", "at_least", 1),
    ("voice.sound", "at_most", 1),
}
COVERED = {
    ("coverage.swapped", "at_most", 0),
    ("coverage.undecided", "at_most", 0),
    ("coverage.frames", "at_least", 1),
    ("residue.subject_faces", "at_most", 0),
    ("residue.unaccounted_faces", "at_most", 0),
    ("residue.audio_streams", "at_most", 0),
    ("residue.metadata_keys", "at_most", 0),
}
SHIPPED = {
    # what only the tool that made a video can meet: nearness to a donor, and the destruction of the model
    "external": (RELEASE_FACE | KEYPOINTS)
    - {("identity.to_donor.mean", "below", 0.5), ("erasure.complete", "at_least", 1), ("voice.sound", "at_most", 1)},
    "concealment": COVERED,
    "release": RELEASE_FACE | KEYPOINTS,
    "release-face": RELEASE_FACE,
    "expert-determination": RELEASE_FACE | KEYPOINTS,
    "strict": (RELEASE_FACE - {("voice.sound", "at_most", 1)})
    | KEYPOINTS
    | {("voice.sound", "at_most", 0)}
    | {("identity.to_original.seconds_below", "at_most", 0.26)}
    | {("quality.seam", "at_most", 1), ("attack.strongest.auc", "at_most", 0.8)}
    | {("audit.looks", "at_least", 8), ("audit.families", "at_least", 2)}
    | {("audit.canary_recall", "at_least", 0.8), ("audit.smallest_face_px", "at_most", 32)}
    | {("erasure.key_on_disk", "at_most", 0), ("erasure.references_kept", "at_most", 0)},
    "aies2020": PAPER_IDENTITY
    | {("identity.to_average_original.mean", "above", 0.6), ("keypoints.ap95", "at_least", 0.95)},
}
MAY_REST = {
    *("expression.mouth_r", "expression.eye_r", "expression.eye_range_ratio", "exam.blinks_kept"),
    *("expression.brow_r", "expression.yaw_r"),
    *("motion.head_tremor_ratio", "quality.flicker"),
}


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_shipped_policies_have_exactly_the_agreed_numbers(name: str) -> None:
    policy = load_policy(name)
    assert policy.id == name
    assert {(rule.metric, rule.op, rule.limit) for rule in policy.rules} == SHIPPED[name]
    assert len(policy.rules) == len(SHIPPED[name])
    # an audit need not name a donor, and without other people's faces no cut can be calibrated
    may_rest = MAY_REST | ({"residue.gallery_matches"} if name == "external" else set())
    assert {rule.metric for rule in policy.rules if rule.if_absent == "skip"} <= may_rest
    for rule in policy.rules:
        family = rule.metric.split(".", maxsplit=1)[0]
        assert rule.of == {"erasure": "run", "audit": "run", "control": "original"}.get(family, "swapped")
        assert (rule.if_missed == "indeterminate") is (family == "control")
        bounded = name == "strict" and not METRICS[rule.metric].no_interval
        assert (rule.bound != "value") is bounded, rule.metric
        assert rule.min_sample_size == 100 or not rule.metric.startswith("identity.")
        assert (rule.if_absent == "skip") == (rule.metric in may_rest)
    data = (resource_dir("policies") / f"{name}.toml").read_bytes()
    assert policy.sha256 == hashlib.sha256(data).hexdigest()


def test_list_policies_gives_the_shipped_ones_by_name() -> None:
    assert [policy.id for policy in list_policies()] == sorted(SHIPPED)


# -- judging ---------------------------------------------------------------------------------------------------------

P, F, I, N = Outcome.PASSED, Outcome.FAILED, Outcome.INDETERMINATE, Outcome.NOT_APPLICABLE  # noqa: E741
row = make_measurement


def judged(rows: list[Measurement], **rule: object) -> Verdict:
    return judge(rows, make_policy([make_rule(**rule)]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("op", "value", "outcome"),
    [
        ("above", 0.6000001, P),
        ("above", 0.6, F),
        ("below", 0.5999999, P),
        ("below", 0.6, F),
        ("at_least", 0.6, P),
        ("at_least", 0.5999999, F),
        ("at_most", 0.6, P),
        ("at_most", 0.6000001, F),
    ],
)
def test_operators_at_their_limit(op: str, value: float, outcome: Outcome) -> None:
    verdict = judged([row(value=value)], op=op)
    assert verdict.outcome is outcome
    shown = verdict.findings[0].reason
    # four digits would say "0.6 is above 0.6"
    assert f"{value!r} is " in shown and ("not" in shown) == (outcome is F)


def test_a_perfect_average_precision_passes() -> None:
    assert (
        judged([row("keypoints.ap95", 0.9999999999999998)], metric="keypoints.ap95", op="at_least", limit=0.95).outcome
        is P
    )


@pytest.mark.parametrize(
    ("rows", "outcome", "scope", "words"),
    [
        ([], I, None, "not measured at all"),
        ([row(of="masked")], I, None, "not measured at all"),
        ([row("identity.to_original.p01")], I, None, "not measured at all"),
        ([row(value=None)], I, "video 1", "nothing to measure it on"),
        ([row(value=float("nan"))], I, "video 1", "no finite number"),
        ([row(value=float("inf"))], I, "video 1", "no finite number"),
        ([row(value=None, absent=True)], I, "video 1", "not measured"),
        ([row(value=0.7, sample_size=99)], I, "video 1", "0.7 rests on a sample of 99, the rule asks for at least 100"),
        ([row(value=0.5, sample_size=99)], I, "video 1", "sample of 99"),
        ([row(value=0.7, sample_size=100)], P, "video 1", "0.7 is above 0.6"),
        ([row(value=0.7), row(value=0.65, scope="video 2")], P, "video 2", "0.65 is above 0.6"),
        ([row(value=0.7), row(value=0.59, scope="video 2")], F, "video 2", "0.59 is not above 0.6"),
        ([row(value=0.58), row(value=0.59, scope="video 2")], F, "video 1", "0.58 is not above 0.6"),
        ([row(value=0.7), row(value=None, scope="video 2")], I, "video 2", "not measured"),
        ([row(value=0.5), row(value=None, scope="video 2")], F, "video 1", "0.5 is not above 0.6"),
        ([row(value=0.7), row(value=0.5)], F, "video 1", "0.5 is not above 0.6"),
        # the second video has other measurements, none for the rule
        ([row(value=0.7), row("coverage.frames", 200, scope="video 2")], I, "video 2", "not measured at all"),
        # the subject's own scope counts only without videos
        ([row(value=0.7), row(value=0.5, scope="subject")], P, "video 1", "0.7 is above 0.6"),
        ([row(value=0.5, scope="subject")], F, "subject", "0.5 is not above 0.6"),
        ([row(value=0.7, scope="subject")], P, "subject", "0.7 is above 0.6"),
        # the noise floor
        ([row(value=0.7, noise_floor=0.61)], P, "video 1", "0.7 is above 0.6"),
        ([row(value=0.7, noise_floor=0.55)], I, "video 1", "gives 0.55, which is itself not above 0.6"),
        ([row(value=0.5, noise_floor=0.55)], I, "video 1", "cannot be told from the video's own noise"),
        ([row(value=0.5, noise_floor=0.55), row(value=0.7, scope="video 2")], I, "video 1", "own noise"),
        ([row(value=0.5, noise_floor=0.55), row(value=0.5, scope="video 2")], F, "video 2", "0.5 is not above 0.6"),
    ],
)
def test_a_rule_gates_the_worst_video_and_fails_closed(
    rows: list[Measurement], outcome: Outcome, scope: str | None, words: str
) -> None:
    verdict = judged(rows, min_sample_size=100)
    finding = verdict.findings[0]
    assert (finding.outcome, finding.scope) == (outcome, scope)
    assert words in finding.reason
    assert verdict.outcome is outcome
    if outcome in (P, F):
        assert finding.observed is not None and finding.sample_size >= 100


ABSENT = row("expression.mouth_r", None, absent=True, because="a still face")


@pytest.mark.parametrize(
    ("rows", "outcome", "scope"),
    [
        ([ABSENT], N, "video 1"),
        ([ABSENT, row("expression.mouth_r", 0.9, scope="video 2")], P, "video 2"),
        ([ABSENT, row("expression.mouth_r", 0.2, scope="video 2")], F, "video 2"),
        ([ABSENT, row("expression.mouth_r", None, scope="video 2")], I, "video 2"),
        ([row("expression.mouth_r", None)], I, "video 1"),
    ],
)
def test_a_rule_may_rest_only_where_the_thing_itself_is_absent(
    rows: list[Measurement], outcome: Outcome, scope: str
) -> None:
    verdict = judged(rows, metric="expression.mouth_r", op="at_least", limit=0.75, if_absent="skip")
    assert (verdict.findings[0].outcome, verdict.findings[0].scope) == (outcome, scope)


def test_a_policy_of_which_nothing_applies_is_indeterminate() -> None:
    verdict = judged([ABSENT], metric="expression.mouth_r", op="at_least", limit=0.75, if_absent="skip")
    assert verdict.outcome is I


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_no_measurements_never_pass(name: str) -> None:
    verdict = judge([], load_policy(name))
    assert verdict.outcome is I
    assert {finding.outcome for finding in verdict.findings} == {I}


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_good_case_passes_and_each_missing_measurement_undoes_it(name: str) -> None:
    policy = load_policy(name)
    rows = make_measurements(videos=2, swapped={"coverage.swapped": 0} if name == "concealment" else {})
    context, on = (all_answers() if policy.answers else ()), date(2026, 1, 2)
    assert judge(rows, policy, context, on=on).outcome is P
    for rule in policy.rules:
        kept = [row for row in rows if (row.metric, row.of) != (rule.metric, rule.of)]
        assert judge(kept, policy, context, on=on).outcome is I, rule.metric


def test_a_mean_that_hides_two_percent_of_bad_frames_fails_release_by_its_percentile() -> None:
    distances = sorted([0.45] * 4 + [0.75] * 196)
    rows = make_measurements(
        swapped={
            "identity.to_original.mean": sum(distances) / len(distances),
            "identity.to_original.p01": distances[1],
            "identity.to_original.min": distances[0],
        }
    )
    verdict = judge(rows, load_policy("release"))
    assert [finding.rule.metric for finding in verdict.findings if finding.outcome is F] == ["identity.to_original.p01"]
    assert verdict.outcome is F
    assert judge(rows, load_policy("aies2020")).outcome is P


def test_an_incomplete_erasure_fails_release() -> None:
    verdict = judge(make_measurements(erased=False), load_policy("release"))
    assert [finding.rule.metric for finding in verdict.findings if finding.outcome is F] == ["erasure.complete"]


def test_a_key_in_a_file_fails_strict_alone() -> None:
    rows = make_measurements(key_on_disk=True)
    verdict = judge(rows, load_policy("strict"))
    assert [finding.rule.metric for finding in verdict.findings if finding.outcome is F] == ["erasure.key_on_disk"]
    assert judge(make_measurements(), load_policy("strict")).outcome is P
    assert judge(rows, load_policy("release")).outcome is P


def test_kept_references_fail_strict_alone() -> None:
    rows = make_measurements(references_kept=True)
    verdict = judge(rows, load_policy("strict"))
    assert [finding.rule.metric for finding in verdict.findings if finding.outcome is F] == ["erasure.references_kept"]
    assert judge(rows, load_policy("release")).outcome is P


def test_the_fake_case_carries_what_judging_gives() -> None:
    for case in (make_case(videos=2), make_case(failing=True)):
        assert judge(case.measurements, case.policy) == case.verdict


# -- bounds and controls ---------------------------------------------------------------------------------------------


def resampled(value: float, **fields: Any) -> Measurement:
    row = make_measurement(value=value, sample_size=500)
    return Measurement.model_validate({**row.model_dump(), **fields})


ASKS_FOR_BOUND = make_rule(bound="lower95")


@pytest.mark.parametrize(
    ("low", "value", "outcome", "words"),
    [
        (0.61, 0.65, Outcome.PASSED, "0.65: the lower end of the 95 % interval, 0.61, 12 seconds, is above 0.6"),
        (0.59, 0.65, Outcome.FAILED, "0.65: the lower end of the 95 % interval, 0.59, 12 seconds, is not above 0.6"),
    ],
)
def test_a_rule_on_the_bound_holds_the_end_of_the_interval_against_the_limit(
    low: float, value: float, outcome: Outcome, words: str
) -> None:
    interval = {"low": low, "high": 0.7, "clusters": 12, "unit": "seconds"}
    row = resampled(value, interval=interval)
    [finding] = judge([row], make_policy([ASKS_FOR_BOUND])).findings
    assert finding.outcome is outcome
    assert words in finding.reason
    assert finding.observed == low


def test_a_rule_on_the_bound_without_an_interval_is_indeterminate() -> None:
    row = resampled(0.9, no_interval_because="2 videos; an interval needs at least 10")
    [finding] = judge([row], make_policy([ASKS_FOR_BOUND])).findings
    assert finding.outcome is Outcome.INDETERMINATE
    assert "0.9 has no interval, and the rule asks for one: 2 videos" in finding.reason


def test_a_control_that_does_not_hold_makes_the_verdict_indeterminate_never_passed() -> None:
    control = make_rule(if_missed="indeterminate")
    low, high = (make_measurement(value=value, sample_size=500) for value in (0.5, 0.7))
    verdict = judge([low], make_policy([control]))
    assert verdict.outcome is Outcome.INDETERMINATE
    assert "this control does not hold" in verdict.findings[0].reason
    assert judge([high], make_policy([control])).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (HEAD + RULE + 'bound = "upper95"\n', "rules[0].bound: upper95 is the lenient end for 'above'"),
        (HEAD + RULE + 'bound = "lower"\n', "rules[0].bound"),
        (HEAD + RULE.replace("original.mean", "original.min") + 'bound = "lower95"\n', "has no interval"),
        (HEAD + RULE + 'if_missed = "passed"\n', "rules[0].if_missed"),
    ],
)
def test_a_bound_that_cannot_be_met_or_missed_is_refused(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(PolicyFileError) as caught:
        load_policy(write(tmp_path, text))
    assert key in str(caught.value)


def test_value_and_bound_of_one_metric_may_both_be_asked_for(tmp_path: Path) -> None:
    policy = load_policy(write(tmp_path, HEAD + RULE + RULE + 'bound = "lower95"\n'))
    assert [rule.bound for rule in policy.rules] == ["value", "lower95"]
