"""A whole data set with real cases, as a shell starts it: killed half-way, gone on with, and verified as a set."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import cv2
import pytest

from tests.e2e.short_clips import SENTINEL, pictures_of, write_pictures
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


@pytest.mark.soak
def test_forty_short_cases_and_kills_at_random(clips: tuple[Path, Path], tmp_path: Path) -> None:
    """Forty subjects made from one by scale and light, planted failures, kills: all is there, and the set verifies."""
    root, out, chance = tmp_path / "study", tmp_path / "out", random.Random(40)
    pictures = pictures_of(clips[0])[:25]
    lines = ["schema = 1", 'title = "Forty"', 'policy = "easy.toml"', "iterations = 2", 'donors = ["donors/d.mp4"]']
    names = [f"P{at:02d}" for at in range(40)]
    lines.append(f"different_people = {json.dumps([[a, b] for at, a in enumerate(names) for b in names[at + 1 :]])}")
    (root / "donors").mkdir(parents=True)
    (root / "donors" / "d.mp4").write_bytes(clips[1].read_bytes())
    (root / "easy.toml").write_text(EASY_POLICY)
    for at, name in enumerate(names):
        (root / name).mkdir()
        scale = 1 + at % 5 / 20
        shown = [cv2.convertScaleAbs(cv2.resize(one, None, fx=scale, fy=scale), beta=at % 8) for one in pictures]
        few = shown[:8] if at % 10 == 3 else shown * 2  # too few faces to learn from; forty are needed
        even = [one[: one.shape[0] // 2 * 2, : one.shape[1] // 2 * 2] for one in few]
        write_pictures(root / name / "a.mp4", even)
        lines += ["[[subject]]", f'name = "{name}"', f'videos = ["{name}/a.mp4"]']
    path = root / "dataset.toml"
    path.write_text("\n".join(lines))
    kills = 0
    while True:
        running = subprocess.Popen(
            command("dataset", "run", path, "--out", out, "--workers", 2, "--json"),
            env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            said, _ = running.communicate(timeout=chance.uniform(30, 300) if kills < 15 else None)
        except subprocess.TimeoutExpired:
            running.kill()
            running.communicate()
            kills += 1
            continue
        break
    ran = document_in(said)
    assert running.returncode == 3 and len(ran["cases"]) == 40 == len({one["case_id"] for one in ran["cases"]})
    refused = {one["subject"] for one in ran["cases"] if one["outcome"] == "refused"}
    assert refused == {4, 14, 24, 34} and not [one for one in ran["cases"] if one["outcome"] == "broken"]
    verified = deid_audit("verify", out / "set", "--trust", out / "set" / "signer.crt")
    assert verified.returncode in (0, 3), verified.stdout
