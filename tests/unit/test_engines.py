"""The roles of a run's detectors: refused when two are of one family, or when the audit searches with a used file."""

from dataclasses import replace

import pytest

from deid_audit.errors import StageError
from deid_audit.findings import Outcome
from deid_audit.measure.residue import measure_breadth
from deid_audit.pipeline.engines import asks_for_thorough, load_engines, refuse_shared_files
from deid_audit.policy import judge, load_policy
from deid_audit.vision.detectors import CenterFaceDetector, HogDetector, MediaPipeDetector, MmodDetector
from deid_audit.vision.looks import AuditSearch
from deid_audit.vision.models import CENTERFACE, FACE_FULL_RANGE, FACE_MESH, MMOD, PinnedModel


def test_the_detectors_of_a_run_share_no_file_and_no_family() -> None:
    engines = load_engines("cpu")
    assert (engines.leading.family, engines.second.family, engines.audit.families) == (
        "blazeface",
        "hog",
        {"centerface"},
    )
    assert engines.audit.models  # an auditor without a file could not be compared


@pytest.mark.parametrize("kind", [MediaPipeDetector, HogDetector])
def test_two_roles_of_one_family_are_refused(
    kind: type[MediaPipeDetector | HogDetector], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CenterFaceDetector, "family", kind.family)
    with pytest.raises(StageError, match="three families"):
        load_engines("cpu")


@pytest.mark.parametrize("used", [FACE_FULL_RANGE, FACE_MESH])
def test_an_audit_with_a_file_that_swapped_is_refused_whatever_its_name_and_family(
    used: PinnedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    same_bytes = replace(used, name="another name")
    monkeypatch.setattr(CenterFaceDetector, "models", (CENTERFACE, same_bytes))
    with pytest.raises(StageError, match="also swapped or cleared: another name"):
        load_engines("cpu")


def test_an_audit_with_a_file_that_cleared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HogDetector, "models", (CENTERFACE,))
    with pytest.raises(StageError, match="also swapped or cleared: centerface"):
        load_engines("cpu")


def test_a_thorough_audit_with_a_file_that_cleared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HogDetector, "models", (replace(MMOD, name="another name"),))
    load_engines("cpu")
    with pytest.raises(StageError, match="also swapped or cleared: mmod_human_face_detector"):
        load_engines("cpu", thorough=True)


def test_a_thorough_audit_with_the_family_that_cleared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MmodDetector, "family", HogDetector.family)
    with pytest.raises(StageError, match="three families"):
        load_engines("cpu", thorough=True)


@pytest.mark.parametrize(("name", "thorough"), [("strict", True), ("release", False), ("concealment", False)])
def test_a_policy_that_asks_for_breadth_switches_the_thorough_audit_on(name: str, thorough: bool) -> None:
    assert asks_for_thorough(load_policy(name)) is thorough


def test_what_the_default_audit_does_is_not_enough_for_strict_and_the_thorough_one_is() -> None:
    policy = load_policy("strict")
    asked = tuple(rule for rule in policy.rules if rule.metric in ("audit.looks", "audit.families"))
    outcomes = []
    for audit in (AuditSearch(), AuditSearch(thorough=True)):
        rows = measure_breadth([look.name for look in audit.looks], sorted(audit.families), 100)
        outcomes.append({one.outcome for one in judge(rows, policy.model_copy(update={"rules": asked})).findings})
    assert outcomes == [{Outcome.FAILED}, {Outcome.PASSED}]


def test_files_that_differ_are_not_refused() -> None:
    refuse_shared_files((FACE_FULL_RANGE, FACE_MESH), (CENTERFACE,))
