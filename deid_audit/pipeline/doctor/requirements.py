"""What the installed deid-audit asks for, read from what pip wrote down, and whether a version is within it.

Knows the three operators that pyproject.toml uses; another one is an error, not a guess.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from itertools import zip_longest

_OPERATORS: dict[str, Callable[[int, int], bool]] = {"==": operator.eq, ">=": operator.ge, "<": operator.lt}
_LINE = re.compile(r"([A-Za-z0-9._-]+)(?:\[[a-z0-9,_-]+\])?((?:[<>=!~]+[\d.]+,?)*)")  # its own extras do not count
_BOUND = re.compile(r"([<>=!~]+)([\d.]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One library by its name and its bounds as written (`>=0.38,<0.39`)."""

    name: str
    bounds: str

    def __str__(self) -> str:
        return f"{self.name}{self.bounds}"

    def met_by(self, found: str) -> bool:
        """Whether a version is within all bounds; a build's own mark (`+cpu`) does not count."""
        return all(_OPERATORS[sign](_compare(found, limit), 0) for sign, limit in _BOUND.findall(self.bounds))


def _compare(found: str, limit: str) -> int:
    """-1, 0 or 1 by the numbers of both versions; missing ones are 0.

    >>> _compare("0.38.1", "0.39"), _compare("2.13.0+cpu", "2.13"), _compare("10.0", "9.9")
    (-1, 0, 1)
    """
    ours, theirs = ([int(part) for part in re.findall(r"\d+", one.partition("+")[0])] for one in (found, limit))
    for a, b in zip_longest(ours, theirs, fillvalue=0):
        if a != b:
            return 1 if a > b else -1
    return 0


def parse(line: str) -> Requirement:
    """A requirement as pip wrote it down, without a condition; ValueError for a form that is not known."""
    match = _LINE.fullmatch(line.replace(" ", ""))
    if match is None or any(sign not in _OPERATORS for sign, _ in _BOUND.findall(match[2])):
        raise ValueError("a requirement of deid-audit is of an unknown form")
    return Requirement(name=match[1], bounds=match[2])


def asked_for(extra: str = "") -> dict[str, Requirement]:
    """By name, what deid-audit needs to work, or what one of its extras adds; development tools are an extra, too.

    >>> "numpy" in asked_for(), "pytest" in asked_for(), "pytest" in asked_for("dev")
    (True, False, True)
    """
    wanted = f"extra=='{extra}'" if extra else ""
    lines = (line.replace('"', "'").replace(" ", "").partition(";") for line in requires("deid-audit") or ())
    needed = (parse(line) for line, _, condition in lines if condition == wanted)
    return {one.name: one for one in needed}


def installed(name: str) -> str | None:
    """The version of a distribution, None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
