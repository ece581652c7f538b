"""The event log by hand: the leaves, roots and seals that a log must have, from its format alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from stager.crypto.signing import verify
from stager.event_log import Seal
from stager.staging import Staging

EVERY_EVENT = 'select seq, "at", actor, kind, version, sheet, source_id, row_no, finding_id, detail, leaf'

Event = tuple[Any, ...]
"""An event's columns in their order, without its leaf."""


def encoding(event: Event) -> bytes:
    """Every column as a netstring, a lone hyphen where it is NULL."""
    parts = [b"-" if value is None else _netstring(str(value).encode()) for value in event]
    return b"".join(parts)


def _netstring(text: bytes) -> bytes:
    return str(len(text)).encode() + b":" + text + b","


def leaf_of(event: Event) -> bytes:
    return hashlib.sha256(b"\0" + encoding(event)).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The definition of RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\1" + root_of(leaves[:split]) + root_of(leaves[split:])).digest()


def events_of(staging: Staging) -> list[tuple[Event, bytes]]:
    rows = staging._execute(f"{EVERY_EVENT} from event order by seq").fetchall()
    return [(row[:-1], row[-1]) for row in rows]


def seals_of(staging: Staging) -> list[Seal]:
    parts = 'seal_no, "at", first_seq, last_seq, size, root, previous, signature'
    return [Seal(*row) for row in staging._execute(f"select {parts} from seal order by seal_no").fetchall()]


def assert_sealed(staging: Staging, public_key: bytes) -> list[Seal]:
    """The seals cover the whole log, each from where the last one ended, chained, rooted and signed."""
    leaves = [leaf_of(event) for event, _ in events_of(staging)]
    assert leaves == [bytes(leaf) for _, leaf in events_of(staging)]
    previous, sealed = bytes(32), 0
    seals = seals_of(staging)
    for number, seal in enumerate(seals, 1):
        assert (seal.seal_no, seal.first_seq, seal.size) == (number, sealed + 1, seal.last_seq)
        assert seal.root == root_of(leaves[: seal.size])
        assert seal.previous == previous
        assert verify(public_key, seal.signature, seal.message())
        previous, sealed = seal.digest(), seal.last_seq
    assert sealed == len(leaves)
    return seals
