"""The documents say what the code does: tables, commands, policies, files, constants, links. Each check can fail."""

import ast
import importlib.util
import re
import shlex
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from deid_audit import __version__, catalog
from deid_audit.__main__ import build_app
from deid_audit.attestation import ATTESTATION_FILE
from deid_audit.certificate.strings import TEXT
from deid_audit.evidence import STATEMENT_FILE
from deid_audit.findings import Outcome, Rule
from deid_audit.ledger import LedgerFrame
from deid_audit.pipeline import issuing, packaging
from deid_audit.pipeline.reporting import REPORT_FILE
from deid_audit.policy import OPERATOR_WORDS, list_policies
from deid_audit.vision import models
from tests.unit.certificates import figures

ROOT = Path(__file__).resolve().parents[2]


def _writer() -> ModuleType:
    """scripts/write_docs.py, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("write_docs", ROOT / "scripts" / "write_docs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


writer = _writer()
DOCUMENTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in writer.DOCUMENTS}
README = DOCUMENTS["README.md"]
SOURCES = [path for part in ("deid_audit", "tests", "scripts") for path in (ROOT / part).rglob("*.py")]
each_document = pytest.mark.parametrize("name", DOCUMENTS)


def code_spans(text: str) -> list[str]:
    """Inline code of a Markdown text, fenced blocks left out."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def fenced(text: str, language: str = r"\w*") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


# -- tables written from the code ------------------------------------------------------------------------------------


@each_document
def test_generated_tables_are_those_of_the_code(name: str) -> None:
    text = DOCUMENTS[name]
    assert writer.refreshed(text) == text, f"{name} and the code differ; run: python scripts/write_docs.py"


def test_every_table_stands_where_it_belongs() -> None:
    found = {name: re.findall(r"<!-- generated: ([a-z-]+) -->", text) for name, text in DOCUMENTS.items()}
    assert {name: blocks for name, blocks in found.items() if blocks} == {
        "README.md": ["policies", "models"],
        "docs/commands.md": ["exit-statuses", "commands"],
        "docs/json.md": ["checks"],
        "docs/metrics.md": ["metrics"],
    }


def test_a_changed_catalogue_a_lost_model_and_an_edited_table_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    text = DOCUMENTS["docs/metrics.md"]
    edited = text.replace("`keypoints.ap95`", "`keypoints.ap96`")
    assert writer.refreshed(edited) == text != edited
    name, row = next(iter(catalog.METRICS.items()))
    monkeypatch.setitem(catalog.METRICS, f"{name}2", row)
    assert writer.refreshed(text) != text
    monkeypatch.setattr(models, "ALL_MODELS", models.ALL_MODELS[1:])
    assert writer.refreshed(README) != README
    with pytest.raises(KeyError):
        writer.refreshed("<!-- generated: nobody -->\n<!-- /generated: nobody -->")


def test_every_metric_has_its_row() -> None:
    rows = set(re.findall(r"^\| `([a-z0-9_.]+)` \|", DOCUMENTS["docs/metrics.md"], flags=re.MULTILINE))
    assert rows == set(catalog.METRICS)


# -- commands --------------------------------------------------------------------------------------------------------


def complaint(line: str) -> str:
    """What is wrong with a `deid-audit ...` command line; empty when such a command and its options exist."""
    command: Any = typer.main.get_command(build_app())
    words = shlex.split(line)[1:]
    while (below := getattr(command, "commands", None)) and words and not words[0].startswith("-"):
        if words[0] not in below:
            return f"no command {words[0]!r}"
        command = below[words.pop(0)]
    known = {"--help", *(option for one in command.params for option in one.opts)}
    for word in words:
        if word.startswith("--") and word.partition("=")[0] not in known:
            return f"no option {word!r}"
    shipped = [policy.id for policy in list_policies()]
    for before, word in zip(["", *words], words, strict=False):
        named = before == "--policy" or (command.name == "show" and not word.startswith("-"))
        placeholder = word in ("NAME", "NAME|FILE", "[OPTIONS]")
        if named and not placeholder and word not in shipped and not word.endswith(".toml"):
            return f"no policy {word!r}"
    return ""


def command_lines(text: str) -> list[str]:
    lines = [line.split("   #")[0] for block in fenced(text) for line in block.splitlines()]
    return [line for line in (*lines, *code_spans(text)) if re.match(r"deid-audit\s", line)]


@each_document
def test_every_command_that_a_document_names_exists(name: str) -> None:
    wrong = {line: complaint(line) for line in command_lines(DOCUMENTS[name]) if complaint(line)}
    assert not wrong


def test_the_commands_printed_for_others_exist() -> None:
    printed = [words for name, words in TEXT.items() if name.endswith("_command")]
    words = (ROOT / "templates" / "VERIFY.txt").read_text(encoding="utf-8")
    handed_on = [
        re.findall(r"^ +(deid-audit .*)", text, flags=re.MULTILINE) for text in (packaging._README_TEXT, words)
    ]
    assert all(handed_on) and printed
    lines = [*(one for one in printed if one.startswith("deid-audit")), *handed_on[0], *handed_on[1]]
    assert [complaint(line) for line in lines] == [""] * len(lines)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("deid-audit anonymise case.pdf", "no command 'anonymise'"),
        ("deid-audit policy remove", "no command 'remove'"),
        ("deid-audit run --anonymise", "no option '--anonymise'"),
        ("deid-audit verify a.pdf --json --force", "no option '--force'"),
        ("deid-audit run --policy lenient", "no policy 'lenient'"),
        ("deid-audit policy show lenient", "no policy 'lenient'"),
        ("deid-audit policy show release --json", ""),
        ("deid-audit run --policy mine.toml", ""),
    ],
)
def test_a_command_that_does_not_exist_is_noticed(line: str, said: str) -> None:
    assert complaint(line) == said


def test_every_command_and_option_is_documented() -> None:
    text = DOCUMENTS["docs/commands.md"]
    for path, command in writer.leaf_commands():
        section = text.split(f"## `{path}`\n")[1].split("\n## ")[0]
        for one in command.params:
            word = one.opts[0] if one.param_type_name == "option" else one.metavar.replace("|", "\\|")
            assert f"| `{word}" in section, f"{path}: {word}"
    run = dict(writer.leaf_commands())["deid-audit run"]
    missing = [one.opts[0] for one in run.params if one.opts[0] not in README]
    assert not missing, "options of the main command that README.md does not mention"


# -- files, settings, numbers ----------------------------------------------------------------------------------------


def _tree(block: str) -> set[str]:
    """Paths in a drawn folder tree: two spaces a level, commas between names, words after two spaces are comments."""
    found, parents = set(), []
    for line in block.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        names = re.split(r"\s{2,}| \.\.\.", line.strip())[0].split(", ")
        parents = [*parents[:depth], names[0]]
        found |= {"".join((*parents[:depth], name)) for name in names}
    return found


def test_the_output_folder_is_drawn_as_it_is_written(tmp_path: Path) -> None:
    for passed in (True, False):
        video = tmp_path / "CASE-01.mp4"
        video.write_bytes(b"video")
        if passed:
            issued_at = "2026-01-02T03:04:05+00:00"
            packaging.write_release(
                _made(tmp_path / "OUT") / "release", [video], case_id="CASE", kind="swap", issued_at=issued_at
            )
        else:
            packaging.write_withheld(tmp_path / "OUT" / "withheld", [video])
    ledger = [LedgerFrame(index=0, time_s=0.0, regions=(), cleared_by=("a", "b"))]
    issuing.write_audit(
        tmp_path / "OUT",
        [ledger],
        figures(),
        why="why\n",
        why_pictures={"frame.png": b"picture"},
        learning_curve="step\n",
        measurements=(),
        log=["line"],
        digest_key=bytes(32),
    )
    for name in (issuing.CERTIFICATE, STATEMENT_FILE, ATTESTATION_FILE, "signer.crt", REPORT_FILE):
        (tmp_path / "OUT" / name).touch()
    written = {
        str(path.relative_to(tmp_path)) + ("/" if path.is_dir() else "")
        for path in (tmp_path / "OUT").rglob("*")
        if path.parent.name not in ("figures", "why", "withheld") and path.name != "data"
    }
    drawn = next(block for block in fenced(README) if block.startswith("OUT/\n"))
    assert _tree(drawn) - {"OUT/"} == written


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _constant(module: str, name: str) -> Any:
    """A module's constant, read without importing what the module imports."""
    for node in ast.parse((ROOT / "deid_audit" / module).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{module} has no constant {name}")


@pytest.mark.parametrize(
    ("module", "name", "document", "words"),
    [
        ("faces/subject.py", "MINIMUM_FACES", "README.md", "at least {:g} usable faces"),
        ("faces/subject.py", "SMALLEST_FACE_PX", "README.md", "{:g} px high"),
        ("pipeline/cast.py", "_TRAINING_FACES", "README.md", "up to {:g} face crops"),
        ("pipeline/training.py", "DEFAULT_SECONDS", "README.md", "{:g} seconds by default"),
        ("pipeline/training.py", "PACKED_SECONDS", "README.md", "{:g} with a donor's pack"),
        ("pipeline/training.py", "DEFAULT_SECONDS", "docs/commands.md", "start. Default {:g}, with a pack"),
        ("pipeline/training.py", "PACKED_SECONDS", "docs/commands.md", "with a pack {:g}. |"),
        ("pipeline/ladder.py", "_LEAST_DISTANCE", "ARCHITECTURE.md", "not above {:g}"),
    ],
)
def test_a_number_in_a_document_is_the_one_in_the_code(module: str, name: str, document: str, words: str) -> None:
    assert words.format(_constant(module, name)) in " ".join(DOCUMENTS[document].split())


def test_pinned_versions_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = dict(one.split("==") for one in project["dependencies"] if "==" in one)
    assert project["requires-python"] == ">=3.11,<3.13" and "Python 3.11 or 3.12" in README
    assert f"MediaPipe {pins['mediapipe']}" in README and f"NumPy is {pins['numpy']}" in README
    assert pins["opencv-python"] == pins["opencv-contrib-python"] and pins["opencv-python"] in README
    assert project["readme"] == "README.md"


def test_the_readme_stays_short_enough_to_be_read() -> None:
    assert len(README.splitlines()) <= 295  # the demo's output, some 35 lines, included


def test_outcomes_are_named_as_they_are() -> None:
    assert all(f"**{outcome}**" in README for outcome in Outcome if outcome is not Outcome.NOT_APPLICABLE)


def test_the_shipped_policies_are_named() -> None:
    assert all(f"`{policy.id}`" in README for policy in list_policies())


@each_document
def test_modules_variables_and_make_targets_exist(name: str) -> None:
    text = DOCUMENTS[name]
    texts = (path for folder in (".", "docs", "benchmarks") for path in (ROOT / folder).glob("*.md"))
    files = {f"/{path.relative_to(ROOT)}" for path in (*SOURCES, *(ROOT / "benchmarks").rglob("*.py"), *texts)}
    spans = [span for span in code_spans(text) if re.fullmatch(r"[\w./-]+\.(py|md)", span)]
    assert [span for span in spans if not any(file.endswith(f"/{span}") for file in files)] == []
    code = "".join(path.read_text(encoding="utf-8") for path in SOURCES if path != Path(__file__))
    assert [word for word in re.findall(r"DEID_AUDIT_[A-Z]+", text) if word not in code] == []
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = [*code_spans(text), *(line for block in fenced(text) for line in block.splitlines())]
    assert [line for line in lines if (m := re.match(r"make ([a-z]+)", line)) and m[1] not in targets] == []


# -- links, paths, claims --------------------------------------------------------------------------------------------


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@each_document
def test_relative_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", DOCUMENTS[name]):
        if target.startswith("https://"):
            continue
        file, _, part = target.partition("#")
        path = (ROOT / name).parent / file if file else ROOT / name
        assert path.is_file(), target
        if part:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert part in [anchor(one) for one in headings], target


ABSOLUTE = re.compile(r"(?<![\w.:/*~)>])/(?!path/to/)[A-Za-z][\w.-]*/[\w./-]*")


@each_document
def test_no_path_of_a_machine(name: str) -> None:
    assert ABSOLUTE.findall(DOCUMENTS[name]) == []


@pytest.mark.parametrize("text", ["see /home/someone/videos", "`/srv/data/x.mp4`", "OUT=/mnt/share/"])
def test_a_path_of_a_machine_is_noticed(text: str) -> None:
    assert ABSOLUTE.search(text)


OVERCLAIM = re.compile(r"irreversibl|anonym|HIPAA[- ]compliant|GDPR[- ]compliant|certified by|guarantee", re.IGNORECASE)


def overclaims(text: str) -> list[str]:
    """Sentences with a word that claims too much and without a denial."""
    sentences = re.split(r"(?<=[.:;|])\s", " ".join(text.split()))
    return [one for one in sentences if OVERCLAIM.search(one) and not re.search(r"\b(not|never|no)\b", one)]


@each_document
def test_nothing_is_claimed_that_was_not_checked(name: str) -> None:
    assert overclaims(DOCUMENTS[name]) == []


def test_an_overclaim_is_noticed() -> None:
    assert overclaims("The swap is irreversible. It does not make a video anonymous.") == ["The swap is irreversible."]


# -- the changelog's policy numbers ----------------------------------------------------------------------------------

Rules = dict[tuple[str, str, str], tuple[str, ...]]


def stated_rules(changelog: str) -> Rules:
    """Every policy rule as the changelog's sections add up, oldest first; a row without a reason is an error."""
    rules: Rules = {}
    for section in reversed(re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]):
        for line in section.partition("### Policy numbers")[2].splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if not line.startswith("| ") or cells[0] in ("policies", "---"):
                continue
            policies, rule, limit, sample, absent, reason = cells
            assert reason, f"no reason given: {line}"
            words, _, number = limit.rpartition(" ")
            for policy in policies.split(", "):
                if rule.startswith("all of "):
                    copied = {key[1:]: said for key, said in rules.items() if key[0] == rule.removeprefix("all of ")}
                    rules |= {(policy, *key): said for key, said in copied.items()}
                elif limit.startswith("removed"):
                    del rules[policy, rule, limit.removeprefix("removed ")]
                else:
                    rules[policy, rule, words] = (number, sample, absent)
    return rules


def limit_words(rule: Rule) -> str:
    return OPERATOR_WORDS[rule.op] if rule.bound == "value" else f"{rule.bound} {OPERATOR_WORDS[rule.op]}"


def shipped_rules() -> Rules:
    return {
        (policy.id, f"`{rule.metric}` of {rule.of}", limit_words(rule)): (
            f"{rule.limit:g}",
            str(rule.min_sample_size),
            "rests" if rule.if_absent == "skip" else "–",
        )
        for policy in list_policies()
        for rule in policy.rules
    }


def test_every_policy_number_and_its_reason_stand_in_the_changelog() -> None:
    assert stated_rules(DOCUMENTS["CHANGELOG.md"]) == shipped_rules(), "see CONTRIBUTING.md: a changed number"


def test_a_changed_number_and_a_missing_reason_are_noticed() -> None:
    text = DOCUMENTS["CHANGELOG.md"]
    reason = "the same cut, counted over all frames"
    row = f"| release, external | `keypoints.oks_ge_95` of swapped | at least 0.95 | 50 | – | {reason} |"
    assert row in text
    assert stated_rules(text.replace(row, row.replace("0.95", "0.9"))) != shipped_rules()
    assert stated_rules(text.replace(row, "")) != shipped_rules()
    with pytest.raises(AssertionError, match="no reason"):
        stated_rules(text.replace(row, row.replace(reason, "")))


def test_a_later_section_changes_and_removes_what_an_earlier_one_said() -> None:
    head = "## [{}] - unreleased\n### Policy numbers\n| release | `a.b` of swapped | {} | 1 | – | because |\n"
    old = head.format("0.1.0", "above 0.6")
    key = ("release", "`a.b` of swapped", "above")
    assert stated_rules(head.format("0.2.0", "above 0.7") + old) == {key: ("0.7", "1", "–")}
    assert stated_rules(head.format("0.2.0", "removed above") + old) == {}
    same = old + "| mine | all of release | as there | – | – | because |\n"
    assert stated_rules(same) == {key: ("0.6", "1", "–"), ("mine", *key[1:]): ("0.6", "1", "–")}


def test_the_newest_section_is_this_version() -> None:
    newest = re.search(r"^## \[([^\]]+)\]", DOCUMENTS["CHANGELOG.md"], flags=re.MULTILINE)
    assert newest is not None and newest[1] in (__version__, "Unreleased")
