"""Merkle tree of RFC 6962: hashes of leaves and nodes, roots, proofs that an entry is in, that a log was only extended.

Pure functions over leaf hashes (32 bytes each), in the log's order. Nothing here knows what a line says. The checks are
the algorithms of RFC 9162, sections 2.1.3.2 and 2.1.4.2, which prescribes the same trees.
"""

import hashlib
from collections.abc import Iterable, Sequence

EMPTY_ROOT = hashlib.sha256().digest()
"""The root of a tree without leaves."""


def leaf_hash(data: bytes) -> bytes:
    """SHA-256 of 0x00 and the data: no leaf can be taken for a node."""
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of 0x01 and the two hashes below."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """A tree that grows leaf by leaf and keeps the roots of its full subtrees only: O(log n) memory."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self.size = 0
        self._full: list[bytes] = []
        for leaf in leaves:
            self.add(leaf)

    def add(self, leaf: bytes) -> None:
        """One more leaf hash at the end."""
        node, rest = leaf, self.size
        while rest & 1:
            node = node_hash(self._full.pop(), node)
            rest >>= 1
        self._full.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves so far (RFC 6962, 2.1)."""
        if not self._full:
            return EMPTY_ROOT
        node = self._full[-1]
        for left in reversed(self._full[:-1]):
            node = node_hash(left, node)
        return node


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over these leaf hashes."""
    return Tree(leaves).root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that lead from the leaf at `index` to the root (RFC 6962, 2.1.1); IndexError beyond the end."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"no leaf {index} of {len(leaves)}")
    start, end = 0, len(leaves)
    path = []
    while end - start > 1:
        split = _split(start, end)
        if index < split:
            path.append(root_of(leaves[split:end]))
            end = split
        else:
            path.append(root_of(leaves[start:split]))
            start = split
    return path[::-1]


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof leads from this leaf hash at `index` to the root of a tree of `size` leaves."""
    if not 0 <= index < size:
        return False
    here, last, node = index, size - 1, leaf
    for other in proof:
        if last == 0:
            return False
        if here & 1 or here == last:
            node = node_hash(other, node)
            here, last = _past_right_edge(here, last)
        else:
            node = node_hash(node, other)
        here, last = here >> 1, last >> 1
    return last == 0 and node == root


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """The hashes that show the first `old_size` leaves to be unchanged (RFC 6962, 2.1.2); of an empty tree: none.

    IndexError when there were never so many leaves.
    """
    if not 0 <= old_size <= len(leaves):
        raise IndexError(f"no {old_size} of {len(leaves)} leaves")
    if old_size == 0:
        return []
    start, end, whole = 0, len(leaves), True
    path = []
    while old_size != end:
        split = _split(start, end)
        if old_size <= split:
            path.append(root_of(leaves[split:end]))
            end = split
        else:
            path.append(root_of(leaves[start:split]))
            start, whole = split, False
    if not whole:  # else it is the old root itself, which the checker has
        path.append(root_of(leaves[start:end]))
    return path[::-1]


def consistent(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows the tree of `size` leaves to begin with the tree of `old_size`."""
    if not 0 <= old_size <= size:
        return False
    if old_size in (0, size):
        return not proof and old_root == (EMPTY_ROOT if old_size == 0 else root)
    # A full tree is a node of the later one, and is not sent again.
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not path:
        return False
    here, last = old_size - 1, size - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    old_node = node = path[0]
    for other in path[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            old_node, node = node_hash(other, old_node), node_hash(other, node)
            here, last = _past_right_edge(here, last)
        else:
            node = node_hash(node, other)
        here, last = here >> 1, last >> 1
    return last == 0 and old_node == old_root and node == root


def _split(start: int, end: int) -> int:
    """Where a tree parts: after the largest power of two that is smaller than its size."""
    return start + (1 << ((end - start - 1).bit_length() - 1))


def _past_right_edge(here: int, last: int) -> tuple[int, int]:
    """A node at the right edge without a sibling rises until it is a right child."""
    while here and not here & 1:
        here, last = here >> 1, last >> 1
    return here, last
