"""What is signed apart from the PDF, as DSSE envelopes: the statement itself, and what is said of it later.

They stand beside the certificate, for machines that read no PDF: the payload of the attestation is the statement's own
bytes, that of a status file says that it was withdrawn. An envelope is read in one exact form only, since no signature
covers what is around the payload. What the payload says, and whom to trust, is not looked at here. See
https://github.com/secure-systems-lab/dsse (DSSE v1).
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

_KEYID = re.compile(r"[0-9a-f]{64}")
_NEXT_KEY = "sign with a key that `deid-audit keys new` makes, or one of its kind"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeKind:
    """What an envelope is for: the type of its payload, which is signed with it; its name and a next step in words."""

    payload_type: str
    called: str
    next_step: str


ATTESTATION = EnvelopeKind(
    payload_type="application/vnd.in-toto+json",
    called="the attestation",
    next_step="ask the issuer for the original attestation",
)
STATUS = EnvelopeKind(
    payload_type="application/vnd.deid-audit.status+json",
    called="the status file",
    next_step="ask who signed the certificate whether it was withdrawn",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeSignature:
    """One signature; `keyid` is the SHA-256 (hex) of the signer's SubjectPublicKeyInfo in DER."""

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload with its signatures; an attestation's in the order steward, chair."""

    payload: bytes
    signatures: tuple[EnvelopeSignature, ...]
    kind: EnvelopeKind = ATTESTATION


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


def attest(payload: bytes, signers: Sequence[CertifiedKey], *, kind: EnvelopeKind = ATTESTATION) -> bytes:
    """The envelope around `payload`, signed by each of `signers` in their order (steward, then chair).

    Raises EvidenceError where there is nobody to sign, SignatureError where a key cannot.
    """
    envelope = Envelope(payload=payload, signatures=(), kind=kind)
    for signer in signers:
        envelope = _signed(envelope, signer)
    return _checked(envelope)


def add_signature(envelope: bytes, signer: CertifiedKey) -> bytes:
    """An attestation with one more signature, appended; an earlier one by the same key is replaced where it stands.

    Raises EvidenceError for an envelope that is not in its exact form, as `read_envelope` does, and as `attest` does.
    """
    return _checked(_signed(read_envelope(envelope), signer))


def read_envelope(data: bytes, kind: EnvelopeKind = ATTESTATION) -> Envelope:
    """The envelope of this kind in `data`; raises EvidenceError for any other form than the one that `attest` writes.

    That is canonical JSON (RFC 8785) with no other key, base64 that encodes again to the same text, at least one
    signature, and no signer twice. No signature is checked.
    """
    try:
        table = json.loads(data.decode())
    except (ValueError, RecursionError):
        raise EvidenceError(f"{kind.called} is not JSON", next_step=kind.next_step) from None
    expect_keys(table, ("payload", "payloadType", "signatures"), kind.called, kind.next_step)
    if table["payloadType"] != kind.payload_type:
        raise EvidenceError(f"{kind.called}'s payloadType is not {kind.payload_type}", next_step=kind.next_step)
    listed = table["signatures"]
    if not isinstance(listed, list) or not listed:
        raise EvidenceError(f"{kind.called} carries no signature", next_step=kind.next_step)
    envelope = Envelope(
        payload=_decoded(table["payload"], f"{kind.called}'s payload", kind),
        signatures=tuple(_read_signature(one, kind) for one in listed),
        kind=kind,
    )
    if len({one.keyid for one in envelope.signatures}) < len(envelope.signatures):
        raise EvidenceError(f"{kind.called} is signed twice by one key", next_step=kind.next_step)
    # No key twice, no white space, no other order or spelling.
    if _written(envelope) != data:
        raise EvidenceError(f"{kind.called} is not in canonical form (RFC 8785)", next_step=kind.next_step)
    return envelope


def check_signature(envelope: Envelope, signer: PublicKey | x509.Certificate) -> bool:
    """Whether `signer` signed the envelope's payload; False also where no signature has its key's id.

    ECDSA (P-256, P-384) must be in the one DER form of its numbers, s the lower of the two that hold; RSA (from 2048
    bits) is PKCS #1 v1.5; both SHA-256.
    Raises EvidenceError for a key of another type.
    """
    key, keyid = _usable(signer), key_id(signer)
    message = pae(envelope.kind.payload_type, envelope.payload)
    for one in envelope.signatures:
        if one.keyid == keyid:
            return fits(one.sig, message, key)
    return False


def _usable(signer: PublicKey | x509.Certificate) -> PublicKey:
    key = public_key_of(signer) if isinstance(signer, x509.Certificate) else usable(signer)
    if key is None:
        raise EvidenceError(f"a signer's key cannot be read, or is not {USABLE_KEYS}", next_step=_NEXT_KEY)
    return key


def _signed(envelope: Envelope, signer: CertifiedKey) -> Envelope:
    sig = signer.sign(pae(envelope.kind.payload_type, envelope.payload))
    own = EnvelopeSignature(keyid=key_id(signer.certificate), sig=sig)
    signatures = {one.keyid: one for one in envelope.signatures} | {own.keyid: own}
    return Envelope(payload=envelope.payload, signatures=tuple(signatures.values()), kind=envelope.kind)


def _checked(envelope: Envelope) -> bytes:
    """What was made, as bytes that are read again: nothing is handed out that `read_envelope` would refuse."""
    data = _written(envelope)
    read_envelope(data, envelope.kind)
    return data


def _written(envelope: Envelope) -> bytes:
    return rfc8785.dumps(
        {
            "payload": _encoded(envelope.payload),
            "payloadType": envelope.kind.payload_type,
            "signatures": [{"keyid": one.keyid, "sig": _encoded(one.sig)} for one in envelope.signatures],
        }
    )


def _read_signature(table: Any, kind: EnvelopeKind) -> EnvelopeSignature:
    where = f"a signature of {kind.called}"
    expect_keys(table, ("keyid", "sig"), where, kind.next_step)
    keyid = table["keyid"]
    if not isinstance(keyid, str) or not _KEYID.fullmatch(keyid):
        raise EvidenceError("a signature's keyid is not 64 lower-case hex digits", next_step=kind.next_step)
    return EnvelopeSignature(keyid=keyid, sig=_decoded(table["sig"], where, kind))


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decoded(text: Any, where: str, kind: EnvelopeKind) -> bytes:
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        data = b""
    if not data or _encoded(data) != text:
        raise EvidenceError(f"{where} is not base64 in its one exact form", next_step=kind.next_step)
    return data
