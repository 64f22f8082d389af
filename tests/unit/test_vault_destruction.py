"""Each way in which a vault's end can be incomplete turns exactly its own check; the facts are the system's own."""

import ctypes
import json
import mmap
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from deid_audit.errors import VaultError
from deid_audit.vault import Check, checks, key, process, protect_process, scan
from deid_audit.vault import vault as vault_module
from deid_audit.vault.process import process_facts
from deid_audit.vault.scan import MemoryScan, search_own_memory
from tests.unit.vault_building import MARKER, failing, files_in, keep, new_vault


def test_an_unregistered_checkpoint_is_found_overwritten_and_told(tmp_path: Path) -> None:
    with new_vault(tmp_path) as vault:
        keep(vault, "weights", MARKER)
        planted = tmp_path / "vault" / "deeper" / "checkpoint.pt"
        planted.parent.mkdir()
        planted.write_bytes(MARKER)
        second_name = tmp_path / "second_name.pt"
        second_name.hardlink_to(planted)
    record = vault.destroy()
    assert failing(record) == [Check.NO_UNKNOWN_FILE]
    assert not record.complete
    assert not planted.exists()
    assert second_name.read_bytes() == bytes(len(MARKER))  # the bytes themselves were overwritten


def test_a_planted_link_is_unlinked_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.bin"
    outside.write_bytes(MARKER)
    with new_vault(tmp_path) as vault:
        (tmp_path / "vault" / "link").symlink_to(outside)
    assert failing(vault.destroy()) == [Check.NO_UNKNOWN_FILE]
    assert outside.read_bytes() == MARKER


def test_a_live_copy_of_the_key_is_found(tmp_path: Path) -> None:
    with new_vault(tmp_path) as vault:
        keep(vault, "weights", MARKER)
        copy = bytes(vault._key.view)
    record = vault.destroy()
    assert failing(record) == [Check.NO_KEY_COPY]
    assert copy.hex() not in record.model_dump_json()


def test_a_copy_in_native_memory_at_any_offset_is_found(tmp_path: Path) -> None:
    """Also where no Python object lies, and across the edges of the chunks that the search reads."""
    with new_vault(tmp_path) as vault:
        block = ctypes.create_string_buffer(9 << 20)
        for offset in (3, (4 << 20) - 5, (8 << 20) - 31):
            ctypes.memmove(ctypes.addressof(block) + offset, vault._key.address, 32)
            assert search_own_memory(vault._key.view, except_at=vault._key.pages).copies >= 1
            ctypes.memset(ctypes.addressof(block) + offset, 0, 32)
        assert search_own_memory(vault._key.view, except_at=vault._key.pages).copies == 0
    assert vault.destroy().complete


def test_every_edge_of_the_searched_chunks_is_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    """With small chunks a copy straddles an edge at nearly every offset; each must be found."""
    secret = memoryview(bytearray(os.urandom(32)))
    block = ctypes.create_string_buffer(1000)
    base = ctypes.addressof(block)
    monkeypatch.setattr(scan, "_CHUNK_BYTES", 64)
    monkeypatch.setattr(scan, "_data_ranges", lambda: iter([(base, base + 1000)]))
    for offset in range(1000 - 32):
        ctypes.memset(base, 0, 1000)
        ctypes.memmove(base + offset, bytes(secret), 32)
        assert scan.search_own_memory(secret, except_at=range(0)).copies >= 1, offset


def test_a_search_that_finds_nothing_at_all_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blind = MemoryScan(copies=0, marker_found=False, scanned_bytes=0, unreadable_bytes=4096)
    monkeypatch.setattr(checks, "search_own_memory", lambda *_, **__: blind)
    with new_vault(tmp_path) as vault:
        pass
    assert failing(vault.destroy()) == [Check.NO_KEY_COPY]


def test_a_search_that_cannot_be_made_does_not_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr(checks, "search_own_memory", refused)
    with new_vault(tmp_path) as vault:
        keep(vault, "weights", MARKER)
    assert failing(vault.destroy()) == [Check.NO_KEY_COPY]
    assert vault._key.reads_zero()


def test_an_open_descriptor_is_found(tmp_path: Path) -> None:
    with new_vault(tmp_path) as vault:
        keep(vault, "weights", MARKER)
        (path,) = files_in(tmp_path)
        held = path.open("rb")
    with held:
        assert failing(vault.destroy()) == [Check.NO_DESCRIPTOR]


def test_a_mapped_file_is_found(tmp_path: Path) -> None:
    with new_vault(tmp_path) as vault:
        keep(vault, "weights", MARKER * 1000)
        (path,) = files_in(tmp_path)
        with path.open("rb") as stream:
            held = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    with held:
        assert failing(vault.destroy()) == [Check.NO_DESCRIPTOR]


def test_a_wipe_that_raises_is_told_and_stops_nothing(tmp_path: Path) -> None:
    wiped: list[str] = []

    def broken() -> None:
        raise RuntimeError(str(tmp_path))

    with new_vault(tmp_path) as vault:
        vault.register_memory("crops", 1, lambda: wiped.append("crops"))
        vault.register_memory("model", 1, broken)
    record = vault.destroy()
    assert failing(record) == [Check.WIPED]
    assert wiped == ["crops"] and str(tmp_path) not in record.model_dump_json()


def test_a_key_that_is_not_overwritten_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key.SecretKey, "overwrite", lambda self: None)
    with new_vault(tmp_path) as vault:
        keep(vault, "weights", MARKER)
    assert failing(vault.destroy()) == [Check.KEY_ZERO, Check.HEADS_REFUSED]


def test_a_file_that_stays_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with new_vault(tmp_path) as vault:
        keep(vault, "weights", MARKER)

        def refused(*_: object, **__: object) -> None:
            raise PermissionError(1, "not permitted")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", refused)
            patch.setattr(vault_module.shutil, "rmtree", lambda *_, **__: None)
            record = vault.destroy()
    assert failing(record) == [Check.FILES_GONE, Check.FOLDER_GONE]


def test_heads_of_another_key_do_not_count_as_refused(tmp_path: Path) -> None:
    """A head that the live key never opened proves nothing when it is refused later."""
    with new_vault(tmp_path) as vault:
        keep(vault, "weights", MARKER)
        vault._files[0].head = bytes(reversed(vault._files[0].head))
    assert failing(vault.destroy()) == [Check.HEADS_REFUSED]


@pytest.mark.parametrize("storage", ["memfd_secret", "anonymous"])
def test_both_kinds_of_key_memory(tmp_path: Path, storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if storage == "anonymous":
        monkeypatch.setattr(key, "_SYS_MEMFD_SECRET", 100_000)  # a call that no kernel has: "not implemented"
    with new_vault(tmp_path) as vault:
        keep(vault, "weights", MARKER)
        used, distinct = vault._key.storage, {bytes(new.view) for new in (key.SecretKey(), key.SecretKey())}
    assert len(distinct) == 2
    record = vault.destroy()
    assert record.complete, failing(record)
    assert record.key_storage == used
    if storage == "anonymous":
        assert "anonymous" in used
    elif "memfd_secret" not in used:
        pytest.skip("this kernel has no memfd_secret; the anonymous page was used and checked")


def test_a_forked_child_cannot_use_the_vault(tmp_path: Path) -> None:
    with new_vault(tmp_path) as vault:
        keep(vault, "weights", MARKER)
        child = os.fork()
        if child == 0:
            try:
                vault.read("weights")
            except VaultError:
                os._exit(7)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert vault.read("weights").read() == MARKER


_PROTECTED = """
import json, os, resource, sys
from datetime import datetime, UTC
from pathlib import Path
from deid_audit.vault import Vault, protect_process
if "unprivileged" in sys.argv:  # after the imports: the interpreter may stand in a folder only root may enter
    os.setgroups([]), os.setresgid(65534, 65534, 65534), os.setresuid(65534, 65534, 65534)
facts = protect_process()
limits = next(line for line in open("/proc/self/limits") if line.startswith("Max core file size")).split()
with Vault(Path(sys.argv[1]), run_id="r", clock=lambda: datetime.now(UTC)) as vault:
    with vault.write("weights") as stream:
        stream.write(b"x" * 100000)
    vault.read("weights")
    if "copy" in sys.argv: copy = bytes(vault._key.view)
record = vault.destroy()
print(json.dumps({"facts": facts, "limits": limits[4:6], "owner": Path("/proc/self/mem").stat().st_uid,
  "environment": record.environment, "user": os.geteuid(), "failing": [c.check for c in record.checks if not c.holds]}))
"""


@pytest.mark.parametrize("copy", [False, True])
@pytest.mark.parametrize("unprivileged", [False, True])
def test_protected_process_with_and_without_privileges(tmp_path: Path, unprivileged: bool, copy: bool) -> None:
    """Core limit and dumpable as /proc sees them; the search for key copies works for a non-dumpable, non-root user."""
    if unprivileged and os.geteuid() != 0:
        pytest.skip("only root can become another user; the other case already ran without privileges")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        words = [*(["unprivileged"] if unprivileged else []), *(["copy"] if copy else [])]
        command = [sys.executable, "-c", _PROTECTED, f"{folder}/vault", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["user"] == (65534 if unprivileged else os.geteuid())
    assert told["facts"]["core dump size limit"] == "0" and told["limits"] == ["0", "0"]
    assert told["facts"]["dumpable"] == "0" and told["owner"] == 0  # /proc of a non-dumpable process belongs to root
    assert told["environment"] == told["facts"]
    assert told["failing"] == ([Check.NO_KEY_COPY.value] if copy else [])


def test_the_facts_are_what_the_system_says_not_what_was_wished() -> None:
    """In this process nothing was protected, and the facts say so."""
    facts = process_facts()
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    assert (facts["core dump size limit"] == "0") == (soft == hard == 0)
    assert facts["dumpable"] == str(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
    assert callable(protect_process)


def test_swap_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = "Filename Type Size Used Priority\n/dev/sda2 partition 2048 10 -2\n/swap file 1024 0 -3\n"
    monkeypatch.setattr(Path, "read_text", lambda self: table)
    assert process._swap() == "2 area(s), 3072 kB"
