"""Keys on PKCS#11 tokens sign certificate and attestation without leaving SoftHSM; what cannot sign is refused."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.certificate.checking import check_certificate
from deid_audit.certificate.decisions import Decision
from deid_audit.certificate.keys import Signer
from deid_audit.certificate.signers import open_signer, where_key_lies
from deid_audit.certificate.signing import sign_pdf
from deid_audit.certificate.trust import trust_of
from deid_audit.errors import SettingsError, SignatureError
from deid_audit.findings import Outcome
from deid_audit.pipeline.issuing import issue
from deid_audit.pipeline.verify import verify
from deid_audit.signing_keys import fits, public_key_of
from tests.unit import soft_tokens
from tests.unit.certificates import ISSUED, certified_case, figures, lasting_trust, small_unsigned, stamped
from tests.unit.releases import write_bag
from tests.unit.soft_tokens import PIN, Authority, needs_softhsm, new_key, opened, put_certificate, uri
from tests.unit.test_approving import _lay_out as lay_out_to_approve

pytestmark = needs_softhsm
KINDS = {"P-256": b"\x01", "P-384": b"\x02", "RSA": b"\x03"}


@dataclass(frozen=True)
class Tokens:
    """A folder of tokens: `steward` has good keys, `odd` one of each that cannot sign."""

    folder: Path
    root: Authority
    middle: Authority


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tokens]:
    pytest.importorskip("pkcs11", reason="needs python-pkcs11, the extra pkcs11")
    folder = tmp_path_factory.mktemp("softhsm")
    before = os.environ.get("SOFTHSM2_CONF")
    soft_tokens.place_tokens(folder)
    root = Authority("Root")
    made = Tokens(folder=folder, root=root, middle=Authority("Middle", root))
    for label in ("steward", "odd", "twin", "twin"):
        soft_tokens.new_token(label)
    with opened("steward") as session:
        for (name, object_id), kind in zip(KINDS.items(), ("secp256r1", "secp384r1", "rsa2048"), strict=True):
            key = new_key(session, kind, name, object_id)
            put_certificate(session, made.middle.issue(key, f"Steward of {name}"), name, object_id)
        put_certificate(session, made.middle.certificate, "middle", b"\x71")
        put_certificate(session, root.certificate, "root", b"\x72")
        put_certificate(session, Authority("Stranger").certificate, "stranger", b"\x73")
    with opened("odd") as session:
        _odd_keys(session, root)
    yield made
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


def _odd_keys(session: object, root: Authority) -> None:
    def one(label: str, number: int, kind: str = "secp256r1", **issued: object) -> None:
        object_id = bytes([number])
        put_certificate(
            session, root.issue(new_key(session, kind, label, object_id), "Odd", **issued), label, object_id
        )

    one("expired", 1, end=ISSUED - timedelta(days=1))
    one("tomorrow", 2, start=ISSUED + timedelta(days=1))
    one("unmeant", 3, commitment=False)
    one("P-521", 4, "secp521r1")
    one("short", 5, "rsa1024")
    new_key(session, "secp256r1", "bare", b"\x06")
    foreign = new_key(session, "secp256r1", "other", b"\x07")
    new_key(session, "secp256r1", "foreign", b"\x08")
    put_certificate(session, root.issue(foreign, "Odd"), "foreign", b"\x08")
    one("double", 9)
    one("double", 10)
    one("renewed", 11)
    put_certificate(session, root.issue(foreign, "Odd"), "renewed", b"\x0b")


def _open(named: str, pin: bytes | None = PIN) -> Signer:
    return open_signer(where_key_lies(named), pin, ISSUED)


@pytest.mark.parametrize("name", KINDS)
def test_a_case_signed_on_a_token_verifies(tokens: Tokens, tmp_path: Path, name: str) -> None:
    steward = _open(uri("steward", object=name))
    assert steward.info.name == f"Steward of {name}" and steward.info.verified_issuer
    assert [one.subject for one in steward.chain] == [tokens.middle.name, tokens.root.name]
    outputs = write_bag(tmp_path / "release")
    case = certified_case(Outcome.PASSED).model_copy(update={"outputs": outputs, "signer": steward.info})
    issue(tmp_path, case, figures(), steward, issued_at=ISSUED)
    root = trust_of([tokens.root.certificate.public_bytes(soft_tokens.Encoding.PEM)])
    report = verify(tmp_path / "certificate.pdf", release=None, trust=root)
    assert (report.exit_code, {one.status for one in report.checks}) == (0, {"ok", "not_applicable"})
    assert {one.id: one.status for one in report.checks}["attestation.signed"] == "ok"


def test_a_signature_by_a_token_is_timestamped_as_every_other(tokens: Tokens) -> None:
    steward = stamped(_open(uri("steward", object="P-384")), ISSUED)
    trust = replace(lasting_trust(), anchors=(tokens.root.certificate,))
    check = check_certificate(sign_pdf(small_unsigned(), steward, signed_at=ISSUED), trust, now=ISSUED)
    assert check.holds and check.fact("signature.timestamp").holds


@pytest.mark.parametrize(
    "named",
    [
        uri("steward", id="%01"),
        uri("steward", object="P-256", id="%01", type="private"),
        uri("steward", object="%50-256", manufacturer="SoftHSM%20project", model="SoftHSM%20v2"),
    ],
)
def test_a_key_is_found_by_each_of_its_names(tokens: Tokens, named: str) -> None:
    signer = _open(named)
    assert signer.info.name == "Steward of P-256"
    public_key = public_key_of(signer.certificate)
    assert public_key is not None and fits(signer.sign(b"anything"), b"anything", public_key)


def test_neither_pin_nor_key_can_be_seen_in_a_signers_repr(tokens: Tokens) -> None:
    signer = _open(uri("steward", object="RSA"))
    assert PIN.decode() not in repr(signer) and PIN.decode() not in repr(signer.private_key)


REFUSED = {
    "wrong PIN": (uri("steward", object="RSA"), b"0000", "does not accept this PIN", "locks itself"),
    "PIN that is no text": (uri("steward", object="RSA"), b"\xff", "not text", "--passphrase-file"),
    "no PIN": (uri("steward", object="RSA"), None, "needs its PIN", "--passphrase-file"),
    "no such token": (uri("stewart", object="RSA"), PIN, "no such token", "URI"),
    "two tokens": (uri("twin", object="RSA"), PIN, "more than one token", "serial="),
    "no such serial": (uri("steward;serial=00", object="RSA"), PIN, "no such token", "URI"),
    "no such key": (uri("steward", object="rsa"), PIN, "no such private key", "URI"),
    "another id": (uri("steward", object="RSA", id="%01"), PIN, "no such private key", "URI"),
    "two keys": (uri("odd", object="double"), PIN, "more than one private key", "id="),
    "no certificate": (uri("odd", object="bare"), PIN, "no such certificate", "URI"),
    "two certificates": (uri("odd", object="renewed"), PIN, "more than one certificate", "current one"),
    "foreign certificate": (uri("odd", object="foreign"), PIN, "does not belong", "its own certificate"),
    "expired": (uri("odd", object="expired"), PIN, "expired", "keys new"),
    "not yet valid": (uri("odd", object="tomorrow"), PIN, "not valid before", "clock"),
    "wrong usage": (uri("odd", object="unmeant"), PIN, "not meant for signatures", "nonRepudiation"),
    "P-521": (uri("odd", object="P-521"), PIN, "type .* is refused", "P-256"),
    "weak RSA": (uri("odd", object="short"), PIN, "type .* is refused", "2048"),
    "no module": (f"{uri('steward', object='RSA')}x", PIN, "does not exist", "module-path"),
    "another library": ("pkcs11:token=a;object=b?module-path=/bin/sh", PIN, "cannot be loaded", "module-path"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_sign_is_refused_before_any_work(tokens: Tokens, kind: str) -> None:
    named, pin, words, next_step = REFUSED[kind]
    with pytest.raises(SignatureError, match=words) as caught:
        _open(named, pin)
    assert caught.value.exit_code == 1 and next_step in caught.value.next_step
    said = f"{caught.value} {caught.value.next_step}"
    assert PIN.decode() not in said and "libsofthsm2.so " not in said


def test_two_keys_of_one_label_are_told_apart_by_their_id(tokens: Tokens) -> None:
    first, second = (_open(uri("odd", object="double", id=one)) for one in ("%09", "%0A"))
    assert first.certificate != second.certificate


def test_a_card_of_another_kind_in_another_reader_is_passed_over(
    tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pkcs11  # noqa: PLC0415  (optional)

    class Reader:
        def get_token(self) -> object:
            raise pkcs11.TokenNotRecognised

    class Module:
        def get_slots(self, *, token_present: bool) -> list[object]:
            return [Reader(), *real.get_slots(token_present=token_present)]

    real = pkcs11.lib(soft_tokens.MODULE)
    monkeypatch.setattr(pkcs11, "lib", lambda _: Module())
    assert _open(uri("steward", object="P-256")).info.name == "Steward of P-256"


def test_a_token_pulled_before_the_signature_is_an_error_and_put_back_it_signs(tokens: Tokens, tmp_path: Path) -> None:
    signer = _open(uri("steward", object="P-256"))
    (tokens.folder / "tokens").rename(tokens.folder / "pulled")
    try:
        with pytest.raises(SignatureError, match=r"no answer|no such token") as caught:
            sign_pdf(small_unsigned(), signer, signed_at=ISSUED)
        assert caught.value.next_step
        soft_tokens.place_tokens(tmp_path)
        with pytest.raises(SignatureError, match="no such token"):
            sign_pdf(small_unsigned(), signer, signed_at=ISSUED)
    finally:
        (tokens.folder / "pulled").rename(tokens.folder / "tokens")
        soft_tokens.place_tokens(tokens.folder)
    assert sign_pdf(small_unsigned(), signer, signed_at=ISSUED).startswith(small_unsigned()[:100])


def test_a_key_that_is_gone_by_then_leaves_nothing_half_written(tokens: Tokens, tmp_path: Path) -> None:
    with opened("odd") as session:
        key = new_key(session, "secp256r1", "brief", b"\x20")
        put_certificate(session, tokens.root.issue(key, "Brief"), "brief", b"\x20")
    signer = _open(uri("odd", object="brief"))
    from pkcs11 import Attribute  # noqa: PLC0415  (optional)

    with opened("odd") as session:
        for one in session.get_objects({Attribute.LABEL: "brief"}):
            one.destroy()
    outputs = write_bag(tmp_path / "release")
    case = certified_case(Outcome.PASSED).model_copy(update={"outputs": outputs, "signer": signer.info})
    with pytest.raises(SignatureError, match="no such private key"):
        issue(tmp_path, case, figures(), signer, issued_at=ISSUED)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["release"]


def test_without_the_extra_the_extra_is_named(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(SettingsError, match="python-pkcs11") as caught:
        _open(uri("steward", object="RSA"))
    assert "deid-audit[pkcs11]" in caught.value.next_step


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def approve(tokens: Tokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """`approve` by the chair's key on a token, with this PIN in the environment."""
    certificate = lay_out_to_approve(tmp_path)
    label = f"chair-{len(list((tokens.folder / 'tokens').iterdir()))}"
    soft_tokens.new_token(label)
    with opened(label) as session:
        key = new_key(session, "secp256r1", "chair", b"\x01")
        now = datetime.now(UTC)
        chair = tokens.root.issue(key, "Ada Chair", start=now - timedelta(days=1), end=now + timedelta(days=1))
        put_certificate(session, chair, "chair", b"\x01")

    def typed(pin: str) -> object:
        monkeypatch.setenv("DEID_AUDIT_PASSPHRASE", pin)
        monkeypatch.setenv("DEID_AUDIT_LOG", str(tmp_path / "no log"))
        trust = ["--trust", str(tmp_path / "signer.crt"), "--decision", "approve"]
        return CliRunner().invoke(
            build_app(), ["approve", str(certificate), "--signer", uri(label, object="chair"), *trust]
        )

    return typed


def test_the_chair_approves_with_a_token(tokens: Tokens, tmp_path: Path, approve: Callable[[str], object]) -> None:
    before = (tmp_path / "certificate.pdf").read_bytes()
    done = approve("0000")
    assert done.exit_code == 1 and "does not accept this PIN" in done.stderr and "locks itself" in done.stderr
    assert (tmp_path / "certificate.pdf").read_bytes() == before
    done = approve(PIN.decode())
    assert done.exit_code == 0, done.output
    assert PIN.decode() not in done.output
    trust = trust_of(
        [(tmp_path / "signer.crt").read_bytes(), tokens.root.certificate.public_bytes(soft_tokens.Encoding.PEM)]
    )
    report = verify(tmp_path / "certificate.pdf", release=None, trust=trust)
    assert (report.exit_code, report.decision) == (0, Decision(approves=True))
    assert [one.info.name for one in report.signers][1] == "Ada Chair"
