"""Two policies beside each other: which rules only one has, which limits differ and which of the two is stricter.

Reads no file and judges nothing; for a board that must say what another policy would have asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from deid_audit.answers import RequiredAnswer
from deid_audit.findings import Policy, Rule

Stricter = Literal["first", "second", "neither"]
Value = str | int | float | bool | None
# Whether the first value asks for more than the second. What has no entry here is shown without a judgement.
_ASKS_MORE: dict[str, Callable[[Rule, Rule], bool]] = {
    "limit": lambda a, b: a.limit > b.limit if a.op in ("above", "at_least") else a.limit < b.limit,
    "min_sample_size": lambda a, b: a.min_sample_size > b.min_sample_size,
    "if_absent": lambda a, b: (a.if_absent, b.if_absent) == ("fail_closed", "skip"),
}
_NAMES = frozenset({"metric", "of", "op", "bound"})  # what makes two rules the same rule
_WORDS = frozenset({"why", "source"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that two rules of the same metric, `of`, `op` and `bound` say differently."""

    rule: Rule
    key: str
    first: Value
    second: Value
    stricter: Stricter


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDiff:
    """What only one of two policies asks for, and what both ask for differently."""

    only_first: tuple[Rule, ...]
    only_second: tuple[Rule, ...]
    changes: tuple[Change, ...]
    answers_only_first: tuple[RequiredAnswer, ...]
    answers_only_second: tuple[RequiredAnswer, ...]
    answers_changed: tuple[tuple[RequiredAnswer, RequiredAnswer], ...]

    @property
    def same(self) -> bool:
        """Whether both ask for the same, in whatever words."""
        return not any(
            (self.only_first, self.only_second, self.changes, self.answers_only_first, self.answers_only_second,
             self.answers_changed)
        )  # fmt: skip


def compare_policies(first: Policy, second: Policy) -> PolicyDiff:
    """Rules are the same when metric, `of`, `op` and `bound` are; reasons and sources are words and not compared."""
    ones, others = (
        {(rule.metric, rule.of, rule.op, rule.bound): rule for rule in policy.rules} for policy in (first, second)
    )
    asks, asks_too = ({one.field: one for one in policy.answers} for policy in (first, second))
    return PolicyDiff(
        only_first=tuple(rule for key, rule in ones.items() if key not in others),
        only_second=tuple(rule for key, rule in others.items() if key not in ones),
        changes=tuple(change for key, rule in ones.items() if key in others for change in _changes(rule, others[key])),
        answers_only_first=tuple(one for name, one in asks.items() if name not in asks_too),
        answers_only_second=tuple(one for name, one in asks_too.items() if name not in asks),
        answers_changed=tuple(
            (one, asks_too[name])
            for name, one in asks.items()
            if name in asks_too and set(one.allowed) != set(asks_too[name].allowed)
        ),
    )


def _changes(first: Rule, second: Rule) -> list[Change]:
    found = []
    for key in Rule.model_fields.keys() - _NAMES - _WORDS:
        here, there = getattr(first, key), getattr(second, key)
        if here == there:
            continue
        asks_more = _ASKS_MORE.get(key)
        stricter: Stricter = "neither"
        if asks_more is not None:
            stricter = "first" if asks_more(first, second) else "second"
        found.append(Change(rule=first, key=key, first=here, second=there, stricter=stricter))
    return sorted(found, key=lambda change: list(Rule.model_fields).index(change.key))
