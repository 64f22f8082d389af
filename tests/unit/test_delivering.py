"""An output at a URL is whole or not there: the certificate comes last, and what fails is taken away again."""

import json
import os
import signal
from pathlib import Path

import fsspec
import pytest

from deid_audit.cli.report import perform
from deid_audit.errors import Interrupted, SettingsError, StageError
from deid_audit.pipeline.concluding import JobResult
from deid_audit.pipeline.delivering import delivered
from deid_audit.pipeline.staging import refuse_existing, staged
from deid_audit.settings import AuditSettings, make_audit_settings
from deid_audit.video.stores import StoreFolder
from tests.fakes import make_case
from tests.unit.stores import there

OUT = Path("memory://bucket/case")
FILES = ("audit/frames.csv", "certificate.pdf", "evidence.json", "release/data/c1-01.mp4", "signer.crt")


@pytest.fixture(autouse=True)
def store(
    memory_store: fsspec.AbstractFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> fsspec.AbstractFileSystem:
    monkeypatch.chdir(tmp_path)
    return memory_store


def deliver(out: Path = OUT, *, force: bool = False, words: str = "new") -> None:
    with delivered(out, force=force) as place, staged(place, force=force) as partial:
        for name in FILES:
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).write_text(f"{words} {name}")


def test_all_of_it_arrives_the_certificate_last_and_nothing_stays_here(
    store: fsspec.AbstractFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    put = StoreFolder.put
    monkeypatch.setattr(StoreFolder, "put", lambda self, file, name: (order.append(name), put(self, file, name)))
    deliver()
    assert there(store, "case") == sorted(FILES) and order[-1] == "certificate.pdf"
    assert store.cat("/bucket/case/audit/frames.csv") == b"new audit/frames.csv"
    assert not list(tmp_path.iterdir())


def test_a_place_of_this_machine_is_left_to_the_job(tmp_path: Path) -> None:
    with delivered(tmp_path / "out", force=False) as place:
        assert place == tmp_path / "out"


def test_what_stands_there_is_replaced_only_on_request_and_only_what_is_ours(
    store: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(words="old")
    store.pipe("/bucket/case/audit/of_before.csv", b"")
    with pytest.raises(SettingsError, match=r"exists already$"):
        deliver()
    deliver(force=True)
    assert there(store, "case") == sorted(FILES) and store.cat("/bucket/case/signer.crt").startswith(b"new")
    store.rm("/bucket/case/certificate.pdf")
    with pytest.raises(SettingsError, match="no output of deid-audit"):
        deliver(force=True)
    store.pipe("/bucket/case/.deid-audit-partial", b"")  # of a copy that was killed
    with pytest.raises(SettingsError, match="a copy that was not finished"):
        deliver()
    deliver(force=True)
    assert there(store, "case") == sorted(FILES)
    with pytest.raises(SettingsError, match="is not a folder"):
        deliver(OUT / "signer.crt", force=True)


@pytest.mark.parametrize("fails_at", ["signer.crt", "certificate.pdf"])
def test_a_store_that_fails_is_left_empty_and_the_output_is_kept_here(
    store: fsspec.AbstractFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: str
) -> None:
    put = type(store).put_file

    def refuse(self: object, file: str, place: str, **more: object) -> None:
        if place.endswith(fails_at):
            raise PermissionError("not allowed: bucket")
        put(self, file, place, **more)

    monkeypatch.setattr(type(store), "put_file", refuse)
    with pytest.raises(StageError, match=r"could not be written at its URL \(PermissionError\)$") as caught:
        deliver()
    assert "stands whole in case.upload" in caught.value.next_step and there(store, "case") == []
    assert sorted(path.name for path in (tmp_path / "case.upload").iterdir()) == sorted(
        {name.split("/")[0] for name in FILES}
    )
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=r"case\.upload in this folder is the output of an earlier run"):
        deliver()
    deliver(force=True)
    assert there(store, "case") == sorted(FILES) and not list(tmp_path.iterdir())


def test_a_store_that_loses_a_file_is_noticed(
    store: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = StoreFolder.put
    monkeypatch.setattr(
        StoreFolder, "put", lambda self, file, name: None if name == "signer.crt" else put(self, file, name)
    )
    with pytest.raises(StageError, match="does not hold what was written"):
        deliver()
    assert there(store, "case") == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_while_it_is_copied(
    store: fsspec.AbstractFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    put = StoreFolder.put

    def stopped(self: StoreFolder, file: Path, name: str) -> None:
        os.kill(os.getpid(), number)
        put(self, file, name)

    monkeypatch.setattr(StoreFolder, "put", stopped)
    with pytest.raises(Interrupted, match=r"stands whole in case\.upload, and nothing whole at its URL") as caught:
        deliver()
    assert caught.value.exit_code == code
    assert there(store, "case") == [] and (tmp_path / "case.upload" / "certificate.pdf").exists()


def test_a_store_that_takes_nothing_is_noticed_before_any_work(
    store: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("read only")

    monkeypatch.setattr(type(store), "pipe_file", refuse)
    with pytest.raises(StageError, match="PermissionError"), delivered(OUT, force=False):
        raise AssertionError("work was begun")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://somebody:secret@host/dir/case", "holds a password"),
        ("memory://case", "must name a folder in the store"),
        ("file:///tmp/case", "give its path|own disk"),
        ("nothing-such://bucket/case", "no URL that fsspec knows"),
        ("memory://bucket::memory://x/case", "chain of URLs"),
    ],
)
def test_a_url_that_cannot_be_written_is_refused(url: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=words), delivered(Path(url), force=False):
        raise AssertionError("work was begun")
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_job_leaves_nothing_anywhere(store: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError),
        delivered(OUT, force=False) as place,
        staged(place, force=False) as partial,
    ):
        (partial / "film").write_bytes(b"film")
        raise RuntimeError
    assert there(store, "case") == [] and not list(tmp_path.iterdir())


def test_other_outputs_are_refused_at_a_url(tmp_path: Path) -> None:
    """A folder called `s3:` in the steward's folder would be no upload."""
    with pytest.raises(SettingsError, match="cannot be at a URL"):
        refuse_existing(OUT, force=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("as_json", [True, False])
def test_what_is_printed_names_the_url(
    store: fsspec.AbstractFileSystem, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    def job(settings: AuditSettings, **_: object) -> JobResult:
        with staged(settings.out, force=False) as partial:
            (partial / "certificate.pdf").write_bytes(b"%PDF")
        return JobResult(case=make_case(), out=settings.out, certificate_sha256="0" * 64, seconds={}, explanations=())

    settings = make_audit_settings(
        originals=(Path("a"),), released=(Path("b"),), donors=(), subject_tracks=(), policy="external", out=OUT,
        case_id="c1", keypoints=(),
    )  # fmt: skip
    perform(job, settings, as_json=as_json)
    said = capsys.readouterr().out
    assert "memory://bucket/case" in said and "deid-audit verify case/certificate.pdf --trust case/signer.crt" in said
    assert ".upload" not in said and there(store, "case") == ["certificate.pdf"]
    if as_json:
        assert json.loads(said)["out"] == "memory://bucket/case"
