"""The vault: an artefact is encrypted, read back, destroyed, and the vault's own checks hold."""

from datetime import UTC, datetime
from pathlib import Path

from deid_audit.errors import StageError
from deid_audit.vault import Vault, protect_process

_PLAINTEXT = b"deid-audit self-test: nothing to protect. " * 4096


def vault(folder: str) -> str:
    """Only ciphertext on disk, the same bytes back, and every check of the destruction."""
    protect_process()
    place, wiped = Path(folder) / "vault", bytearray(b"artefact in memory")
    with Vault(place, run_id="self-test", clock=lambda: datetime.now(UTC)) as opened:
        opened.register_memory("self-test", len(wiped), wiped.clear)
        with opened.write("self-test") as stream:
            stream.write(_PLAINTEXT)
        if any(_PLAINTEXT[:42] in path.read_bytes() for path in place.iterdir()):
            raise StageError("plaintext was found in the vault's folder")
        if opened.read("self-test").getvalue() != _PLAINTEXT:
            raise StageError("the vault gave back other bytes than it was given")
        record = opened.destroy()
    broken = [check.check for check in record.checks if not check.holds]
    if broken or not record.complete:
        raise StageError(f"after the destruction this does not hold: {'; '.join(broken)}")
    return f"destroyed, {len(record.checks)} checks hold"
