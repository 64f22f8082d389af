"""What a policy makes of the steward's answers: given, missing, refused, run out; and the file to fill in."""

import tomllib
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from deid_audit.answers import Answer, RequiredAnswer, asked, form_text, judge_answers, missing_words, next_step
from deid_audit.cli.report import print_result
from deid_audit.context import FIELDS, fault_of
from deid_audit.evidence import EvidenceError, build_statement, parse_statement
from deid_audit.findings import CaseRecord, Outcome
from deid_audit.pipeline.explaining import why_text
from deid_audit.policy import judge, load_policy
from tests.fakes import make_case, make_measurements, make_policy

TODAY = date(2026, 1, 2)
P, F, I = Outcome.PASSED, Outcome.FAILED, Outcome.INDETERMINATE  # noqa: E741


def required(field: str = "recipient", **more: Any) -> RequiredAnswer:
    return RequiredAnswer(**({"field": field, "why": "a test asks for it", "source": "tests"} | more))


def said(**answers: str) -> tuple[Answer, ...]:
    return tuple(Answer(field=name, answer=answer) for name, answer in answers.items())


@pytest.mark.parametrize(
    ("question", "context", "outcome", "words"),
    [
        (required(), said(recipient="a registry"), P, "answered by the steward, not checked"),
        (required(), (), I, "recipient: not answered"),
        (required(), said(reviewer="nobody"), I, "recipient: not answered"),
        (required("release_tier", allowed=("enclave",)), said(release_tier="enclave"), P, "answered"),
        (
            required("release_tier", allowed=("enclave",)),
            said(release_tier="public"),
            F,
            "what the policy accepts: enc",
        ),
        (required("release_tier", allowed=("enclave",)), (), I, "not answered"),
        (required("valid_until"), said(valid_until="2026-01-02"), P, "answered"),
        (required("valid_until"), said(valid_until="2026-01-01"), F, "the last day of its validity had passed"),
    ],
)
def test_an_answer_is_given_missing_or_refused(
    question: RequiredAnswer, context: tuple[Answer, ...], outcome: Outcome, words: str
) -> None:
    [finding] = judge_answers([question], context, on=TODAY)
    assert (finding.outcome, finding.asked) == (outcome, question)
    assert words in finding.reason
    assert question.field in next_step(finding)
    assert bool(missing_words([question], context, on=TODAY)) == (outcome is not P)


def test_a_validity_counts_also_where_no_policy_asks_for_it() -> None:
    assert asked((), said(recipient="a")) == ()
    [question] = asked((), said(valid_until="2026-01-01"))
    assert question.field == "valid_until"
    rows = make_measurements()
    assert judge(rows, make_policy(), said(valid_until="2026-01-01"), on=TODAY).outcome is F
    assert judge(rows, make_policy(), said(valid_until="2026-01-02"), on=TODAY).outcome is P
    assert judge(rows, make_policy(), said(valid_until="2026-01-02")).outcome is F, "without a day it has run out"


def asking(*fields: str) -> Any:
    return make_policy().model_copy(update={"answers": tuple(required(field) for field in fields)})


def test_answers_undo_a_pass_and_never_make_one() -> None:
    good, policy = make_measurements(), asking("recipient", "reviewer")
    both = said(recipient="a", reviewer="b")
    assert judge(good, policy, both, on=TODAY).outcome is P
    assert judge(good, policy, both[:1], on=TODAY).outcome is I
    assert judge(good, policy).outcome is I
    assert judge([], policy, both, on=TODAY).outcome is I
    assert judge(make_measurements(swapped={"identity.to_original.mean": 0.5}), policy, (), on=TODAY).outcome is F


def test_every_answer_of_the_shipped_policy_is_needed() -> None:
    policy, rows = load_policy("expert-determination"), make_measurements()
    context = all_answers()
    assert judge(rows, policy, context, on=TODAY).outcome is P
    for one in policy.answers:
        rest = tuple(given for given in context if given.field != one.field)
        verdict = judge(rows, policy, rest, on=TODAY)
        assert verdict.outcome is I
        assert [found.asked.field for found in verdict.answers if found.outcome is not P] == [one.field]
    other = (*(given for given in context if given.field != "claim_basis"), *said(claim_basis="safe harbor"))
    assert judge(rows, policy, other, on=TODAY).outcome is F


def all_answers() -> tuple[Answer, ...]:
    """An answer to everything, such that the policy `expert-determination` accepts it."""
    kinds = {"words": "an answer", "date": "2027-12-31"}
    given = {name: field.choices[0] if field.choices else kinds[field.kind] for name, field in FIELDS.items()}
    return said(**given | {"claim_basis": "expert determination"})


def test_the_rules_are_those_of_release_number_for_number() -> None:
    assert load_policy("expert-determination").rules == load_policy("release").rules
    assert "not itself one" in load_policy("expert-determination").title


@pytest.mark.parametrize(
    "change", [{"field": "patient"}, {"why": ""}, {"source": ""}, {"allowed": ("",)}, {"extra": 1}], ids=str
)
def test_a_question_that_cannot_be_asked_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        required(**change)
    with pytest.raises(ValidationError):
        required("release_tier", allowed=("everybody",))


@pytest.mark.parametrize("change", [{"field": "patient"}, {"answer": ""}, {"answer": "a\nb"}, {"answer": "x" * 301}])
def test_an_answer_that_cannot_be_taken_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Answer(**({"field": "recipient", "answer": "a registry"} | change))


# -- the file to fill in ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["release", "expert-determination"])
def test_the_form_is_a_context_file_that_answers_nothing_until_it_is_filled_in(name: str) -> None:
    policy = load_policy(name)
    text = form_text(policy.id, policy.answers)
    assert tomllib.loads(text) == {}
    filled = tomllib.loads(
        "\n".join(line[2:] if line.startswith("# ") and " = " in line else "" for line in text.splitlines())
    )
    assert set(filled) == set(FIELDS)
    assert list(filled)[: len(policy.answers)] == [one.field for one in policy.answers]
    assert all(fault_of(field, answer) for field, answer in filled.items()), "a form handed in unread is refused"
    assert "never a patient" in text
    assert all(one.why in text and one.source in text for one in policy.answers)


# -- where an unanswered question shows ------------------------------------------------------------------------------


def unanswered_case(context: tuple[Answer, ...] = (), **changes: Any) -> CaseRecord:
    policy, rows = asking("recipient", "reviewer"), make_measurements()
    verdict = judge(rows, policy, context, on=TODAY)
    folder = "release" if verdict.outcome is P else "withheld"
    return make_case(**({"policy": policy, "verdict": verdict, "context": context, "outputs_folder": folder} | changes))


def test_why_txt_names_each_missing_answer_with_the_next_step() -> None:
    text = why_text(unanswered_case(said(reviewer="the head of the clinic")), ())
    assert "1. recipient, an answer: INDETERMINATE" in text and 'Add `recipient = "..."`' in text
    assert "reviewer" not in text and "head of the clinic" not in text


def test_the_terminal_names_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    case = unanswered_case(said(reviewer="the head of the clinic"))
    print_result(SimpleNamespace(case=case, explanations=(), out=Path("OUT")))  # type: ignore[arg-type]
    shown = " ".join(capsys.readouterr().out.split())
    assert "recipient: not answered." in shown and 'Add `recipient = "..."`' in shown
    assert "INDETERMINATE answer: recipient -" in shown and "PASSED answer: reviewer given" in shown
    assert "why.txt" in shown


# -- the statement ---------------------------------------------------------------------------------------------------


def test_answers_travel_in_the_statement_and_back() -> None:
    case = unanswered_case(said(recipient="a registry", reviewer="nobody"))
    assert parse_statement(build_statement(case)) == case


def test_a_statement_that_contradicts_itself_about_answers_is_refused() -> None:
    case = unanswered_case(said(recipient="a registry", reviewer="nobody"))
    dropped = case.verdict.model_copy(update={"answers": case.verdict.answers[:1]})
    for wrong, words in (
        (case.model_copy(update={"verdict": dropped}), "questions judged"),
        (case.model_copy(update={"context": case.context * 2}), "answer twice"),
        (case.model_copy(update={"policy": asking("recipient")}), "questions judged"),
        (case.model_copy(update={"context": said(valid_until="2026-01-02")}), "questions judged"),
    ):
        with pytest.raises(EvidenceError, match=words):
            build_statement(wrong)
