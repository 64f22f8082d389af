"""DICOM out: outside programs accept it, nothing of the original's header is in it, the stream is the released file."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import MPEG4HP41, MPEG4HP41F, MPEG4HP422D, VideoEndoscopicImageStorage

from deid_audit.errors import VideoError
from deid_audit.video import dicom_out
from deid_audit.video.dicom_in import is_dicom
from deid_audit.video.dicom_out import DicomFacts, refuse_unfit, write_dicom
from deid_audit.video.encoding import LOSSLESS
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.video.writer import write_video
from tests.unit.made_dicom import SECRET, SECRET_UID, encapsulated, header
from tests.unit.made_videos import make_video

FACTS = DicomFacts(
    case_id="case-01", number=1, issued_at="2026-01-02T03:04:05+00:00", text_seen=False, endoscopic=False
)
ALLOWED = {
    *("SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"),
    *("Modality", "PatientName", "PatientID", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"),
    *("StudyID", "PatientBirthDate", "PatientSex", "PatientOrientation", "Manufacturer", "ManufacturerModelName"),
    *("SoftwareVersions", "PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"),
    *("LongitudinalTemporalInformationModified", "SeriesNumber", "InstanceNumber", "AcquisitionContextSequence"),
    *("AnatomicRegionSequence", "NumberOfFrames", "FrameIncrementPointer", "FrameTime", "Rows", "Columns"),
    *("SamplesPerPixel", "PlanarConfiguration", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelRepresentation", "LossyImageCompression", "LossyImageCompressionMethod", "LossyImageCompressionRatio"),
    *("PixelData", "CodeValue", "CodingSchemeDesignator", "CodeMeaning"),
}


@pytest.fixture
def original(tmp_path: Path) -> SourceVideo:
    plain = make_video(tmp_path / "v.mp4", range(0, 400, 40), tags={"title": SECRET})
    path = encapsulated(tmp_path / "original.dcm", plain.read_bytes(), header(frames=10, syntax=MPEG4HP41))
    return open_video(path, label="subject video 1")


def released(original: SourceVideo, tmp_path: Path) -> SourceVideo:
    write_video(tmp_path / "case-01-01.mp4", read_frames(original), like=original)
    return open_video(tmp_path / "case-01-01.mp4", label="released video 1")


def written(original: SourceVideo, tmp_path: Path, facts: DicomFacts = FACTS) -> tuple[Path, SourceVideo]:
    video = released(original, tmp_path)
    write_dicom(tmp_path / "case-01-01.dcm", video, facts)
    return tmp_path / "case-01-01.dcm", video


def every_element(head: Dataset) -> Iterator[tuple[str, str]]:
    """Keyword (or number) and value of each element, those of nested sequences, too."""
    for one in head.iterall():
        yield one.keyword or str(one.tag), str(one.value)


# -- outside programs --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy (Debian: dicom3tools)")
@pytest.mark.parametrize("endoscopic", [False, True])
def test_dciodvfy_finds_no_error(tmp_path: Path, original: SourceVideo, *, endoscopic: bool) -> None:
    def errors(path: Path) -> list[str]:
        said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        return [line for line in (said.stderr + said.stdout).splitlines() if line.startswith("Error")]

    path, _ = written(original, tmp_path, replace(FACTS, endoscopic=endoscopic, text_seen=True))
    assert errors(path) == []
    head = dcmread(path)
    head.Modality = "CT"
    del head.SeriesInstanceUID
    head.save_as(tmp_path / "spoilt.dcm")
    assert errors(tmp_path / "spoilt.dcm")  # it would have said so


@pytest.mark.skipif(shutil.which("dcmdump") is None, reason="needs dcmdump (Debian: dcmtk)")
def test_dcmdump_reads_it_to_the_end(tmp_path: Path, original: SourceVideo) -> None:
    def dumped(path: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["dcmdump", str(path)], capture_output=True, text=True, check=False)

    path, _ = written(original, tmp_path)
    said = dumped(path)
    assert said.returncode == 0 and not said.stderr
    assert "MPEG-4 AVC/H.264 High Profile / Level 4.1" in said.stdout and "SequenceDelimitationItem" in said.stdout
    assert SECRET not in said.stdout
    path.write_bytes(path.read_bytes()[:-200])
    assert dumped(path).returncode != 0


# -- the header --------------------------------------------------------------------------------------------------------


def test_nothing_of_the_originals_header_survives(tmp_path: Path, original: SourceVideo) -> None:
    """Every value of the original, private and nested ones included, is looked for in every byte of the new file."""
    path, _ = written(original, tmp_path)
    data = path.read_bytes()
    before = dict(every_element(dcmread(original.path, stop_before_pixels=True)))
    kept = {"SOPClassUID", "PhotometricInterpretation", "CodingSchemeDesignator"}
    secrets = [value for keyword, value in before.items() if len(value) >= 6 and keyword not in kept]
    assert len(secrets) >= 15 and any("private" in one for one in secrets)
    assert SECRET.encode() in original.path.read_bytes()  # the test can fail
    for value in [*secrets, SECRET, SECRET_UID]:
        assert value.encode() not in data
    head = dcmread(path)
    assert {keyword for keyword, _ in every_element(head)} <= ALLOWED
    assert not any(one.tag.is_private for one in head.iterall())
    assert head.file_meta.MediaStorageSOPInstanceUID == head.SOPInstanceUID


def test_the_header_says_what_was_done_and_no_more(tmp_path: Path, original: SourceVideo) -> None:
    head = dcmread(written(original, tmp_path)[0])
    assert (head.PatientIdentityRemoved, head.LongitudinalTemporalInformationModified) == ("YES", "REMOVED")
    assert [one.CodeValue for one in head.DeidentificationMethodCodeSequence] == ["113100"]
    assert "deid-audit" in str(head.DeidentificationMethod)
    assert str(head.PatientName) == head.PatientID == "case-01"
    assert not head.PatientBirthDate and not head.StudyDate and not head.PatientSex
    assert (head.NumberOfFrames, head.Rows, head.Columns, head.FrameTime) == (10, 64, 96, 40)
    assert "BurnedInAnnotation" not in head and "RecognizableVisualFeatures" not in head
    seen = dcmread(written(original, tmp_path, replace(FACTS, text_seen=True, endoscopic=True))[0])
    assert (seen.BurnedInAnnotation, seen.SOPClassUID, seen.Modality) == ("YES", VideoEndoscopicImageStorage, "ES")


def test_uids_are_new_and_follow_from_the_release_alone(tmp_path: Path, original: SourceVideo) -> None:
    first, video = written(original, tmp_path)
    again, other = tmp_path / "again.dcm", tmp_path / "other.dcm"
    write_dicom(again, video, FACTS)
    write_dicom(other, video, replace(FACTS, case_id="case-02"))
    assert first.read_bytes() == again.read_bytes()
    heads = [dcmread(one) for one in (first, other)]
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        uids = [head[keyword].value for head in heads]
        assert len(set(uids)) == 2 and all(uid.is_valid and uid.startswith("2.25.") for uid in uids)
    write_dicom(other, video, replace(FACTS, number=2))
    second = dcmread(other)
    assert second.StudyInstanceUID == heads[0].StudyInstanceUID and second.SOPInstanceUID != heads[0].SOPInstanceUID


def test_a_variable_rate_is_told_frame_by_frame(tmp_path: Path) -> None:
    video = open_video(make_video(tmp_path / "v.mp4", [0, 40, 120, 130, 250]), label="subject video 1")
    head = dcmread(written(video, tmp_path)[0])
    assert [float(one) for one in head.FrameTimeVector] == [0, 40, 80, 10, 120]
    assert head.FrameIncrementPointer == head["FrameTimeVector"].tag


# -- the stream --------------------------------------------------------------------------------------------------------


def test_the_stream_inside_is_the_released_file(tmp_path: Path, original: SourceVideo) -> None:
    path, video = written(original, tmp_path)
    [inside] = generate_frames(dcmread(path).PixelData, number_of_frames=1)
    assert inside[: video.path.stat().st_size] == video.path.read_bytes()
    assert inside[video.path.stat().st_size :] in (b"", b"\0")
    again = open_video(path, label="the DICOM file")
    assert again.pts == video.pts and again.time_base == video.time_base
    for one, other in zip(read_frames(again), read_frames(video), strict=True):
        assert np.array_equal(one.image_rgb, other.image_rgb)
    with path.open("rb") as stream:
        assert is_dicom(stream)


@pytest.mark.parametrize("largest", [1001, 1000])
def test_a_file_too_large_for_one_fragment_goes_in_several(
    tmp_path: Path, original: SourceVideo, monkeypatch: pytest.MonkeyPatch, largest: int
) -> None:
    monkeypatch.setattr(dicom_out, "_LARGEST_FRAGMENT", largest - largest % 2)
    path, video = written(original, tmp_path)
    head = dcmread(path)
    assert head.file_meta.TransferSyntaxUID == MPEG4HP41F
    [inside] = generate_frames(head.PixelData, number_of_frames=1)
    assert inside[: video.path.stat().st_size] == video.path.read_bytes()
    assert open_video(path, label="v").pts == video.pts


def test_the_syntax_follows_the_streams_own_level(tmp_path: Path) -> None:
    """1280x720 at 120 frames a second is level 4.2; the level that H.264 gives it decides."""
    video = open_video(
        make_video(tmp_path / "v.mp4", range(0, 80, 8), size=(1280, 720)), label="subject video 1"
    )  # 125 frames a second: 3600 blocks, 450,000 a second
    refuse_unfit(video, lossless=False)
    path, _ = written(video, tmp_path)
    assert dcmread(path).file_meta.TransferSyntaxUID == MPEG4HP422D


def test_what_dicom_has_no_place_for_is_refused_before_any_work(tmp_path: Path, original: SourceVideo) -> None:
    refuse_unfit(original, lossless=False)
    with pytest.raises(VideoError, match="without loss"):
        refuse_unfit(original, lossless=True)
    odd = open_video(make_video(tmp_path / "odd.mp4", range(0, 400, 40), size=(97, 64)), label="subject video 1")
    with pytest.raises(VideoError, match="odd side") as caught:
        refuse_unfit(odd, lossless=False)
    assert "--no-dicom" in caught.value.next_step
    fast = open_video(make_video(tmp_path / "f.mp4", range(10), size=(1280, 720)), label="subject video 1")
    with pytest.raises(VideoError, match="1280x720 pixels at 1000 frames"):
        refuse_unfit(fast, lossless=False)


def test_a_stream_that_is_not_what_a_syntax_says_is_not_wrapped(tmp_path: Path, original: SourceVideo) -> None:
    write_video(tmp_path / "l.mp4", read_frames(original), like=original, encoding=LOSSLESS)
    video = open_video(tmp_path / "l.mp4", label="released video 1")
    with pytest.raises(VideoError, match="profile 244"):
        write_dicom(tmp_path / "l.dcm", video, FACTS)
    assert not (tmp_path / "l.dcm").exists()
