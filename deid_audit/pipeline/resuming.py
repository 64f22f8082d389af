"""Training that outlives its process, where a run was asked for it (`--resume-key`): when, with what, and its end.

What fails before training begins leaves checkpoint and key as they were: a mistyped seed must not cost a day's work.
From then on every end but an interruption destroys both; Ctrl-C, SIGTERM and a kill leave them, which is their purpose.
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from deid_audit.errors import Interrupted, SettingsError, VideoAccessError
from deid_audit.findings import ErasureRecord
from deid_audit.pipeline.job import Job, refuse_by_policy
from deid_audit.progress import Progress
from deid_audit.settings import RunSettings
from deid_audit.swap.checkpoint import Binding, load_state
from deid_audit.vault import Checkpoint, Vault
from deid_audit.vault.resume import refuse_leftover
from deid_audit.video.places import keyed_digest_of

_DIGEST_KEY = "key of the digests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How far the training had come that is gone on with."""

    step: int
    planned_steps: int


class Resuming:
    """One run's checkpoint: what was found to go on from, and what the next ones are bound to.

    Attributes:
        binding: What this run's checkpoints carry, by name.
        taken_up: Whether training has begun: from then on the files are this run's to destroy.
    """

    def __init__(self, kept: Checkpoint, settings: RunSettings, job: Job) -> None:
        self.kept = kept
        self.binding: Binding = {}
        self.taken_up = False
        self._settings, self._job = settings, job
        self._found: Kept | None = None

    @property
    def digest_key(self) -> bytes | None:
        """Under which the faces found are named; None on CUDA, where they may be found otherwise in the last bit."""
        return bytes.fromhex(self.binding[_DIGEST_KEY]) if self._job.device == "cpu" else None

    def find(self) -> None:
        """Reads the checkpoint, if there is one, and refuses one that was made with anything else.

        Its tensors are overwritten at once: who goes on from it reads it again.

        Raises:
            VaultError: it was changed on disk.
            SettingsError: it is of other settings, versions or videos.
        """
        before: Binding = {_DIGEST_KEY: secrets.token_hex(32)}
        if self.kept.found:
            state, before = load_state(self.kept.read())
            state.wipe()
            self._found = Kept(step=state.step, planned_steps=state.planned_steps)
        self.binding = bound_to(self._settings, self._job.environment, before[_DIGEST_KEY])
        if self._found is not None:
            self._refuse_other(before)
            self.binding = {**before, **self.binding}

    def take_up(self, preset: str, faces_digest: str | None, progress: Progress) -> Kept | None:
        """What training goes on from, None at its beginning; SettingsError when other faces were found this time.

        `faces_digest` is of what training sees, under `digest_key`. Without one the same videos are enough.
        """
        now = {"preset": preset}
        if faces_digest is not None:
            now["faces found"] = faces_digest
        before, self.binding = self.binding, {**self.binding, **now}
        if self._found is not None:
            self._refuse_other(before)
            progress.say(f"training goes on after step {self._found.step} of {self._found.planned_steps}")
        progress.say(f"training is kept in {self.kept.path}; with its key file it can rebuild the face")
        self.taken_up = True
        return self._found

    def _refuse_other(self, before: Binding) -> None:
        if other := [name for name, value in self.binding.items() if before.get(name) != value]:
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
        digests = {
            name: " ".join(keyed_digest_of(path, "an input", key) for path in paths) for name, paths in files.items()
        }
    except OSError as error:
        why = error.strerror or "input/output error"
        raise VideoAccessError(f"an input cannot be read any more: {why}", next_step="run again") from None
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
