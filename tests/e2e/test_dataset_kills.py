"""Forty made cases and three real ones, driver and workers killed at random: the same releases as undisturbed."""

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import combinations, islice
from pathlib import Path
from typing import Any

import cv2
import pytest

from deid_audit.evidence import parse_statement
from deid_audit.frames import Image
from deid_audit.video.reader import open_video, read_frames
from tests.e2e.short_clips import pictures_of, write_pictures
from tests.e2e.typed import EASY_POLICY, command, deid_audit
from tests.processes import workers_of
from tests.sample_clips import SAMPLES
from tests.schemas import document_in

pytestmark = [pytest.mark.e2e, pytest.mark.soak]
MADE, KILLS, FRAMES = 40, 12, 50
TOO_SHORT = {"P03", "P13", "P23", "P33"}
"""Made cases with too few faces to learn from."""
REAL = {
    "manA": "talking_head/clm_manA_cap13.mp4",
    "womanC": "talking_head/egoblur_womanC.mp4",
    "manF": "full_body/latentsync_manF_seated_gestures.mp4",
}
REAL_DONOR = "talking_head/clm_franck.mp4"


@dataclass
class Study:
    """A folder with a data set's file, made of some of the subjects."""

    folder: Path
    subjects: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, pictures: list[Image], donor: str) -> None:
        (self.folder / name).mkdir()
        height, width = (edge // 2 * 2 for edge in pictures[0].shape[:2])
        write_pictures(self.folder / name / "a.mp4", [one[:height, :width] for one in pictures])
        self.subjects.append({"name": name, "videos": [f"{name}/a.mp4"], "donors": [donor]})

    def written(self, file: str, subjects: list[dict[str, Any]], *, same_face: set[str]) -> Path:
        """The data set of some subjects; those of the same face are told to be different people all the same."""
        lines = ["schema = 1", 'title = "Kills"', 'policy = "easy.toml"', "iterations = 2"]
        pairs = combinations((one["name"] for one in subjects if one["name"] in same_face), 2)
        lines.append(f"different_people = {json.dumps(list(pairs))}")
        for one in subjects:
            lines += ["[[subject]]", *(f"{key} = {json.dumps(value)}" for key, value in one.items())]
        path = self.folder / file
        path.write_text("\n".join(lines))
        return path


def pictures_from(sample: str) -> list[Image]:
    """The first pictures of a real clip, at most 960 pixels high."""
    shown = [one.image_rgb for one in islice(read_frames(open_video(SAMPLES / sample, label="a real clip")), FRAMES)]
    scale = min(1.0, 960 / shown[0].shape[0])
    return [cv2.resize(one, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for one in shown]


@pytest.fixture
def study(clips: tuple[Path, Path], tmp_path: Path) -> Study:
    """Forty subjects made from one by scale and light; three real ones and a second donor where the samples are."""
    made = Study(tmp_path / "study")
    (made.folder / "donors").mkdir(parents=True)
    (made.folder / "easy.toml").write_text(EASY_POLICY)
    donors = ["donors/0.mp4"]
    write_pictures(made.folder / "donors" / "0.mp4", pictures_of(clips[1]))
    if all((SAMPLES / one).is_file() for one in (*REAL.values(), REAL_DONOR)):
        donors.append("donors/1.mp4")
        write_pictures(made.folder / "donors" / "1.mp4", pictures_from(REAL_DONOR))
        for name, sample in REAL.items():
            made.add(name, pictures_from(sample), "donors/1.mp4")
    else:
        print(f"no real cases: set DEID_AUDIT_SAMPLES to the folder that holds {', '.join(REAL.values())}")
    pictures = pictures_of(clips[0])[: FRAMES // 2]
    for at in range(MADE):
        scale, name = 1 + at % 5 / 20, f"P{at:02d}"
        shown = [cv2.convertScaleAbs(cv2.resize(one, None, fx=scale, fy=scale), beta=at % 8) for one in pictures]
        made.add(name, shown[:8] if name in TOO_SHORT else shown * 2, donors[at % len(donors)])
    return made


def killed_at_random(
    arguments: tuple[object, ...], chance: random.Random, told: Path
) -> tuple[Counter[str], subprocess.CompletedProcess[str]]:
    """Starts the command until it ends by itself, killing it or a worker meanwhile; `told` gets its standard error."""
    kills = Counter[str]()
    while True:
        with told.open("w") as errors:
            driver = subprocess.Popen(
                command(*arguments), env=os.environ, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        while True:
            left = kills.total() < KILLS
            try:
                said, _ = driver.communicate(timeout=chance.uniform(10, 120) if left else 7200)
                break
            except subprocess.TimeoutExpired:
                if not left:
                    driver.kill()
                    raise
                if driver.poll() is not None:  # killed, and not yet gone
                    continue
                victim = chance.choice([driver.pid, *workers_of(driver.pid)])
                with suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
                    kills["driver" if victim == driver.pid else "worker"] += 1
        if driver.returncode != -signal.SIGKILL:
            return kills, subprocess.CompletedProcess(driver.args, driver.returncode, said)
        time.sleep(1)  # what it had started is to notice


def what_was_released(out: Path, case_id: str) -> tuple[Any, ...]:
    """The films' digests, and every number that was measured."""
    case = parse_statement((out / "cases" / case_id / "evidence.json").read_bytes())
    films = sorted(one.sha256 for one in case.outputs if one.name.endswith(".mp4"))
    return films, case.verdict, case.measurements


def test_kills_change_neither_the_cases_nor_what_is_released(study: Study, tmp_path: Path) -> None:
    out, alone = tmp_path / "out", tmp_path / "alone"
    same_face = {one["name"] for one in study.subjects} - set(REAL)
    path = study.written("dataset.toml", study.subjects, same_face=same_face)
    asked = ("dataset", "run", path, "--out", out, "--workers", 2, "--json")
    kills, done = killed_at_random(asked, random.Random(40), tmp_path / "told")
    assert done.returncode == 3, (tmp_path / "told").read_text()
    ran = document_in(done.stdout)
    print(dict(kills), Counter(one["outcome"] for one in ran["cases"]))
    assert kills["driver"] and kills["worker"]
    assert len(ran["cases"]) == len(study.subjects) == len({one["case_id"] for one in ran["cases"]})
    ends = {study.subjects[one["subject"] - 1]["name"]: one for one in ran["cases"]}
    assert {name for name, one in ends.items() if one["outcome"] == "refused" and one["message"]} == TOO_SHORT
    case_ids = {name: one["case_id"] for name, one in ends.items() if one["outcome"] == "done"}
    assert case_ids.keys() | TOO_SHORT == ends.keys()
    assert {one.name for one in (out / "cases").iterdir()} == set(case_ids.values())
    journal = [json.loads(line) for line in (out / "steward" / "journal.jsonl").read_text().splitlines()]
    ended = Counter(one["case_id"] for one in journal if one["event"] == "ended" and one["outcome"] != "broken")
    assert set(ended.values()) == {1} and len(ended) == len(study.subjects)
    verified = deid_audit("verify", out / "set", "--trust", out / "set" / "signer.crt")
    assert verified.returncode in (0, 3), verified.stdout

    started = Counter(one["case_id"] for one in journal if one["event"] == "started")
    hit = [name for name, case_id in case_ids.items() if started[case_id] > 1]
    print(f"{len(hit)} of the released cases were begun more than once: {', '.join(hit)}")
    assert hit
    some = [one for one in study.subjects if one["name"] in {*hit[-4:], *(REAL.keys() & case_ids.keys())}]
    path = study.written("some.toml", some, same_face=same_face)
    undisturbed = document_in(deid_audit("dataset", "run", path, "--out", alone, "--workers", 2, "--json").stdout)
    for subject, one in zip(some, undisturbed["cases"], strict=True):
        assert what_was_released(out, case_ids[subject["name"]]) == what_was_released(alone, one["case_id"])
    print(f"{len(some)} of them, {', '.join(one['name'] for one in some)}, are the same undisturbed")
