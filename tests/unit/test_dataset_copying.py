"""The set's package at a URL: whole or not there, and nothing else is replaced."""

import os
import signal
import sys
from pathlib import Path

import fsspec
import pytest

from deid_audit.dataset.copying import package_place
from deid_audit.dataset.packaging import close_bag
from deid_audit.dataset.running import SetSettings, run_set
from deid_audit.errors import Interrupted, SettingsError, StageError
from deid_audit.pipeline.staging import interruptible
from deid_audit.progress import SilentProgress
from tests.unit.data_sets import ROOT, write_set
from tests.unit.set_driver import look
from tests.unit.standins import do_standin
from tests.unit.stores import there

URL, SET, OTHER = "memory://bucket/study", "set-00000001", "set-00000002"


def package(folder: Path, set_id: str = SET, words: str = "signed") -> Path:
    (folder / "data" / "case").mkdir(parents=True, exist_ok=True)
    (folder / "data" / "case" / "evidence.json").write_text(words)
    close_bag(folder, set_id=set_id, readme="words", pages=b"%PDF", issued_at="2026-01-01T00:00:00+00:00")
    (folder / "dataset.dsse.json").write_text(words)
    return folder


@pytest.fixture(autouse=True)
def _empty(memory_store: fsspec.AbstractFileSystem) -> None:
    """Every test has the store to itself."""


def files_of(folder: Path) -> list[str]:
    return sorted(one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file())


def test_a_package_is_copied_whole_its_attestation_last_and_a_later_one_replaces_it(
    memory_store: fsspec.AbstractFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, order = package(tmp_path / "set"), list[str]()
    put = type(memory_store).put_file
    monkeypatch.setattr(
        type(memory_store), "put_file", lambda self, file, to, **more: (order.append(to), put(self, file, to, **more))
    )
    package_place(URL, SET).take(first)
    assert there(memory_store, "study") == files_of(first) and order[-1].endswith("dataset.dsse.json")
    order.clear()
    package_place(URL, SET).take(first)
    assert not order  # the very same stands there
    memory_store.pipe("/bucket/study/data/gone/evidence.json", b"of a case that is withheld now")
    package_place(URL, SET).take(package(first, words="signed later"))
    assert there(memory_store, "study") == files_of(first)
    assert memory_store.cat("/bucket/study/dataset.dsse.json") == b"signed later"


def stand_there(store: fsspec.AbstractFileSystem, folder: Path, stands: str) -> None:
    match stands:
        case "another set":
            package_place(URL, OTHER).take(package(folder / "other", OTHER, words="signed by others"))
        case "another set's half copy":
            store.pipe("/bucket/study/.deid-audit-partial", OTHER.encode())
        case "a case":
            store.pipe("/bucket/study/certificate.pdf", b"%PDF")
        case "a file":
            store.pipe("/bucket/study", b"")
        case "more than a package":
            package_place(URL, SET).take(package(folder / "old", words="signed before"))
            store.pipe("/bucket/study/pilot/dataset.json", b"{}")


TAKEN = ["another set", "another set's half copy", "a case", "more than a package"]
REFUSED = r"--package-to (exists, and is no package|has 1 other files or folders beside the package) of this data set"


@pytest.mark.parametrize("stands", [*TAKEN, "a file"])
def test_nothing_else_is_replaced(memory_store: fsspec.AbstractFileSystem, tmp_path: Path, stands: str) -> None:
    stand_there(memory_store, tmp_path, stands)
    before = memory_store.find("/bucket")
    with pytest.raises(SettingsError, match=REFUSED):
        package_place(URL, SET)
    assert memory_store.find("/bucket") == before


@pytest.mark.parametrize("stands", TAKEN)
def test_nor_is_what_came_there_while_the_cases_ran(
    memory_store: fsspec.AbstractFileSystem, tmp_path: Path, stands: str
) -> None:
    place = package_place(URL, SET)
    stand_there(memory_store, tmp_path, stands)
    before = memory_store.find("/bucket")
    with pytest.raises(StageError, match=REFUSED):
        place.take(package(tmp_path / "set"))
    assert memory_store.find("/bucket") == before


def test_a_store_that_lets_nothing_be_written_any_more_keeps_what_it_has(
    memory_store: fsspec.AbstractFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package_place(URL, SET).take(package(tmp_path / "set"))
    place, before = package_place(URL, SET), memory_store.find("/bucket")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("the quota is used up")

    monkeypatch.setattr(type(memory_store), "pipe_file", refuse)
    with pytest.raises(StageError, match="could not be written") as caught:
        place.take(package(tmp_path / "set", words="signed later"))
    assert "the same command copies it again" in caught.value.next_step and memory_store.find("/bucket") == before
    with pytest.raises(StageError, match="could not be written"):
        package_place(URL, SET)  # a fresh start knows it before the first case


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "is no URL"),
        ("study", "is no URL"),
        ("/data/study", "is no URL"),
        ("file:///data/study", "is a URL of this machine's own disk"),
        ("memory://study", "must name a folder in the store"),
        ("ftp://somebody:secret@host/dir/study", "holds a password"),
    ],
)
def test_what_is_no_folder_in_a_store_is_refused(url: str, words: str) -> None:
    with pytest.raises(SettingsError, match=f"^--package-to {words}") as caught:
        package_place(url, SET)
    assert "secret" not in str(caught.value)


def test_a_stop_while_the_store_is_asked_is_a_stop(
    memory_store: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(memory_store), "ls", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted) as caught, interruptible():
        package_place(URL, SET)
    assert caught.value.exit_code == 143


def test_what_fails_midway_is_taken_away_and_a_half_copy_is_made_again(
    memory_store: fsspec.AbstractFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = package(tmp_path / "set")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("not allowed: bucket")

    with monkeypatch.context() as patched:
        patched.setattr(type(memory_store), "put_file", refuse)
        with pytest.raises(StageError, match=r"--package-to could not be written at its URL") as caught:
            package_place(URL, SET).take(made)
    assert "the same command copies it again" in caught.value.next_step and there(memory_store, "study") == []
    memory_store.pipe("/bucket/study/.deid-audit-partial", SET.encode())  # of a copy that was killed
    memory_store.pipe("/bucket/study/dataset.dsse.json", (made / "dataset.dsse.json").read_bytes())
    package_place(URL, SET).take(made)
    assert there(memory_store, "study") == files_of(made)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SetSettings:
    monkeypatch.setattr(sys, "path", [*sys.path, ROOT])  # for the workers
    path = write_set(tmp_path, ["Ada", "Bob"])
    for name, words in (("Ada", "PASSED 0.1"), ("Bob", "FAILED 0.1")):
        (tmp_path / name / "a.mp4").write_text(words)
    return SetSettings(manifest=path, out=tmp_path / "out", package_to=URL)


def test_a_set_is_run_and_its_package_stands_at_the_url(
    memory_store: fsspec.AbstractFileSystem, study: SetSettings
) -> None:
    ran = run_set(study, progress=SilentProgress(), do=do_standin, look=look)
    assert ran.copied_to == URL and there(memory_store, "study") == files_of(study.out / "set")


def test_a_package_with_a_broken_case_is_not_copied(
    memory_store: fsspec.AbstractFileSystem, study: SetSettings
) -> None:
    (study.manifest.parent / "Bob" / "a.mp4").write_text("StageError 0.1")
    ran = run_set(study, progress=SilentProgress(), do=do_standin, look=look)
    assert ran.copied_to is None and (study.out / "set").is_dir() and not memory_store.find("/bucket")


def test_a_url_that_is_taken_is_refused_before_the_first_case(
    memory_store: fsspec.AbstractFileSystem, study: SetSettings
) -> None:
    memory_store.pipe("/bucket/study/certificate.pdf", b"%PDF")
    with pytest.raises(SettingsError, match="no package of this data set"):
        run_set(study, progress=SilentProgress(), do=do_standin, look=look)
    assert not (study.out / "cases").exists()
