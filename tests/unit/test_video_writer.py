"""A written video has the original's size and instants, true colours and nothing else; a lost frame is an error."""

import itertools
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from deid_audit.errors import VideoError
from deid_audit.frames import Frame, Image
from deid_audit.video.colour import ColourTags
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.video.writer import (
    CONTAINER_KEYS,
    check_same_timing,
    leftover_metadata_keys,
    roundtrip,
    write_video,
)
from tests.sample_clips import sample
from tests.unit.made_videos import make_video, picture


def opened(path: Path) -> SourceVideo:
    return open_video(path, label="subject video 1")


def copied(path: Path, out: Path) -> tuple[SourceVideo, SourceVideo]:
    """A video, and what `write_video` made of its frames, decoded again."""
    original = opened(path)
    write_video(out, read_frames(original), like=original)
    return original, opened(out)


def psnr_db(one: Image, other: Image) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other.astype(float)) ** 2)))


@pytest.mark.parametrize(
    ("name", "stamps", "time_base"),
    [
        ("variable.mp4", [0, 40, 95, 130, 400, 401, 1000], Fraction(1, 1000)),
        ("film.mp4", [i * 1001 for i in range(30)], Fraction(1, 24000)),
        ("ntsc.mp4", [i * 1001 for i in range(30)], Fraction(1, 30000)),
        ("ntsc.avi", list(range(30)), Fraction(1001, 30000)),
        ("microseconds.mp4", [0, 33367, 66733, 100101, 133467], Fraction(1, 1_000_000)),
        ("late_start.mkv", list(range(733, 1200, 33)), Fraction(1, 1000)),
        ("one.mp4", [0], Fraction(1, 1000)),
        ("two.mp4", [0, 7], Fraction(1, 1000)),
        ("slow.mp4", [0, 5000, 10_000], Fraction(1, 1000)),
    ],
)
def test_timestamps_are_exact(tmp_path: Path, name: str, stamps: list[int], time_base: Fraction) -> None:
    original, written = copied(make_video(tmp_path / name, stamps, time_base=time_base), tmp_path / "out.mp4")
    expected = [(stamp - stamps[0]) * time_base for stamp in stamps]
    assert [pts * written.time_base for pts in written.pts] == expected
    check_same_timing(original, written)
    assert written.facts.duration_s == pytest.approx(original.facts.duration_s, abs=1e-6)


def test_a_start_before_zero_loses_no_frame(tmp_path: Path) -> None:
    """MP4 would hide frames before zero behind an edit list; they are moved instead."""
    video = opened(make_video(tmp_path / "v.mkv", range(0, 400, 40)))
    early = replace(video, pts=tuple(pts - 120 for pts in video.pts))
    frames = (Frame(index=f.index, pts=f.pts - 120, image_rgb=f.image_rgb) for f in read_frames(video))
    write_video(tmp_path / "out.mp4", frames, like=early)
    written = opened(tmp_path / "out.mp4")
    check_same_timing(early, written)
    assert written.pts[0] == 0 and len(written.pts) == 10


@pytest.mark.parametrize("size", [(96, 64), (97, 64), (96, 63), (97, 63), (540, 66), (2, 2), (17, 2)])
def test_size_is_kept_also_when_odd(tmp_path: Path, size: tuple[int, int]) -> None:
    original, written = copied(make_video(tmp_path / "v.mp4", [0, 40, 80], size=size), tmp_path / "out.mp4")
    check_same_timing(original, written)
    assert (written.facts.width, written.facts.height) == size


def test_a_turned_video_is_written_upright(tmp_path: Path) -> None:
    original, written = copied(make_video(tmp_path / "v.mp4", [0, 40, 80], rotation=-90), tmp_path / "out.mp4")
    assert (written.facts.width, written.facts.height, written.facts.rotation) == (64, 96, 0)
    before, after = next(read_frames(original)).image_rgb, next(read_frames(written)).image_rgb
    assert psnr_db(before, after) > 35


def _source(path: Path, size: tuple[int, int], tags: ColourTags) -> tuple[SourceVideo, Image]:
    """A source video that declares `tags`, and the picture that its one frame shall have."""
    video = replace(opened(make_video(path, [0], size=size)), colour=tags)
    return video, picture(*size, seed=3)


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (641, 481)])
@pytest.mark.parametrize("matrix", [2, 1, 6, 5, 9, 0])
def test_colours_survive_whatever_matrix_was_declared(tmp_path: Path, size: tuple[int, int], matrix: int) -> None:
    video, image = _source(tmp_path / "v.mp4", size, ColourTags(matrix=matrix))
    write_video(tmp_path / "out.mp4", [Frame(index=0, pts=video.pts[0], image_rgb=image)], like=video)
    after = next(read_frames(opened(tmp_path / "out.mp4"))).image_rgb
    assert psnr_db(image, after) > 40
    assert np.abs((after.astype(float) - image).mean((0, 1))).max() < 0.5


def test_a_photo_survives(tmp_path: Path) -> None:
    skimage_data = pytest.importorskip("skimage.data")
    photo: Image = skimage_data.astronaut()
    video, _ = _source(tmp_path / "v.mp4", (512, 512), ColourTags())
    (back,) = roundtrip([Frame(index=0, pts=0, image_rgb=photo)], like=video)
    assert psnr_db(photo, back.image_rgb) > 38  # 4:2:0 alone, before any encoder, leaves 41 dB of this sharp picture
    assert np.abs((back.image_rgb.astype(float) - photo).mean((0, 1))).max() < 0.5


def test_the_written_file_declares_the_matrix_it_was_made_with(tmp_path: Path) -> None:
    for size, matrix in (((640, 480), 6), ((1280, 720), 1)):
        _, written = copied(make_video(tmp_path / "v.mp4", [0, 40], size=size), tmp_path / "out.mp4")
        assert written.colour.matrix == matrix
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert next(container.decode(video=0)).color_range == 1


def test_sample_aspect_ratio_is_kept(tmp_path: Path) -> None:
    video = replace(opened(make_video(tmp_path / "v.mp4", [0, 40])), sample_aspect_ratio=Fraction(16, 15))
    write_video(tmp_path / "out.mp4", read_frames(video), like=video)
    assert opened(tmp_path / "out.mp4").sample_aspect_ratio == Fraction(16, 15)


def test_nothing_but_pictures_is_written(tmp_path: Path) -> None:
    tags = {"title": "SENTINEL-NAME", "comment": "SENTINEL-NAME", "location": "+12.3+045.6/"}
    path = make_video(tmp_path / "SENTINEL-NAME.mp4", range(0, 2000, 40), tags=tags, audio=True)
    original, written = copied(path, tmp_path / "out.mp4")
    assert original.facts.inventory.audio_streams == 1 and leftover_metadata_keys(original.facts)
    inventory = written.facts.inventory
    assert (inventory.audio_streams, inventory.subtitle_streams, inventory.data_streams) == (0, 0, 0)
    assert leftover_metadata_keys(written.facts) == ()
    assert set(inventory.metadata_keys) <= CONTAINER_KEYS
    data = (tmp_path / "out.mp4").read_bytes()
    for trace in (b"SENTINEL", b"x264", b"Lavf", b"Lavc", str(tmp_path).encode()):
        assert trace not in data


def test_leftover_keys_are_named(tmp_path: Path) -> None:
    facts = opened(make_video(tmp_path / "v.mp4", [0, 40])).facts
    inventory = facts.inventory.model_copy(update={"metadata_keys": ("artist", "encoder", "title")})
    assert leftover_metadata_keys(facts.model_copy(update={"inventory": inventory})) == ("artist", "title")


def test_two_writes_give_the_same_bytes(tmp_path: Path) -> None:
    source = make_video(tmp_path / "v.mp4", range(0, 1200, 40))
    copied(source, tmp_path / "one.mp4")
    copied(source, tmp_path / "two.mp4")
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


@pytest.mark.parametrize("size", [(96, 64), (97, 63)])
def test_roundtrip_gives_the_frames_of_the_written_file(tmp_path: Path, size: tuple[int, int]) -> None:
    stamps = [0, 40, 95, 130, 400, *range(440, 2400, 40)]
    original, written = copied(make_video(tmp_path / "v.mp4", stamps, size=size), tmp_path / "out.mp4")
    in_memory = roundtrip(read_frames(original), like=original)
    for back, stored, pts in zip(in_memory, read_frames(written), original.pts, strict=True):
        assert back.pts == pts and back.index == stored.index
        assert np.array_equal(back.image_rgb, stored.image_rgb)


def test_roundtrip_holds_few_frames(tmp_path: Path) -> None:
    video = opened(make_video(tmp_path / "v.mp4", range(0, 12_000, 40)))
    taken, ahead = 0, 0

    def counted() -> Iterator[Frame]:
        nonlocal taken
        for frame in read_frames(video):
            taken += 1
            yield frame

    for frame in roundtrip(counted(), like=video):
        ahead = max(ahead, taken - frame.index - 1)
    assert taken == 300 and ahead <= 24


def _lost(frames: list[Frame]) -> list[Frame]:
    return frames[:4] + frames[5:]


def _lost_last(frames: list[Frame]) -> list[Frame]:
    return frames[:-1]


def _added(frames: list[Frame]) -> list[Frame]:
    return [*frames, replace(frames[-1], index=len(frames), pts=frames[-1].pts + 640)]


def _repeated(frames: list[Frame]) -> list[Frame]:
    return [*frames[:4], frames[3], *frames[5:]]


def _other_time(frames: list[Frame]) -> list[Frame]:
    return [*frames[:4], replace(frames[4], pts=frames[4].pts + 1), *frames[5:]]


def _smaller(frames: list[Frame]) -> list[Frame]:
    return [*frames[:4], replace(frames[4], image_rgb=np.zeros((62, 96, 3), np.uint8)), *frames[5:]]


@pytest.mark.parametrize("damage", [_lost, _lost_last, _added, _repeated, _other_time, _smaller, lambda _: []])
def test_a_lost_or_changed_frame_is_an_error_and_leaves_no_file(tmp_path: Path, damage: object) -> None:
    video = opened(make_video(tmp_path / "v.mp4", range(0, 400, 40)))
    frames = damage(list(read_frames(video)))  # type: ignore[operator]
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(VideoError, match="subject video 1"):
        write_video(out / "case-01.mp4", frames, like=video)
    assert list(out.iterdir()) == []
    with pytest.raises(VideoError, match="subject video 1"):
        list(roundtrip(frames, like=video))


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_write_leaves_no_file(tmp_path: Path, error: type[BaseException]) -> None:
    video = opened(make_video(tmp_path / "v.mp4", range(0, 4000, 40)))
    out = tmp_path / "out"
    out.mkdir()

    def failing() -> Iterator[Frame]:
        yield from itertools.islice(read_frames(video), 60)
        raise error

    with pytest.raises(error):
        write_video(out / "case-01.mp4", failing(), like=video)
    assert list(out.iterdir()) == []


_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from deid_audit.errors import VideoError
from deid_audit.video.reader import open_video, read_frames
from deid_audit.video.writer import write_video
video = open_video(Path(sys.argv[1]), label="subject video 1")
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    write_video(Path(sys.argv[2]), read_frames(video), like=video)
except VideoError as error:
    print(error)
"""


@pytest.mark.parametrize("limit_bytes", [0, 4096, "just short"])
def test_a_full_disk_is_an_error_and_leaves_no_file(tmp_path: Path, limit_bytes: int | str) -> None:
    """A limit on the size of files stands in for the full disk: the write system call fails in the same way."""
    source = make_video(tmp_path / "v.mp4", range(0, 2000, 40), size=(320, 240))
    if limit_bytes == "just short":
        copied(source, tmp_path / "whole.mp4")
        limit_bytes = (tmp_path / "whole.mp4").stat().st_size - 1
    out = tmp_path / "out"
    out.mkdir()
    command = [sys.executable, "-c", _FULL_DISK, str(source), str(out / "case-01.mp4"), str(limit_bytes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("the file for subject video 1 ")
    assert list(out.iterdir()) == []


def test_a_missing_folder_is_worded(tmp_path: Path) -> None:
    video = opened(make_video(tmp_path / "v.mp4", [0, 40]))
    with pytest.raises(VideoError, match="could not be written: No such file or directory") as caught:
        write_video(tmp_path / "nowhere" / "out.mp4", read_frames(video), like=video)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: replace(v, pts=v.pts[:-1]), "has 9 frames instead of 10"),
        (lambda v: replace(v, pts=(*v.pts[:-1], v.pts[-1] + 1)), "shows frame 9 at 0.360063 s instead of 0.360000"),
        (lambda v: replace(v, time_base=v.time_base * 2), "shows frame 1 at"),
        (lambda v: replace(v, facts=v.facts.model_copy(update={"width": 98})), "is 98x64 instead of 96x64"),
    ],
)
def test_each_difference_in_timing_or_size_is_named(tmp_path: Path, change: object, message: str) -> None:
    video = opened(make_video(tmp_path / "v.mp4", range(0, 400, 40)))
    check_same_timing(video, replace(video, pts=tuple(pts + 77 for pts in video.pts)))  # only the start differs
    with pytest.raises(VideoError, match=message):
        check_same_timing(video, change(video))  # type: ignore[operator]


@pytest.mark.samples
@pytest.mark.parametrize(
    "name",
    [
        "derived/vfr_manA_cap13.mp4",
        "hard_leave_vfr/pyfeat_face_then_noface_vfr.mov",
        "hard_rotated/proctor_manE_rot90_center_right_center.mp4",
        "hard_metadata/android_with_gps_no_face.mp4",
        "hard_metadata/iphone_with_gps_no_face.mov",
        "talking_head_grid/grid_bbaf2n.mpg",
    ],
)
def test_real_clips_keep_time_size_and_colour_and_lose_the_rest(tmp_path: Path, name: str) -> None:
    whole = opened(sample(name))
    original = replace(whole, pts=whole.pts[:60])
    write_video(tmp_path / "out.mp4", itertools.islice(read_frames(whole), 60), like=original)
    written = opened(tmp_path / "out.mp4")
    check_same_timing(original, written)
    assert leftover_metadata_keys(written.facts) == ()
    assert written.facts.inventory.audio_streams == written.facts.inventory.data_streams == 0
    for before, after in itertools.islice(zip(read_frames(whole), read_frames(written), strict=False), 0, 60, 20):
        assert psnr_db(before.image_rgb, after.image_rgb) > 40
        assert np.abs((after.image_rgb.astype(float) - before.image_rgb).mean((0, 1))).max() < 1


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    """Peak memory of a subprocess that copies 40 and 240 frames of 320x240: 200 frames in RGB would be 46 MB."""
    script = (
        "import sys, resource; from pathlib import Path\n"
        "from deid_audit.video.reader import open_video, read_frames\n"
        "from deid_audit.video.writer import write_video\n"
        "v = open_video(Path(sys.argv[1]), label='v'); write_video(Path(sys.argv[2]), read_frames(v), like=v)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks_kb = []
    for count in (40, 240):
        source = make_video(tmp_path / f"{count}.mp4", range(0, count * 40, 40), size=(320, 240))
        command = [sys.executable, "-c", script, str(source), str(tmp_path / "out.mp4")]
        peaks_kb.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    assert peaks_kb[1] - peaks_kb[0] < 20_000
