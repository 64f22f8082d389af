"""Processes that a test looks for, to kill them."""

from contextlib import suppress
from pathlib import Path


def workers_of(driver: int) -> list[int]:
    """The processes that multiprocessing has started for a driver, by number; its helper is none of them."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == driver and b"--multiprocessing-fork" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found
