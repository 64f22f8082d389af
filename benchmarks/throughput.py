"""How fast a video goes through: our convert pass against deface, and the audit against the bare sum of its models.

    python benchmarks/throughput.py --frames 300
    python benchmarks/throughput.py --deface OTHER_VENV/bin/deface     # one with ONNX Runtime

The same clips for all, in turns, each a whole process: seconds a frame are those of the frames beyond the first ten,
so that starting counts for nobody. Ours finds, swaps with a pair as it is before training, and encodes; deface finds
with CenterFace on the CPU (by ONNX Runtime where its Python has it, else by OpenCV), blurs, and encodes. The audit is
pass 4 of the smaller clip, released; the bare sum is every model call that it made, times what that call takes alone on
the same frames, one after the other; by the clock, and by the processor's time, which other jobs on the machine do not
lengthen as much.
"""

import argparse
import functools
import itertools
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from common.clips import framed, there_and_back, write_clip
from common.pairs import SAMPLES, SILENT
from common.untrained import untrained

from deid_audit.frames import Image, TrackedFace
from deid_audit.pipeline.cast import Role, analyse, open_videos
from deid_audit.pipeline.engines import Engines, load_engines
from deid_audit.pipeline.measuring import observe
from deid_audit.pipeline.outsider import outsider_of
from deid_audit.pipeline.planting import known_faces
from deid_audit.pipeline.rendering import RenderedPass, part_of, render_video
from deid_audit.swap.convert import load_model, prepare_runtime, rebuild_face, save_model
from deid_audit.video.reader import open_video, read_frames
from deid_audit.vision.detectors import CenterFaceDetector, HogDetector
from deid_audit.vision.mesh import FaceMesh
from deid_audit.vision.native_output import silence_native_stderr
from deid_audit.vision.pose import PoseTracker
from deid_audit.vision.recognizer import Recognizer

SUBJECT, DONOR = "full_body/latentsync_manF_seated_gestures.mp4", "talking_head/clm_manA_cap12.mp4"
SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
FIRST = 10
CALLS: dict[str, tuple[type, str]] = {
    "MediaPipe Pose": (PoseTracker, "track"),
    "FaceMesh": (FaceMesh, "landmarks"),
    "CenterFace": (CenterFaceDetector, "detect"),
    "dlib HOG": (HogDetector, "detect"),
    "the recogniser, a chip": (Recognizer, "describe"),
}


def convert(folder: Path, clip: Path) -> tuple[Role, RenderedPass, Path, Engines, Any]:
    """Finding, swapping and encoding, as a run does them after training."""
    prepare_runtime("cpu")
    engines = load_engines("cpu")
    with (folder / "model").open("rb") as stream:
        model = load_model(stream, "cpu")
    role = analyse(open_videos([clip], who="subject", digest_key=None), who="subject", engines=engines, progress=SILENT)
    done, target = RenderedPass(), clip.with_name(f"{clip.stem}-released.mp4")
    part = part_of(role.videos[0], role.average, [], model=model, engines=engines)
    with SILENT.step("", None) as step:
        render_video([part], target, done, step=step)
    return role, done, target, engines, model


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Counts every model's calls inside; a batch counts as its chips."""
    calls: Counter[str] = Counter()

    def counting(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counts(self: Any, first: Any, *more: Any, **named: Any) -> Any:
            calls[name] += sum(chip is not None for chip in first) if name.startswith("the recogniser") else 1
            return call(self, first, *more, **named)

        return counts

    with ExitStack() as stack:
        for name, (model, method) in CALLS.items():
            stack.enter_context(patch.object(model, method, counting(name, getattr(model, method))))
        yield calls


def clocks() -> np.ndarray:
    """Seconds by the clock, and of processor time."""
    return np.array((time.perf_counter(), time.process_time()))


def bare(name: str, pairs: list[tuple[Image, TrackedFace]], engines: Engines) -> np.ndarray:
    """Seconds (2,) a call of one model alone, on these frames and the faces in them; HOG looks around a face."""
    pose, mesh, search = PoseTracker(), FaceMesh(video=True), CenterFaceDetector()
    images, boxes, recognizer = [one for one, _ in pairs], [face.box_xyxy for _, face in pairs], engines.recognizer
    chips = [recognizer.chip(image, face.box_xyxy, face.landmarks_xy) for image, face in pairs[:16]]
    windows = [recognizer._search_window(image, face.box_xyxy)[0] for image, face in pairs]
    once: dict[str, Callable[[int], object]] = {
        "MediaPipe Pose": lambda at: pose.track(images[at]),
        "FaceMesh": lambda at: mesh.landmarks(images[at], boxes[at]),
        "CenterFace": lambda at: search.detect(images[at]),
        "dlib HOG": lambda at: engines.second.detect(windows[at]),
        "the recogniser, a chip": lambda at: recognizer.describe(chips) if at % 16 == 0 else None,
    }
    once[name](0)  # warm
    started = clocks()
    for at in range(len(pairs)):
        once[name](at)
    return (clocks() - started) / len(pairs)


def audit(folder: Path, clip: Path) -> None:
    role, done, target, engines, model = convert(folder, clip)
    cast, released = role.videos[0], open_video(target, label="released video 1")
    canaries = known_faces(engines, seed=0, videos=1)
    started = clocks()
    with counted() as calls:
        observe(
            cast, released, done, engines=engines, canaries=canaries, progress=SILENT,
            rebuild=(functools.partial(rebuild_face, model), model.preset.size), outsider=outsider_of(model),
        )  # fmt: skip
    whole = clocks() - started
    known = [(frame.image_rgb, cast.person_face(frame.index)) for frame in read_frames(cast.source)]
    pairs = [(image, face) for image, face in known if face is not None and face.has_landmarks]
    count = cast.source.facts.frame_count
    heads = ("of the audit", "calls a frame", "ms a call, alone", "ms a frame", "share", "of the processor's time")
    print(f"| {' | '.join(heads)} |\n{'| --- ' * len(heads)}|")
    total = np.zeros(2)
    for name in CALLS:
        mine = calls[name] * bare(name, pairs[: len(pairs) // 16 * 16], engines)
        total, ms = total + mine, 1e3 * mine[0] / max(calls[name], 1)
        told = " | ".join(f"{share:.0%}" for share in mine / whole)
        print(f"| {name} | {calls[name] / count:.2f} | {ms:.1f} | {1e3 * mine[0] / count:.0f} | {told} |", flush=True)
    print(f"| all models | | | {1e3 * total[0] / count:.0f} | {' | '.join(f'{one:.0%}' for one in total / whole)} |")
    times = " | ".join(f"{one:.2f} times the models" for one in whole / total)
    print(f"| the audit | | | {1e3 * whole[0] / count:.0f} | {times} |", flush=True)


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def beside_deface(
    folder: Path, clips: dict[str, tuple[Path, Path]], frames: int, rounds: int, commands: list[Path]
) -> None:
    ways = {"deid-audit": lambda clip: [sys.executable, "-P", __file__, "--child", str(folder), str(clip)]}
    for command in commands:
        if not command.exists():
            print(f"{command.name} is not installed there: left out\n")
            continue
        name = f"deface, {runner_of(command)}"
        if name in ways:
            raise SystemExit(f"two of the commands given with --deface run by {runner_of(command)}")
        ways[name] = lambda clip, at=command: [
            str(at),
            str(clip),
            "-o",
            str(clip.with_name(f"{clip.stem}-blurred.mp4")),
        ]
    print("| clip | a frame, s, in turns | in the middle | ours, times this |\n| --- | --- | --- | --- |")
    for size, (short, long) in clips.items():
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _, (name, command) in itertools.product(range(rounds), ways.items()):
            found[name].append((seconds(command(long)) - seconds(command(short))) / (frames - FIRST))
        for name, each in found.items():
            ratio = np.median(found["deid-audit"]) / np.median(each)
            told = ", ".join(f"{one:.3f}" for one in each)
            print(f"| {size}, {name} | {told} | {np.median(each):.3f} | {ratio:.2f} |", flush=True)


def runner_of(deface: Path) -> str:
    """What runs its network: it takes ONNX Runtime where its own Python can load that."""
    python = deface.with_name("python")
    loads = subprocess.run([python, "-c", "import onnx, onnxruntime"], stderr=subprocess.DEVNULL, check=False)
    return "OpenCV" if loads.returncode else "ONNX Runtime"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=2)
    beside = Path(sys.executable).with_name("deface")
    parser.add_argument(
        "--deface", type=Path, nargs="+", default=[beside], help="its commands, each in a venv of its own"
    )
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--parts", nargs="+", choices=("convert", "audit"), default=["convert", "audit"])
    given = parser.parse_args()
    silence_native_stderr()
    if given.child:
        convert(Path(given.child[0]), Path(given.child[1]))
        return
    if not (SAMPLES / SUBJECT).exists() or not (SAMPLES / DONOR).exists():
        print("the sample clips are not there (DEID_AUDIT_SAMPLES): nothing was measured")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "model").open("wb") as stream:
            save_model(untrained(SAMPLES / SUBJECT, SAMPLES / DONOR, load_engines("cpu"), frames=100), stream)
        clips = {}
        for size, pixels in SIZES.items():
            made = []
            for count in (FIRST, given.frames):
                pictures = (framed(one, pixels) for one in there_and_back(SAMPLES / SUBJECT, min(given.frames, 150)))
                made.append(write_clip(folder / f"{size}-{count}.mp4", pictures, count))
            clips[size] = (made[0], made[1])
        if "audit" in given.parts:
            audit(folder, clips["720p"][1])
        if "convert" in given.parts:
            beside_deface(folder, clips, given.frames, given.rounds, given.deface)


if __name__ == "__main__":
    main()
