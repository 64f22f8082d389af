"""What software cannot measure and a steward can be asked: the one table of answers, and the file they come from.

Policies ask for answers by the names in `FIELDS`; the certificate and the statement print what was given. Nothing here
knows whether an answer is true, or whether a policy asks for it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from deid_audit.errors import ContextFileError
from deid_audit.files import read_at_most
from deid_audit.toml_table import NotToml, toml_table

LONGEST_ANSWER = 300
TIERS = ("public", "registered", "enclave")
VALID_UNTIL = "valid_until"

_LARGEST_FILE_BYTES = 1 << 16
_NEXT = "print the questions as a file to fill in: deid-audit policy questions expert-determination"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextField:
    """One answer by name: `label` names it on the certificate, `question` asks for it in the file to fill in.

    `words` is one line of text, `date` a day as in 2027-12-31 (UTC), `choice` one of `choices`.
    """

    name: str
    label: str
    question: str
    kind: Literal["words", "date", "choice"] = "words"
    choices: tuple[str, ...] = ()


def _words(name: str, label: str, question: str) -> ContextField:
    return ContextField(name=name, label=label, question=question)


def _date(name: str, label: str, question: str) -> ContextField:
    return ContextField(name=name, label=label, question=question, kind="date")


def _choice(name: str, label: str, question: str, choices: tuple[str, ...]) -> ContextField:
    return ContextField(name=name, label=label, question=question, kind="choice", choices=choices)


_ROWS = (
    _words("claim_basis", "rule it is released under", "Under which rule are the videos to be released?"),
    _words("expert_name", "expert", "Who judges the risk of recognition, by name?"),
    _words("expert_qualification", "the expert's qualification", "What qualifies this person for that?"),
    _date(VALID_UNTIL, "valid until", "Until when, this day included, may a release rest on this certificate?"),
    _words("review_triggers", "to be looked at again when", "What makes another look necessary before that day?"),
    _words("recipient", "recipient", "Who receives the videos?"),
    _choice("release_tier", "tier of release", "Who can get them: anyone, registered users, an enclave?", TIERS),
    _words("data_use_agreement", "data use agreement", "Which agreement binds the recipient? `none` is an answer."),
    _words("familiar_viewers", "people who know the subject",
           "Did people who know the subject try to recognise them: how many, what result? `not done` is an answer."),
    _words("originals_custodian", "keeper of the originals", "Which role keeps the originals?"),
    _words("originals_retention", "originals kept", "How long, and where, are the originals kept, backups included?"),
    _words("linkage_key_custodian", "keeper of the linking key", "Which role can link a case back to a person?"),
    _words("dpia_reference", "impact assessment", "Which data protection impact assessment covers this?"),
    _date("dpia_date", "date of the impact assessment", "When was it signed?"),
    _words("consent_scope", "scope of the consent",
           "What did the subject agree to: a synthetic face, sharing, with whom, for what?"),
    _words("consent_version", "version of the consent form", "Which version of the consent form was signed?"),
    _words("withdrawal_contact", "contact for withdrawal", "To which role does a subject turn who withdraws?"),
    _choice("donor_kind", "donor's face", "Is the donor's face a real person's or synthetic?", ("real", "synthetic")),
    _words("donor_licence", "licence of the donor's material", "Under which licence is the donor's material used?"),
    _words("donor_consent", "donor's consent", "What did the donor agree to?"),
    _words("marking_notice", "notice that the face is synthetic",
           "How are viewers, and machines, told that the face is synthetic?"),
    _words("reviewer", "who looked", "Which role looked at the released videos? `nobody` is an answer."),
    _words("review_extent", "how they looked", "What was looked at, how long, and was there a second reader?"),
    _words("bystanders", "other people, mirrors, photos, badges",
           "Did a person look for other people, mirrors, photos, screens and badges, with what result?"),
    _words("burned_in_text", "text in the picture, and captions",
           "Did a person look for text in the picture, and at the places that the search for text lists?"),
    _words("identifying_features", "features outside the face",
           "Which tattoos, scars, hair, clothing, room or rare signs can identify, and what was decided about them?"),
    _words("clinical_rating", "clinician's rating",
           "Did a clinician rate the released video beside the original, and agree? `not done` is an answer."),
    _words("subgroups", "groups of people", "In which groups of people was the method tried, and which did worst?"),
    _words("approving_body", "who decides on the release", "Which board decides, and under which reference?"),
)  # fmt: skip
FIELDS: Mapping[str, ContextField] = {row.name: row for row in _ROWS}
"""Every answer that can be given, by name, in the order in which they are asked and printed."""


def fault_of(name: str, answer: object) -> str | None:  # noqa: PLR0911  (one line a fault)
    """What is wrong with an answer, in words that do not repeat it; None when it can be taken.

    >>> fault_of("recipient", "a registry"), fault_of("valid_until", "soon")
    (None, 'must be a day such as 2027-12-31')
    """
    field = FIELDS.get(name)
    if field is None:
        return "unknown answer"
    if not isinstance(answer, str):
        return "must be a text in quotes"
    if not answer or answer != answer.strip():
        return "must not be empty, nor begin or end with a space"
    if len(answer) > LONGEST_ANSWER:
        return f"must be at most {LONGEST_ANSWER} characters, got {len(answer)}"
    if not answer.isprintable():  # control characters, line breaks, and marks that turn the direction of writing
        return "must be one line of printable characters"
    if field.choices and answer not in field.choices:
        return f"must be one of {', '.join(field.choices)}"
    if field.kind == "date" and not _is_day(answer):
        return "must be a day such as 2027-12-31"
    return None


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text  # no other ISO 8601 spelling: 20271231, 2027-W52-5
    except ValueError:
        return False


def has_run_out(valid_until: str, on: date) -> bool:
    """Whether the last valid day (ISO) lies before the day `on`; both are days of UTC."""
    return date.fromisoformat(valid_until) < on


def read_context(path: Path, *, on: date, read: Callable[[Path, int], bytes | None] = read_at_most) -> dict[str, str]:
    """The answers of a context file, in the order of `FIELDS`; `read` gets it where it lies elsewhere than on a disk.

    Raises:
        ContextFileError: not TOML, an unknown name, an answer of the wrong form, or a validity that ended before `on`.
    """
    table = _read_toml(path, read)
    if unknown := [name for name in table if name not in FIELDS]:
        raise ContextFileError(f"the context file: {unknown[0]!r:.60}: unknown answer", next_step=_NEXT)
    answers = {}
    for name in FIELDS:
        if name not in table:
            continue
        given = table[name]
        # TOML has days of its own; an hour, which is a day too for Python, is refused as any other type
        answer = given.isoformat() if isinstance(given, date) and not isinstance(given, datetime) else given
        if fault := fault_of(name, answer):
            raise ContextFileError(f"the context file: {name}: {fault}", next_step=_NEXT)
        answers[name] = str(answer)
    if VALID_UNTIL in answers and has_run_out(answers[VALID_UNTIL], on):
        raise ContextFileError(
            f"the context file: {VALID_UNTIL}: {answers[VALID_UNTIL]} has passed, so that nothing could be released",
            next_step=f"give the last day on which the certificate is to be valid, from {on.isoformat()} on",
        )
    return answers


def _read_toml(path: Path, read: Callable[[Path, int], bytes | None]) -> dict[str, object]:
    """Not the file's name either: it may be called after a patient, and messages are kept in logs."""
    try:
        data = read(path, _LARGEST_FILE_BYTES)
    except OSError as error:
        why = error.strerror or "it cannot be read"
        raise ContextFileError(f"the context file: {why}", next_step="check the path given with --context") from None
    if data is None:
        raise ContextFileError("the context file: larger than 64 KiB", next_step=_NEXT)
    try:
        return toml_table(data)
    except NotToml as error:
        raise ContextFileError(f"the context file: {error}", next_step=_NEXT) from None
