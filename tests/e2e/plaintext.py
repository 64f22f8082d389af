"""What a killed run may leave behind: looks into every file for weights, crops, original frames, arrays and pixels."""

import io
import math
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from av.codec import CodecContext
from av.packet import Packet

from deid_audit.frames import Float, Image
from deid_audit.vision.detectors import MediaPipeDetector
from tests.e2e.short_clips import pictures_of

MARKER = ".deid-audit-partial"
_VIDEO = re.compile(r"(rendered|withheld|release/data)/\.?[\w.-]+\.mp4(\.part)?")
_PAPER = re.compile(
    r"certificate\.pdf|evidence\.json|attestation\.dsse\.json|signer\.crt|audit/.*"
    r"|release/([\w-]+\.txt|verify\.sh|data/ro-crate-metadata\.json)"
)
_CIPHERTEXT = re.compile(r"work/\d{4}\.enc")
_LEAST_CHANGE = 6.0  # mean levels inside the face; the encoder alone changes 1 to 2


class Originals:
    """The subject's frames and where the face is in each."""

    def __init__(self, video: Path) -> None:
        self.pictures = pictures_of(video)
        detector = MediaPipeDetector()
        self.boxes = [detector.detect(picture).boxes_xyxy[0] for picture in self.pictures]
        faces = [self.face(n, picture) for n, picture in enumerate(self.pictures)]
        middles = [face[face.shape[0] // 2] for face in faces]
        self.rows = [row[:, order].tobytes() for row in middles for order in ([0, 1, 2], [2, 1, 0])]
        """One row of pixels through every face, as RGB and as BGR."""

    def face(self, index: int, picture: Image) -> Image:
        """The middle of the face's place in a frame."""
        return _middle(picture, self.boxes[index])

    def is_unchanged_in(self, index: int, picture: Image) -> bool:
        before = self.face(index, self.pictures[index]).astype(float)
        return float(np.abs(before - self.face(index, picture)).mean()) < _LEAST_CHANGE


def _middle(picture: Image, box_xyxy: Float) -> Image:
    left, top, right, bottom = (float(edge) for edge in box_xyxy)
    x, y, w, h = (left + right) / 2, (top + bottom) / 2, (right - left) / 4, (bottom - top) / 4
    return picture[int(y - h) : int(y + h), int(x - w) : int(x + w)]


def faults(folder: Path, originals: Originals, whole: Path) -> tuple[list[str], int]:
    """What stands in `folder` and must not, and how many frames of renders were looked at.

    `whole` is a complete render of the same job: its header lets an unfinished one be decoded.
    """
    found: list[str] = []
    looked_at = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        data = path.read_bytes()
        if name == MARKER:
            found += [f"{name}: not empty"] if data else []
        elif _VIDEO.fullmatch(name):
            frames = _frames(path, whole)
            looked_at += len(frames)
            shown = [n for n, picture in enumerate(frames) if originals.is_unchanged_in(n, picture)]
            found += [f"{name}: the original face in frame {shown[0]}"] if shown else []
        elif _CIPHERTEXT.fullmatch(name):
            found += [f"{name}: {kind}" for kind in _kinds(data)]
            found += [f"{name}: not random"] if len(data) > 4096 and _entropy_bits(data) < 7.9 else []
        elif _PAPER.fullmatch(name):
            found += [f"{name}: {kind}" for kind in _kinds(data) if kind != "picture" or not name.endswith(".png")]
        else:
            found.append(f"{name}: unexpected file")
    return found, looked_at


def stray_faults(paths: Iterable[Path], originals: Originals) -> list[str]:
    """What among files of any name (temporary ones, shared memory) is weights, a picture, a film or raw pixels."""
    found: list[str] = []
    for path in paths:
        try:
            data = path.read_bytes() if path.is_file() else b""
        except OSError:  # another process's, gone or closed to us
            continue
        found += [f"{path.name}: {kind}" for kind in _kinds(data)]
        found += [f"{path.name}: film"] if b"mdat" in data or b"moov" in data else []
        found += [f"{path.name}: raw"] if any(row in data for row in originals.rows) else []
    return found


def _kinds(data: bytes) -> list[str]:
    """As what a loader takes the bytes."""
    kinds = ["archive"] if zipfile.is_zipfile(io.BytesIO(data)) or data[:2] == b"PK" else []
    if data and cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None:
        kinds.append("picture")
    for kind, load in (("array", np.load), ("weights", torch.load)):
        try:
            load(io.BytesIO(data))
        except Exception:
            continue
        kinds.append(kind)
    return kinds


def _entropy_bits(data: bytes) -> float:
    """Shannon entropy of the bytes; 8 for random ones."""
    return -sum(n / len(data) * math.log2(n / len(data)) for n in Counter(data).values())


def _frames(path: Path, whole: Path) -> Sequence[Image]:
    """All frames of a written video; of one that was cut off before its index was written, those that are there."""
    try:
        return pictures_of(path)
    except av.error.FFmpegError:
        data = path.read_bytes()
    with av.open(str(whole)) as container:
        decoder = CodecContext.create("h264", "r")
        decoder.extradata = container.streams.video[0].codec_context.extradata
        count = sum(1 for packet in container.demux(video=0) if packet.size)
    frames: list[Image] = []
    position = data.find(b"mdat") + 4
    while 4 <= position < len(data) - 4:
        end = position + 4 + int.from_bytes(data[position : position + 4], "big")
        if end > len(data):
            break
        try:
            frames += [frame.to_ndarray(format="rgb24") for frame in decoder.decode(Packet(data[position:end]))]
        except av.error.FFmpegError:  # behind the last picture
            break
        position = end
    return (frames + [frame.to_ndarray(format="rgb24") for frame in decoder.decode(None)])[:count]
