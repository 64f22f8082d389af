"""Lists and timestamps through the commands: approve, verify and what is refused, on a certificate of a whole case."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.certificate.authority import load_authority
from deid_audit.certificate.crls import Crl, Reason, pem_of, revoke
from deid_audit.certificate.profiles import OWN_CLOCK
from deid_audit.certificate.trust import load_certificate_file, load_trust_file
from deid_audit.errors import SettingsError
from deid_audit.settings import make_audit_settings, make_conceal_settings
from tests.schemas import document_in
from tests.unit.certificates import revoked_at
from tests.unit.test_verify import _lay_out

PASSPHRASE = b"three quiet words"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate of a whole case, and the keys of a chair and of a clock, by authorities of their own, of today."""
    for name in ("DEID_AUDIT_PASSPHRASE", "DEID_AUDIT_TSA_PASSPHRASE", "DEID_AUDIT_CA_PASSPHRASE"):
        monkeypatch.setenv(name, PASSPHRASE.decode())
    monkeypatch.setenv("DEID_AUDIT_LOG", str(tmp_path / "log"))
    _lay_out(tmp_path / "case")
    for folder, role, by in (("chair", "chair", "ca"), ("tsa", "tsa", "clocks")):
        _run("keys", "new-ca", "--out", tmp_path / by, "--name", by)
        _run("keys", "new", "--role", role, "--out", tmp_path / folder, "--ca", tmp_path / by / "ca.p12")
    return tmp_path


def _run(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(build_app(), [str(word) for word in words])
    assert done.exit_code == code, done.output
    return done.output


def _approve(desk: Path, *words: object, code: int = 0) -> str:
    key, trust = desk / "chair" / "signer.p12", desk / "case" / "signer.crt"
    asked = ("approve", desk / "case" / "certificate.pdf", "--signer", key, "--decision", "approve", "--trust", trust)
    return _run(*asked, *words, code=code)


def _verify(desk: Path, *words: object, code: int = 0) -> dict[str, tuple[str, str]]:
    trust = ("--trust", desk / "case" / "signer.crt", "--trust", desk / "ca" / "ca.crt")
    said = _run("verify", desk / "case" / "certificate.pdf", *trust, *words, "--json", code=code)
    document = document_in(said)
    checks = {one["id"]: (one["status"], one["detail"]) for one in document["checks"]}
    return checks | {"times": tuple(one["time_source"] for one in document["signers"])}


def test_a_chair_approves_with_a_timestamp_and_a_list_and_both_are_checked(desk: Path) -> None:
    lists = desk / "ca.crl"
    _run("keys", "revoke", "--ca", desk / "ca" / "ca.p12", "--crl", lists)
    said = _approve(desk, "--tsa", desk / "tsa" / "tsa.p12", "--crl", lists)
    assert "Approves the release" in said
    clock = ("--trust-tsa", desk / "clocks" / "ca.crt")
    checks = _verify(desk, *clock, "--crl", lists)
    assert checks["approval.revocation"][0] == "ok" and checks["document.timestamp"][0] == "ok"
    assert checks["signature.timestamp"][0] == checks["signature.revocation"][0] == "not_applicable"
    assert OWN_CLOCK in checks["approval.timestamp"][1]
    assert checks["times"] == ("signer's clock", f"timestamp by Timestamp authority ({OWN_CLOCK})")
    unknown = _verify(desk, code=1)
    assert unknown["approval.timestamp"][0] == unknown["document.timestamp"][0] == "failed"
    lists.write_bytes(pem_of(_revoking_chair(desk, datetime.now(UTC) + timedelta(minutes=1))))
    later = _verify(desk, *clock, "--crl", lists)
    assert "after signing" in later["approval.revocation"][1]
    lists.write_bytes(pem_of(_revoking_chair(desk, datetime.now(UTC) - timedelta(hours=1))))
    earlier = _verify(desk, *clock, "--crl", lists, code=1)
    assert {name for name, one in earlier.items() if one[0] == "failed"} == {"approval.revocation"}


def _revoking_chair(desk: Path, at: datetime) -> Crl:
    """The authority's list by which the chair is revoked since then."""
    own = load_authority(desk / "ca" / "ca.p12", PASSPHRASE, datetime.now(UTC))
    return revoke(load_certificate_file(desk / "chair" / "signer.crt"), own, None, Reason.UNSPECIFIED, at)


def test_a_revoked_chair_and_a_clock_that_is_not_there_sign_nothing(desk: Path) -> None:
    before = (desk / "case" / "certificate.pdf").read_bytes()
    lists = desk / "ca.crl"
    _run("keys", "revoke", desk / "chair" / "signer.crt", "--ca", desk / "ca" / "ca.p12", "--crl", lists)
    assert "the signer's certificate was revoked" in _approve(desk, "--crl", lists, code=1)
    assert "could not be reached" in _approve(desk, "--tsa", "http://127.0.0.1:9/", code=1)
    assert "does not fit" in _approve(desk, "--crl", _foreign(desk), code=2)
    assert "no timestamp authority's" in _approve(desk, "--tsa", desk / "chair" / "signer.p12", code=1)
    assert (desk / "case" / "certificate.pdf").read_bytes() == before
    assert not list((desk / "case").glob(".*"))


def _foreign(desk: Path) -> Path:
    (desk / "foreign.crl").write_bytes(pem_of(revoked_at(datetime.now(UTC))))
    return desk / "foreign.crl"


def test_a_trust_file_names_clocks_and_lists(desk: Path) -> None:
    (desk / "ca.crl").write_bytes(pem_of(revoked_at(datetime.now(UTC))))
    (desk / "trust.toml").write_text(
        'schema = 1\n[[anchor]]\nfile = "ca/ca.crt"\n[[timestamp_anchor]]\nfile = "clocks/ca.crt"\n'
        '[[crl]]\nfile = "ca.crl"\n[roles.steward]\nrequired = 1\nsubjects = ["CN=x"]\n',
        encoding="utf-8",
    )
    trust = load_trust_file(desk / "trust.toml")
    assert (len(trust.anchors), len(trust.timestamp_anchors), len(trust.crls)) == (1, 1, 1)
    (desk / "ca.crl").write_bytes(b"no list")
    with pytest.raises(SettingsError, match="holds no revocation list"):
        load_trust_file(desk / "trust.toml")
    words = ("verify", desk / "case" / "certificate.pdf", "--trust-file", desk / "trust.toml", "--trust-tsa", "x")
    assert "--trust-tsa and --trust-file exclude each other" in _run(*words, code=2)


def test_lists_and_timestamps_are_about_a_signers_key() -> None:
    asked = {
        "originals": (Path("a"),),
        "released": (Path("b"),),
        "policy": "external",
        "case_id": "c",
    }
    for given in ({"crls": (Path("x"),)}, {"tsa": "https://tsa.example.org"}):
        with pytest.raises(SettingsError, match="--crl and --tsa need --signer"):
            make_audit_settings(**asked, out=Path("o"), keypoints=(), **given)
        with pytest.raises(SettingsError, match="--crl and --tsa need --certificate"):
            make_conceal_settings(
                video=Path("a"), out=Path("o.mp4"), policy="concealment", case_id="c", signer="s", **given
            )
