"""What the vault's tests share: a vault with a ticking clock, and short words for looking at it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deid_audit.findings import ErasureRecord
from deid_audit.vault import Checkpoint, Vault
from deid_audit.vault.cipher import EncryptingStream
from deid_audit.vault.resume import CONTEXT

MARKER = b"PLAINTEXT-MARKER-7f1c"
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def ticking() -> Iterator[datetime]:
    now = START
    while True:
        yield now
        now += timedelta(seconds=1)


def new_vault(folder: Path, run_id: str = "run-1") -> Vault:
    clock = ticking()
    return Vault(folder / "vault", run_id=run_id, clock=lambda: next(clock))


def keep(vault: Vault, kind: str, data: bytes) -> None:
    with vault.write(kind) as stream:
        stream.write(data)


@contextmanager
def next_checkpoint(kept: Checkpoint) -> Iterator[EncryptingStream]:
    """Writes one as the process that trains does: encrypted there, and put into its place here."""
    with kept.take() as file:
        stream = EncryptingStream(kept._key.view, CONTEXT, file.write)
        yield stream
        stream.finish()


def failing(record: ErasureRecord) -> list[str]:
    return [check.check for check in record.checks if not check.holds]


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def is_there(pid: int) -> bool:
    """Whether such a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int, within_s: float) -> bool:
    """Whether it is not there after that time at the latest."""
    until = time.monotonic() + within_s
    while is_there(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_there(pid)
