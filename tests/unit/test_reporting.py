"""The board's report of a finished OUT: released pixels only, the same bytes again, and nothing that does not hold."""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from shutil import copytree, rmtree

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.answers import Answer, RequiredAnswer
from deid_audit.errors import EvidenceError
from deid_audit.findings import Outcome
from deid_audit.frames import Image
from deid_audit.pipeline.reporting import REPORT_FILE, write_report
from deid_audit.policy import judge
from deid_audit.progress import SilentProgress
from deid_audit.vision.recognizer import Recognizer
from tests.conftest import Portrait, Portraits
from tests.e2e.short_clips import pictures_of
from tests.schemas import document_in
from tests.unit.board_pages import SMALLEST, Page, film_of, strangers_among, wandered, write_out
from tests.unit.certificates import certified_case

VIDEO = "release/data/case-0001-01.mp4"


@pytest.fixture(scope="module")
def people(portraits: Portraits) -> tuple[Portrait, Portrait]:
    """Who is in the original, and who in the released video, at the size of the films."""
    small = [one.resized(240 / one.image_rgb.shape[0]) for one in portraits]
    return small[0], small[1]


@pytest.fixture(scope="module")
def films(people: tuple[Portrait, Portrait], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The original and the released video."""
    folder = tmp_path_factory.mktemp("films")
    return film_of(folder / "original.mp4", people[0].image_rgb), film_of(folder / "new.mp4", people[1].image_rgb)


@pytest.fixture(scope="module")
def passed(films: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT with its report, to be left as it is."""
    out = tmp_path_factory.mktemp("passed") / "out"
    write_out(out, films[1])
    write_report(out, SilentProgress())
    return out


@pytest.fixture(autouse=True)
def _words_stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command gives its words to the terminal itself, past whoever stands in for it: not in a process with a test."""
    monkeypatch.setattr("deid_audit.vision.native_output.silence_native_stderr", lambda: None)


@pytest.fixture
def copy(passed: Path, tmp_path: Path) -> Path:
    return Path(copytree(passed, tmp_path / "copy"))


def page_of(out: Path) -> Page:
    return Page((out / REPORT_FILE).read_text(encoding="utf-8"))


def with_picture(page: Page, planted_rgb: Image, at: int = 0) -> Page:
    """The same page, one of its pictures exchanged for another of the same size."""
    old = page.pictures()[at]
    resized = cv2.resize(planted_rgb, (old.shape[1], old.shape[0]), interpolation=cv2.INTER_AREA)
    written = cv2.imencode(".jpg", cv2.cvtColor(resized, cv2.COLOR_RGB2BGR))[1].tobytes()
    address = f"data:image/jpeg;base64,{base64.b64encode(written).decode()}"
    parts = re.split(r"(data:image/jpeg;base64,[A-Za-z0-9+/=]+)", page.html)
    parts[2 * at + 1] = address
    return Page("".join(parts))


# -- released pixels only ----------------------------------------------------------------------------------------------


def test_every_picture_is_the_frame_of_the_released_file_that_it_is_said_to_be(passed: Path) -> None:
    page = page_of(passed)
    assert len(page.pictures()) == 2 * len(page.frames) >= 40
    assert strangers_among(page, pictures_of(passed / VIDEO)) == []


def test_a_planted_original_and_another_frame_would_be_seen(passed: Path, films: tuple[Path, Path]) -> None:
    page, released = page_of(passed), pictures_of(passed / VIDEO)
    for planted in (pictures_of(films[0])[0], released[9]):
        assert strangers_among(with_picture(page, planted), released) == ["picture-1-0"]
    planted = pictures_of(films[0])[page.frames[2]][:104, 11:119]
    assert strangers_among(with_picture(page, planted, 5), released) == [f"picture-1-{page.frames[2]}"]


def test_every_image_is_compared_with_the_originals_face_and_a_planted_one_is_caught(
    passed: Path, films: tuple[Path, Path], people: tuple[Portrait, Portrait], recognizer: Recognizer
) -> None:
    """By the recogniser, at the face's place in each frame and each close-up; a planted original is known at once."""
    subject = recognizer.describe([recognizer.chip(people[0].image_rgb, people[0].box_xyxy, None)])[0]

    def distance(page: Page, at: int, person: Portrait) -> float:
        picture = page.pictures()[at]
        box = person.shifted(*wandered(page.frames[at // 2])).box_xyxy
        if at % 2:  # a close-up: this part of the frame, enlarged
            box = (box - np.float32((11, 0, 11, 0))) * (picture.shape[0] / 104)
        described = recognizer.describe([recognizer.chip(picture, box, None)])[0]
        return float(np.linalg.norm(described - subject))

    page, originals = page_of(passed), pictures_of(films[0])
    assert len(page.pictures()) == 2 * len(page.frames)
    distances = np.array([distance(page, at, people[1]) for at in range(len(page.pictures()))])
    assert not np.isnan(distances[::2]).any() and np.isfinite(distances[1::2]).any()  # a close-up may cut a face in two
    assert np.nanmin(distances) > 0.6
    assert distance(with_picture(page, originals[0]), 0, people[0]) < 0.4
    cut_off = [np.add(people[0].box_xyxy[2:], wandered(frame)) - (119, 104) for frame in page.frames]
    whole = int(np.argmin(np.max(cut_off, axis=1)))  # where most of the face lies in the close-up
    close_up = originals[page.frames[whole]][:104, 11:119]
    assert distance(with_picture(page, close_up, 2 * whole + 1), 2 * whole + 1, people[0]) < 0.6
    assert page.rasters_in_plots() == []
    plot = base64.b64encode(b"<svg><image href='data:image/png;base64,AA'/></svg>").decode()
    planted = Page(
        re.sub(r"data:image/svg\+xml;base64,[A-Za-z0-9+/=]+", f"data:image/svg+xml;base64,{plot}", page.html)
    )
    assert planted.rasters_in_plots()


def test_nothing_of_a_withheld_video_is_shown(films: tuple[Path, Path], tmp_path: Path) -> None:
    for outcome in (Outcome.FAILED, Outcome.INDETERMINATE):
        out = tmp_path / outcome.value
        write_out(out, films[0], outcome)
        done = write_report(out, SilentProgress())
        page = page_of(out)
        assert (done.pictures, page.pictures()) == (0, [])
        assert f"{outcome.value} At least one rule" in page.words
        assert "a frame of a withheld video may show the subject" in page.words


def test_the_worst_frame_is_shown_and_called_so(passed: Path) -> None:
    page = page_of(passed)
    assert f"picture-1-{SMALLEST}" in [one.get("id") for one in page.all("figure")]
    assert f"frame {SMALLEST} distance 0.610; among the worst" in page.words
    links = [one["href"] for one in page.all("a") if one.get("class") == "marker"]
    assert links == [f"#{one['id']}" for one in page.all("figure") if one.get("class") == "picture"]


# -- the same again, and only what holds -------------------------------------------------------------------------------


def test_the_report_made_again_is_the_same_bytes(passed: Path, copy: Path) -> None:
    (copy / REPORT_FILE).unlink()
    done = CliRunner().invoke(build_app(), ["report", str(copy), "--json"])
    assert done.exit_code == 0, done.output
    assert document_in(done.stdout)["verdict"] == "PASSED"
    assert (copy / REPORT_FILE).read_bytes() == (passed / REPORT_FILE).read_bytes()


def test_another_verdict_ends_with_three(films: tuple[Path, Path], tmp_path: Path) -> None:
    write_out(tmp_path / "out", films[0], Outcome.FAILED)
    done = CliRunner().invoke(build_app(), ["report", str(tmp_path / "out")])
    assert done.exit_code == 3 and "case-0001: FAILED" in done.stdout


def _turned(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda out: _turned(out / VIDEO), "data/case-0001-01.mp4 is not as the statement says: its SHA-256 differs"),
        (lambda out: (out / VIDEO).unlink(), "data/case-0001-01.mp4 is not as the statement says: not in the folder"),
        (lambda out: (out / "release" / "more").touch(), "release/more is not as the statement says"),
        (lambda out: _turned(out / "audit" / "frames.csv"), "audit/frames.csv is not the file"),
        (lambda out: _turned(out / "audit/figures/distance-01.csv"), "distance-01.csv is not the file"),
        (lambda out: _turned(out / "audit" / "figures" / "roc.svg"), "roc.svg is not the file"),
        (lambda out: (out / "evidence.json").unlink(), "no evidence.json"),
        (lambda out: (out / "evidence.json").write_bytes(b"{}"), "the statement"),
    ],
    ids=["film", "no film", "one more", "ledger", "distances", "plot", "no statement", "statement"],
)
def test_what_does_not_hold_is_refused_and_the_old_report_stays(
    copy: Path, damage: Callable[[Path], None], words: str
) -> None:
    before = (copy / REPORT_FILE).read_bytes()
    damage(copy)
    with pytest.raises(EvidenceError, match=re.escape(words)):
        write_report(copy, SilentProgress())
    assert (copy / REPORT_FILE).read_bytes() == before
    assert not list((copy / "audit").glob(".*"))


def test_without_the_stewards_folder_it_says_what_is_missing(copy: Path) -> None:
    rmtree(copy / "audit")
    done = write_report(copy, SilentProgress())
    words = page_of(copy).words
    assert done.pictures > 10 and "among the worst" not in words
    assert "so no curve is drawn" in words and "or not in the steward's folder: roc" in words


def test_a_folder_that_is_no_out_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name, words in (("nothing", "there is no such folder"), ("empty", "no evidence.json")):
        done = CliRunner().invoke(build_app(), ["report", str(tmp_path / name)])
        assert done.exit_code == 1
        assert words in done.stderr and "next: give the OUT of a job that ended" in done.stderr


# -- words of others ---------------------------------------------------------------------------------------------------


def test_the_stewards_words_are_shown_as_text(films: tuple[Path, Path], tmp_path: Path) -> None:
    hostile = '<script>alert("x")</script><img src=x onerror=y>'
    case = certified_case(Outcome.PASSED)
    question = RequiredAnswer(field="recipient", why=hostile, source=hostile)
    policy = case.policy.model_copy(update={"answers": (question,), "title": hostile})
    context = (Answer(field="recipient", answer=hostile),)
    write_out(
        tmp_path / "out", films[1], policy=policy, context=context, not_assessed=(hostile,),
        verdict=judge(case.measurements, policy, context),
    )  # fmt: skip
    write_report(tmp_path / "out", SilentProgress())
    page = page_of(tmp_path / "out")
    assert page.words.count(hostile) >= 2
    assert hostile not in page.html
    assert len(list(page.all("script"))) == 1
    assert not [one for one in page.all("img") if not one["src"].startswith("data:image/")]
