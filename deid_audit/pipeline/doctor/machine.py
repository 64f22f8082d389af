"""What the machine itself has: processor, memory, disks, clock. Reads the system's own files and loads no library."""

import os
import platform
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from deid_audit.pipeline.doctor.report import ISSUING, VIDEO, Finding, Status

GB = 1 << 30
MEMORY_NEEDED = 4 * GB
DISK_WANTED, DISK_NEEDED = 2 * GB, GB // 5
# The first version's year; a certificate's dates come from this clock.
_NOT_BEFORE, _NOT_AFTER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2046, 1, 1, tzinfo=UTC)
_AREA = "machine"


def processor() -> Finding:
    """The processor's name and how many threads this process may use."""
    fields = _colon_file("/proc/cpuinfo")
    name = " ".join(fields.get("model name", platform.machine()).split())
    threads = len(os.sched_getaffinity(0))
    found = f"{name}, {threads} thread{'s' if threads > 1 else ''}"
    return judge_processor(found, threads)


def judge_processor(found: str, threads: int) -> Finding:
    if threads > 1:
        return Finding(area=_AREA, name="processor", status="ok", found=found)
    return Finding(
        area=_AREA,
        name="processor",
        status="warning",
        found=found,
        means="a run takes much longer, and its training learns less in the same time",
        mend="two threads or more, or a longer training: --train-seconds 300",
    )


def memory() -> Finding:
    """The memory in total and now available, as far as a container's limit lets this process have it."""
    fields = _colon_file("/proc/meminfo")
    total, available = (int(fields[key].split()[0]) << 10 for key in ("MemTotal", "MemAvailable"))
    limit = _container_limit()
    return judge_memory(min(total, limit), min(available, limit))


def _container_limit() -> int:
    """The control group's limit in bytes; a number no machine reaches where there is none."""
    try:
        return int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 1 << 62


def judge_memory(total: int, available: int) -> Finding:
    """Missing where the machine can never hold a run, a warning where it cannot now."""
    found = f"{gigabytes(total)} in total, {gigabytes(available)} available"
    status: Status = "ok"
    means = mend = ""
    if available < MEMORY_NEEDED:
        status, means = "warning", f"a run needs about {gigabytes(MEMORY_NEEDED)}: it may be stopped by the system"
        mend = "end other programs"
    if total < MEMORY_NEEDED:
        status, mend = "missing", "use a machine with 8 GB or more"
    return Finding(area=_AREA, name="memory", status=status, found=found, means=means, mend=mend, needed_by=VIDEO)


def disks() -> list[Finding]:
    """Free space of the working folder and of the folder for temporary files."""
    here, temporary = Path.cwd(), Path(tempfile.gettempdir())
    return [
        judge_disk("working folder", shutil.disk_usage(here).free, os.access(here, os.W_OK), (*VIDEO, "keys")),
        judge_disk("temporary folder", shutil.disk_usage(temporary).free, os.access(temporary, os.W_OK), ("demo",)),
    ]


def judge_disk(name: str, free: int, writable: bool, needed_by: tuple[str, ...]) -> Finding:
    """`needed_by` are the commands that write there."""
    found = f"{gigabytes(free)} free" + ("" if writable else ", not writable by this user")
    status: Status = "ok"
    means = mend = ""
    elsewhere = "run with TMPDIR set to another folder" if name == "temporary folder" else "give --out on another disk"
    if free < DISK_WANTED:
        status, means = "warning", "released videos can be larger than their originals: a long one may not fit"
        mend = f"make room, or {elsewhere}"
    if free < DISK_NEEDED or not writable:
        status, means = "missing", "nothing can be written here"
        mend = f"make room, or {elsewhere}" if writable else elsewhere
    return Finding(area=_AREA, name=name, status=status, found=found, means=means, mend=mend, needed_by=needed_by)


def clock() -> Finding:
    """Whether this machine's time is plausible."""
    return judge_clock(datetime.now(UTC))


def judge_clock(now: datetime) -> Finding:
    found = f"{now:%Y-%m-%d %H:%M} UTC"
    if _NOT_BEFORE <= now <= _NOT_AFTER:
        return Finding(area=_AREA, name="clock", status="ok", found=found)
    return Finding(
        area=_AREA,
        name="clock",
        status="missing",
        found=found,
        means="this cannot be the time: certificates and new keys would carry a wrong date",
        mend="timedatectl set-ntp true",
        needed_by=(*ISSUING, "keys"),
    )


def gigabytes(count: int) -> str:
    return f"{count / GB:.1f} GB"


def _colon_file(path: str) -> dict[str, str]:
    """`name: value` lines; of a repeated name, the last."""
    pairs = (line.partition(":") for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
