"""What makes it a document: bookmarks, contents with page numbers, feet of pages, tags, dates, marks seen in grey."""

import io
import re
from functools import cache
from typing import Any

import pikepdf
import pypdf
import pytest

from deid_audit.certificate.questions import QUESTIONS
from deid_audit.certificate.strings import ANNEXES, KIND_WORDS, TEXT
from deid_audit.certificate.wording import annex_titles, letter
from deid_audit.digests import sha256_bytes
from deid_audit.findings import Outcome
from deid_audit.resources import resource_dir
from tests.unit.certificates import certified, figures

_EVERY_VERDICT = (Outcome.PASSED, Outcome.FAILED, Outcome.INDETERMINATE)


@cache
def reader(outcome: Outcome = Outcome.FAILED) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(certified(outcome).unsigned))


def outline(entries: list[Any], pdf: pypdf.PdfReader, level: int = 1) -> list[tuple[int, str, int]]:
    """(level, title, page from 1) of every bookmark."""
    found: list[tuple[int, str, int]] = []
    for one in entries:
        if isinstance(one, list):
            found += outline(one, pdf, level + 1)
        else:
            found.append((level, str(one.title), (pdf.get_destination_page_number(one) or 0) + 1))
    return found


def test_the_bookmarks_are_the_verdict_the_contents_and_the_annexes_with_their_heads() -> None:
    marks = outline(reader().outline, reader())
    case = certified(Outcome.FAILED).case
    annexes = [f"Annex {letter(name)}. {title}" for name, title in annex_titles(case.kind).items()]
    assert [title for level, title, _ in marks if level == 1] == [f"FAILED: case {case.case_id}", "Contents", *annexes]
    below = [title for level, title, _ in marks if level == 2]
    heads = [TEXT["five"], TEXT["untested"], f"{TEXT['identity']}: video 2", TEXT["tried"], TEXT["videos"]]
    heads += [f"1. {case.stages[0].stage} (12.5 s)", TEXT["models"]]
    assert set(heads) < set(below) and below[:2] == heads[:2]
    assert [title for title in below if title in {f"{one.number}. {one.words}" for one in QUESTIONS}] == [
        f"{one.number}. {one.words}" for one in QUESTIONS
    ]
    assert {level for level, _, _ in marks} == {1, 2}


@pytest.mark.parametrize("outcome", _EVERY_VERDICT)
def test_the_contents_and_the_pointers_name_the_right_pages(outcome: Outcome) -> None:
    pages = {title: page for _, title, page in outline(reader(outcome).outline, reader(outcome))}
    contents = " ".join(reader(outcome).pages[1].extract_text().split())
    first = " ".join(reader(outcome).pages[0].extract_text().split())
    for name, title in annex_titles("swap").items():
        heading = f"Annex {letter(name)}. {title}"
        assert re.search(re.escape(heading) + rf"[ .]* {pages[heading]}\b", contents), heading
    for name in ("rules", "measurements", "not_assessed"):
        heading = f"Annex {letter(name)}. {ANNEXES[name]}"
        assert f"annex {letter(name)}, page {pages[heading]}" in first


@pytest.mark.parametrize("outcome", _EVERY_VERDICT)
def test_every_page_ends_with_case_statement_and_number(outcome: Outcome) -> None:
    total = len(reader(outcome).pages)
    digest = sha256_bytes(certified(outcome).statement)[:16]
    for number, page in enumerate(reader(outcome).pages, start=1):
        text = " ".join(page.extract_text().split())
        assert f"page {number} of {total}" in text
        assert f"certificate of case {certified(outcome).case.case_id} statement sha256 {digest}" in text
        assert ((outcome.value in text) and TEXT["running_title"] in text) or number == 1


def test_it_is_tagged_and_its_tables_and_pictures_can_be_read_aloud() -> None:
    with pikepdf.open(io.BytesIO(certified(Outcome.FAILED).unsigned)) as pdf:
        elements = [
            one for one in pdf.objects if isinstance(one, pikepdf.Dictionary) and one.get("/Type") == "/StructElem"
        ]
        kinds = {str(one.S) for one in elements}
        assert {"/H1", "/H2", "/H3", "/Table", "/TH", "/TD", "/L", "/Link"} <= kinds
        assert all(one.A.get("/Headers") is not None for one in elements if str(one.S) == "/TD")
        assert sorted(str(one.Alt) for one in elements if str(one.S) == "/Figure") == sorted(f.alt for f in figures())
        links = [one for one in pdf.objects if isinstance(one, pikepdf.Dictionary) and one.get("/Subtype") == "/Link"]
        assert len(links) >= len(ANNEXES) + 3
        assert all(one.F == 4 and "/StructParent" in one and "/URI" not in one.get("/A", {}) for one in links)


def test_every_head_of_a_table_says_of_what() -> None:
    for path in resource_dir("templates").rglob("*.j2"):
        heads = re.findall(r"<th[ >][^>]*", path.read_text(encoding="utf-8"))
        assert all('scope="' in head for head in heads), path.name


@pytest.mark.parametrize("outcome", _EVERY_VERDICT)
def test_dates_are_written_in_iso_form(outcome: Outcome) -> None:
    text = " ".join(page.extract_text() for page in reader(outcome).pages)
    months = "January|February|March|April|June|July|August|September|October|November|December"
    assert not re.search(rf"\b(?:{months})\b|\b\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}\b", text)
    assert re.search(r"issued \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+]00:00)", " ".join(text.split()))


def test_verdicts_and_outcomes_differ_in_shape_and_sign_not_only_in_colour() -> None:
    style = (resource_dir("templates") / "certificate.css").read_text(encoding="utf-8")
    looks = {}
    for kind in ("passed", "failed", "indeterminate"):
        [box], [sign] = (
            re.findall(rf"^\.verdict\.{kind}{what} \{{ ([^}}]*) \}}", style, re.MULTILINE)
            for what in ("", r" \.word::before")
        )
        looks[kind] = ("dashed" in box, "color: #fff" in box, sign)
    assert len(set(looks.values())) == 3 and len({sign for _, _, sign in looks.values()}) == 3
    assert len({(dashed, filled) for dashed, filled, _ in looks.values()}) == 3
    marks = dict(re.findall(r"^\.mark\.(\w+) \{ ([^}]*) \}", style, re.MULTILINE))
    shapes = {name: tuple(word in look for word in ("background", "dashed", "none")) for name, look in marks.items()}
    assert len(shapes) == 4 == len(set(shapes.values()))


def test_the_signs_of_the_verdicts_are_in_the_font() -> None:
    for outcome, sign in zip(_EVERY_VERDICT, "✓✗?", strict=True):
        assert f"{sign} {outcome.value}" in " ".join(reader(outcome).pages[0].extract_text().split())


@pytest.mark.parametrize("kind", KIND_WORDS)
def test_every_kind_of_job_has_words_of_its_own(kind: str) -> None:
    words = KIND_WORDS[kind]  # type: ignore[index]
    assert all((words.title, words.destruction, words.destruction_means, words.method))
