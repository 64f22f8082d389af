"""Sound in and out: where it stands in time, that nothing travels with it, and what is refused."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from deid_audit.errors import VideoError
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.video.sound import AAC_FRAME, WRITTEN_RATE, Sound, SoundTrack, read_sound, sound_channels
from deid_audit.video.writer import check_same_timing, leftover_metadata_keys, leftover_streams, write_video

from .made_sounds import clicks, spoken, video_with_sound

MOMENTS = (0.5, 1.25)


def heard(video: SourceVideo, rate: int = WRITTEN_RATE, channels: int = 1) -> Sound:
    return np.concatenate(list(read_sound(video, rate=rate, channels=channels)), axis=1)


def moments(sound: Sound, rate: int = WRITTEN_RATE) -> list[float]:
    """When the clicks sound, in seconds."""
    loud = np.flatnonzero(np.abs(sound[0]) > 0.3 * np.abs(sound).max())
    first = loud[np.insert(np.diff(loud) > 0.1 * rate, 0, True)]
    return [float(at) / rate for at in first]


def track(video: SourceVideo, channels: int = 1) -> SoundTrack:
    return SoundTrack(channels=channels, blocks=lambda: read_sound(video, rate=WRITTEN_RATE, channels=channels))


def written(folder: Path, video: SourceVideo, sound: SoundTrack | None) -> SourceVideo:
    write_video(folder / "out.mp4", read_frames(video), like=video, sound=sound)
    return open_video(folder / "out.mp4", label="released video 1")


@pytest.mark.parametrize("begins_s", [0.0, 0.3, -0.2])
@pytest.mark.parametrize("rate", [48_000, 44_100, 16_000])
def test_sound_is_read_on_the_clock_of_the_pictures(tmp_path: Path, begins_s: float, rate: int) -> None:
    path = video_with_sound(
        tmp_path / "v.mkv", clicks((0.5, 1.25), 1.9, rate=rate), rate=rate, begins_s=max(0.0, begins_s)
    )
    video = open_video(path, label="v")
    if begins_s < 0:  # as if the pictures began later: what sounds before the first frame is left out
        video = replace(video, pts=tuple(one + 200 for one in video.pts))
    found = moments(heard(video))
    assert found == pytest.approx([one + begins_s for one in MOMENTS], abs=0.002)


def test_a_written_click_lands_within_a_frame_of_sound(tmp_path: Path) -> None:
    video = open_video(video_with_sound(tmp_path / "v.mkv", clicks(MOMENTS, 2.0), begins_s=0.1), label="v")
    released = written(tmp_path, video, track(video))
    check_same_timing(video, released)
    assert moments(heard(released)) == pytest.approx([one + 0.1 for one in MOMENTS], abs=AAC_FRAME / WRITTEN_RATE)
    before, after = heard(video), heard(released)
    assert 0 <= after.shape[1] - before.shape[1] <= AAC_FRAME


def test_sound_of_two_channels_stays_two_and_of_the_same_wave(tmp_path: Path) -> None:
    left = spoken(2.0, rate=48_000)
    path = video_with_sound(tmp_path / "v.mkv", np.stack([left, -0.5 * left]))
    video = open_video(path, label="v")
    assert sound_channels(video) == 2
    released = written(tmp_path, video, track(video, 2))
    before, after = heard(video, channels=2), heard(released, channels=2)
    for one, other in zip(before, after[:, : before.shape[1]], strict=True):
        assert np.corrcoef(one[2048:], other[2048:])[0, 1] > 0.98


def test_nothing_of_the_source_travels_with_the_sound(tmp_path: Path) -> None:
    tags = {"language": "deu", "title": "SENTINEL", "handler_name": "SENTINEL"}
    video = open_video(
        video_with_sound(tmp_path / "v.mov", spoken(2.0, rate=48_000), tags=tags),
        label="v",
    )
    released = written(tmp_path, video, track(video))
    assert leftover_metadata_keys(released.facts) == ()
    data = (tmp_path / "out.mp4").read_bytes()
    assert b"SENTINEL" not in data and b"deu" not in data and b"Lavc" not in data and b"Lavf" not in data
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.audio[0].metadata.get("language", "und") == "und"
    inventory = released.facts.inventory
    assert leftover_streams(inventory, sound_asked=True) == 0
    assert leftover_streams(inventory, sound_asked=False) == 1  # a stream where none may be


def test_the_same_sound_gives_the_same_bytes(tmp_path: Path) -> None:
    video = open_video(video_with_sound(tmp_path / "v.mkv", spoken(2.0, rate=48_000)), label="v")
    written(tmp_path, video, track(video))
    first = (tmp_path / "out.mp4").read_bytes()
    written(tmp_path, video, track(video))
    assert (tmp_path / "out.mp4").read_bytes() == first


def test_sound_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    video = open_video(video_with_sound(tmp_path / "v.mkv", spoken(2.0, rate=48_000)), label="v")

    def broken() -> Iterator[Sound]:
        yield np.zeros((1, 4096), np.float32)
        raise KeyboardInterrupt

    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(KeyboardInterrupt):
        write_video(out / "o.mp4", read_frames(video), like=video, sound=SoundTrack(channels=1, blocks=broken))
    assert list(out.iterdir()) == []


def test_damaged_sound_is_refused_with_a_way_on(tmp_path: Path) -> None:
    path = video_with_sound(tmp_path / "v.mp4", spoken(2.0, rate=48_000), codec="aac")
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size]
    data = bytearray(path.read_bytes())
    for at, size in places[20:30]:
        data[at : at + size] = np.random.default_rng(at).bytes(size)
    path.write_bytes(bytes(data))
    video = open_video(path, label="subject video 1")
    with pytest.raises(VideoError, match=r"^the sound of subject video 1 is damaged") as caught:
        heard(video)
    assert "--audio drop" in caught.value.next_step


def test_sound_is_held_a_block_at_a_time(tmp_path: Path) -> None:
    path = video_with_sound(tmp_path / "v.mkv", np.zeros(25 * 16_000, np.float32), rate=16_000, frames=600)
    sizes = [block.shape[1] for block in read_sound(open_video(path, label="v"), rate=16_000, channels=1)]
    assert sizes == [160_000, 160_000, 64_000]  # cut where the pictures end, at 24 s
