"""A recheck: whose references it refuses, what it judges and what it cannot, and what it comes to."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from deid_audit import __version__
from deid_audit.__main__ import build_app
from deid_audit.errors import EvidenceError, PolicyFileError
from deid_audit.findings import Measurement, Outcome
from deid_audit.pipeline import rechecking
from deid_audit.pipeline.checks import CHECKS, Check, VerifyReport
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.keeping import MODELS
from deid_audit.pipeline.rechecking import RecheckReport, judged_again, recheck, refuse_other
from deid_audit.pipeline.remeasuring import measure_again
from deid_audit.pipeline.verify import read_trust
from deid_audit.policy import load_policy
from deid_audit.progress import SilentProgress
from deid_audit.vault.references import References, ReferencesHead, VideoReferences, VideoShape
from deid_audit.video.reader import open_video
from deid_audit.video.writer import write_video
from tests.fakes import make_case, make_measurement, make_policy, make_rule
from tests.unit.certificates import ISSUED
from tests.unit.explaining_cases import seen
from tests.unit.made_videos import make_video
from tests.unit.test_standing_text import RATE, _frames, shown
from tests.unit.test_verify import _lay_out

SHA = "ab" * 32


def references_of(**changes: Any) -> References:
    head = ReferencesHead(
        case_id="case-0001", tool_version=__version__, models=MODELS, thorough=False, thresholds={}, donor_rows=0,
        videos=(VideoShape(frames=1, regions=0),),
    )  # fmt: skip
    digest = changes.pop("statement_sha256", SHA)
    head = head.model_copy(update=changes)
    return References(head=head, donor=np.zeros((0, 128), np.float32), videos=(), statement_sha256=digest)


def verified(**changes: Any) -> VerifyReport:
    case = changes.pop("case", None) or make_case()
    status = changes.pop("status", "ok")
    checks = tuple(Check(id=name, status=status, detail="seen") for name in CHECKS)
    return VerifyReport(
        checks=checks, signers=(), case=case, file_problems=(), files_compared=3, checked_on=ISSUED.date(),
        statement_sha256=SHA, **changes,
    )  # fmt: skip


def test_its_own_references_are_taken() -> None:
    refuse_other(references_of(), make_case(), SHA)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"statement_sha256": "cd" * 32}, "those of another certificate"),
        ({"case_id": "case-0002"}, "those of another certificate"),
        ({"tool_version": "0.0.9"}, "made by deid-audit 0.0.9, this is"),
        ({"models": MODELS | {"centerface": "00"}}, "another model file: centerface"),
        ({"models": {k: v for k, v in MODELS.items() if k != "centerface"}}, "another model file: centerface"),
        ({"models": MODELS | {"one_more": "00"}}, "another model file: one_more"),
        ({"videos": (VideoShape(frames=1, regions=0),) * 2}, "of 2 videos, the statement has 1"),
    ],
)
def test_other_references_are_refused_in_words(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(EvidenceError, match=words):
        refuse_other(references_of(**changes), make_case(), SHA)


def test_the_version_to_install_is_named() -> None:
    with pytest.raises(EvidenceError) as caught:
        refuse_other(references_of(tool_version="0.0.9"), make_case(), SHA)
    assert "install deid-audit 0.0.9" in caught.value.next_step


ROWS = (
    make_measurement("identity.to_original.mean", 0.71),
    make_measurement("identity.to_donor.mean", 0.31),
    make_measurement("residue.subject_faces", None),
)


def judged(rows: Sequence[Measurement] = ROWS, **changes: Any) -> RecheckReport:
    report = verified(**changes)
    assert report.case is not None
    return judged_again(report, report.case, report.case.policy, rows)


def test_a_file_with_other_frames_is_refused(engines: Engines) -> None:
    released = seen().watched.released
    kept = VideoReferences(
        original=np.zeros((released.facts.frame_count - 1, 128), np.float32), turns=np.zeros(1, np.int16),
        boxes=np.zeros((0, 4)), frame_of=np.zeros(0, np.int32), states=np.zeros((0, 3), np.uint8),
    )  # fmt: skip
    with pytest.raises(EvidenceError, match="released video 1 has 200 frames, its references 199"):
        measure_again(
            replace(references_of(), videos=(kept,)),
            [released],
            sounds=[False],
            engines=engines,
            progress=SilentProgress(),
        )


def test_burned_in_text_is_looked_for_again_in_the_file_alone(engines: Engines, tmp_path: Path) -> None:
    stamps = range(2 * RATE)
    like = open_video(make_video(tmp_path / "v.mp4", stamps, time_base=Fraction(1, RATE), size=(320, 240)), label="v")
    write_video(tmp_path / "named.mp4", _frames(like, shown(2)), like=like)
    kept = VideoReferences(
        original=np.zeros((len(stamps), 128), np.float32), turns=np.zeros(len(stamps), np.int16),
        boxes=np.zeros((0, 4)), frame_of=np.zeros(0, np.int32), states=np.zeros((0, 3), np.uint8),
    )  # fmt: skip
    rows = measure_again(
        replace(references_of(), videos=(kept,)),
        [open_video(tmp_path / "named.mp4", label="released video 1")],
        sounds=[False],
        engines=engines,
        progress=SilentProgress(),
    )
    [text] = [row for row in rows if row.metric == "text.regions_left"]
    assert (text.value, text.of, text.scope, text.sample_size) == (1, "swapped", "video 1", len(stamps))
    assert text.detail == {}  # the file alone does not tell what was covered
    policy = make_policy([make_rule("text.regions_left", "at_most", 0)])
    report = judged_again(verified(), make_case(), policy, rows)
    assert [one.rule.metric for one in report.missed] == ["text.regions_left"] and not report.not_again


def test_sound_is_accounted_for_only_where_the_certificate_of_this_tool_says_so() -> None:
    rows = (make_measurement("voice.sound", 1.0), make_measurement("voice.sound", 0.0, scope="video 2"))
    for kind, expected in (("swap", [True, False, False]), ("audit", [False, False, False])):
        case = make_case(measurements=rows).model_copy(update={"kind": kind})
        found = [rechecking._sound_accounted(case, f"video {number}") for number in (1, 2, 3)]
        assert found == expected


def test_only_what_was_measured_again_is_judged_and_the_rest_is_named_with_a_reason() -> None:
    report = judged()
    assert {one.rule.metric: one.outcome for one in report.findings} == {
        "identity.to_original.mean": Outcome.PASSED,
        "identity.to_donor.mean": Outcome.PASSED,
    }
    assert {one.metric: one.why for one in report.not_again} == {
        "identity.to_original.p01": "needs the originals' pictures",
        "keypoints.ap95": "needs the originals' pictures",
        "expression.brow_r": "needs the originals' pictures",
        "coverage.undecided": "the ledger was settled beside the originals",
        "erasure.complete": "a fact of the time when the certificate was issued",
    }
    assert report.exit_code == 0
    assert "None of 2 rules measured again" in report.conclusion and "5 rules cannot be judged" in report.conclusion


def test_the_largest_difference_is_that_of_two_numbers() -> None:
    then = {row.metric: row.value for row in make_case().measurements if row.scope == "video 1" and row.of == "swapped"}
    report = judged()
    assert [(one.metric, one.then, one.now) for one in report.values] == [
        (row.metric, then[row.metric], row.value) for row in ROWS
    ]
    largest = report.largest
    assert largest is not None and largest.difference == max(
        abs(then[row.metric] - row.value) for row in ROWS if row.value is not None and then[row.metric] is not None
    )  # type: ignore[operator]
    assert judged([make_measurement("residue.subject_faces", None)]).largest is None


@pytest.mark.parametrize(
    ("rows", "changes", "status"),
    [
        ((make_measurement("identity.to_original.mean", 0.59),), {}, 3),
        ((make_measurement("identity.to_original.mean", None),), {}, 3),
        ((), {}, 3),  # no rule could be judged
        (ROWS, {"case": make_case(failing=True)}, 3),  # withheld then, whatever passes now
        (ROWS, {"status": "failed"}, 1),
        (ROWS, {"status": "skipped"}, 1),
    ],
)
def test_what_does_not_pass_then_or_now_is_3_and_what_does_not_hold_is_1(
    rows: Sequence[Measurement], changes: dict[str, Any], status: int
) -> None:
    assert judged(rows, **changes).exit_code == status


def test_a_missed_rule_is_named() -> None:
    report = judged((make_measurement("identity.to_original.mean", 0.59),))
    assert "identity.to_original.mean: video 1: 0.59 is not above 0.6" in report.conclusion


def test_todays_policy_takes_the_place_of_the_certificates() -> None:
    report = verified()
    assert report.case is not None
    harder = make_policy([make_rule("identity.to_original.mean", "above", 0.8)])
    found = judged_again(report, report.case, harder, ROWS)
    assert found.exit_code == 3 and [one.rule.limit for one in found.findings] == [0.8]


def again(certificate: Path, **changes: Any) -> RecheckReport:
    asked: dict[str, Any] = {
        "references": certificate.parent / "none", "passphrase": b"x", "release": None, "policy": None,
        "trust": read_trust([certificate.parent / "signer.crt"], None), "device": "cpu", "progress": SilentProgress(),
    }  # fmt: skip
    return recheck(certificate, **asked | changes)


def test_where_a_file_was_exchanged_nothing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = _lay_out(tmp_path)
    (tmp_path / "release" / "data" / "case-0001-01.mp4").write_bytes(b"another")

    def never(*_: object) -> None:
        raise AssertionError("the references were opened")

    monkeypatch.setattr(rechecking, "read_references", never)
    report = again(certificate)
    assert report.exit_code == 1 and report.policy is None
    assert "case-0001-01.mp4 changed" in report.conclusion and "Nothing was measured again" in report.conclusion
    with pytest.raises(PolicyFileError):
        again(certificate, policy="lenient")


def test_the_references_of_another_certificate_are_wiped_and_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = _lay_out(tmp_path)
    other = references_of()
    wiped: list[bool] = []
    monkeypatch.setattr(References, "wipe", lambda _: wiped.append(True))
    monkeypatch.setattr(rechecking, "read_references", lambda *_: other)
    with pytest.raises(EvidenceError, match="of another certificate"):
        again(certificate)
    assert wiped == [True]


def test_the_command_needs_a_passphrase(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    asked = ["recheck", str(certificate), "--references", str(tmp_path / "refs")]
    done = CliRunner().invoke(build_app(), asked, env={"DEID_AUDIT_REFERENCES_PASSPHRASE": None})
    assert done.exit_code == 2 and "no passphrase for the references" in done.stderr
    (tmp_path / "pass").write_text("\n")
    done = CliRunner().invoke(build_app(), [*asked, "--references-passphrase-file", str(tmp_path / "pass")])
    assert done.exit_code == 2 and "first line is empty" in done.stderr


def test_the_command_says_which_check_does_not_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deid_audit.cli.report.progress_on_stderr", SilentProgress)
    certificate = _lay_out(tmp_path)
    (tmp_path / "release" / "README.txt").unlink()
    asked = ["recheck", str(certificate), "--references", str(tmp_path / "r"), "--trust", str(tmp_path / "signer.crt")]
    done = CliRunner().invoke(build_app(), asked, env={"DEID_AUDIT_REFERENCES_PASSPHRASE": "x"})
    assert done.exit_code == 1, done.output
    assert "FAILED" in done.stdout and "README.txt missing" in done.stdout
    assert str(tmp_path) not in done.stdout


def test_the_certificates_own_policy_is_the_shipped_one_of_that_time() -> None:
    """Nothing is looked up: the statement carries its rules."""
    case = make_case(policy=load_policy("aies2020"))
    report = judged_again(verified(case=case), case, case.policy, ROWS)
    assert report.policy is not None and report.policy.id == "aies2020"
