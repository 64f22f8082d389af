"""Small videos made by code for the reader's and writer's tests; pictures with the colours and edges of a photo."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from scipy.ndimage import gaussian_filter

from deid_audit.frames import Image


def picture(width: int = 96, height: int = 64, seed: int = 0) -> Image:
    """Smooth colour blobs with one bright square near the top left corner, uint8 (height, width, 3)."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 4))
    smooth = gaussian_filter(noise, sigma=(6, 6, 0))
    smooth /= smooth.std()
    light, colour = smooth[..., :1], smooth[..., 1:]  # as in a photo, brightness varies more than colour does
    image = np.clip(128 + 40 * light + 10 * colour, 10, 235).astype(np.uint8)
    image[4:16, 4:16] = (250, 240, 40)
    return image


def make_video(
    path: Path,
    pts: Sequence[int],
    *,
    time_base: Fraction = Fraction(1, 1000),
    size: tuple[int, int] = (96, 64),
    tags: dict[str, str] | None = None,
    rotation: float | None = None,
    mirrored: bool = False,
    audio: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """Writes one frame for each of `pts`; the picture changes a little from frame to frame."""
    width, height = size
    odd = width % 2 or height % 2
    with av.open(str(path), "w", container_options={"movie_timescale": "90000", **(options or {})}) as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10", "bf": "0", "preset": "ultrafast"})
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuv444p" if odd else "yuv420p"
        stream.codec_context.time_base = time_base
        stream.time_base = time_base
        if rotation is not None or mirrored:
            stream.set_display_rotation(rotation or 0, hflip=mirrored)
        sound = container.add_stream("aac", rate=44100) if audio else None
        container.metadata.update(tags or {})
        base = picture(width, height)
        for number, stamp in enumerate(pts):
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(np.clip(base + number % 20, 0, 255).astype(np.uint8)))
            frame.pts, frame.time_base = stamp, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            silence.sample_rate, silence.pts = 44100, 0
            container.mux(sound.encode(silence))
            container.mux(sound.encode(None))
    return path
