"""What was found, as one canonical JSON statement, and the check of such a statement against files.

Comes after the verdict, before the certificate. The bytes are the truth: a statement is read strictly from the bytes
that were signed and never written again to be compared. No signature is made or checked here, and no policy judged.
"""

import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import rfc8785
from pydantic import ValidationError

from deid_audit.answers import asked
from deid_audit.digests import sha256_file
from deid_audit.errors import EvidenceError
from deid_audit.findings import CaseRecord, Outcome, OutputFile, video_scope
from deid_audit.records import expect_keys

METHOD_TEXT = (
    "Everything found was written as one in-toto Statement v1 in canonical JSON (RFC 8785), which names every file of "
    "the output folder by SHA-256; exactly these bytes are attached to the certificate and signed with it."
)

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
STATEMENT_FILE = "evidence.json"
PREDICATE_TYPE = "urn:deid-audit:release:v1"

_RESULT = "verificationResult"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LARGEST_EXACT_INTEGER = 2**53 - 1
_NEXT = "ask the issuer for the original evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProblem:
    """One file that is not as the statement says; `name` is relative to the folder."""

    name: str
    kind: Literal["missing", "changed", "added"]
    detail: str


def build_statement(case: CaseRecord) -> bytes:
    """The in-toto Statement v1 about a case, in canonical JSON.

    Raises EvidenceError for a case that contradicts itself. The predicate is the case and `verificationResult`; the
    subjects are the output files. See https://github.com/in-toto/attestation (Statement v1) and RFC 8785.
    """
    predicate = case.model_dump(mode="json") | {_RESULT: case.verdict.outcome.value}
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": _subjects(case),
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    }
    data = _canonical(statement)
    if parse_statement(data) != case:
        raise EvidenceError("the case does not survive being written and read again", next_step="report this as a bug")
    return data


def parse_statement(data: bytes) -> CaseRecord:
    """The case in a statement's bytes; raises EvidenceError for any other form, spelling, key, type or contradiction.

    Whether the verdict follows from the measurements is for the caller to ask the policy stage.
    """
    statement = _read_canonical(data)
    expect_keys(statement, ("_type", "predicate", "predicateType", "subject"), "the statement", _NEXT)
    if statement["_type"] != STATEMENT_TYPE:
        raise EvidenceError("_type is not an in-toto Statement v1", next_step=_NEXT)
    if statement["predicateType"] != PREDICATE_TYPE:
        raise EvidenceError(f"predicateType is not {PREDICATE_TYPE}", next_step="use the deid-audit that issued it")
    predicate = statement["predicate"]
    if not isinstance(predicate, dict) or _RESULT not in predicate:
        raise EvidenceError(f"predicate.{_RESULT} is missing", next_step=_NEXT)
    result = predicate.pop(_RESULT)
    try:
        case = CaseRecord.model_validate_json(_canonical(predicate), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in ("predicate", *first["loc"]))
        raise EvidenceError(f"{where}: {first['msg']}", next_step=_NEXT) from None
    _check_agreement(case, statement["subject"], result)
    return case


def compare_files(case: CaseRecord, folder: Path) -> list[FileProblem]:
    """What in `folder` is not as the statement says: files missing, changed or added; empty when all is as stated.

    A link, a device or a folder is never followed or opened: it is no file of a release.
    """
    problems = []
    entries = dict(_walk(folder))
    for output in sorted(case.outputs, key=lambda output: output.name):
        entry = entries.pop(output.name, None)
        if entry is None:
            problems.append(FileProblem(name=output.name, kind="missing", detail="not in the folder"))
        elif difference := _difference(output, folder / output.name, entry):
            problems.append(FileProblem(name=output.name, kind="changed", detail=difference))
    for name in sorted(entries):
        problems.append(FileProblem(name=name, kind="added", detail="not named in the statement"))
    return problems


def manifest_text(outputs: Iterable[OutputFile]) -> str:
    """The checksums of these files as `sha256sum -c` and BagIt (RFC 8493) read them, in the order of the names."""
    listed = sorted(outputs, key=lambda output: output.name)
    for output in listed:
        _check_output(output)
    return "".join(f"{output.sha256}  {output.name}\n" for output in listed)


def _canonical(value: Mapping[str, Any]) -> bytes:
    try:
        return rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"no canonical JSON: {error}", next_step=_NEXT) from None


def _integer(digits: str) -> int | float:
    """RFC 8785 writes 1.0 as 1 and 1e20 with all its digits: beyond 2**53 only a float can have been meant."""
    number = int(digits)
    return number if abs(number) <= _LARGEST_EXACT_INTEGER else float(digits)


def _read_canonical(data: bytes) -> dict[str, Any]:
    try:
        statement = json.loads(data.decode(), parse_int=_integer)
    except (ValueError, RecursionError, OverflowError):
        raise EvidenceError("the statement is not JSON", next_step=_NEXT) from None
    if not isinstance(statement, dict):
        raise EvidenceError("the statement is not a JSON object", next_step=_NEXT)
    # Equal to its own canonical form: no key twice, no other spelling of a number, nothing before or after.
    if _canonical(statement) != data:
        raise EvidenceError("the statement is not in canonical form (RFC 8785)", next_step=_NEXT)
    return statement


def _subjects(case: CaseRecord) -> list[dict[str, Any]]:
    return [{"name": output.name, "digest": {"sha256": output.sha256}} for output in case.outputs]


def _check_agreement(case: CaseRecord, subject: object, result: object) -> None:
    """The parts of a statement that say the same thing twice must say it alike."""
    verdict, policy = case.verdict, case.policy
    passed = verdict.outcome is Outcome.PASSED
    names = [output.name for output in case.outputs]
    for output in case.outputs:
        _check_output(output)

    def measured(name: str) -> set[bool]:
        return {bool(value) for value in _values(case, f"erasure.{name}")}

    pinned = (verdict.policy_id, verdict.policy_version, verdict.policy_sha256)
    faults = {
        "it names no file": not names,
        "it names a file twice": len(set(names)) < len(names),
        "subject and predicate.outputs name different files": subject != _subjects(case),
        f"{_RESULT} is not what the findings come to": result != verdict.outcome.value,
        "the verdict is by another policy than the one recorded": pinned != (policy.id, policy.version, policy.sha256),
        "the findings are not those of the policy's rules": tuple(finding.rule for finding in verdict.findings)
        != policy.rules,
        "it gives an answer twice": len({one.field for one in case.context}) < len(case.context),
        "the questions judged are not those that were asked": tuple(one.asked for one in verdict.answers)
        != asked(policy.answers, case.context),
        "outputs_folder does not go with the verdict": passed != (case.outputs_folder == "release"),
        "the ledger's counts do not add up to the frames decoded": not ledger_adds_up(case),
        "erasure.complete differs from the erasure record": bool(measured("complete") - {case.erasure.complete}),
        "erasure.key_on_disk differs from the erasure record": bool(
            measured("key_on_disk") - {case.erasure.key_on_disk}
        ),
        "erasure.references_kept differs from the erasure record": bool(
            measured("references_kept") - {case.erasure.references_kept}
        ),
        "review.readers differs from the review record": bool(
            _values(case, "review.readers") - {0 if case.review is None else case.review.readers}
        ),
        "frames are reviewed, but nobody looked": case.review is None
        and any(video.states.get("reviewed", 0) for video in case.ledger.videos),
    }
    for fault, present in faults.items():
        if present:
            raise EvidenceError(f"the statement contradicts itself: {fault}", next_step=_NEXT)


def _values(case: CaseRecord, metric: str) -> set[float]:
    return {row.value for row in case.measurements if row.metric == metric and row.value is not None}


def ledger_adds_up(case: CaseRecord) -> bool:
    """Whether every decoded frame of every written video has one state, and the measured coverage says the same."""
    videos = case.ledger.videos
    if len(videos) != len(case.rendered):
        return False
    for number, (video, facts) in enumerate(zip(videos, case.rendered, strict=True), start=1):
        coverage = {
            row.metric.removeprefix("coverage."): row.value
            for row in case.measurements
            if row.scope == video_scope(number) and row.metric.startswith("coverage.")
        }
        cleared = sum(video.cleared_by.values())
        sums = (
            sum(video.states.values()) == video.frames == facts.frame_count == coverage.get("frames"),
            sum(video.rungs.values()) == sum(video.decided_by.values()) == video.regions,
            all(coverage.get(state) == count for state, count in video.states.items()),
            video.states.get("clear", 0) <= cleared <= video.frames,
        )
        if not all(sums):
            return False
    return True


def _check_output(output: OutputFile) -> None:
    """A relative path and a SHA-256: nothing that leads out of the folder or breaks a line of the manifest."""
    name = output.name
    if not name.isprintable() or "\\" in name or {"", ".", ".."} & set(name.split("/")):
        raise EvidenceError("an output's name is not a plain relative path", next_step=_NEXT)
    if not _SHA256.fullmatch(output.sha256):
        raise EvidenceError("an output's sha256 is not 64 lower-case hex digits", next_step=_NEXT)


def _walk(folder: Path, prefix: str = "") -> Iterable[tuple[str, os.stat_result]]:
    """Everything below `folder` that is not a folder with something in it, by relative name; no link is followed."""
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except FileNotFoundError:
        return
    except OSError as error:
        why = error.strerror or "unknown"
        raise EvidenceError(f"the folder cannot be read: {why}", next_step="check --release") from None
    for entry in entries:
        status = entry.stat(follow_symlinks=False)
        # Printed on a terminal later: bytes that are no text, and control characters, are spelled out.
        text = os.fsencode(entry.name).decode(errors="backslashreplace")
        name = prefix + (text if text.isprintable() else text.encode("unicode_escape").decode())
        below = list(_walk(Path(entry.path), f"{name}/")) if stat.S_ISDIR(status.st_mode) else []
        yield from below or [(name, status)]


def _difference(output: OutputFile, path: Path, status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    if status.st_size != output.size_bytes:
        return f"{status.st_size} bytes, the statement says {output.size_bytes}"
    try:
        return "" if sha256_file(path) == output.sha256 else "its SHA-256 differs from the statement's"
    except OSError:
        return "cannot be read"
