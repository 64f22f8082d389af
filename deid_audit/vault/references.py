"""References: descriptors of one case, sealed under a passphrase, so that its release can be rechecked years later.

The one thing of a subject that outlives a job, and only where it was asked for (`--keep-references`). A small plain
header says how the key is made from the passphrase; everything after it is ciphertext. No pictures, names or paths.
"""

import os
import secrets
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import numpy as np
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from numpy.typing import DTypeLike, NDArray
from pydantic import Field, ValidationError

from deid_audit.errors import SettingsError, VaultError
from deid_audit.files import lies_in_output, sync
from deid_audit.findings import ErasureRecord, Strict
from deid_audit.frames import Float
from deid_audit.vault.cipher import EncryptingStream, decrypt_file
from deid_audit.vault.key import KEY_BYTES, SecretKey
from deid_audit.vault.resume import checkpoints_beside
from deid_audit.vault.vault import not_written, signals_held_back

METHOD_TEXT = (
    "One thing was kept by request: the face descriptors of subject and donor, with the places of the faces in the "
    "written file, in an encrypted file of the steward's (Cobblestone-256, its key made from a passphrase with "
    "scrypt), so that the release can be measured again without the originals."
)
NOT_SHOWN = (
    "Face descriptors of the subject and of the donor were kept, encrypted, for a later recheck. They are biometric "
    "templates: whoever has the file and its passphrase can look for these people in other pictures. Who holds the "
    "file, how good the passphrase is, and whether both are destroyed in time is not known here.",
)
_MAGIC, _VERSION = b"DEIDREFS", 1
_HEADER = struct.Struct(">8sHBBB3x32s")
_SCRYPT_LOG_N, _SCRYPT_R, _SCRYPT_P, _SALT_BYTES = 17, 8, 1, 32  # 128 MiB and about half a second a guess
_LENGTH = struct.Struct("<I")
_LARGEST_FILE_BYTES, _LARGEST_HEAD_BYTES = 1 << 30, 1 << 20
_MOST_ROWS = 1 << 22  # frames or face regions of one video
_DIGEST_BYTES = 32
_CONTEXT = b"deid-audit references\0"


class VideoShape(Strict):
    """How many rows each array of one video has."""

    frames: int = Field(ge=1, le=_MOST_ROWS)
    regions: int = Field(ge=0, le=_MOST_ROWS)


class ReferencesHead(Strict):
    """What the arrays belong to: the case, who made them, with which model files, at which cuts.

    `thresholds` are numbers by name; `donor_rows` counts the donor's descriptors.
    """

    case_id: str
    tool_version: str
    models: dict[str, str]
    thorough: bool
    thresholds: dict[str, float]
    donor_rows: int = Field(ge=0, le=_MOST_ROWS)
    videos: tuple[VideoShape, ...] = Field(min_length=1, max_length=1000)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VideoReferences:
    """One video: what was known of the subject in each frame of the original, and where faces stand.

    `original` (n, 128) and `turns` (n,), degrees, have a row a frame. `boxes` (k, 4) xyxy px, `frame_of` (k,) and
    `states` (k, 3) have a row a face region: whether it is the subject's, and two codes of the caller's.
    """

    original: NDArray[np.float32]
    turns: NDArray[np.int16]
    boxes: NDArray[np.float64]
    frame_of: NDArray[np.int32]
    states: NDArray[np.uint8]

    @property
    def shape(self) -> VideoShape:
        return VideoShape(frames=len(self.original), regions=len(self.boxes))

    def arrays(self) -> list[NDArray[Any]]:
        """In the order in which they are written."""
        return [self.original, self.turns, self.boxes, self.frame_of, self.states]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class References:
    """What a file of references holds; `donor` is float32 (m, 128), `statement_sha256` hex."""

    head: ReferencesHead
    donor: Float
    videos: tuple[VideoReferences, ...]
    statement_sha256: str

    def wipe(self) -> None:
        """Overwrites every descriptor."""
        for rows in (self.donor, *(video.original for video in self.videos)):
            rows.fill(0)


class ReferencesFile:
    """References on their way to `path`: sealed in memory, written and put in place when all else is done.

    Args:
        path: Where they shall stand; nothing may be there.
        out: The job's output folder, which may not hold them.
        passphrase: What the key is made from; not kept.

    Raises:
        SettingsError: the place or the passphrase cannot be used.
    """

    def __init__(self, path: Path, out: Path, passphrase: bytes) -> None:
        if path.name in ("", ".."):
            raise SettingsError("--keep-references must name a file", next_step="give it a name of its own")
        self._path = path.absolute()
        self._new = self._path.with_name(f"{path.name}.new")
        _refuse_place(self._path, self._new, out)
        self._header = _HEADER.pack(
            _MAGIC, _VERSION, _SCRYPT_LOG_N, _SCRYPT_R, _SCRYPT_P, secrets.token_bytes(_SALT_BYTES)
        )
        self._key = _key_of(passphrase, self._header)
        self._sealed: EncryptingStream | None = None
        self._ciphertext = BytesIO()  # the file must not exist before its time
        self._written = self._published = False

    def seal(self, head: ReferencesHead, donor: Float, videos: Sequence[VideoReferences]) -> None:
        """Encrypts everything but the statement they will belong to; the arrays may be wiped afterwards."""
        self._sealed = EncryptingStream(self._key.view, _CONTEXT + self._header, self._ciphertext.write)
        text = head.model_dump_json().encode()
        self._sealed.write(_LENGTH.pack(len(text)) + text)
        shapes = [layout for shape in head.videos for layout in _layout(shape)]
        arrays = [array for video in videos for array in video.arrays()]
        for array, (dtype, size) in zip(
            (donor, *arrays), (((np.float32), (head.donor_rows, 128)), *shapes), strict=True
        ):
            if array.shape != size:
                raise ValueError(f"an array of {array.shape} where the head says {size}")
            if array.size:
                self._sealed.write(np.ascontiguousarray(array, np.dtype(dtype).newbyteorder("<")).data)

    def write(self, statement_sha256: str) -> None:
        """Binds them to the statement and writes the whole file beside its place; `publish` puts it there.

        Raises:
            VaultError: the storage takes no more.
        """
        if self._sealed is None:
            raise VaultError("there are no references to write")
        self._sealed.write(bytes.fromhex(statement_sha256))
        self._sealed.finish()
        data = self._header + self._ciphertext.getvalue()
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            with os.fdopen(os.open(self._new, flags, 0o600), "wb") as stream:
                self._written = True
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise not_written(error) from None

    def publish(self) -> None:
        """The file takes its place, and `retract` takes it away; VaultError when it cannot, and then it is gone."""
        with signals_held_back():
            try:
                _refuse_existing(self._path)
                self._new.replace(self._path)
                self._written, self._published = False, True
                sync(self._path.parent)
            except OSError as error:
                raise not_written(error) from None
            finally:
                self.discard()

    def retract(self) -> None:
        """Takes the file away again, where it was put in its place; VaultError when that cannot be done."""
        if not self._published:
            return
        with signals_held_back():
            try:
                self._path.unlink(missing_ok=True)
                self._published = False
                sync(self._path.parent)
            except OSError as error:
                raise VaultError(
                    f"the job failed, and its references could not be taken away: {error.strerror or 'unknown error'}",
                    next_step="delete the file that --keep-references names: it belongs to no certificate",
                ) from None

    def discard(self) -> None:
        """Takes away what was written and has no place yet, and overwrites the key; may be repeated."""
        self._sealed = None
        self._key.overwrite()
        if self._written:
            self._new.unlink(missing_ok=True)
            self._written = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


def read_references(path: Path, passphrase: bytes) -> References:
    """What `path` holds, after its last byte was authenticated.

    Raises:
        VaultError: it is no such file, the passphrase is not its own, or it was cut or changed.
    """
    key = _key_of(passphrase, header := _header_in(path))
    try:
        plain = decrypt_file(path, key.view, _CONTEXT + header, skip=_HEADER.size).getbuffer()
    except VaultError:
        raise VaultError(
            "the references are refused: the passphrase is not theirs, or the file was cut or changed",
            next_step="give the passphrase that they were kept with, or another copy of the file",
        ) from None
    finally:
        key.overwrite()
    try:
        return _parsed(plain)
    except (ValueError, ValidationError, struct.error):  # authentic, but of a form that this version does not write
        raise VaultError("the references have a form that is not known", next_step=_NEXT_VERSION) from None


def with_references(record: ErasureRecord) -> ErasureRecord:
    """The vault's record with what it means that references were kept."""
    return record.model_copy(update={"references_kept": True, "not_shown": record.not_shown + NOT_SHOWN})


_NEXT_VERSION = "use the version of deid-audit that the certificate names"


def _layout(shape: VideoShape) -> list[tuple[DTypeLike, tuple[int, ...]]]:
    """Type and shape of `VideoReferences.arrays`."""
    return [
        (np.float32, (shape.frames, 128)),
        (np.int16, (shape.frames,)),
        (np.float64, (shape.regions, 4)),
        (np.int32, (shape.regions,)),
        (np.uint8, (shape.regions, 3)),
    ]


def _parsed(plain: memoryview) -> References:
    [length] = _LENGTH.unpack_from(plain)
    if length > _LARGEST_HEAD_BYTES:
        raise ValueError("head")
    at = _LENGTH.size + length
    head = ReferencesHead.model_validate_json(bytes(plain[_LENGTH.size : at]), strict=True)

    def take(dtype: DTypeLike, size: tuple[int, ...]) -> NDArray[Any]:
        nonlocal at
        kind, count = np.dtype(dtype).newbyteorder("<"), int(np.prod(size, dtype=np.int64))
        start, at = at, at + count * kind.itemsize
        if at > len(plain):
            raise ValueError("cut")
        return np.frombuffer(plain[start:at], kind).reshape(size)

    donor = take(np.float32, (head.donor_rows, 128))
    videos = []
    for shape in head.videos:
        original, turns, boxes, frame_of, states = (take(*layout) for layout in _layout(shape))
        if ((frame_of < 0) | (frame_of >= shape.frames)).any():
            raise ValueError("frame")
        videos.append(VideoReferences(original=original, turns=turns, boxes=boxes, frame_of=frame_of, states=states))
    digest = bytes(plain[at:])
    if len(digest) != _DIGEST_BYTES:
        raise ValueError("length")
    return References(head=head, donor=donor, videos=tuple(videos), statement_sha256=digest.hex())


def _key_of(passphrase: bytes, header: bytes) -> SecretKey:
    """The key of a header's salt, derived straight into its own page."""
    if not passphrase:
        raise SettingsError(
            "the passphrase of the references is empty", next_step="choose one that nobody can guess, and keep it apart"
        )
    key = SecretKey()
    salt = _HEADER.unpack(header)[-1]
    kdf = Scrypt(salt=salt, length=KEY_BYTES, n=1 << _SCRYPT_LOG_N, r=_SCRYPT_R, p=_SCRYPT_P)
    kdf.derive_into(passphrase, key.view)
    return key


def _header_in(path: Path) -> bytes:
    """The header, which must be exactly what this version writes, but for its salt."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise VaultError("the references are not a file", next_step="give what --keep-references wrote")
        with path.open("rb") as stream:
            header = stream.read(_HEADER.size)
    except OSError as error:
        why = error.strerror or "input/output error"
        raise VaultError(f"the references cannot be read: {why}", next_step="check the path of --references") from None
    known = (_MAGIC, _VERSION, _SCRYPT_LOG_N, _SCRYPT_R, _SCRYPT_P)
    if len(header) < _HEADER.size or _HEADER.unpack(header)[:-1] != known or status.st_size > _LARGEST_FILE_BYTES:
        raise VaultError(
            "this is no file of references, or of another version", next_step="give what --keep-references wrote"
        )
    return header


def _refuse_place(path: Path, new: Path, out: Path) -> None:
    if lies_in_output(path, out) or path.resolve() in checkpoints_beside(out.absolute().resolve()):
        raise SettingsError(
            "--keep-references may not lie in the output folder: what stands there is given away",
            next_step="name a file elsewhere, best where only the steward can read",
        )
    _refuse_existing(path)
    _refuse_existing(new)
    if not (path.parent.is_dir() and os.access(path.parent, os.W_OK | os.X_OK)):
        raise SettingsError(
            "the folder of --keep-references is not there or cannot be written", next_step="make it, or name another"
        )


def _refuse_existing(path: Path) -> None:
    if os.path.lexists(path):
        raise SettingsError(
            f"{path.name} exists already where --keep-references shall stand", next_step="name a file that is not there"
        )
