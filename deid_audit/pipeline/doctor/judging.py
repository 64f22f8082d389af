"""What the facts of the worker mean: device, codecs, text libraries, and what guards the vault."""

from collections.abc import Mapping
from typing import Any

from deid_audit.certificate.document import APT_COMMAND
from deid_audit.pipeline.doctor.machine import gigabytes
from deid_audit.pipeline.doctor.mending import pip
from deid_audit.pipeline.doctor.report import ISSUING, LAYING_OUT, VIDEO, Finding, Status
from deid_audit.pipeline.doctor.requirements import installed


def judge_device(facts: Mapping[str, Any], *, driver: bool) -> Finding:
    """`driver` says that NVIDIA's kernel driver is there, whatever torch thinks."""
    chosen = f"--device auto is {facts['chosen']}"
    if facts["name"] is not None:
        found = f"{facts['name']}, {gigabytes(facts['memory_bytes'])}; {chosen}"
        return Finding(area="machine", name="device", status="ok", found=found)
    if not driver:
        return Finding(area="machine", name="device", status="ok", found=f"no CUDA device; {chosen}")
    why = "cannot use it" if facts["built_for"] else "was built without CUDA"
    return Finding(
        area="machine",
        name="device",
        status="warning",
        found=f"there is an NVIDIA driver, but the installed torch {why}; {chosen}",
        means="a run works on the processor, with the small preset",
        mend="nvidia-smi  # does it list the GPU?" if facts["built_for"] else pip("torch", anew=True),
    )


def judge_codecs(facts: Mapping[str, Any]) -> list[Finding]:
    """Writing needs x264 in MP4; of what is read, H.264 is needed to look at what was written."""
    decodes: dict[str, bool] = facts["decodes"]
    lacking = [name for name, there in decodes.items() if not there]
    reads = ", ".join(name for name, there in decodes.items() if there)
    mend = pip(f"av=={installed('av')}", anew=True)
    writing = Finding(area="video", name="writes", status="ok", found="H.264 (libx264) in MP4", needed_by=VIDEO)
    if not facts["encodes"]:
        writing = Finding(
            area="video",
            name="writes",
            status="missing",
            found="this build of FFmpeg has no libx264, or no MP4",
            means="no video can be written",
            mend=mend,
            needed_by=VIDEO,
        )
    status: Status = "missing" if "h264" in lacking else "warning" if lacking else "ok"
    reading = Finding(
        area="video",
        name="reads",
        status=status,
        found=reads + (f"; not {', '.join(lacking)}" if lacking else ""),
        means="" if not lacking else "videos in a codec that is lacking are refused",
        mend=mend if lacking else "",
        needed_by=VIDEO,
    )
    return [writing, reading]


def judge_text(facts: Mapping[str, Any]) -> Finding:
    found = f"Pango {facts['pango']}" + (", HarfBuzz with its subsetter" if facts["subsetter"] else "")
    if facts["subsetter"]:
        return Finding(area="certificate", name="text", status="ok", found=found, needed_by=LAYING_OUT)
    return Finding(
        area="certificate",
        name="text",
        status="warning",
        found=f"{found}, without HarfBuzz's subsetter",
        means="certificates are made, by a slower way of embedding fonts",
        mend=APT_COMMAND,
        needed_by=LAYING_OUT,
    )


def judge_protection(facts: Mapping[str, Any]) -> list[Finding]:
    """Swap, core dumps and the key's page, in that order."""
    return [
        _swap(facts["before"]["swap"]),
        _core_dumps(facts["before"], facts["after"], facts["core_pattern"]),
        _key_page(facts["key_storage"], facts["after"]["locked memory limit"]),
    ]


def _swap(state: str) -> Finding:
    if state == "none":
        return Finding(area="vault", name="swap", status="ok", found="off")
    unknown = not state[:1].isdigit()
    return Finding(
        area="vault",
        name="swap",
        status="warning",
        found="its state cannot be read" if unknown else f"on: {state}; whether it is encrypted cannot be seen",
        means="the system may write faces and weights from memory to the disk, where they stay",
        mend="swapoff -a  # or give it a random key in /etc/crypttab",
    )


def _core_dumps(before: Mapping[str, str], after: Mapping[str, str], pattern: str) -> Finding:
    """Off for a run is enough; a pattern that pipes to a program ignores the size limit, not the dumpable flag."""
    limit_off, flag_off = after["core dump size limit"] == "0", after["dumpable"] == "0"
    outside = "off" if before["core dump size limit"].partition(",")[0] in ("0", "soft 0") else "on for other programs"
    if flag_off or (limit_off and not pattern.startswith("|")):
        held = "a run switches them off for itself" + ("" if flag_off else ", by the size limit alone")
        return Finding(area="vault", name="core dumps", status="ok", found=f"{outside}; {held}")
    return Finding(
        area="vault",
        name="core dumps",
        status="warning",
        found=f"a run cannot switch them off (limit {after['core dump size limit']}, dumpable {after['dumpable']})",
        means="after a crash, faces and weights could be left in a file",
        mend="sysctl -w kernel.core_pattern=core && ulimit -c 0" if pattern.startswith("|") else "ulimit -c 0",
    )


def _key_page(storage: str, limit: str) -> Finding:
    if "NOT locked" not in storage and "not kept out" not in storage:
        return Finding(area="vault", name="key", status="ok", found=storage, needed_by=ISSUING)
    return Finding(
        area="vault",
        name="key",
        status="warning",
        found=f"{storage} (locked memory limit: {limit})",
        means="the key could reach the disk by swap or a core dump",
        mend="ulimit -l 64  # or memlock in /etc/security/limits.conf",
        needed_by=ISSUING,
    )
