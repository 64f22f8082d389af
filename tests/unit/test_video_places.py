"""Folders of pictures and URLs come in through the same seam as files, whole and in order, or with one clear reason."""

import errno
import io
from fractions import Fraction
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image as Pillow

from deid_audit.digests import keyed_digest_streams
from deid_audit.errors import VideoAccessError, VideoError
from deid_audit.video.places import LocalFile, sha256_of
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from tests.unit.made_dicom import encapsulated, header
from tests.unit.made_videos import make_video, picture

LABEL = "subject video 1"


def opened(path: Path | str) -> SourceVideo:
    return open_video(Path(path), label=LABEL)


def folder(path: Path, suffix: str = "png", *, numbers: range = range(8, 12), **saved: object) -> Path:
    """Pictures whose numbers have no leading zeros: 9 stands before 10."""
    path.mkdir()
    for number in numbers:
        Pillow.fromarray(picture(seed=number)).save(path / f"img2_{number}.{suffix}", **saved)
    return path


# -- folders -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "PNG", "tif", "tiff", "jpg", "jpeg"])
def test_numbered_pictures_are_frames_in_the_order_of_their_numbers(tmp_path: Path, suffix: str) -> None:
    video = opened(f"{folder(tmp_path / 'frames', suffix)}@25")
    assert video.times_s == (0.0, 0.04, 0.08, 0.12)
    assert (video.facts.frame_count, video.facts.duration_s, video.facts.variable_rate) == (4, 0.16, False)
    for frame, number in zip(read_frames(video), range(8, 12), strict=True):
        off = np.abs(frame.image_rgb.astype(int) - picture(seed=number))
        assert off.max() == 0 if not suffix.startswith("j") else off.mean() < 4


@pytest.mark.parametrize(("rate", "base"), [("30000/1001", Fraction(1001, 30000)), ("12.5", Fraction(2, 25))])
def test_the_rate_is_exact(tmp_path: Path, rate: str, base: Fraction) -> None:
    assert opened(f"{folder(tmp_path / 'frames')}@{rate}").time_base == base


def test_pictures_of_16_bits_become_8(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for number in range(2):
        Pillow.fromarray(picture(seed=number)[..., 0].astype(np.uint16) * 257).save(tmp_path / "deep" / f"{number}.png")
    first = next(read_frames(opened(f"{tmp_path / 'deep'}@25"))).image_rgb
    assert np.abs(first[..., 1].astype(int) - picture(seed=0)[..., 0]).max() <= 1


def test_every_picture_counts_for_the_digest_and_for_a_change(tmp_path: Path) -> None:
    path = folder(tmp_path / "frames")
    place = Path(f"{path}@25")
    files = [path / f"img2_{number}.png" for number in range(8, 12)]
    digest = open_video(place, label=LABEL, digest_key=b"k" * 32).facts.keyed_digest
    assert digest == keyed_digest_streams([io.BytesIO(one.read_bytes()) for one in files], b"k" * 32)
    before, video = sha256_of(place, LABEL), opened(place)
    Pillow.fromarray(picture(seed=99)).save(files[2])
    assert sha256_of(place, LABEL) != before
    with pytest.raises(VideoError, match="changed while it was being read"):
        list(read_frames(video))


def test_a_folder_whose_name_ends_like_a_rate_needs_one_all_the_same(tmp_path: Path) -> None:
    path = folder(tmp_path / "frames@50")
    with pytest.raises(VideoError, match="is a folder"):
        opened(path)
    assert opened(f"{path}@25").time_base == Fraction(1, 25)


def _two_pages(path: Path) -> None:
    pages = [Pillow.fromarray(picture(seed=at)) for at in range(2)]
    pages[0].save(path / "img2_9.tif", save_all=True, append_images=pages[1:])
    (path / "img2_9.png").unlink()


def _another_kind(path: Path) -> None:
    (path / "img2_9.png").unlink()
    Pillow.fromarray(picture(seed=9)).save(path / "img2_9.tif")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: (path / "img2_9.png").unlink(), "has no picture of number 9, between 8 and 11"),
        (_another_kind, "mixes kinds of pictures: png and tiff"),
        (lambda path: (path / "other_9.png").write_bytes(b"x"), "two pictures of number 9"),
        (lambda path: (path / "cover.png").write_bytes(b"x"), "without a number"),
        (lambda path: (path / "img2_10.png").write_bytes(b"x"), "picture 3 of subject video 1 cannot be read"),
        (lambda path: (path / "img2_10.png").write_bytes(b""), "picture 3 of subject video 1 cannot be read"),
        (lambda path: Pillow.fromarray(picture(98, 64)).save(path / "img2_10.png"), "changes its picture size"),
        (_two_pages, "picture 2 of subject video 1 has several pages"),
        (lambda path: [one.unlink() for one in path.iterdir()], "holds no PNG, JPEG or TIFF"),
        (lambda path: [one.unlink() for one in list(path.iterdir())[1:]], "still image"),
    ],
)
def test_a_folder_that_is_not_whole_is_refused(tmp_path: Path, spoil: object, words: str) -> None:
    path = folder(tmp_path / "frames")
    spoil(path)  # type: ignore[operator]
    with pytest.raises(VideoError, match=words) as caught:
        opened(f"{path}@25")
    assert str(tmp_path) not in f"{caught.value} {caught.value.next_step}" and "img2" not in str(caught.value)


def test_a_torn_picture_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "frames") / "img2_10.png"
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(VideoError, match=r"picture 3 .* is damaged"):
        opened(f"{path.parent}@25")


@pytest.mark.parametrize("rate", ["0", "1001", "1/0"])
def test_a_rate_that_cannot_be_is_refused(tmp_path: Path, rate: str) -> None:
    with pytest.raises(VideoError, match="frame rate must be"):
        opened(f"{folder(tmp_path / 'frames')}@{rate}")


# -- URLs --------------------------------------------------------------------------------------------------------------


def test_a_video_in_a_store_is_read_where_it_lies(tmp_path: Path) -> None:
    plain = make_video(tmp_path / "v.mp4", range(0, 4000, 40))  # its index at the end: FFmpeg has to seek
    store = fsspec.filesystem("memory")
    store.pipe("/bucket/exam one.mp4", plain.read_bytes())
    here, there = opened(plain), opened(Path("memory://bucket/exam one.mp4"))
    assert (there.pts, there.facts) == (here.pts, here.facts)
    for one, other in zip(read_frames(there), read_frames(here), strict=True):
        assert np.array_equal(one.image_rgb, other.image_rgb)
    assert sha256_of(there.path, LABEL) == sha256_of(plain, LABEL)
    with_key = [open_video(one, label=LABEL, digest_key=b"k" * 32).facts.keyed_digest for one in (plain, there.path)]
    assert with_key[0] == with_key[1] != ""
    assert opened(f"file://{plain}").facts == here.facts


def test_a_dicom_object_in_a_store(tmp_path: Path) -> None:
    plain = make_video(tmp_path / "v.mp4", range(0, 240, 40))
    path = encapsulated(tmp_path / "v.dcm", plain.read_bytes(), header(frames=6, syntax="1.2.840.10008.1.2.4.102"))
    fsspec.filesystem("memory").pipe("/bucket/v.dcm", path.read_bytes())
    assert opened("memory://bucket/v.dcm").facts.frame_count == 6


def test_an_object_that_is_exchanged_between_the_passes_is_an_error(tmp_path: Path) -> None:
    store = fsspec.filesystem("memory")
    store.pipe("/bucket/a.mp4", make_video(tmp_path / "a.mp4", range(0, 400, 40)).read_bytes())
    video = opened("memory://bucket/a.mp4")
    other = make_video(tmp_path / "b.mp4", range(0, 400, 40), options={"movflags": "+faststart"})
    store.pipe("/bucket/a.mp4", other.read_bytes())
    with pytest.raises(VideoError, match="changed while it was being read"):
        list(read_frames(video))


def test_a_store_that_fails_while_a_video_is_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its library's own error, which is no OSError, passes through FFmpeg."""
    store = fsspec.filesystem("memory")
    store.pipe("/bucket/a.mp4", make_video(tmp_path / "a.mp4", range(0, 40_000, 40)).read_bytes())
    video = opened("memory://bucket/a.mp4")

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 60_000:
                raise RuntimeError("bucket: no answer")
            return super().read(size)

    data = store.cat("/bucket/a.mp4")
    monkeypatch.setattr(type(store), "open", lambda *_, **__: Failing(data))
    with pytest.raises(VideoAccessError, match=r"subject video 1 could not be read from its URL \(RuntimeError\)"):
        list(read_frames(video))


def test_out_of_reach_and_damaged_are_two_things(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same inputs meet a damaged file again; one that is not there now may be there later."""
    for absent in (tmp_path / "none.mp4", "memory://bucket/none.mp4"):
        with pytest.raises(VideoAccessError, match="does not exist"):
            opened(absent)
    (tmp_path / "text.mp4").write_bytes(b"no video" * 1000)
    with pytest.raises(VideoError, match="is not a video") as damaged:
        opened(tmp_path / "text.mp4")
    assert not isinstance(damaged.value, VideoAccessError)

    class FailingDisk(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() + (size or 0) > 4000:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    monkeypatch.setattr(LocalFile, "open", lambda _: FailingDisk(bytes(8000)))
    with pytest.raises(VideoAccessError, match="cannot be read to its end: Input/output error"):
        opened(tmp_path / "text.mp4")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("memory://bucket/none.mp4", "does not exist at its URL"),
        ("memory://bucket/empty.mp4", "is empty"),
        ("memory://bucket/text.mp4", "is not a video"),
        ("nothing-such://bucket/v.mp4", "does not exist"),
        ("simplecache::memory://bucket/v.mp4", "chain of URLs|does not exist"),
        ("memory://bucket/list.mp4", "is a playlist|is not a video"),
    ],
)
def test_each_url_that_cannot_be_read_has_one_clear_message(url: str, words: str) -> None:
    store = fsspec.filesystem("memory")
    store.pipe("/bucket/empty.mp4", b"")
    store.pipe("/bucket/text.mp4", b"no video" * 100)
    store.pipe("/bucket/list.mp4", b"ffconcat version 1.0\nfile /etc/hostname\n")
    with pytest.raises(VideoError, match=words) as caught:
        opened(url)
    assert caught.value.next_step and "bucket" not in f"{caught.value} {caught.value.next_step}"


def test_a_file_that_is_there_is_that_file_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "memory:").mkdir()
    make_video(tmp_path / "memory:" / "v@25.mp4", range(0, 400, 40))
    assert opened("memory:/v@25.mp4").facts.frame_count == 10
