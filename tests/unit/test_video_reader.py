"""The reader keeps every frame at its own instant, turns it upright, and refuses what it cannot read whole."""

import gc
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from deid_audit.errors import VideoError
from deid_audit.video import containers, material, reader
from deid_audit.video.orientation import Orientation, _from_matrix
from deid_audit.video.places import keyed_digest_of
from deid_audit.video.reader import SourceVideo, frames_at, open_video, read_frames
from tests.sample_clips import sample
from tests.unit.made_videos import make_video, picture

LABEL = "subject video 2"


def opened(path: Path) -> SourceVideo:
    return open_video(path, label=LABEL)


def exact_times(video: SourceVideo) -> list[Fraction]:
    return [(pts - video.pts[0]) * video.time_base for pts in video.pts]


def test_variable_rate_is_kept_frame_by_frame(tmp_path: Path) -> None:
    stamps = [0, 40, 95, 130, 400, 410]
    video = opened(make_video(tmp_path / "v.mp4", stamps))
    assert exact_times(video) == [Fraction(stamp, 1000) for stamp in stamps]
    assert video.times_s == pytest.approx([stamp / 1000 for stamp in stamps])
    assert video.facts.variable_rate and video.facts.frame_count == 6
    assert video.facts.duration_s == pytest.approx(0.420)  # the last frame lasts as long as the one before it
    assert [frame.pts for frame in read_frames(video)] == list(video.pts)


def test_single_frames_are_those_of_the_whole_upright_and_at_their_instants(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mp4", [80, 120, 175, 210, 480, 490], rotation=90)
    whole = [frame.image_rgb for frame in read_frames(opened(path))]
    found = list(frames_at(path, {4, 0, 2}, label=LABEL))
    assert [time for time, _ in found] == pytest.approx([0.0, 0.095, 0.4])
    assert all(np.array_equal(image, whole[at]) for at, (_, image) in zip((0, 2, 4), found, strict=True))
    with pytest.raises(VideoError, match=f"{LABEL} has fewer frames than its statement says"):
        list(frames_at(path, {1, 6}, label=LABEL))


def test_decoded_frames_go_without_the_garbage_collector(tmp_path: Path) -> None:
    """It looks the more seldom, the longer a video is: frames that wait for it, with swscale's threads, pile up."""
    video = opened(make_video(tmp_path / "v.mp4", range(0, 1200, 40), rotation=90))
    gc.collect()
    gc.disable()
    try:
        for _ in read_frames(video):
            pass
        left = [one for one in gc.get_objects() if isinstance(one, VideoFrame)]
    finally:
        gc.enable()
    assert not left


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(25)])
def test_ntsc_rates_are_exact_and_constant(tmp_path: Path, rate: Fraction) -> None:
    step, base = rate.denominator, Fraction(1, rate.numerator)
    video = opened(make_video(tmp_path / "v.mp4", [i * step for i in range(40)], time_base=base))
    assert exact_times(video) == [i / rate for i in range(40)]
    assert not video.facts.variable_rate


def test_millisecond_rounding_is_not_called_variable(tmp_path: Path) -> None:
    video = opened(make_video(tmp_path / "v.mkv", [round(i * 1001 / 30) for i in range(40)]))
    assert not video.facts.variable_rate


def test_a_start_after_zero_counts_from_the_first_frame(tmp_path: Path) -> None:
    video = opened(make_video(tmp_path / "v.mkv", range(500, 900, 40)))
    assert video.pts[0] == 500
    assert video.times_s[0] == 0.0
    assert video.facts.duration_s == pytest.approx(0.4)


# The bright square is stored at the top left; where it must be seen after each turn (counter-clockwise degrees).
@pytest.mark.parametrize(
    ("rotation", "mirrored", "corner", "clockwise"),
    [
        (0, False, "top left", 0),
        (90, False, "bottom left", 270),
        (-90, False, "top right", 90),
        (180, False, "bottom right", 180),
        (0, True, "top right", 0),
    ],
)
def test_display_matrix_is_applied(tmp_path: Path, rotation: int, mirrored: bool, corner: str, clockwise: int) -> None:
    video = opened(make_video(tmp_path / "v.mp4", range(0, 200, 40), rotation=rotation, mirrored=mirrored))
    image = next(read_frames(video)).image_rgb
    assert image.shape == ((96, 64, 3) if rotation in (90, -90) else (64, 96, 3))
    assert (video.facts.height, video.facts.width) == image.shape[:2]
    assert video.facts.rotation == clockwise
    rows = {"top": slice(5, 14), "bottom": slice(-14, -5)}
    columns = {"left": slice(5, 14), "right": slice(-14, -5)}
    yellow = {
        f"{row} {column}": bool(np.all(image[rows[row], columns[column], 2] < 90)) for row in rows for column in columns
    }
    assert [name for name, found in yellow.items() if found] == [corner]


def test_an_angle_that_is_no_quarter_turn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="subject video 2 is stored at an angle"):
        opened(make_video(tmp_path / "v.mp4", range(0, 200, 40), rotation=45))


def test_every_matrix_moves_the_corner_where_its_equations_say() -> None:
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    for swap in (False, True):
        for x_sign in (1, -1):
            for y_sign in (1, -1):
                a, b, c, d = (0, y_sign, x_sign, 0) if swap else (x_sign, 0, 0, y_sign)
                raw = np.array([a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30], np.int32).tobytes()
                orientation = _from_matrix(raw)
                assert orientation is not None
                shown = orientation.upright(image)
                for y in range(2):
                    for x in range(3):
                        to_x, to_y = a * x + c * y, b * x + d * y  # then shifted back into the picture
                        to_x += shown.shape[1] - 1 if x_sign < 0 else 0
                        to_y += shown.shape[0] - 1 if y_sign < 0 else 0
                        assert np.array_equal(shown[to_y, to_x], image[y, x])


@pytest.mark.parametrize("size", [(540, 64), (97, 63), (96, 64)])
def test_frames_are_contiguous_rgb_whatever_the_width(tmp_path: Path, size: tuple[int, int]) -> None:
    video = opened(make_video(tmp_path / "v.mp4", range(0, 120, 40), size=size))
    expected = picture(*size).astype(float)
    for frame in read_frames(video):
        assert frame.image_rgb.flags.c_contiguous and frame.image_rgb.flags.writeable
        assert frame.image_rgb.shape == (size[1], size[0], 3)
        # Within 2 levels of what was encoded: a swapped channel or matrix would be off by tens.
        shift = (frame.image_rgb - np.clip(expected + frame.index, 0, 255)).mean((0, 1))
        assert np.abs(shift).max() < 2


def test_inventory_names_streams_and_keys_but_no_values(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mp4", range(0, 200, 40), tags={"title": "SENTINEL", "comment": "x"}, audio=True)
    facts = opened(path).facts
    assert facts.inventory.audio_streams == 1
    assert facts.inventory.subtitle_streams == facts.inventory.data_streams == 0
    assert {"title", "comment", "major_brand"} <= set(facts.inventory.metadata_keys)
    assert list(facts.inventory.metadata_keys) == sorted(set(facts.inventory.metadata_keys))
    assert "SENTINEL" not in facts.model_dump_json()


def test_digest_is_keyed_or_absent(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mp4", [0, 40])
    assert opened(path).facts.keyed_digest == ""
    assert open_video(path, label=LABEL, digest_key=b"k" * 32).facts.keyed_digest == keyed_digest_of(
        path, LABEL, b"k" * 32
    )


def test_one_frame_is_accepted(tmp_path: Path) -> None:
    video = opened(make_video(tmp_path / "v.mp4", [0]))
    assert video.facts.frame_count == len(list(read_frames(video))) == 1


def _empty(path: Path) -> Path:
    path.touch()
    return path


def _text(path: Path) -> Path:
    path.write_text("no video\n" * 500)
    return path


def _jpeg(path: Path) -> Path:
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def _jpeg_in_mp4(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def _audio_only(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 44100, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _cut(options: dict[str, str] | None, share: float) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        whole = make_video(path, range(0, 4000, 40), options=options).read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])
        return path

    return make


def _garbled(path: Path) -> Path:
    data = bytearray(make_video(path, range(0, 4000, 40)).read_bytes())
    for position in range(len(data) // 2, len(data) // 2 + 2000):
        data[position] ^= 0x5A
    path.write_bytes(data)
    return path


def _without_timestamps(path: Path) -> Path:
    source = make_video(path.with_name("s.mp4"), range(0, 400, 40))
    with av.open(str(source)) as container, av.open(str(path), "w", format="h264") as out:
        stream = out.add_stream_from_template(container.streams.video[0])
        for packet in container.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("missing.mp4", lambda path: path, "does not exist"),
        ("empty.mp4", _empty, "is empty"),
        ("text.mp4", _text, "is not a video"),
        ("folder.mp4", _folder, "is a folder"),
        ("fifo.mp4", _fifo, "is not a regular file"),
        ("photo.jpg", _jpeg, "is a still image"),
        ("photo.mp4", _jpeg_in_mp4, "is a still image"),
        ("sound.mp4", _audio_only, "holds no video stream, only audio"),
        ("cut.mp4", _cut(None, 0.7), "is not a video that FFmpeg can read, or it is cut off"),
        ("cut_after_index.mp4", _cut({"movflags": "+faststart"}, 0.7), "damaged data|is cut off"),
        ("cut.mkv", _cut(None, 0.7), "damaged data|is cut off"),
        ("garbled.mp4", _garbled, "damaged data"),
        ("raw.h264", _without_timestamps, "without a timestamp"),
    ],
)
def test_each_unreadable_file_has_one_clear_message(
    tmp_path: Path, name: str, make: Callable[[Path], Path], message: str
) -> None:
    path = make(tmp_path / name)
    with pytest.raises(VideoError, match=message) as caught:
        opened(path)
    assert str(caught.value).startswith(LABEL)
    assert caught.value.next_step
    assert str(tmp_path) not in f"{caught.value} {caught.value.next_step}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_cut_between_two_frames_is_noticed(tmp_path: Path) -> None:
    """No packet is torn here, so only the file's own announcement tells that frames are missing."""
    path = make_video(tmp_path / "v.mp4", range(0, 4000, 40), options={"movflags": "+faststart"})
    with av.open(str(path)) as container:
        end = [packet.pos + packet.size for packet in container.demux(video=0) if packet.size][49]
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(VideoError, match=r"is cut off|damaged data"):
        opened(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mp4", [0, 40])
    path.chmod(0)
    with pytest.raises(VideoError, match="may not be read"):
        opened(path)


def test_permission_errors_are_worded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_video(tmp_path / "v.mp4", [0, 40])

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(VideoError, match=r"^subject video 2 may not be read by this user$"):
        opened(path)


def test_timestamps_that_do_not_rise_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_video(tmp_path / "v.mp4", range(0, 400, 40))
    decode = containers.decode_all

    def swapped(*args: object) -> object:
        frames = list(decode(*args))  # type: ignore[arg-type]
        return iter([frames[0], frames[2], frames[1]])

    monkeypatch.setattr(containers, "decode_all", swapped)
    with pytest.raises(VideoError, match="timestamps that do not rise"):
        opened(path)


@pytest.mark.parametrize("change", ["shorter", "longer", "other times", "other size", "other pictures", "gone"])
def test_a_file_that_changes_between_the_passes_is_an_error(tmp_path: Path, change: str) -> None:
    path = make_video(tmp_path / "v.mp4", range(0, 400, 40))
    video = opened(path)
    stamps = {"shorter": range(0, 360, 40), "longer": range(0, 440, 40), "other times": range(0, 410, 41)}
    if change == "gone":
        path.unlink()
    elif change == "other size":
        make_video(path, range(0, 400, 40), size=(98, 64))
    elif change == "other pictures":  # at the same instants and of the same size
        make_video(path, range(0, 400, 40), options={"movflags": "+faststart"})
    else:
        make_video(path, stamps[change])
    with pytest.raises(VideoError, match="does not exist" if change == "gone" else "changed while it was being read"):
        list(read_frames(video))


def test_a_picture_may_be_as_large_as_h264_allows_and_no_larger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 8192 * 4320 <= material.LARGEST_PIXELS < 8192 * 4368
    path = make_video(tmp_path / "v.mp4", range(0, 400, 40), size=(96, 64))
    monkeypatch.setattr(containers, "LARGEST_PIXELS", 96 * 64)
    assert opened(path).facts.frame_count == 10
    monkeypatch.setattr(containers, "LARGEST_PIXELS", 96 * 64 - 1)
    with pytest.raises(VideoError, match="subject video 2 announces pictures of 96x64 pixels"):
        opened(path)


@pytest.mark.parametrize("when", ["first pass", "second pass"])
def test_a_file_that_grows_while_it_is_read_is_an_error(tmp_path: Path, when: str) -> None:
    """Bytes behind the last frame change no frame, so only the file itself tells."""
    path = make_video(tmp_path / "v.mp4", range(0, 400, 40))
    video = opened(path)

    def grow() -> None:
        with path.open("ab") as stream:
            stream.write(bytes(8))

    if when == "second pass":
        frames = read_frames(video)
        next(frames)
        grow()
        with pytest.raises(VideoError, match="changed while it was being read"):
            list(frames)
        return
    with pytest.MonkeyPatch.context() as patch, pytest.raises(VideoError, match="changed while it was being read"):
        patch.setattr(reader, "_is_variable", lambda *_: bool(grow()))
        opened(path)


def test_a_playlist_of_other_files_is_refused(tmp_path: Path) -> None:
    """FFmpeg would open it and read the other file, whose bytes no digest of ours would cover."""
    make_video(tmp_path / "other.mp4", range(0, 400, 40))
    playlist = tmp_path / "list.mp4"
    playlist.write_text("ffconcat version 1.0\nfile other.mp4\n")
    with pytest.raises(VideoError, match="is a playlist"):
        opened(playlist)


def test_an_early_stop_releases_the_file(tmp_path: Path) -> None:
    video = opened(make_video(tmp_path / "v.mp4", range(0, 4000, 40)))
    frames = read_frames(video)
    next(frames)
    frames.close()  # type: ignore[attr-defined]
    handles = [os.path.realpath(entry) for entry in Path("/proc/self/fd").iterdir()]
    assert str(video.path) not in handles


def test_a_plain_orientation_gives_the_picture_back() -> None:
    image = picture()
    assert np.array_equal(Orientation().upright(image), image)


@pytest.mark.samples
@pytest.mark.parametrize(
    ("name", "frames", "size", "variable", "rotation"),
    [
        ("derived/vfr_manA_cap13.mp4", 324, (400, 300), True, 0),
        ("hard_leave_vfr/pyfeat_face_then_noface_vfr.mov", 169, (960, 540), True, 0),
        ("hard_rotated/proctor_manE_rot90_center_right_center.mp4", 370, (480, 848), True, 90),
        ("hard_metadata/iphone_with_gps_no_face.mov", 120, (320, 568), False, 90),
        ("hard_metadata/android_with_gps_no_face.mp4", 3, (1920, 1080), False, 0),
        ("talking_head_grid/grid_bbaf2n.mpg", 75, (360, 288), False, 0),
        ("upper_body_gesture/intel_asl_manH_again.mkv", 77, (640, 480), False, 0),
    ],
)
def test_real_clips(name: str, frames: int, size: tuple[int, int], variable: bool, rotation: int) -> None:
    video = opened(sample(name))
    facts = video.facts
    assert (facts.frame_count, facts.width, facts.height) == (frames, *size)
    assert (facts.variable_rate, facts.rotation) == (variable, rotation)
    assert next(read_frames(video)).image_rgb.shape == (size[1], size[0], 3)


@pytest.mark.samples
def test_real_metadata_is_listed_by_name() -> None:
    iphone = opened(sample("hard_metadata/iphone_with_gps_no_face.mov")).facts.inventory
    assert (iphone.audio_streams, iphone.data_streams) == (1, 2)
    assert "com.apple.quicktime.location.ISO6709" in iphone.metadata_keys
    assert "location" in opened(sample("hard_metadata/android_with_gps_no_face.mp4")).facts.inventory.metadata_keys


@pytest.mark.samples
def test_a_real_photo_named_mp4() -> None:
    with pytest.raises(VideoError, match="is a still image"):
        opened(sample("hard_no_face/not_a_video_jpeg_named_mp4.mp4"))
