"""The doctor's worker, its self-test for real, and for each step a case in which it fails."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deid_audit.certificate.checking import CertificateCheck
from deid_audit.certificate.document import APT_COMMAND
from deid_audit.certificate.facts import FACTS, Fact
from deid_audit.errors import StageError
from deid_audit.findings import ErasureCheck
from deid_audit.frames import Frame
from deid_audit.pipeline.doctor.self_test import STEP_LIST
from deid_audit.pipeline.doctor.steps import artefact, certificate, clip, faces, likeness, training
from deid_audit.pipeline.doctor.worker import Answer, Worker, perform
from deid_audit.swap.networks import PRESETS, SwapModel
from deid_audit.vault import checks
from tests.schemas import document_in

# -- the worker ------------------------------------------------------------------------------------------------------


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    with Worker(tmp_path) as started:
        yield started


def test_a_crash_a_hang_and_an_error_are_answers(worker: Worker) -> None:
    crashed = worker.ask("os:abort", timeout_s=60)
    assert crashed == Answer(error="the process was ended by SIGABRT")
    assert worker.ask("signal:pause", timeout_s=0.5).error == "gave no answer within 0 s"
    assert worker.ask("no_such_library:load", timeout_s=60).error.startswith("ModuleNotFoundError: ")
    assert worker.ask("os:getcwd", timeout_s=60) == Answer(value=os.getcwd())  # noqa: PTH109


def test_what_a_library_prints_is_no_answer(worker: Worker) -> None:
    assert worker.ask("builtins:print", timeout_s=60, end="noise\n") == Answer()
    assert worker.ask("os:system", timeout_s=60, command="echo noise") == Answer(value=0)


def test_the_worker_keeps_its_files_together(worker: Worker, tmp_path: Path) -> None:
    assert worker.ask("tempfile:gettempdir", timeout_s=60) == Answer(value=str(tmp_path))


def test_errors_become_words() -> None:
    assert perform('{"task": "deid_audit.policy:load_policy", "arguments": {"name": "x"}}')["error"]
    long = perform(json.dumps({"task": "builtins:int", "arguments": {"x": "9" * 10000}}))
    assert long["error"].startswith("TypeError") and len(long["error"]) < 400


# -- for real --------------------------------------------------------------------------------------------------------


def test_the_self_test_for_real(tmp_path: Path) -> None:
    """Every step holds where the tests run, and nothing is left in the folder for temporary files."""
    result = _doctor(tmp_path)
    report = document_in(result.stdout)
    assert {one["step"]: one["detail"] for one in report["self_test"] if one["status"] != "ok"} == {}
    assert [one["step"] for one in report["self_test"]] == [one.name for one in STEP_LIST]
    assert [one["name"] for one in report["findings"] if one["status"] == "missing"] == []
    assert result.returncode == 0
    assert list(tmp_path.iterdir()) == []
    assert "looking at: machine" in result.stderr


def test_broken_libraries_for_real(tmp_path: Path) -> None:
    """One that raises and one that ends the process, as a build for another processor does."""
    (tmp_path / "weasyprint.py").write_text('raise OSError("cannot load library libpango-1.0-0")')
    (tmp_path / "dlib.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGILL)")
    result = _doctor(tmp_path, "--no-self-test", PYTHONPATH=str(tmp_path))
    report = document_in(result.stdout)
    status = {one["name"]: one["status"] for one in report["findings"]}
    assert result.returncode == 1 and report["self_test"] is None
    assert status["dlib-bin"] == status["weasyprint"] == status["text"] == "missing"
    assert status["opencv-python"] == status["mediapipe"] == status["writes"] == status["key"] == "ok"
    mend = {one["name"]: one["mend"] for one in report["findings"]}
    assert mend["text"] == APT_COMMAND
    assert {one["command"] for one in report["commands"] if not one["missing"]} == {
        "verify",
        "withdraw",
        "report",
        "keys",
        "policy",
        "log",
        "vault",
        "review",
        "ratings",
        "viewer-test",
    }


def _doctor(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deid_audit", "doctor", "--json", *arguments],
        env=os.environ | {"TMPDIR": str(folder)} | environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


# -- each step of the self-test can fail -----------------------------------------------------------------------------


def test_the_clip_step_sees_changed_pictures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    read = clip.read_frames
    monkeypatch.setattr(clip, "read_frames", lambda video: (_dark(frame) for frame in read(video)))
    with pytest.raises(StageError, match="came back changed"):
        clip.encode_and_decode(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def _dark(frame: Frame) -> Frame:
    return replace(frame, image_rgb=frame.image_rgb // 2)


def test_the_detector_steps_see_no_face_and_a_wrong_place(monkeypatch: pytest.MonkeyPatch) -> None:
    grey = tuple((np.full_like(image, 128), box) for image, box in faces.portraits())
    elsewhere = tuple((image, box + np.float32(200)) for image, box in faces.portraits())
    for step in (faces.leading_detector, faces.second_opinion, faces.audit_detector):
        monkeypatch.setattr(faces, "portraits", lambda: grey)
        with pytest.raises(StageError, match="0 faces were found"):
            step()
        monkeypatch.setattr(faces, "portraits", lambda: elsewhere)
        with pytest.raises(StageError, match="wrong place"):
            step()


def test_landmarks_and_keypoints_see_nobody_on_grey(monkeypatch: pytest.MonkeyPatch) -> None:
    grey = tuple((np.full_like(image, 128), box) for image, box in faces.portraits())
    monkeypatch.setattr(faces, "portraits", lambda: grey)
    with pytest.raises(StageError, match="no landmarks"):
        faces.landmarks()
    with pytest.raises(StageError, match="no person"):
        faces.keypoints()


def test_the_nose_must_be_in_the_face(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tuple((image, box + np.float32(200)) for image, box in faces.portraits())
    monkeypatch.setattr(faces, "portraits", lambda: elsewhere)
    with pytest.raises(StageError, match="outside the face"):
        faces.keypoints()


def test_a_recogniser_that_sees_no_difference_or_only_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    for rows, said in (
        (np.zeros((4, 128)), "taken for one"),
        (np.eye(4, 128), "told apart"),
        (np.full((4, 128), np.nan), "apart"),
    ):
        monkeypatch.setattr(likeness.Recognizer, "describe", lambda self, chips, rows=rows: rows)
        with pytest.raises(StageError, match=said):
            likeness.recogniser("cpu")


def test_training_that_gives_no_numbers_or_changes_nothing() -> None:
    model = SwapModel(PRESETS["micro64"])
    assert training.fault(model) == "training changed nothing"
    with torch.no_grad():
        for weights in model.parameters():
            weights.fill_(1.0)
        assert training.fault(model) == ""
        next(iter(model.parameters())).fill_(float("nan"))
    assert training.fault(model) == "training gave weights that are not numbers"


def test_the_vault_step_names_the_check_that_does_not_hold(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checks, "folder_gone", lambda folder: ErasureCheck(check="gone", holds=False, observed="no"))
    with pytest.raises(StageError, match="does not hold: gone"):
        artefact.vault(str(tmp_path))


def test_the_certificate_step_sees_a_check_that_accepts_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    fact = Fact(id="signature.valid", holds=True, words="")
    statement = certificate._STATEMENT
    lenient = CertificateCheck(facts=(fact,) * len(FACTS), signers=(), statement=statement)
    monkeypatch.setattr(certificate, "check_certificate", lambda pdf, trust: lenient)
    with pytest.raises(StageError, match="changed byte was not noticed"):
        certificate.sign_and_check()
    broken = replace(lenient, facts=(replace(fact, holds=False),))
    monkeypatch.setattr(certificate, "check_certificate", lambda pdf, trust: broken)
    with pytest.raises(StageError, match=r"does not hold: signature\.valid"):
        certificate.sign_and_check()
