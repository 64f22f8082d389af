"""The examination: every probe on its own, so that what is broken becomes a finding and the rest is still said."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from deid_audit.errors import DeidAuditError, StageError
from deid_audit.pipeline.doctor import installation, judging, machine
from deid_audit.pipeline.doctor.mending import mend_import
from deid_audit.pipeline.doctor.report import ISSUING, LAYING_OUT, VIDEO, DoctorReport, Finding, StepResult
from deid_audit.pipeline.doctor.requirements import installed
from deid_audit.pipeline.doctor.self_test import run_steps
from deid_audit.pipeline.doctor.worker import Worker
from deid_audit.pipeline.staging import interruptible

_TIMEOUT_S = 180.0
_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
Say = Callable[[str], None]


class _NotSeen(Exception):
    """A fact that the worker could not give; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One look at something: where its findings belong, who needs it, and the library that a failure points to."""

    area: str
    name: str
    look: Callable[[], list[Finding]]
    needed_by: tuple[str, ...] = ()
    library: str = ""


def examine(*, self_test: bool, say: Say) -> DoctorReport:
    """Looks at all there is and runs the self-test when asked for; `say` is told what is being done.

    Leaves nothing behind: what the libraries write lands in one temporary folder. Raises nothing for what it finds.
    """
    with interruptible(), _folder() as folder, Worker(folder) as worker:
        findings: list[Finding] = []
        for area, group in groupby(probes(worker), key=lambda probe: probe.area):
            say(f"looking at: {area}")
            findings += [finding for probe in group for finding in looked_at(probe)]
        steps: tuple[StepResult, ...] | None = None
        if self_test:
            steps = tuple(run_steps(worker, folder, _device(worker), say))
    return DoctorReport(findings=tuple(settled(findings)), steps=steps)


def settled(findings: list[Finding]) -> list[Finding]:
    """Without the good half of a contradiction: a library of the right version that does not load is not ok."""
    bad = {(one.area, one.name) for one in findings if one.status != "ok"}
    return [one for one in findings if one.status != "ok" or (one.area, one.name) not in bad]


def probes(worker: Worker) -> Iterator[Probe]:
    """All probes, in the order of the report."""

    def fact(name: str, **arguments: Any) -> Any:
        answer = worker.ask(f"deid_audit.pipeline.doctor.facts:{name}", timeout_s=_TIMEOUT_S, **arguments)
        if answer.error:
            raise _NotSeen(answer.error)
        return answer.value

    def device() -> list[Finding]:
        return [judging.judge_device(fact("device"), driver=_NVIDIA_DRIVER.exists())]

    def preset() -> list[Finding]:
        found = f"--preset auto is {fact('preset', device=_device(worker))}"
        return [Finding(area="machine", name="preset", status="ok", found=found)]

    def loaded(module: str) -> list[Finding]:
        fact("load", module=module)
        return []

    def marks() -> list[Finding]:
        if installed(installation.MARKING):
            fact("load", module="c2pa")
        return [installation.marks()]

    yield Probe(area="machine", name="processor", look=lambda: [machine.processor()])
    yield Probe(area="machine", name="device", look=device, needed_by=VIDEO, library="torch")
    yield Probe(area="machine", name="preset", look=preset, needed_by=("run", "demo"), library="torch")
    yield Probe(area="machine", name="memory", look=lambda: [machine.memory()])
    yield Probe(area="machine", name="disks", look=machine.disks)
    yield Probe(area="machine", name="clock", look=lambda: [machine.clock()])
    yield Probe(area="software", name="python", look=lambda: [installation.python()])
    yield Probe(area="software", name="libraries", look=installation.versions, needed_by=VIDEO)
    for library in installation.LIBRARIES:
        if library.module is not None:
            yield Probe(
                area="software",
                name=library.name,
                look=partial(loaded, library.module),
                needed_by=library.needed_by,
                library=library.name,
            )
    yield Probe(area="software", name="cluster", look=lambda: [installation.cluster()])
    yield Probe(
        area="video",
        name="codecs",
        look=lambda: judging.judge_codecs(fact("codecs")),
        needed_by=VIDEO,
        library="av",
    )
    yield Probe(area="video", name="marks", look=marks, library=installation.MARKING)
    yield Probe(area="model files", name="model files", look=installation.models, needed_by=VIDEO)
    yield Probe(area="certificate", name="fonts", look=lambda: [installation.fonts()], needed_by=LAYING_OUT)
    yield Probe(
        area="certificate",
        name="text",
        look=lambda: [judging.judge_text(fact("text_libraries"))],
        needed_by=LAYING_OUT,
        library="weasyprint",
    )
    yield Probe(area="certificate", name="tokens", look=lambda: [installation.tokens()])
    yield Probe(
        area="vault",
        name="protection",
        look=lambda: judging.judge_protection(fact("protection")),
        needed_by=ISSUING,
        library="cryptography",
    )


def looked_at(probe: Probe) -> list[Finding]:
    """What a probe found; one that could not look is itself a finding."""
    try:
        return probe.look()
    except _NotSeen as error:
        said = str(error)
    except DeidAuditError as error:
        return [_could_not_look(probe, str(error), error.next_step)]
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    version = installed(probe.library) if probe.library else None
    requirement = f"{probe.library}=={version}" if version else probe.library or "deid-audit"
    return [_could_not_look(probe, said, mend_import(said, requirement))]


def _could_not_look(probe: Probe, said: str, mend: str) -> Finding:
    """`missing` where a command needs it: what could not be looked at is not taken to be there."""
    return Finding(
        area=probe.area,
        name=probe.name,
        status="missing" if probe.needed_by else "warning",
        found=f"does not load: {said}" if probe.library == probe.name else f"cannot be looked at: {said}",
        means=f"needed by {', '.join(probe.needed_by)}" if probe.needed_by else "nothing is known about it",
        mend=mend,
        needed_by=probe.needed_by,
    )


def _device(worker: Worker) -> str:
    """What `--device auto` is; the processor where torch does not say."""
    answer = worker.ask("deid_audit.pipeline.doctor.facts:device", timeout_s=_TIMEOUT_S)
    return "cpu" if answer.error else str(answer.value["chosen"])


@contextmanager
def _folder() -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="deid-audit-doctor-")
    except OSError:
        raise StageError(
            "there is no folder for temporary files that can be written",
            next_step="make room in it, or set TMPDIR to a folder that can be written",
        ) from None
    with folder as path:
        yield Path(path)
