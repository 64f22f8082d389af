"""Checkpoint: a log's name, size and root, signed by the machine's key (C2SP tlog-checkpoint in a signed-note).

Whoever kept one can hold a later log against it. Exactly one form is read: one signature, no further lines, canonical
base64; a checkpoint that could be written in two ways could be signed once and told twice. No file is touched here.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from deid_audit.errors import LogError

_ED25519 = b"\1"
_NAME = r"[!-*,-~]{1,100}"  # visible ASCII without "+", which parts a verifier key
_NOTE = re.compile(
    rf"(?P<text>(?P<origin>{_NAME})\n(?P<size>0|[1-9][0-9]{{0,15}})\n(?P<root>[A-Za-z0-9+/=]{{44}})\n)\n"
    rf"— (?P<name>{_NAME}) (?P<signature>[A-Za-z0-9+/=]{{92}})\n"
)
_KEY = re.compile(rf"(?P<name>{_NAME})\+(?P<key_id>[0-9a-f]{{8}})\+(?P<key>[A-Za-z0-9+/=]{{44}})")
_NEXT = "take the checkpoint as it was written: the file `checkpoint` of a log, every byte of it"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """Whose checkpoints to believe: the log's name and its Ed25519 public key (32 bytes)."""

    name: str
    public: bytes

    @classmethod
    def of(cls, key: Ed25519PrivateKey) -> Self:
        """A machine's own: the name is made from the key, so that it tells no host."""
        public = key.public_key().public_bytes_raw()
        return cls(f"deid-audit/{hashlib.sha256(public).hexdigest()[:16]}", public)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `name+key id+base64(0x01, public key)`; LogError for anything else, also for a wrong key id."""
        found = _KEY.fullmatch(text)
        data = _base64(found["key"]) if found else b""
        if found is None or len(data) != 33 or data[:1] != _ED25519:
            raise LogError(
                "this is no verifier key (name+key id+base64)", next_step="take the one line of the log's `log.pub`"
            )
        key = cls(found["name"], data[1:])
        if key.key_id.hex() != found["key_id"]:
            raise LogError("the verifier key's id is not that of its key", next_step="take it from its source again")
        return key

    @property
    def key_id(self) -> bytes:
        """The first 4 bytes of SHA-256 over name, line feed, type and key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    @property
    def text(self) -> str:
        """`name+key id+base64(0x01, public key)`, to be handed to whoever checks."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log was at a moment: its name, how many entries, and the root over them (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def signed_note(size: int, root: bytes, key: Ed25519PrivateKey) -> str:
    """The checkpoint of a log of this size and root, signed."""
    verifier = VerifierKey.of(key)
    text = Checkpoint(verifier.name, size, root).text
    signature = base64.b64encode(verifier.key_id + key.sign(text.encode())).decode()
    return f"{text}\n— {verifier.name} {signature}\n"


def open_note(note: bytes, key: VerifierKey) -> Checkpoint:
    """The checkpoint in a signed note; LogError when its form or its signature by this key does not hold."""
    try:
        found = _NOTE.fullmatch(note.decode())
    except UnicodeDecodeError:
        found = None
    root = _base64(found["root"]) if found else b""
    signature = _base64(found["signature"]) if found else b""
    if found is None or len(root) != 32 or len(signature) != 68:
        raise LogError("this is no signed checkpoint, or not in its exact form", next_step=_NEXT)
    if not found["origin"] == found["name"] == key.name or signature[:4] != key.key_id:
        raise LogError("the checkpoint is of another log, or signed with another key", next_step=_NEXT)
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature[4:], found["text"].encode())
    except (InvalidSignature, ValueError):
        raise LogError("the checkpoint's signature does not hold", next_step=_NEXT) from None
    return Checkpoint(found["origin"], int(found["size"]), root)


def _base64(text: str) -> bytes:
    """The bytes of canonical base64; empty for any other spelling of them."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
    return data if base64.b64encode(data).decode() == text else b""
