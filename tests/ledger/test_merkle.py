"""Merkle trees, against the vectors of RFC 6962's reference implementation and an independent library."""

from __future__ import annotations

import hashlib

import pytest

from specspan.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_from_inclusion,
    roots_from_consistency,
)

# https://github.com/google/certificate-transparency/blob/master/python/ct/crypto/merkle_test.py
INPUTS = [
    bytes.fromhex(each)
    for each in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(data) for data in INPUTS]
PATH_OF_FIRST = [
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
]


def test_roots_of_the_reference_implementation() -> None:
    """Roots are those of RFC 6962, however the leaves are added."""
    assert hashlib.sha256(b"").digest() == EMPTY_ROOT == Frontier().root
    for size, root in enumerate(ROOTS, start=1):
        assert Frontier().add(LEAVES[:size]).root.hex() == root
        for first in range(size):
            assert Frontier().add(LEAVES[:first]).add(LEAVES[first:size]).root.hex() == root


def test_inclusion_proof_of_the_reference_implementation() -> None:
    """A proof is the hashes beside the way up, from below."""
    assert [each.hex() for each in inclusion_proof(LEAVES, 0)] == PATH_OF_FIRST


@pytest.mark.parametrize("size", [*range(1, 34), 64, 100, 129])
def test_every_proof_leads_to_the_root_and_no_other_does(size: int) -> None:
    """Every leaf of a tree, and every older tree, is proved; a proof that is changed or longer leads elsewhere."""
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    root = Frontier().add(leaves).root
    for index in range(size):
        proof = inclusion_proof(leaves, index)
        assert root_from_inclusion(leaves[index], index, size, proof) == root
        assert root_from_inclusion(leaf_hash(b"other"), index, size, proof) != root
        with pytest.raises(ValueError, match="too long"):
            root_from_inclusion(leaves[index], index, size, [*proof, root])
        old = Frontier().add(leaves[: index + 1]).root
        proof = consistency_proof(leaves, index + 1)
        assert roots_from_consistency(index + 1, size, old, proof) == (old, root)
        with pytest.raises(ValueError, match="too long"):
            roots_from_consistency(index + 1, size, old, [*proof, root])
        if proof:
            with pytest.raises(ValueError, match="too short"):
                roots_from_consistency(index + 1, size, old, proof[:-1])


def test_what_is_in_no_tree_has_no_proof() -> None:
    """A leaf or a size beyond the tree is refused."""
    with pytest.raises(ValueError, match="no leaf 8 in a tree of 8"):
        inclusion_proof(LEAVES, 8)
    with pytest.raises(ValueError, match="no tree of 9 leaves in one of 8"):
        consistency_proof(LEAVES, 9)


def test_an_independent_library_agrees() -> None:
    """`pymerkle` computes the same roots for every size up to 512, and the same proofs."""
    pymerkle = pytest.importorskip("pymerkle", minversion="7.0")
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    leaves: list[bytes] = []
    frontier = Frontier()
    for size in range(1, 513):
        data = b"record %d" % size
        tree.append_entry(data)
        leaves.append(leaf_hash(data))
        frontier = frontier.add(leaves[-1:])
        assert frontier.root == tree.get_root()
        for index in {0, size // 3, size - 1}:
            path = tree.prove_inclusion(index + 1).path[1:]  # its first hash is that of the leaf
            assert inclusion_proof(leaves, index) == path
            assert root_from_inclusion(leaves[index], index, size, path) == frontier.root
