"""A run that was killed in training, what it leaves, and the same command once more."""

import signal
from pathlib import Path

import pytest
from pypdf import PdfReader

from deid_audit.evidence import parse_statement
from deid_audit.findings import CaseRecord
from tests.e2e.plaintext import Originals, faults
from tests.e2e.warm import Running, WarmCommand, arguments, assert_one_message

pytestmark = pytest.mark.e2e


def start(warm: WarmCommand, clips: tuple[Path, Path], out: Path, *more: object) -> Running:
    return warm.start(*arguments(*clips, out), "--iterations", 30, *more)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def stopped_in_training(running: Running, checkpoint: Path, number: int) -> None:
    while not checkpoint.exists() and not running.ended(0.01):
        continue
    assert checkpoint.exists(), running.said
    running.kill(number)


def case_of(out: Path) -> CaseRecord:
    return parse_statement((out / "evidence.json").read_bytes())


def test_a_killed_run_goes_on_to_the_same_video(warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path) -> None:
    whole = start(warm, clips, tmp_path / "whole").wait(300)
    assert whole.status == 3, whole.stderr
    out, checkpoint, key = tmp_path / "out", tmp_path / "out.checkpoint", tmp_path / "its.key"
    running = start(warm, clips, out, "--resume-key", key)
    stopped_in_training(running, checkpoint, signal.SIGKILL)
    running.wait(30)
    # beside the staged folder there is ciphertext and its key, and nothing in plain
    unfinished = {"out.checkpoint.new"} & names(tmp_path)
    assert names(tmp_path) == {"whole", "out.partial", "out.checkpoint", "its.key"} | unfinished
    assert (checkpoint.stat().st_mode & 0o777, key.stat().st_mode & 0o777) == (0o600, 0o600)
    look = tmp_path / "look" / "work"
    look.mkdir(parents=True)
    for number, path in enumerate((checkpoint, *(tmp_path / name for name in unfinished))):
        (look / f"{number:04d}.enc").write_bytes(path.read_bytes())
    found, _ = faults(look.parent, Originals(clips[0]), next((tmp_path / "whole" / "withheld").iterdir()))
    assert found == []
    # a run without the key, and with another seed, is refused, and the checkpoint stays as it is
    before = checkpoint.read_bytes(), key.read_bytes()
    assert_one_message(start(warm, clips, out).wait(60), 2, "of an earlier run")
    assert_one_message(start(warm, clips, out, "--resume-key", key, "--seed", 1).wait(60), 2, "another: seed")
    assert (checkpoint.read_bytes(), key.read_bytes()) == before
    # SIGTERM leaves both, too, and says where
    running = start(warm, clips, out, "--resume-key", key)
    while "training goes on" not in running.said and not running.ended(0.02):
        continue
    running.kill(signal.SIGTERM)
    done = running.wait(60)
    assert_one_message(done, 143, "stopped by SIGTERM")
    assert str(checkpoint) in done.stderr and str(key) in done.stderr and "rebuild the subject's face" in done.stderr
    assert names(tmp_path) == {"whole", "look", "out.checkpoint", "its.key"}
    # and the same command goes on
    done = start(warm, clips, out, "--resume-key", key).wait(300)
    assert done.status == 3, done.stderr
    assert names(tmp_path) == {"whole", "look", "out"}
    first, second = (next((folder / "withheld").glob("*.mp4")).read_bytes() for folder in (tmp_path / "whole", out))
    assert first == second
    case = case_of(out)
    after = next(stage.settings for stage in case.stages if stage.stage == "swap")["resumed_after_step"]
    assert isinstance(after, int) and after >= 5
    assert case.erasure.key_on_disk and case.erasure.complete
    assert not case_of(tmp_path / "whole").erasure.key_on_disk
    text = " ".join(" ".join(page.extract_text() for page in PdfReader(out / "certificate.pdf").pages).split())
    assert "a second key, the checkpoint's, in a file on disk" in text
    assert "copied or backed up" in text
    assert "checkpoint and key file were overwritten once and unlinked" in text


def test_a_policy_without_keys_in_files_refuses_at_once(
    warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    done = start(warm, clips, tmp_path / "out", "--policy", "strict", "--resume-key", tmp_path / "k").wait(60)
    assert_one_message(done, 2, "allows no key in a file")
    assert list(tmp_path.iterdir()) == []
