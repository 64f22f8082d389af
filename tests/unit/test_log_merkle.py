"""The Merkle tree: values by hand, pymerkle as an outside implementation, proofs that fail when anything is changed."""

import hashlib
from collections.abc import Iterator

import pytest
from pymerkle import InmemoryTree, verify_consistency

from deid_audit.log.merkle import (
    EMPTY_ROOT,
    Tree,
    consistency_proof,
    consistent,
    included,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
)

DATA = [f"line {number}".encode() for number in range(70)]
LEAVES = [leaf_hash(data) for data in DATA]
OTHER = leaf_hash(b"another")


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_known_values_by_hand() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert root_of([]) == EMPTY_ROOT == sha256(b"")
    a, b, c = (sha256(b"\x00" + data) for data in DATA[:3])
    assert (
        leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )  # RFC 6962 vectors
    assert root_of(LEAVES[:1]) == a
    assert root_of(LEAVES[:2]) == sha256(b"\x01" + a + b)
    assert root_of(LEAVES[:3]) == sha256(b"\x01" + sha256(b"\x01" + a + b) + c)


def test_the_example_of_rfc_6962() -> None:
    """Section 2.1.3: seven leaves, the paths of four of them and three consistency proofs, drawn there."""
    a, b, c, d, e, f, j = LEAVES[:7]
    g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
    k = node_hash(g, h)
    ell = node_hash(i, j)
    leaves = LEAVES[:7]
    assert root_of(leaves) == node_hash(k, ell)
    assert inclusion_proof(leaves, 0) == [b, h, ell]
    assert inclusion_proof(leaves, 3) == [c, g, ell]
    assert inclusion_proof(leaves, 4) == [f, j, k]
    assert inclusion_proof(leaves, 6) == [i, k]
    assert consistency_proof(leaves, 3) == [c, d, g, ell]
    assert consistency_proof(leaves, 4) == [ell]
    assert consistency_proof(leaves, 6) == [i, j, k]


def test_an_outside_implementation_agrees() -> None:
    theirs = InmemoryTree(algorithm="sha256")
    ours = Tree()
    for size, data in enumerate(DATA, start=1):
        theirs.append_entry(data)
        ours.add(leaf_hash(data))
        assert ours.size == size
        assert ours.root() == root_of(LEAVES[:size]) == theirs.get_root(size), size
        for index in range(size):
            assert theirs.prove_inclusion(index + 1, size).path[1:] == inclusion_proof(LEAVES[:size], index), (
                size,
                index,
            )


def test_what_an_outside_implementation_had_before_is_shown_to_be_kept() -> None:
    """Its own proofs are cut otherwise than RFC 6962 says, so its roots are what is compared."""
    theirs = InmemoryTree(algorithm="sha256")
    for data in DATA:
        theirs.append_entry(data)
    roots = [theirs.get_root(size) for size in range(len(DATA) + 1)]
    for size in range(1, len(DATA) + 1):
        for old in range(1, size + 1):
            proof = consistency_proof(LEAVES[:size], old)
            assert consistent(old, roots[old], size, roots[size], proof), (old, size)
            verify_consistency(roots[old], roots[size], theirs.prove_consistency(old, size))


def test_every_leaf_is_shown_to_be_in_and_no_other() -> None:
    for size in range(1, 41):
        leaves, root = LEAVES[:size], root_of(LEAVES[:size])
        for index in range(size):
            proof = inclusion_proof(leaves, index)
            assert included(leaves[index], index, size, proof, root), (size, index)
            wrong = [
                included(OTHER, index, size, proof, root),
                included(leaves[index], index, size, proof, OTHER),
                included(leaves[index], index, size, [*proof, OTHER], root),
                *(included(leaves[index], other, size, proof, root) for other in range(-1, size + 1) if other != index),
                *(included(leaves[index], index, size, one, root) for one in spoilt(proof)),
            ]
            assert not any(wrong), (size, index)


def test_every_beginning_is_shown_to_be_kept_and_no_other() -> None:
    for size in range(1, 41):
        root = root_of(LEAVES[:size])
        for old in range(size + 1):
            old_root, proof = root_of(LEAVES[:old]), consistency_proof(LEAVES[:size], old)
            assert consistent(old, old_root, size, root, proof), (old, size)
            changed = root_of([OTHER, *LEAVES[1:old]]) if old else OTHER
            wrong = [
                consistent(old, changed, size, root, proof),
                consistent(old, old_root, size, OTHER, proof) if old else False,  # of nothing, nothing is said
                consistent(old, old_root, size, root, [*proof, OTHER]),
                *(consistent(old, old_root, size, root, one) for one in spoilt(proof)),
            ]
            assert not any(wrong), (old, size)
    assert not consistent(3, root_of(LEAVES[:3]), 2, root_of(LEAVES[:2]), [])
    assert not consistent(-1, EMPTY_ROOT, 2, root_of(LEAVES[:2]), [])
    assert not consistent(3, root_of(LEAVES[:3]), 5, root_of(LEAVES[:5]), [])


def test_a_proof_longer_than_its_tree_is_none_though_it_leads_to_the_root() -> None:
    leaf = LEAVES[0]
    assert not included(leaf, 0, 1, [OTHER], node_hash(OTHER, leaf))
    assert not included(leaf, 0, 2, [LEAVES[1], OTHER], node_hash(OTHER, node_hash(leaf, LEAVES[1])))
    proof, old, new = consistency_proof(LEAVES[:4], 3), root_of(LEAVES[:3]), root_of(LEAVES[:4])
    assert consistent(3, old, 4, new, proof)
    assert not consistent(3, node_hash(OTHER, old), 4, node_hash(OTHER, new), [*proof, OTHER])


def spoilt(proof: list[bytes]) -> Iterator[list[bytes]]:
    """A proof cut by one at either end, and with each hash exchanged."""
    if proof:
        yield proof[1:]
        yield proof[:-1]
    for at in range(len(proof)):
        yield [*proof[:at], OTHER, *proof[at + 1 :]]


def test_no_proof_beyond_the_end() -> None:
    for index in (-1, 3):
        with pytest.raises(IndexError):
            inclusion_proof(LEAVES[:3], index)
    for size in (-1, 4):
        with pytest.raises(IndexError):
            consistency_proof(LEAVES[:3], size)
