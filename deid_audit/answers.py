"""The steward's answers and what a policy makes of them: given, missing, or not accepted.

Paper side, beside the findings: an answer is printed and never checked for truth. Pure: no clock, no
file; the day on which a validity is judged is the caller's.
"""

from collections.abc import Sequence
from datetime import date

from pydantic import Field, model_validator

from deid_audit.context import FIELDS, LONGEST_ANSWER, VALID_UNTIL, ContextField, fault_of, has_run_out
from deid_audit.records import Outcome, Strict


class Answer(Strict):
    """One answer of the steward, in their own words."""

    field: str = Field(description="Name of the answer, as in the context file.")
    answer: str = Field(description="What the steward said, in one line.")

    @model_validator(mode="after")
    def _can_be_taken(self) -> "Answer":
        if fault := fault_of(self.field, self.answer):
            raise ValueError(f"{self.field!r:.60}: {fault}")
        return self


class RequiredAnswer(Strict):
    """An answer that a policy asks for; without it the verdict cannot be PASSED."""

    field: str = Field(description="Name of the answer, as in the context file.")
    allowed: tuple[str, ...] = Field(default=(), description="The answers that are accepted; any where empty.")
    why: str = Field(min_length=1, description="Why it is asked.")
    source: str = Field(min_length=1, description="Where the question comes from.")

    @model_validator(mode="after")
    def _can_be_answered(self) -> "RequiredAnswer":
        if self.field not in FIELDS:
            raise ValueError(f"unknown answer {self.field!r:.60}")
        for answer in self.allowed:
            if fault := fault_of(self.field, answer):
                raise ValueError(f"allowed: {fault}")
        return self


class AnswerFinding(Strict):
    """What one question came to: PASSED when answered, INDETERMINATE when not, FAILED when the answer is refused."""

    asked: RequiredAnswer = Field(description="What was asked.")
    outcome: Outcome = Field(description="What it came to.")
    answer: str | None = Field(default=None, description="What the steward said; null where nothing.")
    reason: str = Field(description="The outcome in words, for people.")


_VALIDITY = RequiredAnswer(
    field=VALID_UNTIL,
    why="Whoever states until when a certificate is valid must not release on it later.",
    source="Design of this tool: a validity counts whether a policy asks for it or not.",
)


def asked(required: Sequence[RequiredAnswer], context: Sequence[Answer]) -> tuple[RequiredAnswer, ...]:
    """What is judged: all that the policy requires, and a validity that was stated without being asked for."""
    stated = VALID_UNTIL in [one.field for one in context]
    unasked = stated and VALID_UNTIL not in [one.field for one in required]
    return (*required, _VALIDITY) if unasked else tuple(required)


def judge_answers(
    required: Sequence[RequiredAnswer], context: Sequence[Answer], *, on: date
) -> tuple[AnswerFinding, ...]:
    """One finding for each question of `asked`; `on` is the day of issue (UTC)."""
    given = {one.field: one.answer for one in context}
    return tuple(_judged(one, given.get(one.field), on) for one in asked(required, context))


def _judged(required: RequiredAnswer, answer: str | None, on: date) -> AnswerFinding:
    outcome, reason = Outcome.PASSED, "answered by the steward, not checked"
    if answer is None:
        outcome, reason = Outcome.INDETERMINATE, "not answered"
    elif required.allowed and answer not in required.allowed:
        outcome = Outcome.FAILED
        reason = f"answered, but not with what the policy accepts: {' or '.join(required.allowed)}"
    elif required.field == VALID_UNTIL and has_run_out(answer, on):
        outcome, reason = Outcome.FAILED, "the last day of its validity had passed when it was issued"
    return AnswerFinding(asked=required, outcome=outcome, answer=answer, reason=f"{required.field}: {reason}")


def next_step(finding: AnswerFinding) -> str:
    """What the steward does about an answer that is missing or refused.

    >>> next_step(_judged(_VALIDITY, None, date(2026, 1, 1)))
    'Add `valid_until = 2027-12-31` with the true day to the file given with --context, and run again.'
    """
    name, allowed = finding.asked.field, finding.asked.allowed
    if allowed:
        options = " or ".join(f'`{name} = "{one}"`' for one in allowed)
        return f"Where it is true, put {options} into the file given with --context, and run again."
    if FIELDS[name].kind == "date":
        return f"Add `{name} = 2027-12-31` with the true day to the file given with --context, and run again."
    return f'Add `{name} = "..."` to the file given with --context, and run again.'


def missing_words(required: Sequence[RequiredAnswer], context: Sequence[Answer], *, on: date) -> str:
    """What will keep the verdict from PASSED, said before the work begins; empty when nothing will."""
    bad = [one for one in judge_answers(required, context, on=on) if one.outcome is not Outcome.PASSED]
    if not bad:
        return ""
    return f"whatever is measured, this policy will not pass as long as: {'; '.join(one.reason for one in bad)}"


def valid_until(context: Sequence[Answer]) -> str | None:
    """The last day on which a certificate is valid, by its steward; None where none was stated."""
    return next((one.answer for one in context if one.field == VALID_UNTIL), None)


def form_text(policy_id: str, required: Sequence[RequiredAnswer]) -> str:
    """The context file to fill in, as TOML: what the policy requires first, then what can be answered besides."""
    by_name = {one.field: one for one in required}
    lines = [
        f"# Answers for the policy {policy_id}, to be given with --context. Take # off a line and answer it.",
        f"# One line each, at most {LONGEST_ANSWER} characters. Answers are printed on the certificate and in the",
        "# statement, which leave the house: name roles and references, never a patient.",
    ]
    if required:
        lines += ["", "# -- required: without them the verdict cannot be PASSED"]
        lines += [line for one in required for line in _form_lines(FIELDS[one.field], one)]
    lines += ["", "# -- not required: what is left out is printed as not assessed"]
    lines += [line for name, field in FIELDS.items() if name not in by_name for line in _form_lines(field, None)]
    return "\n".join(lines) + "\n"


def _form_lines(field: ContextField, required: RequiredAnswer | None) -> list[str]:
    lines = ["", f"# {field.question}"]
    if required is not None:
        lines += [f"# Why: {required.why} ({required.source})"]
    options = required.allowed if required is not None and required.allowed else field.choices
    if options:
        lines.append(f"# One of: {', '.join(options)}")
    return [*lines, f"# {field.name} = " + ("2027-12-31" if field.kind == "date" else '""')]
