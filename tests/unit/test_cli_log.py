"""`deid-audit log` as it is typed: exit statuses, what is printed where, which folder it looks in."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.log import log_folder
from deid_audit.log.events import Verified
from deid_audit.log.storage import VARIABLE
from tests.schemas import document_in
from tests.unit.log_building import EVENTS, SIGNER, STARTED, filled, rewrite


def run(*words: str | Path, **variables: str | None) -> Any:
    return CliRunner().invoke(build_app(), ["log", *map(str, words)], env=variables)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    filled(tmp_path / "log")
    return tmp_path / "log"


# -- which folder -----------------------------------------------------------------------------------------------------


def test_the_tests_and_the_processes_they_start_have_a_log_of_their_own(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    script = "from deid_audit.log import log_folder; print(log_folder(None))"
    started = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    assert tmp_path_factory.getbasetemp() in log_folder(None).parents
    assert Path(started) == log_folder(None)


def test_the_folder_is_the_one_asked_for_then_the_variable_then_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "from-variable")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    monkeypatch.setenv("HOME", "/home-of")
    assert log_folder(Path("asked")) == Path("asked")
    assert log_folder(None) == Path("from-variable")
    monkeypatch.setenv(VARIABLE, "")
    assert log_folder(None) == Path("/state/deid-audit/log")
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_STATE_HOME", value)
        assert log_folder(None) == Path("/home-of/.local/state/deid-audit/log")
    monkeypatch.delenv(VARIABLE)
    monkeypatch.delenv("XDG_STATE_HOME")
    assert log_folder(None) == Path("/home-of/.local/state/deid-audit/log")


def test_every_command_looks_where_the_variable_says(folder: Path, tmp_path: Path) -> None:
    where = {VARIABLE: str(folder)}
    assert run("verify", **where).exit_code == 0
    assert run("show", **where).exit_code == 0
    assert run("prove", "case-1", "--out", tmp_path / "proof.json", **where).exit_code == 0


# -- verify -----------------------------------------------------------------------------------------------------------


def test_verify_says_what_it_knows_and_what_it_does_not(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes((folder / "checkpoint").read_bytes())
    result = run("verify", "--log", folder)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("ok      5 entries of deid-audit/")
    assert "cut off the end, or a log made anew, are seen only against a checkpoint kept elsewhere" in result.stdout
    result = run("verify", "--log", folder, "--since", kept)
    assert result.exit_code == 0
    assert "ok      it begins with the 5 entries of the older checkpoint" in result.stdout


def test_verify_tells_problems_by_line_20_at_most(folder: Path) -> None:
    rewrite(folder, lambda lines: [lines[0].replace(b"case-1", b"case-2"), *lines[1:]])
    result = run("verify", "--log", folder)
    assert result.exit_code == 1
    assert "FAILED  line 2: it does not follow" in result.stdout and "ok " not in result.stdout
    document = document_in(run("verify", "--log", folder, "--json").stdout)
    assert (document["ok"], document["problem_count"], document["problems"][1]["line"]) == (False, 2, 2)
    rewrite(folder, lambda lines: [b"{}"] * 33)
    result = run("verify", "--log", folder)
    assert result.stdout.count("FAILED  line") == 18  # what is about the whole comes first
    assert "FAILED  and 15 more, 35 in all" in result.stdout
    document = document_in(run("verify", "--log", folder, "--json").stdout)
    assert (len(document["problems"]), document["problem_count"]) == (20, 35)


def test_verify_of_nothing_is_an_error(tmp_path: Path, folder: Path) -> None:
    result = run("verify", "--log", tmp_path / "nowhere", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error: there is no log in this folder" in result.stderr and "next: " in result.stderr
    result = run("verify", "--log", folder, "--since", tmp_path / "nowhere")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "the older checkpoint cannot be read" in result.stderr


def test_verify_with_another_logs_checkpoint_fails(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text(filled(tmp_path / "other").checkpoint(), encoding="utf-8")
    result = run("verify", "--log", folder, "--since", kept)
    assert result.exit_code == 1 and "another key" in result.stdout
    document = document_in(run("verify", "--log", folder, "--since", kept, "--json").stdout)
    assert (document["ok"], document["since_size"]) == (False, None)


# -- show -------------------------------------------------------------------------------------------------------------


def test_show_prints_a_table(folder: Path) -> None:
    result = run("show", "--log", folder)
    lines = result.stdout.splitlines()
    assert result.exit_code == 0 and len(lines) == 6
    assert lines[0].split() == ["SEQ", "TIME", "EVENT", "CASE", "DETAILS"]
    assert lines[3].split()[:4] == ["2", "2026-01-02T03:04:08Z", "run_ended", "case-1"]
    assert "verdict PASSED, statement_sha256 abababababababab," in lines[3]
    assert "whether it was changed: deid-audit log verify" in result.stderr


def test_show_of_one_case_has_the_checks_of_its_statement(tmp_path: Path) -> None:
    others = (STARTED.model_copy(update={"case_id": "case-2"}), Verified(statement_sha256=None, exit_code=1))
    filled(tmp_path / "log", (*EVENTS, *others))
    document = document_in(run("show", "--log", tmp_path / "log", "--case", "case-1", "--json").stdout)
    assert [row["seq"] for row in document["entries"]] == [0, 1, 2, 3, 4]
    assert document["entries"][4]["signer_sha256"] == SIGNER
    other = document_in(run("show", "--log", tmp_path / "log", "--case", "case-2", "--json").stdout)
    assert [row["event"] for row in other["entries"]] == ["run_started"]
    assert document_in(run("show", "--log", tmp_path / "log", "--case", "nobody", "--json").stdout)["entries"] == []


def test_show_of_a_line_that_is_no_entry_is_an_error(folder: Path) -> None:
    rewrite(folder, lambda lines: [*lines, b"{}"])
    result = run("show", "--log", folder, "--json")
    assert (result.exit_code, result.stdout) == (1, "") and "line 6 is not an entry" in result.stderr


# -- prove and check-proof --------------------------------------------------------------------------------------------


def test_a_proof_is_made_and_checked(folder: Path, tmp_path: Path) -> None:
    proof, kept = tmp_path / "proof.json", tmp_path / "kept"
    kept.write_bytes((folder / "checkpoint").read_bytes())
    made = run("prove", "case-1", "--out", proof, "--log", folder, "--since", kept)
    key = (folder / "log.pub").read_text().strip()
    assert made.exit_code == 0 and key in made.stdout
    alone = run("check-proof", proof)
    assert alone.exit_code == 0 and "ok      entry 2 of the 5 of deid-audit/" in alone.stdout
    assert "it does not show whose log this is" in alone.stdout
    result = run("check-proof", proof, "--key", key, "--checkpoint", kept)
    assert result.exit_code == 0 and "note" not in result.stdout
    document = document_in(run("check-proof", proof, "--key", key, "--json").stdout)
    assert (document["ok"], document["key_given"], document["checkpoint_given"]) == (True, True, False)
    assert document["entry"]["case_id"] == "case-1"


def test_the_proof_is_what_json_prints(folder: Path, tmp_path: Path) -> None:
    proof = tmp_path / "proof.json"
    printed = run("prove", "case-1", "--out", proof, "--log", folder, "--json").stdout
    assert document_in(printed) == json.loads(proof.read_text(encoding="utf-8"))


def test_a_proof_that_does_not_hold(folder: Path, tmp_path: Path) -> None:
    proof = tmp_path / "proof.json"
    run("prove", "case-1", "--out", proof, "--log", folder)
    proof.write_text(proof.read_text().replace("PASSED", "FAILED"))
    result = run("check-proof", proof)
    assert result.exit_code == 1 and result.stdout.startswith("FAILED  the hashes do not lead")
    document = document_in(run("check-proof", proof, "--json").stdout)
    assert (document["ok"], len(document["problems"])) == (False, 1)
    proof.write_text(proof.read_text().replace("—", "-").replace("\\u2014", "-").replace('"{', '"{{'))
    document = document_in(run("check-proof", proof, "--json").stdout)
    assert (document["entry"], document["size"], len(document["problems"])) == (None, None, 2)


def test_wrong_usage(folder: Path, tmp_path: Path) -> None:
    proof = tmp_path / "proof.json"
    assert run("prove", "case-1", "--out", proof, "--log", folder).exit_code == 0
    before = proof.read_bytes()
    again = run("prove", "case-1", "--out", proof, "--log", folder)
    assert again.exit_code == 2 and "File exists" in again.stderr and proof.read_bytes() == before
    assert run("prove", "case-1", "--log", folder).exit_code == 2
    wrong = run("check-proof", proof, "--key", "nonsense")
    assert wrong.exit_code == 2 and "error: --key: this is no verifier key" in wrong.stderr
    assert run("check-proof", tmp_path / "nowhere").exit_code == 1
    nobody = run("prove", "nobody", "--out", tmp_path / "none.json", "--log", folder)
    assert nobody.exit_code == 1 and not (tmp_path / "none.json").exists()
