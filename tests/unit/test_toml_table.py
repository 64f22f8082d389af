"""What is wrong with a TOML file, in one line: for every kind of file alike."""

import pytest

from deid_audit.toml_table import NotToml, toml_table


def test_a_table_is_read() -> None:
    assert toml_table(b'title = "T"\n[roles]\nchair = 1\n') == {"title": "T", "roles": {"chair": 1}}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff\xfe", "not UTF-8 text"),
        (b"limit = ", "not TOML: Invalid value"),
        (b"x = " + b"[" * 5000, "not TOML: nested too deeply"),
        (b"limit = 1\n\nlimit = 2\n", "limit: given twice (line 3)"),
        (b"limit = 1\nlimit = 2", "limit: given twice (line 2)"),
        (b"[roles]\nchair = 1\n[roles]\n", "roles: given twice (line 3)"),
        (b'"Jane Doe" = 1\n"Jane Doe" = 2\n', "not TOML: Cannot overwrite a value"),
        (b"x" * 5000, "not TOML: "),
    ],
)
def test_any_other_file_is_refused_in_one_short_line(data: bytes, words: str) -> None:
    with pytest.raises(NotToml) as caught:
        toml_table(data)
    said = str(caught.value)
    assert said.startswith(words) and len(said) < 120 and "\n" not in said and "Jane" not in said
