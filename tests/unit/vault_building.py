"""What the vault's tests share: a vault with a ticking clock, and short words for looking at it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deid_audit.findings import ErasureRecord
from deid_audit.vault import Vault

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


def failing(record: ErasureRecord) -> list[str]:
    return [check.check for check in record.checks if not check.holds]


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
