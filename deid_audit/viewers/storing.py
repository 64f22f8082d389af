"""The three files of a viewer test, read strictly and written whole, readable by their owner alone."""

import json
from pathlib import Path
from typing import TypeVar

import rfc8785
from pydantic import ValidationError

from deid_audit.digests import sha256_bytes
from deid_audit.errors import SettingsError
from deid_audit.files import read_at_most, replace_file
from deid_audit.records import Strict

Record = TypeVar("Record", bound=Strict)
_LARGEST_BYTES = 16 << 20


def load(path: Path, kind: type[Record], what: str) -> tuple[Record, str]:
    """The record in a file and the SHA-256 of its bytes; `what` names the file in the message.

    Raises:
        SettingsError: it cannot be read, or is no such file.
    """
    next_step = "give the file as `deid-audit viewer-test` wrote it"
    try:
        data = read_at_most(path, _LARGEST_BYTES)
    except OSError as error:
        why = error.strerror or "input/output error"
        raise SettingsError(f"{what} cannot be read: {why}", next_step=next_step) from None
    if data is None:
        raise SettingsError(f"{what} is larger than any that is written", next_step=next_step)
    try:
        return kind.model_validate_json(data, strict=True), sha256_bytes(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{what}: {where}: {first['msg']}".replace(": :", ":"), next_step=next_step) from None


def encoded(record: Strict) -> bytes:
    """The record as canonical JSON (RFC 8785), with a line's end."""
    return rfc8785.dumps(json.loads(record.model_dump_json())) + b"\n"


def save(path: Path, record: Strict, what: str) -> str:
    """Writes the file whole, mode 0600, or leaves what was there; returns the SHA-256 of its bytes.

    Raises:
        SettingsError: it cannot be written.
    """
    data = encoded(record)
    try:
        replace_file(path, data, mode=0o600)
    except OSError as error:
        why = error.strerror or "input/output error"
        raise SettingsError(
            f"{what} cannot be written: {why}", next_step="give a place in a folder that exists and has space"
        ) from None
    return sha256_bytes(data)
