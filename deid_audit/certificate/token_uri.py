"""Which key on which token: the PKCS#11 URI of RFC 7512, as far as a signer needs it.

Reads words only; the token itself is the matter of `token_keys`. Other attributes than those here are refused, as the
RFC asks for, and so is a PIN: a command line is seen by every process of the machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from deid_audit.errors import SettingsError

SCHEME = "pkcs11:"
_OF_TOKEN = ("token", "serial", "manufacturer", "model")
_OF_OBJECT = ("object", "id")
_PATH = (*_OF_TOKEN, *_OF_OBJECT, "type")
_PIN = ("pin-value", "pin-source")
_EXAMPLE = "'pkcs11:token=LABEL;object=KEY?module-path=/usr/lib/softhsm/libsofthsm2.so'"
_NEXT = f"write --signer {_EXAMPLE}, in quotes: a shell ends the command at the semicolon"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUri:
    """A key on a token; `token` holds what is said of the token, by RFC 7512's names, at least one."""

    module_path: str
    token: Mapping[str, str]
    label: str | None
    object_id: bytes | None


def parse_token_uri(text: str) -> TokenUri:
    """The key that `pkcs11:...` names.

    Raises:
        SettingsError: an attribute that is not known, given twice or not allowed, or one that is missing.
    """
    path, _, query = text.removeprefix(SCHEME).partition("?")
    # Before anything else, so that no other message comes in the way of this one.
    asked = _attributes(query, "&")
    if any(name in asked for name in _PIN) or any(f"{name}=" in path for name in _PIN):
        raise SettingsError(
            "a PIN does not belong on the command line, where every process can read it",
            next_step="leave it out of --signer: it comes from --passphrase-file, DEID_AUDIT_PASSPHRASE or the prompt",
        )
    given = _attributes(path, ";")
    for name in (*(one for one in given if one not in _PATH), *(one for one in asked if one != "module-path")):
        raise SettingsError(f"the key's URI has an attribute that is not used here: {name}", next_step=_NEXT)
    if _text(given, "type") not in (None, "private"):
        raise SettingsError("the key's URI names something else than a private key", next_step=_NEXT)
    token = {name: value for name in _OF_TOKEN if (value := _text(given, name))}
    label, object_id = _text(given, "object"), given.get("id")
    module = _text(asked, "module-path")
    for missing, what in ((not token, "token="), (not (label or object_id), "object="), (not module, "module-path=")):
        if missing:
            raise SettingsError(f"the key's URI lacks {what}", next_step=_NEXT)
    assert module is not None
    if not module.startswith("/"):
        raise SettingsError("the key's URI must name its module by an absolute path", next_step=_NEXT)
    return TokenUri(module_path=module, token=token, label=label, object_id=object_id)


def _attributes(part: str, between: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for one in part.split(between) if part else ():
        name, is_there, value = one.partition("=")
        if not is_there or name in found:
            raise SettingsError("the key's URI has an attribute twice, or one without a value", next_step=_NEXT)
        found[name] = unquote_to_bytes(value)
    return found


def _text(attributes: Mapping[str, bytes], name: str) -> str | None:
    try:
        return attributes[name].decode() if name in attributes else None
    except ValueError:
        raise SettingsError(f"the key's URI has no text as its {name}", next_step=_NEXT) from None
