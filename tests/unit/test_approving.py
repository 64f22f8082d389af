"""`approve`: what does not hold is not signed, a decision stands for good, and nothing is left half-written."""

import os
import signal
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from cryptography.hazmat.primitives import serialization
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.attestation import check_signature, read_envelope
from deid_audit.certificate.decisions import Decision
from deid_audit.certificate.keys import Signer
from deid_audit.certificate.signing import countersign_pdf
from deid_audit.certificate.trust import Trust, load_trust_file, trust_of
from deid_audit.digests import sha256_bytes
from deid_audit.errors import DeidAuditError, EvidenceError, Interrupted, NotToBeApproved, SignatureError
from deid_audit.evidence import build_statement
from deid_audit.findings import Outcome
from deid_audit.log import Journal, Verified
from deid_audit.pipeline import approving
from deid_audit.pipeline.approving import approve
from deid_audit.pipeline.checks import VerifyReport
from deid_audit.pipeline.verify import verify
from tests.schemas import document_in
from tests.unit.certificates import CONDITIONS, DECIDED, ISSUED, certified, chair, named_signer, signer
from tests.unit.test_trust import write as write_trust
from tests.unit.test_verify import VIDEO, _lay_out, _lay_out_statement, _with_validity

APPROVES, REFUSES = Decision(approves=True), Decision(approves=False)


def _trust() -> Trust:
    return trust_of([signer().certificate_pem])


def _approve(certificate: Path, decision: Decision = APPROVES, *, by: Signer | None = None, **more: Any) -> Any:
    options: dict[str, Any] = {"release": None, "trust": _trust(), "clock": lambda: DECIDED} | more
    return approve(certificate, by or chair(), decision, **options)


def _refused(
    certificate: Path, kind: type[DeidAuditError], words: str, decision: Decision = APPROVES, **more: Any
) -> DeidAuditError:
    """What approving raises; the certificate's folder is as it was."""
    before = {path.name: path.read_bytes() for path in certificate.parent.iterdir() if path.is_file()}
    with pytest.raises(kind, match=words) as caught:
        _approve(certificate, decision, **more)
    assert {path.name: path.read_bytes() for path in certificate.parent.iterdir() if path.is_file()} == before
    return caught.value


def _board(folder: Path) -> Trust:
    """Demands a decision of the chair."""
    return load_trust_file(write_trust(folder / "board"))


def _not_ok(report: VerifyReport) -> list[str]:
    """Beside the checks of timestamps and lists, which nobody gave here."""
    moot = [check.id for check in report.checks if check.status == "not_applicable"]
    assert {name.partition(".")[2] for name in moot} == {"timestamp", "revocation"}
    return [check.id for check in report.checks if check.status not in ("ok", "not_applicable")]


def test_an_approval_stands_in_the_certificate_and_verifies(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    before = certificate.read_bytes()
    (tmp_path / "certificate.pdf").chmod(0o640)
    done = _approve(certificate, Decision(approves=True, conditions=CONDITIONS), trust=_board(tmp_path))
    after = certificate.read_bytes()
    assert after.startswith(before) and done.certificate_sha256 == sha256_bytes(after)
    assert certificate.stat().st_mode & 0o777 == 0o640
    assert not list(tmp_path.glob(".*"))
    report = verify(certificate, release=None, trust=_board(tmp_path))
    assert _not_ok(report) == []
    assert (report.exit_code, report.decision) == (0, Decision(approves=True, conditions=CONDITIONS))
    assert f"approved by the chair (conditions: {CONDITIONS})" in report.conclusion


def test_a_refusal_is_authentic_and_3(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    _approve(certificate, Decision(approves=False, conditions="the tattoo shows"))
    report = verify(certificate, release=None, trust=_board(tmp_path))
    assert (report.holds, report.exit_code, report.verdict) == (True, 3, Outcome.PASSED)
    assert "refused the release (conditions: the tattoo shows): not to be released" in report.conclusion


def test_without_the_chairs_certificate_a_decision_is_not_trusted(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    _approve(certificate)
    report = verify(certificate, release=None, trust=_trust())
    assert _not_ok(report) == ["approval.trusted"]
    assert report.exit_code == 1


def test_a_demanded_chair_who_has_not_signed_is_1(tmp_path: Path) -> None:
    report = verify(_lay_out(tmp_path), release=None, trust=_board(tmp_path))
    assert [check.id for check in report.checks if check.status == "failed"] == ["approval.present"]
    assert report.exit_code == 1 and "demands it" in report.conclusion


def test_an_approval_signs_the_attestation_and_a_refusal_does_not(tmp_path: Path) -> None:
    for name, decision, signers in (("a", APPROVES, 2), ("b", REFUSES, 1)):
        certificate = _lay_out(tmp_path / name)
        _approve(certificate, decision)
        envelope = read_envelope((tmp_path / name / "attestation.dsse.json").read_bytes())
        assert len(envelope.signatures) == signers
        assert check_signature(envelope, chair().certificate) is decision.approves
        report = verify(certificate, release=None, trust=_board(tmp_path / name))
        assert _not_ok(report) == []


def test_an_attestation_without_the_chair_who_approved_does_not_hold(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    before = (tmp_path / "attestation.dsse.json").read_bytes()
    _approve(certificate)
    (tmp_path / "attestation.dsse.json").write_bytes(before)
    report = verify(certificate, release=None, trust=_board(tmp_path))
    assert _not_ok(report) == ["attestation.signed"]
    (tmp_path / "attestation.dsse.json").unlink()
    assert verify(certificate, release=None, trust=_board(tmp_path)).exit_code == 0


def test_without_an_attestation_the_certificate_alone_is_signed(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    (tmp_path / "attestation.dsse.json").unlink()
    _approve(certificate)
    assert not (tmp_path / "attestation.dsse.json").exists()
    assert verify(certificate, release=None, trust=_board(tmp_path)).exit_code == 0


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.INDETERMINATE])
def test_what_is_not_passed_can_be_refused_only(tmp_path: Path, outcome: Outcome) -> None:
    certificate = _lay_out(tmp_path, outcome)
    error = _refused(certificate, NotToBeApproved, f"the verdict is {outcome.value}, and only --decision refuse")
    assert error.exit_code == 3
    _approve(certificate, REFUSES)
    report = verify(certificate, release=None, trust=_board(tmp_path))
    assert (report.holds, report.exit_code) == (True, 3)


def test_what_is_past_its_validity_can_be_refused_only(tmp_path: Path) -> None:
    certificate = _lay_out_statement(tmp_path, build_statement(_with_validity("2026-01-08")))
    error = _refused(certificate, NotToBeApproved, "valid until 2026-01-08, and only --decision refuse")
    assert error.exit_code == 3
    _approve(certificate, APPROVES, clock=lambda: datetime(2026, 1, 8, 23, tzinfo=UTC))
    report = verify(certificate, release=None, trust=_board(tmp_path), today=lambda: date(2026, 1, 8))
    assert report.exit_code == 0


def _changed_video(certificate: Path) -> None:
    (certificate.parent / "release" / VIDEO).write_bytes(b"video X")


def _without_files(certificate: Path) -> None:
    (certificate.parent / "release").rename(certificate.parent / "elsewhere")


def _flipped(certificate: Path) -> None:
    data = bytearray(certificate.read_bytes())
    data[data.index(b"stream") + 12] ^= 1
    certificate.write_bytes(bytes(data))


def _unsigned(certificate: Path) -> None:
    certificate.write_bytes(certified(Outcome.PASSED).unsigned)


@pytest.mark.parametrize("damage", [_changed_video, _without_files, _flipped, _unsigned])
@pytest.mark.parametrize("decision", [APPROVES, REFUSES], ids=["approve", "refuse"])
def test_what_does_not_hold_is_not_signed(tmp_path: Path, damage: Callable[[Path], None], decision: Decision) -> None:
    certificate = _lay_out(tmp_path)
    damage(certificate)
    assert _refused(certificate, EvidenceError, "not signed: Does not hold", decision).exit_code == 1


def test_without_trust_nothing_is_signed(tmp_path: Path) -> None:
    _refused(_lay_out(tmp_path), EvidenceError, "issuer unknown", trust=trust_of([]))


def test_a_decision_stands_for_good(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    _approve(certificate, REFUSES)
    _refused(certificate, SignatureError, "decided already: Refuses the release")
    _refused(certificate, SignatureError, "decided already", trust=_board(tmp_path))
    with pytest.raises(SignatureError, match="already signed"):
        countersign_pdf(certificate.read_bytes(), chair(), APPROVES, signed_at=DECIDED)


def test_nobody_approves_what_they_certified(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    _refused(certificate, SignatureError, "is the steward's", by=signer())
    _refused(certificate, SignatureError, "is the steward's", by=named_signer(signer().info.name))
    same_key = named_signer("Somebody Else", signer().private_key)  # type: ignore[arg-type]
    _refused(certificate, SignatureError, "is the steward's", by=same_key)


def test_a_chair_whom_the_trust_file_does_not_name_or_vouch_for(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    _refused(certificate, SignatureError, "does not list", by=named_signer("Stranger"), trust=_board(tmp_path))
    namesake = named_signer("Ada Chair")
    _refused(certificate, SignatureError, "would not hold: signed by someone", by=namesake, trust=_board(tmp_path))


def test_a_clock_before_the_stewards_is_noticed_before_anything_is_written(tmp_path: Path) -> None:
    early = named_signer("Early Chair", start=ISSUED - timedelta(days=100))
    when = ISSUED - timedelta(days=3)
    _refused(_lay_out(tmp_path), SignatureError, "would not hold: the time", by=early, clock=lambda: when)


def test_a_full_disk_leaves_the_certificate_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(approving.os, "fsync", full)
    _refused(_lay_out(tmp_path), EvidenceError, "No space left")


def test_ctrl_c_leaves_the_certificate_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def interrupted(descriptor: int) -> None:
        real(descriptor)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(approving.os, "fsync", interrupted)
    assert _refused(_lay_out(tmp_path), Interrupted, "nothing was signed").exit_code == 130


def test_ctrl_c_between_the_renames_waits_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = _lay_out(tmp_path)
    monkeypatch.setattr(approving, "sync", lambda folder: signal.raise_signal(signal.SIGINT))
    _approve(certificate)
    assert verify(certificate, release=None, trust=_board(tmp_path)).exit_code == 0


def test_the_signed_boxes_can_be_read_and_carry_their_fonts(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    _approve(certificate, Decision(approves=True, conditions="W" * 300))
    with pikepdf.open(BytesIO(certificate.read_bytes())) as pdf:
        fields = list(pdf.Root.AcroForm.Fields)
        assert len({field.P.objgen for field in fields}) == 1 and fields[0].P.objgen == pdf.pages[-1].objgen
        for field in fields:
            left, bottom, right, top = (float(number) for number in field.Rect)
            assert right - left > 400 and top - bottom > 90
            picture = field.AP.N.Resources.XObject["/Stamp"]
            for font in picture.Resources.Font.values():
                [descendant] = font.DescendantFonts
                assert "/FontFile2" in descendant.FontDescriptor
        fonts = {str(one.get("/BaseFont")) for one in pdf.objects if isinstance(one, pikepdf.Dictionary)}
        assert not any("Courier" in font for font in fonts)


# -- the command ------------------------------------------------------------------------------------------------------


def _key(folder: Path, own: Signer) -> Path:
    key = own.private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "chair.pem"
    path.write_bytes(key + own.certificate_pem)
    return path


def _lasting_chair() -> Signer:
    """Valid when the tests run: the command signs by the machine's clock."""
    return named_signer("Ada Chair", start=datetime.now(UTC).replace(microsecond=0) - timedelta(days=1))


def _command(certificate: Path, *words: str) -> Any:
    trust = ["--trust", str(certificate.parent / "signer.crt")]
    return CliRunner().invoke(build_app(), ["approve", str(certificate), *trust, *words])


def test_the_command_signs_says_what_and_notes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEID_AUDIT_LOG", str(tmp_path / "log"))
    Journal(tmp_path / "log", clock=lambda: datetime.now(UTC)).append(Verified(statement_sha256=None, exit_code=1))
    certificate = _lay_out(tmp_path)
    own = _lasting_chair()
    key = str(_key(tmp_path, own))
    done = _command(certificate, "--signer", key, "--decision", "approve", "--conditions", CONDITIONS)
    assert done.exit_code == 0, done.output
    assert f"Approves the release. Conditions: {CONDITIONS}" in done.stdout
    assert sha256_bytes(certificate.read_bytes()) in done.stdout
    shown = CliRunner().invoke(build_app(), ["log", "show", "--json"])
    last = document_in(shown.stdout)["entries"][-1]
    assert (last["event"], last["case_id"]) == ("approved", "case-0001")
    assert last["statement_sha256"] == sha256_bytes((tmp_path / "evidence.json").read_bytes())
    assert last["signer_sha256"] == own.info.fingerprint_sha256
    again = _command(certificate, "--signer", key, "--decision", "refuse")
    assert again.exit_code == 1 and "decided already" in again.stderr
    (tmp_path / "chair.crt").write_bytes(own.certificate_pem)
    words = [
        "verify",
        str(certificate),
        "--trust",
        str(tmp_path / "signer.crt"),
        "--trust",
        str(tmp_path / "chair.crt"),
    ]
    checked = CliRunner().invoke(build_app(), [*words, "--json"])
    assert checked.exit_code == 0, checked.output
    document = document_in(checked.stdout)
    assert [one["role"] for one in document["signers"]] == ["steward", "chair"]
    assert (document["signers"][1]["decision"], document["signers"][1]["conditions"]) == ("approve", CONDITIONS)


def test_the_command_gives_one_json_document(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    own = _lasting_chair()
    done = _command(certificate, "--signer", str(_key(tmp_path, own)), "--decision", "refuse", "--json")
    assert done.exit_code == 0, done.output
    document = document_in(done.stdout)
    assert (document["decision"], document["conditions"]) == ("refuse", None)
    assert document["signer"]["fingerprint_sha256"] == own.info.fingerprint_sha256


def test_the_command_ends_with_3_where_only_a_refusal_is_possible(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path, Outcome.FAILED)
    key = str(_key(tmp_path, _lasting_chair()))
    done = _command(certificate, "--signer", key, "--decision", "approve")
    assert done.exit_code == 3 and "only --decision refuse is possible" in done.stderr
    assert _command(certificate, "--signer", key, "--decision", "refuse").exit_code == 0


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--decision", "maybe"], 2, "maybe"),
        (["--decision", "approve", "--conditions", "two\nlines"], 2, "cannot be printed"),
        (["--decision", "approve", "--conditions", "医"], 2, "font has no letter"),
        (["--decision", "approve", "--trust-file", "trust.toml"], 2, "exclude each other"),
    ],
)
def test_wrong_usage_is_2_and_changes_nothing(tmp_path: Path, words: list[str], status: int, said: str) -> None:
    certificate = _lay_out(tmp_path)
    before = certificate.read_bytes()
    done = _command(certificate, "--signer", str(_key(tmp_path, _lasting_chair())), *words)
    assert (done.exit_code, certificate.read_bytes()) == (status, before)
    assert said in done.stderr


def test_a_chairs_key_that_cannot_sign_is_refused_before_the_certificate_is_looked_at(tmp_path: Path) -> None:
    expired = named_signer("Late Chair", start=ISSUED - timedelta(days=4000))
    (tmp_path / "signer.crt").write_bytes(signer().certificate_pem)
    done = _command(tmp_path / "none.pdf", "--signer", str(_key(tmp_path, expired)), "--decision", "approve")
    assert done.exit_code == 1 and "expired on" in done.stderr
