"""A single file under way: it appears when the work ends well, and nothing is left when it does not."""

import os
import signal
from pathlib import Path

import pytest

from deid_audit.errors import Interrupted, SettingsError, StageError
from deid_audit.pipeline.staging import interruptible, staged, staged_file, uninterrupted


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_waits_for_what_must_not_be_cut_off_and_is_not_lost(number: int, code: int) -> None:
    done = []
    before = signal.getsignal(number)  # under nohup Ctrl-C is ignored from the start
    with pytest.raises(Interrupted) as caught, interruptible():
        with uninterrupted():
            os.kill(os.getpid(), number)
            done.append("to its end")
        done.append("further")
    assert caught.value.exit_code == code and done == ["to its end"]
    assert signal.getsignal(number) is before


def test_the_file_appears_at_the_end_and_nothing_else_is_left(tmp_path: Path) -> None:
    out = tmp_path / "covered.mp4"
    with staged_file(out, force=False) as unfinished:
        unfinished.path.write_bytes(b"film")
        assert not out.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["covered.mp4"]


def test_a_file_that_is_held_back_or_fails_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "covered.mp4"
    with staged_file(out, force=False) as unfinished:
        unfinished.path.write_bytes(b"film")
        unfinished.keep = False
    assert not list(tmp_path.iterdir())
    with pytest.raises(RuntimeError), staged_file(out, force=False) as unfinished:
        unfinished.path.write_bytes(b"film")
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    with pytest.raises(StageError, match="No space left"), staged_file(out, force=False):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_what_stands_there_is_replaced_only_on_request_and_only_a_file(tmp_path: Path) -> None:
    out = tmp_path / "covered.mp4"
    out.write_bytes(b"old")
    with pytest.raises(SettingsError, match="exists already"), staged_file(out, force=False):
        pass
    with staged_file(out, force=True) as unfinished:
        unfinished.path.write_bytes(b"new")
    assert out.read_bytes() == b"new"
    out.unlink()
    out.mkdir()
    with pytest.raises(SettingsError, match="not a file"), staged_file(out, force=True):
        pass


def test_a_second_run_leaves_the_first_one_alone(tmp_path: Path) -> None:
    with staged(tmp_path / "out", force=False) as first:
        (first / "film").write_bytes(b"film")
        with pytest.raises(SettingsError, match="another run"), staged(tmp_path / "out", force=False):
            pass
        assert (first / "film").read_bytes() == b"film"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_leftover_of_a_killed_run_is_taken_away(tmp_path: Path) -> None:
    leftover = tmp_path / "out.partial"
    leftover.mkdir()
    (leftover / ".deid-audit-partial").touch()
    (leftover / "film").write_bytes(b"old")
    with staged(tmp_path / "out", force=False) as partial:
        assert [path.name for path in partial.iterdir()] == [".deid-audit-partial"]
    assert not leftover.exists()


@pytest.mark.parametrize("place", [".", "..", "/"])
def test_a_place_is_no_output(place: str) -> None:
    for way in (staged, staged_file):
        with pytest.raises(SettingsError, match="must name"), way(Path(place), force=True):
            pass
