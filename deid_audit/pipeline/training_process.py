"""The run's side of the process that trains its models: started early, taught one pair after another, ended and told.

It holds the vault's key while it lives, and hands back numbers and ciphertext, which goes to the files of the vault
and of the checkpoint as it comes.
"""

import signal
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from deid_audit.errors import StageError
from deid_audit.findings import ErasedArtefact
from deid_audit.pipeline.channel import Channel, Failed, HungUp
from deid_audit.pipeline.lessons import (
    Advanced,
    Begin,
    Checkpointed,
    Ciphertext,
    Classroom,
    Learned,
    Lesson,
    Noted,
    Planned,
    Prepared,
    Seal,
    Sealed,
    Wiped,
)
from deid_audit.pipeline.resuming import Resuming
from deid_audit.progress import Progress, Step
from deid_audit.vault import Child, Vault
from deid_audit.vault.cipher import CiphertextFile

METHOD_TEXT = (
    "Models were trained in a process of its own, which was given the face crops through a socket and handed back the "
    "models' ciphertext and numbers; it overwrote what it held and ended before the first frame was rendered, and with "
    "it the memory that its libraries had freed without overwriting it."
)
_MODULE = "deid_audit.pipeline.trainee"
_Message = TypeVar("_Message")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """What came back of one lesson beside the model, which is in the vault."""

    prepared: Prepared
    learned: Learned
    resumed_after_step: int | None


class TrainingProcess:
    """A context manager: leaving it ends the process, whatever it is doing. `pid` is its process id."""

    def __init__(self, vault: Vault, resuming: Resuming | None, *, device: str, threads: int) -> None:
        """Starts it: it loads its libraries while the run goes on."""
        self._vault, self._resuming = vault, resuming
        self._room = Classroom(device=device, threads=threads)
        self._held: list[ErasedArtefact] = []
        with ExitStack() as lent:
            keys = [lent.enter_context(vault.lent_key())]
            if resuming is not None:
                keys.append(lent.enter_context(resuming.kept.lent_key()))
            self._child = Child(_MODULE, keys)
        self._channel = Channel(self._child.socket)
        self.pid = self._child.pid

    def __enter__(self) -> Self:
        self._tell(self._room)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.kill()

    def learn(self, lesson: Lesson, model_name: str, *, progress: Progress, keeps: bool) -> Lessons:
        """Has one model trained; it is then in the vault, as `model_name`. `keeps`: in the run's checkpoint, too.

        Raises:
            DeidAuditError: what the process raised, or StageError when it died.
            DefectElsewhere: a defect there.
        """
        resuming = self._resuming if keeps else None
        self._tell(lesson)
        prepared = self._hear(Prepared)
        kept, begin = None, Begin()
        if resuming is not None:
            kept = resuming.take_up(lesson.preset, prepared.faces_digest, progress)
            begin = Begin(binding=resuming.binding, checkpoint=None if kept is None else resuming.kept.path)
        self._tell(begin)
        planned = self._hear(Planned)
        of_whom = "" if lesson.who[0] == "subject" else f", {lesson.who[0]}"
        with progress.step(f"training {lesson.preset}{of_whom}", planned.steps) as step:
            learned = self._watch(step)
        with self._vault.take(model_name) as (context, file):
            self._tell(Seal(context))
            self._receive_into(file)
        self._held += self._hear(Wiped).held
        return Lessons(prepared=prepared, learned=learned, resumed_after_step=None if kept is None else kept.step)

    def end(self) -> None:
        """Hangs up, waits until it has ended, and tells the vault what it held and what became of it."""
        self._vault.register_child(self._held, self._child.ended())

    def _watch(self, step: Step) -> Learned:
        while True:
            message = self._hear(Advanced, Noted, Checkpointed, Learned)
            match message:
                case Advanced():
                    step.advance(message.steps)
                case Noted():
                    step.note(message.text)
                case Checkpointed():
                    assert self._resuming is not None
                    with self._resuming.kept.take() as file:
                        self._receive_into(file)
                case Learned():
                    return message

    def _receive_into(self, file: CiphertextFile) -> None:
        while isinstance(piece := self._hear(Ciphertext, Sealed), Ciphertext):
            file.write(piece.data)

    def _tell(self, message: object) -> None:
        try:
            self._channel.send(message)
        except HungUp:
            self._hear()  # it may have said why

    def _hear(self, *expected: type[_Message]) -> _Message:
        """The next message, which must be one of those; the other end's error is raised here."""
        try:
            message = self._channel.receive()
        except HungUp:
            raise self._death() from None
        if isinstance(message, Failed):
            raise message.as_error()
        if not isinstance(message, expected):
            raise TypeError(f"{type(message).__name__} came from the process that trains")
        return message

    def _death(self) -> StageError:
        status = self._child.status()
        if status < 0:
            how = f"was ended by {signal.Signals(-status).name}"
        else:
            how = f"ended with status {status} and without a word"
        return StageError(
            f"the process that trains the model {how}",
            next_step="look whether memory ran out (SIGKILL is its usual end), free some or choose a smaller --preset, "
            "and run again; deid-audit doctor looks at this machine",
        )
