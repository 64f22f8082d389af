"""A signer whose key lies on a token or in an HSM (PKCS#11) and never leaves it: it is asked for each signature.

A job takes minutes, and a session kept open so long runs out or is lost with the token. So each signature has its own
session, and only the PIN is kept, in memory, as long as a key read from a file would be. python-pkcs11, which the
extra `pkcs11` brings, is loaded when a token is named.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from deid_audit.certificate.key_files import refused_key, require_valid_now
from deid_audit.certificate.keys import USE, Signer, describe_certificate, require_signing_usage
from deid_audit.certificate.token_uri import TokenUri
from deid_audit.errors import SettingsError, SignatureError
from deid_audit.signing_keys import public_key_of

_ASK = b"deid-audit asks whether this key belongs to its certificate"
_GIVE_PIN = "give it with --passphrase-file, DEID_AUDIT_PASSPHRASE or at the prompt"
_LOOK = "compare the URI with what the token's own tools list (softhsm2-util --show-slots, p11tool, pkcs11-tool)"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKey:
    """A private key on a token; it can be asked for signatures."""

    uri: TokenUri
    pin: str = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """ECDSA (DER) or RSA PKCS #1 v1.5 over the SHA-256 of `message`; SignatureError where the token gives none."""
        with _session(self.uri, self.pin) as session:
            return _signature(_private_key(session, self.uri), message, self.pin)


def load_token_signer(uri: TokenUri, pin: bytes | None, now: datetime) -> Signer:
    """The signer on a token; the key is tried once, so that what cannot sign is refused before any work.

    The certificate is the one of the key's id, else of its label; those above it are taken along where the token has
    them.

    Raises:
        SettingsError: python-pkcs11 is not installed.
        SignatureError: module, token, key or certificate are not there or more than one, a wrong PIN, or a certificate
            that does not belong to the key, is not valid at `now`, or is not meant for signatures.
    """
    if not pin:
        raise SignatureError("the token with the signer's key needs its PIN", next_step=_GIVE_PIN)
    try:
        key = TokenKey(uri=uri, pin=pin.decode())
    except ValueError:
        raise SignatureError("the PIN is not text (UTF-8)", next_step=_GIVE_PIN) from None
    with _session(uri, key.pin) as session:
        certificate, others = _certificates(session, _private_key(session, uri))
    if public_key_of(certificate) is None:
        raise refused_key(_kind(certificate), USE)
    require_valid_now(certificate, now, USE)
    require_signing_usage(certificate)
    info = describe_certificate(certificate, verified_issuer=True)
    signer = Signer(info=info, certificate=certificate, chain=_chain(certificate, others), private_key=key)
    signer.sign(_ASK)
    return signer


@contextmanager
def _session(uri: TokenUri, pin: str) -> Iterator[Any]:
    """A session with the token, logged in; closed again, and whatever the module says put into words."""
    try:
        import pkcs11  # noqa: PLC0415  (optional)
    except ImportError:
        raise SettingsError(
            "a key on a token (pkcs11:) needs python-pkcs11, which is not installed",
            next_step="install deid-audit[pkcs11], that is, with its extra; deid-audit doctor prints the command",
        ) from None
    token = _token(uri)
    try:
        with token.open(user_pin=pin) as session:
            yield session
    except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange):
        raise SignatureError(
            "the token does not accept this PIN",
            next_step="look it up before the next try: after a few wrong PINs a token locks itself, some for good",
        ) from None
    except (pkcs11.PinLocked, pkcs11.PinExpired, pkcs11.UserPinNotInitialized) as error:
        raise SignatureError(
            f"the token's PIN is locked, has expired or was never set ({type(error).__name__})",
            next_step="ask whoever administers the token (its security officer) to unlock it",
        ) from None
    except pkcs11.PKCS11Error as error:
        raise _no_answer(error) from None


def _no_answer(error: Exception) -> SignatureError:
    """A module's exceptions say in their names what happened, and seldom anything else."""
    return SignatureError(
        f"the token with the signer's key gave no answer ({type(error).__name__})",
        next_step="check that it is plugged in and reachable, and run again: nothing was signed",
    )


def _token(uri: TokenUri) -> Any:
    import pkcs11  # noqa: PLC0415

    if not Path(uri.module_path).is_file():
        raise SignatureError(
            "the PKCS#11 module of --signer does not exist", next_step="correct module-path in the URI"
        )
    try:
        module = pkcs11.lib(uri.module_path)
    except (pkcs11.PKCS11Error, UnicodeError):
        raise SignatureError(
            "the PKCS#11 module of --signer cannot be loaded",
            next_step="name the token's own PKCS#11 library in module-path, built for this machine",
        ) from None
    names = {"token": "label", "serial": "serial", "manufacturer": "manufacturer_id", "model": "model"}
    try:
        tokens = [token for slot in module.get_slots(token_present=True) if (token := _token_in(slot)) is not None]
    except pkcs11.PKCS11Error as error:
        raise _no_answer(error) from None
    fitting = [one for one in tokens if all(_plain(getattr(one, names[k])) == v for k, v in uri.token.items())]
    return _only(fitting, "token", "name it by its serial=, too")


def _token_in(slot: Any) -> Any:
    """None for a card that the module does not know, or that has just gone: another reader may hold the one meant."""
    import pkcs11  # noqa: PLC0415

    try:
        return slot.get_token()
    except (pkcs11.TokenNotPresent, pkcs11.TokenNotRecognised):
        return None


def _plain(value: str | bytes) -> str:
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else value).rstrip()


def _private_key(session: Any, uri: TokenUri) -> Any:
    from pkcs11 import Attribute, ObjectClass  # noqa: PLC0415

    wanted: dict[Any, Any] = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.SIGN: True}
    if uri.label is not None:
        wanted[Attribute.LABEL] = uri.label
    if uri.object_id is not None:
        wanted[Attribute.ID] = uri.object_id
    return _only(list(session.get_objects(wanted)), "private key that may sign", "name it by its id=, too (id=%01)")


def _certificates(session: Any, key: Any) -> tuple[x509.Certificate, list[x509.Certificate]]:
    """The key's own certificate, and all the others on the token."""
    from pkcs11 import Attribute, ObjectClass  # noqa: PLC0415

    found = list(session.get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE}))
    key_id, label = _said(key, Attribute.ID), _said(key, Attribute.LABEL)
    same_id = [one for one in found if key_id and _said(one, Attribute.ID) == key_id]
    same_label = [one for one in found if label and _said(one, Attribute.LABEL) == label]
    own = _only(same_id or same_label, "certificate of the key", "keep the current one only on the token")
    certificate, *others = (_read(one[Attribute.VALUE]) for one in (own, *(one for one in found if one is not own)))
    if certificate is None:
        raise SignatureError("the certificate on the token cannot be read", next_step=_LOOK)
    return certificate, [one for one in others if one is not None]


def _read(der: bytes) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError:
        return None


def _said(thing: Any, attribute: Any) -> Any:
    """An attribute's value; None where the token has none of that name."""
    from pkcs11 import AttributeTypeInvalid  # noqa: PLC0415

    try:
        return thing[attribute]
    except AttributeTypeInvalid:
        return None


def _kind(certificate: x509.Certificate) -> str:
    try:
        return type(certificate.public_key()).__name__.removesuffix("PublicKey")
    except (ValueError, UnsupportedAlgorithm):
        return "unknown"


def _only(found: Sequence[Any], what: str, if_several: str) -> Any:
    if not found:
        raise SignatureError(f"there is no such {what} where --signer looks for it", next_step=_LOOK)
    if len(found) > 1:
        raise SignatureError(f"--signer fits more than one {what}", next_step=if_several)
    return found[0]


def _chain(certificate: x509.Certificate, others: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """From `others` those above the certificate, its own issuer first."""
    chain = [certificate]
    while above := next((one for one in others if one not in chain and _issued(chain[-1], one)), None):
        chain.append(above)
    return tuple(chain[1:])


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _signature(key: Any, message: bytes, pin: str) -> bytes:
    from pkcs11 import Attribute, KeyType, Mechanism  # noqa: PLC0415

    # Some keys (the signature key of an identity card) want the PIN again for each signature.
    again = {"pin": pin} if _said(key, Attribute.ALWAYS_AUTHENTICATE) else {}
    if key[Attribute.KEY_TYPE] == KeyType.RSA:
        return bytes(key.sign(message, mechanism=Mechanism.SHA256_RSA_PKCS, **again))
    # Not every token hashes for ECDSA; all of them sign a digest, as r and s one after the other.
    raw = bytes(key.sign(sha256(message).digest(), mechanism=Mechanism.ECDSA, **again))
    half = len(raw) // 2
    return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))
