"""Proofs over the Merkle tree: that a leaf is in it, and that an earlier tree is its beginning.

RFC 9162, 2.1.3 and 2.1.4. Verifying takes whatever it is given and answers False, never an error:
proofs come from outside.
"""

from __future__ import annotations

from collections.abc import Sequence

from stager.crypto.merkle import EMPTY_ROOT, HASH_BYTES, node_hash, paired


class Prover:
    """Makes proofs for one tree; it keeps every node, so that many proofs cost one hashing."""

    def __init__(self, leaves: bytes) -> None:
        """`leaves`: the leaf hashes one after another, 32 bytes each."""
        if len(leaves) % HASH_BYTES:
            raise ValueError(f"leaf hashes have {HASH_BYTES} bytes each; {len(leaves)} bytes were given")
        self.size = len(leaves) // HASH_BYTES
        self._levels = [leaves]
        while len(self._levels[-1]) > HASH_BYTES:
            below = self._levels[-1]
            # A node without a pair stands for itself one level up: RFC 9162's split, seen from below.
            alone = below[-HASH_BYTES:] if len(below) // HASH_BYTES & 1 else b""
            self._levels.append(paired(below) + alone)

    def inclusion(self, index: int) -> list[bytes]:
        """The audit path of the leaf at `index` (from 0), from the leaf upwards; IndexError outside."""
        if not 0 <= index < self.size:
            raise IndexError(f"the tree has {self.size} leaves; there is none at {index}")
        path = []
        for level, nodes in enumerate(self._levels[:-1]):
            sibling = (index >> level) ^ 1
            if sibling * HASH_BYTES < len(nodes):
                path.append(self._node(level, sibling))
        return path

    def consistency(self, first: int) -> list[bytes]:
        """The proof that the tree of the first `first` leaves is the beginning of this one.

        Empty for none and for all of the leaves; IndexError where there are not so many.
        """
        if not 0 <= first <= self.size:
            raise IndexError(f"the tree has {self.size} leaves, not {first}")
        if first in (0, self.size):
            return []
        begin, end, known = 0, self.size, True
        proof = []
        while first != end:
            middle = begin + _split(end - begin)
            if first <= middle:
                proof.append(self._over(middle, end))
                end = middle
            else:
                proof.append(self._over(begin, middle))
                begin, known = middle, False
        if not known:
            proof.append(self._over(begin, end))
        return proof[::-1]

    def _over(self, begin: int, end: int) -> bytes:
        level = (end - begin - 1).bit_length()
        return self._node(level, begin >> level)

    def _node(self, level: int, index: int) -> bytes:
        return self._levels[level][index * HASH_BYTES : (index + 1) * HASH_BYTES]


def inclusion_proof(leaves: bytes, index: int) -> list[bytes]:
    """The audit path of one leaf; for several leaves of a tree keep a `Prover`."""
    return Prover(leaves).inclusion(index)


def consistency_proof(leaves: bytes, first: int) -> list[bytes]:
    """The proof that the first `first` leaves' tree is the beginning of the tree of all of them."""
    return Prover(leaves).consistency(first)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the leaf with this hash stands at `index` in the tree of `size` leaves with this root."""
    if not 0 <= index < size or not _are_hashes([leaf, root, *proof]):
        return False
    at, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            computed = node_hash(sibling, computed)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and computed == root


def verify_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the tree of `first` leaves with its root is the beginning of that of `second` with its."""
    if not 0 <= first <= second or not _are_hashes([first_root, second_root, *proof]):
        return False
    if first == second:
        return not proof and first_root == second_root and (first > 0 or first_root == EMPTY_ROOT)
    if first == 0:
        return not proof and first_root == EMPTY_ROOT
    return _leads_to_both(first, second, first_root, second_root, proof)


def _leads_to_both(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> bool:
    # A full tree is itself the first node; it is known and so not part of the proof.
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        return False
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    computed_first = computed_second = path[0]
    for node in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            computed_first = node_hash(node, computed_first)
            computed_second = node_hash(node, computed_second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            computed_second = node_hash(computed_second, node)
        at, last = at >> 1, last >> 1
    return last == 0 and computed_first == first_root and computed_second == second_root


def _split(count: int) -> int:
    """The largest power of two smaller than `count`, which is at least 2."""
    return 1 << (count - 1).bit_length() - 1


def _are_hashes(candidates: Sequence[bytes]) -> bool:
    return all(len(each) == HASH_BYTES for each in candidates)
