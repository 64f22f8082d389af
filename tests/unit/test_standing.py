"""A status file that is here: honoured where somebody entitled signed it, else a failure, and never passed over."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deid_audit.attestation import ATTESTATION, STATUS, attest
from deid_audit.certificate.checking import check_certificate
from deid_audit.certificate.keys import Signer, describe_certificate
from deid_audit.certificate.trust import Trust, load_trust_file
from deid_audit.certificate.vouching import vouched_for
from deid_audit.errors import SignatureError
from deid_audit.pipeline import standing
from deid_audit.pipeline.checks import Check
from deid_audit.status import STATUS_FILE, withdrawal
from tests.unit.certificates import (
    ISSUED,
    authority,
    chair,
    issued_signer,
    lasting_decided,
    lasting_trust,
    named_signer,
    revoked_at,
    signer,
)
from tests.unit.releases import turn_bit
from tests.unit.test_trust import GOOD
from tests.unit.test_trust import write as write_trust
from tests.unit.test_verify import _lay_out, _not_ok
from tests.unit.withdrawals import (
    CHECKS_OF_STATUS,
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


def test_without_a_status_file_it_is_said_that_nothing_is_known(tmp_path: Path) -> None:
    report = checked(_lay_out(tmp_path))
    assert of_status(report) == ["not_applicable"] * 3
    words = {check.id: check.detail for check in report.checks}["status.readable"]
    assert words == "no status file here: whether it was withdrawn elsewhere is not known"
    assert (report.exit_code, report.withdrawn) == (0, None)


def test_a_named_status_file_must_be_there(tmp_path: Path) -> None:
    report = checked(_lay_out(tmp_path), status=tmp_path / "none.json")
    assert of_status(report) == ["failed", "skipped", "skipped"] and report.exit_code == 1


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
    certificate = decided(tmp_path)
    new = named_signer("New Key")
    trust = _board(tmp_path, _listing(role, new), new)
    assert withdrawn(certificate, new, trust=trust).withdrawn.role == role
    report = checked(certificate, trust)
    assert report.exit_code == 3 and f"by the {role}, New Key" in report.conclusion
    # Who has no such trust file does not know that key: nothing passes, and it is said why.
    report = checked(certificate, trusting(chair()))
    assert of_status(report) == ["ok", "ok", "failed"] and report.exit_code == 1
    assert "may not withdraw" in report.conclusion and "New Key" in report.conclusion


def test_a_name_that_is_listed_is_nothing_without_an_anchor_and_an_anchor_nothing_without_a_list(
    tmp_path: Path,
) -> None:
    certificate = decided(tmp_path)
    namesake, vouched = named_signer("Ada Chair"), named_signer("Nobody Listed")
    refused(certificate, SignatureError, "may not withdraw", namesake, trust=_board(tmp_path / "a"))
    refused(certificate, SignatureError, "may not withdraw", vouched, trust=_board(tmp_path / "b", GOOD, vouched))


def test_a_key_that_was_not_valid_at_the_time_is_not_vouched_for(tmp_path: Path) -> None:
    certificate = decided(tmp_path)
    late = named_signer("Late", start=WHEN + timedelta(days=1))
    trust = _board(tmp_path, _listing("steward", late), late)
    refused(certificate, SignatureError, "may not withdraw", late, trust=trust)


@pytest.mark.parametrize(("since", "may"), [(timedelta(0), False), (timedelta(seconds=1), True)])
def test_a_key_that_was_revoked_by_then_withdraws_nothing(tmp_path: Path, since: timedelta, may: bool) -> None:
    certificate = _lay_out(tmp_path)
    new = issued_signer("New Key")
    board = _board(tmp_path, _listing("steward", new))
    trust = replace(board, anchors=(*board.anchors, authority().certificate))
    known = replace(trust, crls=(revoked_at(WHEN + since, new),))
    if not may:
        refused(certificate, SignatureError, "may not withdraw", new, trust=known)
    assert withdrawn(certificate, new, trust=known if may else trust).withdrawn.role == "steward"
    assert of_status(checked(certificate, trust)) == ["ok"] * 3
    assert of_status(checked(certificate, known)) == ["ok", "ok", "ok" if may else "failed"]


def test_who_certified_withdraws_until_the_key_is_revoked_and_the_chair_also_then() -> None:
    steward, decider = issued_signer("Sam Steward"), issued_signer("Cleo Chair")
    renewed = named_signer("Sam Steward", cast("ec.EllipticCurvePrivateKey", steward.private_key))
    for since, roles in (
        (ISSUED - timedelta(days=1), [None, None, "chair"]),  # the certificate itself does not hold then
        (WHEN, [None, None, "chair"]),
        (WHEN + timedelta(seconds=1), ["steward", "steward", "chair"]),
    ):
        trust = lasting_trust(revoked_at(since, steward))
        examined = check_certificate(lasting_decided(), trust, now=WHEN)
        found = []
        for one in (steward, renewed, decider):
            said = withdrawal(
                case_id="case-1", statement_sha256="0" * 64, reason=REASON, at=WHEN, certificate=one.certificate
            )
            entitled = standing.entitled(said, examined, trust)
            found.append(None if entitled is None else entitled.role)
        assert found == roles


def test_a_signer_whom_the_trust_file_lists_no_more_may_not(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    trust = _board(tmp_path, GOOD.replace("STEWARD", "ab" * 32))
    refused(certificate, SignatureError, "may not withdraw", trust=trust)


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


# -- every other status file fails, and none is passed over -----------------------------------------------------------


def _another_statement(certificate: Path) -> bytes:
    return status_by(certificate, statement_sha256="ab" * 32)[1]


def _another_case(certificate: Path) -> bytes:
    return status_by(certificate, case_id="case-0002")[1]


def _by_a_namesake(certificate: Path) -> bytes:
    return status_by(certificate, named_signer(signer().info.name))[1]


def _by_an_undecided_chair(certificate: Path) -> bytes:
    return status_by(certificate, chair())[1]


def _as_an_attestation(certificate: Path) -> bytes:
    return status_by(certificate, kind=ATTESTATION)[1]


def _relabelled(certificate: Path) -> bytes:
    """Signed as an attestation, and called a status file: the type is signed, too."""
    table = json.loads(_as_an_attestation(certificate))
    return rfc8785.dumps(table | {"payloadType": STATUS.payload_type})


def _the_attestation_itself(certificate: Path) -> bytes:
    return (certificate.parent / "attestation.dsse.json").read_bytes()


def _a_second_signature(certificate: Path) -> bytes:
    said, _ = status_by(certificate)
    return attest(said.payload(), [signer(), chair()], kind=STATUS)


def _without_signatures(certificate: Path) -> bytes:
    return rfc8785.dumps(json.loads(status_by(certificate)[1]) | {"signatures": []})


def _one_more_key(certificate: Path) -> bytes:
    return rfc8785.dumps(json.loads(status_by(certificate)[1]) | {"note": "x"})


def _a_key_less(certificate: Path) -> bytes:
    table = json.loads(status_by(certificate)[1])
    del table["payloadType"]
    return rfc8785.dumps(table)


def _with_the_signature_of_another(certificate: Path) -> bytes:
    """The steward's own signature, of another reason."""
    table = json.loads(status_by(certificate)[1])
    other = json.loads(status_by(certificate, reason="another")[1])
    return rfc8785.dumps(table | {"signatures": other["signatures"]})


def _too_large(certificate: Path) -> bytes:
    return status_by(certificate)[1] + b" " * (1 << 16)


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
        (lambda one: status_by(one)[1] + b"\n", ["failed", "skipped", "skipped"]),
        (_another_statement, ["ok", "failed", "skipped"]),
        (_another_case, ["ok", "failed", "skipped"]),
        (by_a_stranger, ["ok", "ok", "failed"]),
        (_by_a_namesake, ["ok", "ok", "failed"]),
        (_by_an_undecided_chair, ["ok", "ok", "failed"]),
        (_relabelled, ["ok", "ok", "failed"]),
        (_a_second_signature, ["ok", "ok", "failed"]),
        (_with_the_signature_of_another, ["ok", "ok", "failed"]),
    ],
)
def test_a_status_file_that_does_not_count_fails(
    tmp_path: Path, make: Callable[[Path], bytes], statuses: list[str]
) -> None:
    certificate = _lay_out(tmp_path)
    plant(certificate, make(certificate))
    report = checked(certificate)
    assert of_status(report) == statuses
    assert (report.exit_code, report.withdrawn) == (1, None)
    assert report.conclusion.startswith("Does not hold") and "withdrawn by" not in report.conclusion


def test_a_chair_whom_you_do_not_trust_withdraws_nothing(tmp_path: Path) -> None:
    certificate = decided(tmp_path)
    withdrawn(certificate, chair())
    report = checked(certificate)  # the steward's certificate alone
    assert _not_ok(report) == {"approval.trusted": "failed", "status.signed": "failed"}


def test_a_link_or_a_folder_in_its_place_is_not_passed_over(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    (tmp_path / STATUS_FILE).symlink_to(tmp_path / "nowhere")
    assert of_status(checked(certificate)) == ["failed", "skipped", "skipped"]
    (tmp_path / STATUS_FILE).unlink()
    (tmp_path / STATUS_FILE).mkdir()
    assert of_status(checked(certificate)) == ["failed", "skipped", "skipped"]


def test_part_of_the_status_checks_never_holds(tmp_path: Path) -> None:
    report = checked(_lay_out(tmp_path))
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
        report = checked(certificate)
        assert report.exit_code == 1 and report.withdrawn is None, position
        assert "failed" in of_status(report), position
        path.write_bytes(whole)
    assert checked(certificate).exit_code == 3


def test_no_bit_of_it_can_be_turned(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    withdrawn(certificate)
    _mutate(certificate, 100)


@pytest.mark.soak
def test_no_bit_of_a_thousand_can_be_turned(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    withdrawn(certificate)
    _mutate(certificate, 1000)
