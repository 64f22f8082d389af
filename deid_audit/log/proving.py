"""Proof: one case's end is in the log, shown to somebody who is shown no other entry.

Checked offline, with nothing but the proof; what it is worth depends on where the reader has key and checkpoint from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from deid_audit.errors import LogError
from deid_audit.log.checkpoint import Checkpoint, VerifierKey, open_note
from deid_audit.log.entries import Entry, read_entry
from deid_audit.log.events import RunEnded, Sha256
from deid_audit.log.merkle import consistency_proof, consistent, included, inclusion_proof, leaf_hash, root_of
from deid_audit.log.storage import read_log
from deid_audit.records import Strict

SCHEMA: Literal["deid-audit/log-prove/v1"] = "deid-audit/log-prove/v1"
_VERIFY = "look with: deid-audit log verify"
_Hashes = Annotated[tuple[Sha256, ...], Field(max_length=64)]


class Extension(Strict):
    """That the log begins with the `size` entries of an older checkpoint."""

    size: Annotated[int, Field(ge=0)]
    hashes: _Hashes


class Proof(Strict):
    """That `line` is entry `index` of the log in `checkpoint`; `key` is the log's verifier key by its own account."""

    form: Literal["deid-audit/log-prove/v1"] = Field(alias="schema")
    line: str
    index: Annotated[int, Field(ge=0)]
    hashes: _Hashes
    since: Extension | None
    checkpoint: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofReport:
    """What a check of a proof found; what could not be read is None, and then a problem says so."""

    entry: Entry | None
    checkpoint: Checkpoint | None
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def prove(folder: Path, case_id: str, since: bytes | None = None) -> Proof:
    """The proof for the last `run_ended` of a case, and, with an older note, that the log was only added to since.

    Raises:
        LogError: no log, no such entry, an entry that no checkpoint covers yet, or a log that does not hold.
    """
    files = read_log(folder)
    if files.note is None or files.key_text is None:
        raise LogError("the log's checkpoint or its public key is gone", next_step=_VERIFY)
    key = VerifierKey.parse(files.key_text)
    known = open_note(files.note, key)
    leaves = [leaf_hash(line) for line in files.lines[: known.size]]
    if len(leaves) < known.size or root_of(leaves) != known.root:
        raise LogError("the log is not what its own checkpoint says: it was changed", next_step=_VERIFY)
    index = _end_of(files.lines, case_id)
    if index >= known.size:
        raise LogError("no checkpoint covers this entry yet", next_step="prove it after the next entry was logged")
    return Proof(
        schema=SCHEMA,
        line=files.lines[index].decode(),
        index=index,
        hashes=_hex(inclusion_proof(leaves, index)),
        since=None if since is None else _extension(open_note(since, key), leaves),
        checkpoint=files.note.decode(),
        key=key.text,
    )


def proof_document(proof: Proof) -> dict[str, object]:
    """The proof as the one JSON document that it is kept and handed on as."""
    return proof.model_dump(mode="json", by_alias=True)


def check_proof(data: bytes, *, key: VerifierKey | None = None, checkpoint: bytes | None = None) -> ProofReport:
    """Checks a proof's bytes offline, against a key and a checkpoint that the reader has from elsewhere, where given.

    Raises:
        LogError: this is no proof.
    """
    try:
        proof = Proof.model_validate_json(data, strict=True)
    except ValidationError:
        raise LogError(
            "this is no proof of a log entry", next_step="make one with: deid-audit log prove CASE_ID --out FILE"
        ) from None
    problems, entry, known = [], None, None
    try:
        entry = read_entry(proof.line.encode())
        if entry.seq != proof.index:
            problems.append("the entry's own number is not its place in the proof")
    except ValueError as error:
        problems.append(f"what is proven is not an entry: {error}")
    try:
        believed = key or VerifierKey.parse(proof.key)
        if proof.key != believed.text:
            problems.append("the proof names another key than the one given")
        known = open_note(proof.checkpoint.encode(), believed)
        if not included(leaf_hash(proof.line.encode()), proof.index, known.size, _bytes(proof.hashes), known.root):
            problems.append("the hashes do not lead from the entry to the checkpoint's root")
        if checkpoint is not None:
            problems += _against(open_note(checkpoint, believed), known, proof.since)
    except (LogError, UnicodeEncodeError) as error:
        problems.append(str(error))
    return ProofReport(
        entry=entry, checkpoint=known, problems=tuple(problems), notes=_notes(key is not None, checkpoint is not None)
    )


def _end_of(lines: Sequence[bytes], case_id: str) -> int:
    for index in range(len(lines) - 1, -1, -1):
        try:
            event = read_entry(lines[index]).event
        except ValueError:
            continue  # an unreadable line is for `log verify` to tell
        if isinstance(event, RunEnded) and event.case_id == case_id:
            return index
    raise LogError("the log has no finished run of this case", next_step="list them with: deid-audit log show")


def _extension(old: Checkpoint, leaves: Sequence[bytes]) -> Extension:
    if old.size > len(leaves) or root_of(leaves[: old.size]) != old.root:
        raise LogError("the log does not begin with what the older checkpoint says: it was changed", next_step=_VERIFY)
    return Extension(size=old.size, hashes=_hex(consistency_proof(leaves, old.size)))


def _against(kept: Checkpoint, known: Checkpoint, since: Extension | None) -> list[str]:
    """What speaks against the proof's checkpoint, seen from one that the reader kept."""
    if kept.size == known.size:
        return [] if kept.root == known.root else ["the checkpoint kept elsewhere is of this size, and of another root"]
    if kept.size > known.size:
        return ["the checkpoint kept elsewhere is newer than the proof's: ask for a proof from now"]
    if since is None or since.size != kept.size:
        return ["the proof does not reach back to the checkpoint kept elsewhere: ask for one made with it (--since)"]
    if not consistent(kept.size, kept.root, known.size, known.root, _bytes(since.hashes)):
        return ["the log does not begin with what the checkpoint kept elsewhere says: it was changed"]
    return []


def _notes(key_given: bool, checkpoint_given: bool) -> tuple[str, ...]:
    notes = []
    if not key_given:
        notes.append("the key came with the proof: it does not show whose log this is (--key, had by another way)")
    if not checkpoint_given:
        notes.append("without a checkpoint kept elsewhere (--checkpoint) it is not seen whether others have this log")
    return tuple(notes)


def _hex(hashes: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(one.hex() for one in hashes)


def _bytes(hashes: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(one) for one in hashes]
