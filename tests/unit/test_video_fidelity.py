"""What a released file keeps of any original: frames, instants, size, colour tags; without loss, every pixel."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from deid_audit.certificate.tables import video_rows
from deid_audit.errors import VideoError
from deid_audit.frames import Frame, Image
from deid_audit.video.encoding import LOSSLESS, USUAL, Encoding
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.video.writer import check_same_timing, leftover_metadata_keys, method_text, roundtrip, write_video
from tests.fakes import make_case, make_video_facts
from tests.unit.made_videos import make_video, picture

BOTH = pytest.mark.parametrize("encoding", [USUAL, LOSSLESS], ids=["usual", "lossless"])
TIMINGS = {
    "variable": ([0, 40, 95, 130, 400, 401, 1000, 1007], Fraction(1, 1000)),
    "23.976": ([i * 1001 for i in range(12)], Fraction(1, 24000)),
    "29.97": ([i * 1001 for i in range(12)], Fraction(1, 30000)),
    "59.94": ([i * 1001 for i in range(12)], Fraction(1, 60000)),
    "120": (list(range(12)), Fraction(1, 120)),
}


def opened(path: Path) -> SourceVideo:
    return open_video(path, label="subject video 1")


def copied(path: Path, encoding: Encoding) -> tuple[SourceVideo, SourceVideo]:
    """A video, and what was written of its frames, decoded again."""
    original, out = opened(path), path.with_name("case-01.mp4")
    write_video(out, read_frames(original), like=original, encoding=encoding)
    return original, opened(out)


def largest_difference(one: SourceVideo, other: SourceVideo) -> int:
    """In levels of 255, over all pixels of all frames; both have the same number of frames."""
    pairs = zip(read_frames(one), read_frames(other), strict=True)
    return max(int(np.abs(a.image_rgb.astype(int) - b.image_rgb).max()) for a, b in pairs)


def stored(path: Path, codec: str, pixel_format: str, options: dict[str, str], **tags: int) -> Path:
    """Five frames that move, in a codec and pixel format of choice; `tags` are of FFmpeg's codec context."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 160, 96, pixel_format
        for name, number in tags.items():
            setattr(stream.codec_context, name, number)
        base = picture(160, 96)
        for number in range(5):
            image = np.ascontiguousarray(np.roll(base, 3 * number, axis=1))
            frame = VideoFrame.from_ndarray(image, format="rgb24").reformat(
                format=pixel_format, dst_color_range=tags.get("color_range", 1)
            )
            for name, tag in tags.items():
                setattr(frame, name, tag)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@BOTH
@pytest.mark.parametrize("timing", TIMINGS)
def test_every_instant_is_the_originals(tmp_path: Path, timing: str, encoding: Encoding) -> None:
    stamps, time_base = TIMINGS[timing]
    _, written = copied(make_video(tmp_path / "v.mp4", stamps, time_base=time_base), encoding)
    assert [pts * written.time_base for pts in written.pts] == [stamp * time_base for stamp in stamps]


@BOTH
@pytest.mark.parametrize(
    ("size", "rotation", "shown"),
    [((361, 289), None, (361, 289)), ((361, 289), 90, (289, 361)), ((96, 64), -90, (64, 96))],
)
def test_odd_and_turned_pictures_keep_their_size(
    tmp_path: Path, size: tuple[int, int], rotation: float | None, shown: tuple[int, int], encoding: Encoding
) -> None:
    original, written = copied(make_video(tmp_path / "v.mp4", [0, 40, 90], size=size, rotation=rotation), encoding)
    check_same_timing(original, written)
    assert (written.facts.width, written.facts.height, written.facts.rotation) == (*shown, 0)


@pytest.mark.parametrize("matrix", [1, 5, 6, 9, 0, 7])
def test_lossless_gives_back_every_pixel(tmp_path: Path, matrix: int) -> None:
    """Whatever matrix was declared, also one that the usual file cannot carry; the usual file changes pixels."""
    path = stored(tmp_path / "v.mp4", "libx264", "yuv444p", {"qp": "0"}, colorspace=matrix)
    original, written = copied(path, LOSSLESS)
    assert largest_difference(original, written) == 0
    assert leftover_metadata_keys(written.facts) == ()
    assert largest_difference(*copied(path, USUAL)) > 0
    assert "lossless" in method_text(LOSSLESS) and "lossless" not in method_text()


def test_lossless_loses_nothing_of_noise_either(tmp_path: Path) -> None:
    """Noise is the worst that an encoder can be given; the controls go the same way in memory."""
    video = opened(make_video(tmp_path / "v.mp4", range(0, 400, 40), size=(98, 66)))
    random = np.random.default_rng(0)
    noise: list[Image] = [random.integers(0, 256, (66, 98, 3), dtype=np.uint8) for _ in video.pts]

    def frames() -> Iterator[Frame]:
        for at, (pts, image) in enumerate(zip(video.pts, noise, strict=True)):
            yield Frame(index=at, pts=pts, image_rgb=image)

    write_video(tmp_path / "case-01.mp4", frames(), like=video, encoding=LOSSLESS)
    for back in (read_frames(opened(tmp_path / "case-01.mp4")), roundtrip(frames(), like=video, encoding=LOSSLESS)):
        assert all(np.array_equal(frame.image_rgb, image) for frame, image in zip(back, noise, strict=True))


@BOTH
def test_ten_bits_come_out_as_the_eight_that_were_worked_on(tmp_path: Path, encoding: Encoding) -> None:
    path = stored(tmp_path / "v.mp4", "libx264", "yuv420p10le", {"crf": "4"}, colorspace=1)
    original, written = copied(path, encoding)
    check_same_timing(original, written)
    with av.open(str(path)) as before, av.open(str(written.path)) as after:
        assert next(before.decode(video=0)).format.name == "yuv420p10le"
        assert next(after.decode(video=0)).format.name == ("gbrp" if encoding.lossless else "yuv420p")
    assert largest_difference(original, written) <= (0 if encoding.lossless else 80), "at the hardest edge of colour"


@BOTH
@pytest.mark.parametrize(
    ("codec", "options"), [("libx264", {"x264-params": "tff=1"}), ("mpeg2video", {"flags": "+ildct+ilme", "b": "8M"})]
)
def test_an_interlaced_video_keeps_its_frames_and_is_named(
    tmp_path: Path, codec: str, options: dict[str, str], encoding: Encoding
) -> None:
    original, written = copied(stored(tmp_path / "v.mp4", codec, "yuv420p", options), encoding)
    check_same_timing(original, written)
    assert original.facts.interlaced and not written.facts.interlaced
    assert "both fields in one frame" in method_text(encoding)
    assert not opened(make_video(tmp_path / "p.mp4", [0, 40])).facts.interlaced


def test_the_certificate_names_an_interlaced_original() -> None:
    rows = video_rows(make_case(originals=(make_video_facts(interlaced=True),)))
    assert rows[0][3].endswith(", interlaced") and "interlaced" not in rows[-1][3]


@BOTH
@pytest.mark.parametrize("full_range", [False, True])
def test_colour_tags_are_kept(tmp_path: Path, full_range: bool, encoding: Encoding) -> None:
    """Transfer, primaries and range as declared; the matrix too, but for RGB, which has none."""
    tags = {"colorspace": 9, "color_trc": 14, "color_primaries": 9, "color_range": 2 if full_range else 1}
    original, written = copied(stored(tmp_path / "v.mp4", "libx264", "yuv420p", {"crf": "4"}, **tags), encoding)
    assert (original.colour.matrix, original.colour.full_range) == (9, full_range)
    assert (written.colour.transfer, written.colour.primaries) == (14, 9)
    assert written.colour.matrix == (0 if encoding.lossless else 9)
    assert written.colour.full_range == (encoding.lossless or full_range)
    before, after = next(read_frames(original)).image_rgb, next(read_frames(written)).image_rgb
    assert np.abs((after.astype(float) - before).mean((0, 1))).max() < 0.5, "no shift of all colours"


TAGS = ("title", "artist", "comment", "description", "location", "date", "copyright", "make", "model", "creation_time")


@BOTH
def test_of_a_file_full_of_names_only_technical_tags_are_left(tmp_path: Path, encoding: Encoding) -> None:
    tags = {tag: "2026-01-02T03:04:05Z" if tag == "creation_time" else f"SENTINEL-{tag}" for tag in TAGS}
    folder = tmp_path / "SENTINEL"
    folder.mkdir()
    path = make_video(folder / "SENTINEL.mp4", range(0, 2000, 40), tags=tags, audio=True, options={
        "movflags": "use_metadata_tags"
    })  # fmt: skip
    original, written = copied(path, encoding)
    assert len(leftover_metadata_keys(original.facts)) >= 8 and original.facts.inventory.audio_streams == 1
    assert leftover_metadata_keys(written.facts) == () and written.facts.inventory.audio_streams == 0
    data = written.path.read_bytes()
    assert not any(trace in data for trace in (b"SENTINEL", b"2026", b"x264", b"Lavf", b"Lavc"))


def test_a_millisecond_container_would_not_keep_the_instants(tmp_path: Path) -> None:
    """Why a lossless release is no Matroska: 29.97 frames a second come back rounded, and the check says so."""
    stamps = [i * 1001 for i in range(12)]
    original = opened(make_video(tmp_path / "v.mp4", stamps, time_base=Fraction(1, 30000)))
    remuxed = opened(make_video(tmp_path / "v.mkv", stamps, time_base=Fraction(1, 30000)))
    with pytest.raises(VideoError, match=r"shows frame 1 at 0\.033000 s instead of 0\.033367"):
        check_same_timing(original, remuxed)
