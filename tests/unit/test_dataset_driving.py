"""Cases are handed out once each, whatever happens to driver and workers; the case itself is a stand-in."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from deid_audit.dataset import cluster
from deid_audit.dataset.case import Order, do_case
from deid_audit.dataset.cluster import Needs, RayWorkers
from deid_audit.dataset.documents import Ran
from deid_audit.dataset.manifest import read_manifest, settings_of
from deid_audit.dataset.running import CASES, SetSettings, run_set
from deid_audit.dataset.showing import Pace
from deid_audit.dataset.state import Ended, opened_state
from deid_audit.errors import DataSetError, SettingsError, VideoAccessError, VideoError
from deid_audit.pipeline import run as main_job
from deid_audit.progress import SilentProgress
from tests.processes import workers_of
from tests.unit.data_sets import AS_A_DRIVER, ROOT, write_set
from tests.unit.set_driver import look
from tests.unit.standins import do_standin

TOLD = {
    "Ada": "PASSED 0.1", "Bob": "FAILED 0.1", "Cid": "INDETERMINATE 0.1", "Dan": "NotEnoughFaces 0.1",
    "Eve": "StageError 0.1", "Fay": "PASSED 0.2",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _workers_find_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers get this process's path; the installed package comes before the tree's."""
    monkeypatch.setattr(sys, "path", [*sys.path, ROOT])


def told_set(folder: Path, told: dict[str, str]) -> Path:
    """A data set whose videos say what becomes of them."""
    path = write_set(folder, list(told))
    for name, words in told.items():
        (folder / name / "a.mp4").write_text(words)
    return path


def run(folder: Path, workers: int = 2) -> Ran:
    settings = SetSettings(manifest=folder / "dataset.toml", out=folder / "out", workers=workers)
    return run_set(settings, progress=SilentProgress(), do=do_standin, look=look)


def ends(ran: Ran) -> list[str]:
    return [one.verdict or f"{one.outcome} {one.error}" for one in ran.cases]


def starts(folder: Path) -> int:
    return len(list((folder / "out" / "starts").iterdir()))


def test_what_fails_stops_nobody_and_what_is_done_is_not_done_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told_set(tmp_path, TOLD)
    expected = ["PASSED", "FAILED", "INDETERMINATE", "refused NotEnoughFaces", "broken StageError", "PASSED"]
    assert ends(run(tmp_path)) == expected
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 6 and "6 of 6" in said and "Ada" not in said
    assert {one.name for one in (tmp_path / "out" / CASES).iterdir()} == {
        one.case_id for one in run(tmp_path).cases if one.outcome == "done"
    }
    assert starts(tmp_path) == 7  # what was broken is tried again at each start, and nothing else
    (tmp_path / "Bob" / "a.mp4").write_text("PASSED 0.1 ")
    assert ends(run(tmp_path))[1] == "PASSED" and starts(tmp_path) == 9


def test_a_worker_that_dies_costs_its_own_case_alone(tmp_path: Path) -> None:
    told_set(tmp_path, {"Ada": "die 0", "Bob": "PASSED 0.1"})
    ran = run(tmp_path)
    assert ends(ran) == ["broken lost", "PASSED"] and "3 times" in ran.cases[0].message
    assert starts(tmp_path) == 4


def test_an_output_that_is_gone_is_made_again(tmp_path: Path) -> None:
    told_set(tmp_path, {"Ada": "PASSED 0.1"})
    [case] = run(tmp_path).cases
    shutil.rmtree(tmp_path / "out" / CASES / case.case_id)
    assert ends(run(tmp_path)) == ["PASSED"] and starts(tmp_path) == 2


def test_an_output_whose_files_are_not_as_stated_is_made_again(tmp_path: Path) -> None:
    """Its statement and certificate stand."""
    told_set(tmp_path, {"Ada": "PASSED 0.1"})
    [case] = run(tmp_path).cases
    release = tmp_path / "out" / CASES / case.case_id / "release"
    (release / "stray.mp4").touch()
    assert ends(run(tmp_path)) == ["PASSED"] and starts(tmp_path) == 2
    assert release.exists() and not (release / "stray.mp4").exists()


@pytest.mark.parametrize("lost", ["certificate.pdf", "evidence.json"])
def test_an_output_that_lost_its_certificate_or_statement_is_made_again_and_that_is_said(
    tmp_path: Path, lost: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told_set(tmp_path, {"Ada": "PASSED 0.1", "Bob": "PASSED 0.1"})
    case = run(tmp_path).cases[0]
    out = tmp_path / "out" / CASES / case.case_id
    (out / lost).unlink()
    capsys.readouterr()
    assert ends(run(tmp_path)) == ["PASSED", "PASSED"] and starts(tmp_path) == 3
    assert (out / lost).is_file()
    said, _ = capsys.readouterr().err.splitlines()
    assert case.case_id in said and "not whole any more: it is made again" in said


def test_a_withdrawn_case_is_not_made_again(tmp_path: Path) -> None:
    """Made anew it would have a certificate that nobody withdrew."""
    told_set(tmp_path, {"Ada": "PASSED 0.1"})
    [case] = run(tmp_path).cases
    out = tmp_path / "out" / CASES / case.case_id
    (out / "status.dsse.json").write_text("{}")
    (out / "certificate.pdf").unlink()
    for _ in range(2):
        assert ends(run(tmp_path)) == ["broken withdrawn"] and starts(tmp_path) == 1
    (tmp_path / "Ada" / "a.mp4").write_text("PASSED 0.2")
    assert ends(run(tmp_path)) == ["broken withdrawn"] and (out / "status.dsse.json").exists()
    out.rename(tmp_path / "aside")
    assert ends(run(tmp_path)) == ["PASSED"] and starts(tmp_path) == 2


def test_a_data_set_is_not_written_to_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told_set(tmp_path, {"Ada": "PASSED 0.1"})
    settings = SetSettings(manifest=tmp_path / "dataset.toml", out=Path("memory://bucket/set"))
    with pytest.raises(DataSetError, match="cannot be at a URL"):
        run_set(settings, progress=SilentProgress(), do=do_standin, look=look)
    assert not (tmp_path / "memory:").exists()


@pytest.mark.parametrize(
    ("error", "outcome"), [(VideoError("it is damaged"), "refused"), (VideoAccessError("it is not there"), "broken")]
)
def test_a_file_that_is_out_of_reach_is_tried_again_and_a_damaged_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: VideoError, outcome: str
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(main_job, "run", fails)
    manifest = read_manifest(write_set(tmp_path, ["Ada"]))
    settings = settings_of(manifest, 1, folder=tmp_path, out=tmp_path / "out", case_id="case-1")
    ended = do_case(Order(case_id="case-1", label="subject 1", inputs="1", settings=settings))
    assert (ended.outcome, ended.error, ended.settled) == (outcome, type(error).__name__, outcome == "refused")


def forget_the_end(journal: Path) -> None:
    """The journal as it was before the last case's end was written down."""
    lines = journal.read_bytes().splitlines(keepends=True)
    last = max(at for at, line in enumerate(lines) if b'"event":"ended"' in line)
    journal.write_bytes(b"".join(lines[:last]))


def test_an_output_that_nobody_wrote_down_counts_and_an_older_one_does_not(tmp_path: Path) -> None:
    """The driver was killed between the output and the journal's line."""
    told_set(tmp_path, {"Ada": "PASSED 0.1"})
    run(tmp_path)
    journal = tmp_path / "out" / "steward" / "journal.jsonl"
    forget_the_end(journal)
    assert ends(run(tmp_path)) == ["PASSED"] and starts(tmp_path) == 1
    (tmp_path / "Ada" / "a.mp4").write_text("FAILED 0.1")
    run(tmp_path)
    forget_the_end(journal)
    assert ends(run(tmp_path)) == ["FAILED"] and starts(tmp_path) == 2
    # Begun anew for changed inputs, and killed before it was done: what stands there is the one before.
    (tmp_path / "Ada" / "a.mp4").write_text("INDETERMINATE 0.1")
    before = sorted((tmp_path / "out" / CASES).rglob("*"))
    kept = {path: path.read_bytes() for path in before if path.is_file()}
    run(tmp_path)
    forget_the_end(journal)
    for path, data in kept.items():
        path.write_bytes(data)
    assert ends(run(tmp_path)) == ["INDETERMINATE"] and starts(tmp_path) == 4


def test_nothing_runs_before_the_check_holds(tmp_path: Path) -> None:
    told_set(tmp_path, TOLD)
    settings = SetSettings(manifest=tmp_path / "dataset.toml", out=tmp_path / "out")
    with pytest.raises(DataSetError, match="21 things have to be mended first: subject 1 and"):
        run_set(
            settings,
            progress=SilentProgress(),
            do=do_standin,
            look=lambda _, label, facts=None: look(Path("a/b"), label),
        )
    assert not (tmp_path / "out" / "starts").exists()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1", "127.0.0.1:port"])
def test_nobody_at_the_address_is_one_clear_error(address: str) -> None:
    pytest.importorskip("ray", reason="needs the extra `ray`: pip install 'deid-audit[ray]'")
    with pytest.raises(SettingsError, match="no Ray cluster answers"):
        RayWorkers(do_standin, address, Needs())


def test_without_ray_an_address_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingsError, match="Ray, which is not installed"):
        RayWorkers(do_standin, "127.0.0.1:1", Needs())


class MadeRay:
    """As much of Ray as a connection needs, with one node of 4 processors and one of 2 and a GPU."""

    def __init__(self) -> None:
        self.asked: dict[str, object] = {}
        self.left = False

    def nodes(self) -> list[dict[str, object]]:
        whole: list[dict[str, float]] = [{"CPU": 4, "memory": 8e9}, {"CPU": 2, "GPU": 1, "memory": 8e9}]
        return [{"Alive": True, "Resources": one} for one in whole] + [{"Alive": False, "Resources": {"GPU": 8}}]

    def remote(self, **asked: object) -> Callable[[object], object]:
        self.asked = asked
        return lambda do: do

    def shutdown(self) -> None:
        self.left = True


@pytest.mark.parametrize("needs", [Needs(gpus=2), Needs(memory_bytes=9_000_000_000), Needs(processors=4, gpus=1)])
def test_what_no_node_has_is_refused_and_not_waited_for(monkeypatch: pytest.MonkeyPatch, needs: Needs) -> None:
    ray = MadeRay()
    monkeypatch.setattr(cluster, "_connected", lambda _: ray)
    with pytest.raises(SettingsError, match=r"no node has more than 4 processors, 1 GPUs and 8\.0 GB") as refused:
        RayWorkers(do_standin, "auto", needs)
    assert ray.left and "--case-gpus" in refused.value.next_step


def test_ray_itself_tries_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = MadeRay()
    monkeypatch.setattr(cluster, "_connected", lambda _: ray)
    RayWorkers(do_standin, "auto", Needs(processors=2, gpus=1))
    assert ray.asked["max_retries"] == 0 and not ray.left


def test_the_time_that_is_left_goes_by_what_this_run_did() -> None:
    pace = Pace(total=10, before=2, began=0.0)
    assert pace.left(5.0) == "not known yet"
    for _ in range(2):
        pace.take(Ended(case_id="case-000000000000", inputs="", outcome="done", verdict="PASSED", seconds=60))
    assert pace.done == 4 and pace.per_hour(3600.0) == 2 and pace.left(3600.0) == "3:00"


def killed_at_random(folder: Path, chance: random.Random, *, longest_s: float, most: int) -> int:
    """Starts a driver and kills it or one of its workers after a while, until one comes to its end; how often."""
    kills = 0
    while True:
        command = [sys.executable, "-m", "tests.unit.set_driver", folder / "dataset.toml", folder / "out", "2"]
        driver = subprocess.Popen(command, env=AS_A_DRIVER, stderr=subprocess.DEVNULL)
        until = time.monotonic() + chance.uniform(1.0, longest_s)
        while driver.poll() is None:
            if time.monotonic() > until and kills < most:
                victim = chance.choice([driver.pid, *workers_of(driver.pid)])
                with suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
                    kills += 1
                until += chance.uniform(0.5, longest_s)
            time.sleep(0.05)
        if driver.returncode == 0:
            return kills
        assert driver.returncode == -signal.SIGKILL


def expect_as_undisturbed(folder: Path, expected: list[str]) -> None:
    """Every case once, with the end that it has without a kill; nothing lies about."""
    settings = SetSettings(manifest=folder / "dataset.toml", out=folder / "out")
    with opened_state(folder / "out") as state:
        ended = dict(state.ended)
    ran = run_set(settings, progress=SilentProgress(), do=_never, look=look)
    assert ends(ran) == expected and len(ended) == len(expected)
    done = {one.case_id for one in ran.cases if one.outcome == "done"}
    assert {path.name for path in (folder / "out" / CASES).iterdir()} == done


def _never(order: object) -> Ended:
    raise AssertionError("nothing was left to do")


def test_kills_at_random_of_driver_and_workers_change_nothing(tmp_path: Path) -> None:
    told = {f"P{at}": f"{('PASSED', 'FAILED', 'NotEnoughFaces', 'INDETERMINATE')[at % 4]} 0.4" for at in range(8)}
    told_set(tmp_path, told)
    kills = killed_at_random(tmp_path, random.Random(11), longest_s=4.0, most=6)
    assert kills
    expect_as_undisturbed(tmp_path, [words.split()[0].replace("Not", "refused Not") for words in told.values()])


@pytest.mark.soak
def test_forty_cases_and_thirty_kills(tmp_path: Path) -> None:
    verdicts = ("PASSED", "PASSED", "FAILED", "NotEnoughFaces", "INDETERMINATE")
    told = {f"P{at}": f"{verdicts[at % 5]} {0.2 + at % 7 / 5}" for at in range(40)}
    told_set(tmp_path, told)
    assert killed_at_random(tmp_path, random.Random(40), longest_s=5.0, most=30) > 5
    expect_as_undisturbed(tmp_path, [words.split()[0].replace("Not", "refused Not") for words in told.values()])
