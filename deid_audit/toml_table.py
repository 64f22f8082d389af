"""TOML as people write it by hand: what is wrong with a file is said in one line, for every kind of file alike."""

import re
import tomllib
from typing import Any

_BARE_KEY = re.compile(r"\s*\[*\s*([\w.-]+)")
_LONGEST = 80


class NotToml(ValueError):
    """The words say why; where a key is given twice they name it, and its line."""


def toml_table(data: bytes) -> dict[str, Any]:
    """The table in these bytes.

    Raises:
        NotToml: not UTF-8, not TOML, or nested more deeply than anybody writes.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise NotToml("not UTF-8 text") from None
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise NotToml("not TOML: nested too deeply") from None
    except ValueError as error:
        raise NotToml(_given_twice(text, str(error)) or f"not TOML: {error!s:.{_LONGEST}}") from None


def _given_twice(text: str, message: str) -> str:
    """The key that is there twice, which the reader does not name; empty for any other fault."""
    if "overwrite" not in message and "Cannot declare" not in message:
        return ""
    line = re.search(r"at line (\d+)", message)
    number = int(line[1]) if line else len(text.splitlines())
    key = _BARE_KEY.match(text.splitlines()[number - 1])
    return f"{key[1]}: given twice (line {number})" if key else ""
