"""Fixtures for whole commands: one warm process, two short clips, a folder that other users can reach."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.short_clips import short_clips
from tests.e2e.warm import WarmCommand


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmCommand]:
    with WarmCommand(tmp_path_factory.mktemp("said")) as command:
        yield command


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Subject and donor."""
    return short_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can reach; pytest's own are private."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
