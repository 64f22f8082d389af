"""A child process: closed to others, gone with its parent, given the key without a copy, and told of in the record."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deid_audit.errors import VaultError
from deid_audit.pipeline.channel import Channel, HungUp
from deid_audit.vault import Child, key
from deid_audit.vault.child import CHILD_GONE
from deid_audit.vault.key import KEY_BYTES, SecretKey
from tests.unit.vault_building import gone, is_there

TRAINEE = "deid_audit.pipeline.trainee"
# What a child does that echoes: it starts as every child of ours does.
_ECHO = """
import os, sys
from pathlib import Path
from deid_audit.pipeline.channel import Channel, HungUp
from deid_audit.vault.child import begin_as_child
from deid_audit.vault.key import SecretKey
from deid_audit.vault.process import process_facts
connection, descriptors = begin_as_child(sys.argv[1:])
keys = [SecretKey.lent_by(one) for one in descriptors]
channel = Channel(connection)
channel.send([one.storage for one in keys])
while True:
    try:
        asked = channel.receive()
    except HungUp:
        os._exit(0)
    if asked == "key":
        channel.send(bytes(keys[0].view))
    elif asked == "status":
        own = Path("/proc/self")
        held = [str(link.readlink()) for link in (own / "fd").iterdir() if link.is_symlink()]
        channel.send(((own / "status").read_text(), process_facts(), held))
    else:
        channel.send(asked)
"""


@pytest.fixture
def echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that a child can be."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "an_echo.py").write_text(_ECHO)
    places = (str(tmp_path / "modules"), os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, places)))
    return "an_echo"


@pytest.mark.parametrize("storage", ["memfd_secret", "anonymous"])
def test_a_child_has_the_key_and_is_closed_to_others(echo: str, storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if storage == "anonymous":
        monkeypatch.setattr(key, "_SYS_MEMFD_SECRET", 100_000)  # a call that no kernel has: "not implemented"
    mine = SecretKey()
    if storage not in mine.storage:
        pytest.skip("this kernel has no memfd_secret; the anonymous page was used and checked")
    with mine.lent() as lent, Child(echo, [lent]) as child:
        talk = Channel(child.socket)
        [theirs] = talk.receive()
        talk.send("key")
        assert talk.receive() == bytes(mine.view)
        talk.send("status")
        status, facts, held = talk.receive()
        ignored = int(next(line for line in status.splitlines() if line.startswith("SigIgn")).split()[1], 16)
        assert all(ignored >> (number - 1) & 1 for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        assert (facts["core dump size limit"], facts["dumpable"]) == ("0", "0")
        kinds = [one.partition(":")[0] for one in held if "secretmem" not in one and not one.startswith("/proc/")]
        assert sorted(kinds) == ["/dev/null"] * 3 + ["socket"]  # nothing else of its parent's
        assert bytes(mine.view).hex() not in Path(f"/proc/{child.pid}/cmdline").read_text()
        if storage == "memfd_secret":  # the very page, not a copy: it reads zero there, too, once it is overwritten
            assert theirs == "the parent's memfd_secret page"
            mine.overwrite()
            talk.send("key")
            assert talk.receive() == bytes(KEY_BYTES)
        end = child.ended()
    assert end.check == CHILD_GONE and end.holds
    assert end.observed == f"process {child.pid} ended with status 0; no process of this number and start is left"


def test_a_pipe_without_a_key_is_refused() -> None:
    ours, theirs = os.pipe()
    os.close(theirs)
    with pytest.raises(VaultError, match="the key did not reach"):
        SecretKey.lent_by(ours)


@pytest.mark.parametrize("moment", ["while it loads", "while it waits"])
def test_a_killed_parent_leaves_no_child(echo: str, moment: str) -> None:
    module, wait = (TRAINEE, "") if moment == "while it loads" else (echo, "Channel(child.socket).receive();")
    script = (
        "import time; from deid_audit.pipeline.channel import Channel; from deid_audit.vault import Child;"
        f"child = Child({module!r}, []); {wait} print(child.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_there(pid)
        parent.kill()
    assert gone(pid, 20)


def test_a_child_whose_parent_is_gone_already_ends_at_once() -> None:
    script = "from deid_audit.vault.process import die_with_parent; die_with_parent(1 << 22); print('lives')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")


def test_leaving_ends_a_child_that_does_not_listen(echo: str) -> None:
    with pytest.raises(KeyboardInterrupt), Child(echo, []) as child:
        Channel(child.socket).receive()
        os.kill(child.pid, signal.SIGSTOP)
        raise KeyboardInterrupt
    assert gone(child.pid, 0)
    with pytest.raises(HungUp), Child(echo, []) as child:
        Channel(child.socket).receive()
        os.kill(child.pid, signal.SIGKILL)
        Channel(child.socket).receive()
    assert child.ended().observed.startswith(f"process {child.pid} ended with status -9")
    assert not child.ended().holds


def test_a_child_that_does_not_end_by_itself_is_ended_and_that_is_told(
    echo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deid_audit.vault.child._PATIENCE_S", 0.1)
    with Child(echo, []) as child:
        Channel(child.socket).receive()
        os.kill(child.pid, signal.SIGSTOP)
        end = child.ended()
    assert not end.holds and "ended with status -9; no process" in end.observed


def test_a_process_that_is_left_would_be_seen(echo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Child(echo, []) as child:
        monkeypatch.setattr("deid_audit.vault.child._start_of", lambda pid: child._started)
        end = child.ended()
    assert not end.holds and end.observed.endswith("a process of this number and start is left")


def test_a_system_that_starts_no_more_processes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(subprocess, "Popen", refused)
    with pytest.raises(VaultError, match="cannot be started: Cannot allocate memory") as caught:
        Child(TRAINEE, [])
    assert caught.value.next_step
