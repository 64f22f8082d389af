"""A verifier's trust file: read strictly, and what it says counts; each wrong file is refused with its own reason."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from deid_audit.certificate.trust import Trust, load_trust_file, same_person, trust_of
from deid_audit.digests import sha256_bytes
from deid_audit.errors import SettingsError
from tests.unit.certificates import chair, named_signer, signer

FINGERPRINT = "ab" * 32
GOOD = """schema = 1
[[anchor]]
file = "steward.crt"
[[anchor]]
file = "chair.crt"
[roles.steward]
required = 1
fingerprints = ["STEWARD"]
[roles.chair]
required = 1
subjects = ["CN=Ada Chair"]
"""


def write(folder: Path, text: str = GOOD) -> Path:
    """A trust file with its anchors beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "steward.crt").write_bytes(signer().certificate_pem)
    (folder / "chair.crt").write_bytes(chair().certificate.public_bytes(serialization.Encoding.DER))
    path = folder / "trust.toml"
    path.write_text(text.replace("STEWARD", signer().info.fingerprint_sha256), encoding="utf-8")
    return path


def test_a_trust_file_says_who_may_sign_in_which_role(tmp_path: Path) -> None:
    path = write(tmp_path)
    trust = load_trust_file(path)
    assert trust.anchors == (signer().certificate, chair().certificate)
    assert trust.sha256 == sha256_bytes(path.read_bytes())
    assert trust.fault_of("steward", signer().certificate) == ""
    assert trust.fault_of("chair", chair().certificate) == ""
    assert "does not list" in trust.fault_of("chair", signer().certificate)
    assert "does not list" in trust.fault_of("steward", chair().certificate)
    assert trust.demands_chair and not trust.without_demanding_chair().demands_chair
    assert "does not list" in trust.without_demanding_chair().fault_of("chair", signer().certificate)


def test_one_of_several_listed_may_sign_and_a_chair_may_be_optional(tmp_path: Path) -> None:
    listed = GOOD.replace('["CN=Ada Chair"]', '["CN=Other", "CN=Ada Chair"]')
    trust = load_trust_file(write(tmp_path / "a", listed))
    assert trust.fault_of("chair", chair().certificate) == ""
    optional = load_trust_file(write(tmp_path / "b", GOOD.replace("required = 1\nsubjects", "required = 0\nsubjects")))
    assert not optional.demands_chair and optional.fault_of("chair", chair().certificate) == ""
    alone = load_trust_file(write(tmp_path / "c", GOOD.partition("[roles.chair]")[0]))
    assert not alone.demands_chair
    assert "names nobody as chair" in alone.fault_of("chair", chair().certificate)


def test_without_a_file_whoever_is_vouched_for_may_sign() -> None:
    trust = trust_of([signer().certificate_pem])
    assert trust == Trust(anchors=(signer().certificate,))
    assert trust.fault_of("chair", chair().certificate) == ""
    assert trust.knowing(chair().certificate).anchors == (signer().certificate, chair().certificate)


def _replaced(old: str, new: str) -> Callable[[str], str]:
    assert old in GOOD
    return lambda text: text.replace(old, new)


WRONG: dict[str, tuple[Callable[[str], str], str]] = {
    "no schema": (_replaced("schema = 1\n", ""), "schema"),
    "another schema": (_replaced("schema = 1", "schema = 2"), "schema"),
    "schema as text": (_replaced("schema = 1", 'schema = "1"'), "schema"),
    "unknown key": (_replaced("schema = 1", "schema = 1\nowner = 'me'"), "owner"),
    "misspelt role": (_replaced("[roles.chair]", "[roles.chairman]"), "chairman"),
    "misspelt list": (_replaced("subjects", "subject"), "subject"),
    "no anchors": (lambda text: "schema = 1\n" + text[text.index("[roles.steward]") :], "anchor"),
    "no steward": (lambda text: text.replace("[roles.steward]", "[roles.other]"), "steward"),
    "anchor not there": (_replaced("chair.crt", "none.crt"), "anchor none.crt cannot be read"),
    "anchor is no certificate": (_replaced("chair.crt", "trust.toml"), "anchor trust.toml holds no certificate"),
    "two of a role": (_replaced("required = 1\nsubjects", "required = 2\nsubjects"), "one signature a role"),
    "negative": (_replaced("required = 1\nsubjects", "required = -1\nsubjects"), "required"),
    "a boolean": (_replaced("required = 1\nsubjects", "required = true\nsubjects"), "required"),
    "a steward may be absent": (_replaced("required = 1\nfingerprints", "required = 0\nfingerprints"), "must be 1"),
    "nobody listed": (_replaced('["CN=Ada Chair"]', "[]"), "nobody is listed"),
    "short fingerprint": (_replaced("STEWARD", "abcd"), "fingerprints"),
    "fingerprint in capitals": (_replaced("STEWARD", FINGERPRINT.upper()), "fingerprints"),
    "no name": (_replaced("CN=Ada Chair", "Ada Chair"), "is not a name"),
    "a name in another order of spaces": (_replaced("CN=Ada Chair", "CN = Ada Chair"), "is not a name"),
    "a key twice": (_replaced("schema = 1", "schema = 1\nschema = 1"), "given twice"),
    "no TOML": (lambda _: "schema = ", "not TOML"),
    "too deep": (lambda _: "x = " + "[" * 5000, "nested too deeply"),
    "empty": (lambda _: "", "anchor|schema"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_trust_file_is_refused_with_its_own_reason(tmp_path: Path, kind: str) -> None:
    change, words = WRONG[kind]
    with pytest.raises(SettingsError, match=words) as caught:
        load_trust_file(write(tmp_path, change(GOOD)))
    assert caught.value.exit_code == 2 and caught.value.next_step
    assert str(tmp_path) not in str(caught.value)


def test_a_trust_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="the trust file cannot be read"):
        load_trust_file(tmp_path / "none.toml")
    (tmp_path / "large.toml").write_bytes(bytes(2 << 20))
    with pytest.raises(SettingsError, match="too large"):
        load_trust_file(tmp_path / "large.toml")


def test_the_same_key_or_the_same_name_is_one_person() -> None:
    own = chair()
    assert same_person(own.certificate, own.certificate)
    assert same_person(own.certificate, named_signer("ADA CHAIR").certificate)
    assert same_person(own.certificate, named_signer("Somebody", own.private_key).certificate)  # type: ignore[arg-type]
    assert not same_person(own.certificate, named_signer("Somebody").certificate)
    assert not same_person(own.certificate, signer().certificate)


def test_the_documented_example_is_a_trust_file(tmp_path: Path) -> None:
    document = Path(__file__).resolve().parents[2] / "docs" / "trust.md"
    example = document.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    write(tmp_path)
    (tmp_path / "hospital-ca.crt").write_bytes(signer().certificate_pem)
    (tmp_path / "trust.toml").write_text(example, encoding="utf-8")
    assert load_trust_file(tmp_path / "trust.toml").demands_chair
