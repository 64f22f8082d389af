"""`deid-audit policy`: list the shipped policies, show one in full, check a file of one's own.

The result goes to standard output, errors to standard error with exit status 2.
"""

import shutil
import textwrap
from typing import Annotated, Any

import typer

from deid_audit.cli.options import Json, print_json
from deid_audit.findings import Policy
from deid_audit.policy import BOUND_WORDS, OPERATOR_WORDS, list_policies, load_policy

app = typer.Typer(name="policy", help="List, show and check policies.", no_args_is_help=True)

_NARROWEST, _WIDEST = 40, 120


@app.command("list")
def list_command(as_json: Json = False) -> None:
    """The policies that come with deid-audit."""
    policies = list_policies()
    if as_json:
        _print_document("policy-list", policies=[_head(policy) for policy in policies])
        return
    rows = [("NAME", "VERSION", "RULES", "TITLE")]
    rows += [(policy.id, policy.version, str(len(policy.rules)), policy.title) for policy in policies]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        typer.echo("  ".join((*cells, row[3])))


@app.command("show")
def show_command(
    policy: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A shipped policy's name, or a .toml file.")],
    as_json: Json = False,
) -> None:
    """One policy in full: every rule with its limit, why it is there and where it comes from."""
    loaded = load_policy(policy)
    if as_json:
        _print_document("policy-show", policy=loaded.model_dump(mode="json"))
        return
    typer.echo(f"{loaded.id}, version {loaded.version}\n{_wrapped(loaded.title)}\nsha256 {loaded.sha256}")
    for number, rule in enumerate(loaded.rules, start=1):
        typer.echo(f"\n{number:3}  {rule.metric} of {rule.of}: {OPERATOR_WORDS[rule.op]} {rule.limit:g}")
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
    typer.echo(f"ok: {loaded.id}, version {loaded.version}, {len(loaded.rules)} rules, sha256 {loaded.sha256}")


def _head(policy: Policy) -> dict[str, Any]:
    return policy.model_dump(mode="json", exclude={"rules"}) | {"rule_count": len(policy.rules)}


def _print_document(schema: str, **content: Any) -> None:
    document = {"schema": f"deid-audit/{schema}/v1", **content}
    print_json(document)


def _wrapped(text: str, indent: int = 0) -> str:
    width = min(max(shutil.get_terminal_size((_WIDEST, 24)).columns, _NARROWEST), _WIDEST)
    space = " " * indent
    return textwrap.fill(text, width, initial_indent=space, subsequent_indent=space)
