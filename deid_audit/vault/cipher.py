"""Cipher: files that are ciphertext from their first byte (C2SP chunked encryption, Cobblestone-256).

HKDF-SHA-512 and AES-256-GCM in chunks of 16 KiB, with a key commitment in the header. Knows files and keys, not
what is in them.
"""

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag

from deid_audit.errors import VaultError

CIPHER_NAME = "C2SP chunked-encryption, Cobblestone-256 (HKDF-SHA-512, AES-256-GCM, 16 KiB chunks, key commitment)"
HEADER_BYTES = 56
HEAD_BYTES = HEADER_BYTES + 16384 + 16
"""Salt and commitment, then the first full chunk with its tag: enough to try a key on."""
_READ_BYTES = 1 << 20


class CiphertextFile(io.RawIOBase):
    """A write-only binary file for ciphertext that is made elsewhere, under a key that this process may not even have.

    Attributes:
        head: The first ciphertext bytes, kept so that a key can be tried on them later.
        size_bytes: Ciphertext bytes written so far.
        failure: The storage's error, for callers behind a library that turns it into one of its own.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._digest = hashlib.sha256()
        self.head = b""
        self.size_bytes = 0
        self.failure: OSError | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        """Writes all of `data`, which is ciphertext; OSError as any file when the disk is full."""
        ciphertext = memoryview(data).cast("B")
        if len(self.head) < HEAD_BYTES:
            self.head += bytes(ciphertext[: HEAD_BYTES - len(self.head)])
        self._digest.update(ciphertext)
        self.size_bytes += len(ciphertext)
        rest = ciphertext
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            self.failure = error
            raise
        return ciphertext.nbytes

    def finish(self) -> str:
        """Forces the file to disk and closes it; returns the ciphertext's hex SHA-256."""
        if self._descriptor < 0:
            raise ValueError("an encrypted file can be finished once")
        os.fsync(self._descriptor)
        self.abandon()
        return self._digest.hexdigest()

    def abandon(self) -> None:
        """Closes the descriptor; what was written stays incomplete. May be repeated."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class EncryptingFile(CiphertextFile):
    """The same for plaintext, which it never writes; `torch.save` can write into it (it does not seek)."""

    def __init__(self, path: Path, key: memoryview, context: bytes) -> None:
        super().__init__(path)
        self._cipher: Cobblestone256Encryptor | None = Cobblestone256Encryptor(key, context=context)

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        """Encrypts and writes all of `data`; OSError as any file when the disk is full."""
        if self._cipher is None:
            raise ValueError("write to a finished encrypted file")
        plain = memoryview(data).cast("B")
        super().write(self._cipher.update(plain))
        return plain.nbytes

    def finish(self) -> str:
        """Writes the last chunk, forces the file to disk and closes it; returns the ciphertext's hex SHA-256."""
        if self._cipher is None:
            raise ValueError("an encrypted file can be finished once")
        super().write(self._cipher.finalize())
        return super().finish()

    def abandon(self) -> None:
        """Drops the cipher and closes the descriptor; what was written stays incomplete. May be repeated."""
        self._cipher = None
        super().abandon()


class EncryptingStream(io.RawIOBase):
    """Write-only, for `torch.save` and the like: what it is given goes on as ciphertext, to a file's `write` or a pipe.

    `sink` takes each piece as it comes; `finish` must be called, else the ciphertext is refused as cut.
    """

    def __init__(self, key: memoryview, context: bytes, sink: Callable[[bytes], object]) -> None:
        super().__init__()
        self._cipher = Cobblestone256Encryptor(key, context=context)
        self._sink = sink

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        """Encrypts all of `data`."""
        plain = memoryview(data).cast("B")
        if ciphertext := self._cipher.update(plain):
            self._sink(ciphertext)
        return plain.nbytes

    def finish(self) -> None:
        """Hands on the last chunk; nothing can be written after it."""
        self._sink(self._cipher.finalize())


def decrypt_file(path: Path, key: memoryview, context: bytes, *, skip: int = 0) -> io.BytesIO:
    """The whole plaintext, handed out only when the last tag has held; `skip` bytes before the ciphertext are plain.

    Raises:
        VaultError: the file is missing, cut, changed, or not the one that was written under this context.
    """
    plain = io.BytesIO()
    cipher = Cobblestone256Decryptor(key, context=context)
    try:
        with path.open("rb", buffering=0) as stream:
            stream.seek(skip)
            while block := stream.read(_READ_BYTES):
                plain.write(cipher.update(block))
        plain.write(cipher.finalize())
    except OSError as error:
        raise VaultError(f"an encrypted artefact cannot be read back: {error.strerror}") from None
    except InvalidTag:
        raise VaultError(
            "an encrypted artefact was changed on disk and is refused", next_step="start the run again"
        ) from None
    plain.seek(0)
    return plain


def opens(head: bytes, key: memoryview, context: bytes) -> bool:
    """Whether `key` is accepted for a file that begins with `head` (the header's commitment, then the first tag)."""
    try:
        Cobblestone256Decryptor(key, context=context).update(head)
    except InvalidTag:
        return False
    return True
