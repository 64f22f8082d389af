"""The self-test: steps one after the other in the worker; one that fails does not stop the next."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deid_audit.pipeline.doctor.report import StepResult
from deid_audit.pipeline.doctor.worker import Worker

_STEPS = "deid_audit.pipeline.doctor.steps"
_TIMEOUT_S = 180.0
_REINSTALL = "install deid-audit again with its constraints.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: its task, what it is to show, and what helps when it does not; `given` names what the task is told."""

    name: str
    title: str
    task: str
    given: tuple[str, ...] = ()
    mend: str = _REINSTALL


STEP_LIST = (
    Step(
        name="clip",
        title="a made clip keeps its frames and exact times",
        task=f"{_STEPS}.clip:encode_and_decode",
        given=("folder",),
    ),
    Step(
        name="leading-detector",
        title="the detector that leads the swap finds two faces",
        task=f"{_STEPS}.faces:leading_detector",
    ),
    Step(name="landmarks", title="the mesh finds their landmarks", task=f"{_STEPS}.faces:landmarks"),
    Step(name="second-opinion", title="the second opinion finds both faces", task=f"{_STEPS}.faces:second_opinion"),
    Step(name="audit-detector", title="the auditing detector finds both faces", task=f"{_STEPS}.faces:audit_detector"),
    Step(
        name="recogniser",
        title="the recogniser tells the two people apart",
        task=f"{_STEPS}.likeness:recogniser",
        given=("device",),
    ),
    Step(name="keypoints", title="the pose model finds both bodies", task=f"{_STEPS}.faces:keypoints"),
    Step(
        name="training",
        title="a few training steps give numbers",
        task=f"{_STEPS}.training:few_steps",
        given=("device",),
    ),
    Step(
        name="vault",
        title="the vault encrypts, destroys, and its checks hold",
        task=f"{_STEPS}.artefact:vault",
        given=("folder",),
        mend="let the process read its own memory: /proc, process_vm_readv",
    ),
    Step(
        name="certificate",
        title="a page is signed, and a flipped byte is refused",
        task=f"{_STEPS}.certificate:sign_and_check",
    ),
)


def run_steps(
    worker: Worker, folder: Path, device: str, say: Callable[[str], None], steps: Sequence[Step] = STEP_LIST
) -> Iterator[StepResult]:
    """Every step's result, in order."""
    told: dict[str, Any] = {"folder": str(folder), "device": device}
    for number, step in enumerate(steps, start=1):
        say(f"self-test {number} of {len(steps)}: {step.title}")
        started = time.monotonic()
        answer = worker.ask(step.task, timeout_s=_TIMEOUT_S, **{name: told[name] for name in step.given})
        yield StepResult(
            step=step.name,
            title=step.title,
            ok=not answer.error,
            seconds=round(time.monotonic() - started, 1),
            detail=answer.error or str(answer.value),
            mend=_mend(step, device) if answer.error else "",
        )


def _mend(step: Step, device: str) -> str:
    return "run with --device cpu" if "device" in step.given and device != "cpu" else step.mend
