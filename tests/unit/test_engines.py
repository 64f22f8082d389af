"""The roles of a run's detectors: refused when two are of one family, or when the audit searches with a used file."""

from dataclasses import replace

import pytest

from deid_audit.errors import StageError
from deid_audit.pipeline.engines import load_engines, refuse_shared_files
from deid_audit.vision.detectors import CenterFaceDetector, HogDetector, MediaPipeDetector
from deid_audit.vision.models import CENTERFACE, FACE_FULL_RANGE, FACE_MESH, PinnedModel


def test_the_detectors_of_a_run_share_no_file_and_no_family() -> None:
    engines = load_engines("cpu")
    assert {one.family for one in (engines.leading, engines.second, engines.audit)} == {
        "blazeface",
        "hog",
        "centerface",
    }
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


def test_files_that_differ_are_not_refused() -> None:
    refuse_shared_files((FACE_FULL_RANGE, FACE_MESH), (CENTERFACE,))
