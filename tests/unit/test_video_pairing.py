"""Frames beside frames: what pairs, what is refused and in which words, and what time alignment shows."""

from fractions import Fraction
from pathlib import Path

import pytest

from deid_audit.errors import VideoError
from deid_audit.video.pairing import align_frames, left_out, pair_frames
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from tests.unit.made_videos import make_video


def film(folder: Path, name: str, pts: list[int], *, base: Fraction = Fraction(1, 1000), **more: object) -> SourceVideo:
    path = make_video(folder / name, pts, time_base=base, **more)  # type: ignore[arg-type]
    return open_video(path, label=name.removesuffix(".mkv").removesuffix(".mp4"))


@pytest.fixture
def original(tmp_path: Path) -> SourceVideo:
    return film(tmp_path, "original.mkv", [0, 40, 80, 120, 160, 200])


def test_the_same_instants_pair_also_from_another_start_and_clock(original: SourceVideo, tmp_path: Path) -> None:
    ticks = [90 * (40 + step) for step in (0, 40, 80, 120, 160, 200)]
    other = film(tmp_path, "other.mp4", ticks, base=Fraction(1, 90000))
    assert pair_frames(original, other) is original
    rounded = film(tmp_path, "rounded.mkv", [0, 41, 80, 119, 160, 200])
    assert pair_frames(original, rounded) is original


@pytest.mark.parametrize(
    ("pts", "size", "words"),
    [
        ([0, 40, 80, 120, 160], (96, 64), "other has 5 frames, original has 6"),
        ([0, 40, 80, 120, 160, 240], (96, 64), "other shows frame 6 at 0.240 s, original at 0.200 s"),
        ([0, 40, 82, 120, 160, 200], (96, 64), "other shows frame 3 at 0.082 s"),
        ([0, 40, 80, 120, 160, 200], (96, 72), "other is 96x72, original is 96x64"),
    ],
)
def test_what_does_not_pair_is_refused_by_what_differs(
    original: SourceVideo, tmp_path: Path, pts: list[int], size: tuple[int, int], words: str
) -> None:
    with pytest.raises(VideoError, match=words) as caught:
        pair_frames(original, film(tmp_path, "other.mkv", pts, size=size))
    assert caught.value.next_step


def test_alignment_shows_the_original_frame_nearest_in_time(original: SourceVideo, tmp_path: Path) -> None:
    half = film(tmp_path, "half.mkv", [0, 80, 160])
    view = align_frames(original, half)
    assert (view.picks, left_out(view), view.facts.frame_count) == ((0, 2, 4), 3, 3)
    assert view.times_s == half.times_s
    whole = list(read_frames(original))
    shown = list(read_frames(view))
    assert [frame.index for frame in shown] == [0, 1, 2]
    assert all((frame.image_rgb == whole[2 * frame.index].image_rgb).all() for frame in shown)
    assert not (shown[1].image_rgb == whole[1].image_rgb).all()


def test_alignment_repeats_frames_for_a_faster_video(original: SourceVideo, tmp_path: Path) -> None:
    double = film(tmp_path, "double.mkv", [20 * step for step in range(11)])
    view = align_frames(original, double)
    assert view.picks == (0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5)
    assert len(list(read_frames(view))) == 11 and left_out(view) == 0


def test_alignment_refuses_a_video_that_goes_on_after_its_original(original: SourceVideo, tmp_path: Path) -> None:
    longer = film(tmp_path, "longer.mkv", [0, 40, 80, 120, 160, 400])
    with pytest.raises(VideoError, match=r"longer shows a frame at 0\.400 s .*original ends at 0\.200 s"):
        align_frames(original, longer)
    with pytest.raises(VideoError, match="is 96x72"):
        align_frames(original, film(tmp_path, "other.mkv", [0, 40], size=(96, 72)))


def test_a_pair_without_alignment_leaves_nothing_out(original: SourceVideo) -> None:
    assert left_out(original) == 0
