"""dlib's own recogniser against its network in torch: seconds a face and the largest difference, in one run.

    python benchmarks/recognizer.py --chips 1000
    python benchmarks/recognizer.py --face-recognition OTHER_VENV/bin/python     # beside that package, too

Chips are cut from the sample clips where they are there (DEID_AUDIT_SAMPLES), else from the two public-domain portraits
that dependencies ship, at many crops and brightnesses. Where there is a CUDA device the network is run there, too.
The package face_recognition is timed where a Python that has it is given: from a picture and HOG's box of the face to
the descriptor, and ours likewise.
The limit beside it: the same number of multiplications as plain 3x3 convolutions of 128 planes, nothing between them.
"""

import argparse
import itertools
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import dlib
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from common.pairs import SAMPLES

from deid_audit.frames import Image
from deid_audit.pipeline.cast import open_video, read_frames
from deid_audit.pipeline.doctor.steps.faces import portraits
from deid_audit.swap.convert import prepare_runtime
from deid_audit.vision.descriptor_net import DescriptorNet
from deid_audit.vision.detectors import HogDetector, MediaPipeDetector
from deid_audit.vision.models import RECOGNIZER, model_path
from deid_audit.vision.native_output import silence_native_stderr
from deid_audit.vision.recognizer import MATCH_DISTANCE, Recognizer

EVERY = 7  # frames of a clip


def pictures() -> Iterator[Image]:
    """Frames of the samples in turn, then the portraits, over and over."""
    clips = sorted(SAMPLES.glob("talking_head/*.mp4")) + sorted(SAMPLES.glob("full_body/*.mp4"))
    sources = [
        itertools.islice(read_frames(open_video(clip, label=clip.name, digest_key=None)), 0, None, EVERY)
        for clip in clips
    ]
    for together in itertools.zip_longest(*sources):
        yield from (frame.image_rgb for frame in together if frame is not None)
    for number in itertools.count():
        picture, scale = portraits()[number % 2][0], 0.6 + 0.03 * (number % 32)
        yield np.clip(cv2.resize(picture, None, fx=scale, fy=scale) * (0.7 + 0.02 * (number % 32)), 0, 255).astype(
            np.uint8
        )


def chips(recognizer: Recognizer, count: int) -> list[Image]:
    """So many face chips uint8 (150, 150, 3)."""
    detector, found = MediaPipeDetector(), list[Image]()
    for picture in pictures():
        for box in detector.detect(picture).boxes_xyxy[:1]:
            chip = recognizer.chip(picture, box, None)
            found += [] if chip is None else [chip]
        if len(found) >= count:
            return found
    raise AssertionError("pictures never end")


def seconds_a_chip(recognizer: Recognizer, faces: Sequence[Image], batch: int, device: str) -> tuple[float, np.ndarray]:
    recognizer.describe(faces[:batch], batch=batch)  # warm
    started = time.perf_counter()
    rows = recognizer.describe(faces, batch=batch)
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / len(faces), rows


THEIRS = """
import sys, time, numpy, face_recognition
given = numpy.load(sys.argv[1])
pictures = [given[f"picture{at}"] for at in range(len(given["boxes"]))]
def described(at):
    left, top, right, bottom = given["boxes"][at].tolist()
    return face_recognition.face_encodings(pictures[at], [(top, right, bottom, left)], model="small")[0]
described(0)
started = time.perf_counter()
rows = [described(at) for at in range(len(pictures))]
numpy.savez(sys.argv[2], seconds=(time.perf_counter() - started) / len(rows), rows=rows)
"""


def beside_face_recognition(python: Path, count: int) -> None:
    """Both from picture and box to descriptor; ours in batches of 16."""
    ours, shown = Recognizer(), list[Image]()
    boxes: list[list[int]] = []
    for picture in itertools.islice(pictures(), 20 * count):
        if len(shown) == count:
            break
        found = HogDetector().detect(picture).boxes_xyxy[:1]
        if len(found):
            shown.append(picture)
            boxes.append([round(float(edge)) for edge in found[0]])
    with tempfile.TemporaryDirectory() as name:
        given, told = Path(name) / "given.npz", Path(name) / "told.npz"
        np.savez(given, boxes=boxes, **{f"picture{at}": picture for at, picture in enumerate(shown)})
        subprocess.run([python, "-W", "ignore", "-c", THEIRS, given, told], check=True)
        theirs = dict(np.load(told))

    def described() -> np.ndarray:
        chips = []
        for picture, (left, top, right, bottom) in zip(shown, boxes, strict=True):
            chips.append(ours._cut(picture, ours._points(picture, dlib.rectangle(left, top, right, bottom))))
        return ours.describe(chips)

    described()
    started = time.perf_counter()
    rows = described()
    took = (time.perf_counter() - started) / len(shown)
    off = np.abs(rows - theirs["rows"]).max()
    print(f"\n| {len(shown)} faces, from picture and box | ms a face | times as fast | largest difference |")
    print("| --- " * 4 + "|")
    print(f"| face_recognition | {1e3 * float(theirs['seconds']):.1f} | 1 | |")
    print(f"| ours | {1e3 * took:.1f} | {float(theirs['seconds']) / took:.1f} | {off:.1e} |", flush=True)


def multiplications() -> int:
    """Of one face, over the network's convolutions."""
    found: list[int] = []

    def count(layer: torch.nn.Module, _: object, made: torch.Tensor) -> None:
        found.append(made[0, 0].numel() * layer.weight.numel())

    net = DescriptorNet(model_path(RECOGNIZER)).eval()
    for layer in net.modules():
        if hasattr(layer, "stride"):
            layer.register_forward_hook(count)
    with torch.inference_mode():
        net(torch.zeros(1, 3, 150, 150))
    assert len(found) == 29
    return sum(found)


def limit(device: str, batch: int, wanted: int) -> float:
    """Seconds a face of `wanted` multiplications in plain convolutions."""
    planes, size = 128, 19
    weights = torch.rand(planes, planes, 3, 3, device=device)
    x = torch.rand(batch, planes, size, size, device=device).to(memory_format=torch.channels_last)
    layers = round(wanted / (planes * planes * 9 * size * size))
    with torch.inference_mode():
        for warm in (True, False):
            started = time.perf_counter()
            for _ in range(3 if warm else 3 * layers):
                F.conv2d(x, weights, padding=1)
            if device == "cuda":
                torch.cuda.synchronize()
    return (time.perf_counter() - started) / 3 / batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chips", type=int, default=200)
    parser.add_argument("--by-dlib", type=int, default=1000, help="at most so many are described by dlib, too")
    parser.add_argument("--face-recognition", type=Path, help="a Python that has the package of this name")
    given = parser.parse_args()
    silence_native_stderr()
    wanted = multiplications()
    devices = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
    threads = prepare_runtime(devices[-1])
    faces = chips(Recognizer(), given.chips)
    compared = faces[: given.by_dlib]
    theirs = dlib.face_recognition_model_v1(str(model_path(RECOGNIZER)))
    started = time.perf_counter()
    expected = np.array([theirs.compute_face_descriptor(face) for face in compared])
    dlib_seconds = (time.perf_counter() - started) / len(compared)
    apart = np.linalg.norm(expected[:, None] - expected, axis=2)
    print(f"{threads} threads, {len(faces)} faces, {len(compared)} of them described by dlib")
    print(f"{wanted / 1e6:.0f} million multiplications a face\n")
    print("| recogniser | batch | ms a face | times dlib's rate | of limit | largest difference | decided otherwise |")
    print("| --- " * 7 + "|")
    print(f"| dlib | 1 | {dlib_seconds * 1e3:.2f} | 1 | | | |", flush=True)
    for device in devices:
        ours = Recognizer(device)
        for batch in (1, 8, 16, 32, 64, 256):
            seconds, rows = seconds_a_chip(ours, faces, batch, device)
            rows = rows[: len(compared)]
            off = np.abs(rows - expected).max()
            decided = np.linalg.norm(rows[:, None] - rows, axis=2) > MATCH_DISTANCE
            other = int((decided != (apart > MATCH_DISTANCE)).sum())
            share = limit(device, batch, wanted) / seconds
            told = f"{seconds * 1e3:.2f} | {dlib_seconds / seconds:.0f} | {share:.0%} | {off:.1e} | {other}"
            print(f"| torch, {device} | {batch} | {told} |", flush=True)
    if given.face_recognition is not None:
        beside_face_recognition(given.face_recognition, min(given.chips, 200))


if __name__ == "__main__":
    main()
