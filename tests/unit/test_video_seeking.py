"""Any frame by its number is the one that streaming gives: whatever the order of asking, the codec, the instants."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pillow
from pydicom.uid import MPEG4HP41

from deid_audit.errors import VideoError
from deid_audit.frames import Image
from deid_audit.video import seeking
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.video.seeking import FrameAccess
from tests.unit.made_dicom import encapsulated, header, uncompressed
from tests.unit.made_videos import make_video, picture

UNEVEN = [round(33.3 * n + 9 * (n % 3) + (400 if n > 20 else 0)) for n in range(60)]
ORDER = [0, 59, 30, 31, 32, 29, 28, 1, 58, 12, 11, 10, 40, 0]


def coded(path: Path, codec: str, options: dict[str, str], pts: Sequence[int] = UNEVEN) -> SourceVideo:
    """A film whose every frame can be told from every other."""
    write(path, codec, options, pts)
    return open_video(path, label="a film")


def write(path: Path, codec: str, options: dict[str, str], pts: Sequence[int] = UNEVEN) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for number, stamp in enumerate(pts):
            image = np.roll(picture(), number, axis=1)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def streamed(video: SourceVideo) -> list[Image]:
    return [frame.image_rgb for frame in read_frames(video)]


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("b.mp4", "libx264", {"g": "12", "bf": "3", "x264-params": "open-gop=1:scenecut=0"}),
        ("one.mp4", "libx264", {"g": "600", "bf": "2"}),
        ("b.mkv", "libx264", {"g": "7", "bf": "2"}),
        ("i.mp4", "libx264", {"g": "1"}),
        ("m4.avi", "mpeg4", {"g": "10"}),
        ("v.webm", "libvpx-vp9", {"g": "15", "deadline": "realtime", "cpu-used": "8"}),
        ("h.mp4", "libx265", {"x265-params": "keyint=10:open-gop=1:log-level=none"}),
    ],
)
def test_every_frame_in_any_order_is_the_streamed_one(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    pts = [40 * n for n in range(60)] if name.endswith("avi") else UNEVEN
    video = coded(tmp_path / name, codec, options, pts)
    expected = streamed(video)
    assert len({image.tobytes() for image in expected}) == len(expected)
    with FrameAccess(video) as access:
        for index in ORDER:
            assert np.array_equal(access.frame(index), expected[index]), index


def test_few_kept_frames_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeking, "KEPT_BYTES", 1)
    video = coded(tmp_path / "v.mp4", "libx264", {"g": "12", "bf": "2"})
    expected = streamed(video)
    with FrameAccess(video) as access:
        assert all(np.array_equal(access.frame(index), expected[index]) for index in ORDER)
        access.close()
        assert np.array_equal(access.frame(7), expected[7])


def test_turned_pictures_are_upright_and_a_view_shows_its_picks(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mp4", range(0, 400, 40), rotation=90)
    video = open_video(path, label="a film")
    expected = streamed(video)
    view = SourceVideo(
        path=path, label="a view", facts=video.facts, time_base=video.time_base, pts=(0, 7), view_of=video, picks=(3, 8)
    )
    with FrameAccess(video) as access, FrameAccess(view) as seen:
        assert np.array_equal(access.frame(4), expected[4]) and expected[4].shape[:2] == (96, 64)
        assert np.array_equal(seen.frame(1), expected[8]) and np.array_equal(seen.frame(0), expected[3])
        with pytest.raises(IndexError):
            access.frame(10)
        with pytest.raises(ValueError, match="read-only"):
            access.frame(0)[0, 0] = 0


def cut_by_an_edit_list(folder: Path) -> Path:
    """An MP4 whose edit list begins in the middle of a GOP: what lies before is decoded and never shown."""
    write(folder / "whole.mp4", "libx264", {"g": "12", "bf": "2"})
    path = folder / "cut.mp4"
    with av.open(str(folder / "whole.mp4")) as whole:
        options = {"avoid_negative_ts": "disabled", "movie_timescale": "90000"}
        with av.open(str(path), "w", container_options=options) as cut:
            out = cut.add_stream_from_template(whole.streams.video[0])
            for packet in whole.demux(video=0):
                if packet.dts is None or packet.pts is None:
                    continue
                begun = round(UNEVEN[18] / 1000 / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - begun, packet.dts - begun, out
                cut.mux(packet)
    return path


def dicom_of_an_mp4(folder: Path) -> Path:
    write(folder / "v.mp4", "libx264", {"g": "12", "bf": "2"})
    head = header(frames=len(UNEVEN), syntax=MPEG4HP41)
    return encapsulated(folder / "v.dcm", (folder / "v.mp4").read_bytes(), head, pieces=3)


def dicom_of_frames(folder: Path) -> Path:
    return uncompressed(folder / "u.dcm", [np.roll(picture(), at, axis=1) for at in range(12)])


def dicom_of_a_bare_stream(folder: Path) -> Path:
    """Its instants are the header's, so that there is no place to seek to."""
    write(folder / "bare.h264", "libx264", {"g": "12", "bf": "2"}, [40 * at for at in range(24)])
    head = header(frames=24, syntax=MPEG4HP41)
    return encapsulated(folder / "b.dcm", (folder / "bare.h264").read_bytes(), head)


def numbered_pictures(folder: Path) -> Path:
    (folder / "pictures").mkdir()
    for at in range(12):
        Pillow.fromarray(np.roll(picture(), at, axis=1)).save(folder / "pictures" / f"p_{at:03d}.png")
    return Path(f"{folder / 'pictures'}@25")


@pytest.mark.parametrize(
    "made", [cut_by_an_edit_list, dicom_of_an_mp4, dicom_of_frames, dicom_of_a_bare_stream, numbered_pictures]
)
def test_whatever_it_is_wrapped_in_the_frames_are_the_streamed_ones(
    tmp_path: Path, made: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeking, "KEPT_BYTES", 1)  # so that most frames are really sought
    video = open_video(made(tmp_path), label="a film")
    expected = streamed(video)
    count = len(expected)
    assert len({image.tobytes() for image in expected}) == count > 10
    if made is cut_by_an_edit_list:
        assert count == len(UNEVEN) - 18 and video.facts.variable_rate
    order = [count - 1, 0, *range(count), *range(count - 1, -1, -1), *(at * 7 % count for at in range(count))]
    with FrameAccess(video) as access:
        for index in order:
            assert np.array_equal(access.frame(index), expected[index]), index


def test_another_file_in_its_place_is_an_error_and_no_neighbour(tmp_path: Path) -> None:
    """Where nothing is known of the file but its instants, these still tell."""
    video = coded(tmp_path / "v.mp4", "libx264", {"g": "12"})
    coded(tmp_path / "w.mp4", "libx264", {"g": "12"}, [stamp + 3 * (at > 40) for at, stamp in enumerate(UNEVEN)])
    (tmp_path / "w.mp4").replace(tmp_path / "v.mp4")
    unknown = replace(video, stamp=None)
    with FrameAccess(unknown) as access, pytest.raises(VideoError, match="frame 50 of a film cannot be decoded"):
        access.frame(50)


def test_another_file_of_the_same_instants_is_never_shown(tmp_path: Path) -> None:
    video = coded(tmp_path / "v.mp4", "libx264", {"g": "12"})
    aside, other = tmp_path / "aside.mp4", tmp_path / "w.mp4"
    write(other, "libx264", {"g": "12", "crf": "40"})
    with FrameAccess(video) as access:
        shown = access.frame(10)
        video.path.rename(aside)
        other.rename(video.path)
        for index in (50, 10):  # while it is open, and when it was opened again
            with pytest.raises(VideoError, match="a film changed") as refused:
                access.frame(index)
            assert str(tmp_path) not in str(refused.value) and refused.value.next_step
        aside.replace(video.path)
        assert np.array_equal(access.frame(10), shown), "the file is back"


def test_another_picture_in_the_folder_is_never_shown(tmp_path: Path) -> None:
    video = open_video(numbered_pictures(tmp_path), label="a film")
    with FrameAccess(video) as access:
        access.frame(3)
        Pillow.fromarray(picture(seed=5)).save(tmp_path / "pictures" / "p_007.png")
        with pytest.raises(VideoError, match="a film changed"):
            access.frame(7)
