"""The URI of a key on a token (RFC 7512): what is read from it, and each form that is refused."""

import pytest
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.certificate.signers import where_key_lies
from deid_audit.certificate.token_uri import TokenUri, parse_token_uri
from deid_audit.errors import SettingsError

MODULE = "module-path=/usr/lib/softhsm/libsofthsm2.so"


def test_a_uri_is_read_with_its_escapes() -> None:
    text = f"pkcs11:token=The%20hospital;serial=0a1b;object=Steward%3b1;id=%01%ff;type=private?{MODULE}"
    assert parse_token_uri(text) == TokenUri(
        module_path="/usr/lib/softhsm/libsofthsm2.so",
        token={"token": "The hospital", "serial": "0a1b"},
        label="Steward;1",
        object_id=b"\x01\xff",
    )


def test_everything_else_is_a_file() -> None:
    assert str(where_key_lies("keys/signer.p12")) == "keys/signer.p12"
    assert isinstance(where_key_lies(f"pkcs11:token=a;object=b?{MODULE}"), TokenUri)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"token=a;object=b?{MODULE}&pin-value=2718", "PIN does not belong"),
        (f"token=a;object=b?{MODULE}&pin-source=file:/pin", "PIN does not belong"),
        (f"token=a;object=b;pin-value=2718?{MODULE}", "PIN does not belong"),
        (f"pin-value=2718?{MODULE}", "PIN does not belong"),
        ("token=a", "lacks object="),  # what a shell leaves of it without quotes
        (f"token=a?{MODULE}", "lacks object="),
        (f"object=b?{MODULE}", "lacks token="),
        (f"token=;object=b?{MODULE}", "lacks token="),
        ("token=a;object=b", "lacks module-path="),
        (f"token=a;object=b?{MODULE}&module-name=softhsm2", "not used here: module-name"),
        (f"token=a;object=b;slot-id=1?{MODULE}", "not used here: slot-id"),
        (f"token=a;object=b;type=cert?{MODULE}", "something else"),
        (f"token=a;token=b;object=c?{MODULE}", "twice"),
        (f"token=a;object?{MODULE}", "without a value"),
        ("token=a;object=b?module-path=libsofthsm2.so", "absolute"),
        (f"token=%ff;object=b?{MODULE}", "no text as its token"),
    ],
)
def test_each_other_form_is_refused_for_its_own_reason(text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        parse_token_uri(f"pkcs11:{text}")
    assert caught.value.exit_code == 2 and caught.value.next_step
    assert "2718" not in f"{caught.value} {caught.value.next_step}"


@pytest.mark.parametrize(
    "command",
    [
        ("run", "--subject", "s.mp4", "--donor", "d.mp4", "--out", "out"),
        ("audit", "--original", "o.mp4", "--released", "r.mp4", "--out", "out"),
        ("conceal", "v.mp4", "--out", "out.mp4"),
        ("approve", "certificate.pdf", "--decision", "refuse"),
    ],
    ids=lambda command: command[0],
)
def test_every_command_with_a_signer_refuses_a_pin_in_it(command: tuple[str, ...]) -> None:
    done = CliRunner().invoke(build_app(), [*command, "--signer", f"pkcs11:token=a;object=b?{MODULE}&pin-value=2718"])
    assert done.exit_code == 2
    assert "--passphrase-file" in done.stderr and "2718" not in done.output
