"""`verify` and the attestation: skipped when absent, else of this statement and by the same signers, or refused."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import rfc8785
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.attestation import add_signature, attest
from deid_audit.certificate.checking import CertificateCheck, check_certificate
from deid_audit.certificate.keys import ephemeral_signer
from deid_audit.certificate.trust import trust_of
from deid_audit.findings import Outcome
from deid_audit.pipeline import verify as verifying
from deid_audit.pipeline.checks import Check, VerifyReport
from deid_audit.pipeline.verify import read_trust, verify
from tests.unit.certificates import ISSUED, attested, certified, signer
from tests.unit.releases import VIDEO, lay_out, released, turn_bit
from tests.unit.test_attestation import with_the_other_s

MUTATED = {
    "attestation.dsse.json": {"attestation.readable", "attestation.same", "attestation.signed"},
    "evidence.json": {"statement.sibling"},
    "release/manifest-sha256.txt": {"files.compared"},
    "release/tagmanifest-sha256.txt": {"files.compared"},
    VIDEO: {"files.compared"},
}


def _verify(certificate: Path, attestation: Path | None = None) -> VerifyReport:
    return verify(
        certificate, release=None, trust=read_trust([certificate.parent / "signer.crt"], None), attestation=attestation
    )


def _not_ok(report: VerifyReport) -> dict[str, str]:
    return {check.id: check.status for check in report.checks if check.status not in ("ok", "not_applicable")}


def test_a_whole_output_holds(tmp_path: Path) -> None:
    report = _verify(lay_out(tmp_path))
    assert (_not_ok(report), report.exit_code, report.verdict) == ({}, 0, Outcome.PASSED)
    assert report.files_compared == 9


def test_without_one_beside_the_certificate_it_is_skipped_and_said(tmp_path: Path) -> None:
    certificate = lay_out(tmp_path)
    elsewhere = (tmp_path / "attestation.dsse.json").rename(tmp_path / "other.json")
    report = _verify(certificate)
    assert _not_ok(report) == dict.fromkeys(MUTATED["attestation.dsse.json"], "skipped")
    assert report.exit_code == 0
    assert "not there, not compared" in {check.id: check.detail for check in report.checks}["attestation.readable"]
    assert (_not_ok(_verify(certificate, elsewhere)), _verify(certificate, elsewhere).exit_code) == ({}, 0)


def test_one_that_was_named_must_be_there(tmp_path: Path) -> None:
    certificate = lay_out(tmp_path)
    report = _verify(certificate, tmp_path / "none.json")
    assert _not_ok(report)["attestation.readable"] == "failed"
    assert report.exit_code == 1 and "attestation cannot be read" in report.conclusion
    typed = ["verify", str(certificate), "--trust", str(tmp_path / "signer.crt"), "--attestation"]
    assert CliRunner().invoke(build_app(), [*typed, str(tmp_path / "none.json")]).exit_code == 1
    assert CliRunner().invoke(build_app(), [*typed, str(tmp_path / "attestation.dsse.json")]).exit_code == 0


def _another_key() -> bytes:
    return attest(released()[1]["evidence.json"], [ephemeral_signer(ISSUED)])


def _one_more() -> bytes:
    return add_signature(released()[1]["attestation.dsse.json"], ephemeral_signer(ISSUED))


def _signature_of_another_payload() -> bytes:
    """The right statement and the right keyid, with the signature of something else."""
    table, other = json.loads(released()[1]["attestation.dsse.json"]), json.loads(attested(b"{}"))
    return rfc8785.dumps(table | {"signatures": other["signatures"]})


@pytest.mark.parametrize(
    ("make", "failed"),
    [
        (lambda: b"{}", {"attestation.readable"}),
        (lambda: b"", {"attestation.readable"}),
        (lambda: released()[1]["attestation.dsse.json"] + b"\n", {"attestation.readable"}),
        (lambda: attested(certified(Outcome.FAILED).statement), {"attestation.same"}),
        (lambda: attested(released()[1]["evidence.json"] + b" "), {"attestation.same"}),
        (_another_key, {"attestation.signed"}),
        (_one_more, {"attestation.signed"}),
        (_signature_of_another_payload, {"attestation.signed"}),
        (lambda: with_the_other_s(released()[1]["attestation.dsse.json"]), {"attestation.signed"}),
    ],
    ids=[
        "empty object",
        "empty file",
        "line end",
        "another case",
        "other bytes",
        "another key",
        "one more signer",
        "another signature",
        "the other s",
    ],
)
def test_another_attestation_fails_for_its_own_reason(
    tmp_path: Path, make: Callable[[], bytes], failed: set[str]
) -> None:
    certificate = lay_out(tmp_path)
    (tmp_path / "attestation.dsse.json").write_bytes(make())
    report = _verify(certificate)
    assert {check for check, status in _not_ok(report).items() if status == "failed"} == failed
    assert report.exit_code == 1


def test_an_attestation_that_was_read_but_not_compared_never_holds(tmp_path: Path) -> None:
    """Skipped counts only for all three together: not for one that is there and could not be held against a key."""
    report = _verify(lay_out(tmp_path))
    for left_out in MUTATED["attestation.dsse.json"]:
        checks = tuple(
            Check(id=one.id, status="skipped" if one.id == left_out else one.status, detail=one.detail)
            for one in report.checks
        )
        assert replace(report, checks=checks).exit_code == 1


@pytest.fixture
def examined_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A whole output whose PDF, which these mutations leave alone, is examined only once."""
    certificate = lay_out(tmp_path)
    found = check_certificate(certificate.read_bytes(), trust_of([signer().certificate_pem]))

    def again(pdf: bytes, trust: object) -> CertificateCheck:
        assert pdf == released()[1]["certificate.pdf"]
        return found

    monkeypatch.setattr(verifying, "check_certificate", again)
    return certificate


def _mutate(certificate: Path, name: str, count: int) -> None:
    path = certificate.parent / name
    whole = path.read_bytes()
    for position in random.Random(name).sample(range(len(whole) * 8), min(count, len(whole) * 8)):
        turn_bit(path, position)
        report = _verify(certificate)
        assert report.exit_code == 1, position
        assert set(_not_ok(report)) & MUTATED[name], position
        path.write_bytes(whole)
    assert _verify(certificate).exit_code == 0


@pytest.mark.parametrize("name", MUTATED)
def test_no_bit_can_be_turned(examined_once: Path, name: str) -> None:
    _mutate(examined_once, name, 100)


@pytest.mark.soak
@pytest.mark.parametrize("name", MUTATED)
def test_no_bit_of_a_thousand_can_be_turned(examined_once: Path, name: str) -> None:
    _mutate(examined_once, name, 1000)
