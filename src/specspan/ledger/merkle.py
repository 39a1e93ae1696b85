"""Merkle trees of RFC 6962 (SHA-256), with the hashes of C2SP's tlog-tiles. Pure.

The root of the first n records stands for all of them: one record is shown to be among them by the hashes beside its
way to the root (inclusion), and an older root to be of the first of them by those that both share (consistency).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf (RFC 6962, 2.1)."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node above two others."""
    return sha256(b"\1" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """Roots of the largest complete subtrees of a tree, from the left: all that is needed to let the tree grow."""

    size: int = 0
    """Number of leaves."""
    hashes: tuple[bytes, ...] = ()
    """One for each bit that is set in `size`, the highest first."""

    def add(self, leaves: Iterable[bytes]) -> Frontier:
        """Return the frontier after the leaves with these hashes were added."""
        size, hashes = self.size, list(self.hashes)
        for leaf in leaves:
            size += 1
            below = size
            while not below & 1:
                leaf = node_hash(hashes.pop(), leaf)  # noqa: PLW2901 - the hash climbs
                below >>= 1
            hashes.append(leaf)
        return Frontier(size, tuple(hashes))

    @property
    def root(self) -> bytes:
        """Return the root of the whole tree."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the hashes beside the way from a leaf to the root, from below (RFC 6962, 2.1.1)."""
    if not 0 <= index < len(leaves):
        raise ValueError(f"no leaf {index} in a tree of {len(leaves)}")
    low, high = 0, len(leaves)
    proof: list[bytes] = []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            proof.append(_root(leaves, middle, high))
            high = middle
        else:
            proof.append(_root(leaves, low, middle))
            low = middle
    return proof[::-1]


def consistency_proof(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """Return the hashes that show the tree of the first ``size`` leaves to be part of the whole (RFC 6962, 2.1.2)."""
    if not 0 < size <= len(leaves):
        raise ValueError(f"no tree of {size} leaves in one of {len(leaves)}")
    low, high = 0, len(leaves)
    proof: list[bytes] = []
    while size != high:
        middle = low + _split(high - low)
        if size <= middle:
            proof.append(_root(leaves, middle, high))
            high = middle
        else:
            proof.append(_root(leaves, low, middle))
            low = middle
    if low:
        proof.append(_root(leaves, low, high))
    return proof[::-1]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Return the root that an inclusion proof leads to (RFC 9162, 2.1.3.2).

    Raises:
        ValueError: the proof is not as long as the way of a leaf with this index.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    root = leaf
    for is_left, sibling in _climb(index, size - 1, proof):
        root = node_hash(sibling, root) if is_left else node_hash(root, sibling)
    return root


def roots_from_consistency(size: int, whole: int, root: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the roots of both trees that a consistency proof leads to (RFC 9162, 2.1.4.2).

    Args:
        size: leaves of the older tree.
        whole: leaves of the newer tree.
        root: the root of the older tree, from which the proof sets out where that tree is complete.
        proof: as `consistency_proof` returns it.

    Raises:
        ValueError: the proof is not as long as it must be.
    """
    if not 0 < size <= whole:
        raise ValueError(f"no tree of {size} leaves in one of {whole}")
    path = [root, *proof] if size & (size - 1) == 0 or size == whole else list(proof)
    if not path:
        raise ValueError("the proof is too short")
    node, last = size - 1, whole - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    if size == whole:
        node = last = 0
    for is_left, sibling in _climb(node, last, path[1:]):
        old = node_hash(sibling, old) if is_left else old
        new = node_hash(sibling, new) if is_left else node_hash(new, sibling)
    return old, new


def _climb(node: int, last: int, proof: Sequence[bytes]) -> Iterator[tuple[bool, bytes]]:
    """Yield each hash of a proof, and whether it stands to the left of the way up."""
    for sibling in proof:
        if last == 0:
            raise ValueError("the proof is too long")
        is_left = bool(node & 1) or node == last
        yield is_left, sibling
        while is_left and node and not node & 1:
            node, last = node >> 1, last >> 1
        node, last = node >> 1, last >> 1
    if last:
        raise ValueError("the proof is too short")


def _split(size: int) -> int:
    """Return the largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def _root(leaves: Sequence[bytes], low: int, high: int) -> bytes:
    return Frontier().add(leaves[low:high]).root
