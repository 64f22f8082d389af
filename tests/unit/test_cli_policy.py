"""The policy commands and the frame around all commands: output, exit statuses, one clear message."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from deid_audit import __version__
from deid_audit.__main__ import build_app
from deid_audit.answers import form_text
from deid_audit.cli.frame import DEBUG_VARIABLE, EXIT_STATUSES, make_app
from deid_audit.context import FIELDS
from deid_audit.errors import DeidAuditError, Interrupted, NotEnoughFaces, SettingsError
from deid_audit.policy import list_policies, load_policy
from deid_audit.resources import resource_dir

runner = CliRunner()
BAD = 'id = "mine"\nversion = "1"\ntitle = "Mine"\nrules = []\n'


def shell(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as a user starts it."""
    return subprocess.run(
        [sys.executable, "-m", "deid_audit", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# -- policy ----------------------------------------------------------------------------------------------------------


def test_list_names_every_shipped_policy() -> None:
    result = runner.invoke(build_app(), ["policy", "list"])
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == [
        *("aies2020", "concealment", "expert-determination", "external", "release", "release-face", "strict")
    ]
    result = runner.invoke(build_app(), ["policy", "list", "--json"])
    document = json.loads(result.stdout)
    assert document["schema"] == "deid-audit/policy-list/v1"
    assert [(entry["id"], entry["rule_count"], entry["sha256"]) for entry in document["policies"]] == [
        (policy.id, len(policy.rules), policy.sha256) for policy in list_policies()
    ]


def test_show_prints_every_rule_with_limit_reason_and_source() -> None:
    policy = load_policy("release")
    result = runner.invoke(build_app(), ["policy", "show", "release"], env={"COLUMNS": "60"})
    assert result.exit_code == 0
    flowing = " ".join(result.stdout.split())
    assert policy.sha256 in flowing
    for rule in policy.rules:
        assert f"{rule.metric} of {rule.of}: " in flowing
        assert rule.why in flowing and rule.source in flowing
    assert "identity.to_original.p01 of swapped: above 0.6 needs a sample of 100" in flowing
    assert flowing.count("rests where the original has nothing of the kind") == 9
    assert max(map(len, result.stdout.splitlines())) <= 80

    document = json.loads(runner.invoke(build_app(), ["policy", "show", "release", "--json"]).stdout)
    assert document["schema"] == "deid-audit/policy-show/v1"
    assert document["policy"] == policy.model_dump(mode="json")


def test_check_reads_a_file_as_a_run_would(tmp_path: Path) -> None:
    good = tmp_path / "good.toml"
    good.write_bytes((resource_dir("policies") / "aies2020.toml").read_bytes())
    result = runner.invoke(build_app(), ["policy", "check", str(good)])
    assert result.exit_code == 0 and result.stdout.startswith("ok: aies2020, version 1, 4 rules, sha256 ")
    document = json.loads(runner.invoke(build_app(), ["policy", "check", str(good), "--json"]).stdout)
    assert (document["schema"], document["ok"]) == ("deid-audit/policy-check/v1", True)
    assert document["policy"]["sha256"] == load_policy("aies2020").sha256


def test_show_and_check_name_the_required_answers() -> None:
    policy = load_policy("expert-determination")
    shown = " ".join(runner.invoke(build_app(), ["policy", "show", policy.id], env={"COLUMNS": "120"}).stdout.split())
    for one in policy.answers:
        assert f" {one.field}" in shown and one.why in shown and one.source in shown
    assert "claim_basis: expert determination" in shown
    checked = runner.invoke(build_app(), ["policy", "check", policy.id])
    assert "33 rules, 17 required answers, sha256 " in checked.stdout
    assert "required answers" not in runner.invoke(build_app(), ["policy", "show", "release"]).stdout


def test_questions_prints_the_file_to_fill_in(tmp_path: Path) -> None:
    policy = load_policy("expert-determination")
    result = runner.invoke(build_app(), ["policy", "questions", policy.id])
    assert (result.exit_code, result.stdout) == (0, form_text(policy.id, policy.answers))
    document = json.loads(runner.invoke(build_app(), ["policy", "questions", policy.id, "--json"]).stdout)
    assert [one["field"] for one in document["questions"] if one["required"]] == [one.field for one in policy.answers]
    assert {one["field"] for one in document["questions"]} == set(FIELDS)
    by_name = {one["field"]: one for one in document["questions"]}
    assert by_name["claim_basis"]["allowed"] == ["expert determination"]
    assert by_name["release_tier"]["allowed"] == ["public", "registered", "enclave"]


CHANGED = """id = "mine"
version = "2"
title = "Mine"
[[rules]]
metric = "identity.to_original.mean"
of = "swapped"
op = "above"
limit = 0.65
min_sample_size = 50
why = "because"
source = "tests"
[[rules]]
metric = "expression.mouth_mae"
of = "swapped"
op = "at_most"
limit = 9
min_sample_size = 50
why = "because"
source = "tests"
[[rules]]
metric = "expression.mouth_r"
of = "swapped"
op = "at_least"
limit = 0.75
min_sample_size = 50
why = "because"
source = "tests"
[[answers]]
field = "claim_basis"
allowed = ["consent"]
why = "because"
source = "tests"
[[answers]]
field = "subgroups"
why = "because"
source = "tests"
"""


def test_diff_names_what_only_one_has_and_which_limit_is_stricter(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(CHANGED)
    result = runner.invoke(build_app(), ["policy", "diff", "expert-determination", str(mine)])
    assert result.exit_code == 0
    lines = [line.strip() for line in result.stdout.splitlines()]
    for line in (
        "identity.to_original.mean of swapped: above 0.6 | 0.65; mine 2 is stricter",
        "identity.to_original.mean of swapped: above ...: min_sample_size 100 | 50; expert-determination 4 is stricter",
        "expression.mouth_mae of swapped: at most 5 | 9; expert-determination 4 is stricter",
        "expression.mouth_r of swapped: at least ...: if_absent skip | fail_closed; mine 2 is stricter",
        "claim_basis: expert determination | claim_basis: consent",
    ):
        assert line in lines
    only_first = lines[
        lines.index("only in expert-determination 4") + 1 : lines.index("differs: expert-determination 4 | mine 2")
    ]
    assert (
        len(only_first) == len(load_policy("release").rules) - 3 and "erasure.complete of run: at least 1" in only_first
    )
    assert lines[lines.index("answers required only by mine 2") + 1] == "subgroups"
    assert "only in mine 2" not in lines

    document = json.loads(runner.invoke(build_app(), ["policy", "diff", "release", str(mine), "--json"]).stdout)
    assert document["schema"] == "deid-audit/policy-diff/v1" and document["same"] is False
    assert {
        (one["metric"], one["key"], one["first"], one["second"], one["stricter"]) for one in document["changes"]
    } == {
        ("identity.to_original.mean", "limit", 0.6, 0.65, "second"),
        ("identity.to_original.mean", "min_sample_size", 100, 50, "first"),
        ("expression.mouth_mae", "limit", 5, 9, "first"),
        ("expression.mouth_r", "if_absent", "skip", "fail_closed", "second"),
    }
    assert [one["field"] for one in document["answers_only_second"]] == ["claim_basis", "subgroups"]


def test_diff_of_policies_that_ask_for_the_same_says_so() -> None:
    result = runner.invoke(build_app(), ["policy", "diff", "release", "release"])
    assert (result.exit_code, result.stdout) == (0, "release 6 and release 6 ask for the same\n")
    document = json.loads(runner.invoke(build_app(), ["policy", "diff", "release", "release", "--json"]).stdout)
    assert document["same"] is True
    assert not runner.invoke(build_app(), ["policy", "diff", "release", "nope"]).stdout


@pytest.mark.parametrize("command", ["show", "check", "questions"])
@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_file_that_is_no_policy_ends_with_2_and_nothing_on_stdout(
    tmp_path: Path, command: str, as_json: list[str]
) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(BAD)
    result = runner.invoke(build_app(), ["policy", command, str(bad), *as_json])
    assert result.exit_code == 2
    assert result.stdout == ""
    error, following = result.stderr.splitlines()
    assert error.startswith("error: bad.toml: rules: ")
    assert following.startswith("next: ")


# -- the frame -------------------------------------------------------------------------------------------------------


def frame_with(error: BaseException) -> typer.Typer:
    app = make_app()

    @app.command("fall")
    def fall() -> None:
        raise error

    @app.command("ask")
    def ask() -> None:
        typer.prompt("Passphrase")

    return app


@pytest.mark.parametrize(
    ("error", "status", "lines"),
    [
        (DeidAuditError("it broke", next_step="mend it"), 1, ["error: it broke", "next: mend it"]),
        (DeidAuditError("it broke"), 1, ["error: it broke"]),
        (SettingsError("no such option", next_step="x"), 2, ["error: no such option", "next: x"]),
        (NotEnoughFaces("too few"), 3, ["error: too few"]),
        (Interrupted("stopped", exit_code=143), 143, ["error: stopped"]),
        (KeyboardInterrupt(), 130, ["stopped"]),
    ],
)
def test_an_error_is_one_message_one_next_step_and_its_status(
    error: BaseException, status: int, lines: list[str]
) -> None:
    result = runner.invoke(frame_with(error), ["fall"])
    assert (result.exit_code, result.stdout, result.stderr.splitlines()) == (status, "", lines)


def test_a_defect_says_what_and_where_but_not_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DEBUG_VARIABLE, raising=False)
    defect = FileNotFoundError(2, "No such file or directory", "/patients/jane_doe.mp4")
    result = runner.invoke(frame_with(defect), ["fall"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("internal error: FileNotFoundError (No such file or directory) in deid_audit/")
    assert result.stderr.count("\n") == 1
    assert "jane_doe" not in result.stderr and "Traceback" not in result.stderr
    monkeypatch.setenv(DEBUG_VARIABLE, "1")
    assert "Traceback" in runner.invoke(frame_with(defect), ["fall"]).stderr


def test_ctrl_c_and_the_end_of_input_at_a_prompt_differ() -> None:
    app = frame_with(ValueError())
    assert runner.invoke(app, ["ask"], input="").exit_code == 1

    result = subprocess.run(
        [sys.executable, "-c", _PROMPT], capture_output=True, text=True, timeout=60, check=False, input=""
    )
    assert result.returncode == 130
    assert result.stderr.splitlines()[-1] == "stopped"


# Ctrl-C at a prompt, without a terminal: `input` is replaced before typer takes hold of it.
_PROMPT = """
import builtins
def interrupted(*_):
    raise KeyboardInterrupt
builtins.input = interrupted
import typer
from deid_audit.cli.frame import make_app
app = make_app()
app.command("ask")(lambda: typer.prompt("Passphrase"))
app(["ask"])
"""


def test_exit_statuses_in_a_real_process(tmp_path: Path) -> None:
    assert shell("policy", "check", "release").returncode == 0
    (tmp_path / "bad.toml").write_text(BAD)
    refused = shell("policy", "check", str(tmp_path / "bad.toml"))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("error: bad.toml: rules: ") and "Traceback" not in refused.stderr
    unknown = shell("policy", "shwo")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert shell("--no-such-option").returncode == 2


def test_help_and_version() -> None:
    listed = shell("--help")
    assert listed.returncode == 0
    for status, meaning in EXIT_STATUSES:
        assert any(line.split(maxsplit=1) == [str(status), meaning] for line in listed.stdout.splitlines())
    assert shell("--version").stdout == f"deid-audit {__version__}\n"


def test_help_loads_no_heavy_library() -> None:
    heavy = ("numpy", "torch", "cv2", "dlib", "mediapipe", "av", "weasyprint", "pyhanko", "matplotlib", "scipy")
    code = (
        "import sys; from deid_audit.__main__ import build_app; import typer; typer.main.get_command(build_app());"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "[]"
