"""Tokens of SoftHSM for tests: made anew in a folder, with keys that are born there and never leave it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from cryptography.x509.oid import NameOID

from tests.unit.certificates import ISSUED

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
MODULE = next((one for one in MODULES if Path(one).is_file()), "")
PIN = b"2718 2818"
STARTS, ENDS = ISSUED - timedelta(days=30), ISSUED + timedelta(days=700)
needs_softhsm = pytest.mark.skipif(
    not MODULE or shutil.which("softhsm2-util") is None, reason="needs SoftHSM (apt-get install softhsm2)"
)


def uri(token: str, **of_object: str) -> str:
    named = "".join(f";{name}={value}" for name, value in of_object.items())
    return f"pkcs11:token={token}{named}?module-path={MODULE}"


def place_tokens(folder: Path) -> None:
    """From now on SoftHSM's tokens are those of `folder`."""
    import pkcs11  # noqa: PLC0415

    (folder / "tokens").mkdir(parents=True, exist_ok=True)
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    pkcs11.lib(MODULE).reinitialize()


def new_token(label: str) -> None:
    import pkcs11  # noqa: PLC0415

    typed = ["--init-token", "--free", "--label", label, "--so-pin", "31415926", "--pin", PIN.decode()]
    subprocess.run(["softhsm2-util", *typed], capture_output=True, check=True)
    pkcs11.lib(MODULE).reinitialize()


@contextmanager
def opened(label: str) -> Iterator[Any]:
    """A session that may write, as the token's own tools have it."""
    import pkcs11  # noqa: PLC0415

    token = pkcs11.lib(MODULE).get_token(token_label=label)
    with token.open(rw=True, user_pin=PIN.decode()) as session:
        yield session


def new_key(session: Any, kind: str, label: str, object_id: bytes, **attributes: Any) -> Any:
    """A key pair of the token; gives its public key."""
    from pkcs11 import Attribute, KeyType  # noqa: PLC0415
    from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters  # noqa: PLC0415
    from pkcs11.util.rsa import encode_rsa_public_key  # noqa: PLC0415

    more = {"store": True, "label": label, "id": object_id, **attributes}
    if kind.startswith("rsa"):
        public, _ = session.generate_keypair(KeyType.RSA, int(kind.removeprefix("rsa")), **more)
        from asn1crypto.keys import PublicKeyInfo, RSAPublicKey  # noqa: PLC0415

        numbers = RSAPublicKey.load(encode_rsa_public_key(public))
        return load_der_public_key(PublicKeyInfo.wrap(numbers, "rsa").dump())
    curve = {Attribute.EC_PARAMS: encode_named_curve_parameters(kind)}
    public, _ = session.create_domain_parameters(KeyType.EC, curve, local=True).generate_keypair(**more)
    return load_der_public_key(encode_ec_public_key(public))


def put_certificate(session: Any, certificate: x509.Certificate, label: str, object_id: bytes) -> None:
    from pkcs11 import Attribute, CertificateType, ObjectClass  # noqa: PLC0415

    session.create_object(
        {
            Attribute.CLASS: ObjectClass.CERTIFICATE,
            Attribute.CERTIFICATE_TYPE: CertificateType.X_509,
            Attribute.TOKEN: True,
            Attribute.LABEL: label,
            Attribute.ID: object_id,
            Attribute.SUBJECT: certificate.subject.public_bytes(),
            Attribute.VALUE: certificate.public_bytes(Encoding.DER),
        }
    )


class Authority:
    """An authority that certifies keys of tokens; its own key lies in memory."""

    def __init__(self, name: str, above: "Authority | None" = None) -> None:
        self.key, self.name = ec.generate_private_key(ec.SECP256R1()), _name(name)
        self.certificate = (above or self).issue(self.key.public_key(), name, authority=True)

    def issue(
        self,
        key: Any,
        name: str,
        *,
        authority: bool = False,
        start: datetime = STARTS,
        end: datetime = ENDS,
        commitment: bool = True,
    ) -> x509.Certificate:
        others = ("key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only")
        signs = {"key_cert_sign": authority, "crl_sign": authority, "digital_signature": not authority}
        usage = x509.KeyUsage(content_commitment=commitment and not authority, **signs, **dict.fromkeys(others, False))
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(self.key, hashes.SHA256())
        )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
