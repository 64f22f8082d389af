"""Resume: one encrypted checkpoint beside OUT that outlives the process, and its key in a file of the user's choice.

The one exception to a key that lives in memory only, and only where it was asked for. A checkpoint is ciphertext from
its first byte and takes its place by a rename, so that a kill leaves a whole one or none; its end is overwritten,
unlinked and checked like the vault's.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from pathlib import Path

from deid_audit.digests import sha256_file
from deid_audit.errors import SettingsError, VaultError
from deid_audit.files import lies_in_output, sync
from deid_audit.findings import ErasedArtefact, ErasureCheck, ErasureRecord
from deid_audit.vault import checks
from deid_audit.vault.cipher import HEAD_BYTES, HEADER_BYTES, CiphertextFile, decrypt_file, opens
from deid_audit.vault.key import KEY_BYTES, SecretKey
from deid_audit.vault.vault import not_written, signals_held_back, storage_faults_of

METHOD_TEXT = (
    "One exception was asked for: so that training could go on after an interruption, its state was kept in an "
    "encrypted checkpoint (Cobblestone-256) whose own key stood in a file on disk; at the end both were overwritten "
    "once and unlinked, and that was checked as listed."
)
NOT_SHOWN = (
    "The checkpoint's key was in a file on disk: it may have been copied or backed up while it stood there, and flash "
    "media and journaling file systems keep old blocks that overwriting does not reach. Whoever has that key and any "
    "copy of a checkpoint can rebuild the subject's face.",
    "Each checkpoint replaced the one before, whose blocks were freed and not overwritten; they hold ciphertext only. "
    "Of those that an interrupted process wrote, the last one is listed.",
)
CONTEXT = b"deid-audit checkpoint v1"
"""What is bound into the ciphertext of every checkpoint."""
_KIND = "checkpoint of training"


class CheckpointCheck(StrEnum):
    """What is checked of a checkpoint's end, in the words of the record."""

    NO_KEY_COPY = "no copy of the checkpoint's key was found in this process's memory before it was overwritten"
    KEY_ZERO = "the memory that held the checkpoint's key reads zero"
    OVERWRITTEN = "checkpoint and key file were overwritten once and unlinked"
    FILES_GONE = "checkpoint and key file are gone and cannot be opened again"
    HEADS_REFUSED = "the first bytes kept of each checkpoint are refused with what is left of its key"
    NO_DESCRIPTOR = "no descriptor or memory map of this process points to checkpoint or key file"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointEnd:
    """What was destroyed of a checkpoint, and what was tried afterwards."""

    artefacts: tuple[ErasedArtefact, ...]
    checks: tuple[ErasureCheck, ...]

    @property
    def complete(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)

    def added_to(self, record: ErasureRecord) -> ErasureRecord:
        """The vault's record with these rows, and with what a key on disk means."""
        return record.model_copy(
            update={
                "key_storage": f"{record.key_storage}; a second key, the checkpoint's, in a file on disk",
                "artefacts": record.artefacts + self.artefacts,
                "checks": record.checks + self.checks,
                "not_shown": record.not_shown + NOT_SHOWN,
            }
        )


def checkpoint_beside(out: Path) -> Path:
    """Where the checkpoint of a run with this OUT lies."""
    return out.with_name(f"{out.name}.checkpoint")


def checkpoints_beside(out: Path) -> tuple[Path, Path]:
    """Where a checkpoint of a run with this OUT can lie: the whole one, and one that was being written."""
    path = checkpoint_beside(out)
    return path, _unfinished(path)


class Checkpoint:
    """The checkpoint of a run and its key; opened before any work, so that a wrong key is told at once.

    Args:
        out: The run's output folder; the checkpoint lies beside it.
        key_file: 32 bytes. Made here, readable by its owner alone, where neither it nor a checkpoint is there.

    Raises:
        SettingsError: the key file is in the wrong place, readable by others, or missing beside a checkpoint.
        VaultError: it is no key, not this checkpoint's, or cannot be written.
    """

    def __init__(self, out: Path, key_file: Path) -> None:
        self.path, self.key_file = checkpoint_beside(out.absolute()), key_file.absolute()
        self._new = _unfinished(self.path)
        self._artefacts: list[ErasedArtefact] = []
        self._heads: list[tuple[bytes, bytes]] = []
        self._end: CheckpointEnd | None = None
        _refuse_place(self.key_file, out.absolute())
        for path in (self.path, self.key_file):
            if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
                raise SettingsError(f"{path} is not a regular file", next_step="choose another --out or --resume-key")
        self.found = self.exists
        self.made_key = not os.path.lexists(self.key_file)
        if self.found and self.made_key:
            raise SettingsError(
                f"the checkpoint {self.path} is there, but not its key {self.key_file}",
                next_step="give the key file that it was written with, or delete the checkpoint to start afresh",
            )
        self._key = _new_key(self.key_file) if self.made_key else _key_in(self.key_file)
        if self.found:
            self._refuse_wrong_key()

    @property
    def exists(self) -> bool:
        """Whether a whole checkpoint lies on disk now."""
        return os.path.lexists(self.path)

    def lent_key(self) -> AbstractContextManager[int]:
        """The descriptor by which a child gets the key (`SecretKey.lent_by`)."""
        return self._key.lent()

    @contextmanager
    def take(self) -> Iterator[CiphertextFile]:
        """A file for the ciphertext of the next checkpoint, which replaces the one before when the block ends well.

        A child makes it, under the key that it was lent and CONTEXT.

        Raises:
            VaultError: the storage takes no more; the one before still stands.
        """
        try:
            self._new.unlink(missing_ok=True)
            stream = CiphertextFile(self._new)
        except OSError as error:
            raise not_written(error) from None
        try:
            with storage_faults_of(stream):
                yield stream
                sha256 = stream.finish()
                self._new.replace(self.path)
                sync(self.path.parent)
        finally:
            stream.abandon()
        self._list(stream.head, stream.size_bytes, sha256)

    def read(self) -> BytesIO:
        """The plaintext of the checkpoint that was found, after its last byte was authenticated; VaultError if not."""
        try:
            plain = checkpoint_plaintext(self.path, self._key)
        except VaultError as error:
            raise VaultError(f"the checkpoint is refused: {error}", next_step=self._afresh()) from None
        self._list(self._head(), self.path.stat().st_size, sha256_file(self.path))
        return plain

    def leave(self) -> None:
        """Lets go of the key and leaves both files, or neither: a key made here goes where no checkpoint came of it."""
        if self.made_key and not self.exists:
            self.destroy()
        with signals_held_back():
            self._new.unlink(missing_ok=True)
            self._key.overwrite()

    def destroy(self) -> CheckpointEnd:
        """Overwrites and unlinks both files, then checks; never raises for what it finds. Again: the same record."""
        if self._end is None:
            with signals_held_back():
                self._end = self._destroyed()
        return self._end

    def _destroyed(self) -> CheckpointEnd:
        """1 search for key copies, 2 overwrite the key, 3 the files, the key's first, 4 try it all again."""
        expected = [self.key_file, *([self.path] if self._artefacts else [])]
        rest = [path for path in (self.path, self._new) if path not in expected and os.path.lexists(path)]
        try:
            opened_before = checks.count_opened(self._heads, self._key)
            no_copies = checks.no_key_copies(self._key)
        finally:
            self._key.overwrite()
        done = sum([checks.overwrite_and_unlink(path) for path in (*expected, *rest)])
        for folder in {self.key_file.parent, self.path.parent}:
            try:
                sync(folder)
            except OSError:  # what it would force to disk is looked at below
                continue
        wanted = len(expected) + len(rest)
        results = {
            CheckpointCheck.NO_KEY_COPY: no_copies,
            CheckpointCheck.KEY_ZERO: checks.key_reads_zero(self._key),
            CheckpointCheck.OVERWRITTEN: no_copies.model_copy(
                update={"holds": done == wanted, "observed": f"{done} of {wanted} files"}
            ),
            CheckpointCheck.FILES_GONE: checks.files_gone([self.key_file, self.path, self._new]),
            CheckpointCheck.HEADS_REFUSED: checks.heads_refused(self._heads, opened_before, self._key),
            CheckpointCheck.NO_DESCRIPTOR: checks.none_held(str(self.key_file.resolve()), str(self.path.resolve())),
        }
        key = ErasedArtefact(kind="key of the checkpoint", storage="key file", size_bytes=KEY_BYTES)
        return CheckpointEnd(
            artefacts=(*self._artefacts, key),
            checks=tuple(result.model_copy(update={"check": name.value}) for name, result in results.items()),
        )

    def _list(self, head: bytes, size_bytes: int, sha256: str) -> None:
        self._heads.append((head, CONTEXT))
        self._artefacts.append(
            ErasedArtefact(
                kind=_KIND,
                storage="encrypted file",
                size_bytes=size_bytes,
                ciphertext_sha256=sha256,
                header_hex=head[:HEADER_BYTES].hex(),
            )
        )

    def _head(self) -> bytes:
        with self.path.open("rb", buffering=0) as stream:
            return stream.read(HEAD_BYTES)

    def _refuse_wrong_key(self) -> None:
        try:
            fits = opens(self._head(), self._key.view, CONTEXT)
        except OSError as error:
            raise VaultError(f"the checkpoint cannot be read: {error.strerror}", next_step=self._afresh()) from None
        if not fits:
            self._key.overwrite()
            raise VaultError(
                "the checkpoint is refused: the key file is not the one it was written with, or it was damaged",
                next_step=self._afresh(),
            )

    def _afresh(self) -> str:
        return f"give the right --resume-key, or delete {self.path} and its key file to start afresh"


def checkpoint_plaintext(path: Path, key: SecretKey) -> BytesIO:
    """What a checkpoint holds, for a process that has its key; VaultError when it was changed on disk."""
    return decrypt_file(path, key.view, CONTEXT)


def _unfinished(checkpoint: Path) -> Path:
    """What a checkpoint is called until it is whole."""
    return checkpoint.with_name(f"{checkpoint.name}.new")


def refuse_leftover(out: Path) -> None:
    """SettingsError when a checkpoint of an earlier run lies beside OUT: nobody would destroy it."""
    path = checkpoint_beside(out.absolute())
    if any(os.path.lexists(one) for one in checkpoints_beside(out.absolute())):
        raise SettingsError(
            f"the checkpoint {path} of an earlier run is there: with its key it can rebuild the subject's face",
            next_step="go on with it (--resume-key FILE), or delete it and its key file",
        )


def _refuse_place(key_file: Path, out: Path) -> None:
    """Inside OUT it would stand in a release or be in the way of one; beside it, it may not be another of our files."""
    if lies_in_output(key_file, out) or key_file in checkpoints_beside(out):
        raise SettingsError(
            "--resume-key may not lie in the output folder or be the checkpoint",
            next_step="name a file elsewhere, best on another medium that is not backed up",
        )


def _new_key(path: Path) -> SecretKey:
    """A fresh key, forced to disk before it is used; what could not be written whole is taken away again."""
    key = SecretKey()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if os.write(descriptor, key.view) != KEY_BYTES:
                raise OSError(0, "it was cut short")
            os.fsync(descriptor)
            sync(path.parent)
        except BaseException:
            path.unlink(missing_ok=True)  # nothing was ever encrypted under it
            raise
        finally:
            os.close(descriptor)
    except OSError as error:
        key.overwrite()
        raise VaultError(
            f"the key file cannot be written: {error.strerror}", next_step="check folder and space of --resume-key"
        ) from None
    return key


def _key_in(path: Path) -> SecretKey:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if os.fstat(descriptor).st_mode & 0o077:
                raise SettingsError(
                    "others than its owner may read or write the key file", next_step=f"chmod 600 {path}"
                )
            return SecretKey(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise VaultError(
            f"the key file cannot be read: {error.strerror}", next_step="check the file given as --resume-key"
        ) from None
