"""The same statement and steward's folder give the same unsigned certificate, wherever and whenever it is laid out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import rfc8785

from deid_audit.digests import sha256_bytes
from deid_audit.errors import StageError
from deid_audit.findings import Outcome
from deid_audit.pipeline.issuing import write_audit
from tests.reissuing import unsigned_again
from tests.unit.certificates import certified, figures

ROOT = Path(__file__).resolve().parents[2]


def _left_behind(out: Path, outcome: Outcome) -> Path:
    """What a job leaves of this case for its certificate: the statement and the steward's folder."""
    made = certified(outcome)
    out.mkdir()
    (out / "evidence.json").write_bytes(made.statement)
    write_audit(
        out, [], figures(), why=None, why_pictures={}, learning_curve=None, measurements=made.case.measurements,
        log=[], digest_key=b"",
    )  # fmt: skip
    return out


def test_statement_and_audit_folder_give_the_same_unsigned_bytes_in_another_surrounding(tmp_path: Path) -> None:
    """Two processes that differ in time zone, hash seed, language, home, folder; one has an empty font configuration.

    Both make the bytes that were signed: a signature is added behind them.
    """
    out = _left_behind(tmp_path / "out", Outcome.FAILED)
    empty = tmp_path / "fonts.conf"
    empty.write_text('<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig></fontconfig>')
    surroundings = (
        {"TZ": "UTC", "PYTHONHASHSEED": "1", "LC_ALL": "C", "LANG": "C"},
        {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8", "LANG": "tr_TR.UTF-8", "HOME": str(tmp_path)}
        | {"FONTCONFIG_FILE": str(empty), "COLUMNS": "20"},
    )
    without = {"SOURCE_DATE_EPOCH", *(key for one in surroundings for key in one)}
    environment = {key: value for key, value in os.environ.items() if key not in without}
    answers = []
    for changes, folder in zip(surroundings, (ROOT, tmp_path), strict=True):
        done = subprocess.run(
            [sys.executable, "-m", "tests.reissuing", out],
            env=environment | {"PYTHONPATH": str(ROOT)} | changes,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-500:]
        answers.append(done.stdout.split())
    assert answers == [[sha256_bytes(certified(Outcome.FAILED).unsigned), "False"]] * 2, "or matplotlib was imported"
    assert certified(Outcome.FAILED).pdf.startswith(certified(Outcome.FAILED).unsigned)


def test_another_statement_or_picture_gives_other_bytes_or_none(tmp_path: Path) -> None:
    out = _left_behind(tmp_path / "out", Outcome.PASSED)
    assert unsigned_again(out) == certified(Outcome.PASSED).unsigned
    statement = json.loads((out / "evidence.json").read_bytes())
    statement["predicate"]["figures"][0]["caption"] += "."
    (out / "evidence.json").write_bytes(rfc8785.dumps(statement))
    assert unsigned_again(out) != certified(Outcome.PASSED).unsigned
    (out / "audit" / "figures" / "roc.svg").write_bytes(b"<svg/>")
    with pytest.raises(StageError, match="not those that the statement names"):
        unsigned_again(out)
