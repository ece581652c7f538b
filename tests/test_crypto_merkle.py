"""The Merkle tree against the published vectors and the recursive definition of RFC 9162."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stager.crypto.merkle import (
    EMPTY_ROOT,
    Subtree,
    Tree,
    leaf_hash,
    leaf_hashes,
    node_hash,
    root,
    subtrees,
)
from stager.crypto.merkle_proofs import (
    Prover,
    consistency_proof,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
)
from stager.errors import IntegrityFailed

VECTORS = json.loads((Path(__file__).parent / "vectors" / "merkle_rfc6962.json").read_text())
HASHES = [leaf_hash(bytes.fromhex(leaf)) for leaf in VECTORS["leaves"]]
ROOTS = [bytes.fromhex(each) for each in VECTORS["roots"]]
MANY = [leaf_hash(number.to_bytes(4, "big")) for number in range(300)]


def first(size: int) -> bytes:
    """The concatenated hashes of the first `size` published leaves."""
    return b"".join(HASHES[:size])


def proof_of(vector: dict[str, list[str]]) -> list[bytes]:
    """A published proof."""
    return [bytes.fromhex(each) for each in vector["proof"]]


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, as it is written there."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha256(b"\1" + defined_root(leaves[:k]) + defined_root(leaves[k:])).digest()


def defined_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162, 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if index < k:
        return [*defined_path(index, leaves[:k]), defined_root(leaves[k:])]
    return [*defined_path(index - k, leaves[k:]), defined_root(leaves[:k])]


def defined_proof(m: int, leaves: list[bytes], *, known: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 9162, 2.1.4.1; PROOF is the one that begins with a known subtree."""
    if m == len(leaves):
        return [] if known else [defined_root(leaves)]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if m <= k:
        return [*defined_proof(m, leaves[:k], known=known), defined_root(leaves[k:])]
    return [*defined_proof(m - k, leaves[k:], known=False), defined_root(leaves[:k])]


@pytest.mark.parametrize("size", range(9))
def test_the_published_roots_come_out(size: int) -> None:
    """The trees over the first n published leaves have the published roots."""
    assert root(first(size)) == ROOTS[size]


@pytest.mark.parametrize("vector", VECTORS["inclusion"])
def test_the_published_audit_paths_are_made_and_hold(vector: dict[str, int]) -> None:
    """Each published audit path is the one made here, and verifies."""
    index, size, proof = vector["index"], vector["size"], proof_of(vector)  # type: ignore[arg-type]
    assert inclusion_proof(first(size), index) == proof
    assert verify_inclusion(HASHES[index], index, size, proof, ROOTS[size])


@pytest.mark.parametrize("vector", VECTORS["consistency"])
def test_the_published_consistency_proofs_are_made_and_hold(vector: dict[str, int]) -> None:
    """Each published consistency proof is the one made here, and verifies."""
    m, n, proof = vector["first"], vector["second"], proof_of(vector)  # type: ignore[arg-type]
    assert consistency_proof(first(n), m) == proof
    assert verify_consistency(m, n, ROOTS[m], ROOTS[n], proof)


def corrupted(proof: list[bytes], good_root: bytes) -> Iterator[list[bytes]]:
    """The ways in which the reference implementation's tests spoil a proof."""
    garbage = sha256(b"garbage").digest()
    for at, node in enumerate(proof):
        yield [*proof[:at], bytes([node[0] ^ 8]) + node[1:], *proof[at + 1 :]]
        yield [*proof[:at], garbage, *proof[at:]]
        yield [*proof[:at], *proof[at + 1 :]]
        yield [*proof[:at], node[:-1], *proof[at + 1 :]]
    yield [*proof, b""]
    yield [*proof, garbage]
    yield [*proof, good_root]
    yield [garbage, *proof]
    yield [good_root, *proof]
    if len(proof) > 1:
        yield proof[::-1]


@pytest.mark.parametrize("vector", VECTORS["inclusion"])
def test_a_spoilt_audit_path_does_not_hold(vector: dict[str, int]) -> None:
    """Another index, size, leaf, root or proof than the published one is refused."""
    index, size, proof = vector["index"], vector["size"], proof_of(vector)  # type: ignore[arg-type]
    leaf, good = HASHES[index], ROOTS[size]
    for bad in (index - 1, index + 1, index ^ 2, -1, size):
        assert not verify_inclusion(leaf, bad, size, proof, good)
    for bad in (0, size * 2, size // 2, -size):
        assert not verify_inclusion(leaf, index, bad, proof, good)
    assert not verify_inclusion(sha256(b"other").digest(), index, size, proof, good)
    assert not verify_inclusion(leaf, index, size, proof, EMPTY_ROOT)
    assert not verify_inclusion(leaf, index, size, proof, b"")
    for spoilt in corrupted(proof, good):
        assert not verify_inclusion(leaf, index, size, spoilt, good)


@pytest.mark.parametrize("vector", VECTORS["consistency"])
def test_a_spoilt_consistency_proof_does_not_hold(vector: dict[str, int]) -> None:
    """Other sizes, roots or another proof than the published one are refused."""
    m, n, proof = vector["first"], vector["second"], proof_of(vector)  # type: ignore[arg-type]
    garbage = sha256(b"garbage").digest()
    assert not verify_consistency(m, n, garbage, ROOTS[n], proof)
    assert not verify_consistency(m, n, ROOTS[m], garbage, proof)
    assert not verify_consistency(m, n, ROOTS[n], garbage, proof)
    if m != n:
        for bad_m, bad_n in ((m - 1, n), (m + 1, n), (m ^ 2, n), (m, n * 2), (m, n // 2), (n, m), (-m, n)):
            assert not verify_consistency(bad_m, bad_n, ROOTS[m], ROOTS[n], proof)
        assert not verify_consistency(m, n, ROOTS[n], ROOTS[m], proof)
        assert not verify_consistency(m, n, ROOTS[m], ROOTS[n], [])
    for spoilt in corrupted(proof, ROOTS[m]):
        assert not verify_consistency(m, n, ROOTS[m], ROOTS[n], spoilt)


def test_a_proof_for_a_larger_tree_does_not_hold_for_a_smaller_one() -> None:
    """Nodes beyond what the named sizes need are refused, where the hashes alone would come out right."""
    assert verify_consistency(7, 8, ROOTS[7], ROOTS[8], consistency_proof(first(8), 7))
    assert not verify_consistency(3, 4, ROOTS[7], ROOTS[8], consistency_proof(first(8), 7))
    assert verify_inclusion(HASHES[7], 7, 8, inclusion_proof(first(8), 7), ROOTS[8])
    assert not verify_inclusion(HASHES[7], 3, 4, inclusion_proof(first(8), 7), ROOTS[8])


def test_every_tree_begins_with_the_empty_one() -> None:
    """The empty tree is consistent with every tree by an empty proof, and only under its own root."""
    assert consistency_proof(first(8), 0) == []
    assert verify_consistency(0, 8, EMPTY_ROOT, ROOTS[8], [])
    assert verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    assert not verify_consistency(0, 8, ROOTS[1], ROOTS[8], [])
    assert not verify_consistency(0, 0, ROOTS[1], ROOTS[1], [])
    assert not verify_consistency(0, 8, EMPTY_ROOT, ROOTS[8], [ROOTS[8]])


def test_leaves_and_nodes_are_kept_apart() -> None:
    """A leaf that holds a node's bytes has another hash than the node: no tree passes for another."""
    left, right = HASHES[:2]
    assert leaf_hash(left + right) != node_hash(left, right)
    assert leaf_hashes([b"", b"\x00"]) == left + right


@pytest.mark.parametrize("size", [*range(1, 34), 63, 64, 65, 127, 128, 129])
def test_root_and_paths_are_those_of_the_definition(size: int) -> None:
    """For each size the root and every audit path equal the recursive definition, and hold."""
    leaves = MANY[:size]
    prover, whole = Prover(b"".join(leaves)), defined_root(leaves)
    assert root(b"".join(leaves)) == whole
    for index, leaf in enumerate(leaves):
        path = prover.inclusion(index)
        assert path == defined_path(index, leaves)
        assert verify_inclusion(leaf, index, size, path, whole)
        assert not verify_inclusion(MANY[size], index, size, path, whole)


@pytest.mark.parametrize("size", [*range(1, 34), 64, 65, 100])
def test_consistency_proofs_are_those_of_the_definition(size: int) -> None:
    """For each pair of sizes the proof equals the recursive definition, and holds."""
    prover, whole = Prover(b"".join(MANY[:size])), defined_root(MANY[:size])
    for m in range(1, size + 1):
        proof, beginning = prover.consistency(m), defined_root(MANY[:m])
        assert proof == defined_proof(m, MANY[:size])
        assert verify_consistency(m, size, beginning, whole, proof)
        assert m == size or not verify_consistency(m, size, whole, whole, proof)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 70), max_size=8))
def test_a_tree_does_not_depend_on_how_its_leaves_came(sizes: list[int]) -> None:
    """Leaves in any portions, the state stored in between, give the root of all of them at once."""
    leaves = [leaf_hash(number.to_bytes(4, "big")) for number in range(sum(sizes))]
    tree, at = Tree(), 0
    for size in sizes:
        tree.extend(b"".join(leaves[at : at + size]))
        at += size
        tree = Tree.from_bytes(tree.to_bytes())
        assert tree.size == at
        assert tree.root() == defined_root(leaves[:at])


def test_leaves_one_by_one_give_the_same_tree() -> None:
    """`append` and `extend` lead to the same state, to the byte."""
    single, bulk = Tree(), Tree()
    for leaf in MANY:
        single.append(leaf)
    bulk.extend(b"".join(MANY))
    assert single.to_bytes() == bulk.to_bytes()
    assert len(bulk.to_bytes()) == 8 + 32 * (300).bit_count()


@pytest.mark.parametrize("size", [511, 512, 513, 514, 1023, 1500])
def test_a_tree_of_many_leaves_is_that_of_the_definition(size: int) -> None:
    """Where pairs are many they are hashed by columns, and the root and a path stay those of RFC 9162."""
    leaves = [leaf_hash(number.to_bytes(4, "big")) for number in range(size)]
    assert root(b"".join(leaves)) == defined_root(leaves)
    assert inclusion_proof(b"".join(leaves), size - 1) == defined_path(size - 1, leaves)


def test_a_damaged_state_is_refused() -> None:
    """A state that is cut, or whose size and peaks disagree, is no tree."""
    tree = Tree()
    tree.extend(b"".join(MANY[:7]))
    state = tree.to_bytes()
    for bad in (b"", state[:7], state[:-1], state + b"\0", state[:8], (8).to_bytes(8, "big") + state[8:]):
        with pytest.raises(IntegrityFailed):
            Tree.from_bytes(bad)


def test_what_is_not_hashes_or_not_in_the_tree_is_refused() -> None:
    """Bytes that are not whole hashes, and leaves and sizes outside the tree, are errors."""
    with pytest.raises(ValueError, match="32 bytes"):
        Tree().extend(b"x")
    with pytest.raises(ValueError, match="32 bytes"):
        Prover(b"x" * 33)
    with pytest.raises(IndexError):
        inclusion_proof(b"", 0)
    with pytest.raises(IndexError):
        consistency_proof(MANY[0], 2)


@given(cuts=st.lists(st.integers(0, 70), max_size=6), size=st.integers(0, 70))
def test_a_tree_of_stretches_hashed_apart_is_the_tree(cuts: list[int], size: int) -> None:
    """Wherever a tree's leaves are cut, the subtrees of the stretches make the same tree."""
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    edges = sorted({0, size, *(cut for cut in cuts if cut < size)})
    apart = [subtrees(a, b"".join(leaves[a:b])) for a, b in pairwise(edges)]
    tree = Tree()
    for stretch in apart:
        for subtree in stretch:
            tree.add(subtree)
    assert (tree.size, tree.root()) == (size, defined_root(leaves))


def test_a_subtree_is_added_only_where_it_may_begin() -> None:
    """Four leaves cannot begin behind two: the tree would be another one."""
    tree = Tree()
    tree.extend(b"".join([leaf_hash(b"a"), leaf_hash(b"b")]))
    with pytest.raises(ValueError, match="begins"):
        tree.add(Subtree(2, leaf_hash(b"c")))
    assert tree.size == 2
