"""Paper-side types: no NaN, no unknown key, a value or a reason, and outcomes that are derived."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from deid_audit.findings import (
    CaseRecord,
    ErasureCheck,
    Finding,
    Measurement,
    Outcome,
    Policy,
    Rule,
    Verdict,
    measured,
    not_measured,
    video_scope,
)
from tests.fakes import make_case, make_erasure, make_policy, make_rule

MEAN = "identity.to_original.mean"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_infinite_number_is_a_value(value: float) -> None:
    row = measured(MEAN, "swapped", "video 1", value, sample_size=9, method="m")
    assert row.value is None and row.not_measured_because and not row.absent and row.method == "m"
    with pytest.raises(ValidationError):
        Measurement(metric=MEAN, of="swapped", scope="video 1", value=value)
    with pytest.raises(ValidationError):
        make_rule(limit=value)


def test_an_infinite_noise_floor_or_detail_is_no_number_either() -> None:
    assert measured(MEAN, "swapped", "video 1", 0.7, sample_size=9, noise_floor=math.nan).noise_floor is None
    assert measured(MEAN, "swapped", "video 1", 0.7, sample_size=9, noise_floor=0.2).noise_floor == 0.2
    with pytest.raises(ValidationError):
        measured(MEAN, "swapped", "video 1", 0.7, sample_size=9, detail={"cut": math.nan})


@pytest.mark.parametrize(
    "change",
    [
        {"metric": "identity.invented"},
        {"value": None},
        {"not_measured_because": "and yet a value"},
        {"absent": True},
        {"of": "patient"},
        {"sample_size": -1},
        {"colour": "red"},
    ],
)
def test_a_measurement_that_contradicts_itself_is_refused(change: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"metric": MEAN, "of": "swapped", "scope": "video 1", "value": 0.7, "sample_size": 9}
    assert Measurement(**fields).value == 0.7
    with pytest.raises(ValidationError):
        Measurement(**fields | change)


def test_absent_is_a_finding_and_a_gap_is_not() -> None:
    assert not_measured(MEAN, "swapped", "video 1", "still", absent=True).absent
    assert not not_measured(MEAN, "swapped", "video 1", "broken").absent


def test_records_do_not_change_after_they_are_made() -> None:
    with pytest.raises(ValidationError):
        make_rule().limit = 0.1  # type: ignore[misc]


def test_a_policy_without_rules_is_refused() -> None:
    with pytest.raises(ValidationError):
        make_policy([])
    with pytest.raises(ValidationError):
        Policy.model_validate(make_policy().model_dump() | {"extra": 1})
    with pytest.raises(ValidationError):
        Rule.model_validate(make_rule().model_dump() | {"why": ""})


P, F, I, N = Outcome.PASSED, Outcome.FAILED, Outcome.INDETERMINATE, Outcome.NOT_APPLICABLE  # noqa: E741


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ([], I),
        ([N], I),
        ([P], P),
        ([P, N], P),
        ([P, I], I),
        ([P, N, I], I),
        ([P, F], F),
        ([I, F], F),
        ([N, F], F),
        ([F, I, P, N], F),
    ],
)
def test_the_verdict_is_derived_from_its_findings(outcomes: list[Outcome], verdict: Outcome) -> None:
    findings = tuple(Finding(rule=make_rule(), outcome=outcome, reason="r") for outcome in outcomes)
    assert Verdict(policy_id="p", policy_version="1", policy_sha256="0", findings=findings).outcome is verdict
    with pytest.raises(ValidationError):
        Verdict.model_validate(
            {"policy_id": "p", "policy_version": "1", "policy_sha256": "0", "findings": findings, "outcome": "PASSED"}
        )


def test_an_erasure_is_complete_when_it_was_checked_and_every_check_holds() -> None:
    assert make_erasure().complete
    assert not make_erasure(complete=False).complete
    assert not make_erasure().model_copy(update={"checks": ()}).complete
    assert make_erasure().model_copy(update={"checks": (ErasureCheck(check="c", holds=True, observed="o"),)}).complete


def test_a_case_must_say_what_was_not_assessed() -> None:
    with pytest.raises(ValidationError):
        make_case(not_assessed=())
    with pytest.raises(ValidationError):
        CaseRecord.model_validate(make_case().model_dump() | {"patient": "Jane Doe"})


def test_videos_are_counted_from_one() -> None:
    assert video_scope(1) == "video 1"
