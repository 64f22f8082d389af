"""A chair's decision: one exact sentence each, and no text that could mislead who reads it."""

import pytest

from deid_audit.certificate.decisions import LONGEST_CONDITIONS, Decision, decision_of, parse_reason
from deid_audit.certificate.stamp import refuse_unprintable
from deid_audit.errors import SettingsError

GOOD = (None, "for one year", "Ärzte, Ωμέγα и кириллица", "x" * LONGEST_CONDITIONS, "a. Conditions: b")


@pytest.mark.parametrize("conditions", GOOD)
@pytest.mark.parametrize("approves", [True, False])
def test_a_decision_is_read_back_as_it_was_made(approves: bool, conditions: str | None) -> None:
    decision = decision_of(approves=approves, conditions=conditions)
    assert parse_reason(decision.reason) == decision
    assert decision.word == ("approve" if approves else "refuse")


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        (" leading", "begins or ends"),
        ("trailing ", "begins or ends"),
        ("two\nlines", "cannot be printed"),
        ("bell\x07", "cannot be printed"),
        ("turned \u202e around", "cannot be printed"),
        ("no\u00a0break", "cannot be printed"),
        ("x" * (LONGEST_CONDITIONS + 1), "301 characters, 300 are allowed"),
    ],
)
def test_conditions_that_cannot_be_signed_are_refused_and_never_read(conditions: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        decision_of(approves=True, conditions=conditions)
    with pytest.raises(ValueError):
        parse_reason(f"Approves the release. Conditions: {conditions}")


@pytest.mark.parametrize(
    "reason",
    [
        "",
        "Approved",
        "approves the release",
        "Approves the release.",
        "Approves the release ",
        "Approves the release\n",
        "Approves the release. Conditions:",
        "Approves the release. Refuses the release",
        "Refuses the release, approves the release",
        "x Approves the release",
    ],
)
def test_any_other_sentence_is_no_decision(reason: str) -> None:
    with pytest.raises(ValueError, match="states no decision"):
        parse_reason(reason)


def test_letters_that_the_certificates_font_lacks_are_named() -> None:
    refuse_unprintable("Ärzte, Ωμέγα и кириллица: ≥ 3 days")
    with pytest.raises(SettingsError, match="CJK UNIFIED IDEOGRAPH-533B"):
        refuse_unprintable("医 only")


def test_a_decision_is_told_from_the_other() -> None:
    assert Decision(approves=True) != Decision(approves=False)
