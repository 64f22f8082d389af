"""A disk that is full or fills up under a whole run. SIGKILL is in test_kills.py, SIGTERM and Ctrl-C in test_run.py."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.warm import Running, WarmCommand, arguments, assert_one_message

pytestmark = pytest.mark.e2e


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
    while line not in running.said and not running.ended(0.02):
        continue
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
