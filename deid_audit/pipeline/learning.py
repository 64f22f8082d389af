"""What the training process does with a lesson: mean faces, probe, steps, checkpoints, and the model under the key.

Nothing of it touches a disk, and everything that is held for a lesson is overwritten before the next.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, cast

import numpy as np

from deid_audit.findings import ErasedArtefact
from deid_audit.pipeline.channel import Channel, HungUp
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
from deid_audit.pipeline.probe import make_probe
from deid_audit.pipeline.training import prepare_faces, shown
from deid_audit.swap.augment import FaceSet
from deid_audit.swap.checkpoint import Binding, faces_digest, load_state, save_state
from deid_audit.swap.convert import prepare_runtime, save_model, wipe_model
from deid_audit.swap.networks import PRESETS, SIDES, Side
from deid_audit.swap.prior import FacePrior, swapped_px
from deid_audit.swap.train import Trained, TrainState, steps_for, train
from deid_audit.vault.cipher import EncryptingStream
from deid_audit.vault.key import SecretKey
from deid_audit.vault.resume import CONTEXT, checkpoint_plaintext
from deid_audit.vision.recognizer import Recognizer


def serve(channel: Channel, keys: Sequence[SecretKey]) -> None:
    """Takes lessons until the run hangs up; `keys` are the vault's and, where training is kept, the checkpoint's."""
    room: Classroom = channel.receive()
    prepare_runtime(room.device, room.threads)
    recognizer = Recognizer(room.device)
    while True:
        try:
            lesson: Lesson = channel.receive()
        except HungUp:
            return
        _learn(lesson, channel, keys, room.device, recognizer)


def _learn(lesson: Lesson, channel: Channel, keys: Sequence[SecretKey], device: str, recognizer: Recognizer) -> None:
    priors, faces = prepare_faces(lesson.own, lesson.given, PRESETS[lesson.preset], device, face_px=lesson.face_px)
    probe = make_probe(lesson.own.probe, recognizer, np.nanmean(lesson.given.descriptors, axis=0))
    key = lesson.digest_key
    channel.send(
        Prepared(
            swap_px=swapped_px(priors["donor"]),
            probe_faces=len(probe.frames),
            faces_digest=None if key is None else faces_digest(faces, priors, key),
        )
    )
    begin: Begin = channel.receive()
    kept, held = None, {}
    if begin.checkpoint is not None:
        kept, _ = load_state(checkpoint_plaintext(begin.checkpoint, keys[1]))
        held["plaintext of the checkpoint"] = sum(tensor.nbytes for tensor in kept.tensors())
    preset = PRESETS[lesson.preset]
    steps = kept.planned_steps if kept else lesson.iterations or steps_for(lesson.seconds, preset, faces, device)
    channel.send(Planned(steps))
    trained = train(
        preset, faces, priors,
        steps=steps, seed=lesson.seed, device=device, probe=probe, step=_ToldStep(channel), start=lesson.start,
        checkpoint=None if begin.binding is None else _checkpoints(begin.binding, channel, keys[1]), resume=kept,
    )  # fmt: skip
    channel.send(
        Learned(
            steps=trained.steps,
            planned_steps=trained.planned_steps,
            probe_every=trained.probe_every,
            seconds=trained.seconds,
            readings=trained.readings,
            cuda_graphs=trained.cuda_graphs,
        )
    )
    seal: Seal = channel.receive()
    _send_sealed(channel, keys[0], seal.context, lambda stream: save_model(trained.model, stream))
    held |= _wiped(lesson, faces, priors, trained)
    channel.send(
        Wiped(
            tuple(
                ErasedArtefact(kind=f"{kind}, in the process that trained", storage="memory", size_bytes=size)
                for kind, size in held.items()
                if size
            )
        )
    )


class _ToldStep:
    """A step of training, as the run shows it."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def advance(self, units: int = 1) -> None:
        self._channel.send(Advanced(units))

    def note(self, text: str) -> None:
        self._channel.send(Noted(text))


def _checkpoints(binding: Binding, channel: Channel, key: SecretKey) -> Callable[[TrainState], None]:
    def checkpoint(state: TrainState) -> None:
        channel.send(Checkpointed())
        _send_sealed(channel, key, CONTEXT, lambda stream: save_state(state, binding, stream))

    return checkpoint


def _send_sealed(channel: Channel, key: SecretKey, context: bytes, write: Callable[[BinaryIO], None]) -> None:
    stream = EncryptingStream(key.view, context, lambda data: channel.send(Ciphertext(data)))
    write(cast(BinaryIO, stream))
    stream.finish()
    channel.send(Sealed())


def _wiped(
    lesson: Lesson, faces: Mapping[Side, FaceSet], priors: Mapping[Side, FacePrior], trained: Trained
) -> dict[str, int]:
    """Overwrites all that is held for the lesson; bytes by name."""
    held: dict[str, int] = {}
    for who, side, material in zip(lesson.who, SIDES, (lesson.own, lesson.given), strict=True):
        held[f"training tensor of the {who}"] = faces[side].planes.nbytes
        faces[side].wipe()
        for kind, arrays in {**shown(who, material), f"mean face of the {who}": priors[side].arrays()}.items():
            held[kind] = sum(array.nbytes for array in arrays)
            for array in arrays:
                array.fill(0)
    held[f"swap model of the {lesson.who[0]}"] = sum(weights.nbytes for weights in trained.model.parameters())
    wipe_model(trained.model)
    return held
