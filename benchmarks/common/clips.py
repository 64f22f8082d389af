"""Clips of a wanted length and size, from a sample clip that is played forwards and backwards: no cut, no jump."""

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from deid_audit.frames import Image
from deid_audit.pipeline.cast import open_video, read_frames

RATE = 25


def there_and_back(source: Path, most: int) -> Iterator[Image]:
    """The first `most` frames of a clip, then back to its beginning, and so on without an end."""
    clip = open_video(source, label="sample", digest_key=None)
    frames = [frame.image_rgb for frame in itertools.islice(read_frames(clip), most)]
    yield from itertools.cycle(frames + frames[-2:0:-1])


def filled(image_rgb: Image, size: tuple[int, int]) -> Image:
    """As much of the middle as fills `size` (width, height)."""
    height, width = image_rgb.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    resized = cv2.resize(image_rgb, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    top, left = (resized.shape[0] - size[1]) // 2, (resized.shape[1] - size[0]) // 2
    return np.ascontiguousarray(resized[top : top + size[1], left : left + size[0]])


def framed(image_rgb: Image, size: tuple[int, int]) -> Image:
    """The whole picture in the middle of grey, `size` (width, height): how an upright clip looks on a wide screen."""
    height, width = image_rgb.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    resized = cv2.resize(image_rgb, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    canvas = np.full((size[1], size[0], 3), 90, np.uint8)
    top, left = (size[1] - resized.shape[0]) // 2, (size[0] - resized.shape[1]) // 2
    canvas[top : top + resized.shape[0], left : left + resized.shape[1]] = resized
    return canvas


def write_clip(path: Path, pictures: Iterator[Image], frames: int) -> Path:
    """So many of the pictures as an MP4 of 25 frames a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "18", "preset": "veryfast"})
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, RATE)
        for number, picture in enumerate(itertools.islice(pictures, frames)):
            if not number:
                stream.height, stream.width = picture.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path
