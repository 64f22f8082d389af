"""Training that outlives its process, where a run was asked for it (`--resume-key`): when, with what, and its end.

What fails before training begins leaves checkpoint and key as they were: a mistyped seed must not cost a day's work.
From then on every end but an interruption destroys both; Ctrl-C, SIGTERM and a kill leave them, which is their purpose.
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO, cast

from deid_audit.digests import keyed_digest_file
from deid_audit.errors import Interrupted, SettingsError, VideoError
from deid_audit.findings import ErasureRecord
from deid_audit.pipeline.job import Job, refuse_by_policy
from deid_audit.progress import Progress
from deid_audit.settings import RunSettings
from deid_audit.swap.augment import FaceSet
from deid_audit.swap.checkpoint import Binding, faces_digest, load_state, save_state
from deid_audit.swap.networks import Side
from deid_audit.swap.prior import FacePrior
from deid_audit.swap.train import TrainState
from deid_audit.vault import Checkpoint, Vault
from deid_audit.vault.resume import refuse_leftover

_DIGEST_KEY = "key of the digests"


class Resuming:
    """One run's checkpoint: what was found to go on from, and what the next ones are bound to.

    Attributes:
        taken_up: Whether training has begun: from then on the files are this run's to destroy.
    """

    def __init__(self, kept: Checkpoint, settings: RunSettings, job: Job) -> None:
        self.kept = kept
        self.taken_up = False
        self._settings, self._job = settings, job
        self._binding: Binding = {}
        self._found: TrainState | None = None

    def find(self, vault: Vault) -> None:
        """Reads the checkpoint, if there is one, and refuses one that was made with anything else.

        Raises:
            VaultError: it was changed on disk.
            SettingsError: it is of other settings, versions or videos.
        """
        before: Binding = {_DIGEST_KEY: secrets.token_hex(32)}
        if self.kept.found:
            self._found, before = load_state(self.kept.read())
            tensors = self._found.tensors()
            vault.register_memory("plaintext of the checkpoint", sum(each.nbytes for each in tensors), self._found.wipe)
        self._binding = bound_to(self._settings, self._job.environment, before[_DIGEST_KEY])
        if self.kept.found:
            self._refuse_other(before)
            self._binding = {**before, **self._binding}

    def take_up(
        self, preset: str, faces: Mapping[Side, FaceSet], priors: Mapping[Side, FacePrior], progress: Progress
    ) -> TrainState | None:
        """What training goes on from, None at its beginning; SettingsError when other faces were found this time.

        On CUDA faces may be found otherwise in the last bit; there, the same videos are enough.
        """
        now = {"preset": preset}
        if self._job.device == "cpu":
            now["faces found"] = faces_digest(faces, priors, bytes.fromhex(self._binding[_DIGEST_KEY]))
        before, self._binding = self._binding, {**self._binding, **now}
        if self._found is not None:
            self._refuse_other(before)
            progress.say(f"training goes on after step {self._found.step} of {self._found.planned_steps}")
        progress.say(f"training is kept in {self.kept.path}; with its key file it can rebuild the face")
        self.taken_up = True
        return self._found

    def save(self, state: TrainState) -> None:
        """Writes the next checkpoint; VaultError when the storage takes no more."""
        with self.kept.write() as stream:
            save_state(state, self._binding, cast(BinaryIO, stream))

    def _refuse_other(self, before: Binding) -> None:
        if other := [name for name, value in self._binding.items() if before.get(name) != value]:
            raise SettingsError(
                f"the checkpoint was made with another: {', '.join(other)}",
                next_step=f"repeat the command that made it, or delete {self.kept.path} and its key file",
            )


def bound_to(settings: RunSettings, environment: Mapping[str, str], digest_key: str) -> dict[str, str]:
    """What decides training and is known before it, by name; files by a digest under `digest_key` (hex)."""
    key = bytes.fromhex(digest_key)
    photo = () if settings.subject_photo is None else (settings.subject_photo,)
    files = {"subject videos": settings.subjects, "donor": settings.donors, "photo of the subject": photo}
    try:
        digests = {name: " ".join(keyed_digest_file(path, key) for path in paths) for name, paths in files.items()}
    except OSError as error:
        why = error.strerror or "input/output error"
        raise VideoError(f"an input cannot be read any more: {why}", next_step="run again") from None
    return {
        **{f"version of {name}": environment[name] for name in ("deid-audit", "torch")},
        **{name: environment[name] for name in ("device", "threads")},
        "seed": str(settings.seed),
        "number of steps (--iterations)": str(settings.iterations),
        "time for training (--train-seconds)": str(settings.train_seconds),
        "subject's tracks": str(settings.subject_tracks),
        **digests,
        _DIGEST_KEY: digest_key,
    }


@contextmanager
def resumable(settings: RunSettings, job: Job) -> Iterator[Resuming | None]:
    """The run's checkpoint, None where none was asked for; each way of leaving has its end of it.

    Raises:
        SettingsError: an earlier checkpoint is in the way, or the policy does not allow a key in a file.
        VaultError: the key does not open the checkpoint.
    """
    if settings.resume_key is None:
        refuse_leftover(settings.out)
        yield None
        return
    refuse_by_policy(job.policy, "erasure.key_on_disk", "no key in a file, so a run with --resume-key", "--resume-key")
    kept = Checkpoint(settings.out, settings.resume_key)
    resuming = Resuming(kept, settings, job)
    try:
        yield resuming
    except Interrupted as stop:
        kept.leave()
        if kept.exists:
            stop.next_step = (
                f"the same command goes on from {kept.path}, or delete it and its key file {kept.key_file}: "
                "together they can rebuild the subject's face"
            )
        raise
    except BaseException:
        if not resuming.taken_up:
            kept.leave()
        elif not kept.destroy().complete:
            job.progress.say(f"not all of the checkpoint could be destroyed: see to {kept.path} and {kept.key_file}")
        raise


def destroyed(vault: Vault, resuming: Resuming | None) -> ErasureRecord:
    """The end of what could rebuild the subject: the checkpoint's, where there is one, then the vault's."""
    if resuming is None:
        return vault.destroy()
    end = resuming.kept.destroy()
    return end.added_to(vault.destroy())
