"""`withdraw`: who may, what prevents it and what does not; and a status file that is here is honoured, or it fails."""

import json
import os
import random
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.attestation import ATTESTATION, STATUS, EnvelopeKind, add_signature, attest
from deid_audit.certificate.checking import CertificateCheck, check_certificate
from deid_audit.certificate.decisions import Decision
from deid_audit.certificate.keys import Signer, describe_certificate
from deid_audit.certificate.trust import Trust, load_trust_file, trust_of
from deid_audit.certificate.vouching import vouched_for
from deid_audit.digests import sha256_bytes
from deid_audit.errors import DeidAuditError, EvidenceError, Interrupted, NotToBeApproved, SettingsError, SignatureError
from deid_audit.evidence import build_statement
from deid_audit.findings import Outcome
from deid_audit.log import Journal, Verified
from deid_audit.pipeline import placing, rechecking, standing, withdrawing
from deid_audit.pipeline import verify as verifying
from deid_audit.pipeline.approving import approve
from deid_audit.pipeline.checks import Check, VerifyReport
from deid_audit.pipeline.rechecking import RecheckReport, judged_again
from deid_audit.pipeline.verify import verify
from deid_audit.pipeline.withdrawing import Written, withdraw
from deid_audit.status import STATUS_FILE, Withdrawal, withdrawal
from tests.schemas import document_in
from tests.unit.certificates import (
    CONDITIONS,
    DECIDED,
    ISSUED,
    authority,
    certified,
    chair,
    issued_signer,
    lasting_decided,
    lasting_trust,
    named_signer,
    revoked_at,
    signer,
)
from tests.unit.releases import turn_bit
from tests.unit.test_approving import _key
from tests.unit.test_trust import GOOD
from tests.unit.test_trust import write as write_trust
from tests.unit.test_verify import VIDEO, _lay_out, _lay_out_statement, _not_ok, _with_validity

WHEN = DECIDED + timedelta(days=20)
REASON = "the subject withdrew the consent"
CHECKS_OF_STATUS = ("status.readable", "status.same", "status.signed")


@pytest.fixture(autouse=True)
def examined_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One PDF under one trust at one time is examined once a session: a status file changes nothing in it."""

    def examined(pdf: bytes, trust: Trust, *, now: datetime | None = None) -> CertificateCheck:
        if trust.crls:  # a list cannot be looked up by its value
            return check_certificate(pdf, trust, now=now)
        return _examined(pdf, trust, now)

    for module in (verifying, withdrawing):
        monkeypatch.setattr(module, "check_certificate", examined)


@cache
def _examined(pdf: bytes, trust: Trust, now: datetime | None) -> CertificateCheck:
    return check_certificate(pdf, trust, now=now)


def _trust(*others: Signer) -> Trust:
    return trust_of([one.certificate_pem for one in (signer(), *others)])


def _withdraw(certificate: Path, by: Signer | None = None, **more: Any) -> Written:
    options: dict[str, Any] = {"trust": _trust(), "clock": lambda: WHEN} | more
    return withdraw(certificate, by or signer(), options.pop("reason", REASON), **options)


def _decided(folder: Path, *, approves: bool = True) -> Path:
    certificate = _lay_out(folder)
    decision = Decision(approves=approves, conditions=CONDITIONS)
    approve(certificate, chair(), decision, release=None, trust=_trust(), clock=lambda: DECIDED)
    return certificate


def _verify(certificate: Path, trust: Trust | None = None, **more: Any) -> VerifyReport:
    return verify(certificate, release=None, trust=trust or _trust(), **more)


def _of_status(report: VerifyReport) -> list[str]:
    found = {check.id: check.status for check in report.checks}
    return [found[check] for check in CHECKS_OF_STATUS]


def _refused(certificate: Path, kind: type[DeidAuditError], words: str, by: Signer | None = None, **more: Any) -> None:
    """What withdrawing raises; nothing in the certificate's folder has changed."""
    before = {path.name: path.read_bytes() for path in certificate.parent.iterdir() if path.is_file()}
    with pytest.raises(kind, match=words):
        _withdraw(certificate, by, **more)
    assert {path.name: path.read_bytes() for path in certificate.parent.iterdir() if path.is_file()} == before


def _status(
    certificate: Path, by: Signer | None = None, *, kind: EnvelopeKind = STATUS, **changes: Any
) -> tuple[Withdrawal, bytes]:
    """A status file as anybody could make it, with one of their own keys."""
    own = by or signer()
    given = {
        "case_id": "case-0001",
        "statement_sha256": sha256_bytes((certificate.parent / "evidence.json").read_bytes()),
        "reason": REASON,
        "at": WHEN,
        "certificate": own.certificate,
    } | changes
    said = withdrawal(**given)
    return said, attest(said.payload(), [own], kind=kind)


def _plant(certificate: Path, data: bytes) -> None:
    (certificate.parent / STATUS_FILE).write_bytes(data)


# -- who may, and what a verifier then sees ---------------------------------------------------------------------------


def test_without_a_status_file_it_is_said_that_nothing_is_known(tmp_path: Path) -> None:
    report = _verify(_lay_out(tmp_path))
    assert _of_status(report) == ["not_applicable"] * 3
    words = {check.id: check.detail for check in report.checks}["status.readable"]
    assert words == "no status file here: whether it was withdrawn elsewhere is not known"
    assert (report.exit_code, report.withdrawn) == (0, None)


def test_the_steward_withdraws_and_verify_honours_it(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    before = certificate.read_bytes()
    done = _withdraw(certificate)
    assert certificate.read_bytes() == before and not list(tmp_path.glob(".*"))
    data = (tmp_path / STATUS_FILE).read_bytes()
    assert done.status_sha256 == sha256_bytes(data)
    assert rfc8785.dumps(json.loads(data)) == data
    report = _verify(certificate)
    assert _not_ok(report) == {} and _of_status(report) == ["ok"] * 3
    assert (report.holds, report.exit_code, report.verdict) == (True, 3, Outcome.PASSED)
    assert report.conclusion.startswith(
        "Authentic and from an issuer you trust, but WITHDRAWN: not to be released any more"
    )
    assert "by the steward" in report.conclusion and "2026-01-29 at 03:10 UTC" in report.conclusion
    assert REASON in report.conclusion


@pytest.mark.parametrize("approves", [True, False])
def test_the_chair_who_decided_withdraws(tmp_path: Path, approves: bool) -> None:
    certificate = _decided(tmp_path, approves=approves)
    assert _withdraw(certificate, chair()).withdrawn.role == "chair"
    report = _verify(certificate, _trust(chair()))
    assert report.exit_code == 3 and "WITHDRAWN" in report.conclusion and "by the chair, Ada Chair" in report.conclusion
    assert (
        report.withdrawn is not None and report.withdrawn.signer.fingerprint_sha256 == chair().info.fingerprint_sha256
    )


def test_the_steward_withdraws_what_the_chair_approved(tmp_path: Path) -> None:
    certificate = _decided(tmp_path)
    _withdraw(certificate)
    assert _verify(certificate, _trust(chair())).exit_code == 3


def test_a_copy_elsewhere_is_told_by_the_file_alone(tmp_path: Path) -> None:
    certificate, copy = _lay_out(tmp_path / "a"), _lay_out(tmp_path / "b")
    _withdraw(certificate)
    assert _verify(copy).exit_code == 0
    told = (tmp_path / "a" / STATUS_FILE).rename(tmp_path / "told.json")
    report = _verify(copy, status=told)
    assert report.exit_code == 3 and "WITHDRAWN" in report.conclusion


def test_a_named_status_file_must_be_there(tmp_path: Path) -> None:
    report = _verify(_lay_out(tmp_path), status=tmp_path / "none.json")
    assert _of_status(report) == ["failed", "skipped", "skipped"] and report.exit_code == 1


def test_strangers_namesakes_and_a_chair_who_has_not_decided_may_not(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    _refused(certificate, SignatureError, "this signer may not withdraw", named_signer("Stranger"))
    _refused(certificate, SignatureError, "this signer may not withdraw", named_signer(signer().info.name))
    _refused(certificate, SignatureError, "this signer may not withdraw", chair())
    _refused(certificate, SignatureError, "this signer may not withdraw", chair(), trust=_trust(chair()))


def test_a_renewed_certificate_of_the_same_key_is_the_same_signer(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    renewed = named_signer("Renewed", signer().private_key)  # type: ignore[arg-type]
    done = _withdraw(certificate, renewed)
    assert done.withdrawn.signer.fingerprint_sha256 == signer().info.fingerprint_sha256  # whom the certificate names
    assert _verify(certificate).exit_code == 3


def test_it_stands_for_good(tmp_path: Path) -> None:
    certificate = _decided(tmp_path)
    _withdraw(certificate)
    _refused(certificate, SignatureError, f"is withdrawn by the steward.*{REASON}")
    _refused(certificate, SignatureError, "is withdrawn by the steward", chair())


# -- a key that was lost: the trust file decides ----------------------------------------------------------------------


def _board(folder: Path, text: str = GOOD, *anchors: Signer) -> Trust:
    path = write_trust(folder / "board", text)
    for number, one in enumerate(anchors):
        (path.parent / f"{number}.crt").write_bytes(one.certificate_pem)
        path.write_text(f'{path.read_text()}\n[[anchor]]\nfile = "{number}.crt"\n')
    return load_trust_file(path)


def _listing(role: str, one: Signer) -> str:
    """The trust file with one more signer, by fingerprint."""
    mark = {"steward": '["STEWARD"', "chair": 'subjects = ["CN=Ada Chair"]'}[role]
    also = f'"{one.info.fingerprint_sha256}"'
    return GOOD.replace(mark, f"{mark}, {also}" if role == "steward" else f"{mark}\nfingerprints = [{also}]")


@pytest.mark.parametrize("role", ["steward", "chair"])
def test_whom_a_trust_file_lists_and_vouches_for_withdraws_with_another_key(tmp_path: Path, role: str) -> None:
    certificate = _decided(tmp_path)
    new = named_signer("New Key")
    trust = _board(tmp_path, _listing(role, new), new)
    assert _withdraw(certificate, new, trust=trust).withdrawn.role == role
    report = _verify(certificate, trust)
    assert report.exit_code == 3 and f"by the {role}, New Key" in report.conclusion
    # Who has no such trust file does not know that key: nothing passes, and it is said why.
    report = _verify(certificate, _trust(chair()))
    assert _of_status(report) == ["ok", "ok", "failed"] and report.exit_code == 1
    assert "may not withdraw" in report.conclusion and "New Key" in report.conclusion


def test_a_name_that_is_listed_is_nothing_without_an_anchor_and_an_anchor_nothing_without_a_list(
    tmp_path: Path,
) -> None:
    certificate = _decided(tmp_path)
    namesake, vouched = named_signer("Ada Chair"), named_signer("Nobody Listed")
    _refused(certificate, SignatureError, "may not withdraw", namesake, trust=_board(tmp_path / "a"))
    _refused(certificate, SignatureError, "may not withdraw", vouched, trust=_board(tmp_path / "b", GOOD, vouched))


def test_a_key_that_was_not_valid_at_the_time_is_not_vouched_for(tmp_path: Path) -> None:
    certificate = _decided(tmp_path)
    late = named_signer("Late", start=WHEN + timedelta(days=1))
    trust = _board(tmp_path, _listing("steward", late), late)
    _refused(certificate, SignatureError, "may not withdraw", late, trust=trust)


@pytest.mark.parametrize(("since", "may"), [(timedelta(0), False), (timedelta(seconds=1), True)])
def test_a_key_that_was_revoked_by_then_withdraws_nothing(tmp_path: Path, since: timedelta, may: bool) -> None:
    certificate = _lay_out(tmp_path)
    new = issued_signer("New Key")
    board = _board(tmp_path, _listing("steward", new))
    trust = replace(board, anchors=(*board.anchors, authority().certificate))
    known = replace(trust, crls=(revoked_at(WHEN + since, new),))
    if not may:
        _refused(certificate, SignatureError, "may not withdraw", new, trust=known)
    assert _withdraw(certificate, new, trust=known if may else trust).withdrawn.role == "steward"
    assert _of_status(_verify(certificate, trust)) == ["ok"] * 3
    assert _of_status(_verify(certificate, known)) == ["ok", "ok", "ok" if may else "failed"]


def test_who_certified_withdraws_until_the_key_is_revoked_and_the_chair_also_then() -> None:
    steward, decided = issued_signer("Sam Steward"), issued_signer("Cleo Chair")
    renewed = named_signer("Sam Steward", cast("ec.EllipticCurvePrivateKey", steward.private_key))
    for since, roles in (
        (ISSUED - timedelta(days=1), [None, None, "chair"]),  # the certificate itself does not hold then
        (WHEN, [None, None, "chair"]),
        (WHEN + timedelta(seconds=1), ["steward", "steward", "chair"]),
    ):
        trust = lasting_trust(revoked_at(since, steward))
        examined = check_certificate(lasting_decided(), trust, now=WHEN)
        found = []
        for one in (steward, renewed, decided):
            said = withdrawal(
                case_id="case-1", statement_sha256="0" * 64, reason=REASON, at=WHEN, certificate=one.certificate
            )
            entitled = standing.entitled(said, examined, trust)
            found.append(None if entitled is None else entitled.role)
        assert found == roles


def test_a_signer_whom_the_trust_file_lists_no_more_may_not(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    trust = _board(tmp_path, GOOD.replace("STEWARD", "ab" * 32))
    _refused(certificate, SignatureError, "may not withdraw", trust=trust)


def _issued(issuer: Signer, name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    builder = x509.CertificateBuilder().issuer_name(issuer.certificate.subject).public_key(key.public_key())
    builder = builder.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])).serial_number(7)
    builder = builder.not_valid_before(ISSUED).not_valid_after(ISSUED + timedelta(days=90))
    usage = signer().certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    return builder.add_extension(usage, critical=True).sign(issuer.private_key, hashes.SHA256())  # type: ignore[arg-type]


def test_an_anchor_vouches_for_itself_and_what_it_issued(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "The hospital")])
    root = x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=1)
    root = root.not_valid_before(ISSUED).not_valid_after(ISSUED + timedelta(days=900))
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    certificate = root.sign(key, hashes.SHA256())
    hospital = Signer(
        info=describe_certificate(certificate, verified_issuer=True), certificate=certificate, private_key=key
    )
    leaf = _issued(hospital, "Ada", ec.generate_private_key(ec.SECP256R1()))
    forged = _issued(
        replace(hospital, private_key=ec.generate_private_key(ec.SECP256R1())),
        "Ada",
        ec.generate_private_key(ec.SECP256R1()),
    )
    assert vouched_for(leaf, [hospital.certificate], WHEN)
    assert vouched_for(signer().certificate, [signer().certificate], WHEN)
    assert not vouched_for(hospital.certificate, [hospital.certificate], WHEN)  # not a key for signing documents
    assert not vouched_for(leaf, [], WHEN)
    assert not vouched_for(leaf, [chair().certificate], WHEN)
    assert not vouched_for(forged, [hospital.certificate], WHEN)
    assert not vouched_for(leaf, [hospital.certificate], ISSUED + timedelta(days=91))
    assert not vouched_for(leaf, [hospital.certificate], ISSUED - timedelta(days=1))
    by_steward = _issued(signer(), "Ada", ec.generate_private_key(ec.SECP256R1()))  # a signer's key is no CA
    assert not vouched_for(by_steward, [signer().certificate], WHEN)


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
    approve(certificate, stranger, Decision(approves=True), release=None, trust=_trust(), clock=lambda: DECIDED)


@pytest.mark.parametrize(
    "damage", [_no_files, _other_file, _no_attestation, _other_evidence, _signed_by_a_stranger_as_chair]
)
def test_what_is_wrong_with_a_release_prevents_no_withdrawal(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    certificate = _lay_out(tmp_path)
    damage(certificate)
    assert _verify(certificate).exit_code == 1
    _withdraw(certificate)
    report = _verify(certificate)
    assert _of_status(report) == ["ok"] * 3 and report.exit_code == 1
    assert report.conclusion.startswith("Does not hold") and "also withdrawn by the steward" in report.conclusion


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.INDETERMINATE])
def test_a_verdict_prevents_no_withdrawal(tmp_path: Path, outcome: Outcome) -> None:
    certificate = _lay_out(tmp_path, outcome)
    _withdraw(certificate)
    report = _verify(certificate)
    assert report.exit_code == 3 and "WITHDRAWN" in report.conclusion


def test_a_validity_that_has_run_out_prevents_no_withdrawal(tmp_path: Path) -> None:
    certificate = _lay_out_statement(tmp_path, build_statement(_with_validity("2026-01-08")))
    assert "valid until 2026-01-08" in _verify(certificate).conclusion
    _withdraw(certificate)
    assert _verify(certificate).exit_code == 3 and "WITHDRAWN" in _verify(certificate).conclusion


def test_what_its_steward_did_not_sign_is_not_withdrawn(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    whole = certificate.read_bytes()
    at = whole.index(b"stream") + 12
    certificate.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    _refused(certificate, EvidenceError, "nothing was withdrawn: the certificate does not hold")
    certificate.write_bytes(certified(Outcome.PASSED).unsigned)
    _refused(certificate, EvidenceError, "unsigned")
    certificate.write_bytes(whole + b"\n")
    _refused(certificate, EvidenceError, "appended|does not hold")
    certificate.write_bytes(b"no PDF")
    _refused(certificate, EvidenceError, "does not hold")
    certificate.write_bytes(whole)
    _refused(certificate, EvidenceError, "did not say you trust", chair(), trust=trust_of([]))


def test_the_steward_needs_no_trust_in_themselves(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    _withdraw(certificate, trust=trust_of([]))
    assert _verify(certificate).exit_code == 3


@pytest.mark.parametrize("reason", ["", "two\nlines", "x" * 301])
def test_a_reason_that_cannot_be_signed_is_refused_first(tmp_path: Path, reason: str) -> None:
    _refused(_lay_out(tmp_path), SettingsError, "--reason", reason=reason)


def test_a_file_that_stands_there_and_does_not_hold_is_not_replaced(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    for data in (b"junk", _status(certificate, named_signer("Stranger"))[1]):
        _plant(certificate, data)
        _refused(certificate, EvidenceError, "does not hold: .*status file")
    (tmp_path / STATUS_FILE).unlink()
    (tmp_path / STATUS_FILE).symlink_to(tmp_path / "nowhere")
    with pytest.raises(EvidenceError, match="cannot be read"):
        _withdraw(certificate)


def test_a_full_disk_and_ctrl_c_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = _lay_out(tmp_path)
    real = os.fsync

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    def interrupted(descriptor: int) -> None:
        real(descriptor)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(placing.os, "fsync", full)
    _refused(certificate, EvidenceError, "the status file could not be written: No space left")
    monkeypatch.setattr(placing.os, "fsync", interrupted)
    _refused(certificate, Interrupted, "nothing was withdrawn")


# -- every other status file fails, and none is passed over -----------------------------------------------------------


def _another_statement(certificate: Path) -> bytes:
    return _status(certificate, statement_sha256="ab" * 32)[1]


def _another_case(certificate: Path) -> bytes:
    return _status(certificate, case_id="case-0002")[1]


def _by_a_stranger(certificate: Path) -> bytes:
    return _status(certificate, named_signer("Stranger"))[1]


def _by_a_namesake(certificate: Path) -> bytes:
    return _status(certificate, named_signer(signer().info.name))[1]


def _by_an_undecided_chair(certificate: Path) -> bytes:
    return _status(certificate, chair())[1]


def _as_an_attestation(certificate: Path) -> bytes:
    return _status(certificate, kind=ATTESTATION)[1]


def _relabelled(certificate: Path) -> bytes:
    """Signed as an attestation, and called a status file: the type is signed, too."""
    table = json.loads(_as_an_attestation(certificate))
    return rfc8785.dumps(table | {"payloadType": STATUS.payload_type})


def _the_attestation_itself(certificate: Path) -> bytes:
    return (certificate.parent / "attestation.dsse.json").read_bytes()


def _a_second_signature(certificate: Path) -> bytes:
    said, _ = _status(certificate)
    return attest(said.payload(), [signer(), chair()], kind=STATUS)


def _without_signatures(certificate: Path) -> bytes:
    return rfc8785.dumps(json.loads(_status(certificate)[1]) | {"signatures": []})


def _one_more_key(certificate: Path) -> bytes:
    return rfc8785.dumps(json.loads(_status(certificate)[1]) | {"note": "x"})


def _a_key_less(certificate: Path) -> bytes:
    table = json.loads(_status(certificate)[1])
    del table["payloadType"]
    return rfc8785.dumps(table)


def _of_anothers_signature(certificate: Path) -> bytes:
    """The steward's certificate in it, and a stranger's signature under the steward's keyid."""
    table = json.loads(_status(certificate)[1])
    other = json.loads(_status(certificate, reason="another")[1])
    return rfc8785.dumps(table | {"signatures": other["signatures"]})


def _too_large(certificate: Path) -> bytes:
    return _status(certificate)[1] + b" " * (1 << 16)


@pytest.mark.parametrize(
    ("make", "statuses"),
    [
        (lambda _: b"", ["failed", "skipped", "skipped"]),
        (lambda _: b"{}", ["failed", "skipped", "skipped"]),
        (_one_more_key, ["failed", "skipped", "skipped"]),
        (_a_key_less, ["failed", "skipped", "skipped"]),
        (_without_signatures, ["failed", "skipped", "skipped"]),
        (_too_large, ["failed", "skipped", "skipped"]),
        (_as_an_attestation, ["failed", "skipped", "skipped"]),
        (_the_attestation_itself, ["failed", "skipped", "skipped"]),
        (lambda one: _status(one)[1] + b"\n", ["failed", "skipped", "skipped"]),
        (_another_statement, ["ok", "failed", "skipped"]),
        (_another_case, ["ok", "failed", "skipped"]),
        (_by_a_stranger, ["ok", "ok", "failed"]),
        (_by_a_namesake, ["ok", "ok", "failed"]),
        (_by_an_undecided_chair, ["ok", "ok", "failed"]),
        (_relabelled, ["ok", "ok", "failed"]),
        (_a_second_signature, ["ok", "ok", "failed"]),
        (_of_anothers_signature, ["ok", "ok", "failed"]),
    ],
)
def test_a_status_file_that_does_not_count_fails(
    tmp_path: Path, make: Callable[[Path], bytes], statuses: list[str]
) -> None:
    certificate = _lay_out(tmp_path)
    _plant(certificate, make(certificate))
    report = _verify(certificate)
    assert _of_status(report) == statuses
    assert (report.exit_code, report.withdrawn) == (1, None)
    assert report.conclusion.startswith("Does not hold") and "withdrawn by" not in report.conclusion


def test_a_chair_whom_you_do_not_trust_withdraws_nothing(tmp_path: Path) -> None:
    certificate = _decided(tmp_path)
    _withdraw(certificate, chair())
    report = _verify(certificate)  # the steward's certificate alone
    assert _not_ok(report) == {"approval.trusted": "failed", "status.signed": "failed"}


def test_a_link_or_a_folder_in_its_place_is_not_passed_over(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    (tmp_path / STATUS_FILE).symlink_to(tmp_path / "nowhere")
    assert _of_status(_verify(certificate)) == ["failed", "skipped", "skipped"]
    (tmp_path / STATUS_FILE).unlink()
    (tmp_path / STATUS_FILE).mkdir()
    assert _of_status(_verify(certificate)) == ["failed", "skipped", "skipped"]


def test_part_of_the_status_checks_never_holds(tmp_path: Path) -> None:
    report = _verify(_lay_out(tmp_path))
    for left_out in CHECKS_OF_STATUS:
        for other in ("skipped", "ok"):
            checks = tuple(replace(one, status=other) if one.id == left_out else one for one in report.checks)
            assert replace(report, checks=checks).exit_code == 1
    assert isinstance(report.checks[0], Check)


def _mutate(certificate: Path, count: int) -> None:
    path = certificate.parent / STATUS_FILE
    whole = path.read_bytes()
    for position in random.Random(11).sample(range(len(whole) * 8), min(count, len(whole) * 8)):
        turn_bit(path, position)
        report = _verify(certificate)
        assert report.exit_code == 1 and report.withdrawn is None, position
        assert "failed" in _of_status(report), position
        path.write_bytes(whole)
    assert _verify(certificate).exit_code == 3


def test_no_bit_of_it_can_be_turned(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    _withdraw(certificate)
    _mutate(certificate, 100)


@pytest.mark.soak
def test_no_bit_of_two_thousand_can_be_turned(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    _withdraw(certificate)
    _mutate(certificate, 2000)


# -- what follows from it elsewhere -----------------------------------------------------------------------------------


@pytest.mark.parametrize("approves", [True, False])
def test_nobody_decides_on_what_was_withdrawn(tmp_path: Path, approves: bool) -> None:
    certificate = _lay_out(tmp_path)
    _withdraw(certificate)
    before = certificate.read_bytes()
    with pytest.raises(NotToBeApproved, match="it was withdrawn by the steward") as caught:
        approve(certificate, chair(), Decision(approves=approves), release=None, trust=_trust(), clock=lambda: WHEN)
    assert caught.value.exit_code == 3 and certificate.read_bytes() == before


def test_a_planted_file_lets_nobody_decide_either(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    _plant(certificate, _by_a_stranger(certificate))
    with pytest.raises(EvidenceError, match="not signed: Does not hold: the status file"):
        approve(certificate, chair(), Decision(approves=True), release=None, trust=_trust(), clock=lambda: WHEN)


def test_a_recheck_says_so_and_is_3(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    _withdraw(certificate)
    report = _verify(certificate)
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
    checked = _run("verify", str(certificate), *trust, "--json")
    assert checked.exit_code == 3
    document = document_in(checked.stdout)
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
    _plant(certificate, _by_a_stranger(certificate))
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
