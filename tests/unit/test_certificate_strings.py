"""The certificate's words stand in one place: the templates hold none of their own, and none is left over."""

import re
import string
from pathlib import Path

import pytest

from deid_audit.certificate import strings
from deid_audit.dataset import pages
from deid_audit.resources import resource_dir

# The review's pages are no part of a certificate: a steward reads them once, on this machine.
_TEMPLATES = sorted(path for path in resource_dir("templates").rglob("*.j2") if path.parent.name != "review")
_CODE = [*sorted(Path(strings.__file__).parents[1].glob("*.py")), Path(pages.__file__)]
_JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_READ_ALOUD = re.compile(r"(?:alt|title|data-[a-z]+)=\"([^\"]*)\"")


def own_words(template: str) -> list[str]:
    """Runs of letters that a reader would see and that come from no expression: texts and attributes that are read."""
    bare = _JINJA.sub("", template)
    shown = " ".join([re.sub(r"<!?[^<>]*>", " ", bare), *_READ_ALOUD.findall(bare)])
    return re.findall(r"[^\W\d_]{3,}", shown)


@pytest.mark.parametrize("path", _TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_words_of_its_own(path: Path) -> None:
    assert own_words(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "template",
    ["<p>See below.</p>", '<img alt="A curve">', '<a data-page=", page {{ x }}">', "{% if x %}Hold{% endif %}"],
)
def test_words_of_its_own_would_be_seen(template: str) -> None:
    assert own_words(template)


def test_every_string_is_used_and_every_one_that_is_used_is_there() -> None:
    templates = "".join(path.read_text(encoding="utf-8") for path in _TEMPLATES)
    code = "".join(path.read_text(encoding="utf-8") for path in _CODE)
    of_pages = set(re.findall(r"\btext\.(\w+)", templates)) | quoted("TEXT", code)
    assert of_pages - {"format"} == set(strings.TEXT)
    assert set(re.findall(r"\breport\.(\w+)", templates)) - {"html"} | quoted("REPORT", code) == set(strings.REPORT)
    assert set(re.findall(r"\bof_set\.(\w+)", templates)) | quoted("DATA_SET", code) == set(strings.DATA_SET)
    assert set(re.findall(r"\"(\w+)\"", code)) >= set(strings.TABLES) >= quoted("TABLES", code)
    assert set(strings.ANNEXES) == {
        path.name.removesuffix(".html.j2") for path in _TEMPLATES if "annexes" in path.parts
    }


def quoted(name: str, code: str) -> set[str]:
    """Keys of a table of strings that the code names: all the words in quotes within its brackets."""
    return {key for inside in re.findall(rf"\b{name}\[([^\]]*)\]", code) for key in re.findall(r"\"(\w+)\"", inside)}


def test_no_string_is_empty_and_every_gap_in_one_has_a_name() -> None:
    for table in (strings.TEXT, strings.TABLES, strings.REPORT, strings.DATA_SET):
        for key, words in table.items():
            assert words, key
            assert all(name != "" for _, name, _, _ in string.Formatter().parse(words) if name is not None), key
