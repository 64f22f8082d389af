"""Two policies beside each other: every kind of difference, and which of the two asks for more."""

from typing import Any

import pytest

from deid_audit import policy_diff
from deid_audit.answers import RequiredAnswer
from deid_audit.findings import Policy, Rule
from deid_audit.policy import list_policies
from deid_audit.policy_diff import compare_policies
from tests.fakes import make_policy, make_rule


def policy(*rules: Rule, answers: tuple[RequiredAnswer, ...] = ()) -> Policy:
    return make_policy(rules or (make_rule(),)).model_copy(update={"answers": answers})


@pytest.mark.parametrize(
    ("op", "first", "second", "stricter"),
    [
        ("above", 0.7, 0.6, "first"),
        ("above", 0.6, 0.7, "second"),
        ("at_least", 0.7, 0.6, "first"),
        ("below", 0.5, 0.6, "first"),
        ("at_most", 0.7, 0.6, "second"),
    ],
)
def test_a_limit_is_stricter_in_the_direction_of_its_rule(op: str, first: float, second: float, stricter: str) -> None:
    [change] = compare_policies(policy(make_rule(op=op, limit=first)), policy(make_rule(op=op, limit=second))).changes
    assert (change.key, change.first, change.second, change.stricter) == ("limit", first, second, stricter)


@pytest.mark.parametrize(
    ("here", "there", "key", "stricter"),
    [
        ({"min_sample_size": 9}, {}, "min_sample_size", "first"),
        ({"if_absent": "skip"}, {}, "if_absent", "second"),
        ({}, {"if_absent": "skip"}, "if_absent", "first"),
    ],
)
def test_a_condition_can_be_stricter_too(here: Any, there: Any, key: str, stricter: str) -> None:
    [change] = compare_policies(policy(make_rule(**here)), policy(make_rule(**there))).changes
    assert (change.key, change.stricter) == (key, stricter)


def test_of_what_cannot_be_ordered_neither_is_stricter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(policy_diff._ASKS_MORE, "if_absent")
    [change] = compare_policies(policy(make_rule(if_absent="skip")), policy(make_rule())).changes
    assert (change.key, change.stricter) == ("if_absent", "neither")


def test_another_metric_side_or_operator_is_another_rule() -> None:
    rules = (make_rule(op="below"), make_rule(of="masked"), make_rule("identity.to_original.p01"))
    found = compare_policies(policy(), policy(*rules))
    assert found.only_first == (make_rule(),) and found.only_second == rules and not found.changes and not found.same


def test_answers_are_compared_by_name_and_by_what_is_accepted() -> None:
    def asked(field: str, *allowed: str) -> RequiredAnswer:
        return RequiredAnswer(field=field, allowed=allowed, why="because", source="tests")

    here = (asked("recipient"), asked("release_tier", "enclave", "registered"), asked("claim_basis", "consent"))
    there = (asked("reviewer"), asked("release_tier", "registered", "enclave"), asked("claim_basis"))
    found = compare_policies(policy(answers=here), policy(answers=there))
    assert found.answers_only_first == (here[0],) and found.answers_only_second == (there[0],)
    assert found.answers_changed == ((here[2], there[2]),)
    assert not found.same


def test_words_are_not_compared_and_every_policy_asks_for_what_it_asks() -> None:
    assert compare_policies(policy(make_rule(why="a", source="b")), policy()).same
    for one in list_policies():
        assert compare_policies(one, one).same
