"""What is released beside the videos: only what was asked for, named by the case, listed with its digest."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import bagit
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import generate_frames

from deid_audit.digests import sha256_bytes
from deid_audit.errors import SettingsError, VideoError
from deid_audit.measure.keypoints import PoseTrack
from deid_audit.pipeline.beside import NOTHING_BESIDE, Beside, beside_of
from deid_audit.pipeline.packaging import write_release
from deid_audit.pipeline.reckoning import Watched
from deid_audit.settings import make_settings
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.video.writer import write_video
from tests.unit.certificates import ISSUED
from tests.unit.made_dicom import SECRET, uncompressed
from tests.unit.made_videos import make_video, picture

AT = ISSUED.isoformat()


def originals(folder: Path) -> list[SourceVideo]:
    """One DICOM object, one MP4."""
    dicom = uncompressed(folder / "a.dcm", [picture(seed=at) for at in range(4)])
    plain = make_video(folder / "b.mp4", range(0, 160, 40))
    return [open_video(path, label=f"subject video {at}") for at, path in enumerate((dicom, plain), start=1)]


def watched(folder: Path, before: list[SourceVideo]) -> list[Watched]:
    """The originals written again as they are, each with the keypoints of somebody who stands still."""
    folder.mkdir()
    found = []
    for number, video in enumerate(before, start=1):
        path = folder / f"case-01-{number:02d}.mp4"
        write_video(path, read_frames(video), like=video)
        points = np.full((len(video.pts), 17, 3), (5 * number, 7, 0.9), np.float32)
        track = PoseTrack(keypoints=points, area=np.full(len(video.pts), 9, np.float32))
        observed = SimpleNamespace(poses={"swapped": track}, text_left=())
        found.append(SimpleNamespace(released=open_video(path, label="released video"), observed=observed))
    return cast(list[Watched], found)


def packed(tmp_path: Path, beside: Beside) -> tuple[Path, dict[str, Any]]:
    """A release of both videos, and its outputs by name."""
    before = originals(tmp_path)
    videos = watched(tmp_path / "rendered", before)
    files = beside.files(videos, case_id="case-01", issued_at=AT)
    rendered = [video.released.path for video in videos]
    outputs = write_release(tmp_path / "release", rendered, case_id="case-01", kind="swap", issued_at=AT, beside=files)
    return tmp_path / "release", {one.name: one for one in outputs}


def test_everything_that_was_asked_for_is_in_the_bag_and_in_the_statement(tmp_path: Path) -> None:
    release, outputs = packed(tmp_path, Beside(dicom=("endoscopic", None), keypoints=("coco", "csv")))
    names = {one.name for one in (release / "data").iterdir()} - {"ro-crate-metadata.json"}
    assert names == {
        *("case-01-01.mp4", "case-01-01.dcm", "case-01-01.keypoints.json", "case-01-01.keypoints.csv"),
        *("case-01-02.mp4", "case-01-02.keypoints.json", "case-01-02.keypoints.csv"),
    }
    for name in names:
        listed, data = outputs[f"data/{name}"], (release / "data" / name).read_bytes()
        assert (listed.sha256, listed.size_bytes) == (sha256_bytes(data), len(data))
        assert SECRET.encode() not in data
    assert [one.role for one in list(outputs.values())[:3]] == ["video", "video", "dicom"]
    bagit.Bag(str(release)).validate()
    graph = json.loads((release / "data" / "ro-crate-metadata.json").read_text())["@graph"]
    assert {part["@id"] for part in graph[1]["hasPart"]} == names
    [inside] = generate_frames(dcmread(release / "data" / "case-01-01.dcm").PixelData, number_of_frames=1)
    video = (release / "data" / "case-01-01.mp4").read_bytes()
    assert inside[: len(video)] == video
    assert json.loads((release / "data" / "case-01-02.keypoints.json").read_text())["annotations"][0]["bbox"][0] == 10
    readme = " ".join((release / "README.txt").read_text().split())
    assert "under a DICOM header that was made anew" in readme and "movement alone can identify a person" in readme


def test_nothing_more_is_made_where_nothing_was_asked_for(tmp_path: Path) -> None:
    release, outputs = packed(tmp_path, NOTHING_BESIDE)
    assert {one.role for one in outputs.values()} == {"video", "readme", "script", "metadata", "manifest"}
    readme = (release / "README.txt").read_text()
    assert "DICOM" not in readme and "keypoints" not in readme


def test_a_dicom_original_becomes_dicom_unless_it_was_said_otherwise(tmp_path: Path) -> None:
    before = originals(tmp_path)
    kinds = {None: ("endoscopic", None), True: ("endoscopic", "photographic"), False: (None, None)}
    for choice, asked in kinds.items():
        assert beside_of(before, dicom=choice, lossless=False, keypoints=()).dicom == asked
    with pytest.raises(VideoError, match=r"subject video 1: DICOM has no place for H\.264 without loss"):
        beside_of(before, dicom=None, lossless=True, keypoints=())
    assert beside_of(before, dicom=False, lossless=True, keypoints=("csv", "csv")).keypoints == ("csv",)


def test_the_certificate_says_what_was_released_beside_the_videos() -> None:
    rows = Beside(dicom=("endoscopic", None), keypoints=("coco",)).stages()
    assert [name for name, *_ in rows] == ["DICOM", "released keypoints"]
    assert "113100" in rows[0][1] and "not claimed" in rows[0][1] and "can identify" in rows[1][1]
    assert NOTHING_BESIDE.stages() == []


def test_another_kind_of_keypoint_file_is_refused_in_the_options_words() -> None:
    with pytest.raises(SettingsError, match="--release-keypoints"):
        make_settings(
            subjects=("a.mp4",), donors=("b.mp4",), policy="release", out="out", case_id="c", release_keypoints=("bvh",)
        )
