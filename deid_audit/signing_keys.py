"""A key that signs, wherever it lies, and the rule for which keys may: certificate and attestation share both.

A signature comes out in one exact form and fits its certificate, or does not come out at all. Nothing here reads key
files, talks to tokens, or knows what is signed.
"""

from dataclasses import dataclass, field
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from deid_audit.errors import SignatureError

USABLE_KEYS = "ECDSA P-256 or P-384, or RSA of at least 2048 bits"
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class KeyElsewhere(Protocol):
    """A private key that cannot be read, only asked; it raises SignatureError where it does not answer."""

    def sign(self, message: bytes) -> bytes:
        """ECDSA in DER or RSA PKCS #1 v1.5, over the SHA-256 of `message`."""


SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | KeyElsewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedKey:
    """A private key with the X.509 certificate of its public key."""

    certificate: x509.Certificate
    private_key: SigningKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """RSA PKCS #1 v1.5, or ECDSA in DER with the lower s; SHA-256. It fits the certificate's key.

        Raises SignatureError for a key that may not sign, does not answer, or does not belong to the certificate.
        """
        public_key = public_key_of(self.certificate)
        if public_key is None:
            raise SignatureError("a key of this type may not sign", next_step=f"use {USABLE_KEYS}")
        try:
            signature = exact_signature(_sign(self.private_key, message), public_key)
        except ValueError:
            signature = b""
        if not fits(signature, message, public_key):
            raise SignatureError(
                "the signer's key does not belong to the signer's certificate",
                next_step="give the key with its own certificate",
            )
        return signature


def _sign(private_key: SigningKey, message: bytes) -> bytes:
    if isinstance(private_key, rsa.RSAPrivateKey):
        return private_key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(private_key, ec.EllipticCurvePrivateKey):
        return private_key.sign(message, ec.ECDSA(hashes.SHA256()))
    return private_key.sign(message)


def usable(public_key: object) -> PublicKey | None:
    """The key itself where it may sign: P-256, P-384, or RSA from 2048 bits, which common PDF viewers can check."""
    if isinstance(public_key, ec.EllipticCurvePublicKey) and isinstance(public_key.curve, ec.SECP256R1 | ec.SECP384R1):
        return public_key
    if isinstance(public_key, rsa.RSAPublicKey) and public_key.key_size >= 2048:
        return public_key
    return None


def public_key_of(certificate: x509.Certificate) -> PublicKey | None:
    """The certificate's key where it may sign; None also for one that cannot be read."""
    try:
        return usable(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return None


def exact_signature(signature: bytes, public_key: PublicKey) -> bytes:
    """The one form of a signature: ECDSA's numbers in DER, with the lower of s and n - s, which both hold.

    Without that rule anybody could turn one signature into another. RSA has one form only. ValueError where `signature`
    is no such pair of numbers.
    """
    if isinstance(public_key, rsa.RSAPublicKey):
        return signature
    r, s = decode_dss_signature(signature)
    order = public_key.curve.group_order
    return encode_dss_signature(r, min(s, order - s))


def fits(signature: bytes, message: bytes, public_key: PublicKey) -> bool:
    """Whether it is this key's signature of `message` (SHA-256), in its one exact form."""
    try:
        if isinstance(public_key, rsa.RSAPublicKey):
            public_key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        else:
            public_key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        return exact_signature(signature, public_key) == signature
    except (InvalidSignature, ValueError):
        return False
