"""Child: a process of its own for work after which nothing may be left in memory, also not where libraries freed it.

Started by exec, not by fork: it has none of this process's memory, and its libraries' threads are its own. What it
works on comes through a socket, the key through a descriptor; nothing secret is in its arguments or environment. It is
waited for, and what became of it is a check in the vault's record.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from deid_audit.errors import VaultError
from deid_audit.findings import ErasureCheck
from deid_audit.vault.process import die_with_parent, protect_process
from deid_audit.vault.vault import signals_held_back

CHILD_GONE = "the process that trained the model ended by itself, and no such process is left"
_PATIENCE_S = 30.0  # for an end that it has announced
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Child:
    """A Python module of this package as a process; a context manager that leaves none behind.

    Attributes:
        socket: The connection to it, a stream socket.
        pid: Its process id.
    """

    def __init__(self, module: str, keys: Sequence[int]) -> None:
        """`keys` are descriptors that it inherits; `begin_as_child` gives them to it in this order.

        To be made in a thread that outlives the child: the system takes that thread's end for the parent's.

        Raises:
            VaultError: the system starts no more processes.
        """
        self.socket, theirs = socket.socketpair()
        with theirs:
            given = (theirs.fileno(), *keys)
            # -P: a file of the working folder must not stand in for a library
            command = (sys.executable, "-P", "-m", module, *map(str, (os.getpid(), *given)))
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=given,
                    process_group=0,  # a terminal's Ctrl-C is for the parent, which ends the child
                )
            except OSError as error:
                self.socket.close()
                raise VaultError(
                    f"the process that trains cannot be started: {error.strerror}",
                    next_step="look at the limits on memory and processes, and run again",
                ) from None
        self.pid = self._process.pid
        self._started = _start_of(self.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> int:
        """Ends it, if it has not ended, and waits; its exit status, negative when a signal ended it."""
        with signals_held_back():
            self.socket.close()
            self._process.kill()
            return self._process.wait()

    def status(self) -> int:
        """How it ended, once it has hung up; one that does not end is killed."""
        try:
            return self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            return self.kill()

    def ended(self) -> ErasureCheck:
        """Hangs up, waits for its own end, and looks whether such a process is left."""
        self.socket.close()
        status = self.status()
        if self._started is None:
            left = "whether it is left could not be looked up on this system"
        elif _start_of(self.pid) == self._started:
            left = "a process of this number and start is left"
        else:
            left = "no process of this number and start is left"
        return ErasureCheck(
            check=CHILD_GONE,
            holds=status == 0 and left.startswith("no "),
            observed=f"process {self.pid} ended with status {status}; {left}",
        )


def begin_as_child(arguments: Sequence[str]) -> tuple[socket.socket, list[int]]:
    """What a child does first of all: the connection and the keys' descriptors that its parent gave it.

    It cannot be read or dumped, does not outlive its parent, and leaves Ctrl-C, SIGTERM and SIGHUP to the parent.
    """
    parent, connection, *keys = (int(one) for one in arguments)
    die_with_parent(parent)
    protect_process()
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)
    return socket.socket(fileno=connection), keys


def _start_of(pid: int) -> str | None:
    """When a process began, in the system's ticks since it was started; None when there is no such process."""
    try:
        # the name, in brackets, may hold spaces and brackets itself
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None
