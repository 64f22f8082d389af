"""The DSSE envelope: the spec's known answer, two outside readers, and every other form of it refused."""

import base64
import json
import random
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.x509.oid import NameOID
from securesystemslib.dsse import Envelope as OutsideEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from deid_audit.attestation import (
    ATTESTATION,
    Envelope,
    EnvelopeSignature,
    add_signature,
    attest,
    check_signature,
    key_id,
    pae,
    read_envelope,
)
from deid_audit.certificate.keys import ephemeral_signer
from deid_audit.errors import EvidenceError, SignatureError
from deid_audit.signing_keys import CertifiedKey

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PAYLOAD = b'{"a":"statement"}'
Table = dict[str, Any]


@cache
def person(number: int) -> CertifiedKey:
    """A P-256 key and its certificate, the same each time."""
    return ephemeral_signer(NOW)


@cache
def envelope() -> bytes:
    return attest(PAYLOAD, [person(1)])


def certified(key: Any) -> CertifiedKey:
    """A certificate of any kind of key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "someone")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW.replace(year=2028))
    certificate = builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    return CertifiedKey(certificate=certificate, private_key=key)


def test_the_bytes_that_are_signed_are_those_of_the_specification() -> None:
    """The example of the DSSE protocol, and the same by hand for a text that is longer in bytes than in letters."""
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-256", "P-384", "RSA-2048"],
)
def test_what_was_signed_is_read_again_and_holds(make: Callable[[], Any]) -> None:
    key = make()
    certificate = certified(key).certificate
    data = attest(PAYLOAD, [certified(key)])
    read = read_envelope(data)
    assert read.payload == PAYLOAD
    assert [one.keyid for one in read.signatures] == [key_id(certificate)] == [key_id(key.public_key())]
    assert check_signature(read, certificate) and check_signature(read, key.public_key())
    table = json.loads(data)
    assert list(table) == ["payload", "payloadType", "signatures"] and table["payloadType"] == ATTESTATION.payload_type
    other = Envelope(payload=PAYLOAD + b" ", signatures=read.signatures)
    assert not check_signature(other, certificate)


def test_a_second_signature_is_appended_and_an_earlier_one_of_the_same_key_replaced() -> None:
    signed_by_both = add_signature(envelope(), person(2))
    both = read_envelope(signed_by_both)
    assert [one.keyid for one in both.signatures] == [key_id(person(1).certificate), key_id(person(2).certificate)]
    assert all(check_signature(both, person(number).certificate) for number in (1, 2))
    assert not check_signature(both, person(3).certificate)
    assert [one.keyid for one in read_envelope(attest(PAYLOAD, [person(1), person(2)])).signatures] == [
        one.keyid for one in both.signatures
    ]
    again = read_envelope(add_signature(signed_by_both, person(1)))
    assert [one.keyid for one in again.signatures] == [one.keyid for one in both.signatures]
    assert again.signatures[0].sig != both.signatures[0].sig and again.signatures[1] == both.signatures[1]


def test_nobody_a_foreign_certificate_and_a_weak_key_sign_nothing() -> None:
    with pytest.raises(EvidenceError, match="no signature"):
        attest(PAYLOAD, [])
    with pytest.raises(EvidenceError, match="base64"):
        attest(b"", [person(1)])
    mixed = CertifiedKey(certificate=person(2).certificate, private_key=person(1).private_key)
    with pytest.raises(SignatureError, match="does not belong"):
        attest(PAYLOAD, [mixed])
    for key in (
        ec.generate_private_key(ec.SECP521R1()),
        rsa.generate_private_key(65537, 1024),
        ed25519.Ed25519PrivateKey.generate(),
    ):
        with pytest.raises(EvidenceError, match="is not ECDSA P-256"):
            check_signature(read_envelope(envelope()), certified(key).certificate)
        with pytest.raises(SignatureError, match="may not sign"):
            attest(PAYLOAD, [certified(key)])
    with pytest.raises(EvidenceError, match="not JSON"):
        add_signature(b"no envelope", person(1))


def _changed(change: Callable[[Table], object]) -> bytes:
    table = json.loads(envelope())
    change(table)
    return rfc8785.dumps(table)


def _first(key: str, value: Any) -> bytes:
    return _changed(lambda table: table["signatures"][0].update({key: value}))


def _loose(text: str) -> str:
    """Base64 that decodes to the same bytes and is spelled otherwise: unused bits of the last letter are set."""
    assert text.endswith("=") and not text.endswith("==")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    loose = f"{text[:-2]}{letters[letters.index(text[-2]) ^ 1]}="
    assert base64.b64decode(loose) == base64.b64decode(text)
    return loose


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "not JSON"),
    "no text": (lambda: b"\xff\xfe", "not JSON"),
    "nested without end": (lambda: b"[" * 100_000, "not JSON"),
    "a list": (lambda: b"[]", "not a JSON object"),
    "UTF-16": (lambda: envelope().decode().encode("utf-16"), "not JSON"),
    "white space before": (lambda: b" " + envelope(), "canonical"),
    "a line end after": (lambda: envelope() + b"\n", "canonical"),
    "a second document": (lambda: envelope() * 2, "not JSON"),
    "white space inside": (lambda: envelope().replace(b'":', b'": '), "canonical"),
    "another order": (
        lambda: json.dumps(dict(reversed(json.loads(envelope()).items())), separators=(",", ":")).encode(),
        "canonical",
    ),
    "an escape": (lambda: envelope().replace(b'"payload":', b'"\\u0070ayload":'), "canonical"),
    "a key twice": (lambda: envelope().replace(b'{"payload":', b'{"payload":"AAAA","payload":'), "canonical"),
    "a stray key": (lambda: _changed(lambda table: table.update(note="x")), "unknown key 'note'"),
    "a key less": (lambda: _changed(lambda table: table.pop("payloadType")), "lacks payloadType"),
    "another type": (lambda: _changed(lambda table: table.update(payloadType="text/plain")), "payloadType is not"),
    "no payload": (lambda: _changed(lambda table: table.update(payload="")), "payload is not base64"),
    "a payload that is no text": (lambda: _changed(lambda table: table.update(payload=None)), "payload is not base64"),
    "loose base64": (
        lambda: _changed(lambda table: table.update(payload=_loose(table["payload"]))),
        "payload is not base64",
    ),
    "base64 without padding": (
        lambda: _changed(lambda table: table.update(payload=table["payload"].rstrip("="))),
        "payload is not base64",
    ),
    "base64 with a line end": (
        lambda: _changed(lambda table: table.update(payload=table["payload"] + "\n")),
        "payload is not base64",
    ),
    "letters beyond ASCII": (
        lambda: _changed(lambda table: table.update(payload="é" + table["payload"][1:])),
        "payload is not base64",
    ),
    "no signatures": (lambda: _changed(lambda table: table.update(signatures=[])), "no signature"),
    "signatures that are no list": (lambda: _changed(lambda table: table.update(signatures={})), "no signature"),
    "a signature that is no object": (lambda: _changed(lambda table: table.update(signatures=["x"])), "not a JSON"),
    "a stray key in a signature": (lambda: _first("cert", "x"), "unknown key 'cert'"),
    "a signature without a keyid": (
        lambda: _changed(lambda table: table["signatures"][0].pop("keyid")),
        "lacks keyid",
    ),
    "a keyid in capitals": (lambda: _first("keyid", "A" * 64), "64 lower-case hex"),
    "a keyid with a line end": (lambda: _first("keyid", "a" * 64 + "\n"), "64 lower-case hex"),
    "an empty signature": (lambda: _first("sig", ""), "signature of the attestation is not base64"),
    "a signature twice": (lambda: _changed(lambda table: table["signatures"].extend(table["signatures"])), "twice"),
}


@pytest.mark.parametrize(("make", "words"), REFUSED.values(), ids=REFUSED)
def test_each_other_form_is_refused_for_its_own_reason(make: Callable[[], bytes], words: str) -> None:
    data = make()
    assert data != envelope()
    with pytest.raises(EvidenceError, match=words):
        read_envelope(data)


def test_a_signature_in_another_spelling_or_under_another_keyid_does_not_hold() -> None:
    read = read_envelope(envelope())
    sig = read.signatures[0].sig
    for other in (sig + b"\0", sig[:1] + bytes([0x81]) + sig[1:], sig[:-1], b"\x30\x00"):
        altered = EnvelopeSignature(keyid=read.signatures[0].keyid, sig=other)
        assert not check_signature(Envelope(payload=PAYLOAD, signatures=(altered,)), person(1).certificate)
    renamed = EnvelopeSignature(keyid=key_id(person(2).certificate), sig=sig)
    under_another = Envelope(payload=PAYLOAD, signatures=(renamed,))
    assert not check_signature(under_another, person(1).certificate) and not check_signature(
        under_another, person(2).certificate
    )


def with_the_other_s(data: bytes) -> bytes:
    """The envelope with n - s instead of s in its first signature: other bytes, which fit as well."""
    table = json.loads(data)
    r, s = decode_dss_signature(base64.b64decode(table["signatures"][0]["sig"]))
    other = encode_dss_signature(r, ec.SECP256R1().group_order - s)
    table["signatures"][0]["sig"] = base64.b64encode(other).decode()
    return rfc8785.dumps(table)


def test_of_the_two_signatures_that_fit_only_the_one_with_the_lower_s_holds() -> None:
    """Many at once, since half of all signatures come with the lower s by chance."""
    half = ec.SECP256R1().group_order // 2
    for _ in range(16):
        data = attest(PAYLOAD, [person(1)])
        sig = read_envelope(data).signatures[0].sig
        assert decode_dss_signature(sig)[1] <= half
        other = read_envelope(with_the_other_s(data))
        public_key = person(1).certificate.public_key()
        assert isinstance(public_key, ec.EllipticCurvePublicKey)
        public_key.verify(other.signatures[0].sig, pae(ATTESTATION.payload_type, PAYLOAD), ec.ECDSA(hashes.SHA256()))
        assert check_signature(read_envelope(data), person(1).certificate)
        assert not check_signature(other, person(1).certificate)


def test_no_bit_of_the_envelope_can_be_turned() -> None:
    data = attest(PAYLOAD, [person(1), person(2)])
    for position in random.Random(7).sample(range(len(data) * 8), 500):
        turned = bytearray(data)
        turned[position // 8] ^= 1 << position % 8
        try:
            read = read_envelope(bytes(turned))
        except EvidenceError:
            continue
        assert not all(check_signature(read, person(number).certificate) for number in (1, 2)), position


# -- outside readers --------------------------------------------------------------------------------------------------


def test_securesystemslib_verifies_it_and_refuses_a_change() -> None:
    by_rsa = certified(rsa.generate_private_key(65537, 2048))
    rsa_certificate = by_rsa.certificate
    table = json.loads(attest(PAYLOAD, [person(1), by_rsa]))
    keys = [
        SSlibKey.from_crypto(person(1).certificate.public_key(), keyid=key_id(person(1).certificate)),
        SSlibKey.from_crypto(rsa_certificate.public_key(), keyid=key_id(rsa_certificate), scheme="rsa-pkcs1v15-sha256"),
    ]
    verified = OutsideEnvelope.from_dict(json.loads(json.dumps(table))).verify(keys, threshold=2)
    assert set(verified) == {key.keyid for key in keys}
    table["payload"] = base64.b64encode(PAYLOAD.replace(b"a", b"b")).decode()
    with pytest.raises(VerificationError):
        OutsideEnvelope.from_dict(table).verify(keys, threshold=1)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_openssl_verifies_it(tmp_path: Path) -> None:
    certificate = person(1).certificate
    read = read_envelope(envelope())
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "key").write_bytes(spki)
    (tmp_path / "sig").write_bytes(read.signatures[0].sig)
    (tmp_path / "message").write_bytes(pae(ATTESTATION.payload_type, read.payload))
    command = ["openssl", "dgst", "-sha256", "-verify", "key", "-signature", "sig", "message"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / "message").write_bytes(pae(ATTESTATION.payload_type, read.payload + b" "))
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1
