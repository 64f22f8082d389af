"""DICOM in: the encapsulated stream's own frames and instants, pictures one by one, and clear words for the rest."""

import io
import warnings
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from pydicom import dcmread
from pydicom.uid import (
    HEVCMP51,
    MPEG2MPML,
    MPEG4HP41,
    MPEG4HP41F,
    UID,
    JPEGBaseline8Bit,
    VideoEndoscopicImageStorage,
)

from deid_audit.digests import keyed_digest_streams
from deid_audit.errors import VideoError
from deid_audit.video import dicom_in, material
from deid_audit.video.dicom_in import FragmentStream
from deid_audit.video.reader import SourceVideo, frames_at, open_video, read_frames
from deid_audit.video.sound import read_sound
from tests.unit.made_dicom import SECRET, encapsulated, header, uncompressed
from tests.unit.made_videos import make_video, picture

LABEL = "subject video 1"


def opened(path: Path) -> SourceVideo:
    return open_video(path, label=LABEL)


def pictures_of(path: Path) -> list[np.ndarray]:
    return [frame.image_rgb for frame in read_frames(opened(path))]


def raw_stream(codec: str, form: str, *, count: int = 12) -> bytes:
    """Frames at 25 a second in a container without, or with rounded, timestamps."""
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.max_b_frames = 2
        for at in range(count):
            image = np.ascontiguousarray(np.clip(picture().astype(int) + 3 * at, 0, 255).astype(np.uint8))
            container.mux(stream.encode(VideoFrame.from_ndarray(image)))
        container.mux(stream.encode(None))
    return out.getvalue()


@pytest.mark.parametrize("pieces", [1, 3])
def test_an_encapsulated_mp4_gives_its_own_frames_and_instants(tmp_path: Path, pieces: int) -> None:
    plain = make_video(tmp_path / "v.mp4", [0, 33, 80, 120, 180, 200], audio=True)
    head = header(frames=6, syntax=MPEG4HP41F if pieces > 1 else MPEG4HP41)
    wrapped = opened(encapsulated(tmp_path / "v.dcm", plain.read_bytes(), head, pieces=pieces))
    bare = opened(plain)
    assert wrapped.times_s == bare.times_s and wrapped.facts.codec == "h264" and wrapped.facts.variable_rate
    for ours, theirs in zip(read_frames(wrapped), read_frames(bare), strict=True):
        assert np.array_equal(ours.image_rgb, theirs.image_rgb)
    assert wrapped.dicom_class == VideoEndoscopicImageStorage and bare.dicom_class == ""
    assert len(list(read_sound(wrapped, rate=16000, channels=1))) == 1
    assert [time for time, _ in frames_at(tmp_path / "v.dcm", [2], label=LABEL)] == [bare.times_s[2]]


def test_names_of_the_header_are_listed_and_no_value(tmp_path: Path) -> None:
    plain = make_video(tmp_path / "v.mp4", range(0, 240, 40))
    facts = opened(encapsulated(tmp_path / "v.dcm", plain.read_bytes(), header(frames=6, syntax=MPEG4HP41))).facts
    wanted = {"dicom.PatientName", "dicom.(0099,1001)", "dicom.ProcedureCodeSequence"}
    assert wanted <= set(facts.inventory.metadata_keys)
    assert SECRET not in facts.model_dump_json()


@pytest.mark.parametrize(
    ("codec", "form", "syntax"),
    [
        ("libx264", "mpegts", MPEG4HP41),
        ("libx265", "mpegts", HEVCMP51),
        ("libx264", "h264", MPEG4HP41),
        ("libx265", "hevc", HEVCMP51),
        ("mpeg2video", "mpeg2video", MPEG2MPML),
    ],
)
def test_streams_of_every_kind_are_timed(tmp_path: Path, codec: str, form: str, syntax: UID) -> None:
    """An elementary stream has no instants of its own: the header's frame time counts."""
    path = encapsulated(tmp_path / "v.dcm", raw_stream(codec, form), header(frames=12, syntax=syntax))
    video = opened(path)
    assert np.allclose(video.times_s, np.arange(12) / 25, atol=1e-4)
    brightness = [float(frame.image_rgb.mean()) for frame in read_frames(video)]
    assert brightness == sorted(brightness)  # in the order of presentation, B-frames too


def test_a_frame_time_of_few_digits_means_the_nearest_rate(tmp_path: Path) -> None:
    stream = raw_stream("mpeg2video", "mpeg2video")
    head = header(frames=12, syntax=MPEG2MPML, frame_time="33.3667")
    assert opened(encapsulated(tmp_path / "v.dcm", stream, head)).time_base == Fraction(1001, 30000)
    head = header(frames=12, syntax=MPEG2MPML, frame_time=None)
    head.CineRate = 50
    assert opened(encapsulated(tmp_path / "w.dcm", stream, head)).time_base == Fraction(1, 50)
    head = header(frames=12, syntax=MPEG2MPML, frame_time=None)
    head.FrameTimeVector = ["0", *["40.5"] * 11]
    assert opened(encapsulated(tmp_path / "x.dcm", stream, head)).times_s[:3] == (0.0, 0.0405, 0.081)


def test_uncompressed_frames_come_back_exactly(tmp_path: Path) -> None:
    frames = [picture(seed=at) for at in range(4)]
    path = uncompressed(tmp_path / "v.dcm", frames)
    assert all(np.array_equal(a, b) for a, b in zip(pictures_of(path), frames, strict=True))
    assert opened(path).times_s == (0.0, 0.04, 0.08, 0.12)


def test_grey_frames_become_rgb(tmp_path: Path) -> None:
    frames = [picture(seed=at)[..., 0] for at in range(3)]
    for kind in ("MONOCHROME2", "MONOCHROME1"):
        path = uncompressed(tmp_path / f"{kind}.dcm", frames, SamplesPerPixel=1, PhotometricInterpretation=kind)
        expected = [np.repeat((one if kind == "MONOCHROME2" else 255 - one)[..., None], 3, axis=2) for one in frames]
        assert all(np.array_equal(a, b) for a, b in zip(pictures_of(path), expected, strict=True))


def test_jpeg_frames_are_decoded_one_by_one(tmp_path: Path) -> None:
    from PIL import Image as Pillow  # noqa: PLC0415

    frames = [picture(seed=at) for at in range(3)]
    head = header(frames=3, syntax=JPEGBaseline8Bit)
    head.PhotometricInterpretation = "YBR_FULL_422"
    encoded = []
    for one in frames:
        out = io.BytesIO()
        Pillow.fromarray(one).save(out, "JPEG", quality=95)
        encoded.append(out.getvalue() + b"\0" * (len(out.getvalue()) % 2))
    from pydicom.encaps import encapsulate  # noqa: PLC0415

    head.PixelData = encapsulate(encoded)
    head["PixelData"].VR = "OB"
    head.save_as(tmp_path / "v.dcm", enforce_file_format=True)
    shown = pictures_of(tmp_path / "v.dcm")
    assert len(shown) == 3
    assert all(np.abs(a.astype(int) - b).mean() < 4 for a, b in zip(shown, frames, strict=True))


def test_the_digest_is_of_the_whole_dicom_file(tmp_path: Path) -> None:
    path = uncompressed(tmp_path / "v.dcm", [picture(), picture(seed=1)])
    digest = open_video(path, label=LABEL, digest_key=b"k" * 32).facts.keyed_digest
    assert digest == keyed_digest_streams([io.BytesIO(path.read_bytes())], b"k" * 32)


# -- what is refused ---------------------------------------------------------------------------------------------------


def _spoil(path: Path, keyword: str, value: object) -> Path:
    head = dcmread(path)
    setattr(head, keyword, value)
    head.save_as(path)
    return path


def test_what_cannot_be_read_whole_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = make_video(tmp_path / "v.mp4", range(0, 240, 40)).read_bytes()

    def wrapped(name: str, **changes: object) -> Path:
        path = encapsulated(tmp_path / name, plain, header(frames=6, syntax=MPEG4HP41))
        for keyword, value in changes.items():
            _spoil(path, keyword, value)
        return path

    def refused(path: Path, words: str) -> None:
        with pytest.raises(VideoError, match=words) as caught:
            opened(path)
        assert str(caught.value).startswith(LABEL) and caught.value.next_step
        assert SECRET not in f"{caught.value}" and str(tmp_path) not in f"{caught.value}"

    refused(wrapped("more.dcm", NumberOfFrames=7), "holds 6 frames, and its header says 7")
    cut = wrapped("cut.dcm")
    cut.write_bytes(cut.read_bytes()[:-300])
    refused(cut, "cut off")
    empty = encapsulated(tmp_path / "empty.dcm", b"", header(frames=6, syntax=MPEG4HP41))
    refused(empty, "pixel data is empty|cannot be read|cut off")
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(bytes(128) + b"DICM" + bytes(200))
    refused(broken, "header cannot be read|without pictures|without an encapsulated")
    two = [picture(), picture(seed=1)]
    refused(uncompressed(tmp_path / "one.dcm", two[:1]), "still image")
    refused(uncompressed(tmp_path / "timeless.dcm", two, FrameTime=None), "how long a frame lasts")
    refused(uncompressed(tmp_path / "deep.dcm", two, BitsAllocated=16), "16 bits a sample")
    refused(uncompressed(tmp_path / "palette.dcm", two, PhotometricInterpretation="PALETTE COLOR"), "PALETTE COLOR")
    refused(uncompressed(tmp_path / "short.dcm", two, NumberOfFrames=3), "damaged|holds 2 frames")
    large = uncompressed(tmp_path / "large.dcm", two)
    monkeypatch.setattr(dicom_in, "LARGEST_PIXELS", 96 * 64 - 1)
    assert material.LARGEST_PIXELS > 96 * 64
    refused(large, "announces pictures of 96x64")


def spelled(path: Path, keyword: str, text: str, kind: str = "LO") -> Path:
    """The element as text, under a kind of value that holds any."""
    head = dcmread(path)
    head.pop(keyword, None)
    head.add_new(keyword, kind, text)
    head.save_as(path)
    return path


def replaced(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert len(old) == len(new) and old in data
    path.write_bytes(data.replace(old, new))
    return path


def test_no_value_of_a_header_is_warned_of(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """pydicom quotes values that do not fit their kind: UIDs, numbers, character sets; it is not let say so."""
    plain = make_video(tmp_path / "v.mp4", range(0, 240, 40)).read_bytes()
    wrapped = encapsulated(tmp_path / "v.dcm", plain, header(frames=6, syntax=MPEG4HP41))
    loose = uncompressed(tmp_path / "w.dcm", [picture(), picture(seed=1)])
    for path in (wrapped, loose):
        spelled(path, "SpecificCharacterSet", "ISO 2022 IR 6", "CS")
        spelled(path, "InstanceNumber", "123456789012")
        replaced(path, b"ISO 2022 IR 6", SECRET.encode() + b" X")
        replaced(path, b"LO\x0c\x00123456789012", b"IS\x0c\x00" + SECRET.encode() + b" ")
        replaced(
            path, b"1.2.826.0.1.3680043.8.498.99999999999.2", b"1.2.826.0.1." + SECRET.encode() + b"8.99999999999.2."
        )
    with pytest.warns(UserWarning, match=SECRET):
        dcmread(loose).get("StudyInstanceUID")
    caplog.clear()
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("always")
        for path in (wrapped, loose):
            pictures_of(path)
    assert not noticed and not caplog.records and capfd.readouterr() == ("", "")


@pytest.mark.parametrize("keyword", ["PhotometricInterpretation", "BitsAllocated", "Rows", "Columns", "FrameTime"])
def test_no_value_of_a_header_stands_in_an_error(tmp_path: Path, keyword: str) -> None:
    path = uncompressed(tmp_path / "v.dcm", [picture(), picture(seed=1)], BitsAllocated=16)
    if keyword == "FrameTime":
        path = uncompressed(tmp_path / "v.dcm", [picture(), picture(seed=1)])
    with pytest.raises(VideoError) as caught:
        opened(spelled(path, keyword, SECRET))
    assert SECRET not in f"{caught.value} {caught.value.next_step}" and caught.value.__cause__ is None
    if keyword == "PhotometricInterpretation":
        assert "16 bits a sample, of an unknown kind" in f"{caught.value}"


def test_no_intermediate_file_is_made(tmp_path: Path) -> None:
    """The stream is read where it lies: while frames come, no other file of the video is open or written."""
    plain = make_video(tmp_path / "v.mp4", range(0, 4000, 40))
    path = encapsulated(tmp_path / "v.dcm", plain.read_bytes(), header(frames=100, syntax=MPEG4HP41))
    plain.unlink()
    frames = read_frames(opened(path))
    next(frames)
    written = [
        target for entry in Path("/proc/self/fd").iterdir() if (target := entry.resolve()).suffix in (".mp4", ".tmp")
    ]
    assert not written and sorted(one.name for one in tmp_path.iterdir()) == ["v.dcm"]


def test_fragments_read_as_one_stream() -> None:
    data = bytes(range(100))
    stream = FragmentStream(io.BytesIO(data), [(10, 5), (30, 7), (90, 3)])
    whole = data[10:15] + data[30:37] + data[90:93]
    assert stream.read(100) and stream.seek(0) == 0
    assert io.BufferedReader(stream).read() == whole
    assert stream.seek(-4, io.SEEK_END) == 11 and stream.tell() == 11 and stream.read(1) == whole[11:12]
    assert stream.seek(1, io.SEEK_CUR) == 13 and stream.seek(99) == 99 and stream.read(1) == b""
