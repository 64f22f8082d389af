"""Read what is attached to a certificate's PDF: exactly one file, the statement, taken as bytes.

The objects come from pyHanko's reader; whether the PDF is signed is not asked here.
"""

from typing import Any

STATEMENT_NAME = "evidence.json"
_MAX_DEPTH = 8


def read_statement(root: Any) -> bytes:
    """The bytes of the one attachment, which must be called `evidence.json`; raises ValueError in words.

    Args:
        root: the PDF's document catalogue, of the revision to read.
    """
    names = root.get("/Names", {})
    specs = _leaves(names["/EmbeddedFiles"], 0) if "/EmbeddedFiles" in names else []
    if not specs:
        raise ValueError("no statement is attached")
    if len(specs) > 1:
        raise ValueError(f"{len(specs)} files are attached where exactly one is expected")
    spec = specs[0]
    called = {str(spec[key]) for key in ("/F", "/UF") if key in spec}
    if called != {STATEMENT_NAME}:
        raise ValueError(f"the attachment is not called {STATEMENT_NAME}")
    streams = {bytes(spec["/EF"][key].data) for key in spec["/EF"]}
    if len(streams) != 1:
        raise ValueError("the attachment has more than one content")
    return streams.pop()


def _leaves(node: Any, depth: int) -> list[Any]:
    """File specifications of a name tree (ISO 32000-1 7.9.6)."""
    if depth > _MAX_DEPTH:
        raise ValueError("the list of attachments is nested too deeply")
    specs = [node["/Names"][position] for position in range(1, len(node.get("/Names", ())), 2)]
    for position in range(len(node.get("/Kids", ()))):
        specs += _leaves(node["/Kids"][position], depth + 1)
    return specs
