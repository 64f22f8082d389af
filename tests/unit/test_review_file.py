"""`review`: the originals are known by their digests, the file is of one job, and readings follow each other."""

import threading
import urllib.request
from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode

import pytest
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.errors import DeidAuditError, EvidenceError, ReviewFileError, SettingsError
from deid_audit.findings import Outcome
from deid_audit.pipeline.finished_out import KEY_FILE, open_out
from deid_audit.pipeline.review_material import pending_of
from deid_audit.progress import SilentProgress
from deid_audit.review.records import Role, load_review
from deid_audit.video.places import keyed_digest_of
from deid_audit.web import review_file
from tests.schemas import document_in
from tests.unit.board_pages import SMALLEST, film_of, write_out
from tests.unit.certificates import certified_case
from tests.unit.made_videos import picture

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """A finished OUT with the key of its originals, and the originals."""
    folder = tmp_path_factory.mktemp("job")
    films = [film_of(folder / f"original-{seed}.mp4", picture(seed=seed)) for seed in (1, 2)]
    case = certified_case(Outcome.PASSED)
    films = films[: len(case.rendered)]
    facts = [
        one.model_copy(update={"keyed_digest": keyed_digest_of(film, "a film", KEY)})
        for one, film in zip(case.originals, films, strict=True)
    ]
    write_out(folder / "out", film_of(folder / "released.mp4", picture(seed=3)), originals=tuple(facts))
    (folder / "out" / KEY_FILE).write_text(KEY.hex() + "\n")
    return folder / "out", films


def pending(out: Path, films: list[Path], role: Role = "first"):  # type: ignore[no-untyped-def]
    return pending_of(open_out(out), films, role=role, readings=(), progress=SilentProgress())


def test_originals_are_known_by_their_bytes_in_any_order(out: tuple[Path, list[Path]]) -> None:
    found = pending(out[0], out[1][::-1])
    assert [one.path for one in found.originals] == out[1]
    assert len(found.ledgers[0]) == found.released[0].facts.frame_count
    assert found.ledgers[0][SMALLEST].distance == pytest.approx(0.61)
    assert {one.label for one in found.originals} <= {"original video 1", "original video 2"}, "no path in any message"


def test_a_wrong_a_doubled_and_a_missing_video_are_refused(out: tuple[Path, list[Path]], tmp_path: Path) -> None:
    other = film_of(tmp_path / "other.mp4", picture(seed=9))
    with pytest.raises(SettingsError, match="number 1: this video is none of the originals of this case") as refused:
        pending(out[0], [other, *out[1][1:]])
    assert "the very files" in refused.value.next_step and "other.mp4" not in str(refused.value)
    with pytest.raises(SettingsError, match="was given twice"):
        pending(out[0], [out[1][0], out[1][0]])
    with pytest.raises(SettingsError, match="originals are missing: video 1"):
        pending(out[0], out[1][1:])
    with pytest.raises(SettingsError, match="number 1: cannot be read"):
        pending(out[0], [tmp_path / "none.mp4"])


def test_without_ledger_or_key_the_folder_is_refused(out: tuple[Path, list[Path]], tmp_path: Path) -> None:
    from shutil import copytree  # noqa: PLC0415

    for name, words in (("audit/frames.csv", "no audit/frames.csv"), (KEY_FILE, "no audit/originals.key")):
        copy = Path(copytree(out[0], tmp_path / name.replace("/", "-")))
        (copy / name).unlink()
        with pytest.raises(EvidenceError, match=words):
            pending(copy, out[1])


# -- the file ----------------------------------------------------------------------------------------------------------


def visit(name: str, *, finish: bool = True) -> Callable[[str], None]:
    """A browser in a thread: gives the name, decides once, and finishes."""

    def go(address: str) -> None:
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        browser = urllib.request.build_opener(cookies, urllib.request.ProxyHandler({}))
        page = browser.open(address).read().decode()
        root = address.partition("/?")[0]
        csrf = page.partition('name="csrf" content="')[2].partition('"')[0]

        def post(path: str, **fields: object) -> None:
            data = urlencode({"csrf": csrf, **fields}).encode()
            browser.open(urllib.request.Request(root + path, data, {"Origin": root})).read()

        post("/begin", reviewer=name)
        post("/decide", kind="conceal", video=1, first=1, last=2, track=1, box="", note="")
        if finish:
            post("/finish")
        else:
            import os  # noqa: PLC0415
            import signal  # noqa: PLC0415

            os.kill(os.getpid(), signal.SIGTERM)

    return lambda address: threading.Thread(target=go, args=(address,)).start()


def read(out: tuple[Path, list[Path]], file: Path, role: Role, name: str, *, finish: bool = True):  # type: ignore[no-untyped-def]
    return review_file.read_out(
        out[0], out[1], role=role, file=file, progress=SilentProgress(), announce=visit(name, finish=finish)
    )


def test_readings_follow_each_other_in_one_file(out: tuple[Path, list[Path]], tmp_path: Path) -> None:
    file = tmp_path / "case.review.json"
    with pytest.raises(ReviewFileError, match="the first reading is not finished, and a second one follows it"):
        read(out, file, "second", "B")
    assert not file.exists()
    with pytest.raises(DeidAuditError, match=r"what was decided so far stands in case.review.json") as stopped:
        read(out, file, "first", "A", finish=False)
    assert stopped.value.exit_code == 143
    assert [len(one.decisions) for one in load_review(file).readings] == [1]
    done = read(out, file, "first", "A")
    assert done == load_review(file) and [len(one.decisions) for one in done.readings] == [2], "the draft went on"
    done = read(out, file, "second", "B")
    assert [(one.role, one.reviewer, len(one.decisions)) for one in done.readings] == [
        ("first", "A", 2),
        ("second", "B", 1),
    ]
    with pytest.raises(ReviewFileError, match="the second reading is already finished"):
        read(out, file, "second", "C")


def test_a_file_inside_out_or_of_another_job_is_refused(out: tuple[Path, list[Path]], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot stand in OUT"):
        read(out, out[0] / "release" / "x.json", "first", "A")
    file = tmp_path / "x.json"
    read(out, file, "first", "A")
    other = load_review(file).model_copy(update={"ledger_sha256": "0" * 64})
    from deid_audit.review.records import save_review  # noqa: PLC0415

    save_review(file, other)
    with pytest.raises(ReviewFileError, match="about another job"):
        read(out, file, "second", "B")


def test_the_command_says_where_the_file_stands(
    out: tuple[Path, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deid_audit.cli.review.announce", visit("A"))
    # the runner's own stderr must not be taken apart
    monkeypatch.setattr("deid_audit.cli.report.progress_on_stderr", SilentProgress)
    originals = [word for film in out[1] for word in ("--originals", str(film))]
    file = tmp_path / "to.json"
    done = CliRunner().invoke(build_app(), ["review", str(out[0]), *originals, "--to", str(file), "--json"])
    assert done.exit_code == 0, done.output
    said = document_in(done.stdout)
    words = (
        CliRunner().invoke(build_app(), ["review", str(out[0]), *originals, "--to", str(tmp_path / "w.json")]).stdout
    )
    assert [word for word in words.split() if word.startswith("ORIGINAL")] == [
        f"ORIGINAL_{number}" for number in range(1, len(out[1]) + 1)
    ], "one --subject an original"
    assert said["review"] == str(file) and said["role"] == "first"
    assert said["decisions"]["conceal"] == sum(said["decisions"].values()) == 1
