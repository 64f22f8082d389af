"""The steward's answers: every way a context file can be refused, and the table of what can be answered."""

from datetime import date
from pathlib import Path

import pytest

from deid_audit.context import FIELDS, LONGEST_ANSWER, fault_of, has_run_out, read_context
from deid_audit.errors import ContextFileError

TODAY = date(2026, 1, 2)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "jane-doe.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_answers_are_read_in_the_order_in_which_they_are_printed(tmp_path: Path) -> None:
    text = 'recipient = "a registry"\nvalid_until = 2026-01-02\nclaim_basis = "consent"\ndpia_date = "2025-12-01"\n'
    answers = read_context(write(tmp_path, text), on=TODAY)
    assert list(answers.items()) == [
        ("claim_basis", "consent"),
        ("valid_until", "2026-01-02"),
        ("recipient", "a registry"),
        ("dpia_date", "2025-12-01"),
    ]
    assert read_context(write(tmp_path, "# nothing yet\n"), on=TODAY) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('patient = "Jane Doe"\n', "'patient': unknown answer"),
        ("recipient = 7\n", "recipient: must be a text in quotes"),
        ('recipient = ["a"]\n', "recipient: must be a text in quotes"),
        ("[recipient]\nname = 1\n", "recipient: must be a text in quotes"),
        ('recipient = ""\n', "recipient: must not be empty"),
        ('recipient = " Jane Doe"\n', "recipient: must not be empty, nor begin or end with a space"),
        (f'recipient = "{"x" * 301}"\n', "recipient: must be at most 300 characters, got 301"),
        ('recipient = "Jane\\nDoe"\n', "recipient: must be one line of printable characters"),
        ('recipient = "Jane\\u001b[2JDoe"\n', "recipient: must be one line of printable characters"),
        ('recipient = "Jane\\u202eDoe"\n', "recipient: must be one line of printable characters"),
        ('release_tier = "Jane Doe"\n', "release_tier: must be one of public, registered, enclave"),
        ('valid_until = "Jane Doe"\n', "valid_until: must be a day such as 2027-12-31"),
        ('valid_until = "20271231"\n', "valid_until: must be a day"),
        ("valid_until = 2027-12-31T10:00:00Z\n", "valid_until: must be a text in quotes"),
        ("valid_until = 2026-01-01\n", "valid_until: 2026-01-01 has passed"),
        ('recipient = "a"\nrecipient = "b"\n', "given twice"),
        ("recipient = Jane Doe\n", "not TOML"),
        ("x = " + "[" * 5000, "not TOML"),
        (b"\xff\xfe", "not UTF-8 text"),
        (b"#" * ((1 << 16) + 1), "larger than 64 KiB"),
    ],
)
def test_a_file_that_cannot_be_taken_is_refused_without_repeating_an_answer(
    tmp_path: Path, text: str | bytes, words: str
) -> None:
    with pytest.raises(ContextFileError) as caught:
        read_context(write(tmp_path, text), on=TODAY)
    said = f"{caught.value} {caught.value.next_step}"
    assert str(caught.value).startswith("the context file: ") and words in said
    assert caught.value.exit_code == 2 and caught.value.next_step
    assert "Jane" not in said and "jane" not in said and str(tmp_path) not in said


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContextFileError, match="No such file"):
        read_context(tmp_path / "jane-doe.toml", on=TODAY)


def test_a_validity_holds_on_its_last_day_and_not_after() -> None:
    assert not has_run_out("2026-01-02", TODAY)
    assert has_run_out("2026-01-01", TODAY)


def test_every_field_can_be_answered_and_says_what_it_asks() -> None:
    assert len(FIELDS) == len({field.label for field in FIELDS.values()})
    for name, field in FIELDS.items():
        assert field.name == name and field.question.endswith((".", "?"))
        assert (field.kind == "choice") == bool(field.choices)
        answer = {"words": "x" * LONGEST_ANSWER, "date": "2026-02-28", "choice": "".join(field.choices[:1])}[field.kind]
        assert fault_of(name, answer) is None
