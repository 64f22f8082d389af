"""A whole run from a DICOM object, as an endoscope's archive would hand it on, to a release in every form."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import generate_frames

from deid_audit.evidence import parse_statement
from deid_audit.video.reader import open_video
from tests.e2e.typed import EASY_POLICY, run_arguments
from tests.e2e.warm import WarmCommand
from tests.schemas import document_in
from tests.unit.made_dicom import SECRET, SECRET_UID, encapsulated, header

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def released(
    warm: WarmCommand, clips: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, dict[str, Any]]:
    """The DICOM original, OUT and what was printed."""
    folder = tmp_path_factory.mktemp("formats")
    plain = open_video(clips[0], label="clip")
    size = (plain.facts.width, plain.facts.height)
    head = header(frames=len(plain.pts), size=size, syntax="1.2.840.10008.1.2.4.102")
    original = encapsulated(folder / f"{SECRET}.dcm", clips[0].read_bytes(), head)
    (folder / "easy.toml").write_text(EASY_POLICY)
    asked = ("--policy", folder / "easy.toml", "--case-id", "c1", "--json", "--release-keypoints", "coco")
    done = warm.run(*run_arguments((original, clips[1]), folder / "out", *asked, "--release-keypoints", "csv"))
    assert done.status == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    return original, folder / "out", document_in(done.stdout)


def test_the_release_holds_every_form_by_its_digest(released: tuple[Path, Path, dict[str, Any]]) -> None:
    _, out, _ = released
    case = parse_statement((out / "evidence.json").read_bytes())
    named = {one.name: one.role for one in case.outputs}
    assert named["data/c1-01.mp4"] == "video" and named["data/c1-01.dcm"] == "dicom"
    assert named["data/c1-01.keypoints.json"] == named["data/c1-01.keypoints.csv"] == "keypoints"
    assert {"DICOM", "released keypoints"} <= {one.stage for one in case.stages}


def test_verify_sees_a_changed_dicom_file(released: tuple[Path, Path, dict[str, Any]], warm: WarmCommand) -> None:
    _, out, _ = released
    path = out / "release" / "data" / "c1-01.dcm"
    before = path.read_bytes()
    try:
        path.write_bytes(before[:-1] + b"\1")
        said = warm.run("verify", out / "certificate.pdf", "--json")
        assert "c1-01.dcm" in said.stdout and "changed" in said.stdout
    finally:
        path.write_bytes(before)
    again = document_in(warm.run("verify", out / "certificate.pdf", "--json").stdout)
    [files] = [check for check in again["checks"] if check["id"] == "files.compared"]
    assert files["status"] == "ok"


def test_the_dicom_file_holds_the_measured_stream(released: tuple[Path, Path, dict[str, Any]]) -> None:
    original, out, _ = released
    data = out / "release" / "data"
    head = dcmread(data / "c1-01.dcm")
    [inside] = generate_frames(head.PixelData, number_of_frames=1)
    video = (data / "c1-01.mp4").read_bytes()
    assert inside[: len(video)] == video
    assert head.SOPClassUID == dcmread(original).SOPClassUID
    assert open_video(data / "c1-01.dcm", label="v").times_s == open_video(original, label="v").times_s


def test_nothing_of_the_originals_header_is_anywhere(released: tuple[Path, Path, dict[str, Any]]) -> None:
    _, out, document = released
    for path in out.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert SECRET.encode() not in data and SECRET_UID.encode() not in data, path.name
    assert SECRET not in json.dumps(document)


def test_the_keypoints_are_of_every_frame(released: tuple[Path, Path, dict[str, Any]]) -> None:
    original, out, _ = released
    data, times = out / "release" / "data", open_video(original, label="v").times_s
    coco = json.loads((data / "c1-01.keypoints.json").read_text())
    rows = list(csv.DictReader((data / "c1-01.keypoints.csv").open()))
    assert np.allclose([one["time_s"] for one in coco["images"]], times, atol=1e-6)
    assert np.allclose([float(row["time_s"]) for row in rows], times, atol=1e-6)
    found = [row for row in rows if row["nose_x_px"]]
    assert len(found) == len(coco["annotations"]) > 0
    assert float(found[0]["nose_x_px"]) == pytest.approx(coco["annotations"][0]["keypoints"][0], abs=0.01)
