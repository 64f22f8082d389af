"""A pilot's authority and its revocation lists: what it issues, what it revokes, and every list that says nothing."""

import shutil
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.certificate.authority import load_authority, load_timestamp_authority
from deid_audit.certificate.crls import (
    LIST_VALIDITY,
    Crl,
    Reason,
    fault_of,
    is_self_issued,
    issuer_of,
    list_by,
    out_of_date,
    parse_crl,
    pem_of,
    read_crls,
    revocation_of,
    revoke,
)
from deid_audit.certificate.keys import load_signer, new_key
from deid_audit.certificate.profiles import OWN_CLOCK, SELF_MADE, Profile, is_for_timestamps, says
from deid_audit.errors import SettingsError, SignatureError
from tests.unit.certificates import ISSUED, authority, issued_signer, signer

PASSPHRASE = b"correct horse battery"
DAY = timedelta(days=1)


def _made(crl_for: x509.Certificate | None, **changes: object) -> Crl:
    at = changes.pop("now", ISSUED)
    assert isinstance(at, datetime) and not changes
    return revoke(crl_for, authority(), None, Reason.KEY_COMPROMISE, at)


def test_an_authority_issues_a_signer_whose_file_holds_the_chain(tmp_path: Path) -> None:
    made = new_key(
        tmp_path, common_name="CA", organisation="Clinic", passphrase=PASSPHRASE, now=ISSUED, profile=Profile.ISSUER
    )
    assert made.key_file.name == "ca.p12" and stat.S_IMODE(made.key_file.stat().st_mode) == 0o600
    own = load_authority(made.key_file, PASSPHRASE, ISSUED)
    constraints = own.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = own.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert constraints.critical and constraints.value.ca and constraints.value.path_length == 0
    assert usage.key_cert_sign and usage.crl_sign and not usage.digital_signature
    assert own.certificate.not_valid_after_utc - ISSUED == timedelta(days=1826)
    assert says(own.certificate, SELF_MADE)
    new_key(tmp_path, common_name="Ada", organisation=None, passphrase=b"x", now=ISSUED, issuer=own)
    ada = load_signer(tmp_path / "signer.p12", b"x", ISSUED)
    assert ada.chain == (own.certificate,)
    assert issuer_of(ada.certificate, ada.chain) == own.certificate
    assert (
        not is_self_issued(ada.certificate) and is_self_issued(own.certificate) and is_self_issued(signer().certificate)
    )
    with pytest.raises(SignatureError, match="no issuing authority"):
        load_authority(tmp_path / "signer.p12", b"x", ISSUED)
    with pytest.raises(SignatureError, match="the passphrase does not open the authority's key file"):
        load_authority(made.key_file, b"wrong", ISSUED)
    with pytest.raises(SignatureError, match="not meant for signatures"):
        load_signer(made.key_file, PASSPHRASE, ISSUED)


def test_what_is_issued_never_outlives_its_authority(tmp_path: Path) -> None:
    end = authority().certificate.not_valid_after_utc
    arguments = {"common_name": "A", "organisation": None, "passphrase": b"x", "issuer": authority()}
    new_key(tmp_path, now=end - DAY, **arguments)  # type: ignore[arg-type]
    assert load_signer(tmp_path / "signer.p12", b"x", end - DAY).certificate.not_valid_after_utc == end
    with pytest.raises(SignatureError, match="the authority's certificate is not valid now"):
        new_key(tmp_path / "b", now=end + DAY, **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "b").exists()


def test_a_timestamp_authority_is_for_nothing_else(tmp_path: Path) -> None:
    new_key(
        tmp_path, common_name="T", organisation=None, passphrase=b"x", now=ISSUED, profile=Profile.TIMESTAMPS,
        issuer=authority(),
    )  # fmt: skip
    own = load_timestamp_authority(tmp_path / "tsa.p12", b"x", ISSUED).certificate
    usage = own.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert usage.critical and [one.dotted_string for one in usage.value] == ["1.3.6.1.5.5.7.3.8"]
    assert is_for_timestamps(own) and says(own, OWN_CLOCK) and not is_for_timestamps(signer().certificate)
    with pytest.raises(SignatureError, match="timestamp authority's, and good for nothing else"):
        load_signer(tmp_path / "tsa.p12", b"x", ISSUED)
    new_key(tmp_path, common_name="A", organisation=None, passphrase=b"x", now=ISSUED)
    with pytest.raises(SignatureError, match="no timestamp authority's"):
        load_timestamp_authority(tmp_path / "signer.p12", b"x", ISSUED)


# -- lists -----------------------------------------------------------------------------------------------------------


def test_a_list_counts_up_keeps_its_first_dates_and_says_why() -> None:
    ada, bob = issued_signer("Ada").certificate, issued_signer("Bob").certificate
    empty = revoke(None, authority(), None, Reason.UNSPECIFIED, ISSUED)
    assert len(empty) == 0 and revocation_of(ada, empty) is None
    first = revoke(ada, authority(), empty, Reason.KEY_COMPROMISE, ISSUED + DAY)
    second = revoke(bob, authority(), first, Reason.UNSPECIFIED, ISSUED + 2 * DAY)
    third = revoke(ada, authority(), second, Reason.SUPERSEDED, ISSUED + 3 * DAY)
    numbers = [one.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for one in (empty, first, third)]
    assert numbers == [1, 2, 4]
    found = revocation_of(ada, third)
    assert found is not None and (found.since, found.reason) == (ISSUED + DAY, "keyCompromise")
    other = revocation_of(bob, third)
    assert other is not None and (other.since, other.reason) == (ISSUED + 2 * DAY, "unspecified")
    assert third.next_update_utc == ISSUED + 3 * DAY + LIST_VALIDITY
    assert fault_of(third, authority().certificate) == ""
    assert list_by(authority().certificate, [first, third, second]) == third
    assert list_by(signer().certificate, [first]) is None


def test_an_invalidity_date_before_the_revocation_counts() -> None:
    own, ada = authority(), issued_signer("Ada").certificate
    entry = (
        x509.RevokedCertificateBuilder()
        .serial_number(ada.serial_number)
        .revocation_date(ISSUED + 5 * DAY)
        .add_extension(x509.InvalidityDate((ISSUED + DAY).replace(tzinfo=None)), critical=False)
        .build()
    )
    crl = _builder().add_revoked_certificate(entry).sign(own.private_key, hashes.SHA256())
    found = revocation_of(ada, crl)
    assert found is not None and found.since == ISSUED + DAY


def _builder(name: x509.Name | None = None) -> x509.CertificateRevocationListBuilder:
    builder = x509.CertificateRevocationListBuilder().issuer_name(name or authority().certificate.subject)
    return builder.last_update(ISSUED).next_update(ISSUED + LIST_VALIDITY)


def test_every_list_that_says_nothing_has_its_own_words() -> None:
    own = authority()
    forged = _builder().sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    assert "another key signed it" in fault_of(forged, own.certificate)
    changes = _builder().add_extension(x509.DeltaCRLIndicator(1), critical=True).sign(own.private_key, hashes.SHA256())
    assert "critical extension" in fault_of(changes, own.certificate)
    by_a_signer = issued_signer("Ada")
    crl = _builder(by_a_signer.certificate.subject).sign(by_a_signer.private_key, hashes.SHA256())
    assert "not meant for revocation lists" in fault_of(crl, by_a_signer.certificate)
    good = _made(None)
    assert out_of_date(good, ISSUED + 29 * DAY) == ""
    assert "ran out on 2026-02-01" in out_of_date(good, ISSUED + 31 * DAY)
    assert "lies in the future" in out_of_date(good, ISSUED - 2 * DAY)


def test_only_its_own_authority_revokes_and_only_on_its_own_list() -> None:
    with pytest.raises(SettingsError, match="was not issued by the authority"):
        _made(signer().certificate)
    forged = _builder().sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    with pytest.raises(SettingsError, match="altered"):
        revoke(None, authority(), forged, Reason.UNSPECIFIED, ISSUED)


def test_lists_are_read_as_pem_and_der_and_nothing_else(tmp_path: Path) -> None:
    made = _made(None)
    assert parse_crl(pem_of(made)) == parse_crl(made.public_bytes(serialization.Encoding.DER)) == made
    (tmp_path / "a.crl").write_bytes(signer().certificate_pem)
    with pytest.raises(SettingsError, match="holds no revocation list"):
        read_crls([tmp_path / "a.crl"])
    with pytest.raises(SettingsError, match="cannot be read"):
        read_crls([tmp_path / "none.crl"])


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_openssl_refuses_who_is_revoked_and_takes_who_is_not(tmp_path: Path) -> None:
    ada, bob, now = issued_signer("Ada"), issued_signer("Bob"), ISSUED + DAY
    (tmp_path / "ca.pem").write_bytes(authority().certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "list.pem").write_bytes(pem_of(_made(ada.certificate)))
    for who, words in ((ada, "certificate revoked"), (bob, "bob.pem: OK")):
        name = f"{who.info.name.lower()}.pem"
        (tmp_path / name).write_bytes(who.certificate_pem)
        command = ["openssl", "verify", "-crl_check", "-CRLfile", "list.pem", "-CAfile", "ca.pem"]
        command += ["-attime", str(int(now.timestamp())), name]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert words in done.stdout + done.stderr


# -- the commands ----------------------------------------------------------------------------------------------------


def _keys(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(build_app(), ["keys", *(str(word) for word in words)])
    return done.exit_code, done.output + (f"{done.exception} " if done.exception else "")


def test_the_commands_make_an_authority_issue_and_revoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEID_AUDIT_PASSPHRASE", "three quiet words")
    monkeypatch.setenv("DEID_AUDIT_CA_PASSPHRASE", "three quiet words")
    ca, crl = tmp_path / "ca" / "ca.p12", tmp_path / "lists" / "ca.crl"
    code, said = _keys("new-ca", "--out", tmp_path / "ca", "--organisation", "Clinic")
    assert code == 0 and "proves nothing to strangers" in said
    for role, out in (("steward", "s"), ("tsa", "t")):
        code, said = _keys("new", "--role", role, "--out", tmp_path / out, "--ca", ca)
        assert code == 0, said
    assert OWN_CLOCK in said
    assert _keys("revoke", "--ca", ca, "--crl", crl)[0] == 0
    code, said = _keys("revoke", tmp_path / "s" / "signer.crt", "--ca", ca, "--crl", crl, "--reason", "keyCompromise")
    assert code == 0 and "revoked      1" in said
    [made] = read_crls([crl])
    steward = x509.load_pem_x509_certificate((tmp_path / "s" / "signer.crt").read_bytes())
    found = revocation_of(steward, made)
    assert found is not None and found.reason == "keyCompromise" and found.since <= datetime.now(UTC)
    assert [path.name for path in crl.parent.iterdir()] == ["ca.crl"]
    before = crl.read_bytes()
    (tmp_path / "foreign.crt").write_bytes(signer().certificate_pem)
    code, said = _keys("revoke", tmp_path / "foreign.crt", "--ca", ca, "--crl", crl)
    assert code != 0 and "was not issued by the authority" in said and crl.read_bytes() == before
