"""Sounds made by code: vowels of known pitch and formants, and videos that carry a given sound."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from deid_audit.voice.spectrum import RATE

from .made_videos import picture

Samples = NDArray[np.float32]


def vowel(pitch_hz: float, formants_hz: tuple[float, ...], seconds: float = 4.0, *, rate: int = RATE) -> Samples:
    """Impulses through resonances of 80 Hz width: a source and its filter, the truth of both known."""
    sound = np.zeros(int(seconds * rate))
    sound[(np.arange(0, seconds, 1 / pitch_hz) * rate).astype(int)] = 1
    sound = lfilter([1], [1, -0.95], sound)
    for hertz in formants_hz:
        radius = np.exp(-np.pi * 80 / rate)
        sound = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * hertz / rate), radius**2], sound)
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def spoken(seconds: float = 4.0, *, rate: int = RATE) -> Samples:
    """Two vowels in turn, four a second, with pauses: something with syllables."""
    one, other = vowel(120, (700, 1200, 2600), seconds, rate=rate), vowel(120, (300, 2300, 3000), seconds, rate=rate)
    time = np.arange(len(one)) / rate
    loud = np.maximum(0, np.sin(2 * np.pi * 4 * time)) ** 0.5
    return (loud * np.where(time * 4 % 2 < 1, one, other)).astype(np.float32)


def clicks(at_s: tuple[float, ...], seconds: float, *, rate: int = 48_000) -> Samples:
    """Silence with single clicks of 1 ms."""
    sound = np.zeros(int(seconds * rate), np.float32)
    for moment in at_s:
        sound[int(moment * rate) : int((moment + 0.001) * rate)] = 0.9
    return sound


def video_with_sound(
    path: Path,
    sound: Samples,
    *,
    rate: int = 48_000,
    begins_s: float = 0.0,
    frames: int = 50,
    codec: str = "pcm_s16le",
    tags: dict[str, str] | None = None,
) -> Path:
    """A clip of 25 frames a second whose sound (n,) or (channels, n) begins `begins_s` after the first frame."""
    rows = np.atleast_2d(sound)
    layout = {1: "mono", 2: "stereo"}[len(rows)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 96, 64, "yuv420p", Fraction(1, 1000)
        heard = container.add_stream(codec, rate=rate, layout=layout)
        heard.metadata.update(tags or {})
        for at in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(seed=1), format="rgb24")
            frame.pts, frame.time_base = at * 40, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for at in range(0, rows.shape[1], 1024):
            piece = np.ascontiguousarray((rows[:, at : at + 1024] * 32767).astype(np.int16).T.reshape(1, -1))
            block = av.AudioFrame.from_ndarray(piece, format="s16", layout=layout)
            block.sample_rate, block.pts, block.time_base = rate, at + int(begins_s * rate), Fraction(1, rate)
            container.mux(heard.encode(block))
        container.mux(heard.encode(None))
    return path
