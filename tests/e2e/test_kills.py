"""SIGKILL at any moment of a whole run: nothing of the subject in plain, no OUT that does not hold, no way blocked.

After each kill everything is looked at by its content: OUT.partial, the folder for temporary files, and what is new in
/dev/shm. SIGTERM and Ctrl-C, which a run answers, are in test_run.py.
"""

import io
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from deid_audit.frames import Frame, Image
from deid_audit.video.reader import open_video
from deid_audit.video.writer import write_video
from tests.e2e.plaintext import Originals, faults, stray_faults
from tests.e2e.warm import Running, WarmCommand, arguments, assert_one_message

pytestmark = pytest.mark.e2e
COMPLETE = {"withheld", "certificate.pdf", "evidence.json", "attestation.dsse.json", "signer.crt", "audit"}
SHARED_MEMORY = Path("/dev/shm")
LIMIT_S = 300


@pytest.fixture(scope="module")
def originals(clips: tuple[Path, Path]) -> Originals:
    return Originals(clips[0])


@dataclass(slots=True)
class Scene:
    """Where runs are killed and what may be seen there; `whole` is a complete film of the same job."""

    warm: WarmCommand
    clips: tuple[Path, Path]
    originals: Originals
    whole: Path
    folder: Path
    frames_seen: int = 0
    left: int = 0
    states: set[str] = field(default_factory=set)

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def partial(self) -> Path:
        return self.folder / "out.partial"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    def start(self, *more: object, killed_at: str | None = None) -> Running:
        return self.warm.start(*arguments(*self.clips, self.out, *more), temporary=self.temporary, killed_at=killed_at)

    def kill(self, moment: "Moment") -> bool:
        """Kills one run at that moment and looks at all that it left; false when it was over before the signal came."""
        before = set(SHARED_MEMORY.iterdir())
        running = moment.start(self)
        moment.wait(self, running)
        trainees = training_processes(running.pid)
        if moment.killed_at is None and not running.ended(0):
            with suppress(ProcessLookupError):  # it ended this moment
                running.kill()
        status = running.wait(LIMIT_S).status
        assert status in (-9, 3)
        expect_gone(trainees)
        self._look(before)
        return status == -9

    def _look(self, shared_before: set[Path]) -> None:
        """Fails on any plaintext of the subject, and on an output under its final name that does not hold."""
        shared = [path for path in SHARED_MEMORY.iterdir() if path not in shared_before]
        stray = [*self.temporary.rglob("*"), *(below for path in shared for below in (path, *path.rglob("*")))]
        assert stray_faults(stray, self.originals) == []
        self.left += self.partial.exists()
        if self.partial.exists():
            found, frames = faults(self.partial, self.originals, self.whole)
            assert found == []
            self.frames_seen += frames
            self.states |= {path.name for path in self.partial.rglob("*")}
        if self.out.exists():
            assert not self.partial.exists()
            self.expect_whole_output()
            shutil.rmtree(self.out)

    def expect_whole_output(self) -> None:
        """OUT holds all that a run leaves, and verifies."""
        assert {path.name for path in self.out.iterdir()} == COMPLETE
        done = self.warm.run("verify", self.out / "certificate.pdf", "--trust", self.out / "signer.crt")
        assert done.status == 3, done.stdout  # authentic, and withheld

    def expect_next_run_works(self) -> float:
        """A run to its end on top of what a killed one left; its seconds."""
        started = time.monotonic()
        done = self.start().wait(LIMIT_S)
        assert done.status == 3, done.stderr
        assert not self.partial.exists()
        self.expect_whole_output()
        shutil.rmtree(self.out)
        return time.monotonic() - started


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When to kill: what is waited for, how long after it, and how the run is made long enough for it.

    With `killed_at` the run kills itself at that call of that function.
    """

    name: str
    seen: Callable[[Scene, Running], bool] = lambda scene, running: True
    after_s: float = 0
    more: tuple[object, ...] = ()
    killed_at: str | None = None

    def start(self, scene: Scene) -> Running:
        return scene.start(*self.more, killed_at=self.killed_at)

    def wait(self, scene: Scene, running: Running) -> None:
        until = time.monotonic() + LIMIT_S
        while not running.ended(0.002) and time.monotonic() < until:
            if self.killed_at is None and self.seen(scene, running):
                running.ended(self.after_s)
                return


def _grows(pattern: str) -> Callable[[Scene, Running], bool]:
    """A file of this kind stands in OUT.partial, begun and under way."""
    return lambda scene, _: any(path.stat().st_size for path in _existing(scene.partial.glob(pattern)))


def _existing(paths: Iterator[Path]) -> Iterator[Path]:
    try:
        yield from (path for path in paths if path.exists())
    except OSError:  # a folder that goes while it is listed
        return


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


def expect_gone(trainees: list[int]) -> None:
    """The process in which a run trains goes with it."""
    until = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in trainees):
        assert time.monotonic() < until, "a process that trains was left"
        time.sleep(0.05)


def in_training(after_s: float) -> Moment:
    """So long after the faces were gathered, of a training of many times that."""
    return Moment(name="mid-training", seen=_trains, more=("--iterations", 600), after_s=after_s)


def _trains(_: Scene, running: Running) -> bool:
    return "gathering faces, donor" in running.said


WRITING_WEIGHTS = Moment(name="mid-write, weights", seen=_grows("work/*.enc"))
WRITING_FILM = Moment(
    name="mid-write, film", seen=lambda scene, _: any(scene.partial.glob("rendered/.*.part")), after_s=0.3
)
# The PDF stands in memory with an empty signature, whose value is asked for just then.
SIGNING = Moment(name="mid-signing", killed_at="pyhanko.sign.signers.pdf_cms:Signer.async_sign#1")
BETWEEN_SIGNATURES = Moment(name="between the two signatures", killed_at="deid_audit.pipeline.issuing:attest#1")
WRITING_OUT = Moment(name="mid-write, output", killed_at="deid_audit.pipeline.issuing:write_audit#1")
BEFORE_ITS_NAME = Moment(name="complete, not renamed", killed_at="deid_audit.pipeline.staging:_sync_tree#1")


@pytest.fixture
def scene(
    warm: WarmCommand,
    clips: tuple[Path, Path],
    originals: Originals,
    released: tuple[Path, dict[str, Any]],
    tmp_path: Path,
) -> Scene:
    (tmp_path / "tmp").mkdir()
    whole = next((released[0] / "release" / "data").glob("*.mp4"))
    return Scene(warm=warm, clips=clips, originals=originals, whole=whole, folder=tmp_path)


def test_five_kills_leave_nothing_in_plain_and_the_next_run_works(scene: Scene) -> None:
    at_the_start = Moment(name="start", seen=lambda scene, _: scene.partial.exists(), after_s=random.Random(3).random())
    for moment in (at_the_start, in_training(2.0), WRITING_WEIGHTS, WRITING_FILM, SIGNING):
        assert scene.kill(moment) and scene.partial.exists(), moment.name
    assert scene.left == 5 and scene.frames_seen >= len(scene.originals.pictures)
    assert {"0001.enc", "withheld"} <= scene.states and any(name.endswith(".part") for name in scene.states)
    assert "certificate.pdf" not in scene.states
    scene.expect_next_run_works()


def test_a_training_process_that_is_killed_is_one_clear_error(
    warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    """As the system does when memory runs out."""
    running = warm.start(*arguments(*clips, tmp_path / "out"))
    while "gathering faces, donor" not in running.said and not running.ended(0.02):
        continue
    [trainee] = training_processes(running.pid)
    os.kill(trainee, signal.SIGKILL)
    assert_one_message(running.wait(120), 1, "the process that trains the model was ended by SIGKILL")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.soak
def test_fifty_kills_leave_nothing_in_plain_and_the_next_run_works(scene: Scene) -> None:
    """Twenty-eight at any time of a run, the rest at its critical moments; after each that left something, a run."""
    chance, seconds = random.Random(50), scene.expect_next_run_works()
    moments = [Moment(name="any time", after_s=chance.uniform(0, seconds)) for _ in range(28)]
    moments += [in_training(chance.uniform(0, 8)) for _ in range(6)]
    several = (WRITING_WEIGHTS, WRITING_FILM, SIGNING, BETWEEN_SIGNATURES)
    moments += [*several * 3, WRITING_OUT, WRITING_OUT, BEFORE_ITS_NAME, BEFORE_ITS_NAME]
    assert len(moments) == 50
    chance.shuffle(moments)
    for number, wanted in enumerate(moments, start=1):
        left, moment = scene.left, wanted
        while not scene.kill(moment):  # this run was sooner over than the first one
            moment = replace(moment, after_s=moment.after_s * 0.9)
        print(f"{number}: {moment.name}{'' if scene.left > left else ', nothing left'}", flush=True)
        if scene.left > left:
            scene.expect_next_run_works()
    print(f"{scene.left} of 50 kills left something; {scene.frames_seen} frames of renders were looked at")
    assert scene.left >= 40 and scene.frames_seen > 0
    assert {"certificate.pdf", "evidence.json", "withheld", "0001.enc"} <= scene.states


# What would be seen --------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("kind", ["picture", "weights", "raw", "raw, as OpenCV has it", "film"])
def test_a_stray_file_that_shows_the_subject_would_be_seen(
    clips: tuple[Path, Path], originals: Originals, tmp_path: Path, kind: str
) -> None:
    """Whatever its name: a crop, weights, a frame as bytes somewhere in a larger file, the clip itself."""
    crop, frame, weights = (
        np.ascontiguousarray(originals.face(7, originals.pictures[7])),
        originals.pictures[7],
        io.BytesIO(),
    )
    torch.save({"w": torch.rand(1000)}, weights)
    stray, harmless = tmp_path / "tmp_abc123", tmp_path / "font.ttf"
    stray.write_bytes(
        {
            "picture": cv2.imencode(".png", crop)[1].tobytes(),
            "weights": weights.getvalue(),
            "raw": b"head" * 5 + frame.tobytes(),
            "raw, as OpenCV has it": b"head" * 5 + np.ascontiguousarray(frame[:, :, ::-1]).tobytes(),
            "film": clips[0].read_bytes(),
        }[kind]
    )
    harmless.write_bytes(b"\0\1\0\0 a font" * 100)
    found = stray_faults([stray, harmless], originals)
    assert f"{stray.name}: {kind.partition(',')[0]}" in found
    assert not [one for one in found if not one.startswith(stray.name)]


def test_the_pictures_that_are_compared_show_faces(originals: Originals) -> None:
    """The face's middle in every original is skin with features, and the same frame is seen to be unchanged."""
    assert all(originals.face(n, picture).std() > 15 for n, picture in enumerate(originals.pictures))
    assert all(originals.is_unchanged_in(n, picture) for n, picture in enumerate(originals.pictures))
