"""The annex: all 25 questions, each with its source, and what is measured, answered or not assessed kept apart."""

import io
from typing import Any

import pypdf
import pytest

from deid_audit.answers import Answer
from deid_audit.certificate.document import render_certificate
from deid_audit.certificate.questions import QUESTIONS, Part, parts_of
from deid_audit.certificate.strings import TEXT
from deid_audit.context import FIELDS
from deid_audit.evidence import build_statement, parse_statement
from deid_audit.findings import CaseRecord, JobKind, Outcome, StageRecord, measured, not_measured
from deid_audit.policy import judge, load_policy
from tests.fakes import (
    make_case,
    make_erasure,
    make_measurements,
    make_media_mark,
    make_outputs,
    make_policy,
    make_rule,
)
from tests.unit.certificates import ISSUED, figures

M, A, N = "measured", "answered", "not assessed"
# Of a whole case, by number: with every answer, and with none. What is open in any case is not assessed in both.
FULL = {
    1: {M}, 2: {A, N}, 3: {M, A}, 4: {A}, 5: {A}, 6: {M}, 7: {M, N}, 8: {M, N}, 9: {A, N}, 10: {A}, 11: {A}, 12: {A},
    13: {M, A}, 14: {M, A, N}, 15: {M, A}, 16: {M, A}, 17: {M, A, N}, 18: {M}, 19: {A, N}, 20: {M, A}, 21: {A, N},
    22: {M, N}, 23: {M}, 24: {M}, 25: {A, N},
}  # fmt: skip
EMPTY = {number: (kinds - {A}) | ({N} if A in kinds else set()) for number, kinds in FULL.items()}
SENTINEL = "words of the steward about"


def answers() -> tuple[Answer, ...]:
    """An answer to everything; what is free text can be told from everything else."""
    return tuple(
        Answer(
            field=name,
            answer={"words": f"{SENTINEL} {name}", "date": "2027-12-31", "choice": "".join(field.choices[:1])}[
                field.kind
            ],
        )
        for name, field in FIELDS.items()
    )


def annex(case: CaseRecord) -> dict[int, list[Part]]:
    return {question.number: parts_of(question, case) for question in QUESTIONS}


def kinds(case: CaseRecord) -> dict[int, set[str]]:
    return {number: {part.kind for part in parts} for number, parts in annex(case).items()}


def test_all_25_are_there_with_words_and_a_source_of_their_own() -> None:
    assert [question.number for question in QUESTIONS] == list(range(1, 26))
    assert len({question.words for question in QUESTIONS}) == 25
    assert all(question.words.endswith("?") and question.source for question in QUESTIONS)


def test_every_answer_that_can_be_given_belongs_to_exactly_one_question() -> None:
    assert sorted(name for question in QUESTIONS for name in question.fields) == sorted(FIELDS)


def test_the_three_kinds_stand_where_they_must() -> None:
    assert kinds(make_case(context=answers())) == FULL
    assert kinds(make_case()) == EMPTY
    for table in (FULL, EMPTY):
        assert {kind for found in table.values() for kind in found} >= {M, N}


@pytest.mark.parametrize(
    ("sound", "words", "heard"),
    [(0.0, "no sound", False), (1.0, "the voice masked", True), (2.0, "as it was", True)],
)
def test_the_question_about_voice_says_what_became_of_it(sound: float, words: str, heard: bool) -> None:
    rows = make_measurements(swapped={"voice.sound": sound, "voice.distance": 1.75})
    halves = measured("voice.distance", "original", "video 1", 0.25, sample_size=200)
    parts = {part.kind: part.text for part in annex(make_case(measurements=(*rows, halves)))[17]}
    assert parts[M].startswith("Video 1: ") and words in parts[M]
    assert ("1.75" in parts[M] and "0.25" in parts[M] and "What is said is not anonymised" in parts[M]) == heard


def test_a_released_voice_has_a_table_of_its_own() -> None:
    for sound, shown in ((0.0, False), (1.0, True)):
        rows = make_measurements(swapped={"voice.sound": sound, "voice.distance": 1.75})
        case = make_case(measurements=rows, figures=tuple(one.digest for one in figures()))
        statement = build_statement(case)
        pages = pypdf.PdfReader(io.BytesIO(render_certificate(case, statement, figures(), issued_at=ISSUED))).pages
        assert (TEXT["voice"] in " ".join(" ".join(page.extract_text() for page in pages).split())) == shown


def test_an_answer_never_appears_as_measured_and_nothing_measured_as_an_answer() -> None:
    with_answers, without = annex(make_case(context=answers())), annex(make_case())
    for number, parts in with_answers.items():
        texts = {part.kind: part.text for part in parts}
        for kind in (M, N):
            assert SENTINEL not in texts.get(kind, "") and "2027-12-31" not in texts.get(kind, "")
        assert [p for p in parts if p.kind == M] == [p for p in without[number] if p.kind == M]
        for name in QUESTIONS[number - 1].fields:
            assert f"{FIELDS[name].label[1:]}: " in texts[A]
    assert A not in {part.kind for parts in without.values() for part in parts}


def test_without_answers_it_says_what_it_would_take_and_leaves_no_blank() -> None:
    for question in QUESTIONS:
        parts = parts_of(question, make_case())
        assert parts and all(part.text.strip() for part in parts)
        lacking = " ".join(part.text for part in parts if part.kind == N)
        assert all(FIELDS[name].label in lacking for name in question.fields)
    some = make_case(context=tuple(one for one in answers() if one.field == "recipient"))
    [given, rest] = annex(some)[5]
    assert (given.kind, rest.kind) == (A, N)
    assert rest.text == "It would take the steward's answer: tier of release, data use agreement."


def test_the_worst_video_is_quoted_and_a_gap_is_not_assessed() -> None:
    metric = "identity.to_original.mean"
    rows = [measured(metric, "swapped", f"video {n}", value, sample_size=9) for n, value in ((1, 0.7), (2, 0.62))]
    rows.append(measured(metric, "swapped", "subject", 0.1, sample_size=9))
    case = make_case(measurements=tuple(rows), policy=make_policy([make_rule()]))
    [found, gap] = annex(case)[6]
    assert found == Part(kind=M, text="Both, each of the worst video: mean distance to the original: 0.620.")
    assert gap.kind == N and "nearest frame: not measured" in gap.text
    rows[1] = not_measured(metric, "swapped", "video 2", "no face")
    [found, gap] = annex(make_case(measurements=tuple(rows), policy=make_policy([make_rule()])))[6]
    assert "0.700" in found.text and gap.text.startswith("Mean distance to the original: not measured: no face")


def test_what_the_original_does_not_have_is_a_finding() -> None:
    text = annex(make_case())[20][0].text
    assert "brows, r: not applicable: the original does not move" in text and "tremor kept: 0.990" in text


def test_a_rate_among_subjects_is_bounded_only_where_nothing_failed() -> None:
    assert "may be up to 95 % (1 − 0.05^(1/n))" in annex(make_case())[7][0].text
    assert "up to" not in annex(make_case(failing=True))[7][0].text


@pytest.mark.parametrize("kind", ["swap", "conceal", "audit", "reviewed"])
def test_destruction_is_claimed_for_what_was_destroyed(kind: JobKind) -> None:
    text = annex(make_case(kind=kind))[22][0].text
    assert "2 of 2 checks" in text
    assert ("the audit's own data only" in text) == (kind in ("audit", "reviewed"))
    kept = make_case(erasure=make_erasure().model_copy(update={"references_kept": True}))
    assert "descriptors were kept" not in text and "descriptors were kept, encrypted" in annex(kept)[22][0].text
    none = make_case().erasure.model_copy(update={"checks": ()})
    assert {part.kind for part in annex(make_case().model_copy(update={"erasure": none}))[22]} == {N}


def test_nothing_released_carries_no_notice_and_no_donor_is_no_donor() -> None:
    case = make_case(outputs=make_outputs({"a.mp4": b"1"}), donors=())
    assert M not in kinds(case)[14] and M not in kinds(case)[13]


def test_a_mark_is_told_of_where_this_tool_wrote_one_and_never_claimed_of_another_tools_videos() -> None:
    marked = {part.kind: part.text for part in annex(make_case(media_mark=make_media_mark()))[14]}
    assert "carries a machine-readable mark: annex G" in marked[M] and "mark was written" not in str(marked)
    without = [part.text for part in annex(make_case())[14] if part.kind == N]
    assert "No machine-readable mark was written into the videos." in without
    others = annex(make_case(kind="audit"))[14]
    assert "Whether the videos carry a machine-readable mark." in [part.text for part in others if part.kind == N]


def test_the_annex_of_files_says_what_the_mark_says_whose_it_is_and_what_it_is_not() -> None:
    mark = make_media_mark()
    case = make_case(media_mark=mark, figures=())
    assert parse_statement(build_statement(case)).media_mark == mark
    pages = pypdf.PdfReader(io.BytesIO(render_certificate(case, b"{}", [], issued_at=ISSUED))).pages
    text = "".join("".join(page.extract_text() for page in pages).split())
    for words in ("“compositeSynthetic”", mark.signer.name, mark.signer.fingerprint_sha256, TEXT["mark_limits"]):
        assert "".join(words.split()) in text
    plain = make_case(figures=())
    pages = pypdf.PdfReader(io.BytesIO(render_certificate(plain, b"{}", [], issued_at=ISSUED))).pages
    assert TEXT["mark"] not in "".join(page.extract_text() for page in pages)


def test_what_a_donors_pack_says_of_itself_is_an_answer() -> None:
    stage = StageRecord(
        stage="donor", method="m", seconds=0, settings={"pack_sha256": "ab", "licence": "CC0", "consent": "to be shown"}
    )
    [text] = [part.text for part in annex(make_case(stages=(stage,)))[13] if part.kind == A]
    assert text == "By the donor's pack: licence CC0; consent to be shown"


def certificate_of(context: tuple[Answer, ...]) -> tuple[CaseRecord, pypdf.PdfReader]:
    policy, rows = load_policy("expert-determination"), make_measurements()
    context = tuple(
        one.model_copy(update={"answer": "expert determination"}) if one.field == "claim_basis" else one
        for one in context
    )
    verdict = judge(rows, policy, context, on=ISSUED.date())
    folder = "release" if verdict.outcome is Outcome.PASSED else "withheld"
    case = make_case(
        policy=policy, measurements=rows, verdict=verdict, context=context, outputs_folder=folder, figures=()
    )
    return case, pypdf.PdfReader(io.BytesIO(render_certificate(case, b"{}", [], issued_at=ISSUED)))


def bookmarks(outline: list[Any]) -> list[str]:
    return [title for one in outline for title in (bookmarks(one) if isinstance(one, list) else [str(one.title)])]


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("given", [True, False], ids=["answered", "unanswered"])
def test_the_pages_carry_every_part_and_every_question_is_a_bookmark(given: bool) -> None:
    case, pdf = certificate_of(answers() if given else ())
    pages = [squeezed(page.extract_text()) for page in pdf.pages]
    text = "".join(pages)
    for question in QUESTIONS:
        assert squeezed(question.source) in text
        for part in parts_of(question, case):
            assert squeezed(f"{part.kind} {part.text}") in text, question.number
    titles = bookmarks(pdf.outline)
    assert [f"{question.number}. {question.words}" in titles for question in QUESTIONS] == [True] * 25
    for finding in case.verdict.answers:
        label, name = FIELDS[finding.asked.field].label, finding.asked.field
        outcome = "answered" if given else "not answered"
        assert squeezed(f"{label[:1].upper()}{label[1:]} {name} {finding.answer or 'none'} {outcome}") in text
    assert ("Answersaskedfor:17.Missingornotaccepted:17." in pages[0]) != given
    assert ("Validuntil2027-12-31,byitssteward'sword" in pages[0]) == given
    assert "notitselfone" in pages[0]
