"""Written videos marked as changed by a machine: a C2PA manifest in the file, signed, with IPTC's word for what it is.

Comes right after the writer, before the file is decoded, measured, searched and hashed, so that all of it is about the
marked bytes. The manifest says what is in `Mark` and names nothing else: no original as an ingredient, no thumbnail, no
time, no case. The library is an extra (`pip install deid-audit[c2pa]`) and is loaded here only. Nothing is fetched.
"""

import importlib.metadata
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

import av
import numpy as np
from av.video.frame import VideoFrame

from deid_audit import __version__
from deid_audit.errors import SettingsError, SignatureError, VideoAccessError, VideoError
from deid_audit.files import sync

METHOD_TEXT = (
    "A C2PA manifest was embedded in each written video, before it was decoded again, measured, searched and hashed. "
    "It holds the kind of change in IPTC's words, the tool's name and version, and a signature; no original, thumbnail "
    "or time. It also holds random values: the same run again gives the same pictures in other bytes."
)
Algorithm = Literal["es256", "es384", "ps256"]
_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
SWAPPED, COVERED = f"{_SOURCE_TYPES}compositeSynthetic", f"{_SOURCE_TYPES}algorithmicallyEnhanced"
"""IPTC's digital source types: a composite of which a part, the face, is synthetic; and a film that an algorithm
altered without generating anything, the nearest there is to a covered face (docs/c2pa.md says why no other)."""
# The library offers to look things up, to embed a thumbnail, and to keep more than 512 MB in a temporary file, which
# would hold the pictures in plain outside OUT.partial.
_SETTINGS = {
    "core": {"backing_store_memory_threshold_in_mb": 1_000_000, "allowed_network_hosts": []},
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"verify_trust": False, "remote_manifest_fetch": False, "ocsp_fetch": False},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What signs a mark: the key in PKCS#8 and its certificates from its own upward, both PEM, and the algorithm."""

    algorithm: Algorithm
    chain_pem: bytes
    private_key_pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a mark says: IPTC's digital source type (its URI), words for people, and a title where there is one."""

    source_type: str
    words: str
    title: str = ""


def library_name() -> str:
    """The library and its version; SettingsError where the extra is not installed, or does not load."""
    try:
        import c2pa  # noqa: F401, PLC0415  (an extra)
    except ImportError:
        raise SettingsError(
            "--c2pa needs the library c2pa-python, which is not installed",
            next_step="pip install deid-audit[c2pa]",
        ) from None
    except (OSError, RuntimeError):  # the native part of it, by its own loader
        raise SettingsError(
            "--c2pa needs the library c2pa-python, which does not load on this machine",
            next_step="deid-audit doctor says why; or leave --c2pa out",
        ) from None
    return f"c2pa-python {importlib.metadata.version('c2pa-python')}"


def refuse_unusable(credential: Credential, mark: Mark) -> None:
    """Marks a film of one frame in memory: SignatureError, in the library's words, when it does not take the key."""
    marked = io.BytesIO()
    why = _marked(credential, mark, _film(), marked) or _refused(marked)
    if why:
        raise SignatureError(
            f"C2PA does not take the media key: {why}",
            next_step="make a key with: deid-audit keys new --role media --out DIR",
        )


def mark_video(path: Path, credential: Credential, mark: Mark, *, label: str) -> None:
    """Replaces a written MP4 by the same film with the mark in it; `label` names it in messages.

    The film is held in memory, about twice. A failure leaves nothing new behind.

    Raises:
        VideoError: the file could not be marked, or its mark does not hold when it is read again.
    """
    unfinished = path.with_name(f".{path.name}.marked")
    try:
        with path.open("rb") as source, unfinished.open("w+b") as target:
            why = _marked(credential, mark, source, target) or _refused(target)
        if why:
            raise VideoError(f"the mark (--c2pa) of {label} could not be written: {why}", next_step="run again")
        sync(unfinished)
        unfinished.replace(path)
    except OSError as error:
        raise VideoAccessError(
            f"the mark (--c2pa) of {label} could not be written: {error.strerror or 'input/output error'}",
            next_step="check the free space and the permissions of the output folder",
        ) from None
    finally:
        unfinished.unlink(missing_ok=True)


def _marked(credential: Credential, mark: Mark, source: BinaryIO, target: BinaryIO) -> str:
    """Writes the film with its mark to `target`; gives what the library says against it, empty when all went well."""
    import c2pa  # noqa: PLC0415

    info = c2pa.C2paSignerInfo(credential.algorithm, credential.chain_pem, credential.private_key_pem, None)
    try:
        with (
            c2pa.Context.from_dict(_SETTINGS) as context,
            c2pa.Signer.from_info(info) as signer,
            c2pa.Builder(json.dumps(_manifest(mark)), context=context) as builder,
        ):
            builder.sign(signer, "video/mp4", source, target)
    except c2pa.C2paError as error:
        return str(error)
    return ""


def _manifest(mark: Mark) -> dict[str, Any]:
    """One action, and the signer's own: what the library calls created assertions is what the signature vouches for."""
    action = {"action": "c2pa.created", "digitalSourceType": mark.source_type, "description": mark.words}
    manifest: dict[str, Any] = {
        "claim_generator_info": [{"name": "deid-audit", "version": __version__}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}, "created": True}],
    }
    return {**manifest, "title": mark.title} if mark.title else manifest


def _refused(stream: BinaryIO) -> str:
    """What the library says against a mark that it reads again, empty when it holds; whom to trust is not asked."""
    import c2pa  # noqa: PLC0415

    stream.seek(0)
    try:
        with c2pa.Context.from_dict(_SETTINGS) as context, c2pa.Reader("video/mp4", stream, context=context) as reader:
            state, results = reader.get_validation_state(), reader.get_validation_results() or {}
    except c2pa.C2paError as error:
        return str(error)
    if state == "Valid":
        return ""
    failures = results.get("activeManifest", {}).get("failure", [])
    return "; ".join(f"{one.get('code')}: {one.get('explanation')}" for one in failures) or f"it is {state}"


def _film() -> BinaryIO:
    """One grey frame as MP4."""
    made = io.BytesIO()
    with av.open(made, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        container.mux(stream.encode(VideoFrame.from_ndarray(np.full((32, 32, 3), 128, np.uint8))))
        container.mux(stream.encode(None))
    made.seek(0)
    return made
