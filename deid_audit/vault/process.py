"""Process: no core dumps, no reading by other processes of the same user, no child without its parent, and the facts.

Only what the process can set for itself; swap and the machine below it are reported, not changed.
"""

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_GET_DUMPABLE = 3
_PR_SET_DUMPABLE = 4
_NOT_AVAILABLE = "not available on this system"


def protect_process() -> dict[str, str]:
    """Forbids core dumps and ptrace by the same user, as far as the system lets it, and says what now holds.

    Both are needed: a core pattern that pipes to a program ignores the limit. Needs no privilege; may be repeated.
    `execve` resets the second, so every process that holds keys calls this for itself.
    """
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0 if hard else hard))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return process_facts()


def die_with_parent(parent: int) -> None:
    """From here on the system kills this process as soon as its parent ends, however that comes.

    `parent` is the process id that the parent has given for itself: where it has ended before this call, nobody would
    send the signal any more, so this process ends here.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def process_facts() -> dict[str, str]:
    """The state of this process as the system reports it now, whoever set it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    return {
        "core dump size limit": "0" if soft == hard == 0 else f"soft {soft}, hard {hard}",
        "dumpable": _dumpable(),
        "swap": _swap(),
        "locked memory limit": _limit(resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]),
    }


def _dumpable() -> str:
    if sys.platform != "linux":
        return _NOT_AVAILABLE
    return str(ctypes.CDLL(None, use_errno=True).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0))


def _limit(value: int) -> str:
    return "unlimited" if value == resource.RLIM_INFINITY else f"{value} bytes"


def _swap() -> str:
    """ "none", or how much swap is configured: pages of this process may have been written there."""
    try:
        areas = [line.split() for line in Path("/proc/swaps").read_text().splitlines()[1:] if line.strip()]
    except OSError:
        return _NOT_AVAILABLE
    if not areas:
        return "none"
    return f"{len(areas)} area(s), {sum(int(area[2]) for area in areas)} kB"
