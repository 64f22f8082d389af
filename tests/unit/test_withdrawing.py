"""`withdraw`: who may, what prevents it and what does not, what it writes, and what follows from it."""

import json
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.attestation import STATUS, add_signature, attest
from deid_audit.certificate.decisions import Decision
from deid_audit.certificate.keys import Signer
from deid_audit.certificate.trust import trust_of
from deid_audit.digests import sha256_bytes
from deid_audit.errors import EvidenceError, Interrupted, NotToBeApproved, SettingsError, SignatureError
from deid_audit.evidence import build_statement
from deid_audit.findings import Outcome
from deid_audit.log import Journal, Verified
from deid_audit.pipeline import placing, rechecking
from deid_audit.pipeline import verify as verifying
from deid_audit.pipeline.approving import approve
from deid_audit.pipeline.rechecking import RecheckReport, judged_again
from deid_audit.status import STATUS_FILE
from tests.schemas import document_in
from tests.unit.certificates import DECIDED, certified, chair, named_signer, signer
from tests.unit.test_approving import _key
from tests.unit.test_verify import VIDEO, _lay_out, _lay_out_statement, _not_ok, _with_validity
from tests.unit.withdrawals import (
    REASON,
    WHEN,
    by_a_stranger,
    checked,
    decided,
    examine_once,
    of_status,
    plant,
    refused,
    status_by,
    trusting,
    withdrawn,
)


@pytest.fixture(autouse=True)
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    examine_once(monkeypatch)


# -- who may, and what a verifier then sees ---------------------------------------------------------------------------


def test_the_steward_withdraws_and_verify_honours_it(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    before = certificate.read_bytes()
    done = withdrawn(certificate)
    assert certificate.read_bytes() == before and not list(tmp_path.glob(".*"))
    data = (tmp_path / STATUS_FILE).read_bytes()
    assert done.status_sha256 == sha256_bytes(data)
    assert rfc8785.dumps(json.loads(data)) == data
    report = checked(certificate)
    assert _not_ok(report) == {} and of_status(report) == ["ok"] * 3
    assert (report.holds, report.exit_code, report.verdict) == (True, 3, Outcome.PASSED)
    assert report.conclusion.startswith(
        "Authentic and from an issuer you trust, but WITHDRAWN: not to be released any more"
    )
    assert "by the steward" in report.conclusion and "2026-01-29 at 03:10 UTC" in report.conclusion
    assert REASON in report.conclusion


@pytest.mark.parametrize("approves", [True, False])
def test_the_chair_who_decided_withdraws(tmp_path: Path, approves: bool) -> None:
    certificate = decided(tmp_path, approves=approves)
    assert withdrawn(certificate, chair()).withdrawn.role == "chair"
    report = checked(certificate, trusting(chair()))
    assert report.exit_code == 3 and "WITHDRAWN" in report.conclusion and "by the chair, Ada Chair" in report.conclusion
    assert (
        report.withdrawn is not None and report.withdrawn.signer.fingerprint_sha256 == chair().info.fingerprint_sha256
    )


def test_the_steward_withdraws_what_the_chair_approved(tmp_path: Path) -> None:
    certificate = decided(tmp_path)
    withdrawn(certificate)
    assert checked(certificate, trusting(chair())).exit_code == 3


def test_a_copy_elsewhere_is_told_by_the_file_alone(tmp_path: Path) -> None:
    certificate, copy = _lay_out(tmp_path / "a"), _lay_out(tmp_path / "b")
    withdrawn(certificate)
    assert checked(copy).exit_code == 0
    told = (tmp_path / "a" / STATUS_FILE).rename(tmp_path / "told.json")
    report = checked(copy, status=told)
    assert report.exit_code == 3 and "WITHDRAWN" in report.conclusion


def test_strangers_namesakes_and_a_chair_who_has_not_decided_may_not(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    refused(certificate, SignatureError, "this signer may not withdraw", named_signer("Stranger"))
    refused(certificate, SignatureError, "this signer may not withdraw", named_signer(signer().info.name))
    refused(certificate, SignatureError, "this signer may not withdraw", chair())
    refused(certificate, SignatureError, "this signer may not withdraw", chair(), trust=trusting(chair()))


def test_a_renewed_certificate_of_the_same_key_is_the_same_signer(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    renewed = named_signer("Renewed", signer().private_key)  # type: ignore[arg-type]
    done = withdrawn(certificate, renewed)
    assert done.withdrawn.signer.fingerprint_sha256 == signer().info.fingerprint_sha256  # whom the certificate names
    assert checked(certificate).exit_code == 3


def test_it_stands_for_good(tmp_path: Path) -> None:
    certificate = decided(tmp_path)
    withdrawn(certificate)
    refused(certificate, SignatureError, f"is withdrawn by the steward.*{REASON}")
    refused(certificate, SignatureError, "is withdrawn by the steward", chair())


# -- what prevents a withdrawal, and what does not --------------------------------------------------------------------


def _no_files(certificate: Path) -> None:
    (certificate.parent / "release").rename(certificate.parent / "elsewhere")


def _other_file(certificate: Path) -> None:
    (certificate.parent / "release" / VIDEO).write_bytes(b"video X")


def _no_attestation(certificate: Path) -> None:
    (certificate.parent / "attestation.dsse.json").write_bytes(b"damaged")


def _other_evidence(certificate: Path) -> None:
    (certificate.parent / "evidence.json").write_bytes(b"{}")


def _signed_by_a_stranger_as_chair(certificate: Path) -> None:
    stranger = named_signer("Stranger")
    approve(certificate, stranger, Decision(approves=True), release=None, trust=trusting(), clock=lambda: DECIDED)


@pytest.mark.parametrize(
    "damage", [_no_files, _other_file, _no_attestation, _other_evidence, _signed_by_a_stranger_as_chair]
)
def test_what_is_wrong_with_a_release_prevents_no_withdrawal(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    certificate = _lay_out(tmp_path)
    damage(certificate)
    assert checked(certificate).exit_code == 1
    withdrawn(certificate)
    report = checked(certificate)
    assert of_status(report) == ["ok"] * 3 and report.exit_code == 1
    assert report.conclusion.startswith("Does not hold") and "also withdrawn by the steward" in report.conclusion


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.INDETERMINATE])
def test_a_verdict_prevents_no_withdrawal(tmp_path: Path, outcome: Outcome) -> None:
    certificate = _lay_out(tmp_path, outcome)
    withdrawn(certificate)
    report = checked(certificate)
    assert report.exit_code == 3 and "WITHDRAWN" in report.conclusion


def test_a_validity_that_has_run_out_prevents_no_withdrawal(tmp_path: Path) -> None:
    certificate = _lay_out_statement(tmp_path, build_statement(_with_validity("2026-01-08")))
    assert "valid until 2026-01-08" in checked(certificate).conclusion
    withdrawn(certificate)
    assert checked(certificate).exit_code == 3 and "WITHDRAWN" in checked(certificate).conclusion


def test_what_its_steward_did_not_sign_is_not_withdrawn(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    whole = certificate.read_bytes()
    at = whole.index(b"stream") + 12
    certificate.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    refused(certificate, EvidenceError, "nothing was withdrawn: the certificate does not hold")
    certificate.write_bytes(certified(Outcome.PASSED).unsigned)
    refused(certificate, EvidenceError, "unsigned")
    certificate.write_bytes(whole + b"\n")
    refused(certificate, EvidenceError, "appended|does not hold")
    certificate.write_bytes(b"no PDF")
    refused(certificate, EvidenceError, "does not hold")
    certificate.write_bytes(whole)
    refused(certificate, EvidenceError, "did not say you trust", chair(), trust=trust_of([]))


def test_the_steward_needs_no_trust_in_themselves(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    withdrawn(certificate, trust=trust_of([]))
    assert checked(certificate).exit_code == 3


@pytest.mark.parametrize("reason", ["", "two\nlines", "x" * 301])
def test_a_reason_that_cannot_be_signed_is_refused_first(tmp_path: Path, reason: str) -> None:
    refused(_lay_out(tmp_path), SettingsError, "--reason", reason=reason)


def test_a_file_that_stands_there_and_does_not_hold_is_not_replaced(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    for data in (b"junk", status_by(certificate, named_signer("Stranger"))[1]):
        plant(certificate, data)
        refused(certificate, EvidenceError, "does not hold: .*status file")
    (tmp_path / STATUS_FILE).unlink()
    (tmp_path / STATUS_FILE).symlink_to(tmp_path / "nowhere")
    with pytest.raises(EvidenceError, match="cannot be read"):
        withdrawn(certificate)


def test_a_full_disk_and_ctrl_c_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = _lay_out(tmp_path)
    real = os.fsync

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    def interrupted(descriptor: int) -> None:
        real(descriptor)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(placing.os, "fsync", full)
    refused(certificate, EvidenceError, "the status file could not be written: No space left")
    monkeypatch.setattr(placing.os, "fsync", interrupted)
    refused(certificate, Interrupted, "nothing was withdrawn")


# -- what follows from it elsewhere -----------------------------------------------------------------------------------


@pytest.mark.parametrize("approves", [True, False])
def test_nobody_decides_on_what_was_withdrawn(tmp_path: Path, approves: bool) -> None:
    certificate = _lay_out(tmp_path)
    withdrawn(certificate)
    before = certificate.read_bytes()
    with pytest.raises(NotToBeApproved, match="it was withdrawn by the steward") as caught:
        approve(certificate, chair(), Decision(approves=approves), release=None, trust=trusting(), clock=lambda: WHEN)
    assert caught.value.exit_code == 3 and certificate.read_bytes() == before


def test_a_planted_file_lets_nobody_decide_either(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    plant(certificate, by_a_stranger(certificate))
    with pytest.raises(EvidenceError, match="not signed: Does not hold: the status file"):
        approve(certificate, chair(), Decision(approves=True), release=None, trust=trusting(), clock=lambda: WHEN)


def test_a_recheck_says_so_and_is_3(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    withdrawn(certificate)
    report = checked(certificate)
    assert report.case is not None
    again: RecheckReport = judged_again(report, report.case, report.case.policy, report.case.measurements)
    assert again.exit_code == 3 and "WITHDRAWN" in again.conclusion
    assert rechecking.verify is verifying.verify


# -- the command ------------------------------------------------------------------------------------------------------


def _run(*words: str) -> Any:
    return CliRunner().invoke(build_app(), list(words))


def test_the_command_withdraws_says_what_and_notes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEID_AUDIT_LOG", str(tmp_path / "log"))
    Journal(tmp_path / "log", clock=lambda: datetime.now(UTC)).append(Verified(statement_sha256=None, exit_code=1))
    certificate = _lay_out(tmp_path)
    key = str(_key(tmp_path, _lasting(signer())))
    trust = ["--trust", str(tmp_path / "signer.crt")]
    words = ["withdraw", str(certificate), "--signer", key, "--reason", REASON, *trust]
    done = _run(*words)
    assert done.exit_code == 0, done.output
    data = (tmp_path / STATUS_FILE).read_bytes()
    assert f"withdrawn    {REASON}" in done.stdout and sha256_bytes(data) in done.stdout
    assert "hand it on" in done.stderr and str(tmp_path) not in done.output
    log = (tmp_path / "log" / "log.jsonl").read_text()
    assert REASON not in log
    shown = document_in(_run("log", "show", "--case", "case-0001", "--json").stdout)
    [entry] = shown["entries"]
    assert (entry["event"], entry["status_sha256"]) == ("withdrawn", sha256_bytes(data))
    assert entry["statement_sha256"] == sha256_bytes((tmp_path / "evidence.json").read_bytes())
    assert entry["signer_sha256"] == signer().info.fingerprint_sha256
    assert "withdrawn" in _run("log", "show", "--case", "case-0001").stdout
    assert _run("log", "verify").exit_code == 0
    again = _run(*words)
    assert again.exit_code == 1 and "is withdrawn by the steward" in again.stderr and "next: " in again.stderr
    assert (tmp_path / "log" / "log.jsonl").read_text() == log
    seen = _run("verify", str(certificate), *trust, "--json")
    assert seen.exit_code == 3
    document = document_in(seen.stdout)
    assert (document["ok"], document["verdict"]) == (False, "PASSED") and "WITHDRAWN" in document["conclusion"]
    assert (document["withdrawn"]["role"], document["withdrawn"]["reason"]) == ("steward", REASON)
    elsewhere = (tmp_path / STATUS_FILE).rename(tmp_path / "elsewhere.json")
    assert _run("verify", str(certificate), *trust).exit_code == 0
    told = _run("verify", str(certificate), *trust, "--status", str(elsewhere))
    assert told.exit_code == 3 and "WITHDRAWN" in told.stdout.splitlines()[-1]


def _lasting(own: Signer) -> Signer:
    """The same key with a certificate that is valid when the tests run: the command signs by the machine's clock."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    return named_signer("Renewed", own.private_key, start=start)  # type: ignore[arg-type]


def test_the_command_gives_one_json_document(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    key = str(_key(tmp_path, _lasting(signer())))
    trust = ["--trust", str(tmp_path / "signer.crt")]
    done = _run("withdraw", str(certificate), "--signer", key, "--reason", REASON, *trust, "--json")
    assert done.exit_code == 0, done.output
    document = document_in(done.stdout)
    assert (document["role"], document["reason"], document["case_id"]) == ("steward", REASON, "case-0001")


def test_a_planted_file_is_explained(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    plant(certificate, by_a_stranger(certificate))
    done = _run("verify", str(certificate), "--trust", str(tmp_path / "signer.crt"))
    assert done.exit_code == 1
    assert "anybody can put such a file there" in done.stdout and "whether one of them withdrew it" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--reason", "two\nlines"], "cannot be printed"),
        (["--reason", "x" * 301], "301 characters"),
        (["--reason", "x", "--trust-file", "trust.toml", "--trust", "x.crt"], "exclude each other"),
        ([], "--reason"),
    ],
)
def test_wrong_usage_is_2_and_writes_nothing(tmp_path: Path, words: list[str], said: str) -> None:
    certificate = _lay_out(tmp_path)
    done = _run("withdraw", str(certificate), "--signer", str(_key(tmp_path, _lasting(signer()))), *words)
    assert done.exit_code == 2 and said in done.stderr
    assert not (tmp_path / STATUS_FILE).exists()


def test_an_attestation_takes_no_second_kind() -> None:
    """`add_signature` is for attestations: a status file keeps its one signer."""
    own = signer()
    status = attest(b"{}", [own], kind=STATUS)
    with pytest.raises(EvidenceError, match="payloadType is not"):
        add_signature(status, chair())
