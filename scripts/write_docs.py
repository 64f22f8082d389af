"""Writes the parts of the documents that repeat the code: tables of metrics, commands, models, policies; two schemas.

Run it after such a change: `.venv/bin/python scripts/write_docs.py`. Everything between `<!-- generated: NAME -->` and
`<!-- /generated: NAME -->` is replaced, and the files of `SCHEMAS` as a whole; a test fails while a document and the
code differ. Reads the working tree, not the installed package; loads no model and no heavy library.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
DOCUMENTS = (
    "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md",
    "docs/commands.md", "docs/c2pa.md", "docs/datasets.md", "docs/decisions.md", "docs/exam_measures.md",
    "docs/formats.md", "docs/json.md", "docs/metrics.md", "docs/motion.md", "docs/picture.md", "docs/report.md",
    "docs/review.md", "docs/scaling.md", "docs/trust.md", "docs/viewer_test.md", "docs/voice.md",
)  # fmt: skip
_BLOCK = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- /generated: \2 -->)", re.DOTALL)
_GROUPS = {
    "identity": "Identity: Table 1 of the paper, its tails and its ROC",
    "control": "Controls: what must hold before the rest says anything",
    "attack": "Attacks on identity, each with a gallery of the subject and strangers",
    "keypoints": "Posture: Table 2 of the paper",
    "expression": "Expression",
    "motion": "Fast movement",
    "exam": "What an examination shows",
    "quality": "Appearance: what the swapped face must not do",
    "coverage": "Coverage: every decoded frame has one state",
    "residue": "Residue: what is left in the written file",
    "text": "Text in the picture",
    "voice": "Voice: the sound of the released file",
    "audit": "The audit itself: what it would have seen",
    "review": "Review: people who looked",
    "erasure": "Erasure",
    "viewers": "Recognition by people, in a test after the release",
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
             m.reference, m.not_computable_when, m.no_interval or "by drawing clusters")
            for m in METRICS.values() if m.name.split(".")[0] == family
        ]  # fmt: skip
        head = ("metric", "what it is", "unit", "range", "better", "source", "no value when", "interval")
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

    rows = [(f"`{p.id}`", p.version, _count(p), p.title) for p in list_policies()]
    return _table(("policy", "version", "rules", "what it asks for"), rows)


def _count(policy: Any) -> str:
    answers = f" + {len(policy.answers)} answers" if policy.answers else ""
    return f"{len(policy.rules)}{answers}"


def exit_statuses() -> str:
    """The one table of exit statuses, from `cli.frame`."""
    from deid_audit.cli.frame import EXIT_STATUSES  # noqa: PLC0415

    return _table(("status", "meaning"), [(f"`{number}`", words) for number, words in EXIT_STATUSES])


def checks() -> str:
    """What `deid-audit verify` checks, in order, from `pipeline.checks`."""
    from deid_audit.pipeline.checks import CHECKS  # noqa: PLC0415

    return _table(("check", "holds when"), [(f"`{name}`", words) for name, words in CHECKS.items()])


BUILDERS: dict[str, Callable[[], str]] = {
    "metrics": metrics,
    "commands": commands,
    "models": models,
    "policies": policies,
    "exit-statuses": exit_statuses,
    "checks": checks,
}


def findings_schema() -> dict[str, Any]:
    """The parts that the commands' documents share, from `findings`; each document's own schema refers to them."""
    from deid_audit.answers import AnswerFinding  # noqa: PLC0415
    from deid_audit.findings import Explanation, Policy, SignerInfo, StageProfile, TextRegion  # noqa: PLC0415

    return {
        "$schema": _DRAFT,
        "$id": "urn:deid-audit:schema:findings:v1",
        "title": "Parts of JSON documents",
        "description": "What several commands print: findings, rules, policies, answers, explanations, signers.",
        "$defs": _definitions(Explanation, Policy, SignerInfo, AnswerFinding, StageProfile, TextRegion),
    }


def statement_schema() -> dict[str, Any]:
    """The signed statement, from `findings` and `evidence`; complete in itself, for whoever reads it years later."""
    from deid_audit.evidence import PREDICATE_TYPE  # noqa: PLC0415
    from deid_audit.findings import CaseRecord  # noqa: PLC0415

    definitions = _definitions(CaseRecord)
    predicate = definitions.pop("CaseRecord")
    result = {"$ref": "#/$defs/Outcome", "description": "The verdict, as it follows from the findings."}
    predicate["properties"]["verificationResult"] = result
    predicate["required"].append("verificationResult")
    statement = _in_toto(
        "evidence.json, exactly the bytes that are attached to the certificate and signed.",
        ("Path of the file in its folder.", "One file that the statement is about."),
        "The released or withheld files.",
        (PREDICATE_TYPE, predicate),
    )
    head = {"$schema": _DRAFT, "$id": "urn:deid-audit:schema:statement:v1", "title": "The signed statement"}
    return {**head, **statement, "$defs": definitions}


def _in_toto(said: str, one_of: tuple[str, str], all_of: str, predicate: tuple[str, Any]) -> dict[str, Any]:
    """An in-toto statement: words for it, for a subject's name, one subject and all; type and predicate."""
    from deid_audit.evidence import STATEMENT_TYPE  # noqa: PLC0415

    digest = _object("Digests of the file.", sha256={"type": "string", "description": "SHA-256 of the file, hex."})
    name = {"type": "string", "description": one_of[0]}
    return _object(
        said,
        _type={"const": STATEMENT_TYPE, "description": "An in-toto Statement v1."},
        subject={"type": "array", "items": _object(one_of[1], name=name, digest=digest), "description": all_of},
        predicateType={"const": predicate[0], "description": "What the predicate is."},
        predicate=predicate[1],
    )


def set_statement_schema() -> dict[str, Any]:
    """The signed statement of a data set, from `dataset.record`."""
    from deid_audit.dataset.record import PREDICATE_TYPE, DataSetRecord  # noqa: PLC0415

    definitions = _definitions(DataSetRecord)
    statement = _in_toto(
        "dataset.json, exactly the bytes that are signed in dataset.dsse.json.",
        ("Name of the manifest.", "One manifest of the package."),
        "The package's manifests.",
        (PREDICATE_TYPE, definitions.pop("DataSetRecord")),
    )
    head = {"$schema": _DRAFT, "$id": "urn:deid-audit:schema:dataset-statement:v1", "title": "A data set's statement"}
    return {**head, **statement, "$defs": definitions}


def status_schema() -> dict[str, Any]:
    """What is signed in a status file, from `status`."""
    from deid_audit.status import Withdrawal  # noqa: PLC0415

    [model] = _definitions(Withdrawal).values()
    head = {"$schema": _DRAFT, "$id": "urn:deid-audit:schema:status:v1", "title": "A status file's payload"}
    return {**model, **head, "description": "What became of a certificate, as it is signed in status.dsse.json."}


def data_set_schema(command: str) -> dict[str, Any]:
    """What a command on data sets prints, from `dataset.documents`; all that it consists of is in the one file."""
    from deid_audit.dataset import documents  # noqa: PLC0415

    model = documents.BY_COMMAND[command]
    definitions = _definitions(model)
    head = {"$schema": _DRAFT, "$id": f"urn:deid-audit:schema:{command}:v1"}
    title = {"title": "deid-audit " + command.replace("-", " ", 1)}
    return {**head, **title, **definitions.pop(model.__name__), **({"$defs": definitions} if definitions else {})}


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    **{
        f"docs/schemas/{command}-v1.schema.json": partial(data_set_schema, command)
        for command in ("dataset-init", "dataset-check", "dataset-run", "verify-set")
    },
    "docs/schemas/findings-v1.schema.json": findings_schema,
    "docs/schemas/statement-v1.schema.json": statement_schema,
    "docs/schemas/status-v1.schema.json": status_schema,
    "docs/schemas/dataset-statement-v1.schema.json": set_statement_schema,
}


def schema_text(schema: dict[str, Any]) -> str:
    """A schema as it stands in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _definitions(*models: Any) -> dict[str, Any]:
    """The models and all they consist of, as they are written: every key is there, so none has a default."""
    from pydantic.json_schema import GenerateJsonSchema, models_json_schema  # noqa: PLC0415

    class Written(GenerateJsonSchema):
        def field_title_should_be_set(self, schema: Any) -> bool:
            return False

        def field_is_required(self, field: Any, total: bool) -> bool:
            return True

        def default_schema(self, schema: Any) -> dict[str, Any]:
            return self.generate_inner(schema["schema"])

    _, found = models_json_schema([(one, "serialization") for one in models], schema_generator=Written)
    definitions: dict[str, Any] = found["$defs"]
    return definitions


def _object(description: str, **properties: Any) -> dict[str, Any]:
    """A closed object that has every one of these keys."""
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
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
    """Rewrites what differs and says which files it was."""
    sys.path.insert(0, str(ROOT))
    texts = {name: refreshed((ROOT / name).read_text(encoding="utf-8")) for name in DOCUMENTS}
    texts |= {name: schema_text(build()) for name, build in SCHEMAS.items()}
    for name, text in texts.items():
        path = ROOT / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"{name}: written")


if __name__ == "__main__":
    main()
