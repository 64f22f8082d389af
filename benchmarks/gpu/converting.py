"""The convert pass (finding, swapping, encoding) and the recogniser, on the CPU and on a CUDA device, in one run.

    python benchmarks/gpu/converting.py
    python benchmarks/gpu/converting.py --model end2end.onnx     # keypoints by an RTMPose model of yours, too

The clip is the demo's, drawn by code; the pair is as it is before training, which costs what a trained one does. Each
row is the middle of some rounds, CPU and CUDA in turns. Copies to the GPU are timed both ways, page-locked and plain.
Says so and ends where there is no CUDA device. Prints Markdown.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from common.cuda import prepared_gpu
from common.pairs import SILENT
from common.untrained import untrained

from deid_audit.frames import Image
from deid_audit.pipeline.cast import analyse, open_videos
from deid_audit.pipeline.demo_clips import write_demo_clips
from deid_audit.pipeline.engines import load_engines
from deid_audit.pipeline.rendering import RenderedPass, part_of, render_video
from deid_audit.swap.convert import load_model, prepare_runtime, save_model
from deid_audit.video.reader import read_frames
from deid_audit.vision import recognizer as recognizing
from deid_audit.vision.onnx_network import onnx_network
from deid_audit.vision.recognizer import Recognizer
from deid_audit.vision.rtmpose import RtmPose

DEVICES = ("cpu", "cuda")
CHIPS, BATCHES = 512, (1, 16, 64)


def converted(folder: Path, clip: Path, device: str) -> tuple[np.ndarray, list[Image]]:
    """Milliseconds a frame of finding, and of swapping with encoding; and face chips of the clip."""
    prepare_runtime(device)
    engines = load_engines(device)
    with (folder / "model").open("rb") as stream:
        model = load_model(stream, device)
    sources = open_videos([clip], who="subject", digest_key=None)
    frames = sources[0].facts.frame_count
    started = time.perf_counter()
    role = analyse(sources, who="subject", engines=engines, progress=SILENT)
    found = time.perf_counter()
    part = part_of(role.videos[0], role.average, [], model=model, engines=engines)
    with SILENT.step("", None) as step:
        render_video([part], folder / f"released-{device}.mp4", RenderedPass(), step=step)
    ended = time.perf_counter()
    chips: list[Image] = []
    for frame in read_frames(sources[0]):
        face = role.videos[0].person_face(frame.index)
        if face is not None and (points := face.landmarks_xy) is not None and len(chips) < CHIPS:
            chips.append(engines.recognizer.chip_from_mesh(frame.image_rgb, points))
    return 1e3 * np.array((found - started, ended - found)) / frames, chips


def milliseconds(call: Callable[[], object], count: int) -> float:
    call()  # warm
    started = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return 1e3 * (time.perf_counter() - started) / count


def plain(array: np.ndarray, device: str) -> torch.Tensor:
    """A copy as it was made before: from memory that can be paged out, waited for."""
    return torch.from_numpy(array).to(device)


def descriptors(chips: list[Image]) -> None:
    print("\n| descriptors | batch | ms a face | largest difference to the CPU's |\n| --- | --- | --- | --- |")
    expected = Recognizer("cpu").describe(chips)
    for batch in BATCHES:
        for name, device, copy in (
            ("cpu", "cpu", None),
            ("cuda, page-locked copies", "cuda", None),
            ("cuda, plain copies", "cuda", plain),
        ):
            prepare_runtime(device)
            ours = Recognizer(device)
            with patch.object(recognizing, "on_device", copy or recognizing.on_device):
                took = milliseconds(lambda ours=ours, batch=batch: ours.describe(chips, batch=batch), len(chips))
                off = np.abs(ours.describe(chips, batch=batch) - expected).max()
            print(f"| {name} | {batch} | {took:.3f} | {off:.1e} |", flush=True)


def keypoints(model: Path) -> None:
    print("\n| keypoints of a model | run by | ms a person |\n| --- | --- | --- |")
    for device in DEVICES:
        width, height = RtmPose(model, device)._size
        network, blob = onnx_network(model, device), np.zeros((1, 3, height, width), np.float32)
        took = milliseconds(lambda network=network, blob=blob: [network.run(blob) for _ in range(50)], 50)
        print(f"| {device} | {network.run_by} | {took:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of the clip")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--model", type=Path, help="an RTMPose body model as ONNX")
    given = parser.parse_args()
    facts = prepared_gpu()
    print(f"{facts['name']}, CUDA {facts['built_for']}, torch {torch.__version__}\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subject, donor = write_demo_clips(folder, SILENT, seconds=given.seconds)
        with (folder / "model").open("wb") as stream:
            save_model(untrained(subject, donor, load_engines("cpu"), frames=100), stream)
        taken: dict[str, list[np.ndarray]] = {device: [] for device in DEVICES}
        chips: list[Image] = []
        for _ in range(given.rounds):
            for device in DEVICES:
                took, chips = converted(folder, subject, device)
                taken[device].append(took)
        print("| convert pass | finding, ms a frame | swapping and encoding | together | times as fast |")
        print("| --- " * 5 + "|")
        base = np.median(taken["cpu"], axis=0).sum()
        for device, rows in taken.items():
            first, second = np.median(rows, axis=0)
            both = first + second
            print(f"| {device} | {first:.1f} | {second:.1f} | {both:.1f} | {base / both:.2f} |", flush=True)
        descriptors((chips * (CHIPS // max(1, len(chips)) + 1))[:CHIPS])
        if given.model is not None:
            keypoints(given.model)


if __name__ == "__main__":
    main()
