"""Mutated videos and policies against the whole command: a clear end, whatever the bytes.

Never a traceback, an internal error, a crash of a native library or a hang; the exit status is one of the table; and
a status of 0 comes with a complete release. Every mutation is fixed by its number, so a failure can be repeated.
"""

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.short_clips import write_pictures
from tests.e2e.typed import EASY_POLICY
from tests.e2e.warm import Done, WarmCommand, arguments
from tests.unit.made_videos import picture

pytestmark = pytest.mark.e2e
LIMIT_S = 300
BESIDE = ("certificate.pdf", "evidence.json", "attestation.dsse.json", "signer.crt", "audit")
CONTAINERS = {"mp4": "libx264", "mkv": "libx264", "avi": "mpeg4", "mpg": "mpeg2video"}
# Videos, of them in full when they still open, policies, and videos with a face whose bytes are changed a little.
EVERY_DAY, SOAK = (16, 2, 8, 1), (350, 40, 150, 8)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small video without a face in each container."""
    folder = tmp_path_factory.mktemp("seeds")
    pictures = [picture(96, 64, seed=number) for number in range(12)]
    return {
        kind: write_pictures(folder / f"v.{kind}", pictures, codec=codec).read_bytes()
        for kind, codec in CONTAINERS.items()
    }


# Mutations ------------------------------------------------------------------------------------------------------------


def _flipped(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 3, 10, 100))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _cut(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(1, len(data))
    del data[start : chance.choice((len(data), start + chance.randrange(1, 200)))]


def _swapped(data: bytearray, chance: random.Random) -> None:
    size = chance.choice((16, 64, 512))
    one, two = (chance.randrange(max(1, len(data) - size)) for _ in range(2))
    data[one : one + size], data[two : two + size] = data[two : two + size], data[one : one + size]


def _with_another_header(data: bytearray, chance: random.Random) -> None:
    """A number of two or four bytes near the start or the end, where headers and indexes stand."""
    size = chance.choice((2, 4))
    near_start = chance.random() < 0.6
    position = chance.randrange(min(600, len(data) - 4)) + (0 if near_start else max(0, len(data) - 604))
    values = (b"\x00" * size, b"\xff" * size, b"\x7f" + b"\xff" * (size - 1), chance.randbytes(size))
    data[position : position + size] = chance.choice(values)


def _repeated(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data))
    block = data[start : start + chance.randrange(1, 2000)]
    data[start:start] = block


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    *(_flipped, _cut, _swapped, _with_another_header, _repeated),
)


def mutated(data: bytes, number: int) -> bytes:
    """The bytes after one to three mutations, fixed by `number`."""
    chance = random.Random(number)
    changed = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        if len(changed) > 700:
            chance.choice(MUTATIONS)(changed, chance)
    return bytes(changed)


TOML_VALUES = (
    *("0", "-1", "1e400", "nan", "-inf", "true", '""', '"x"', "[]", "{}", "[[]]", "9" * 400, '"\\u0000"'),
    *("1979-05-27", "[1, 'a']", '"above"', "0x7fffffffffffffff", '"' + "a" * 3000 + '"', "'''"),
)


def mutated_policy(text: str, number: int) -> bytes:
    """A policy with mutated bytes, or with another TOML value, key or rule."""
    chance = random.Random(number)
    if number % 2:
        return mutated(text.encode(), number)
    lines = text.splitlines()
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(lines))
        key = lines[at].partition("=")[0]
        lines[at] = chance.choice(
            (f"{key}= {chance.choice(TOML_VALUES)}", lines[chance.randrange(len(lines))], "", f"other_{lines[at]}")
        )
    return "\n".join(lines).encode()


# Invariants -----------------------------------------------------------------------------------------------------------


def fault(done: Done, out: Path) -> str:
    """What is wrong with how a command ended; empty when nothing is."""
    said = done.stderr
    if done.status not in (0, 1, 2, 3):
        return f"status {done.status}: {said[-300:]}"
    if "Traceback" in said or "internal error" in said:
        return said[-300:]
    errors = sum(line.startswith("error: ") for line in said.splitlines())
    if out.with_name("out.partial").exists():
        return "OUT.partial was left"
    if errors:
        return "OUT beside an error" if out.exists() else "" if errors == 1 else "more than one message"
    return "" if _is_complete(out, released=done.status == 0) else f"status {done.status} with an incomplete output"


def _is_complete(out: Path, *, released: bool) -> bool:
    folder = "release" if released else "withheld"
    if {path.name for path in out.iterdir()} != {folder, *BESIDE}:
        return False
    check = ["sha256sum", "--strict", "-c", "manifest-sha256.txt", "tagmanifest-sha256.txt"]
    return not released or subprocess.run(check, cwd=out / folder, capture_output=True, check=False).returncode == 0


def fuzz(
    warm: WarmCommand,
    clips: tuple[Path, Path],
    seeds: dict[str, bytes],
    folder: Path,
    counts: tuple[int, int, int, int],
) -> dict[str, int]:
    """Runs all mutations, asserts that none ends badly, and counts how they ended."""
    videos, in_full, policies, faces = counts
    out, faults, ends = folder / "out", [], {"refused": 0, "opened": 0, "no face": 0, "whole runs": 0, "policies": 0}

    def run(name: str, *typed: object) -> Done:
        done = warm.run(*typed, timeout_s=LIMIT_S)
        if wrong := fault(done, out):
            faults.append(f"{name}: {wrong}")
        shutil.rmtree(out, ignore_errors=True)
        return done

    missing, bad = folder / "missing.mp4", folder / "bad.mp4"
    for number in range(videos):
        kind = tuple(seeds)[number % len(seeds)]
        bad.write_bytes(mutated(seeds[kind], number))
        # The donor does not exist: what says so has decoded the subject's video from end to end.
        done = run(f"{kind} {number}", *arguments(bad, missing, out))
        opened = "donor video 1 does not exist" in done.stderr
        ends["opened" if opened else "refused"] += 1
        if opened and ends["no face"] < in_full:
            ends["no face"] += 1
            run(f"{kind} {number} in full", *arguments(bad, clips[1], out))
    policy = folder / "policy.toml"
    for number in range(policies):
        policy.write_bytes(mutated_policy(EASY_POLICY, number))
        ends["policies"] += run(f"policy {number}", *arguments(missing, missing, out, "--policy", policy)).status == 2
    policy.write_text(EASY_POLICY)
    face, number = clips[0].read_bytes(), 0
    while ends["whole runs"] < faces:
        number += 1
        changed = bytearray(face)
        changed[random.Random(number).randrange(len(face))] ^= 1 << number % 8
        bad.write_bytes(changed)
        if "donor video 1 does not exist" in run(f"face {number}", *arguments(bad, missing, out)).stderr:
            run(f"face {number} in full", *arguments(bad, clips[1], out, "--policy", policy))
            ends["whole runs"] += 1
    assert faults == []
    return ends


def test_mutated_videos_and_policies_end_well(
    warm: WarmCommand, clips: tuple[Path, Path], seeds: dict[str, bytes], tmp_path: Path
) -> None:
    ends = fuzz(warm, clips, seeds, tmp_path, EVERY_DAY)
    assert ends["refused"] > 0 and ends["opened"] > 0 and ends["policies"] > 0


@pytest.mark.soak
def test_five_hundred_mutated_videos_and_policies_end_well(
    warm: WarmCommand, clips: tuple[Path, Path], seeds: dict[str, bytes], tmp_path: Path
) -> None:
    ends = fuzz(warm, clips, seeds, tmp_path, SOAK)
    print(f"350 videos and 150 policies: {ends}")
    assert ends["no face"] == SOAK[1]


@pytest.mark.parametrize(
    ("status", "said", "wrong"),
    [
        (-11, "", "status -11"),
        (70, "", "status 70"),
        (1, "Traceback (most recent call last):", "Traceback"),
        (1, "internal error: KeyError", "internal error"),
        (1, "error: a\nerror: b", "more than one message"),
        (0, "", "incomplete"),
    ],
)
def test_a_bad_end_would_be_seen(tmp_path: Path, status: int, said: str, wrong: str) -> None:
    out = tmp_path / "out"
    if status == 0:
        for name in ("release", *BESIDE):
            (out / name).mkdir(parents=True)
        for name in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
            (out / "release" / name).write_text(f"{'0' * 64}  data/c1-01.mp4\n")
    assert wrong in fault(Done(status=status, stdout="", stderr=said), out)
