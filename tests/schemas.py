"""JSON documents against the schemas of docs/schemas; what one schema says of another is found there too, offline."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "schemas"
SCHEMAS: dict[str, Any] = {
    path.name.removesuffix(".schema.json").rpartition("-v")[0]: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted(FOLDER.iterdir())
}
REGISTRY: Registry[Any] = Registry().with_resources(
    (schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values()
)


@cache
def validator(name: str) -> Draft202012Validator:
    """What holds a document against the schema of this name: `run`, `policy-list`, `statement`."""
    Draft202012Validator.check_schema(SCHEMAS[name])
    return Draft202012Validator(SCHEMAS[name], registry=REGISTRY)


def schema_of(document: Any) -> str:
    """The name of the schema that a document claims; a signed statement has a name of its own."""
    if "_type" in document:
        return "dataset-statement" if "dataset" in document["predicateType"] else "statement"
    maker, name, version = document["schema"].split("/")
    assert maker == "deid-audit" and SCHEMAS[name]["$id"] == f"urn:deid-audit:schema:{name}:{version}"
    return str(name)


def assert_fits(document: Any) -> None:
    """The document is what its schema says, key by key."""
    fault = best_match(validator(schema_of(document)).iter_errors(document))
    assert fault is None, f"{fault.json_path}: {fault.message}"


def document_in(text: str) -> Any:
    """The one JSON document that is the whole of a command's standard output, or of a statement; it fits its schema."""
    document = json.loads(text)
    assert_fits(document)
    return document
