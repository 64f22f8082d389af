"""The vault writes no plaintext, gives back only what it wrote, and always destroys."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch

from deid_audit.errors import VaultError
from deid_audit.vault import Check, Vault, cipher
from deid_audit.vault.key import SecretKey
from tests.unit.vault_building import MARKER, START, failing, files_in, keep, new_vault


def test_the_whole_life_of_a_vault(tmp_path: Path) -> None:
    wiped: list[str] = []
    with new_vault(tmp_path) as vault:
        keep(vault, "weights", MARKER * 5000)
        keep(vault, "optimiser", b"")
        vault.register_memory("crops", 12345, lambda: wiped.append("crops"))
        vault.register_memory("model", 99, lambda: wiped.append("model"))
        assert vault.read("weights").read() == MARKER * 5000
        assert vault.read("optimiser").read() == b""
        sizes = [path.stat().st_size for path in files_in(tmp_path)]
    record = vault.destroy()
    assert record.complete, failing(record)
    assert [check.check for check in record.checks] == [check.value for check in Check]
    assert wiped == ["model", "crops"]
    assert not (tmp_path / "vault").exists()
    assert [(a.kind, a.storage) for a in record.artefacts] == [
        ("weights", "encrypted file"),
        ("optimiser", "encrypted file"),
        ("crops", "memory"),
        ("model", "memory"),
    ]
    assert [a.size_bytes for a in record.artefacts] == [*sizes, 12345, 99]
    assert all(a.ciphertext_sha256 and len(bytes.fromhex(a.header_hex or "")) == 56 for a in record.artefacts[:2])
    assert record.created_at == START.isoformat()
    assert record.destroyed_at == (START + timedelta(seconds=1)).isoformat()
    assert "Cobblestone-256" in record.cipher
    assert vault.destroy() is record


def test_the_record_carries_no_path_and_claims_nothing_it_cannot(tmp_path: Path) -> None:
    with new_vault(tmp_path) as vault:
        keep(vault, "weights", MARKER)
        (tmp_path / "vault" / "SENTINEL.pt").write_bytes(b"x")
    text = vault.destroy().model_dump_json()
    for forbidden in (str(tmp_path), "SENTINEL", "/proc", "irreversible", "guarantee", "certified", "anonymous data"):
        assert forbidden not in text
    assert "not proven and not claimed" in text
    assert all(words in text for words in ("hypervisor", "GPU memory", "original videos"))


def test_disk_holds_only_ciphertext_while_the_run_lives(tmp_path: Path) -> None:
    with new_vault(tmp_path) as vault:
        with vault.write("weights") as stream:
            for _ in range(3000):
                stream.write(MARKER)
            assert files_in(tmp_path) and not any(MARKER in path.read_bytes() for path in files_in(tmp_path))
        keep(vault, "small", MARKER)
        assert len(files_in(tmp_path)) == 2
        assert not any(MARKER in path.read_bytes() for path in files_in(tmp_path))
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in files_in(tmp_path))
        assert (tmp_path / "vault").stat().st_mode & 0o777 == 0o700


def test_torch_weights_come_back_bit_equal(tmp_path: Path) -> None:
    state = {"layer": torch.randn(300, 200), "steps": torch.arange(7)}
    with new_vault(tmp_path) as vault:
        with vault.write("weights") as stream:
            torch.save(state, stream)
        loaded = torch.load(vault.read("weights"), weights_only=True)
        assert loaded.keys() == state.keys()
        assert all(torch.equal(loaded[name], state[name]) for name in state)
    assert vault.destroy().complete


def test_a_second_write_replaces_the_first_and_both_are_listed(tmp_path: Path) -> None:
    with new_vault(tmp_path) as vault:
        keep(vault, "weights", b"older")
        keep(vault, "weights", b"newer")
        assert vault.read("weights").read() == b"newer"
        assert len(files_in(tmp_path)) == 1
    record = vault.destroy()
    assert record.complete
    assert [artefact.kind for artefact in record.artefacts] == ["weights", "weights"]


def test_a_failed_write_keeps_the_older_one_and_is_listed(tmp_path: Path) -> None:
    with new_vault(tmp_path) as vault:
        keep(vault, "weights", b"older")
        with pytest.raises(RuntimeError), vault.write("weights") as stream:
            stream.write(MARKER * 2000)
            raise RuntimeError
        assert vault.read("weights").read() == b"older"
        assert len(files_in(tmp_path)) == 1
    record = vault.destroy()
    assert record.complete
    assert [artefact.kind for artefact in record.artefacts] == ["weights", "weights (not finished)"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_error_inside_destroys_as_well(tmp_path: Path, error: type[BaseException]) -> None:
    wiped: list[int] = []
    with pytest.raises(error), new_vault(tmp_path) as vault:
        keep(vault, "weights", MARKER)
        vault.register_memory("crops", 1, lambda: wiped.append(1))
        raise error
    assert wiped == [1] and not (tmp_path / "vault").exists()
    assert vault.destroy().complete


def test_an_error_inside_an_open_write_destroys_as_well(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_vault(tmp_path) as vault, vault.write("weights") as stream:
        stream.write(MARKER * 2000)
        raise KeyboardInterrupt
    assert vault.destroy().complete
    assert not (tmp_path / "vault").exists()


def test_destroying_while_a_write_is_open_leaves_nothing(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    with pytest.raises(ValueError, match="finished"), vault.write("weights") as stream:
        stream.write(MARKER * 2000)
        assert vault.destroy().complete
        stream.write(MARKER)
    assert not (tmp_path / "vault").exists()


def test_a_destroyed_vault_takes_and_gives_nothing(tmp_path: Path) -> None:
    with new_vault(tmp_path) as vault:
        keep(vault, "weights", MARKER)
    for use in (
        lambda: vault.read("weights"),
        lambda: keep(vault, "weights", MARKER),
        lambda: vault.register_memory("crops", 1, lambda: None),
    ):
        with pytest.raises(VaultError, match="destroyed"):
            use()


def flip(data: bytearray) -> bytearray:
    data[len(data) // 2] ^= 1
    return data


@pytest.mark.parametrize(
    "damage",
    [flip, lambda data: data[:-1], lambda data: data[: 56 + 16400], lambda data: data + b"x", lambda data: data[:0]],
)
def test_changed_ciphertext_is_refused(tmp_path: Path, damage: object) -> None:
    with new_vault(tmp_path) as vault:
        keep(vault, "weights", MARKER * 3000)
        (path,) = files_in(tmp_path)
        path.write_bytes(damage(bytearray(path.read_bytes())))  # type: ignore[operator]
        with pytest.raises(VaultError, match="changed on disk"):
            vault.read("weights")


def test_exchanged_and_old_files_are_refused(tmp_path: Path) -> None:
    with new_vault(tmp_path) as vault:
        keep(vault, "one", b"1" * 100)
        keep(vault, "two", b"2" * 100)
        first, second = files_in(tmp_path)
        old = first.read_bytes()
        first.write_bytes(second.read_bytes())
        with pytest.raises(VaultError, match="changed on disk"):
            vault.read("one")
        keep(vault, "one", b"3" * 100)
        files_in(tmp_path)[-1].write_bytes(old)
        with pytest.raises(VaultError, match="changed on disk"):
            vault.read("one")


def test_a_missing_artefact_is_worded(tmp_path: Path) -> None:
    with new_vault(tmp_path) as vault:
        with pytest.raises(VaultError, match="holds no artefact 'weights'"):
            vault.read("weights")
        keep(vault, "weights", MARKER)
        files_in(tmp_path)[0].unlink()
        with pytest.raises(VaultError, match="cannot be read back: No such file") as caught:
            vault.read("weights")
        assert str(tmp_path) not in str(caught.value)


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vault").mkdir()
    (tmp_path / "vault" / "mine.txt").write_text("mine")
    with pytest.raises(VaultError, match="not empty"):
        new_vault(tmp_path)
    assert (tmp_path / "vault" / "mine.txt").read_text() == "mine"


def test_a_full_disk_is_worded(tmp_path: Path) -> None:
    code = (
        "import sys, resource; from pathlib import Path; from datetime import datetime, UTC\n"
        "from deid_audit.vault import Vault; from deid_audit.errors import VaultError\n"
        "with Vault(Path(sys.argv[1]), run_id='r', clock=lambda: datetime.now(UTC)) as vault:\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (40000, 40000))\n"
        "    try:\n"
        "        with vault.write('weights') as stream: stream.write(bytes(100000))\n"
        "    except VaultError as error: print(error)\n"
        "print(vault.destroy().complete)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "vault")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["an artefact could not be encrypted to storage: File too large", "True"]


def test_a_full_disk_is_worded_also_where_a_library_hides_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch turns the stream's OSError into a RuntimeError of its own; other errors of the block stay as they are."""

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with new_vault(tmp_path) as vault:
        with pytest.raises(RuntimeError, match="a defect"), vault.write("weights") as stream:
            raise RuntimeError("a defect")
        monkeypatch.setattr(cipher.os, "write", full)
        with pytest.raises(VaultError, match="to storage: No space left on device"), vault.write("weights") as stream:
            torch.save({"w": torch.zeros(100000)}, stream)
        monkeypatch.undo()


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Ctrl-C raises, also where the tests were started in the background and inherited "ignore"."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_a_second_interrupt_waits_until_the_destruction_is_done(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_vault(tmp_path) as vault:
        vault.register_memory("crops", 1, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert vault.destroy().complete
    assert not (tmp_path / "vault").exists()


_KILLED = """
import sys, time
from datetime import datetime, UTC
from pathlib import Path
from deid_audit.vault import Vault
vault = Vault(Path(sys.argv[1]), run_id="r", clock=lambda: datetime.now(UTC))
with vault.write("weights") as stream:
    stream.write(sys.argv[2].encode() * 10000)
with vault.write("checkpoint") as stream:
    for _ in range(10000):
        stream.write(sys.argv[2].encode())
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_killed_process_leaves_only_ciphertext(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _KILLED, str(tmp_path / "vault"), MARKER.decode()]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None and running.stdout.readline() == b"ready\n"
        running.kill()
    left = files_in(tmp_path)
    assert len(left) == 2 and all(path.stat().st_size > 100_000 for path in left)
    assert not any(MARKER in path.read_bytes() for path in left)


def sealed(vault: Vault, kind: str, *, context: bytes | None = None, whole: bool = True) -> None:
    """What a child does with the key that it was lent."""
    with vault.lent_key() as descriptor:
        key = SecretKey.lent_by(os.dup(descriptor))
    with vault.take(kind) as (own, file):
        stream = cipher.EncryptingStream(key.view, context or own, file.write)
        stream.write(MARKER * 5000)
        if whole:
            stream.finish()


def test_what_a_child_encrypts_with_the_lent_key_is_the_vaults_own(tmp_path: Path) -> None:
    with new_vault(tmp_path) as vault:
        sealed(vault, "weights")
        assert vault.read("weights").read() == MARKER * 5000
        assert all(MARKER not in path.read_bytes() for path in files_in(tmp_path))
    record = vault.destroy()
    assert record.complete, failing(record)
    assert record.artefacts[0].ciphertext_sha256
    with pytest.raises(VaultError, match="destroyed"):
        vault.lent_key()


@pytest.mark.parametrize("more", [{"context": b"another"}, {"whole": False}], ids=["another place's", "cut"])
def test_what_a_child_did_not_encrypt_for_this_place_is_refused(tmp_path: Path, more: dict[str, Any]) -> None:
    with new_vault(tmp_path) as vault:
        sealed(vault, "weights", **more)
        with pytest.raises(VaultError, match="is refused"):
            vault.read("weights")
