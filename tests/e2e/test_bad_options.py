"""Policy and key files that cannot be used, and output folders that cannot be made: refused before any work."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deid_audit.certificate.keys import new_key
from deid_audit.certificate.media_keys import new_media_key
from tests.e2e.warm import NOBODY, WarmCommand, arguments, assert_one_message

pytestmark = pytest.mark.e2e

RULE = """
id = "mine"
version = "1"
title = "t"
[[rules]]
metric = "{metric}"
of = "swapped"
op = "{op}"
limit = {limit}
why = "w"
source = "s"
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "mine.toml: No such file or directory"),
        (b"", "mine.toml: id: missing"),
        (b"\xff\xfe", "mine.toml: not UTF-8 text"),
        (b"id = ", "mine.toml: not TOML: Invalid value"),
        (b'id = "mine"\nversion = "1"\ntitle = "t"\nrules = []\n', "mine.toml: rules"),
        (RULE.format(metric="beauty", op="above", limit=1.0).encode(), "unknown metric 'beauty'"),
        (RULE.format(metric="coverage.undecided", op="near", limit=1.0).encode(), "mine.toml: rules[0].op"),
        (RULE.format(metric="coverage.undecided", op="at_most", limit="nan").encode(), "mine.toml: rules[0].limit"),
    ],
)
def test_a_bad_policy_file_ends_with_2(
    warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path, text: bytes | None, message: str
) -> None:
    policy = tmp_path / "in" / "mine.toml"
    policy.parent.mkdir()
    if text is not None:
        policy.write_bytes(text)
    assert_one_message(warm.run(*arguments(*clips, tmp_path / "out", "--policy", policy)), 2, message)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_an_unknown_policy_ends_with_2(warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path) -> None:
    done = warm.run(*arguments(*clips, tmp_path / "out", "--policy", "strictest"))
    assert_one_message(done, 2, "there is no policy 'strictest'; shipped are")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("case", "status", "message"),
    [
        ("missing", 1, "the signer's key file does not exist"),
        ("not a key", 1, "is not a key file"),
        ("wrong passphrase", 1, "the passphrase does not open the signer's key file"),
        ("no passphrase", 1, "the signer's key needs a passphrase"),
        ("expired", 1, "the signer's certificate expired on"),
        ("no passphrase file", 2, "the passphrase file cannot be read"),
    ],
)
def test_a_bad_key_file_ends_the_run_before_it_begins(
    warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path, case: str, status: int, message: str
) -> None:
    keys = tmp_path / "keys"
    made = datetime.now(UTC) - timedelta(days=3650 if case == "expired" else 1)
    key = new_key(keys, common_name="Steward", organisation=None, passphrase=b"right", now=made).key_file
    (keys / "pass").write_text("wrong\n" if case == "wrong passphrase" else "right\n")
    if case == "not a key":
        key.write_text("no key\n")
    elif case == "missing":
        key.unlink()
    options: list[object] = ["--signer", key]
    if case != "no passphrase":
        options += ["--passphrase-file", keys / ("none" if case == "no passphrase file" else "pass")]
    done = warm.run(*arguments(*clips, tmp_path / "out", *options))
    assert_one_message(done, status, message, key)
    assert "finding faces" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


def test_a_signers_key_marks_no_video_and_a_media_key_signs_no_certificate(
    warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    keys = {
        role: make(tmp_path / "keys" / role, common_name="A", organisation=None, passphrase=b"right", now=now).key_file
        for role, make in (("steward", new_key), ("media", new_media_key))
    }
    (tmp_path / "keys" / "pass").write_text("right\n")
    for option, passphrase, role, message in (
        ("--c2pa", "--c2pa-passphrase-file", "steward", "this key signs certificates"),
        ("--signer", "--passphrase-file", "media", "this is a media key"),
    ):
        options = (option, keys[role], passphrase, tmp_path / "keys" / "pass")
        done = warm.run(*arguments(*clips, tmp_path / "out", *options))
        assert_one_message(done, 1, message, keys[role])
        assert "finding faces" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


# The output folder ----------------------------------------------------------------------------------------------------


def _link(out: Path, target: str) -> None:
    (out.parent / "target").mkdir()
    out.symlink_to(out.parent / target)


BAD_OUTS: dict[str, tuple[Callable[[Path], object], int, str]] = {
    "exists": (Path.mkdir, 2, "--out exists already"),
    "is a file": (Path.touch, 2, "--out exists and is not a folder"),
    "is a link to a folder": (lambda out: _link(out, "target"), 2, "--out exists and is not a folder"),
    "is a link to nothing": (lambda out: _link(out, "nothing"), 2, "--out exists and is not a folder"),
    "OUT.partial is somebody's": (
        lambda out: (out.parent / "out.partial" / "theirs").mkdir(parents=True),
        2,
        "out.partial exists and is not ours",
    ),
    "OUT.partial is a link": (
        lambda out: (out.parent / "out.partial").symlink_to(out.parent),
        2,
        "out.partial exists and is not ours",
    ),
}


@pytest.mark.parametrize("case", BAD_OUTS)
def test_an_output_folder_that_is_taken_is_left_as_it_is(
    warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path, case: str
) -> None:
    make, status, message = BAD_OUTS[case]
    make(tmp_path / "out")
    before = sorted((path, path.lstat().st_mtime_ns, path.is_symlink()) for path in tmp_path.rglob("*"))
    assert_one_message(warm.run(*arguments(*clips, tmp_path / "out")), status, message)
    assert sorted((path, path.lstat().st_mtime_ns, path.is_symlink()) for path in tmp_path.rglob("*")) == before


def test_folders_made_on_the_way_to_out_go_with_a_failed_run(
    warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    done = warm.run(*arguments(tmp_path / "no.mp4", clips[1], tmp_path / "not" / "yet" / "out"))
    assert_one_message(done, 1, "subject video 1 does not exist")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_too_long_ends_with_2(warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path) -> None:
    assert_one_message(warm.run(*arguments(*clips, tmp_path / ("o" * 300))), 2, "--out cannot be used")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("case", ["may not be written", "may not be entered", "is a file"])
def test_an_out_whose_parent_cannot_hold_it(
    warm: WarmCommand, clips: tuple[Path, Path], open_folder: Path, case: str
) -> None:
    parent = open_folder / "parent"
    if case == "is a file":
        parent.touch()
    elif os.geteuid() != 0:
        pytest.skip("only root can become another user")
    else:
        parent.mkdir()
        parent.chmod(0o755 if case == "may not be written" else 0o700)
    user = None if case == "is a file" else NOBODY
    log = open_folder / "log"  # one that the other user may write, too
    log.mkdir()
    log.chmod(0o777)
    done = warm.run(*arguments(*clips, parent / "out", "--log", log), user=user)
    status, message = {
        "may not be written": (1, "the output could not be written: Permission denied"),
        "may not be entered": (2, "--out cannot be used: Permission denied"),
        "is a file": (1, "the output could not be written"),
    }[case]
    assert_one_message(done, status, message)
    assert sorted(path.name for path in open_folder.iterdir()) == ["log", "parent"]
    assert not (parent.is_dir() and list(parent.iterdir()))
