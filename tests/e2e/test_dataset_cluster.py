"""A data set on a real Ray head and two workers, started here on loopback; the cases are stand-ins.

Without Ray, an extra, these tests skip and say so.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from deid_audit.dataset.state import State, opened_state
from tests.unit.data_sets import AS_A_DRIVER, write_set

pytest.importorskip("ray", reason="needs the extra `ray`: pip install 'deid-audit[ray]'")
pytestmark = pytest.mark.e2e
TOLD = [
    "PASSED 1",
    "FAILED 1",
    "NotEnoughFaces 1",
    "StageError 0.2",
    "PASSED 2",
    "INDETERMINATE 1",
    "PASSED 1",
    "FAILED 1",
]
QUIET = {"RAY_DISABLE_IMPORT_WARNING": "1", "RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}


@dataclass
class Cluster:
    """A head without room for cases, and nodes with one processor each."""

    address: str
    nodes: list[subprocess.Popen[bytes]]
    folder: str

    def start(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats", *arguments]
        command += ["--object-store-memory=80000000", "--memory=400000000", "--node-ip-address=127.0.0.1"]
        self.nodes.append(
            subprocess.Popen(
                command,
                env=AS_A_DRIVER | QUIET,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )

    def stop(self) -> None:
        for one in self.nodes:
            with suppress(ProcessLookupError):
                os.killpg(one.pid, signal.SIGTERM)
        for one in self.nodes:
            try:
                one.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(one.pid, signal.SIGKILL)
                one.wait()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tempfile.mkdtemp(prefix="ray")
    made = Cluster(address=f"127.0.0.1:{port}", nodes=[], folder=folder)
    try:
        made.start("--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false", f"--temp-dir={folder}")
        _answers(port)
        for others in (1, 2):  # one after the other: two that start at once pick the same ports
            _have_joined(made.address, others)
            made.start(f"--address={made.address}", "--num-cpus=1")
        _have_joined(made.address, 3)
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _answers(port: int) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.5)
    raise AssertionError("no Ray head came up")


_JOINED = """
import sys, time, ray
ray.init(address=sys.argv[1], log_to_driver=False)
while sum(one["Alive"] for one in ray.nodes()) < int(sys.argv[2]):
    time.sleep(0.5)
"""


def _have_joined(address: str, nodes: int) -> None:
    """Waits for so many nodes, which takes a while on a busy machine."""
    command = [sys.executable, "-c", _JOINED, address, str(nodes)]
    subprocess.run(command, env=AS_A_DRIVER | QUIET, check=True, capture_output=True, timeout=240)


def told_set(folder: Path) -> Path:
    names = [f"P{at}" for at in range(len(TOLD))]
    path = write_set(folder, names)
    for name, words in zip(names, TOLD, strict=True):
        (folder / name / "a.mp4").write_text(words)
    return path


def start(path: Path, out: Path, address: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.unit.set_driver", path, out, "1", address]
    return subprocess.Popen(
        command, env=AS_A_DRIVER | QUIET, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def ends(state: State) -> list[str]:
    found = [state.ended[state.cases[f"P{at}"]] for at in range(len(TOLD))]
    return [one.verdict or one.error for one in found]


def test_kills_on_a_cluster_change_nothing(cluster: Cluster, tmp_path: Path) -> None:
    """A worker's process is killed, then the driver; the next driver comes to the same end as on one machine."""
    path, out = told_set(tmp_path), tmp_path / "out"
    driver = start(path, out, cluster.address)
    until = time.monotonic() + 240
    while len(list(out.glob("starts/*"))) < 2 and driver.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.1)
    for mark in sorted(out.glob("starts/*"))[:1]:
        with suppress(ProcessLookupError):
            os.kill(int(mark.name.rpartition("-")[2]), signal.SIGKILL)
    while len(list(out.glob("starts/*"))) < 5 and driver.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.1)
    driver.kill()
    driver.communicate()
    last = start(path, out, cluster.address)
    _, said = last.communicate(timeout=240)
    assert last.returncode == 0, said
    with opened_state(out) as state:
        assert ends(state) == [words.split()[0] for words in TOLD]
        done = {one.case_id for one in state.ended.values() if one.outcome == "done"}
    assert {one.name for one in (out / "cases").iterdir()} == done
    assert (out / "set" / "dataset.json").exists()
