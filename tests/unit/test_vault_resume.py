"""A checkpoint beside OUT: ciphertext only, whole or not there, refused with anything but its key, and ended."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deid_audit.errors import DeidAuditError, SettingsError, VaultError
from deid_audit.vault import Checkpoint, key
from deid_audit.vault.resume import CheckpointCheck, CheckpointEnd, refuse_leftover
from tests.fakes import make_erasure
from tests.unit.vault_building import MARKER, files_in, next_checkpoint

DATA = MARKER * 3000


def opened(folder: Path) -> Checkpoint:
    return Checkpoint(folder / "out", folder / "its.key")


def keep(kept: Checkpoint, data: bytes = DATA) -> None:
    with next_checkpoint(kept) as stream:
        stream.write(data)


def failing(end: CheckpointEnd) -> list[str]:
    return [check.check for check in end.checks if not check.holds]


def test_the_whole_life_of_a_checkpoint(tmp_path: Path) -> None:
    first = opened(tmp_path)
    assert not first.found and first.made_key
    keep(first, b"older")
    keep(first)
    files = {path.name: path for path in files_in(tmp_path)}
    assert set(files) == {"out.checkpoint", "its.key"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files.values())
    assert files["its.key"].read_bytes() == bytes(first._key.view)
    assert MARKER not in files["out.checkpoint"].read_bytes()
    second = opened(tmp_path)  # another process, as far as the files go
    assert second.found and not second.made_key
    assert second.read().read() == DATA
    first._key.overwrite()  # that process has ended
    keep(second, b"newer")
    sizes = [a.size_bytes for a in second._artefacts]
    end = second.destroy()
    assert end.complete, failing(end)
    assert [check.check for check in end.checks] == [check.value for check in CheckpointCheck]
    assert files_in(tmp_path) == []
    assert [(a.kind, a.storage) for a in end.artefacts] == [
        *([("checkpoint of training", "encrypted file")] * 2),
        ("key of the checkpoint", "key file"),
    ]
    assert sizes[0] > len(DATA) > sizes[1]
    assert second.destroy() is end


def test_the_record_says_that_a_key_was_on_disk(tmp_path: Path) -> None:
    kept = opened(tmp_path)
    keep(kept)
    before = make_erasure()
    record = kept.destroy().added_to(before)
    assert not before.key_on_disk
    assert record.key_on_disk and record.complete
    assert record.key_storage == f"{before.key_storage}; a second key, the checkpoint's, in a file on disk"
    assert record.artefacts[: len(before.artefacts)] == before.artefacts
    assert any("backed up" in text and "flash" in text for text in record.not_shown)
    assert str(tmp_path) not in record.model_dump_json()


def test_the_bytes_themselves_are_overwritten(tmp_path: Path) -> None:
    kept = opened(tmp_path)
    keep(kept)
    names = ("out.checkpoint", "its.key")
    for name in names:
        (tmp_path / f"second {name}").hardlink_to(tmp_path / name)
    assert kept.destroy().complete
    for name in names:
        data = (tmp_path / f"second {name}").read_bytes()
        assert data and not any(data)


def _copy_the_key(kept: Checkpoint) -> object:
    return bytes(kept._key.view)


def _hold_open(kept: Checkpoint) -> object:
    return kept.key_file.open("rb")


def _move_away(path_of: Callable[[Checkpoint], Path]) -> Callable[[Checkpoint], object]:
    return lambda kept: path_of(kept).rename(path_of(kept).with_name("moved"))


@pytest.mark.parametrize(
    ("before", "check"),
    [
        (_copy_the_key, CheckpointCheck.NO_KEY_COPY),
        (_hold_open, CheckpointCheck.NO_DESCRIPTOR),
        (_move_away(lambda kept: kept.key_file), CheckpointCheck.OVERWRITTEN),
        (_move_away(lambda kept: kept.path), CheckpointCheck.OVERWRITTEN),
    ],
)
def test_each_way_to_outlive_the_end_is_told(
    tmp_path: Path, before: Callable[[Checkpoint], object], check: CheckpointCheck
) -> None:
    kept = opened(tmp_path)
    keep(kept)
    held = before(kept)
    end = kept.destroy()
    assert failing(end) == [check]
    assert not end.complete
    assert not end.added_to(make_erasure()).complete
    if hasattr(held, "close"):
        held.close()


def test_a_key_that_is_not_overwritten_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key.SecretKey, "overwrite", lambda self: None)
    kept = opened(tmp_path)
    keep(kept)
    assert failing(kept.destroy()) == [CheckpointCheck.KEY_ZERO, CheckpointCheck.HEADS_REFUSED]


def test_a_file_that_stays_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = opened(tmp_path)
    keep(kept)

    def refused(self: Path, *, missing_ok: bool = False) -> None:
        raise PermissionError(1, "no")

    monkeypatch.setattr(Path, "unlink", refused)
    assert failing(kept.destroy()) == [CheckpointCheck.OVERWRITTEN, CheckpointCheck.FILES_GONE]
    assert not any((tmp_path / "its.key").read_bytes())


def assert_refused(folder: Path, words: str, kind: type[DeidAuditError] = VaultError) -> None:
    """With the exit status of its kind, one next step, and everything left as it was."""
    before = {path: path.read_bytes() for path in files_in(folder)}
    with pytest.raises(kind, match=words) as caught:
        opened(folder).read()
    assert caught.value.next_step
    assert caught.value.exit_code == (2 if kind is SettingsError else 1)
    assert {path: path.read_bytes() for path in files_in(folder)} == before


@pytest.mark.parametrize("at", [0, 30, 60, 20_000, -20, -1])
def test_a_changed_byte_is_refused(tmp_path: Path, at: int) -> None:
    keep(opened(tmp_path))
    path = tmp_path / "out.checkpoint"
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    assert_refused(tmp_path, "the checkpoint is refused")


@pytest.mark.parametrize("length", [0, 20, 56, 16_456, 40_000])
def test_a_cut_checkpoint_is_refused(tmp_path: Path, length: int) -> None:
    keep(opened(tmp_path))
    os.truncate(tmp_path / "out.checkpoint", length)
    assert_refused(tmp_path, "the checkpoint is refused")


def test_another_key_is_refused_at_once(tmp_path: Path) -> None:
    keep(opened(tmp_path))
    (tmp_path / "its.key").write_bytes(os.urandom(32))
    with pytest.raises(VaultError, match="key file is not the one"):
        opened(tmp_path)
    assert_refused(tmp_path, "key file is not the one")


def test_a_checkpoint_without_its_key_is_refused_and_no_key_is_made(tmp_path: Path) -> None:
    keep(opened(tmp_path))
    (tmp_path / "its.key").unlink()
    assert_refused(tmp_path, "not its key", SettingsError)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "its.key").write_bytes(b"k" * size)
    (tmp_path / "its.key").chmod(0o600)
    assert_refused(tmp_path, "does not hold 32 bytes")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "its.key").write_bytes(os.urandom(32))
    (tmp_path / "its.key").chmod(mode)
    assert_refused(tmp_path, "others than its owner", SettingsError)


def test_a_key_that_was_there_is_used(tmp_path: Path) -> None:
    (tmp_path / "its.key").write_bytes(os.urandom(32))
    (tmp_path / "its.key").chmod(0o600)
    given = (tmp_path / "its.key").read_bytes()
    kept = opened(tmp_path)
    assert bytes(kept._key.view) == given


@pytest.mark.parametrize(
    "name", ["out", "out/k", "out/deep/k", "out.partial/k", "out.checkpoint", "out.checkpoint.new"]
)
def test_a_key_in_the_way_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="may not lie in the output folder"):
        Checkpoint(tmp_path / "out", tmp_path / name)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("name", ["its.key", "out.checkpoint"])
def test_links_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").write_bytes(os.urandom(32))
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    assert_refused(tmp_path, "not a regular file", SettingsError)


def test_a_key_that_cannot_be_written_is_told_and_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VaultError, match="cannot be written: No such file"):
        Checkpoint(tmp_path / "out", tmp_path / "nowhere" / "key")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VaultError, match="cannot be written: No space"):
        opened(tmp_path)
    assert files_in(tmp_path) == []


def test_a_full_disk_is_told_and_the_one_before_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = opened(tmp_path)
    keep(kept)

    def full(descriptor: int, data: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched, pytest.raises(VaultError, match="No space left on device"):
        patched.setattr(os, "write", full)
        keep(kept, b"newer" * 10_000)
    assert opened(tmp_path).read().read() == DATA


_KILLED = """
import os, signal, sys
from pathlib import Path
from deid_audit.vault import Checkpoint
from deid_audit.vault.cipher import EncryptingStream
from deid_audit.vault.resume import CONTEXT
folder, before = Path(sys.argv[1]), int(sys.argv[2])
kept = Checkpoint(folder / "out", folder / "its.key")
for _ in range(before):
    with kept.take() as file:
        stream = EncryptingStream(kept._key.view, CONTEXT, file.write)
        stream.write(b"whole" * 10_000)
        stream.finish()
with kept.take() as file:
    EncryptingStream(kept._key.view, CONTEXT, file.write).write(b"half" * 10_000)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("before", [0, 1])
def test_a_kill_while_writing_leaves_a_whole_one_or_none(tmp_path: Path, before: int) -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path), str(before)], check=False)
    assert done.returncode == -signal.SIGKILL
    names = {path.name for path in files_in(tmp_path)}
    assert names == {"its.key", "out.checkpoint.new", *(["out.checkpoint"] if before else [])}
    with pytest.raises(SettingsError, match="of an earlier run"):
        refuse_leftover(tmp_path / "out")
    kept = opened(tmp_path)  # in a process that did not know that key before
    assert kept.found == bool(before)
    if before:
        assert kept.read().read() == b"whole" * 10_000
    keep(kept)
    assert kept.destroy().complete
    assert files_in(tmp_path) == []
    refuse_leftover(tmp_path / "out")


def test_left_alone_both_files_stay_and_nothing_else(tmp_path: Path) -> None:
    kept = opened(tmp_path)
    keep(kept)
    (tmp_path / "out.checkpoint.new").write_bytes(b"cut off")
    kept.leave()
    assert {path.name for path in files_in(tmp_path)} == {"its.key", "out.checkpoint"}
    assert kept._key.reads_zero()
    assert opened(tmp_path).read().read() == DATA


@pytest.mark.parametrize("given", [True, False])
def test_left_alone_without_a_checkpoint_only_a_key_that_was_given_stays(tmp_path: Path, *, given: bool) -> None:
    if given:
        (tmp_path / "its.key").write_bytes(os.urandom(32))
        (tmp_path / "its.key").chmod(0o600)
    opened(tmp_path).leave()
    assert len(files_in(tmp_path)) == given
