"""Training alone and beside another training on the same cores: steps a second, by how long OpenMP's threads spin.

What a user meets who starts two jobs, or works while one runs. Each training is a process of its own, on noise: only
its speed is looked at. Prints a Markdown table.
"""

import argparse
import os
import subprocess
import sys
import time

WAYS = {"300000 turns, its own way": 300_000, "1000 turns, as deid-audit sets it": 1000, "never": 0}


def train(seconds: float) -> None:
    """Prints this process's steps a second."""
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
    for number in range(5):
        trainer.step(number, 100)
    steps, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        trainer.step(5, 100)
        steps += 1
    print(steps / (time.perf_counter() - started))


def rates(together: int, seconds: float, turns: int) -> list[float]:
    """Steps a second of so many trainings at once, each in a session of its own, as two terminals are."""
    environment = {**os.environ, "GOMP_SPINCOUNT": str(turns)}
    command = [sys.executable, "-P", __file__, "--train", str(seconds)]
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
        for _ in range(together)
    ]
    return [float(one.communicate()[0]) for one in started]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--train", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.train:
        train(given.train)
        return
    print(f"{os.cpu_count()} threads, {given.seconds:g} s each, steps a second\n")
    print("| OpenMP spins | alone | each of two at once |\n| --- | --- | --- |")
    for _ in range(given.rounds):
        for name, turns in WAYS.items():
            alone, both = rates(1, given.seconds, turns), rates(2, given.seconds, turns)
            print(f"| {name} | {alone[0]:.2f} | {', '.join(f'{one:.2f}' for one in both)} |", flush=True)


if __name__ == "__main__":
    main()
