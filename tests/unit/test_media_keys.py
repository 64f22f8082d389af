"""The media key: a leaf under an issuer of its own, and never taken for a signer's key, nor a signer's for it."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deid_audit.certificate.key_files import as_pem
from deid_audit.certificate.keys import KEY_VALIDITY, load_signer, new_key
from deid_audit.certificate.media_keys import load_media_signer, new_media_key
from deid_audit.certificate.profiles import usage_of
from deid_audit.errors import SettingsError, SignatureError
from tests.unit.certificates import ISSUED, authority
from tests.unit.media_keys import PASSPHRASE, make_media_key, media_signer
from tests.unit.test_signing import _pem

NOW = datetime(2026, 1, 2, 3, 10, 5, tzinfo=UTC)


def test_the_certificate_is_for_media_and_names_its_issuer_which_vouches_for_nothing_else(tmp_path: Path) -> None:
    made = new_media_key(tmp_path, common_name="Media", organisation="Clinic", passphrase=PASSPHRASE, now=NOW)
    assert stat.S_IMODE(made.key_file.stat().st_mode) == 0o600
    loaded = load_media_signer(made.key_file, PASSPHRASE, NOW)
    own, (issuer,) = loaded.certificate, loaded.chain
    own.verify_directly_issued_by(issuer)
    issuer.verify_directly_issued_by(issuer)
    assert loaded.info == made.info and loaded.info.name == "Media, Clinic"
    assert own.not_valid_after_utc == NOW + KEY_VALIDITY
    assert made.certificate_file.read_bytes() == as_pem(own, issuer)  # its own first: openssl prints that one
    assert own.extensions.get_extension_for_class(x509.KeyUsage).value == usage_of("digital_signature")
    usages = own.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [ExtendedKeyUsageOID.EMAIL_PROTECTION]
    limits = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (limits.ca, limits.path_length) == (True, 0)
    assert not own.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_an_authority_may_issue_it(tmp_path: Path) -> None:
    by = authority()
    made = new_media_key(tmp_path, common_name="Media", organisation=None, passphrase=PASSPHRASE, now=ISSUED, issuer=by)
    loaded = load_media_signer(made.key_file, PASSPHRASE, ISSUED)
    loaded.certificate.verify_directly_issued_by(by.certificate)
    assert loaded.chain == (by.certificate,)
    assert made.certificate_file.read_bytes() == as_pem(loaded.certificate, by.certificate)
    with pytest.raises(SignatureError, match="not valid now"):
        new_media_key(
            tmp_path / "k",
            common_name="Media",
            organisation=None,
            passphrase=PASSPHRASE,
            now=ISSUED - timedelta(days=31),
            issuer=by,
        )


def test_it_is_written_like_every_key(tmp_path: Path) -> None:
    (tmp_path / "signer.crt").write_bytes(b"precious")
    with pytest.raises(SettingsError, match="never overwritten"):
        make_media_key(tmp_path)
    with pytest.raises(SettingsError, match="empty"):
        new_media_key(tmp_path / "k", common_name="A", organisation=None, passphrase=b"", now=NOW)
    with pytest.raises(SettingsError, match="name"):
        new_media_key(tmp_path / "k", common_name="A" * 65, organisation=None, passphrase=PASSPHRASE, now=NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["signer.crt"]
    assert "private_key" not in repr(media_signer())


def test_neither_key_is_taken_for_the_other(tmp_path: Path) -> None:
    media = make_media_key(tmp_path / "media")
    with pytest.raises(SignatureError, match="media key") as caught:
        load_signer(media, PASSPHRASE, datetime.now(UTC))
    assert "--signer" in caught.value.next_step
    steward = new_key(tmp_path / "s", common_name="Ada", organisation=None, passphrase=PASSPHRASE, now=NOW)
    with pytest.raises(SignatureError, match="signs certificates") as caught:
        load_media_signer(steward.key_file, PASSPHRASE, NOW)
    assert "keys new --role media" in caught.value.next_step


def _mail(*usages: x509.ObjectIdentifier, commitment: bool = False) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Mail")])
    allowed = ("digital_signature", "content_commitment") if commitment else ("digital_signature",)
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), 7, NOW - timedelta(days=1), NOW + timedelta(days=1))
    ).add_extension(usage_of(*allowed), critical=True)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return _pem(key, builder.sign(key, hashes.SHA256()))


def test_a_certificate_for_mail_that_may_also_sign_documents_signs_documents_only(tmp_path: Path) -> None:
    (tmp_path / "both.pem").write_bytes(_mail(ExtendedKeyUsageOID.EMAIL_PROTECTION, commitment=True))
    assert load_signer(tmp_path / "both.pem", None, NOW).info.name == "Mail"
    with pytest.raises(SignatureError, match="signs certificates"):
        load_media_signer(tmp_path / "both.pem", None, NOW)
    (tmp_path / "mail.pem").write_bytes(_mail(ExtendedKeyUsageOID.EMAIL_PROTECTION))
    assert load_media_signer(tmp_path / "mail.pem", None, NOW).info.name == "Mail"


@pytest.mark.parametrize("usages", [(), (ExtendedKeyUsageOID.SERVER_AUTH,)])
def test_a_certificate_for_something_else_is_refused(tmp_path: Path, usages: tuple[x509.ObjectIdentifier, ...]) -> None:
    (tmp_path / "k.pem").write_bytes(_mail(*usages))
    with pytest.raises(SignatureError, match="emailProtection"):
        load_media_signer(tmp_path / "k.pem", None, NOW)


def test_a_file_that_is_no_key_and_a_passphrase_that_opens_nothing_are_named_as_the_media_keys(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="the media key file does not exist"):
        load_media_signer(tmp_path / "none.p12", None, NOW)
    key = make_media_key(tmp_path)
    with pytest.raises(SignatureError, match="does not open the media key file") as caught:
        load_media_signer(key, b"wrong", NOW)
    assert "--c2pa-passphrase-file" in caught.value.next_step
    with pytest.raises(SignatureError, match="the media certificate expired"):
        load_media_signer(key, PASSPHRASE, datetime.now(UTC) + timedelta(days=800))
