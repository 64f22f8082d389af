"""Keys and signing: every file that cannot sign is refused with its own reason, before any work."""

import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from weasyprint import HTML

from deid_audit.certificate.decisions import Decision
from deid_audit.certificate.fields import CHAIR_FIELD, STEWARD_FIELD, add_signature_fields
from deid_audit.certificate.keys import KEY_VALIDITY, ephemeral_signer, load_signer, new_key
from deid_audit.certificate.signing import countersign_pdf, sign_pdf
from deid_audit.errors import SettingsError, SignatureError, StageError
from tests.unit.certificates import (
    CONDITIONS,
    ISSUED,
    chair,
    named_signer,
    signer,
    small_decided,
    small_signed,
    small_unsigned,
)

PASSPHRASE = b"correct horse battery"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def _certificate(
    key: Key, *, start: datetime = ISSUED - timedelta(days=1), days: int = 30, commitment: bool | None = True
) -> x509.Certificate:
    """A self-issued certificate; `commitment=None` leaves the key usage out."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Steward")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
    )
    if commitment is not None:
        others = dict.fromkeys(("key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign"), False)
        ends = dict.fromkeys(("crl_sign", "encipher_only", "decipher_only"), False)
        usage = x509.KeyUsage(digital_signature=True, content_commitment=commitment, **others, **ends)
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def _pem(key: Key, *certificates: x509.Certificate, passphrase: bytes | None = None) -> bytes:
    cipher = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    data = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, cipher)
    return data + b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def _p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def test_new_key_makes_a_private_file_and_a_certificate_that_sign(tmp_path: Path) -> None:
    made = new_key(tmp_path / "k", common_name="Ada", organisation="Clinic", passphrase=PASSPHRASE, now=ISSUED)
    assert stat.S_IMODE(made.key_file.stat().st_mode) == 0o600
    loaded = load_signer(made.key_file, PASSPHRASE, ISSUED)
    assert loaded.certificate_pem == made.certificate_file.read_bytes()
    assert loaded.info == made.info
    assert loaded.info.name == "Ada, Clinic"
    assert loaded.info.verified_issuer
    assert loaded.certificate.not_valid_after_utc == ISSUED + KEY_VALIDITY
    usage = loaded.certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.digital_signature and usage.value.content_commitment
    assert not usage.value.key_cert_sign
    assert sign_pdf(small_unsigned(), loaded, signed_at=ISSUED).startswith(small_unsigned()[:100])


def test_the_private_key_is_not_in_the_signers_repr() -> None:
    assert "private_key" not in repr(signer())


@pytest.mark.parametrize("existing", ["signer.p12", "signer.crt"])
def test_new_key_never_overwrites(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_bytes(b"precious")
    with pytest.raises(SettingsError, match="never overwritten"):
        new_key(tmp_path, common_name="Ada", organisation=None, passphrase=PASSPHRASE, now=ISSUED)
    assert (tmp_path / existing).read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == [existing]


def test_new_key_refuses_an_empty_passphrase_and_an_impossible_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="empty"):
        new_key(tmp_path, common_name="Ada", organisation=None, passphrase=b"", now=ISSUED)
    with pytest.raises(SettingsError, match="name"):
        new_key(tmp_path, common_name="x" * 65, organisation=None, passphrase=PASSPHRASE, now=ISSUED)


def test_a_key_made_on_the_spot_is_labelled_so() -> None:
    assert ephemeral_signer(ISSUED).info.verified_issuer is False


@pytest.mark.parametrize(
    "make",
    [
        lambda: (k := _p256(), _pem(k, _certificate(k)))[1],
        lambda: (k := _p256(), _pem(k, _certificate(k), passphrase=PASSPHRASE))[1],
        lambda: (k := _p256(), _certificate(k).public_bytes(serialization.Encoding.PEM) + _pem(k))[1],
        lambda: (k := ec.generate_private_key(ec.SECP384R1()), _pem(k, _certificate(k)))[1],
        lambda: (k := rsa.generate_private_key(65537, 2048), _pem(k, _certificate(k)))[1],
    ],
    ids=["pem", "encrypted pem", "certificate first", "P-384", "RSA"],
)
def test_pem_signers_are_read(tmp_path: Path, make: Callable[[], bytes]) -> None:
    (tmp_path / "s.pem").write_bytes(make())
    assert load_signer(tmp_path / "s.pem", PASSPHRASE, ISSUED).info.name == "Steward"


def _pkcs12(key: Key, certificate: x509.Certificate) -> bytes:
    return pkcs12.serialize_key_and_certificates(
        b"s", key, certificate, None, serialization.BestAvailableEncryption(PASSPHRASE)
    )


def _refused() -> dict[str, tuple[bytes, bytes | None, str]]:
    key, other = _p256(), _p256()
    good = _certificate(key)
    edwards = ed25519.Ed25519PrivateKey.generate()
    small = rsa.generate_private_key(65537, 1024)
    broken = _pem(key, good).replace(b"MIG", b"!!!", 1)
    return {
        "wrong passphrase": (_pkcs12(key, good), b"wrong", "passphrase does not open"),
        "no passphrase": (_pkcs12(key, good), None, "needs a passphrase"),
        "wrong PEM passphrase": (_pem(key, good, passphrase=PASSPHRASE), b"wrong", "passphrase does not open"),
        "no PEM passphrase": (_pem(key, good, passphrase=PASSPHRASE), None, "needs a passphrase"),
        "not a key file": (b"\x00\x01 a video", PASSPHRASE, "not a key file"),
        "empty": (b"", PASSPHRASE, "not a key file"),
        "broken PEM": (broken, None, "not a key file"),
        "certificate only": (good.public_bytes(serialization.Encoding.PEM), None, "no private key"),
        "key only": (_pem(key), None, "no certificate"),
        "foreign certificate": (_pem(key, _certificate(other)), None, "does not belong"),
        "expired": (_pem(key, _certificate(key, start=ISSUED - timedelta(days=9), days=8)), None, "expired"),
        "not yet valid": (_pem(key, _certificate(key, start=ISSUED + timedelta(days=1))), None, "not valid before"),
        "wrong usage": (_pem(key, _certificate(key, commitment=False)), None, "not meant for signatures"),
        "no usage": (_pem(key, _certificate(key, commitment=None)), None, "not meant for signatures"),
        "Ed25519": (_pem(edwards, _certificate(edwards)), None, "Ed25519"),
        "weak RSA": (_pem(small, _certificate(small)), None, "refused"),
    }


REFUSED = _refused()


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_cannot_sign_is_refused_with_its_own_reason(tmp_path: Path, kind: str) -> None:
    data, passphrase, reason = REFUSED[kind]
    path = tmp_path / "patient-name.key"
    path.write_bytes(data)
    with pytest.raises(SignatureError, match=reason) as caught:
        load_signer(path, passphrase, ISSUED)
    assert caught.value.exit_code == 1
    assert caught.value.next_step
    assert "patient-name" not in f"{caught.value} {caught.value.next_step}"


def test_a_missing_key_file_is_its_own_error(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="does not exist"):
        load_signer(tmp_path / "none.p12", None, ISSUED)


def test_the_signature_is_one_certifying_pades_dated_as_asked() -> None:
    with pikepdf.open(BytesIO(small_signed())) as pdf:
        field, empty = pdf.Root.AcroForm.Fields
        value = field.V
        assert (field.T, empty.T) == (STEWARD_FIELD, CHAIR_FIELD)
        assert "/V" not in empty and empty.Lock.Action == "/All" and empty.Lock.P == 1
        assert value.SubFilter == "/ETSI.CAdES.detached"
        assert value.M == "D:20260102031005Z"
        assert value.Reference[0].TransformMethod == "/DocMDP"
        assert value.Reference[0].TransformParams.P == 2
        first, length, second, tail = (int(number) for number in value.ByteRange)
    assert (first, second + tail) == (0, len(small_signed()))
    assert small_signed()[length : length + 1] == b"<"


def test_a_signed_certificate_is_not_signed_again() -> None:
    with pytest.raises(SignatureError, match="already signed"):
        sign_pdf(small_signed(), signer(), signed_at=datetime.now(UTC))


def test_what_is_no_pdf_is_not_signed() -> None:
    with pytest.raises(SignatureError, match="could not be signed"):
        sign_pdf(b"no pdf", signer(), signed_at=ISSUED)


def test_the_chair_signs_what_the_steward_alone_has_signed() -> None:
    approves = Decision(approves=True)
    with pytest.raises(SignatureError, match="not signed by the steward"):
        countersign_pdf(small_unsigned(), chair(), approves, signed_at=ISSUED)
    with pytest.raises(SignatureError, match="already signed"):
        countersign_pdf(small_decided(), named_signer("Another Chair"), approves, signed_at=ISSUED)


def test_the_chairs_signature_locks_the_document_and_states_the_decision() -> None:
    with pikepdf.open(BytesIO(small_decided())) as pdf:
        value = pdf.Root.AcroForm.Fields[1].V
        assert value.Reason == f"Approves the release. Conditions: {CONDITIONS}"
        assert (value.Name, value.M) == ("Ada Chair", "D:20260109031005Z")
        methods = {str(one.TransformMethod): one.TransformParams for one in value.Reference}
        assert methods["/FieldMDP"].Action == "/All"


def test_a_document_without_room_for_signatures_is_not_made_and_one_without_fields_is_not_signed() -> None:
    with pytest.raises(StageError, match="no place for a signature"):
        HTML(string='<div id="sig-steward"></div>').write_pdf(finisher=add_signature_fields)
    with pytest.raises(SignatureError, match="no signature field Steward"):
        sign_pdf(HTML(string="<hr>").write_pdf(), signer(), signed_at=ISSUED)


def test_the_fields_lie_where_the_page_has_their_boxes() -> None:
    found = {}

    def finish(document: Any, pdf: Any) -> None:
        found.update(document.pages[0].anchors)
        add_signature_fields(document, pdf)

    page = '<style>@page {size: 400px 800px; margin: 0}</style><div id="sig-steward" style="height: 80px"></div>'
    pdf = HTML(string=f'{page}<p id="sig-chair" style="margin: 40px; height: 160px"></p>').write_pdf(finisher=finish)
    assert found["sig-chair"] == (48, 128, 352, 288)  # the body's own margin is 8 px
    with pikepdf.open(BytesIO(pdf)) as opened:
        steward, chair_field = opened.Root.AcroForm.Fields
        assert [float(number) for number in steward.Rect] == [6, 534, 294, 594]
        assert [float(number) for number in chair_field.Rect] == [36, 384, 264, 504]
        assert [one.objgen for one in opened.pages[0].Annots] == [steward.objgen, chair_field.objgen]
