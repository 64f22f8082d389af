"""Work alone and beside the same work on the same cores, by how the libraries' threads wait for each other.

What a user meets who starts two jobs, or works while one runs. Each is a process of its own, in a session of its own as
two terminals are. Two kinds of work of a run: training steps, on noise, and the mean face posed, once a frame. Prints a
Markdown table.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable

WAYS = {
    "the libraries' own": {"GOMP_SPINCOUNT": "300000", "OPENBLAS_NUM_THREADS": str(os.cpu_count())},
    "as deid-audit sets it": {"GOMP_SPINCOUNT": "1000", "OPENBLAS_NUM_THREADS": "1"},
    "no spinning": {"GOMP_SPINCOUNT": "0", "OPENBLAS_NUM_THREADS": "1"},
}


def training() -> Callable[[], object]:
    """A step of the preset that a CPU gets."""
    import torch  # noqa: PLC0415  (after the environment is what it is to be)

    from deid_audit.swap.augment import CROP_MARGIN, FaceSet  # noqa: PLC0415
    from deid_audit.swap.convert import prepare_runtime  # noqa: PLC0415
    from deid_audit.swap.networks import PRESETS, SIDES  # noqa: PLC0415
    from deid_audit.swap.train import Trainer  # noqa: PLC0415

    prepare_runtime("cpu")
    preset, generator = PRESETS["micro64"], torch.Generator().manual_seed(0)
    shape = (50, 9, round(preset.size * CROP_MARGIN), round(preset.size * CROP_MARGIN))
    faces = {
        side: FaceSet(
            planes=torch.randint(0, 255, shape, dtype=torch.uint8, generator=generator), chances=torch.ones(50) / 50
        )
        for side in SIDES
    }
    trainer = Trainer(preset, faces, {}, 0, "cpu")
    return lambda: trainer.step(5, 100)


def posing() -> Callable[[], object]:
    """The mean face of a portrait in its own shape."""
    import numpy as np  # noqa: PLC0415

    from deid_audit.faces.align import align  # noqa: PLC0415
    from deid_audit.pipeline.doctor.steps.faces import portraits  # noqa: PLC0415
    from deid_audit.swap.prior import make_prior, shape_of  # noqa: PLC0415
    from deid_audit.vision.mesh import FaceMesh  # noqa: PLC0415

    image_rgb, box_xyxy = portraits()[0]
    points = FaceMesh(video=False).landmarks(image_rgb, box_xyxy)
    assert points is not None
    face = align(0, image_rgb, points[:, :2], 80, margin=1.25)
    prior = make_prior([face], np.ones(1), margin=1.25)
    return lambda: prior.posed(shape_of(face), 64)


WORK = {"training steps": training, "poses": posing}


def work(name: str, seconds: float) -> None:
    """Does it again and again, and prints how often in a second."""
    once = WORK[name]()
    once()
    times, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        once()
        times += 1
    print(times / (time.perf_counter() - started))


def rates(name: str, together: int, seconds: float, way: dict[str, str]) -> list[float]:
    """Of so many processes at once."""
    command = [sys.executable, "-P", __file__, "--seconds", str(seconds), "--work", name]
    started = [
        subprocess.Popen(
            command, env=os.environ | way, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            start_new_session=True,
        )
        for _ in range(together)
    ]  # fmt: skip
    return [float(one.communicate()[0]) for one in started]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", choices=WORK, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(given.work, given.seconds)
        return
    print(f"{os.cpu_count()} threads, {given.seconds:g} s each\n")
    print("| a second | threads wait | alone | each of two at once |\n| --- | --- | --- | --- |")
    for name in WORK:
        for _ in range(given.rounds):
            for told, way in WAYS.items():
                alone, both = rates(name, 1, given.seconds, way), rates(name, 2, given.seconds, way)
                print(f"| {name} | {told} | {alone[0]:.2f} | {', '.join(f'{one:.2f}' for one in both)} |", flush=True)


if __name__ == "__main__":
    main()
