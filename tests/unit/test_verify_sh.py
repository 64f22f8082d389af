"""`release/verify.sh`, run: what it accepts, and each thing that it must refuse, with openssl and jq alone."""

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from deid_audit.attestation import add_signature, attest, key_id
from deid_audit.certificate.keys import Signer, ephemeral_signer
from deid_audit.certificate.trust import trust_of
from deid_audit.digests import sha256_bytes
from deid_audit.findings import Outcome
from deid_audit.pipeline.withdrawing import withdraw
from tests.unit.certificates import ISSUED, attested, certified, signer
from tests.unit.releases import lay_out, released, turn_bit
from tests.unit.test_attestation import certified as certified_key
from tests.unit.test_attestation import with_the_other_s

TOOLS = ("openssl", "jq", "sh")
pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in TOOLS), reason=f"verify.sh needs {', '.join(TOOLS)}"
)
Table = dict[str, Any]


@cache
def chair() -> Signer:
    return ephemeral_signer(ISSUED)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A whole output, with the chair's certificate beside the steward's."""
    lay_out(tmp_path)
    (tmp_path / "chair.crt").write_bytes(chair().certificate_pem)
    return tmp_path


def check(out: Path, *typed: str, path: str | None = None) -> tuple[int, str]:
    """Exit status and what was printed, both streams; the script is run from OUT."""
    command = [shutil.which("sh") or "sh", "release/verify.sh", *(typed or ("attestation.dsse.json", "signer.crt"))]
    environment = {"PATH": os.environ["PATH"] if path is None else path}
    done = subprocess.run(command, cwd=out, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def failures(said: str) -> list[str]:
    return [line.removeprefix("FAILED   ") for line in said.splitlines() if line.startswith("FAILED")]


def state_of(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_whole_release_holds_from_anywhere_and_nothing_is_changed(out: Path) -> None:
    before = state_of(out)
    status, said = check(out)
    assert (status, failures(said)) == (0, [])
    assert len([line for line in said.splitlines() if line.startswith("ok ")]) == 15
    assert "Not checked here" in said and "whom you may trust" in said and "certificate.pdf" in said
    assert str(out) not in said
    command = ["sh", "verify.sh", "../attestation.dsse.json", "../signer.crt"]
    assert subprocess.run(command, cwd=out / "release", capture_output=True, check=False).returncode == 0
    command = ["sh", str(out / "release/verify.sh"), str(out / "attestation.dsse.json"), str(out / "signer.crt")]
    assert subprocess.run(command, cwd="/", capture_output=True, check=False).returncode == 0
    assert state_of(out) == before


def test_both_signatures_are_asked_for_as_they_are(out: Path) -> None:
    both = add_signature((out / "attestation.dsse.json").read_bytes(), chair())
    (out / "both.json").write_bytes(both)
    assert check(out, "both.json", "signer.crt", "chair.crt")[0] == 0
    assert check(out, "both.json", "chair.crt", "signer.crt")[0] == 0
    status, said = check(out, "both.json", "signer.crt")
    assert (status, failures(said)) == (1, ["somebody else signed, too, whose certificate was not given"])
    status, said = check(out, "attestation.dsse.json", "signer.crt", "chair.crt")
    assert (status, failures(said)) == (1, ["signature 2: there is none by the key of certificate 2"])


@pytest.mark.parametrize(
    "make",
    [lambda: rsa.generate_private_key(65537, 2048), lambda: ec.generate_private_key(ec.SECP384R1())],
    ids=["RSA", "P-384"],
)
def test_other_keys_are_as_good(out: Path, make: Callable[[], Any]) -> None:
    other = certified_key(make())
    (out / "other.json").write_bytes(attest((out / "evidence.json").read_bytes(), [other]))
    (out / "other.crt").write_bytes(other.certificate.public_bytes(serialization.Encoding.PEM))
    assert check(out, "other.json", "other.crt")[0] == 0


def test_another_certificate_is_not_taken(out: Path) -> None:
    status, said = check(out, "attestation.dsse.json", "chair.crt")
    assert status == 1
    assert failures(said) == [
        "signature 1: there is none by the key of certificate 1",
        "somebody else signed, too, whose certificate was not given",
    ]


VIDEO = "data/case-0001-01.mp4"


def _move(out: Path) -> None:
    (out / "release" / VIDEO).rename(out / "release" / "data" / "renamed.mp4")


def _link_the_folder(out: Path) -> None:
    (out / "release" / "data").rename(out / "elsewhere")
    (out / "release" / "data").symlink_to(out / "elsewhere")


def _link_the_video(out: Path) -> None:
    (out / "release" / VIDEO).rename(out / "same.mp4")
    (out / "release" / VIDEO).symlink_to(out / "same.mp4")


OTHERS = "the files in the folder are not those that the statement names"
ODD = "the folder holds a file or folder whose name no certified file has"


@pytest.mark.parametrize(
    ("damage", "failed"),
    [
        (lambda out: turn_bit(out / "release" / VIDEO, 77), [f"{VIDEO}: changed"]),
        (lambda out: (out / "release" / VIDEO).write_bytes(b""), [f"{VIDEO}: changed"]),
        (lambda out: (out / "release" / VIDEO).unlink(), [f"{VIDEO}: missing", OTHERS]),
        (_move, [f"{VIDEO}: missing", OTHERS]),
        (_link_the_video, [f"{VIDEO}: missing"]),
        (_link_the_folder, [OTHERS]),
        (lambda out: (out / "release" / "data" / "more.mp4").touch(), [OTHERS]),
        (lambda out: (out / "release" / ".hidden").touch(), [OTHERS]),
        (lambda out: (out / "release" / "empty").mkdir(), [OTHERS]),
        (lambda out: (out / "release" / "a\n./README.txt").parent.mkdir(), [ODD, OTHERS]),
        (lambda out: (out / "release" / "$(touch hacked)\x1b[2J").touch(), [ODD, OTHERS]),
        (lambda out: turn_bit(out / "release" / "VERIFY.txt", 5), ["VERIFY.txt: changed"]),
        (lambda out: turn_bit(out / "release" / "manifest-sha256.txt", 5), ["manifest-sha256.txt: changed"]),
    ],
    ids=[
        "a bit of the video",
        "an empty video",
        "no video",
        "another name",
        "a link to the video",
        "a link to the folder",
        "one more video",
        "a hidden file",
        "an empty folder",
        "a name with a line end",
        "a name that is a command",
        "the words",
        "the manifest",
    ],
)
def test_files_that_are_not_the_certified_ones(out: Path, damage: Callable[[Path], None], failed: list[str]) -> None:
    damage(out)
    status, said = check(out)
    assert (status, failures(said)) == (1, failed)
    assert "\x1b" not in said
    assert not list(out.rglob("hacked"))


def test_a_script_that_was_changed_does_not_vouch_for_itself_by_omission(out: Path) -> None:
    script = out / "release" / "verify.sh"
    script.write_bytes(script.read_bytes() + b"\n")
    assert failures(check(out)[1]) == ["verify.sh: changed"]


def _statement(change: Callable[[Table], object]) -> bytes:
    table = json.loads(released()[1]["evidence.json"])
    change(table)
    return rfc8785.dumps(table)


def _envelope(change: Callable[[Table], object]) -> bytes:
    table = json.loads(released()[1]["attestation.dsse.json"])
    change(table)
    return rfc8785.dumps(table)


def _named(name: str) -> bytes:
    """A well signed statement that calls the video by another name."""
    return attested(_statement(lambda table: table["subject"][0].update(name=name)))


def _swapped() -> bytes:
    """The payload of another statement under the first one's signature."""
    other = _statement(lambda table: table["predicate"].update(case_id="other"))
    return _envelope(lambda table: table.update(payload=base64.b64encode(other).decode()))


UNSAFE = "the statement is no statement of deid-audit, or names a file in a way that is not safe"
UNFIT = "signature 1: does not fit the attestation, or is not in its exact form"
FORM = "the attestation is damaged, or not in its exact form"


@pytest.mark.parametrize(
    ("make", "failed"),
    [
        (_swapped, UNFIT),
        (lambda: with_the_other_s(released()[1]["attestation.dsse.json"]), UNFIT),
        (lambda: attested(certified(Outcome.PASSED).statement), f"{VIDEO}: changed"),
        (lambda: _envelope(lambda table: table.update(signatures=[])), FORM),
        (lambda: _envelope(lambda table: table.update(signatures=table["signatures"] * 2)), FORM),
        (lambda: _envelope(lambda table: table.update(more=1)), FORM),
        (lambda: _envelope(lambda table: table.update(payloadType="text/plain")), FORM),
        (lambda: _envelope(lambda table: table.update(payload=table["payload"] + "\n")), FORM),
        (lambda: _envelope(lambda table: table.update(payload="")), FORM),
        (lambda: _envelope(lambda table: table["signatures"][0].update(keyid="a" * 63 + "\n")), FORM),
        (lambda: released()[1]["attestation.dsse.json"] + b"\n", FORM),
        (lambda: released()[1]["attestation.dsse.json"] * 2, FORM),
        (lambda: released()[1]["attestation.dsse.json"].replace(b"{", b'{"payload":"AAAA",', 1), FORM),
        (lambda: b"", FORM),
        (lambda: attested(b"[]"), UNSAFE),
        (lambda: attested(b"no JSON"), UNSAFE),
        (lambda: attested(b'{"_type":"https://in-toto.io/Statement/v1"}'), UNSAFE),
        (lambda: attested(_statement(lambda table: table.update(subject=[]))), UNSAFE),
        (lambda: attested(_statement(lambda table: table.update(predicateType="urn:other"))), UNSAFE),
        (lambda: attested(_statement(lambda table: table["subject"].append(table["subject"][0]))), UNSAFE),
        (lambda: attested(_statement(lambda table: table["subject"][0]["digest"].update(sha256="0"))), UNSAFE),
        *(
            (lambda name=name: _named(name), UNSAFE)
            for name in ("../signer.crt", "/etc/passwd", "a//b", "", "./a", "a/.")
        ),
        *((lambda name=name: _named(name), UNSAFE) for name in ("$(touch hacked)", "`touch hacked`", "a;touch hacked")),
        *(
            (lambda name=name: _named(name), UNSAFE)
            for name in ("a b", "a\nb", "README.txt\n", "a\0b", "a'b", "é", "*")
        ),
    ],
)
def test_an_attestation_of_something_else_or_in_another_form(out: Path, make: Callable[[], bytes], failed: str) -> None:
    (out / "attestation.dsse.json").write_bytes(make())
    status, said = check(out)
    assert status == 1
    assert failed in failures(said)
    assert not list(out.rglob("hacked"))


def test_a_name_like_an_option_is_a_name(out: Path) -> None:
    video = (out / "release" / VIDEO).rename(out / "release" / "data" / "-rf")
    name = str(video.relative_to(out / "release"))
    change = _statement(lambda table: table["subject"][0].update(name=name))
    (out / "-x").write_bytes(attested(change))
    (out / "-y").write_bytes((out / "signer.crt").read_bytes())
    assert check(out, "-x", "-y")[0] == 0


def test_a_turned_bit_anywhere_in_the_attestation_is_refused(out: Path) -> None:
    path = out / "attestation.dsse.json"
    whole = path.read_bytes()
    for position in range(11, len(whole) * 8, len(whole) * 8 // 12):
        turn_bit(path, position)
        assert check(out)[0] == 1, position
        path.write_bytes(whole)


def test_a_verdict_that_is_not_passed_is_3_and_only_if_all_else_holds(out: Path) -> None:
    failed = _statement(lambda table: table["predicate"].update(verificationResult="FAILED"))
    (out / "attestation.dsse.json").write_bytes(attested(failed))
    status, said = check(out)
    assert (status, failures(said)) == (3, []) and "not to be released" in said
    (out / "release" / VIDEO).unlink()
    assert check(out)[0] == 1


def test_what_cannot_be_checked_is_2(out: Path, tmp_path: Path) -> None:
    for typed in (
        ("attestation.dsse.json",),
        ("a", "b", "c", "d"),
        ("none.json", "signer.crt"),
        ("release", "signer.crt"),
    ):
        status, said = check(out, *typed)
        assert status == 2 and "cannot check" in said, typed
    (out / "bad.crt").write_bytes(b"no certificate")
    assert check(out, "attestation.dsse.json", "bad.crt")[0] == 2
    status, said = check(out, "attestation.dsse.json", "signer.crt", "signer.crt")
    assert status == 2 and "one key" in said


@pytest.mark.parametrize("missing", ["openssl", "jq"])
def test_without_its_tools_it_is_2(out: Path, tmp_path: Path, missing: str) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in (
        "openssl",
        "jq",
        "cat",
        "find",
        "sort",
        "comm",
        "cmp",
        "mktemp",
        "grep",
        "sed",
        "tr",
        "wc",
        "rm",
        "dirname",
    ):
        if name != missing and (found := shutil.which(name)):
            (tools / name).symlink_to(found)
    status, said = check(out, path=str(tools))
    assert status == 2 and f"{missing} is not installed" in said


def test_the_keyid_is_that_of_the_envelope(out: Path) -> None:
    assert key_id(signer().certificate) in check(out)[1]


# -- a status file, by hand -------------------------------------------------------------------------------------------


def by_hand(out: Path) -> str:
    """What the commands of VERIFY.txt print about the status file in OUT, both streams; run in a folder of its own."""
    text = (out / "release" / "VERIFY.txt").read_text(encoding="utf-8")
    [block] = [part for part in text.split("\n\n") if "status.dsse.json |" in part]
    typed = "\n".join(line.strip() for line in block.splitlines())
    hashed = re.search(r"`(jq [^`]*)`", text)
    assert hashed is not None
    done = subprocess.run(["sh", "-c", f"{typed}\n{hashed[1]}"], cwd=out, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_a_status_file_is_checked_by_hand_as_verify_txt_says(out: Path) -> None:
    digest = sha256_bytes((out / "evidence.json").read_bytes())
    withdraw(out / "certificate.pdf", signer(), "the consent", trust=trust_of([]), clock=lambda: ISSUED)
    said = by_hand(out)
    assert "Verified OK" in said and said.count(digest) == 2 and '"reason": "the consent"' in said
    table = json.loads((out / "status.dsse.json").read_bytes())
    changed = base64.b64decode(table["payload"]).replace(b"the consent", b"the weather")
    table["payload"] = base64.b64encode(changed).decode()
    (out / "status.dsse.json").write_bytes(rfc8785.dumps(table))
    assert "Verified OK" not in by_hand(out)
