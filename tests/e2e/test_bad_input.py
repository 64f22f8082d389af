"""Everything that can be wrong with what `deid-audit run` is given: one message, the right status, nothing left.

The cases that the reader alone decides are held closely in the unit tests; here each is shown as the user meets it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.e2e.short_clips import FRAMES, pictures_of, side_by_side, write_pictures
from tests.e2e.warm import NOBODY, Done, WarmCommand, arguments, assert_one_message
from tests.unit.made_videos import make_video, picture

pytestmark = pytest.mark.e2e
STAMPS = range(0, 1200, 40)


# Bad files ----------------------------------------------------------------------------------------------------------


def _text(path: Path) -> None:
    path.write_text("no video\n" * 500)


def _cut_in_the_middle(path: Path) -> None:
    data = make_video(path, STAMPS, options={"movflags": "+faststart"}).read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _no_frames(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        container.start_encoding()


def _sound_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 44100, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _photo(path: Path) -> None:
    jpeg = path.with_suffix(".jpg")
    with av.open(str(jpeg), "w", format="image2") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(), format="rgb24")))
        container.mux(stream.encode(None))
    jpeg.rename(path)


def _unknown_codec(path: Path) -> None:
    _rename_codec(path, b"zzzz")


def _wrong_codec(path: Path) -> None:
    _rename_codec(path, b"hvc1")


def _rename_codec(path: Path, name: bytes) -> None:
    data = make_video(path, STAMPS).read_bytes()
    assert data.count(b"avc1") == 2  # as a compatible brand, and as the codec
    position = data.rindex(b"avc1")
    path.write_bytes(data[:position] + name + data[position + 4 :])


def _announcing(width: int, height: int) -> Callable[[Path], None]:
    """Small JPEG pictures in an AVI file, whose headers, the AVI's and every picture's, say another size."""

    def make(path: Path) -> None:
        write_pictures(path.with_suffix(".avi"), [picture()] * 10, codec="mjpeg")
        data = path.with_suffix(".avi").read_bytes()
        path.with_suffix(".avi").unlink()
        little = (96).to_bytes(4, "little") + (64).to_bytes(4, "little")
        big = (64).to_bytes(2, "big") + (96).to_bytes(2, "big")
        assert data.count(little) == 2 and data.count(b"\xff\xc0\x00\x11\x08" + big) == 10
        data = data.replace(little, width.to_bytes(4, "little") + height.to_bytes(4, "little"))
        path.write_bytes(data.replace(big, height.to_bytes(2, "big") + width.to_bytes(2, "big")))

    return make


def _copied(path: Path, container_format: str, stamp: Callable[[int], int | None]) -> None:
    """The packets of a video, undecoded, with other timestamps of presentation."""
    source = make_video(path.with_name("source.mp4"), STAMPS)
    with av.open(str(source)) as container, av.open(str(path), "w", format=container_format) as out:
        stream = out.add_stream_from_template(container.streams.video[0])
        for number, packet in enumerate(container.demux(video=0)):
            if packet.size:
                packet.stream = stream
                packet.pts = stamp(number * 40) if packet.time_base == Fraction(1, 1000) else packet.pts
                out.mux(packet)
    source.unlink()


def _not_rising(path: Path) -> None:
    """The tenth frame says the time of the fourth: its block's timestamp in the Matroska file, counted in ms."""
    data = bytearray(make_video(path.with_suffix(".mkv"), STAMPS).read_bytes())
    path.with_suffix(".mkv").unlink()
    block = data.index(b"\x81" + (400).to_bytes(2, "big"), data.index(b"\x1f\x43\xb6\x75"))
    data[block + 1 : block + 3] = (160).to_bytes(2, "big")
    path.write_bytes(data)


def _without_timestamps(path: Path) -> None:
    _copied(path, "h264", lambda stamp: stamp)


BAD_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "does not exist"),
    "unreadable": (_text, "is not a video that FFmpeg can read"),
    "truncated in the middle": (_cut_in_the_middle, "holds damaged data"),
    "empty": (Path.touch, "is empty (0 bytes)"),
    "no frames": (_no_frames, "holds no video stream"),
    "audio only": (_sound_only, "holds no video stream, only audio"),
    "JPEG named mp4": (_photo, "is a still image"),
    "folder": (Path.mkdir, "is a folder"),
    "FIFO": (os.mkfifo, "is not a regular file"),
    "unknown codec": (_unknown_codec, "in a format that FFmpeg cannot decode"),
    "wrong codec": (_wrong_codec, "holds damaged data"),
    "announces 16000x16000": (_announcing(16000, 16000), "pictures of more than 35,651,584 pixels"),
    "announces 32000x32000": (_announcing(32000, 32000), "pictures of more than 35,651,584 pixels"),
    "timestamps not rising": (_not_rising, "timestamps that do not rise"),
    "timestamps missing": (_without_timestamps, "frames without a timestamp"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_ends_with_1(warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path, case: str) -> None:
    make, message = BAD_FILES[case]
    bad = tmp_path / "in" / "bad.mp4"
    bad.parent.mkdir()
    make(bad)
    done = warm.run(*arguments(bad, clips[1], tmp_path / "out"), timeout_s=60)
    assert_one_message(done, 1, message, bad)
    assert "subject video 1" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_bad_donor_is_named_as_such(warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path) -> None:
    done = warm.run(*arguments(clips[0], tmp_path / "no.mp4", tmp_path / "out"))
    assert_one_message(done, 1, "donor video 1 does not exist")
    assert list(tmp_path.iterdir()) == []


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@needs_root
def test_a_file_of_somebody_else_ends_with_1(warm: WarmCommand, clips: tuple[Path, Path], open_folder: Path) -> None:
    private = open_folder / "private.mp4"
    private.write_bytes(clips[0].read_bytes())
    private.chmod(0o600)
    for name in ("work", "log"):
        (open_folder / name).mkdir()
        (open_folder / name).chmod(0o777)
    log = ("--log", open_folder / "log")
    done = warm.run(*arguments(private, clips[1], open_folder / "work" / "out", *log), user=NOBODY)
    assert_one_message(done, 1, "subject video 1 may not be read by this user", private)
    assert list((open_folder / "work").iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_permission_ends_with_1(
    warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    private = tmp_path / "private.mp4"
    private.write_bytes(clips[0].read_bytes())
    private.chmod(0)
    assert_one_message(warm.run(*arguments(private, clips[1], tmp_path / "out")), 1, "may not be read", private)
    assert [path.name for path in tmp_path.iterdir()] == ["private.mp4"]


def test_a_file_that_changes_between_the_passes_ends_with_1(
    warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    """Exchanged for a video of the same size, length and instants when its faces have been found."""
    (tmp_path / "in").mkdir()
    subject, other = tmp_path / "in" / "subject.mp4", tmp_path / "in" / "other.mp4"
    shutil.copy(clips[0], subject)
    write_pictures(other, pictures_of(clips[0])[::-1])
    running = warm.start(*arguments(subject, clips[1], tmp_path / "out"))
    while "finding faces, subject" not in running.said and not running.ended(0.05):
        continue
    other.replace(subject)
    assert_one_message(running.wait(120), 1, "subject video 1 changed while it was being read", subject)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


# Videos that do not carry a swap --------------------------------------------------------------------------------------


def test_donor_equal_to_subject_ends_with_2(warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path) -> None:
    again = write_pictures(tmp_path / "again.mkv", pictures_of(clips[0])[:44], codec="mpeg4")
    done = warm.run(*arguments(clips[0], again, tmp_path / "out"))
    assert_one_message(done, 2, "the donor looks like the subject", again)
    assert [path.name for path in tmp_path.iterdir()] == ["again.mkv"]


@pytest.mark.parametrize(
    ("who", "frames", "message"),
    [
        ("subject", None, "no face of anyone in subject video 1"),
        ("subject", 1, "seen longest is in 1 frames, at least 5"),
        ("subject", 20, "subject: 20 usable faces found, at least 40 are needed"),
        ("donor", 20, "donor: 20 usable faces found, at least 40 are needed"),
    ],
)
def test_too_little_face_ends_with_3(
    warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path, who: str, frames: int | None, message: str
) -> None:
    given = {"subject": clips[0], "donor": clips[1]}
    pictures = [picture(128, 128)] * 8 if frames is None else pictures_of(given[who])[:frames]
    given[who] = write_pictures(tmp_path / "in.mp4", pictures)
    done = warm.run(*arguments(given["subject"], given["donor"], tmp_path / "out"))
    assert_one_message(done, 3, message, given[who])
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_two_people_of_whom_each_could_be_the_subject_end_with_3(
    warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    both = side_by_side(tmp_path / "both.mp4", *clips)
    done = warm.run(*arguments(both, clips[1], tmp_path / "out"))
    assert_one_message(done, 3, f"two people could be the subject: seen in {FRAMES} and {FRAMES} frames", both)
    assert [path.name for path in tmp_path.iterdir()] == ["both.mp4"]


def test_a_refusal_in_a_process_of_its_own(tmp_path: Path) -> None:
    """The other cases run in forks of one warm process; this one as a shell starts it."""
    os.mkfifo(tmp_path / "fifo.mp4")
    typed = arguments(tmp_path / "fifo.mp4", tmp_path / "fifo.mp4", tmp_path / "out")
    done = subprocess.run(
        [sys.executable, "-m", "deid_audit", *map(str, typed)], capture_output=True, text=True, check=False, timeout=120
    )
    assert_one_message(Done(status=done.returncode, stdout=done.stdout, stderr=done.stderr), 1, "not a regular file")
    assert [path.name for path in tmp_path.iterdir()] == ["fifo.mp4"]
