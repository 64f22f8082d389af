"""`deid-audit policy`: list the shipped policies, show one, print its questions, compare two, check a file.

The result goes to standard output, errors to standard error with exit status 2.
"""

import shutil
import textwrap
from typing import Annotated, Any

import typer

from deid_audit.answers import RequiredAnswer, form_text
from deid_audit.cli.options import Json, print_json
from deid_audit.context import FIELDS, LONGEST_ANSWER
from deid_audit.findings import Policy, Rule
from deid_audit.policy import BOUND_WORDS, OPERATOR_WORDS, list_policies, load_policy
from deid_audit.policy_diff import Change, compare_policies

app = typer.Typer(name="policy", help="List, show, compare and check policies.", no_args_is_help=True)

_NARROWEST, _WIDEST = 40, 120


@app.command("list")
def list_command(as_json: Json = False) -> None:
    """The policies that come with deid-audit."""
    policies = list_policies()
    if as_json:
        _print_document("policy-list", policies=[_head(policy) for policy in policies])
        return
    rows = [("NAME", "VERSION", "RULES", "ANSWERS", "TITLE")]
    rows += [(one.id, one.version, str(len(one.rules)), str(len(one.answers)), one.title) for one in policies]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        typer.echo("  ".join((*cells, row[4])))


@app.command("show")
def show_command(
    policy: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A shipped policy's name, or a .toml file.")],
    as_json: Json = False,
) -> None:
    """One policy in full: every rule with its limit, every answer it requires, with reason and source."""
    loaded = load_policy(policy)
    if as_json:
        _print_document("policy-show", policy=loaded.model_dump(mode="json"))
        return
    typer.echo(f"{loaded.id}, version {loaded.version}\n{_wrapped(loaded.title)}\nsha256 {loaded.sha256}")
    for number, rule in enumerate(loaded.rules, start=1):
        typer.echo(f"\n{number:3}  {_rule_words(rule)} {rule.limit:g}")
        conditions = []
        if rule.bound != "value":
            conditions.append(f"{BOUND_WORDS[rule.bound]} is held against the limit")
        if rule.min_sample_size > 1:
            conditions.append(f"needs a sample of {rule.min_sample_size}")
        if rule.if_absent == "skip":
            conditions.append("rests where the original has nothing of the kind")
        if rule.if_missed == "indeterminate":
            conditions.append("a control: missed, it makes the verdict indeterminate")
        for text in (*conditions, rule.why, rule.source):
            typer.echo(_wrapped(text, indent=5))
    if loaded.answers:
        typer.echo(f"\n{_wrapped('Required answers of the steward (see: deid-audit policy questions)')}")
    for asked in loaded.answers:
        typer.echo(f"\n     {_answer_words(asked)}")
        for text in (FIELDS[asked.field].question, asked.why, asked.source):
            typer.echo(_wrapped(text, indent=5))


@app.command("questions")
def questions_command(
    policy: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A shipped policy's name, or a .toml file.")],
    as_json: Json = False,
) -> None:
    """The file for --context, to fill in: what the policy requires, and what can be answered besides.

    Answers are printed on the certificate and in the statement, which leave the house: no answer may name a patient.
    """
    loaded = load_policy(policy)
    if not as_json:
        typer.echo(form_text(loaded.id, loaded.answers), nl=False)
        return
    required = {one.field: one for one in loaded.answers}
    order = [*required, *(name for name in FIELDS if name not in required)]
    _print_document(
        "policy-questions", policy=_head(loaded), questions=[_question(name, required.get(name)) for name in order]
    )


@app.command("diff")
def diff_command(
    first: Annotated[str, typer.Argument(metavar="FIRST", help="A shipped policy's name, or a .toml file.")],
    second: Annotated[str, typer.Argument(metavar="SECOND", help="The policy to hold beside it.")],
    as_json: Json = False,
) -> None:
    """Two policies beside each other: rules and answers that only one has, changed limits and which is stricter.

    Exit status 0 whether they differ or not.
    """
    one, other = load_policy(first), load_policy(second)
    found = compare_policies(one, other)
    if as_json:
        _print_document(
            "policy-diff",
            first=_head(one),
            second=_head(other),
            same=found.same,
            only_first=[rule.model_dump(mode="json") for rule in found.only_first],
            only_second=[rule.model_dump(mode="json") for rule in found.only_second],
            changes=[_change(change) for change in found.changes],
            answers_only_first=[asked.model_dump(mode="json") for asked in found.answers_only_first],
            answers_only_second=[asked.model_dump(mode="json") for asked in found.answers_only_second],
            answers_changed=[
                {"field": here.field, "first": list(here.allowed), "second": list(there.allowed)}
                for here, there in found.answers_changed
            ],
        )
        return
    names = (f"{one.id} {one.version}", f"{other.id} {other.version}")
    if found.same:
        typer.echo(f"{names[0]} and {names[1]} ask for the same")
    for name, rules in zip(names, (found.only_first, found.only_second), strict=True):
        _section(f"only in {name}", [f"{_rule_words(rule)} {rule.limit:g}" for rule in rules])
    _section(f"differs: {names[0]} | {names[1]}", [_change_words(change, names) for change in found.changes])
    for name, answers in zip(names, (found.answers_only_first, found.answers_only_second), strict=True):
        _section(f"answers required only by {name}", [_answer_words(asked) for asked in answers])
    changed = [f"{_answer_words(here)} | {_answer_words(there)}" for here, there in found.answers_changed]
    _section(f"other answers accepted: {names[0]} | {names[1]}", changed)


@app.command("check")
def check_command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A policy file (.toml), or a shipped policy's name.")],
    as_json: Json = False,
) -> None:
    """Read a policy file as a run would; exit status 2 if it is not a policy."""
    loaded = load_policy(file)
    if as_json:
        _print_document("policy-check", ok=True, policy=_head(loaded))
        return
    answers = f", {len(loaded.answers)} required answers" if loaded.answers else ""
    counts = f"{len(loaded.rules)} rules{answers}"
    typer.echo(f"ok: {loaded.id}, version {loaded.version}, {counts}, sha256 {loaded.sha256}")


def _head(policy: Policy) -> dict[str, Any]:
    counts = {"rule_count": len(policy.rules), "answer_count": len(policy.answers)}
    return policy.model_dump(mode="json", exclude={"rules", "answers"}) | counts


def _question(name: str, required: RequiredAnswer | None) -> dict[str, Any]:
    field = FIELDS[name]
    return {
        "field": name,
        "question": field.question,
        "kind": field.kind,
        "allowed": list((required.allowed if required else ()) or field.choices),
        "longest": LONGEST_ANSWER,
        "required": required is not None,
        "why": required.why if required else None,
        "source": required.source if required else None,
    }


def _change(change: Change) -> dict[str, Any]:
    rule = change.rule
    names = {"metric": rule.metric, "of": rule.of, "op": rule.op, "key": change.key}
    return names | {"first": change.first, "second": change.second, "stricter": change.stricter}


def _change_words(change: Change, names: tuple[str, str]) -> str:
    words = _rule_words(change.rule) if change.key == "limit" else f"{_rule_words(change.rule)} ...: {change.key}"
    stricter = {"first": f"; {names[0]} is stricter", "second": f"; {names[1]} is stricter", "neither": ""}
    return f"{words} {_plain(change.first)} | {_plain(change.second)}{stricter[change.stricter]}"


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _rule_words(rule: Rule) -> str:
    return f"{rule.metric} of {rule.of}: {OPERATOR_WORDS[rule.op]}"


def _answer_words(asked: RequiredAnswer) -> str:
    return asked.field + (f": {' or '.join(asked.allowed)}" if asked.allowed else "")


def _section(title: str, lines: list[str]) -> None:
    if lines:
        typer.echo("\n".join([title, *(f"  {line}" for line in lines)]))


def _print_document(schema: str, **content: Any) -> None:
    document = {"schema": f"deid-audit/{schema}/v1", **content}
    print_json(document)


def _wrapped(text: str, indent: int = 0) -> str:
    width = min(max(shutil.get_terminal_size((_WIDEST, 24)).columns, _NARROWEST), _WIDEST)
    space = " " * indent
    return textwrap.fill(text, width, initial_indent=space, subsequent_indent=space)
