"""Verifications and decisions reach the log of whoever keeps one, and nobody's log is made by a look."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deid_audit.log import Approved, Journal, Verified
from deid_audit.pipeline.noting import note

SEEN = Verified(statement_sha256=None, exit_code=1)


def events(folder: Path) -> list[str]:
    return [json.loads(line)["event"] for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this user's log would be."""
    monkeypatch.setenv("DEID_AUDIT_LOG", str(tmp_path / "own"))
    return tmp_path / "own"


def test_a_look_makes_no_log_of_its_own(own: Path) -> None:
    assert note(None, lambda: SEEN) == ""
    assert not own.exists()


def test_where_a_log_is_kept_or_named_it_is_noted(own: Path, tmp_path: Path) -> None:
    Journal(own, clock=lambda: datetime.now(UTC)).append(SEEN)
    assert note(None, lambda: SEEN) == ""
    assert events(own) == ["verified", "verified"]
    assert note(tmp_path / "named", lambda: SEEN) == ""
    assert events(tmp_path / "named") == ["verified"]


def test_what_cannot_be_noted_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert "not noted in the log" in note(tmp_path / "file", lambda: SEEN)
    digest = "ab" * 32
    strange = note(tmp_path / "log", lambda: Approved(case_id="a b\n", statement_sha256=digest, signer_sha256=digest))
    assert "a name that the log does not take" in strange
