"""Files: bounded reads, and what lies in an output folder, also by way of links."""

from pathlib import Path

import pytest

from deid_audit.files import lies_in_output, partial_beside, read_at_most, sync


def test_a_file_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_at_most(path, 5) == b"12345"
    assert read_at_most(path, 4) is None
    with pytest.raises(FileNotFoundError):
        read_at_most(tmp_path / "none", 5)


def test_files_and_folders_are_forced_to_disk_and_what_is_missing_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    sync(tmp_path / "file")
    sync(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "none")


def test_out_its_partial_and_what_is_inside_lie_in_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert partial_beside(out) == tmp_path / "out.partial"
    # the last is refused, too, since it goes through OUT
    for name in ("out", "out/log", "out/a/b", "out.partial", "out.partial/work", "out/../log"):
        assert lies_in_output(tmp_path / name, out), name
    for name in ("", "out2", "out.checkpoint", "log"):
        assert not lies_in_output(tmp_path / name, out), name


def test_links_do_not_hide_it(tmp_path: Path) -> None:
    real = tmp_path / "real"
    (real / "out").mkdir(parents=True)
    (tmp_path / "link").symlink_to(real)
    (tmp_path / "inside").symlink_to(real / "out")
    assert lies_in_output(tmp_path / "link" / "out" / "key", real / "out")
    assert lies_in_output(real / "out" / "key", tmp_path / "link" / "out")
    assert lies_in_output(real / "out.partial" / "key", tmp_path / "link" / "out")
    assert lies_in_output(tmp_path / "inside" / "key", real / "out")
    (real / "out" / "away").symlink_to(tmp_path)
    assert lies_in_output(real / "out" / "away" / "key", real / "out")  # as it is written
