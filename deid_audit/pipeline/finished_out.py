"""An OUT that a job left, read back: its statement, and files of the steward's folder by the digests that it holds.

Whether the statement is signed is for `verify` to say. No original is opened here and nothing is judged.
"""

from dataclasses import dataclass
from pathlib import Path

from deid_audit.certificate.board_report import distances_of
from deid_audit.certificate.frame_numbers import FrameNumbers, read_distances
from deid_audit.digests import sha256_bytes
from deid_audit.errors import EvidenceError
from deid_audit.evidence import STATEMENT_FILE, compare_files, parse_statement
from deid_audit.files import read_at_most
from deid_audit.findings import CaseRecord

LEDGER_FILE = "audit/frames.csv"
KEY_FILE = "audit/originals.key"
_KEY_BYTES = 32
WHOLE = "give OUT as the job left it"
_LARGEST_STATEMENT = 64 << 20
_LARGEST_TABLE = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedOut:
    """A job's folder whose videos are those of its statement."""

    path: Path
    case: CaseRecord
    statement: bytes

    @property
    def videos(self) -> list[Path]:
        """The written videos, in their order."""
        folder = self.path / self.case.outputs_folder
        return [folder / output.name for output in self.case.outputs if output.role == "video"]

    def named(self, name: str, sha256: str | None) -> bytes | None:
        """A file of the steward's folder, None where it is not there or the statement holds no digest of it.

        Raises:
            EvidenceError: it is another file, or cannot be read.
        """
        data = None if sha256 is None else read_of(self.path / name)
        if data is not None and sha256_bytes(data) != sha256:
            raise EvidenceError(
                f"{name} is not the file that the statement names",
                next_step=f"{WHOLE}, or take that file away: the report then says that it is missing",
            )
        return data

    def distances(self, video: int) -> FrameNumbers | None:
        """The distances of a video (from 1), frame by frame; None where they are not there."""
        stated = distances_of(self.case, video)
        data = None if stated is None else self.named(f"audit/figures/{stated.name}.csv", stated.csv_sha256)
        return None if data is None else read_distances(data.decode())

    def digest_key(self) -> bytes:
        """The key of the keyed digests, 32 bytes; EvidenceError where the steward's folder is without it."""
        data = read_of(self.path / KEY_FILE)
        try:
            key = bytes.fromhex((data or b"").decode("ascii"))
        except ValueError:
            key = b""
        if len(key) != _KEY_BYTES:
            raise EvidenceError(
                f"the folder has no {KEY_FILE}, by which the originals are known", next_step=f"{WHOLE}, with its audit/"
            )
        return key


def open_out(out: Path) -> FinishedOut:
    """The statement of OUT, held against its videos.

    Raises:
        EvidenceError: OUT has no statement, it does not hold, or a file of its folder is not the one that it names.
    """
    if not out.is_dir():
        raise EvidenceError("there is no such folder", next_step="give the OUT of a job that ended")
    statement = read_of(out / STATEMENT_FILE, _LARGEST_STATEMENT)
    if statement is None:
        raise EvidenceError(f"the folder has no {STATEMENT_FILE}", next_step="give the OUT of a job that ended")
    case = parse_statement(statement)
    for problem in compare_files(case, out / case.outputs_folder):
        raise EvidenceError(
            f"{case.outputs_folder}/{problem.name} is not as the statement says: {problem.detail}", next_step=WHOLE
        )
    return FinishedOut(path=out, case=case, statement=statement)


def read_of(path: Path, limit: int = _LARGEST_TABLE) -> bytes | None:
    """The file's bytes, None where there is none; EvidenceError where it cannot be read or is too large."""
    try:
        data = read_at_most(path, limit)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        why = error.strerror or "input/output error"
        raise EvidenceError(f"{path.name} cannot be read: {why}", next_step=WHOLE) from None
    if data is None:
        raise EvidenceError(f"{path.name} is larger than any that a job writes", next_step=WHOLE)
    return data
