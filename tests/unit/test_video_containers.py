"""Each container that exam videos come in is read whole, with its sound and side streams counted."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from deid_audit.video.reader import open_video, read_frames
from tests.unit.made_videos import picture

COUNT = 12


def film(path: Path, form: str, codec: str) -> Path:
    """A picture that brightens, 25 frames a second, with a short silence beside it."""
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        audio = container.add_stream("ac3", rate=44100)
        for at in range(COUNT):
            image = np.ascontiguousarray(np.clip(picture().astype(int) + 3 * at, 0, 255).astype(np.uint8))
            container.mux(stream.encode(VideoFrame.from_ndarray(image)))
        container.mux(stream.encode(None))
        for at in range(18):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1536), np.float32), "fltp", "mono")
            silence.sample_rate, silence.pts, silence.time_base = 44100, at * 1536, Fraction(1, 44100)
            container.mux(audio.encode(silence))
        container.mux(audio.encode(None))
    return path


@pytest.mark.parametrize(
    ("suffix", "form", "codec"),
    [
        ("mkv", "matroska", "libx264"),
        ("mkv", "matroska", "libx265"),
        ("avi", "avi", "mpeg4"),
        ("avi", "avi", "mjpeg"),
        ("mov", "mov", "libx264"),
        ("mts", "mpegts", "libx264"),
        ("ts", "mpegts", "mpeg2video"),
        ("m2ts", "mpegts", "libx264"),
        ("mp4", "mp4", "libx265"),
        ("mpg", "mpeg", "mpeg2video"),
    ],
)
def test_a_container_is_read_whole(tmp_path: Path, suffix: str, form: str, codec: str) -> None:
    video = open_video(film(tmp_path / f"v.{suffix}", form, codec), label="subject video 1")
    assert video.facts.frame_count == COUNT and video.facts.inventory.audio_streams == 1
    assert np.allclose(video.times_s, np.arange(COUNT) / 25, atol=1e-3)
    brightness = [float(frame.image_rgb.mean()) for frame in read_frames(video)]
    assert brightness == sorted(brightness)
