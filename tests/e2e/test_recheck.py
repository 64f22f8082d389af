"""A release measured again without its originals: the same numbers, and exchanged files or references are told."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from deid_audit.evidence import parse_statement
from tests.e2e.short_clips import pictures_of, write_pictures
from tests.e2e.warm import Done, WarmCommand, arguments, assert_one_message
from tests.schemas import document_in

pytestmark = pytest.mark.e2e
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def passphrase(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secret") / "passphrase"
    path.write_text("five words nobody would guess\n")
    return path


@pytest.fixture(scope="module")
def case(
    warm: WarmCommand, clips: tuple[Path, Path], passphrase: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """OUT and the references of a run that trained three steps: its videos are withheld."""
    folder = tmp_path_factory.mktemp("case")
    out, references = folder / "out", folder / "kept.refs"
    done = warm.run(
        *arguments(*clips, out, "--keep-references", references, "--references-passphrase-file", passphrase),
        timeout_s=300,
    )
    assert done.status == 3, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["kept.refs", "out"]
    assert references.stat().st_mode & 0o777 == 0o600
    return out, references


def recheck(warm: WarmCommand, out: Path, references: Path, passphrase: Path, *more: object) -> Done:
    return warm.run(
        *("recheck", out / "certificate.pdf", "--references", references, "--references-passphrase-file", passphrase),
        *("--trust", out / "signer.crt", *more),
        timeout_s=300,
    )


def values_of(out: Path) -> dict[tuple[str, str, str], float | None]:
    rows = parse_statement((out / "evidence.json").read_bytes()).measurements
    return {(row.metric, row.of, row.scope): row.value for row in rows}


def test_the_same_files_give_the_same_numbers(warm: WarmCommand, case: tuple[Path, Path], passphrase: Path) -> None:
    out, references = case
    before = sorted(path for path in out.parent.rglob("*"))
    done = recheck(warm, out, references, passphrase, "--json")
    assert done.status == 3, done.stderr  # withheld then, and so it stays
    assert sorted(path for path in out.parent.rglob("*")) == before  # nothing is written
    document: dict[str, Any] = document_in(done.stdout)
    assert not document["ok"] and document["certificate"]["holds"]
    then = values_of(out)
    seen = {(one["metric"], one["of"], one["scope"]): one for one in document["values"]}
    for key, one in seen.items():
        assert one["then"] == then[key], key
        if one["now"] is None or one["then"] is None:
            assert one["now"] == one["then"], key
        else:
            assert one["now"] == pytest.approx(one["then"], abs=TOLERANCE), key
    measured = {metric for (metric, of, _), one in seen.items() if one["now"] is not None and of == "swapped"}
    assert {"identity.to_original.mean", "identity.to_original.p01", "identity.to_donor.mean"} <= measured
    assert {"residue.subject_faces", "residue.unaccounted_faces", "residue.gallery_matches"} <= measured
    assert document["largest_difference"]["difference"] <= TOLERANCE
    judged = {finding["rule"]["metric"] for finding in document["findings"]}
    not_again = {one["metric"] for one in document["not_measured_again"]}
    assert judged and not_again and not judged & not_again
    assert {"keypoints.ap95", "coverage.undecided", "erasure.complete"} <= not_again


def test_the_certificate_says_that_they_were_kept_and_todays_policy_can_be_asked(
    warm: WarmCommand, case: tuple[Path, Path], passphrase: Path
) -> None:
    out, references = case
    record = parse_statement((out / "evidence.json").read_bytes()).erasure
    assert record.references_kept and record.complete
    assert values_of(out)["erasure.references_kept", "run", "run"] == 1
    text = " ".join(" ".join(page.extract_text() for page in PdfReader(out / "certificate.pdf").pages).split())
    assert "biometric templates" in text and "One thing was kept by request" in text and "Kept by request" in text
    done = recheck(warm, out, references, passphrase, "--policy", "aies2020")
    assert done.status == 3, done.stderr
    assert "identity.to_average_original.mean" in done.stdout and "largest difference" in done.stdout
    assert "not measured again: keypoints.ap95" in done.stdout


def test_an_exchanged_video_is_1_and_nothing_is_measured(
    warm: WarmCommand, case: tuple[Path, Path], passphrase: Path, tmp_path: Path
) -> None:
    out, references = case
    other = tmp_path / "out"
    shutil.copytree(out, other)
    [video] = (other / "withheld").glob("*.mp4")
    write_pictures(video, pictures_of(video)[::-1])
    done = recheck(warm, other, references, passphrase, "--json")
    assert done.status == 1, done.stderr
    document = document_in(done.stdout)
    assert f"{video.name} changed" in document["conclusion"] and "Nothing was measured again" in document["conclusion"]
    assert document["values"] == document["findings"] == [] and document["policy"] is None


def test_wrong_references_and_a_wrong_passphrase_are_one_error(
    warm: WarmCommand, clips: tuple[Path, Path], case: tuple[Path, Path], passphrase: Path, tmp_path: Path
) -> None:
    out, references = case
    wrong = tmp_path / "wrong"
    wrong.write_text("guess\n")
    assert_one_message(recheck(warm, out, references, wrong), 1, "passphrase is not theirs")
    assert_one_message(recheck(warm, out, clips[0], passphrase), 1, "no file of references")
    asked = ("audit", "--original", clips[0], "--released", next((out / "withheld").glob("*.mp4")), "--out")
    kept = ("--references-passphrase-file", passphrase, "--keep-references")
    other = warm.run(*asked, tmp_path / "other", *kept, tmp_path / "other.refs", timeout_s=300)
    assert other.status == 3, other.stderr
    assert_one_message(recheck(warm, out, tmp_path / "other.refs", passphrase), 1, "those of another certificate")
    own = recheck(warm, tmp_path / "other", tmp_path / "other.refs", passphrase, "--json")
    assert own.status == 3, own.stderr
    assert document_in(own.stdout)["largest_difference"]["difference"] <= TOLERANCE


def test_what_cannot_be_kept_is_told_before_any_work(
    warm: WarmCommand, clips: tuple[Path, Path], case: tuple[Path, Path], passphrase: Path, tmp_path: Path
) -> None:
    asked = arguments(*clips, tmp_path / "out")
    secret = ("--references-passphrase-file", passphrase)
    for more, status, words in (
        (("--keep-references", tmp_path / "r", "--policy", "strict", *secret), 2, "allows no kept descriptors"),
        (("--keep-references", tmp_path / "out" / "r", *secret), 2, "may not lie in the output folder"),
        (("--keep-references", case[1], *secret), 2, "exists already"),
        (("--keep-references", tmp_path / "r"), 2, "no passphrase for the references"),
        (secret, 2, "needs --keep-references"),
    ):
        assert_one_message(warm.run(*asked, *more, timeout_s=60), status, words)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_leaves_no_references(
    warm: WarmCommand, clips: tuple[Path, Path], passphrase: Path, tmp_path: Path
) -> None:
    kept = ("--keep-references", tmp_path / "r", "--references-passphrase-file", passphrase)
    done = warm.run(*arguments(clips[0], clips[0], tmp_path / "out", *kept), timeout_s=120)  # donor equals subject
    assert done.status == 2, done.stderr
    running = warm.start(*arguments(*clips, tmp_path / "out", *kept))
    while not (tmp_path / "out.partial" / "rendered").exists() and not running.ended(0.02):
        continue
    running.kill(15)
    assert running.wait(60).status == 143
    assert list(tmp_path.iterdir()) == []
