"""Clips for whole commands that must be over soon: the demo's people at half size, and videos without a face."""

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np

from deid_audit.frames import Image
from deid_audit.pipeline.demo_clips import write_demo_clips
from deid_audit.progress import SilentProgress

FRAMES = 48
SENTINEL = "Jane-Sentinel-Doe"
TAGS = ("title", "comment", "location", "artist")


def pictures_of(path: Path) -> list[Image]:
    """All frames of a file as RGB."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def write_pictures(path: Path, pictures: list[Image], *, codec: str = "libx264", rate: int = 25) -> Path:
    """The pictures as a video, `rate` a second; the container is what the name ends with."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def short_clips(folder: Path) -> tuple[Path, Path]:
    """Subject and donor, 270x480 pixels, 48 frames: enough for every stage to do its work."""
    found = []
    for path in write_demo_clips(folder, SilentProgress(), seconds=FRAMES / 25):
        pictures = [cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for p in pictures_of(path)]
        found.append(write_pictures(folder / f"short-{path.name}", pictures))
    return found[0], found[1]


def named_copy(source: Path, folder: Path) -> Path:
    """The same pictures under a name that must never appear: in folder, file name, tags and stream name."""
    named = folder / f"folder-of-{SENTINEL}" / f"{SENTINEL}.mp4"
    named.parent.mkdir()
    options = {"movflags": "use_metadata_tags"}  # without it MP4 has room for coordinates only as a location
    with av.open(str(source)) as opened, av.open(str(named), "w", container_options=options) as target:
        stream = target.add_stream_from_template(opened.streams.video[0])
        target.metadata.update({tag: f"{tag}-{SENTINEL}" for tag in TAGS})
        stream.metadata["handler_name"] = f"handler-{SENTINEL}"
        for packet in opened.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    with av.open(str(named)) as container:
        assert {tag for tag, value in container.metadata.items() if SENTINEL in value} == set(TAGS)
        assert SENTINEL in container.streams.video[0].metadata["handler_name"]
    return named


def side_by_side(path: Path, left: Path, right: Path) -> Path:
    """Two people in one picture, each half of the time of neither."""
    pairs = zip(pictures_of(left), pictures_of(right), strict=True)
    return write_pictures(path, [np.concatenate(_same_height(*pair), axis=1) for pair in pairs])


def _same_height(left: Image, right: Image) -> tuple[Image, Image]:
    height = min(left.shape[0], right.shape[0])
    return left[:height], right[:height]


def edited(source: Path, path: Path, edit: Callable[[bytes], bytes]) -> Path:
    """A copy of the file whose bytes went through `edit`."""
    path.write_bytes(edit(source.read_bytes()))
    return path
