"""Writes the parts of the documents that repeat the code: tables of metrics, commands, models, policies.

Run it after such a change: `.venv/bin/python scripts/write_docs.py`. Everything between `<!-- generated: NAME -->` and
`<!-- /generated: NAME -->` is replaced; a test fails while a document and the code differ. Reads the working tree, not
the installed package; loads no model and no heavy library.
"""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (
    "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md",
    "docs/commands.md", "docs/json.md", "docs/metrics.md",
)  # fmt: skip
_BLOCK = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- /generated: \2 -->)", re.DOTALL)
_GROUPS = {
    "identity": "Identity: Table 1 of the paper, its tails and its ROC",
    "keypoints": "Posture: Table 2 of the paper",
    "expression": "Expression",
    "motion": "Fast movement",
    "coverage": "Coverage: every decoded frame has one state",
    "residue": "Residue: what is left in the written file",
    "erasure": "Erasure",
}


def refreshed(text: str) -> str:
    """The document with every generated block as the code has it now; KeyError for a block nobody generates."""
    return _BLOCK.sub(lambda block: f"{block[1]}{BUILDERS[block[2]]().strip()}\n{block[3]}", text)


def metrics() -> str:
    """One table a family, from `catalog.METRICS`."""
    from deid_audit.catalog import METRICS  # noqa: PLC0415

    parts: list[str] = []
    for family, title in _GROUPS.items():
        rows = [
            (f"`{m.name}`", m.title, m.unit or "–", _range(m.low, m.high), _better(m.higher_is_better),
             m.reference, m.not_computable_when)
            for m in METRICS.values() if m.name.split(".")[0] == family
        ]  # fmt: skip
        head = ("metric", "what it is", "unit", "range", "better", "source", "no value when")
        parts += [f"## {title}", _table(head, rows)]
    return "\n\n".join(parts)


def commands() -> str:
    """Every command with its arguments and options, from the command line itself."""
    return "\n\n".join(_command(path, command) for path, command in leaf_commands())


def leaf_commands() -> Iterator[tuple[str, Any]]:
    """(`deid-audit policy list`, its command object) for every command that can be run."""
    import typer  # noqa: PLC0415

    from deid_audit.__main__ import build_app  # noqa: PLC0415

    def walk(path: str, command: Any) -> Iterator[tuple[str, Any]]:
        below = getattr(command, "commands", None)
        if below is None:
            yield path, command
            return
        for name, sub in below.items():
            yield from walk(f"{path} {name}", sub)

    return walk("deid-audit", typer.main.get_command(build_app()))


def models() -> str:
    """The model files of others that take part, from `vision.models`."""
    from deid_audit.vision.models import ALL_MODELS  # noqa: PLC0415

    rows = [(f"`{m.name}`", f"`{m.package.replace('_', '-')}`", m.licence, m.used_for) for m in ALL_MODELS]
    return _table(("model", "comes with", "licence", "used for"), rows)


def policies() -> str:
    """The shipped policies, from `policies/*.toml`."""
    from deid_audit.policy import list_policies  # noqa: PLC0415

    rows = [(f"`{p.id}`", p.version, str(len(p.rules)), p.title) for p in list_policies()]
    return _table(("policy", "version", "rules", "what it asks for"), rows)


def exit_statuses() -> str:
    """The one table of exit statuses, from `cli.frame`."""
    from deid_audit.cli.frame import EXIT_STATUSES  # noqa: PLC0415

    return _table(("status", "meaning"), [(f"`{number}`", words) for number, words in EXIT_STATUSES])


def checks() -> str:
    """What `deid-audit verify` checks, in order, from `pipeline.verify`."""
    from deid_audit.pipeline.verify import CHECKS  # noqa: PLC0415

    return _table(("check", "holds when"), [(f"`{name}`", words) for name, words in CHECKS.items()])


BUILDERS: dict[str, Callable[[], str]] = {
    "metrics": metrics,
    "commands": commands,
    "models": models,
    "policies": policies,
    "exit-statuses": exit_statuses,
    "checks": checks,
}


def _command(path: str, command: Any) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    usage = [path, *(one.metavar for one in arguments)]
    usage += [f"{one.opts[0]} {one.metavar}" for one in options if one.required]
    rows = [(f"`{one.metavar}`", one.help, "required") for one in arguments]
    rows += [(_option(one), one.help, _default(one)) for one in options]
    table = _table(("option", "meaning", "default"), rows)
    return f"## `{path}`\n\n{command.help}\n\n```\n{' '.join(usage)} [OPTIONS]\n```\n\n{table}"


def _option(option: Any) -> str:
    value = "" if option.is_flag else f" {option.metavar or option.name.upper()}"
    return f"`{option.opts[0]}{value}`" + (" (repeatable)" if option.multiple else "")


def _default(option: Any) -> str:
    if option.required:
        return "required"
    return "–" if option.default is None or option.is_flag else f"`{option.default}`"


def _range(low: float, high: float | None) -> str:
    return f"from {low:g}" if high is None else f"{low:g} to {high:g}"


def _better(higher_is_better: bool | None) -> str:
    return {True: "higher", False: "lower", None: "–"}[higher_is_better]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def main() -> None:
    """Rewrites what differs and says which documents it was."""
    sys.path.insert(0, str(ROOT))
    for name in DOCUMENTS:
        path = ROOT / name
        before = path.read_text(encoding="utf-8")
        after = refreshed(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(f"{name}: written")


if __name__ == "__main__":
    main()
