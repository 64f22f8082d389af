"""Checkpoints: an outside vector, the form by hand, and every other form refused."""

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from deid_audit.errors import LogError
from deid_audit.log.checkpoint import VerifierKey, open_note, signed_note
from deid_audit.log.merkle import EMPTY_ROOT

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
VERIFIER = VerifierKey.of(KEY)
ROOT = hashlib.sha256(b"root").digest()
NOTE = signed_note(7, ROOT, KEY)
TEXT, _, SIGNED = NOTE.partition("\n\n")
# The example of golang.org/x/mod/sumdb/note, and the key of Go's checksum database.
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SUM = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


def test_verifier_keys_of_others_are_read_and_written() -> None:
    for text in (NEUMANN, GO_SUM):
        key = VerifierKey.parse(text)
        assert key.text == text
        assert key.key_id.hex() == text.split("+")[1]


def test_a_signature_of_others_is_over_the_text_with_its_line_feed() -> None:
    text = (
        b"If you think cryptography is the answer to your problem,\n"
        b"then you don't know what your problem is.\n"
    )  # fmt: skip
    line = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    key, data = VerifierKey.parse(NEUMANN), base64.b64decode(line)
    assert data[:4] == key.key_id
    Ed25519PublicKey.from_public_bytes(key.public).verify(data[4:], text)


def test_name_and_key_id_by_hand() -> None:
    name = "deid-audit/" + hashlib.sha256(PUBLIC).hexdigest()[:16]
    key_id = hashlib.sha256(name.encode() + b"\n\x01" + PUBLIC).digest()[:4]
    assert (VERIFIER.name, VERIFIER.key_id) == (name, key_id)
    assert VERIFIER.text == f"{name}+{key_id.hex()}+{base64.b64encode(bytes([1]) + PUBLIC).decode()}"


def test_the_note_by_hand() -> None:
    text = f"{VERIFIER.name}\n7\n{base64.b64encode(ROOT).decode()}\n"
    signature = base64.b64encode(VERIFIER.key_id + KEY.sign(text.encode())).decode()
    assert f"{text}\n— {VERIFIER.name} {signature}\n" == NOTE
    assert "\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n" in signed_note(0, EMPTY_ROOT, KEY)


def test_a_checkpoint_survives_being_written_and_read() -> None:
    for size, root in ((0, EMPTY_ROOT), (1, ROOT), (10**15, ROOT)):
        known = open_note(signed_note(size, root, KEY).encode(), VERIFIER)
        assert (known.origin, known.size, known.root) == (VERIFIER.name, size, root)


def test_openssl_holds_the_signature_for_good(tmp_path: Path) -> None:
    files = {
        "pub.pem": KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "sig": base64.b64decode(SIGNED.split()[-1])[4:],
        "text": f"{TEXT}\n".encode(),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    command = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "pub.pem",
        "-rawin",
        "-sigfile",
        "sig",
        "-in",
        "text",
    ]
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 0


def resigned(text: str, name: str = VERIFIER.name) -> str:
    """A text with a signature that holds, so that its form alone is wrong."""
    signature = base64.b64encode(VERIFIER.key_id + KEY.sign(text.encode())).decode()
    return f"{text}\n— {name} {signature}\n"


def loose(encoded: str) -> str:
    """Another base64 spelling of the same bytes: bits that are thrown away when it is read."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    letter = alphabet[alphabet.index(encoded[-2]) + 1]
    again = f"{encoded[:-2]}{letter}="
    assert base64.b64decode(again) == base64.b64decode(encoded)
    return again


ROOT_TEXT = base64.b64encode(ROOT).decode()
FORMS = {
    "empty": "",
    "no signature": f"{TEXT}\n\n",
    "no blank line": f"{TEXT}\n{SIGNED}",
    "two blank lines": f"{TEXT}\n\n\n{SIGNED}",
    "no end of the line": NOTE[:-1],
    "something after it": f"{NOTE}\n",
    "something before it": f"\n{NOTE}",
    "signed twice": f"{NOTE}{SIGNED}",
    "carriage returns": NOTE.replace("\n", "\r\n"),
    "a hyphen for the dash": NOTE.replace("—", "-"),
    "two spaces": NOTE.replace("— ", "—  "),
    "an extension line": resigned(f"{TEXT}\nextension\n"),
    "a size with a zero before": resigned(f"{VERIFIER.name}\n07\n{ROOT_TEXT}\n"),
    "a size with a sign": resigned(f"{VERIFIER.name}\n+7\n{ROOT_TEXT}\n"),
    "a negative size": resigned(f"{VERIFIER.name}\n-7\n{ROOT_TEXT}\n"),
    "a size in other digits": resigned(f"{VERIFIER.name}\n٧\n{ROOT_TEXT}\n"),
    "no size": resigned(f"{VERIFIER.name}\n\n{ROOT_TEXT}\n"),
    "no name": resigned(f"\n7\n{ROOT_TEXT}\n"),
    "a root too short": resigned(f"{VERIFIER.name}\n7\n{base64.b64encode(ROOT[:-1]).decode()}\n"),
    "a root in loose base64": resigned(f"{VERIFIER.name}\n7\n{loose(ROOT_TEXT)}\n"),
    "a root without padding": resigned(f"{VERIFIER.name}\n7\n{ROOT_TEXT[:-1]}\n"),
    "a signature in loose base64": f"{NOTE.rpartition(' ')[0]} {loose(SIGNED.split()[-1])}\n",
    "a signature too short": f"{NOTE.rpartition(' ')[0]} {base64.b64encode(bytes(67)).decode()}\n",
    "another log's name": resigned(f"another\n7\n{ROOT_TEXT}\n"),
    "signed in another's name": resigned(f"{TEXT}\n", name="another"),
    "another size": NOTE.replace("\n7\n", "\n8\n"),
}


def test_the_forms_are_wrong_for_their_reason_alone() -> None:
    assert resigned(f"{TEXT}\n") == NOTE
    assert open_note(NOTE.encode(), VERIFIER).size == 7


@pytest.mark.parametrize("name", FORMS)
def test_every_other_form_is_refused(name: str) -> None:
    with pytest.raises(LogError):
        open_note(FORMS[name].encode(), VERIFIER)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(LogError, match="no signed checkpoint"):
        open_note(NOTE.encode("latin-1", errors="replace").replace(b"?", b"\xff"), VERIFIER)


def test_every_changed_byte_is_noticed() -> None:
    data = NOTE.encode()
    for at in range(len(data)):
        with pytest.raises(LogError):
            open_note(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], VERIFIER)


def test_another_key_is_refused() -> None:
    other = VerifierKey.of(Ed25519PrivateKey.generate())
    with pytest.raises(LogError, match="another key"):
        open_note(NOTE.encode(), other)
    with pytest.raises(LogError, match="another key"):  # of the same name
        open_note(NOTE.encode(), VerifierKey(VERIFIER.name, other.public))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        VERIFIER.text.replace("+", " "),
        f"{VERIFIER.text}\n",
        f" {VERIFIER.text}",
        VERIFIER.text.replace(VERIFIER.key_id.hex(), "00000000"),
        VERIFIER.text.replace(VERIFIER.key_id.hex(), VERIFIER.key_id.hex().upper()),
        f"{VERIFIER.name}+{VERIFIER.key_id.hex()}+{base64.b64encode(bytes([2]) + PUBLIC).decode()}",
        f"{VERIFIER.name}+{VERIFIER.key_id.hex()}+{base64.b64encode(bytes([1]) + PUBLIC[:-1]).decode()}",
        VERIFIER.text.replace("deid", "nobody"),
    ],
)
def test_a_verifier_key_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(LogError, match="verifier key"):
        VerifierKey.parse(text)
