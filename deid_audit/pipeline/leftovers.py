"""What runs have left at a place: work of one that was killed, a checkpoint, an output with its erasure record.

For `vault status`. Looks and reports; it opens no artefact, holds no key and removes nothing.
"""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from deid_audit.errors import DeidAuditError, SettingsError
from deid_audit.evidence import STATEMENT_FILE, parse_statement
from deid_audit.files import partial_beside, read_at_most
from deid_audit.findings import CaseRecord
from deid_audit.pipeline.staging import WORK, is_held, refuse_nameless
from deid_audit.vault.cipher import HEADER_BYTES
from deid_audit.vault.key import SecretKey
from deid_audit.vault.process import protect_process
from deid_audit.vault.resume import checkpoints_beside
from deid_audit.vault.vault import FILE_NAME

_LARGEST_STATEMENT_BYTES = 64 << 20
# How files begin that a loader takes: archives and weights, arrays, pictures, films, text.
_PLAIN = re.compile(
    rb"PK\x03\x04|\x93NUMPY|\x89PNG|\xff\xd8\xff|\x80[\x02-\x05][\x8a\x95}\](c]|....ftyp|[\x09\x0a\x0d\x20-\x7e]{56}",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """OUT.partial: a run at work, or what one left that was killed.

    `doubtful` are files of the vault's folder that are not ciphertext by name or by how they begin; `videos` are
    renders that no audit has passed, with the donor's face and all else of the original's pictures.
    """

    alive: bool
    ciphertexts: int
    ciphertext_bytes: int
    doubtful: tuple[str, ...]
    videos: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """All that stands at one OUT. `checkpoints` are paths; `case` is that of OUT's own statement, unverified."""

    killed: Killed | None
    checkpoints: tuple[Path, ...]
    case: CaseRecord | None

    @property
    def nothing_to_do(self) -> bool:
        """Whether nothing is left that could show or rebuild a subject, and no run is at work."""
        erased = self.case is None or (self.case.erasure.complete and not self.case.erasure.references_kept)
        return self.killed is None and not self.checkpoints and erased


def find_leftovers(out: Path) -> Left:
    """What stands at `out`, `out`.partial and `out`.checkpoint.

    Raises:
        SettingsError: a folder there cannot be read, or OUT's statement is none.
    """
    refuse_nameless(out)
    out = out.absolute()
    try:
        partial = partial_beside(out)
        killed = _killed(partial) if partial.is_dir() and not partial.is_symlink() else None
        checkpoints = tuple(path for path in checkpoints_beside(out) if os.path.lexists(path))
        return Left(killed=killed, checkpoints=checkpoints, case=_case(out / STATEMENT_FILE))
    except OSError as error:
        why = error.strerror or "input/output error"
        raise SettingsError(f"this place cannot be looked at: {why}", next_step="give the --out of a run") from None


def _killed(partial: Path) -> Killed:
    files = [path for path in sorted((partial / WORK).rglob("*")) if not path.is_dir() or path.is_symlink()]
    good = [path for path in files if _is_ciphertext(path)]
    return Killed(
        alive=is_held(partial),
        ciphertexts=len(good),
        ciphertext_bytes=sum(path.lstat().st_size for path in good),
        doubtful=tuple(
            path.name if path.name.isprintable() else ascii(path.name) for path in files if path not in good
        ),
        videos=sum(path.suffix in (".mp4", ".part") for path in partial.rglob("*")),
    )


def _is_ciphertext(path: Path) -> bool:
    """By the vault's own name and a beginning that no loader knows; a file without one byte yet counts as well."""
    if not FILE_NAME.fullmatch(path.name) or not stat.S_ISREG(path.lstat().st_mode):
        return False
    with path.open("rb") as stream:
        return not _PLAIN.match(stream.read(HEADER_BYTES))


def _case(statement: Path) -> CaseRecord | None:
    if not statement.is_file():
        return None
    data = read_at_most(statement, _LARGEST_STATEMENT_BYTES) or b""  # one that is larger is none
    try:
        return parse_statement(data)
    except DeidAuditError as error:
        raise SettingsError(
            f"{STATEMENT_FILE} in this folder is no statement: {error}", next_step="give the --out of a run"
        ) from None


def machine_facts() -> dict[str, str]:
    """Where a key made now would live, and what the system says of core dumps, swap and locked memory."""
    protection = protect_process()
    key = SecretKey()
    key.overwrite()
    return {"a key would be held in": key.storage, **protection}
