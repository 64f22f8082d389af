"""Accidents to a whole run: a full disk, and SIGKILL at any moment. SIGTERM and Ctrl-C are in test_run.py."""

import io
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from deid_audit.frames import Frame, Image
from deid_audit.video.reader import open_video
from deid_audit.video.writer import write_video
from tests.e2e.plaintext import Originals, faults
from tests.e2e.warm import Running, WarmCommand, arguments, assert_one_message

pytestmark = pytest.mark.e2e
COMPLETE = {"withheld", "certificate.pdf", "evidence.json", "attestation.dsse.json", "signer.crt", "audit"}


@pytest.fixture(scope="module")
def originals(clips: tuple[Path, Path]) -> Originals:
    return Originals(clips[0])


# Killed ---------------------------------------------------------------------------------------------------------------

# A kill falls up to a second after the pass before it has ended: in finding faces, training, rendering, measuring,
# and issuing.
AFTER = ("", "gathering faces, donor", "training", "swapping", "pixelated")


def wait_for(line: str, running: Running, partial: Path) -> None:
    while not (partial.exists() and line in running.said) and not running.ended(0.02):
        continue


def training_processes(parent: int) -> list[int]:
    """The processes in which that run trains."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            numbers = (folder / "stat").read_text().rpartition(")")[2].split()
            ours = b"deid_audit.pipeline.trainee" in (folder / "cmdline").read_bytes()
        except OSError:  # no process, or none any more
            continue
        if ours and int(numbers[1]) == parent:
            found.append(int(folder.name))
    return found


def killed(running: Running, out: Path, keep: Path) -> None:
    """Kills the run; OUT may be there only when it is complete, and what else it left is kept aside for a look.

    The process in which it trains must go with it.
    """
    trainees = training_processes(running.pid)
    running.kill()
    running.wait(30)
    until = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in trainees):
        assert time.monotonic() < until, "a process that trains was left"
        time.sleep(0.05)
    partial = out.with_name("out.partial")
    if out.exists():
        assert {path.name for path in out.iterdir()} == COMPLETE
        assert not partial.exists()
        shutil.rmtree(out)
    elif partial.exists():
        shutil.copytree(partial, keep)


def complete(warm: WarmCommand, clips: tuple[Path, Path], out: Path) -> float:
    """A run to its end on top of what a killed one left; its seconds."""
    started = time.monotonic()
    done = warm.run(*arguments(*clips, out), timeout_s=300)
    assert done.status == 3, done.stderr
    assert {path.name for path in out.iterdir()} == COMPLETE
    assert not out.with_name("out.partial").exists()
    return time.monotonic() - started


def assert_nothing_in_plain(left: list[Path], originals: Originals, out: Path) -> int:
    """Looks at everything that was kept; the number of frames seen."""
    whole = next((out / "withheld").iterdir())
    seen = 0
    for folder in left:
        found, frames = faults(folder, originals, whole)
        assert found == [], folder.name
        seen += frames
    return seen


def test_a_kill_leaves_nothing_in_plain_and_the_next_run_works(
    warm: WarmCommand, clips: tuple[Path, Path], originals: Originals, tmp_path: Path
) -> None:
    out, left = tmp_path / "out", tmp_path / "left"
    chance = random.Random(3)
    for line in AFTER:
        running = warm.start(*arguments(*clips, out))
        wait_for(line, running, out.with_name("out.partial"))
        running.ended(chance.uniform(0, 1))
        killed(running, out, left / (line or "start"))
    complete(warm, clips, out)
    kept = sorted(left.iterdir())
    assert len(kept) >= 4
    assert any((folder / "work").exists() and list((folder / "work").iterdir()) for folder in kept)
    assert assert_nothing_in_plain(kept, originals, out) >= len(originals.pictures)


def test_a_training_process_that_is_killed_is_one_clear_error(
    warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    """As the system does when memory runs out."""
    running = warm.start(*arguments(*clips, tmp_path / "out"))
    wait_for("gathering faces, donor", running, tmp_path / "out.partial")
    [trainee] = training_processes(running.pid)
    os.kill(trainee, signal.SIGKILL)
    assert_one_message(running.wait(120), 1, "the process that trains the model was ended by SIGKILL")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.soak
def test_fifty_kills_leave_nothing_in_plain(
    warm: WarmCommand, clips: tuple[Path, Path], originals: Originals, tmp_path: Path
) -> None:
    out, left = tmp_path / "out", tmp_path / "left"
    seconds = complete(warm, clips, out)
    chance = random.Random(50)
    for number in range(50):
        shutil.rmtree(out, ignore_errors=True)
        running = warm.start(*arguments(*clips, out))
        running.ended(chance.uniform(0, seconds))
        killed(running, out, left / f"{number:02d}")
        if number % 10 == 9:
            complete(warm, clips, out)
    seen = assert_nothing_in_plain(sorted(left.iterdir()), originals, out)
    print(f"{len(list(left.iterdir()))} of 50 kills left something; {seen} frames of renders were looked at")
    assert seen > 0


def rendered(path: Path, pictures: list[Image], like: Path) -> Path:
    """The pictures as a run would have written them."""
    source = open_video(like, label="like")
    frames = (
        Frame(index=n, pts=source.pts[n], image_rgb=np.ascontiguousarray(picture)) for n, picture in enumerate(pictures)
    )
    write_video(path, frames, like=source)
    return path


PLANTED = {
    "weights in the vault's folder": ("work/0001.enc", "weights"),
    "an archive of arrays": ("work/0002.enc", "archive"),
    "an array": ("work/0003.enc", "array"),
    "a crop": ("work/0004.enc", "picture"),
    "bytes that are not random": ("work/0005.enc", "not random"),
    "a crop among the figures": ("audit/figures/crop.csv", "picture"),
    "a file of another name": ("work/crops.bin", "unexpected file"),
    "the original as the render": ("rendered/c-01.mp4", "the original face in frame 0"),
    "one frame of the original": ("rendered/c-01.mp4", "the original face in frame 30"),
    "an unfinished original": ("rendered/.c-01.mp4.part", "the original face in frame 0"),
}


@pytest.mark.parametrize("case", PLANTED)
def test_what_must_not_be_left_would_be_seen(
    clips: tuple[Path, Path], originals: Originals, tmp_path: Path, case: str
) -> None:
    name, fault = PLANTED[case]
    path = tmp_path / "left" / name
    path.parent.mkdir(parents=True)
    crop = np.ascontiguousarray(originals.face(0, originals.pictures[0]))
    weights, archive, array = io.BytesIO(), io.BytesIO(), io.BytesIO()
    torch.save({"w": torch.rand(1000)}, weights)
    np.savez(archive, np.random.default_rng(0).random(1000))
    np.save(array, np.random.default_rng(0).random(1000))
    changed = [255 - picture for picture in originals.pictures]
    whole = rendered(tmp_path / "whole.mp4", changed, clips[0])
    if path.suffix in (".mp4", ".part"):
        one = case.startswith("one")
        pictures = [*changed[:30], originals.pictures[30], *changed[31:]] if one else originals.pictures
        data = rendered(tmp_path / "planted.mp4", pictures, clips[0]).read_bytes()
        if path.suffix == ".part":  # as it stands before the index is moved in front of the pictures
            data = data[: data.index(b"moov") - 4] + data[data.index(b"mdat") - 4 :]
    else:
        data = {
            "weights in the vault's folder": weights.getvalue(),
            "an archive of arrays": archive.getvalue(),
            "an array": array.getvalue(),
            "bytes that are not random": b"no cipher" * 1000,
        }.get(case, cv2.imencode(".png", crop)[1].tobytes())
    path.write_bytes(data)
    found, _ = faults(tmp_path / "left", originals, whole)
    assert f"{name}: {fault}" in found


# A full disk ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of the given size."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={request.param}k", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system may not be mounted here; the limit on file sizes is tested instead")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def assert_failed_cleanly(running: Running, folder: Path, message: str) -> None:
    done = running.wait(300)
    assert_one_message(done, 1, message)
    assert [path.name for path in folder.iterdir() if path.name != "filler"] == []


@pytest.mark.parametrize("small_disk", [8, 1024], indirect=True, ids=["nothing fits", "the model does not fit"])
def test_a_full_disk_ends_with_1_and_leaves_nothing(
    warm: WarmCommand, clips: tuple[Path, Path], small_disk: Path
) -> None:
    assert_failed_cleanly(warm.start(*arguments(*clips, small_disk / "out")), small_disk, "No space left on device")


@pytest.mark.parametrize("small_disk", [100_000], indirect=True, ids=[""])
@pytest.mark.parametrize(
    "line",
    ["training", pytest.param("measuring", marks=pytest.mark.soak), pytest.param("pixelated", marks=pytest.mark.soak)],
)
def test_a_disk_that_fills_up_during_a_run_ends_with_1(
    warm: WarmCommand, clips: tuple[Path, Path], small_disk: Path, line: str
) -> None:
    """Filled by somebody else from the end of the named pass on: while rendering, measuring or issuing."""
    running = warm.start(*arguments(*clips, small_disk / "out"))
    wait_for(line, running, small_disk / "out.partial")
    with (small_disk / "filler").open("wb", buffering=0) as filler:
        while not running.ended(0.005):
            try:
                filler.write(bytes(1 << 16))
            except OSError:
                continue
    assert_failed_cleanly(running, small_disk, "No space left on device")


def test_a_limit_on_file_sizes_ends_with_1(warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path) -> None:
    """What a user without the right to mount can have in place of a full disk."""
    running = warm.start(*arguments(*clips, tmp_path / "out"), largest_file=1 << 20)
    assert_failed_cleanly(running, tmp_path, "an artefact could not be encrypted to storage: File too large")


def test_a_full_folder_for_temporary_files_ends_with_1(
    warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    """The certificate's fonts pass through it: tried before any work."""
    running = warm.start(*arguments(*clips, tmp_path / "out"), largest_file=1 << 16)
    assert_failed_cleanly(running, tmp_path, "the certificate could not be laid out: File too large")
    assert "finding faces" not in running.said


def test_the_pictures_that_are_compared_show_faces(originals: Originals) -> None:
    """The face's middle in every original is skin with features, and the same frame is seen to be unchanged."""
    assert all(originals.face(n, picture).std() > 15 for n, picture in enumerate(originals.pictures))
    assert all(originals.is_unchanged_in(n, picture) for n, picture in enumerate(originals.pictures))
