"""The beginning of a job: a steward's answers are read, or refused, before any work is done."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deid_audit.errors import ContextFileError, Interrupted, LogError, NotEnoughFaces, SettingsError
from deid_audit.findings import Outcome
from deid_audit.log import RunEnded, log_folder
from deid_audit.pipeline import job
from deid_audit.pipeline.job import prepare
from deid_audit.progress import SilentProgress
from deid_audit.settings import make_settings
from tests.unit.certificates import signer

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Heard(SilentProgress):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(autouse=True)
def _leave_the_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "protect_process", dict)
    monkeypatch.setattr(job, "prepare_runtime", lambda device: 1)


def begun(tmp_path: Path, text: str | None, policy: str = "expert-determination") -> tuple[Any, list[str]]:
    file = None
    if text is not None:
        file = tmp_path / "context.toml"
        file.write_text(text)
    settings = make_settings(
        subjects=(Path("s.mp4"),), donors=(Path("d.mp4"),), policy=policy, out=tmp_path / "out", case_id="case-1",
        device="cpu", context=file,
    )  # fmt: skip
    heard = Heard()
    return prepare("swap", settings, signer=signer(), progress=heard, clock=lambda: NOW), heard.lines


def test_answers_reach_the_job_and_what_is_missing_is_said_before_the_work(tmp_path: Path) -> None:
    made, said = begun(tmp_path, 'reviewer = "the head of the clinic"\nclaim_basis = "consent"\n')
    assert [(one.field, one.answer) for one in made.context] == [
        ("claim_basis", "consent"),
        ("reviewer", "the head of the clinic"),
    ]
    [line] = said
    assert "recipient: not answered" in line and "claim_basis: answered, but not with what the policy accepts" in line
    assert "reviewer" not in line and "head of the clinic" not in line


def test_a_policy_that_asks_nothing_is_served_without_a_word(tmp_path: Path) -> None:
    made, said = begun(tmp_path, None, "release")
    assert (made.context, said) == ((), [])


def test_what_cannot_be_taken_ends_the_job_before_it_begins(tmp_path: Path) -> None:
    for text in ('patient = "Jane Doe"\n', "valid_until = 2026-01-01\n"):
        with pytest.raises(ContextFileError):
            begun(tmp_path, text)
    assert not (tmp_path / "out").exists()


def logged_events(made: Any) -> list[dict[str, Any]]:
    """The entries of the job's log that are about its case."""
    lines = (log_folder(None) / "log.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    return [one for one in entries if one.get("case_id") == made.case_id]


def test_a_refused_job_stands_in_the_log_by_its_errors_class_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEID_AUDIT_LOG", str(tmp_path / "log"))
    made, _ = begun(tmp_path, None, "release")
    assert not (tmp_path / "log").exists()  # what is refused before the work is no run
    with pytest.raises(NotEnoughFaces), made.logged():
        raise NotEnoughFaces("subject video 1 shows Anna")
    with pytest.raises(Interrupted), made.logged():
        raise Interrupted("stopped", exit_code=143)
    with pytest.raises(KeyError), made.logged():
        raise KeyError("Anna")
    assert [(one["event"], one.get("error"), one.get("exit_code")) for one in logged_events(made)] == [
        ("run_started", None, None),
        ("run_refused", "NotEnoughFaces", 3),
        ("run_started", None, None),
        ("run_refused", "Interrupted", 143),
        ("run_started", None, None),
        ("run_refused", "KeyError", 1),
    ]
    assert "Anna" not in (tmp_path / "log" / "log.jsonl").read_text()


def test_without_a_log_no_work_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log").write_text("not a folder")
    monkeypatch.setenv("DEID_AUDIT_LOG", str(tmp_path / "log"))
    made, _ = begun(tmp_path, None, "release")
    with pytest.raises(LogError), made.logged():
        pytest.fail("work was begun")


@pytest.mark.parametrize("place", ["out", "out/log", "out.partial/audit/log"])
def test_a_log_that_would_be_replaced_with_the_output_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("DEID_AUDIT_LOG", str(tmp_path / place))
    with pytest.raises(SettingsError, match="may not lie in the output folder"):
        begun(tmp_path, None, "release")
    assert not (tmp_path / "out").exists()


def test_an_end_is_logged_only_once_everything_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEID_AUDIT_LOG", str(tmp_path / "log"))
    made, _ = begun(tmp_path, None, "release")
    digest = "ab" * 32
    end = RunEnded(
        case_id=made.case_id, kind="swap", verdict=Outcome.PASSED, statement_sha256=digest, certificate_sha256=digest
    )
    with pytest.raises(OSError), made.logged():
        made.ended.append(end)
        raise OSError(28, "the rename failed")
    assert [one["event"] for one in logged_events(made)] == ["run_started", "run_refused"]
    with made.logged():
        pass
    assert [one["event"] for one in logged_events(made)][2:] == ["run_started", "run_ended"]
