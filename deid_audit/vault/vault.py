"""Vault: one key for a run, the artefacts under it, and their end.

Stands beside all stages of a run: what must be kept for a while goes through `write`, what lives in memory is
registered with its wipe, and leaving the vault destroys all of it, on success, error and interrupt alike. The
record of that end is a list of things tried, not a claim (checks.py).
"""

import io
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from deid_audit.errors import VaultError
from deid_audit.files import sync
from deid_audit.findings import ErasedArtefact, ErasureCheck, ErasureRecord
from deid_audit.vault import checks
from deid_audit.vault.cipher import CIPHER_NAME, HEADER_BYTES, CiphertextFile, EncryptingFile, decrypt_file
from deid_audit.vault.key import SecretKey
from deid_audit.vault.process import process_facts

METHOD_TEXT = (
    "Everything that could show or rebuild the subject was kept in memory or written to storage only in encrypted form "
    "(Cobblestone-256) under one random key that existed only in the memory of the tool's processes; at the end the "
    "key was overwritten, the encrypted files were unlinked, and the result was checked as listed."
)
NOT_SHOWN = (
    "This is a software attestation: the absence of copies made outside the tool (memory snapshots, a hypervisor, "
    "swap, GPU memory, modified software) is not proven and not claimed.",
    "Plaintext that passed through memory (frames, crops, weights) was released or overwritten by the program, but "
    "memory that libraries freed earlier, and keys that the cipher library derived from the run's key, were not "
    "searched for.",
    "The original videos themselves are outside the tool and still exist with whoever holds them.",
    "Destroying the model closes one route back; with the originals a new model can be trained, and gait, voice, "
    "body and surroundings are untouched by it.",
)
OF_CHILDREN_NOT_SHOWN = (
    "That the process that trained has ended was seen by its number and start. The memory it held went back to the "
    "system, which clears a page before it gives it out again; whether and when it did was not looked at. The face "
    "crops it was given were cut out in the run's own process, whose freed memory was not searched.",
)
FILE_NAME = re.compile(r"\d{4,}\.enc")
_File = TypeVar("_File", bound=CiphertextFile)
_HELD_BACK = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(kw_only=True)
class _Artefact:
    """One file the vault wrote: `number` names it on disk and binds its ciphertext to its place."""

    number: int
    kind: str
    size_bytes: int = 0
    sha256: str | None = None
    head: bytes = b""
    current: bool = False


class Vault:
    """Encrypted files and in-memory artefacts of one run; a context manager whose exit always destroys.

    `folder` is made (or must be empty); only ciphertext is ever written there. `run_id` is bound into every file.
    Not shared between processes.
    """

    def __init__(self, folder: Path, *, run_id: str, clock: Callable[[], datetime]) -> None:
        self._folder = folder.absolute()
        self._run_id = run_id
        self._clock = clock
        self._files: list[_Artefact] = []
        self._memory: list[tuple[ErasedArtefact, Callable[[], None]]] = []
        self._held: list[ErasedArtefact] = []
        self._children: list[ErasureCheck] = []
        self._open: list[CiphertextFile] = []
        self._record: ErasureRecord | None = None
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(self._folder.iterdir()):
                raise VaultError("the vault's folder is not empty", next_step="give a folder that does not exist yet")
        except OSError as error:
            raise VaultError(
                f"the vault's folder cannot be made: {error.strerror}", next_step="check the output folder"
            ) from None
        self._key = SecretKey()
        self._created_at = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()

    @contextmanager
    def write(self, kind: str) -> Iterator[EncryptingFile]:
        """A binary file to write an artefact of `kind` into; it exists for `read` once the block ends cleanly.

        On an error inside the block it is removed. Writing the same kind again replaces the older one; the record
        lists both.

        Raises:
            VaultError: the vault is destroyed, or the storage takes no more.
        """
        artefact = self._next(kind)
        with self._kept(artefact, lambda path: EncryptingFile(path, self._key.view, self._context(artefact))) as stream:
            yield stream

    @contextmanager
    def take(self, kind: str) -> Iterator[tuple[bytes, CiphertextFile]]:
        """The same for what a child encrypts under the key that it was lent: the context to bind in, and the file.

        Whether it did so is seen when it is read.
        """
        artefact = self._next(kind)
        with self._kept(artefact, CiphertextFile) as stream:
            yield self._context(artefact), stream

    def lent_key(self) -> AbstractContextManager[int]:
        """The descriptor by which a child gets the key (`SecretKey.lent_by`); VaultError when it is destroyed."""
        self._require_alive()
        return self._key.lent()

    def _next(self, kind: str) -> _Artefact:
        self._require_alive()
        return _Artefact(number=len(self._files) + 1, kind=kind)

    @contextmanager
    def _kept(self, artefact: _Artefact, opened: Callable[[Path], _File]) -> Iterator[_File]:
        """The artefact's file while it is written; it counts once the block ends cleanly, else it is removed."""
        path = self._path(artefact)
        try:
            stream = opened(path)
        except OSError as error:
            raise not_written(error) from None
        self._files.append(artefact)
        self._open.append(stream)
        try:
            with storage_faults_of(stream):
                yield stream
                artefact.sha256 = stream.finish()
                sync(self._folder)
            self._replace_older(artefact)
        finally:
            stream.abandon()
            self._open.remove(stream)
            artefact.size_bytes, artefact.head = stream.size_bytes, stream.head
            if not artefact.current:
                path.unlink(missing_ok=True)

    def read(self, kind: str) -> io.BytesIO:
        """The plaintext of the newest artefact of `kind`, in memory, after its last byte was authenticated.

        Raises:
            VaultError: there is none, it was changed, cut or exchanged on disk, or the vault is destroyed.
        """
        self._require_alive()
        for artefact in self._files:
            if artefact.kind == kind and artefact.current:
                return decrypt_file(self._path(artefact), self._key.view, self._context(artefact))
        raise VaultError(f"the vault holds no artefact '{kind}'")

    def register_memory(self, kind: str, size_bytes: int, wipe: Callable[[], None]) -> None:
        """Lists an artefact that lives in memory; `wipe` overwrites or releases it and is called at destruction."""
        self._require_alive()
        self._memory.append((ErasedArtefact(kind=kind, storage="memory", size_bytes=size_bytes), wipe))

    def register_child(self, held: Sequence[ErasedArtefact], end: ErasureCheck) -> None:
        """Lists what a process that had the key held in its own memory, and what became of that process."""
        self._require_alive()
        self._held += held
        self._children.append(end)

    def destroy(self) -> ErasureRecord:
        """Wipes, overwrites the key, unlinks, then checks; never raises for what it finds. Again: the same record."""
        if self._record is None:
            self._key.require_own_process()
            with signals_held_back():
                self._record = self._destroyed()
        return self._record

    def _destroyed(self) -> ErasureRecord:
        """1 wipe memory, 2 drop ciphers, 3 search for key copies, 4 overwrite the key, 5 unlink, 6 try it all again."""
        paths = [self._path(artefact) for artefact in self._files]
        heads = [(a.head, self._context(a)) for a in self._files if len(a.head) >= HEADER_BYTES]
        try:
            wiped = checks.run_wipes([wipe for _, wipe in reversed(self._memory)])
            for stream in self._open:
                stream.abandon()
            opened_before = checks.count_opened(heads, self._key)
            no_copies = checks.no_key_copies(self._key)
        finally:
            self._key.overwrite()
        unknown = checks.no_unknown_files(self._folder, set(paths))
        for path in paths:
            with suppress(OSError):  # a file that cannot be unlinked is found by the check below
                path.unlink()
        results = (
            wiped,
            no_copies,
            checks.key_reads_zero(self._key),
            checks.files_gone(paths),
            checks.heads_refused(heads, opened_before, self._key),
            checks.no_descriptors(self._folder),
            unknown,
        )
        shutil.rmtree(self._folder, ignore_errors=True)
        return self._record_of((*results, checks.folder_gone(self._folder), *self._children))

    def _record_of(self, results: tuple[ErasureCheck, ...]) -> ErasureRecord:
        files = tuple(
            ErasedArtefact(
                kind=artefact.kind if artefact.sha256 else f"{artefact.kind} (not finished)",
                storage="encrypted file",
                size_bytes=artefact.size_bytes,
                ciphertext_sha256=artefact.sha256,
                header_hex=artefact.head[:HEADER_BYTES].hex() or None,
            )
            for artefact in self._files
        )
        return ErasureRecord(
            cipher=CIPHER_NAME,
            key_id=self._key.key_id,
            key_storage=self._key.storage,
            created_at=self._created_at.isoformat(),
            destroyed_at=self._clock().isoformat(),
            artefacts=(*files, *(artefact for artefact, _ in self._memory), *self._held),
            checks=results,
            environment=process_facts(),
            not_shown=NOT_SHOWN + (OF_CHILDREN_NOT_SHOWN if self._children else ()),
        )

    def _replace_older(self, newest: _Artefact) -> None:
        for artefact in self._files:
            if artefact.kind == newest.kind and artefact.current:
                artefact.current = False
                self._path(artefact).unlink(missing_ok=True)
        newest.current = True

    def _path(self, artefact: _Artefact) -> Path:
        return self._folder / f"{artefact.number:04d}.enc"

    def _context(self, artefact: _Artefact) -> bytes:
        """Binds run, kind and number into the ciphertext, so that exchanged files are refused."""
        return "\0".join(("deid-audit vault v1", self._run_id, artefact.kind, str(artefact.number))).encode()

    def _require_alive(self) -> None:
        if self._record is not None:
            raise VaultError("the vault is destroyed: nothing can be kept in it any more")


@contextmanager
def signals_held_back() -> Iterator[None]:
    """A second Ctrl-C must not stop the destruction half way; it is raised again when the destruction is done.

    Handlers are exchanged, not masked: in a process with threads a masked signal reaches another thread.
    """
    if threading.current_thread() is not threading.main_thread():  # handlers run in the main thread alone
        yield
        return
    held: list[int] = []
    before = {number: signal.signal(number, lambda got, _: held.append(got)) for number in _HELD_BACK}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    for got in held:
        signal.raise_signal(got)


@contextmanager
def storage_faults_of(stream: CiphertextFile) -> Iterator[None]:
    """What storage that takes no more makes of a block that writes to the stream: one VaultError.

    Raises:
        VaultError: from an OSError, or from the RuntimeError that torch makes of one.
    """
    try:
        yield
    except OSError as error:
        raise not_written(error) from None
    except RuntimeError:
        if stream.failure is None:
            raise
        raise not_written(stream.failure) from None


def not_written(error: OSError) -> VaultError:
    """What to say of storage that takes no more."""
    return VaultError(
        f"an artefact could not be encrypted to storage: {error.strerror}",
        next_step="check the free space and the permissions of the output folder",
    )
