"""A whole data set with real cases, as a shell starts it: killed half-way, gone on with, and verified as a set."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.short_clips import SENTINEL
from tests.e2e.typed import EASY_POLICY, command, deid_audit
from tests.schemas import document_in

pytestmark = pytest.mark.e2e


def write_study(root: Path, clips: tuple[Path, Path]) -> Path:
    """One subject, the demo's, under a name that must stay with the steward."""
    subject, donor = clips
    (root / f"sub-{SENTINEL.replace('-', '')}" / "ses-01" / "video").mkdir(parents=True)
    (root / "donors").mkdir()
    video = root / f"sub-{SENTINEL.replace('-', '')}" / "ses-01" / "video" / "tap.mp4"
    video.write_bytes(subject.read_bytes())
    (root / "donors" / "d.mp4").write_bytes(donor.read_bytes())
    (root / "easy.toml").write_text(EASY_POLICY)
    made = deid_audit("dataset", "init", root, "--json")
    assert made.returncode == 0, made.stderr
    assert document_in(made.stdout)["layout"] == "bids"
    path = root / "dataset.toml"
    path.write_text(path.read_text().replace('policy = "release"', 'policy = "easy.toml"\niterations = 3'))
    return path


def test_a_study_is_checked_run_killed_gone_on_with_and_verified(clips: tuple[Path, Path], tmp_path: Path) -> None:
    root, out = tmp_path / "study", tmp_path / "out"
    path = write_study(root, clips)
    checked = deid_audit("dataset", "check", path, "--json")
    foreseen = document_in(checked.stdout)
    assert checked.returncode == 0, foreseen["problems"]
    assert foreseen["estimate"]["case_seconds"][0] > 0
    started = subprocess.Popen(
        command("dataset", "run", path, "--out", out), env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 300
    while not list(out.glob("cases/*.partial/work/*.enc")) and started.poll() is None:  # it trains, or has
        assert time.monotonic() < until
        time.sleep(0.1)
    started.send_signal(signal.SIGKILL)
    started.wait()
    done = deid_audit("dataset", "run", path, "--out", out, "--json")
    ran = document_in(done.stdout)
    assert done.returncode == 0, (done.stderr, ran["cases"])
    [case] = ran["cases"]
    assert (case["outcome"], case["verdict"]) == ("done", "PASSED")
    assert [one.name for one in (out / "cases").iterdir()] == [case["case_id"]]
    certificate = out / "cases" / case["case_id"] / "certificate.pdf"
    written = certificate.stat().st_mtime_ns
    again = deid_audit("dataset", "run", path, "--out", out, "--json")
    assert document_in(again.stdout)["cases"][0]["case_id"] == case["case_id"]
    assert certificate.stat().st_mtime_ns == written  # nothing was run a second time
    verified = deid_audit("verify", out / "set", "--trust", out / "set" / "signer.crt", "--json")
    document = document_in(verified.stdout)
    assert verified.returncode == 0 and document["released"] == 1, document
    statement = document_in((out / "set" / "dataset.json").read_text())
    assert statement["predicate"]["cases"][0]["case_id"] == case["case_id"]
    found = statement["predicate"]["identification"]
    assert (found["looked_at"], found["without_face"], found["not_told"], found["gallery"]) == (1, 0, 0, 1)
    assert found["faces"] >= 20 and found["near_own"]["share"] is not None and ran["found"][0] == found["words"]
    name = SENTINEL.replace("-", "").encode()
    told = [one for one in (out / "set").rglob("*") if one.is_file() and name in one.read_bytes()]
    assert not told and name not in (done.stdout + done.stderr).encode()
    assert json.loads(done.stdout)["package"] == str(out / "set")
