"""Proofs of one entry: they hold offline, show nothing else, and fail when anything of them is changed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deid_audit.errors import LogError
from deid_audit.log import Journal
from deid_audit.log.checkpoint import VerifierKey, signed_note
from deid_audit.log.events import RunEnded, RunStarted
from deid_audit.log.merkle import inclusion_proof, leaf_hash, node_hash, root_of
from deid_audit.log.proving import check_proof, proof_document, prove
from tests.unit.log_building import CERTIFICATE, ENDED, STARTED, STATEMENT, Clock, filled, lines_of, rewrite


def ended(number: int) -> RunEnded:
    return ENDED.model_copy(update={"case_id": f"case-{number}"})


def logged(folder: Path, cases: int) -> Journal:
    """So many cases, each with start and end."""
    journal = Journal(folder, clock=Clock())
    for number in range(cases):
        journal.append(RunStarted(case_id=f"case-{number}", kind="swap"))
        journal.append(ended(number))
    return journal


def as_bytes(document: Any) -> bytes:
    return json.dumps(document).encode()


def key_in(folder: Path) -> VerifierKey:
    return VerifierKey.parse((folder / "log.pub").read_text().strip())


def test_every_case_is_proven_to_who_has_the_key_and_an_older_checkpoint(tmp_path: Path) -> None:
    journal = logged(tmp_path, 4)
    kept = journal.checkpoint().encode()
    for number in range(4, 11):
        journal.append(ended(number))
    for number in range(11):
        data = as_bytes(proof_document(prove(tmp_path, f"case-{number}", kept)))
        report = check_proof(data, key=key_in(tmp_path), checkpoint=kept)
        assert (report.problems, report.notes) == ((), ())
        assert report.entry is not None and report.entry.event == ended(number)
        assert report.checkpoint is not None and report.checkpoint.size == 15


def test_a_proof_by_hand(tmp_path: Path) -> None:
    filled(tmp_path, (STARTED, ENDED, STARTED))
    proof = prove(tmp_path, "case-1")
    a, b, c = (leaf_hash(line) for line in lines_of(tmp_path))
    assert (proof.line.encode(), proof.index) == (lines_of(tmp_path)[1], 1)
    assert [bytes.fromhex(one) for one in proof.hashes] == [a, c]
    report = check_proof(as_bytes(proof_document(proof)))
    assert report.checkpoint is not None and report.checkpoint.root == node_hash(node_hash(a, b), c)


def test_no_other_entry_is_shown(tmp_path: Path) -> None:
    logged(tmp_path, 8)
    text = json.dumps(proof_document(prove(tmp_path, "case-3")))
    assert "case-3" in text
    assert not any(f"case-{number}" in text for number in range(8) if number != 3)


def test_the_last_end_of_a_case_is_proven(tmp_path: Path) -> None:
    filled(tmp_path, (ENDED, STARTED, ENDED, STARTED))
    assert prove(tmp_path, "case-1").index == 2


def test_what_a_proof_without_anything_from_elsewhere_does_not_show_is_said(tmp_path: Path) -> None:
    filled(tmp_path)
    data = as_bytes(proof_document(prove(tmp_path, "case-1")))
    alone, keyed = check_proof(data), check_proof(data, key=key_in(tmp_path))
    assert not alone.problems and "does not show whose log" in alone.notes[0] and len(alone.notes) == 2
    assert not keyed.problems and keyed.notes == alone.notes[1:]


def test_what_cannot_be_proven_is_refused(tmp_path: Path) -> None:
    journal = filled(tmp_path, (STARTED,))
    with pytest.raises(LogError, match="no finished run of this case"):
        prove(tmp_path, "case-1")
    before = (tmp_path / "checkpoint").read_bytes()
    journal.append(ENDED)
    (tmp_path / "checkpoint").write_bytes(before)
    with pytest.raises(LogError, match="no checkpoint covers"):
        prove(tmp_path, "case-1")
    journal.append(STARTED)
    kept = journal.checkpoint().encode()
    assert prove(tmp_path, "case-1", kept).index == 1
    with pytest.raises(LogError, match="another key"):
        prove(tmp_path, "case-1", filled(tmp_path / "other").checkpoint().encode())
    rewrite(tmp_path, lambda lines: [lines[0].replace(b"swap", b"audit"), *lines[1:]])
    with pytest.raises(LogError, match="it was changed"):
        prove(tmp_path, "case-1")
    (tmp_path / "checkpoint").unlink()
    with pytest.raises(LogError, match="is gone"):
        prove(tmp_path, "case-1")


def test_a_log_that_does_not_begin_with_the_older_checkpoint_proves_nothing(tmp_path: Path) -> None:
    earlier = filled(tmp_path)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    earlier.append(ENDED)
    kept = earlier.checkpoint().encode()
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(LogError, match="does not begin with"):
        prove(tmp_path, "case-1", kept)
    filled(tmp_path, (STARTED, STARTED))
    with pytest.raises(LogError, match="does not begin with"):
        prove(tmp_path, "case-1", kept)
    data = as_bytes(proof_document(prove(tmp_path, "case-1")))
    assert check_proof(data, checkpoint=kept).problems == (
        "the proof does not reach back to the checkpoint kept elsewhere: ask for one made with it (--since)",
    )


# -- each check can fail ----------------------------------------------------------------------------------------------

MINE = Ed25519PrivateKey.from_private_bytes(bytes(32))


def _line(document: Any) -> None:
    document["line"] = document["line"].replace("PASSED", "FAILED")


def _index(document: Any) -> None:
    document["index"] += 2


def _hash(document: Any) -> None:
    document["hashes"][0] = STATEMENT


def _no_hash(document: Any) -> None:
    document["hashes"].pop()


def _no_entry(document: Any) -> None:
    document["line"] = "{}"


def _since(document: Any) -> None:
    document["since"]["hashes"][0] = CERTIFICATE


def _no_since(document: Any) -> None:
    document["since"] = None


def _other_since(document: Any) -> None:
    document["since"]["size"] -= 1


def _note(document: Any) -> None:
    document["checkpoint"] = document["checkpoint"].replace("\n9\n", "\n8\n")


def _own_log(document: Any) -> None:
    """A log of the maker's own, with nothing but this entry."""
    leaves = [*[bytes(32)] * document["index"], leaf_hash(document["line"].encode())]
    document["hashes"] = [one.hex() for one in inclusion_proof(leaves, document["index"])]
    document["checkpoint"] = signed_note(len(leaves), root_of(leaves), MINE)
    document["key"] = VerifierKey.of(MINE).text


LEADS = "the hashes do not lead from the entry to the checkpoint's root"
OTHER_KEY = [
    "the proof names another key than the one given",
    "the checkpoint is of another log, or signed with another key",
]


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (_line, [LEADS]),
        (_index, ["the entry's own number is not its place in the proof", LEADS]),
        (_hash, [LEADS]),
        (_no_hash, [LEADS]),
        (_no_entry, ["what is proven is not an entry: seq: ", LEADS]),
        (_since, ["the log does not begin with what the checkpoint kept elsewhere says: it was changed"]),
        (_no_since, ["the proof does not reach back to the checkpoint kept elsewhere"]),
        (_other_since, ["the proof does not reach back to the checkpoint kept elsewhere"]),
        (_note, ["the checkpoint's signature does not hold"]),
        (_own_log, OTHER_KEY),
    ],
)
def test_each_check_can_fail(tmp_path: Path, change: Callable[[Any], None], problems: list[str]) -> None:
    journal = filled(tmp_path)
    kept = journal.checkpoint().encode()
    for event in (STARTED, STARTED, ENDED, STARTED):
        journal.append(event)
    document = proof_document(prove(tmp_path, "case-1", kept))
    assert check_proof(as_bytes(document), key=key_in(tmp_path), checkpoint=kept).problems == ()
    change(document)
    found = check_proof(as_bytes(document), key=key_in(tmp_path), checkpoint=kept).problems
    assert len(found) == len(problems)
    assert all(one.startswith(wanted) for one, wanted in zip(found, problems, strict=True)), found


def test_a_log_of_the_makers_own_passes_only_where_no_key_is_given(tmp_path: Path) -> None:
    filled(tmp_path)
    document = proof_document(prove(tmp_path, "case-1"))
    _own_log(document)
    alone = check_proof(as_bytes(document))
    assert alone.problems == () and "does not show whose log" in alone.notes[0]
    assert check_proof(as_bytes(document), key=key_in(tmp_path)).problems == tuple(OTHER_KEY)


def test_a_newer_checkpoint_or_another_root_is_told(tmp_path: Path) -> None:
    journal = filled(tmp_path)
    data = as_bytes(proof_document(prove(tmp_path, "case-1")))
    same = journal.checkpoint().encode()
    assert check_proof(data, checkpoint=same).problems == ()
    twin = filled(tmp_path / "twin", (STARTED,))
    for name in ("log.key", "log.pub"):
        (tmp_path / "twin" / name).write_bytes((tmp_path / name).read_bytes())
    for name in ("log.jsonl", "checkpoint"):
        (tmp_path / "twin" / name).unlink()
    for _ in range(5):
        twin.append(STARTED)
    [told] = check_proof(data, checkpoint=twin.checkpoint().encode()).problems  # one key, two logs
    assert "another root" in told
    journal.append(STARTED)
    [told] = check_proof(data, checkpoint=journal.checkpoint().encode()).problems
    assert "newer than the proof's" in told
    [told] = check_proof(data, checkpoint=b"nonsense").problems
    assert "no signed checkpoint" in told


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "deid-audit/log-prove/v2"},
        {"more": 1},
        {"index": -1},
        {"index": "1"},
        {"hashes": ["AB" * 32]},
        {"hashes": [STATEMENT] * 65},
        {"since": {"size": 1}},
        {"line": None},
    ],
    ids=str,
)
def test_another_form_is_no_proof(tmp_path: Path, change: dict[str, Any]) -> None:
    filled(tmp_path)
    document = proof_document(prove(tmp_path, "case-1"))
    with pytest.raises(LogError, match="no proof of a log entry"):
        check_proof(as_bytes(document | change))
    for key in document:
        with pytest.raises(LogError, match="no proof of a log entry"):
            check_proof(as_bytes({name: value for name, value in document.items() if name != key}))
    for data in (b"", b"\xff", b"[]", as_bytes(document) + b"{}"):
        with pytest.raises(LogError, match="no proof of a log entry"):
            check_proof(data)
