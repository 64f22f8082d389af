"""Fixtures for whole commands: one warm process, short clips, one finished run, a folder that other users can reach."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.short_clips import SENTINEL, named_copy, short_clips
from tests.e2e.typed import easily_released
from tests.e2e.warm import WarmCommand
from tests.schemas import document_in


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmCommand]:
    with WarmCommand(tmp_path_factory.mktemp("said")) as command:
        yield command


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Subject and donor."""
    return short_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="session")
def named_clips(clips: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Subject and donor; the subject's folder, file name, tags and stream name carry a patient's name."""
    return named_copy(clips[0], tmp_path_factory.mktemp("named")), clips[1]


@pytest.fixture(scope="session")
def released(named_clips: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """OUT of a run that passed an easy policy, to be left as it is, and what it printed."""
    folder = tmp_path_factory.mktemp("released")
    done = easily_released(named_clips, folder)
    assert done.returncode == 0, done.stderr
    assert SENTINEL not in done.stdout + done.stderr
    return folder / "out", document_in(done.stdout)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can reach; pytest's own are private."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
