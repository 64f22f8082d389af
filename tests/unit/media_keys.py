"""A media key for tests, made once a session, and what C2PA's own reader finds in a marked video."""

import importlib.util
import json
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from deid_audit.certificate.media_keys import MediaSigner, load_media_signer, new_media_key

PASSPHRASE = b"another horse battery"


@cache
def media_signer() -> MediaSigner:
    with tempfile.TemporaryDirectory() as folder:
        return load_media_signer(make_media_key(Path(folder)), PASSPHRASE, datetime.now(UTC))


def make_media_key(folder: Path) -> Path:
    """Writes a media key of a hospital, valid from now: C2PA's library asks the machine's clock, not ours."""
    return new_media_key(
        folder, common_name="Media", organisation="The hospital", passphrase=PASSPHRASE, now=datetime.now(UTC)
    ).key_file


def marked_with(folder: Path) -> tuple[object, ...]:
    """The options that mark a video with a new media key; none where the extra [c2pa] is not installed."""
    if importlib.util.find_spec("c2pa") is None:
        return ()
    (folder / "passphrase").write_bytes(PASSPHRASE)
    return ("--c2pa", make_media_key(folder), "--c2pa-passphrase-file", folder / "passphrase")


def require_c2pa() -> None:
    """Skips the test, and says so, where the extra is not installed."""
    pytest.importorskip("c2pa", reason="the extra [c2pa] is not installed: pip install deid-audit[c2pa]")


def read_mark(path: Path, *, trusted: bytes | None = None) -> dict[str, Any]:
    """The manifest store and its validation, without a network."""
    import c2pa  # noqa: PLC0415

    asked: dict[str, Any] = {
        "verify": {"verify_trust": trusted is not None, "remote_manifest_fetch": False, "ocsp_fetch": False}
    }
    if trusted is not None:
        asked["trust"] = {"user_anchors": trusted.decode()}
    with c2pa.Context.from_dict(asked) as context, c2pa.Reader(str(path), context=context) as reader:
        store: dict[str, Any] = json.loads(reader.json())
    return store
