"""`vault status`: a run at work, a killed one, checkpoints and an ended run are told apart, and nothing is changed."""

import io
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from deid_audit.__main__ import build_app
from deid_audit.errors import SettingsError
from deid_audit.evidence import build_statement
from deid_audit.pipeline import staging
from deid_audit.pipeline.leftovers import find_leftovers
from deid_audit.pipeline.staging import WORK, staged
from deid_audit.vault import Vault
from tests.fakes import make_case


def status(out: Path) -> Result:
    return CliRunner().invoke(build_app(), ["vault", "status", str(out)])


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """OUT of a run that was killed with one artefact in its vault and a video half written."""
    partial = tmp_path / "out.partial"
    (partial / "rendered").mkdir(parents=True)
    (partial / ".deid-audit-partial").touch()
    (partial / "rendered" / ".c-01.mp4.part").write_bytes(b"film")
    vault = Vault(tmp_path / "vault", run_id="c", clock=lambda: datetime.now(UTC))
    with vault.write("weights") as stream:
        stream.write(bytes(100_000))
    (tmp_path / "vault").rename(partial / WORK)
    vault.destroy()
    return tmp_path / "out"


def test_where_nothing_is_nothing_is_left(tmp_path: Path) -> None:
    done = status(tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "no run is at work here" in done.output
    assert "swap" in done.output and "a key would be held in" in done.output


def test_a_run_at_work_is_no_killed_one(tmp_path: Path) -> None:
    with staged(tmp_path / "out", force=False) as partial:
        vault = Vault(partial / WORK, run_id="c", clock=lambda: datetime.now(UTC))
        with vault, vault.write("weights") as stream:
            stream.write(bytes(10))
            done = status(tmp_path / "out")
    assert done.exit_code == 3
    assert "a run is at work here: 1 encrypted files" in done.output
    assert "killed" not in done.output


def test_a_killed_run_is_described_and_left_as_it_is(killed: Path) -> None:
    before = sorted((path, path.lstat().st_mtime_ns) for path in killed.parent.rglob("*"))
    found = find_leftovers(killed).killed
    assert found is not None
    assert (found.alive, found.ciphertexts, found.doubtful, found.videos) == (False, 1, (), 1)
    assert found.ciphertext_bytes > 100_000
    done = status(killed)
    assert done.exit_code == 3
    assert "a run was killed here" in done.output and "no audit has passed" in done.output
    assert sorted((path, path.lstat().st_mtime_ns) for path in killed.parent.rglob("*")) == before


@pytest.mark.parametrize("kind", ["archive", "array", "picture", "text", "another name", "link"])
def test_what_is_no_ciphertext_is_named(killed: Path, kind: str) -> None:
    work = killed.with_name("out.partial") / WORK
    path = work / ("crops.bin" if kind == "another name" else "0002.enc")
    if kind == "link":
        path.symlink_to(work / "0001.enc")
    else:
        stream = io.BytesIO()
        {
            "archive": lambda: np.savez(stream, np.zeros(3)),
            "array": lambda: np.save(stream, np.zeros(3)),
            "picture": lambda: stream.write(b"\x89PNG\r\n\x1a\n" + bytes(60)),
            "text": lambda: stream.write(b"frame,distance\n" * 9),
            "another name": lambda: stream.write(os.urandom(99)),
        }[kind]()
        path.write_bytes(stream.getvalue())
    found = find_leftovers(killed).killed
    assert found is not None and found.doubtful == (path.name,)
    assert f"NOT ENCRYPTED BY THE LOOK OF IT: {path.name}" in status(killed).output


@pytest.mark.parametrize("name", ["out.checkpoint", "out.checkpoint.new"])
def test_a_checkpoint_is_left_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(os.urandom(99))
    done = status(tmp_path / "out")
    assert done.exit_code == 3
    assert "an encrypted checkpoint of training" in done.output


@pytest.mark.parametrize("complete", [True, False])
def test_an_ended_run_tells_of_its_erasure(tmp_path: Path, complete: bool) -> None:
    case = make_case()
    if not complete:
        bad = case.erasure.checks[0].model_copy(update={"holds": False})
        rows = tuple(
            row.model_copy(update={"value": 0.0}) if row.metric == "erasure.complete" else row
            for row in case.measurements
        )
        erasure = case.erasure.model_copy(update={"checks": (bad, *case.erasure.checks[1:])})
        case = make_case(erasure=erasure, measurements=rows, outputs_folder="withheld")
    (tmp_path / "evidence.json").write_bytes(build_statement(case))
    done = status(tmp_path)
    assert done.exit_code == (0 if complete else 3), done.output
    assert f"erasure {'complete' if complete else 'NOT COMPLETE'}" in done.output


def test_a_folder_with_another_evidence_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "evidence.json").write_text("{}")
    with pytest.raises(SettingsError, match="is no statement"):
        find_leftovers(tmp_path)
    done = status(tmp_path)
    assert done.exit_code == 2 and "next: give the --out of a run" in done.output


def test_a_run_is_at_work_until_its_output_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(staging, "_sync_tree", lambda folder: seen.append(find_leftovers(tmp_path / "out").killed))
    with staged(tmp_path / "out", force=False):
        pass
    assert [one is not None and one.alive for one in seen] == [True]


def test_kept_references_are_something_left(tmp_path: Path) -> None:
    case = make_case()
    rows = tuple(
        row.model_copy(update={"value": 1.0}) if row.metric == "erasure.references_kept" else row
        for row in case.measurements
    )
    case = make_case(erasure=case.erasure.model_copy(update={"references_kept": True}), measurements=rows)
    (tmp_path / "evidence.json").write_bytes(build_statement(case))
    done = status(tmp_path)
    assert done.exit_code == 3, done.output
    assert "face descriptors of the subject were kept by request" in done.output


def test_a_place_without_a_name_is_refused() -> None:
    done = status(Path("/"))
    assert done.exit_code == 2 and "internal error" not in done.output
