"""A refused job explains itself: each rule that is not met, with pictures of the withheld file and of nothing else."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pikepdf
import pytest

from deid_audit.pipeline.demo_clips import write_demo_clips
from deid_audit.progress import SilentProgress
from deid_audit.video.reader import open_video, read_frames
from tests.schemas import document_in

pytestmark = pytest.mark.e2e


def test_a_refused_run_is_explained_in_the_steward_s_folder_only(tmp_path: Path) -> None:
    subject, donor = write_demo_clips(tmp_path, SilentProgress(), seconds=60 / 25)
    out = tmp_path / "out"
    command = ("run", "--subject", subject, "--donor", donor, "--out", out, "--iterations", 3, "--json")
    done = subprocess.run(
        [sys.executable, "-m", "deid_audit", *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 3, done.stderr
    result = document_in(done.stdout)
    unmet = [one for one in result["findings"] if one["outcome"] in ("FAILED", "INDETERMINATE")]
    named = [(one["rule"]["metric"], one["reason"]) for one in unmet]
    assert [(one["metric"], one["reason"]) for one in result["explanations"]] == named
    assert "coverage.frames" in [metric for metric, _ in named]  # sixty frames are too few for `release`
    assert all(one["next_steps"] for one in result["explanations"])

    text = (out / "audit" / "why.txt").read_text(encoding="utf-8")
    assert all(f"{number}. {metric} of swapped" in text for number, (metric, _) in enumerate(named, start=1))
    asked = {one["picture"] for one in result["explanations"] if one["picture"]}
    pictures = {path.name: path for path in (out / "audit" / "why").iterdir()}
    assert asked == set(pictures) != set()
    frames = list(read_frames(open_video(next((out / "withheld").iterdir()), label="withheld")))
    original = list(read_frames(open_video(subject, label="original")))
    for one in result["explanations"]:
        if one["picture"]:
            picture = cv2.imread(str(pictures[one["picture"]]))[:, :, ::-1]
            index = one["worst"]["frame"]
            assert picture_differs(picture, frames[index].image_rgb) < 3
            assert picture_differs(picture, original[index].image_rgb) > 10, "a planted original is caught"
    with pikepdf.open(out / "certificate.pdf") as pdf:
        streams = [one for one in pdf.objects if isinstance(one, pikepdf.Stream)]
        assert not [one for one in streams if one.get("/Subtype") == "/Image"]


def picture_differs(picture: np.ndarray, frame: np.ndarray) -> float:
    """Mean difference inside the middle of the demo's face, in levels; the thin box lies outside."""
    size = (picture.shape[1], picture.shape[0])
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(float)
    rows, columns = slice(90, 150), slice(160, 210)
    return float(np.abs(picture[rows, columns] - small[rows, columns]).mean())
