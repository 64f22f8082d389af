"""Statements: written canonically, read strictly, compared with a folder file by file."""

import copy
import json
import math
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from deid_audit.errors import EvidenceError
from deid_audit.evidence import build_statement, compare_files, manifest_text, parse_statement
from deid_audit.findings import CaseRecord, LedgerRecord, measured
from tests.fakes import (
    make_case,
    make_erasure,
    make_ledger_record,
    make_measurement,
    make_measurements,
    make_outputs,
    make_review,
)

Table = dict[str, Any]


def statement_of(case: CaseRecord) -> Table:
    table: Table = json.loads(build_statement(case))
    return table


# -- bytes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [make_case(), make_case(videos=3), make_case(failing=True)])
def test_a_case_survives_its_statement(case: CaseRecord) -> None:
    data = build_statement(case)
    assert parse_statement(data) == case
    assert build_statement(parse_statement(data)) == data


def test_the_statement_is_in_toto_v1_with_a_subject_for_every_file() -> None:
    case = make_case(videos=2)
    table = statement_of(case)
    assert set(table) == {"_type", "subject", "predicateType", "predicate"}
    assert table["_type"] == "https://in-toto.io/Statement/v1"
    assert table["predicateType"] == "urn:deid-audit:release:v1"
    assert table["subject"] == [{"name": o.name, "digest": {"sha256": o.sha256}} for o in case.outputs]
    assert len(table["subject"]) == 4
    assert table["predicate"]["verificationResult"] == "PASSED"
    assert statement_of(make_case(failing=True))["predicate"]["verificationResult"] == "FAILED"


def test_whole_numbers_are_written_without_a_point_and_read_back_as_the_same_case() -> None:
    rows = (*make_case().measurements, make_measurement("identity.to_donor.mean", 1.0, of="reencoded"))
    case = make_case(measurements=rows)
    data = build_statement(case)
    assert b'"value":1}' in data and b'"value":1.0' not in data
    assert parse_statement(data) == case


@pytest.mark.parametrize("value", [1e20, 2.0**53, 1e300, 5e-324, -0.0, 0.1 + 0.2])
def test_extreme_numbers_survive(value: float) -> None:
    extreme = measured("expression.mouth_offset", "masked", "video 1", value, sample_size=1)
    case = make_case(measurements=(*make_case().measurements, extreme))
    assert parse_statement(build_statement(case)).measurements[-1].value == value


def test_a_number_that_json_cannot_hold_is_refused() -> None:
    stage = make_case().stages[0].model_copy(update={"settings": {"seed": 2**53}})
    with pytest.raises(EvidenceError, match="canonical"):
        build_statement(make_case(stages=(stage,)))


def retyped(data: bytes, change: Callable[[str], str]) -> bytes:
    changed = change(data.decode()).encode()
    assert changed != data
    return changed


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text.replace('"value":0.786', '"value":0.7860', 1),
        lambda text: text.replace('"value":0.786', '"value": 0.786', 1),
        lambda text: text.replace('"value":0.786', '"value":7.86e-1', 1),
        lambda text: text.replace("PASSED", "\\u0050ASSED", 1),
        lambda text: text.replace('{"_type"', '{"_type":"x","_type"', 1),
        lambda text: json.dumps(json.loads(text)),
        lambda text: text.replace('"value":0.786', '"value":NaN', 1),
        lambda text: text.replace('"value":0.786', '"value":1e999', 1),
        lambda text: text.replace('"value":0.786', f'"value":{"9" * 5000}', 1),
        lambda text: text[:-1],
        lambda text: text + text,
        lambda text: "\ufeff" + text,
        lambda _: "[]",
        lambda _: '"PASSED"',
        lambda _: "",
        lambda _: "[" * 100_000,
    ],
)
def test_bytes_that_are_not_their_own_canonical_form_are_refused(change: Callable[[str], str]) -> None:
    with pytest.raises(EvidenceError):
        parse_statement(retyped(build_statement(make_case()), change))


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(EvidenceError):
        parse_statement(b"\xff" + build_statement(make_case()))


# -- keys ------------------------------------------------------------------------------------------------------------


def test_every_missing_and_every_unknown_key_is_refused() -> None:
    table = statement_of(make_case())
    refused = 0
    for path in tables_within(table):
        for key in list(at(table, path)):
            # optional with a default, or a free mapping: its absence is not an error of form
            if key in OPTIONAL or (path and path[-1] in FREE):
                continue
            broken = copy.deepcopy(table)
            del at(broken, path)[key]
            with pytest.raises(EvidenceError):
                parse_statement(rfc8785.dumps(broken))
            refused += 1
        if path and path[-1] in FREE:
            continue
        broken = copy.deepcopy(table)
        at(broken, path)["unknown"] = 1
        with pytest.raises(EvidenceError):
            parse_statement(rfc8785.dumps(broken))
        refused += 1
    assert refused > 100


OPTIONAL = {
    *("value", "sample_size", "noise_floor", "absent", "not_measured_because", "method", "detail", "settings"),
    *("scope", "observed", "min_sample_size", "if_absent", "ciphertext_sha256", "header_hex"),
    *("interval", "no_interval_because", "bound", "if_missed"),
    *("answers", "context", "allowed", "answer", "log_checkpoint", "references_kept", "media_mark"),
    *("burned_in_text", "profile", "csv_sha256", "interlaced", "review", "kappa", "no_kappa_because"),
}
FREE = {"detail", "settings", "decisions", "environment", "states", "rungs", "decided_by", "cleared_by"}


def tables_within(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of the tables in a document; of a list, its first entry only."""
    if isinstance(value, dict):
        return [path, *(found for key in value for found in tables_within(value[key], (*path, key)))]
    return tables_within(value[0], (*path, 0)) if isinstance(value, list) and value else []


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("_type",), "https://in-toto.io/Statement/v0.1", "_type"),
        (("predicateType",), "urn:deid-audit:release:v2", "predicateType"),
        (("predicate",), [], "verificationResult"),
        (("subject",), [], "different files"),
        (("subject", 0, "name"), "other.mp4", "different files"),
        (("subject", 0, "digest", "sha256"), "0" * 64, "different files"),
        (("subject", 0, "digest", "sha1"), "0", "different files"),
        (("predicate", "outputs", 0, "sha256"), "0" * 64, "different files"),
        (("predicate", "outputs", 0, "sha256"), "A" * 64, "64 lower-case hex"),
        (("predicate", "outputs", 0, "name"), "../case.mp4", "plain relative path"),
        (("predicate", "outputs", 0, "name"), "a\nb", "plain relative path"),
        (("predicate", "outputs", 0, "size_bytes"), "7", "outputs.0.size_bytes"),
        (("predicate", "verificationResult"), "FAILED", "findings come to"),
        (("predicate", "verificationResult"), None, "findings come to"),
        (("predicate", "verdict", "findings", 0, "outcome"), "FAILED", "findings come to"),
        (("predicate", "verdict", "findings", 0, "outcome"), "OK", "findings.0.outcome"),
        (("predicate", "verdict", "findings"), [], "findings come to"),
        (("predicate", "verdict", "findings", 0, "rule", "limit"), 0.1, "policy's rules"),
        (("predicate", "policy", "rules", 0, "limit"), 0.1, "policy's rules"),
        (("predicate", "policy", "sha256"), "0" * 64, "another policy"),
        (("predicate", "policy", "rules"), [], "policy.rules"),
        (("predicate", "outputs_folder"), "withheld", "outputs_folder"),
        (("predicate", "outputs_folder"), "elsewhere", "outputs_folder"),
        (("predicate", "erasure", "checks", 0, "holds"), False, "erasure"),
        (("predicate", "erasure", "checks"), [], "erasure"),
        (("predicate", "measurements", 0, "metric"), "identity.invented", "measurements.0"),
        (("predicate", "measurements", 0, "value"), "0.7", "measurements.0"),
        (("predicate", "measurements", 0, "value"), True, "measurements.0"),
        (("predicate", "measurements", 0, "value"), None, "exactly one of"),
        (("predicate", "measurements", 0, "absent"), 0, "measurements.0.absent"),
        (("predicate", "originals", 0, "width"), 640.5, "originals.0.width"),
        (("predicate", "case_id"), 7, "case_id"),
        (("predicate", "not_assessed"), [], "not_assessed"),
    ],
)
def test_each_changed_part_is_refused_for_its_own_reason(path: tuple[Any, ...], value: Any, words: str) -> None:
    table = statement_of(make_case())
    at(table, path[:-1])[path[-1]] = value
    with pytest.raises(EvidenceError) as caught:
        parse_statement(rfc8785.dumps(table))
    assert words in str(caught.value)


def test_a_verdict_cannot_be_turned_by_its_label_alone() -> None:
    table = statement_of(make_case(failing=True))
    table["predicate"]["verificationResult"] = "PASSED"
    table["predicate"]["outputs_folder"] = "release"
    with pytest.raises(EvidenceError, match="findings come to"):
        parse_statement(rfc8785.dumps(table))


def a_ledger(**changes: Any) -> LedgerRecord:
    record = make_ledger_record()
    return record.model_copy(update={"videos": (record.videos[0].model_copy(update=changes),)})


@pytest.mark.parametrize(
    "changes",
    [
        {"outputs": ()},
        {"outputs": make_outputs({"a.mp4": b"1"}) * 2},
        {"outputs_folder": "withheld"},
        {"erasure": make_erasure(complete=False)},
        {"measurements": make_measurements(key_on_disk=True)},
        {"measurements": make_measurements(references_kept=True)},
        {"ledger": a_ledger(frames=199)},
        {"ledger": a_ledger(states={"swapped": 198, "concealed": 3})},
        {"ledger": a_ledger(states={"swapped": 198, "concealed": 2})},  # adds up, but coverage says otherwise
        {"ledger": a_ledger(rungs={"swap": 199})},
        {"ledger": a_ledger(decided_by={"a detector": 201})},
        {"ledger": a_ledger(states={"swapped": 196, "concealed": 3, "clear": 1})},  # nobody cleared it
        {"ledger": make_ledger_record(videos=2)},
    ],
)
def test_a_case_that_contradicts_itself_is_not_written(changes: Table) -> None:
    with pytest.raises(EvidenceError):
        build_statement(make_case(**changes))


# -- files -----------------------------------------------------------------------------------------------------------

FILES = {
    "data/case-0001-01.mp4": b"one",
    "data/case-0001-02.mp4": b"two",
    "README.txt": b"read",
    "manifest-sha256.txt": b"sums",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    release = tmp_path / "release"
    (release / "data").mkdir(parents=True)
    for name, data in FILES.items():
        (release / name).write_bytes(data)
    return release


def problems(folder: Path) -> list[tuple[str, str]]:
    return [(found.name, found.kind) for found in compare_files(make_case(outputs=make_outputs(FILES)), folder)]


def test_a_folder_as_stated_has_no_problem(folder: Path) -> None:
    assert problems(folder) == []


def test_missing_changed_and_added_files_are_each_named(folder: Path) -> None:
    (folder / "README.txt").unlink()
    (folder / "data/case-0001-01.mp4").write_bytes(b"onE")
    (folder / "data/case-0001-02.mp4").write_bytes(b"longer")
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "x").touch()
    (folder / "empty").mkdir()
    (folder / ".hidden").touch()
    assert problems(folder) == [
        ("README.txt", "missing"),
        ("data/case-0001-01.mp4", "changed"),
        ("data/case-0001-02.mp4", "changed"),
        (".hidden", "added"),
        ("deep/er/x", "added"),
        ("empty", "added"),
    ]
    details = {found.name: found.detail for found in compare_files(make_case(outputs=make_outputs(FILES)), folder)}
    assert "SHA-256" in details["data/case-0001-01.mp4"]
    assert details["data/case-0001-02.mp4"] == "6 bytes, the statement says 3"


def test_links_pipes_and_folders_are_no_files_of_a_release(folder: Path, tmp_path: Path) -> None:
    same = tmp_path / "same"
    same.write_bytes(FILES["README.txt"])
    (folder / "README.txt").unlink()
    (folder / "README.txt").symlink_to(same)
    (folder / "data/case-0001-01.mp4").unlink()
    os.mkfifo(folder / "data/case-0001-01.mp4")
    (folder / "data/case-0001-02.mp4").unlink()
    (folder / "data/case-0001-02.mp4").mkdir()
    (folder / "loop").symlink_to(folder)
    assert problems(folder) == [
        ("README.txt", "changed"),
        ("data/case-0001-01.mp4", "changed"),
        ("data/case-0001-02.mp4", "changed"),
        ("loop", "added"),
    ]


def test_a_name_that_could_steer_a_terminal_is_spelled_out(folder: Path) -> None:
    (folder / "\x1b[2Jx").touch()
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).touch()
    assert sorted(problems(folder)) == [("\\x1b[2Jx", "added"), ("\\xff", "added")]


def test_without_the_folder_every_file_is_missing(folder: Path) -> None:
    shutil.rmtree(folder)
    assert problems(folder) == [(name, "missing") for name in sorted(FILES)]
    folder.touch()
    with pytest.raises(EvidenceError, match="cannot be read"):
        problems(folder)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs coreutils' sha256sum")
def test_the_manifest_is_what_sha256sum_checks(folder: Path) -> None:
    text = manifest_text(output for output in make_outputs(FILES) if output.role != "manifest")
    assert text.count("\n") == 3 and text == "".join(sorted(text.splitlines(True), key=lambda line: line[66:]))
    (folder / "manifest-sha256.txt").write_text(text)
    command = ["sha256sum", "--check", "--strict", "manifest-sha256.txt"]
    assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0
    (folder / "README.txt").write_bytes(b"reaD")
    assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize(
    "name",
    ["", "/a", "a/", "a//b", ".", "a/.", "./a", "..", "a/../b", "a/..", "a\\b", "a\tb", "a\x00", "a\u2028b", "\u200ea"],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(EvidenceError, match="plain relative path"):
        build_statement(make_case(outputs=make_outputs({name: b"1"})))


def test_a_folder_that_is_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "data").rename(tmp_path / "elsewhere")
    (folder / "data").symlink_to(tmp_path / "elsewhere")
    assert problems(folder) == [
        ("data/case-0001-01.mp4", "missing"),
        ("data/case-0001-02.mp4", "missing"),
        ("data", "added"),
    ]


def test_a_name_that_breaks_the_manifest_is_refused() -> None:
    with pytest.raises(EvidenceError, match="plain relative path"):
        manifest_text(make_outputs({"a\nb.mp4": b""}))


def test_nan_cannot_even_reach_a_statement() -> None:
    row = measured("identity.to_donor.mean", "swapped", "video 1", math.nan, sample_size=9)
    assert row.value is None and row.not_measured_because


def test_a_review_survives_and_cannot_be_claimed_by_a_number_alone() -> None:
    case = make_case(review=make_review())
    assert parse_statement(build_statement(case)) == case and case.review is not None and case.review.readers == 2
    claimed = make_measurements(review=make_review())
    for changes in ({"measurements": claimed}, {"measurements": make_measurements(), "review": make_review()}):
        with pytest.raises(EvidenceError, match=r"review\.readers differs from the review record"):
            build_statement(make_case(**changes))


def test_reviewed_frames_without_anybody_who_looked_are_a_contradiction() -> None:
    states = {"coverage.swapped": 196.0, "coverage.reviewed": 1.0}
    [one] = make_ledger_record().videos
    counts = {**one.states, "swapped": 196, "reviewed": 1}
    record = LedgerRecord(sha256="0" * 64, videos=(one.model_copy(update={"states": counts}),))
    rows = make_measurements(swapped=states)
    with pytest.raises(EvidenceError, match="frames are reviewed, but nobody looked"):
        build_statement(make_case(measurements=rows, ledger=record))
    looked = make_measurements(swapped=states, review=make_review())
    build_statement(make_case(measurements=looked, ledger=record, review=make_review()))
