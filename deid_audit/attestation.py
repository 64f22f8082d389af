"""The signed statement as a DSSE envelope: the certificate's statement for machines that read no PDF.

Comes after the statement, beside the certificate; the payload is the statement's own bytes, and the keys are those that
sign the certificate. It is read in one exact form only, since no signature covers the envelope around the payload. What
the payload says, and whom to trust, is not looked at here. See https://github.com/secure-systems-lab/dsse (DSSE v1).
"""

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from deid_audit.digests import sha256_bytes
from deid_audit.errors import EvidenceError
from deid_audit.records import expect_keys
from deid_audit.signing_keys import USABLE_KEYS, CertifiedKey, PublicKey, fits, public_key_of, usable

METHOD_TEXT = (
    "The same statement also stands in a DSSE envelope (attestation.dsse.json), signed with the same key (SHA-256), "
    "which can be checked without reading a PDF."
)
ATTESTATION_FILE = "attestation.dsse.json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"

_KEYID = re.compile(r"[0-9a-f]{64}")
_NEXT = "ask the issuer for the original attestation"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeSignature:
    """One signature; `keyid` is the SHA-256 (hex) of the signer's SubjectPublicKeyInfo in DER."""

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload of type `PAYLOAD_TYPE` with its signatures, the steward's first."""

    payload: bytes
    signatures: tuple[EnvelopeSignature, ...]


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: the bytes that are signed.

    >>> pae("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def key_id(key: PublicKey | x509.Certificate) -> str:
    """The SHA-256 (hex) of a key's SubjectPublicKeyInfo; EvidenceError for a key that no signer may have."""
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return sha256_bytes(_usable(key).public_bytes(serialization.Encoding.DER, spki))


def attest(payload: bytes, signers: Sequence[CertifiedKey]) -> bytes:
    """The envelope around `payload`, signed by each of `signers` in their order (steward, then chair).

    Raises EvidenceError where there is nobody to sign, SignatureError where a key cannot.
    """
    envelope = Envelope(payload=payload, signatures=())
    for signer in signers:
        envelope = _signed(envelope, signer)
    return _checked(envelope)


def add_signature(envelope: bytes, signer: CertifiedKey) -> bytes:
    """`envelope` with one more signature, appended; an earlier one by the same key is replaced where it stands.

    Raises EvidenceError for an envelope that is not in its exact form, as `read_envelope` does, and as `attest` does.
    """
    return _checked(_signed(read_envelope(envelope), signer))


def read_envelope(data: bytes) -> Envelope:
    """The envelope in `data`; raises EvidenceError for any other form than the one that `attest` writes.

    That is canonical JSON (RFC 8785) with no other key, base64 that encodes again to the same text, at least one
    signature, and no signer twice. No signature is checked.
    """
    try:
        table = json.loads(data.decode())
    except (ValueError, RecursionError):
        raise EvidenceError("the attestation is not JSON", next_step=_NEXT) from None
    expect_keys(table, ("payload", "payloadType", "signatures"), "the attestation", _NEXT)
    if table["payloadType"] != PAYLOAD_TYPE:
        raise EvidenceError(f"the attestation's payloadType is not {PAYLOAD_TYPE}", next_step=_NEXT)
    listed = table["signatures"]
    if not isinstance(listed, list) or not listed:
        raise EvidenceError("the attestation carries no signature", next_step=_NEXT)
    envelope = Envelope(
        payload=_decoded(table["payload"], "the attestation's payload"),
        signatures=tuple(_read_signature(one) for one in listed),
    )
    if len({one.keyid for one in envelope.signatures}) < len(envelope.signatures):
        raise EvidenceError("the attestation is signed twice by one key", next_step=_NEXT)
    # No key twice, no white space, no other order or spelling.
    if _written(envelope) != data:
        raise EvidenceError("the attestation is not in canonical form (RFC 8785)", next_step=_NEXT)
    return envelope


def check_signature(envelope: Envelope, signer: PublicKey | x509.Certificate) -> bool:
    """Whether `signer` signed the envelope's payload; False also where no signature has its key's id.

    ECDSA (P-256, P-384) must be in the one DER form of its numbers, s the lower of the two that hold; RSA (from 2048
    bits) is PKCS #1 v1.5; both SHA-256.
    Raises EvidenceError for a key of another type.
    """
    key, keyid = _usable(signer), key_id(signer)
    message = pae(PAYLOAD_TYPE, envelope.payload)
    for one in envelope.signatures:
        if one.keyid == keyid:
            return fits(one.sig, message, key)
    return False


def _usable(signer: PublicKey | x509.Certificate) -> PublicKey:
    key = public_key_of(signer) if isinstance(signer, x509.Certificate) else usable(signer)
    if key is None:
        raise EvidenceError(f"a signer's key cannot be read, or is not {USABLE_KEYS}", next_step=_NEXT)
    return key


def _signed(envelope: Envelope, signer: CertifiedKey) -> Envelope:
    sig = signer.sign(pae(PAYLOAD_TYPE, envelope.payload))
    own = EnvelopeSignature(keyid=key_id(signer.certificate), sig=sig)
    signatures = {one.keyid: one for one in envelope.signatures} | {own.keyid: own}
    return Envelope(payload=envelope.payload, signatures=tuple(signatures.values()))


def _checked(envelope: Envelope) -> bytes:
    """What was made, as bytes that are read again: nothing is handed out that `read_envelope` would refuse."""
    data = _written(envelope)
    read_envelope(data)
    return data


def _written(envelope: Envelope) -> bytes:
    return rfc8785.dumps(
        {
            "payload": _encoded(envelope.payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": one.keyid, "sig": _encoded(one.sig)} for one in envelope.signatures],
        }
    )


def _read_signature(table: Any) -> EnvelopeSignature:
    expect_keys(table, ("keyid", "sig"), "a signature of the attestation", _NEXT)
    keyid = table["keyid"]
    if not isinstance(keyid, str) or not _KEYID.fullmatch(keyid):
        raise EvidenceError("a signature's keyid is not 64 lower-case hex digits", next_step=_NEXT)
    return EnvelopeSignature(keyid=keyid, sig=_decoded(table["sig"], "a signature of the attestation"))


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decoded(text: Any, where: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        data = b""
    if not data or _encoded(data) != text:
        raise EvidenceError(f"{where} is not base64 in its one exact form", next_step=_NEXT)
    return data
