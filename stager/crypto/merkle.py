"""The Merkle tree of RFC 9162 (6962): SHA-256, 0x00 before a leaf, 0x01 before a node.

A tree that only grows is kept as its peaks: the roots of the full subtrees that its size's binary
digits name, largest first. That is all that is needed to go on, and to give the root.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from msgspec import Struct

from stager.errors import IntegrityFailed

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
BEFORE_LEAF, BEFORE_NODE = b"\0", b"\1"
"""What stands before the data of a leaf, and before the hashes under a node, when they are hashed."""

_SIZE_BYTES = 8
_PAIR_BYTES = 2 * HASH_BYTES
_FEW_PAIRS = 256
"""Pairs that hashlib has done before columns are made of them."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf's data."""
    return sha256(BEFORE_LEAF + data).digest()


def leaf_hashes(data: Iterable[bytes]) -> bytes:
    """The hashes of the leaves' data, one after another; for long data, as for short see `sha256.digests`."""
    return b"".join([leaf_hash(each) for each in data])


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the node over two subtrees."""
    return sha256(BEFORE_NODE + left + right).digest()


def paired(nodes: bytes) -> bytes:
    """The level above `nodes` (concatenated hashes), pair by pair; a last one without a pair is left out."""
    whole = len(nodes) // _PAIR_BYTES * _PAIR_BYTES
    if whole > _FEW_PAIRS * _PAIR_BYTES:
        return _many_paired(nodes[:whole])
    pairs = (nodes[at : at + _PAIR_BYTES] for at in range(0, whole, _PAIR_BYTES))
    return b"".join([sha256(BEFORE_NODE + pair).digest() for pair in pairs])


def _many_paired(nodes: bytes) -> bytes:
    import numpy as np  # here: what seals a decision, or looks at a status, hashes a few and should not wait

    from stager.binary import column_of
    from stager.crypto.sha256 import digests

    pairs = np.frombuffer(nodes, dtype=np.uint8).reshape(-1, _PAIR_BYTES)
    messages = np.empty((len(pairs), len(BEFORE_NODE) + _PAIR_BYTES), dtype=np.uint8)
    messages[:, 0] = BEFORE_NODE[0]
    messages[:, 1:] = pairs
    return digests(column_of(messages, messages.shape[1]))


class Subtree(Struct, frozen=True):
    """A full subtree of 2**level leaves: its root."""

    level: int
    root: bytes


def subtrees(first: int, leaves: bytes) -> list[Subtree]:
    """The largest full subtrees over a stretch of a tree's leaves, from left to right.

    first: how many leaves stand before it. leaves: their hashes, one after another; ValueError where the
    bytes are not whole hashes. What is hashed here need not be hashed again: see `Tree.add`.
    """
    if len(leaves) % HASH_BYTES:
        raise ValueError(f"leaf hashes have {HASH_BYTES} bytes each; {len(leaves)} bytes were given")
    before: list[Subtree] = []
    after: list[Subtree] = []
    place, nodes, level = first, leaves, 0
    while nodes:
        if place & 1:  # the right half of a pair that begins before the stretch
            before.append(Subtree(level, nodes[:HASH_BYTES]))
            place, nodes = place + 1, nodes[HASH_BYTES:]
        if len(nodes) // HASH_BYTES & 1:  # the left half of a pair that ends behind it
            after.append(Subtree(level, nodes[-HASH_BYTES:]))
            nodes = nodes[:-HASH_BYTES]
        place, nodes, level = place >> 1, paired(nodes), level + 1
    return [*before, *reversed(after)]


class Tree:
    """A tree that leaves are added to, in memory that grows with the logarithm of its size."""

    def __init__(self) -> None:
        self._size = 0
        self._peaks: list[bytes] = []

    @property
    def size(self) -> int:
        """How many leaves it has."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """Add one leaf, by its hash."""
        self.add(Subtree(0, leaf))

    def extend(self, leaves: bytes) -> None:
        """Add leaves, by their hashes one after another; ValueError where the bytes are not whole hashes."""
        for subtree in subtrees(self._size, leaves):
            self.add(subtree)

    def add(self, subtree: Subtree) -> None:
        """Add the leaves of a full subtree; ValueError where none of its size can begin here."""
        if self._size % (1 << subtree.level):
            raise ValueError(f"no subtree of {1 << subtree.level} leaves begins behind {self._size} leaves")
        level, node = subtree.level, subtree.root
        while self._size >> level & 1:
            node = node_hash(self._peaks.pop(), node)
            level += 1
        self._peaks.append(node)
        self._size += 1 << subtree.level

    def root(self) -> bytes:
        """The root hash, 32 bytes."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root

    def to_bytes(self) -> bytes:
        """The state: the size as eight bytes, big-endian, then the peaks."""
        return self._size.to_bytes(_SIZE_BYTES, "big") + b"".join(self._peaks)

    @classmethod
    def from_bytes(cls, state: bytes) -> Tree:
        """The tree of a state that `to_bytes` gave; IntegrityFailed where it can be none."""
        tree = cls()
        tree._size = int.from_bytes(state[:_SIZE_BYTES], "big")
        peaks = state[_SIZE_BYTES:]
        if len(state) < _SIZE_BYTES or len(peaks) != HASH_BYTES * tree._size.bit_count():
            raise IntegrityFailed(
                "the Merkle tree's stored state is damaged", hint="stager verify names the first bad event"
            )
        tree._peaks = [peaks[i : i + HASH_BYTES] for i in range(0, len(peaks), HASH_BYTES)]
        return tree


def root(leaves: bytes) -> bytes:
    """The root of the tree over these leaf hashes, one after another."""
    tree = Tree()
    tree.extend(leaves)
    return tree.root()
