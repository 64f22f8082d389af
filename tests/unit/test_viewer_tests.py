"""Preparing and opening a viewer test: what is shown, what is refused, and that no picture or path is ever written."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.errors import DeidAuditError, EvidenceError, SettingsError
from deid_audit.findings import Outcome
from deid_audit.pipeline.viewer_tests import Showing, open_test, prepare, shown_picture
from deid_audit.viewers.plan import Plan
from deid_audit.viewers.storing import load, save
from tests.unit.viewer_cases import lay_out_release, make_plan, sitting, sittings, write_pictures

FILM = b"a released film"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return lay_out_release(tmp_path / "OUT", [FILM, FILM + b"2"])


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    return write_pictures(tmp_path / "Secretname", 12)


def prepared(out: Path, pictures: list[Path], to: Path, *, control: tuple[Path, Path] | None = None) -> Plan:
    return prepare(out, portrait=pictures[0], foils=pictures[1:], control=control, size=6, seed=3, to=to)


def opened(out: Path, pictures: list[Path], test: Path, **more: Path | None) -> Showing:
    asked = {"control_clip": None, "answers": test.with_name("answers.json")} | more
    return open_test(test, out, pictures=pictures, **asked)  # type: ignore[arg-type]


def test_a_test_is_prepared_and_opened_without_a_copy_of_any_picture(
    out: Path, pictures: list[Path], tmp_path: Path
) -> None:
    before = set(tmp_path.rglob("*"))
    plan = prepared(out, pictures, tmp_path / "test.json")
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "test.json"}
    text = (tmp_path / "test.json").read_text()
    assert "Secretname" not in text and str(tmp_path) not in text
    assert (tmp_path / "test.json").stat().st_mode & 0o777 == 0o600
    showing = opened(out, pictures, tmp_path / "test.json")
    assert showing.plan == plan and len(showing.pictures) == 12
    assert [showing.clips[number].read_bytes() for number in (1, 2)] == [FILM, FILM + b"2"]
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "test.json"}


def test_pictures_are_shown_alike_whatever_their_files_are(pictures: list[Path]) -> None:
    for path in pictures[:2]:
        data = shown_picture(path)
        assert data.startswith(b"\xff\xd8\xff\xe0") and b"Exif" not in data
        assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (400, 400, 3)


def test_a_withheld_video_is_shown_to_nobody(pictures: list[Path], tmp_path: Path) -> None:
    out = lay_out_release(tmp_path / "withheld-out", [FILM], Outcome.FAILED)
    with pytest.raises(SettingsError, match="withheld videos may show the subject"):
        prepared(out, pictures, tmp_path / "test.json")


def test_a_changed_release_is_refused(out: Path, pictures: list[Path], tmp_path: Path) -> None:
    prepared(out, pictures, tmp_path / "test.json")
    next(out.rglob("case-0001-01.mp4")).write_bytes(b"another film")
    with pytest.raises(EvidenceError, match="not as the statement says"):
        opened(out, pictures, tmp_path / "test.json")


def test_a_picture_that_changed_or_is_missing_is_refused(out: Path, pictures: list[Path], tmp_path: Path) -> None:
    prepared(out, pictures, tmp_path / "test.json")
    with pytest.raises(SettingsError, match=r"1 of the test's 12 pictures"):
        opened(out, pictures[1:], tmp_path / "test.json")
    pictures[4].write_bytes(pictures[4].read_bytes() + b" ")
    with pytest.raises(SettingsError, match=r"1 of the test's 12 pictures were not given, or have changed"):
        opened(out, pictures, tmp_path / "test.json")


def test_what_does_not_belong_together_is_refused(out: Path, pictures: list[Path], tmp_path: Path) -> None:
    test = tmp_path / "test.json"
    prepared(out, pictures, test)
    other = lay_out_release(tmp_path / "OTHER", [b"x"])
    with pytest.raises(SettingsError, match="about another release"):
        opened(other, pictures, test)
    plan = make_plan()
    save(tmp_path / "answers.json", sittings(plan, sitting(plan, "V1", ranks=[1])), "the answers")
    with pytest.raises(SettingsError, match="answers are to another test"):
        opened(out, pictures, test)
    (out / "audit" / "originals.key").unlink()
    with pytest.raises(EvidenceError, match=r"has no audit/originals\.key"):
        opened(out, pictures, test)


def test_the_control_needs_its_own_clip(out: Path, tmp_path: Path) -> None:
    pictures, test, clip = write_pictures(tmp_path / "many", 18), tmp_path / "test.json", tmp_path / "clip.mp4"
    clip.write_bytes(b"a clip of somebody who agreed")
    plan = prepared(out, pictures[:17], test, control=(clip, pictures[17]))
    assert len(plan.line_ups) == 5
    assert opened(out, pictures, test, control_clip=clip).clips[None] == clip
    for given in (None, pictures[0]):
        with pytest.raises(SettingsError, match="control's clip was not given, or has changed"):
            opened(out, pictures, test, control_clip=given)


@pytest.mark.parametrize("where", ["OUT/test.json", "OUT/release/test.json", "missing/test.json"])
def test_nothing_is_written_into_out_or_nowhere(where: str, out: Path, pictures: list[Path], tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        prepared(out, pictures, tmp_path / where)
    assert not (tmp_path / where).exists()


def test_a_file_that_is_no_picture_is_refused_by_its_number(out: Path, pictures: list[Path], tmp_path: Path) -> None:
    pictures[2].write_bytes(b"no picture")
    with pytest.raises(DeidAuditError, match="picture 3 is not a picture") as refused:
        prepared(out, pictures, tmp_path / "test.json")
    assert "Secretname" not in str(refused.value)


# -- the commands ----------------------------------------------------------------------------------------------------


def run(*words: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(build_app(), ["viewer-test", *map(str, words)])
    return done.exit_code, done.stdout, done.stderr


def test_prepare_and_score_by_command(out: Path, pictures: list[Path], tmp_path: Path) -> None:
    portrait, test = pictures[0].rename(tmp_path / "portrait.jpg"), tmp_path / "test.json"
    foils = pictures[1].parent
    asked = ("prepare", out, "--portrait", portrait, "--foils", foils, "--to", test)
    code, said, warned = run(*asked, "--seed", "5")
    assert code == 0 and "line-ups  4 of 6 pictures each, seed 5" in said and "sensitive" in warned
    assert "whether viewers try will not be known" in said
    assert run(*asked)[0] == 2, "a test is not written over"
    assert run(*asked[:-1], tmp_path / "t2.json", "--control-clip", portrait)[0] == 2
    plan, _ = load(test, Plan, "the test")
    answers = tmp_path / "answers.json"
    save(answers, sittings(plan, *(sitting(plan, f"v{n}", ranks=[1 + n % 6, 4]) for n in range(12))), "the answers")
    code, said, warned = run("score", test, answers, "--to", tmp_path / "result.json")
    assert code == 0 and "remove them" in warned
    assert "found first  0.083 (by chance 0.167; 95 % interval" in said and "12 viewers)" in said
    assert "familiar     nobody answered everything" in said
    code, said, _ = run("score", test, answers, "--to", tmp_path / "result.json", "--json")
    assert code == 0 and json.loads(said)["groups"][0]["viewers"] == 12
    code, _, warned = run("score", answers, test, "--to", tmp_path / "r2.json")
    assert code == 2 and warned.startswith("error: the test: ") and not (tmp_path / "r2.json").exists()


def test_a_missing_folder_of_foils_is_one_message(out: Path, pictures: list[Path], tmp_path: Path) -> None:
    code, _, warned = run(
        "prepare", out, "--portrait", pictures[0], "--foils", tmp_path / "none", "--to", tmp_path / "test.json"
    )
    assert code == 2 and warned.splitlines()[0] == "error: there is no such file or folder of pictures"
