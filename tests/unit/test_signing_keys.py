"""One call for every signature: in its one form, fitting its certificate, wherever the key lies."""

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from deid_audit.certificate.signing import sign_pdf
from deid_audit.errors import SignatureError
from deid_audit.signing_keys import CertifiedKey, exact_signature, fits, public_key_of, usable
from tests.unit.certificates import ISSUED, named_signer, signer, small_unsigned

MESSAGE = b"what is signed"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # n of P-256 (SEC 2, 2.4.2)


@dataclass
class Elsewhere:
    """A key that can only be asked; gives the higher s, as a token may, or whatever it is told to."""

    private_key: ec.EllipticCurvePrivateKey
    answer: bytes | None = None
    asked: list[bytes] = field(default_factory=list)

    def sign(self, message: bytes) -> bytes:
        self.asked.append(message)
        if self.answer is not None:
            return self.answer
        r, s = decode_dss_signature(self.private_key.sign(message, ec.ECDSA(hashes.SHA256())))
        return encode_dss_signature(r, max(s, ORDER - s))


@cache
def own_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def elsewhere(answer: bytes | None = None) -> Any:
    return replace(named_signer("Somebody", own_key()), private_key=Elsewhere(own_key(), answer))


def test_a_key_elsewhere_signs_with_the_lower_s_whatever_it_answers() -> None:
    one = elsewhere()
    signature = one.sign(MESSAGE)
    assert decode_dss_signature(signature)[1] <= ORDER // 2
    assert one.private_key.asked == [MESSAGE]
    own_key().public_key().verify(signature, MESSAGE, ec.ECDSA(hashes.SHA256()))


def test_a_document_asks_for_one_signature() -> None:
    one = elsewhere()
    assert sign_pdf(small_unsigned(), one, signed_at=ISSUED).startswith(small_unsigned()[:100])
    assert len(one.private_key.asked) == 1


@pytest.mark.parametrize("answer", [b"", b"no DER", encode_dss_signature(1, 1), bytes(64)])
def test_an_answer_that_does_not_fit_is_no_signature(answer: bytes) -> None:
    with pytest.raises(SignatureError, match="does not belong"):
        elsewhere(answer).sign(MESSAGE)


def test_another_key_than_the_certificates_does_not_sign() -> None:
    mixed = CertifiedKey(certificate=signer().certificate, private_key=own_key())
    with pytest.raises(SignatureError, match="does not belong"):
        mixed.sign(MESSAGE)
    assert "private_key" not in repr(mixed)


def test_of_s_and_n_minus_s_the_lower_one_is_the_form() -> None:
    """By hand: n - 1 becomes 1, and 1 stays; half of n (rounded down) stays, one more becomes it."""
    public_key = own_key().public_key()
    for s, lower in ((1, 1), (ORDER - 1, 1), (ORDER // 2, ORDER // 2), (ORDER // 2 + 1, ORDER // 2)):
        assert exact_signature(encode_dss_signature(5, s), public_key) == encode_dss_signature(5, lower)


def test_ecdsa_fits_in_one_form_and_rsa_has_one_only() -> None:
    public_key = public_key_of(signer().certificate)
    assert public_key is not None
    signature = signer().sign(MESSAGE)
    r, s = decode_dss_signature(signature)
    assert fits(signature, MESSAGE, public_key) and not fits(signature, MESSAGE + b".", public_key)
    for other in (encode_dss_signature(r, ORDER - s), signature + b"\0", b""):
        assert not fits(other, MESSAGE, public_key)
    key = rsa.generate_private_key(65537, 2048)
    by_rsa = key.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA256())
    assert exact_signature(by_rsa, key.public_key()) == by_rsa
    assert fits(by_rsa, MESSAGE, key.public_key()) and not fits(by_rsa[::-1], MESSAGE, key.public_key())


@pytest.mark.parametrize(
    ("make", "may"),
    [
        (lambda: ec.generate_private_key(ec.SECP256R1()), True),
        (lambda: ec.generate_private_key(ec.SECP384R1()), True),
        (lambda: rsa.generate_private_key(65537, 2048), True),
        (lambda: rsa.generate_private_key(65537, 1024), False),
        (lambda: ec.generate_private_key(ec.SECP521R1()), False),
        (lambda: ec.generate_private_key(ec.SECP256K1()), False),
        (ed25519.Ed25519PrivateKey.generate, False),
        (lambda: dsa.generate_private_key(1024), False),
    ],
    ids=["P-256", "P-384", "RSA-2048", "RSA-1024", "P-521", "secp256k1", "Ed25519", "DSA"],
)
def test_which_keys_may_sign(make: Any, may: bool) -> None:
    public_key = make().public_key()
    assert usable(public_key) is (public_key if may else None)
