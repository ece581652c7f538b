"""The log: every event against its leaf, every seal against the leaves, its end against the kept head."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import polars as pl
from msgspec import Struct

from stager.ahead import ahead, made_ahead
from stager.binary import column_of
from stager.crypto import signing
from stager.crypto.heads import Head
from stager.crypto.merkle import HASH_BYTES, Tree
from stager.errors import Where
from stager.event_log import Seal
from stager.ready_events import leaves_of
from stager.staging import ROW_GROUP, Staging
from stager.verify.broken import broken

STRETCH = ROW_GROUP
"""Events that are held in memory at a time, while the next ones are read and hashed."""

Progress = Callable[[str, int, int | None], None]

_ZEROS = bytes(32)


class SealedLog(Struct, frozen=True):
    """The log, found in order. events: how many. head_kept: whether its end was known outside the file."""

    events: int
    seals: tuple[Seal, ...]
    head_kept: bool

    @property
    def roots(self) -> dict[int, bytes]:
        """The root of every sealed tree by its size."""
        return {seal.size: seal.root for seal in self.seals}


def verify_log(staging: Staging, public_key: bytes, head: Head | None, progress: Progress) -> SealedLog:
    """Raises IntegrityFailed, naming the first event or seal that is not as it was sealed.

    public_key: the migration's, as the staging key gives it. head: the seal kept outside the file.
    """
    last: int = staging.one("event_head")
    seals = _Seals(staging, public_key)
    for after, seqs, leaves in _stretches(staging, last):
        _require_dense(seqs, after, min(after + STRETCH, last))
        seals.take(leaves)
        progress("verifying events", after + len(seqs), last)
    _require_count(staging, last)
    checked = seals.ended(last)
    _require_opening(staging, public_key)
    _require_head(head, checked, public_key)
    return SealedLog(last, checked, head is not None)


def _stretches(staging: Staging, last: int) -> Iterator[tuple[int, np.ndarray, bytes]]:
    """The log by stretches: the number before each, its events' numbers, the leaves that they give."""

    def read() -> Iterator[tuple[int, pl.DataFrame]]:
        for after in range(0, last, STRETCH):
            yield after, staging.frame("events_in_order", after=after, upto=after + STRETCH)

    def hashed(given: tuple[int, pl.DataFrame]) -> tuple[int, pl.DataFrame, bytes]:
        after, events = given
        return after, events.select("seq", "leaf"), leaves_of(events.drop("leaf"))

    for after, events, leaves in made_ahead(hashed, ahead(read(), 2)):
        seqs = events["seq"].to_numpy()
        altered = seqs[column_of(leaves, HASH_BYTES).ne_missing(events["leaf"]).to_numpy()]
        if len(altered):
            _require_dense(seqs[seqs <= altered[0]], after, None)
            raise broken(f"event {altered[0]} was altered: its columns do not give its leaf")
        yield after, seqs, leaves


def _require_dense(seqs: np.ndarray, after: int, upto: int | None) -> None:
    wanted = np.arange(after + 1, after + 1 + len(seqs))
    wrong = np.flatnonzero(seqs != wanted)
    if len(wrong):
        at = int(wrong[0])
        expected, found = int(wanted[at]), int(seqs[at])
        twice = found < expected
        raise broken(
            f"event {found} is there twice" if twice else f"event {expected} is missing from the log"
        )
    if upto is not None and after + len(seqs) != upto:
        raise broken(f"event {after + len(seqs) + 1} is missing from the log")


def _require_count(staging: Staging, last: int) -> None:
    count = staging.one("count_events")
    if count != last:
        raise broken(f"the log holds {count} events, and its last is event {last}")


class _Seals:
    """The seals of a file, each checked as soon as the leaves that it covers have passed."""

    def __init__(self, staging: Staging, public_key: bytes) -> None:
        self._found = [(Seal(*row[:-1]), row[-1]) for row in staging.rows("seals_in_order")]
        self._key = public_key
        self._tree = Tree()
        self._done: list[Seal] = []

    def take(self, leaves: bytes) -> None:
        """The leaves that follow, one after another."""
        while leaves:
            due = self._next_size()
            count = len(leaves) // 32 if due is None else min(due - self._tree.size, len(leaves) // 32)
            self._tree.extend(leaves[: 32 * count])
            leaves = leaves[32 * count :]
            if self._tree.size == due:
                self._pass()

    def ended(self, last: int) -> tuple[Seal, ...]:
        """All of the seals; every event must be covered by now, and none beyond the last be claimed."""
        if len(self._done) < len(self._found):
            seal = self._found[len(self._done)][0]
            raise broken(
                f"seal {seal.seal_no} covers events up to {seal.last_seq}, and the log ends at {last}: "
                "its end was cut off"
            )
        sealed = self._done[-1].last_seq if self._done else 0
        if sealed < last:
            raise broken(f"event {sealed + 1} is in no seal: the last one ends at event {sealed}")
        return tuple(self._done)

    def _next_size(self) -> int | None:
        """The size of the tree at the next seal, whose form and signature are checked before its root."""
        if len(self._done) == len(self._found):
            return None
        seal, _ = self._found[len(self._done)]
        before = self._done[-1] if self._done else None
        _require_form(seal, before, len(self._done) + 1)
        if not signing.verify(self._key, seal.signature, seal.message()):
            raise broken(f"seal {seal.seal_no} is not signed by the migration's key")
        return seal.size

    def _pass(self) -> None:
        seal, state = self._found[len(self._done)]
        if self._tree.root() != seal.root:
            raise broken(
                f"seal {seal.seal_no} does not fit its events: one of {seal.first_seq} to {seal.last_seq} "
                "was altered together with its leaf, or the seal was"
            )
        if self._tree.to_bytes() != bytes(state):
            raise broken(f"seal {seal.seal_no} keeps a state of the tree that is not that of its events")
        self._done.append(seal)


def _require_form(seal: Seal, before: Seal | None, number: int) -> None:
    first = before.last_seq + 1 if before else 1
    if seal.seal_no != number:
        raise broken(f"seal {number} is missing: seal {seal.seal_no} follows seal {number - 1}")
    if (seal.first_seq, seal.size) != (first, seal.last_seq) or seal.last_seq < first:
        raise broken(
            f"seal {number} says that it covers events {seal.first_seq} to {seal.last_seq}; "
            f"it must begin at event {first}"
        )
    if seal.previous != (before.digest() if before else _ZEROS):
        raise broken(f"seal {number} does not follow seal {number - 1}: the chain of seals is broken")


def _require_opening(staging: Staging, public_key: bytes) -> None:
    """The file's own facts are those of its first event."""
    opened = staging.rows("details_of_kind", kind="migration.opened")
    if not opened and not staging.one("event_head"):
        return
    told = json.loads(opened[0][3]) if opened and opened[0][0] == 1 else {}
    if len(opened) != 1 or told.get("migration_id") != staging.fact("migration_id"):
        raise broken("event 1 does not open this migration: the file's migration id is another")
    if not told.get("public_key") == staging.fact("public_key") == public_key.hex():
        raise broken("the migration's public key is not the one that event 1 names")


def _require_head(head: Head | None, seals: Sequence[Seal], public_key: bytes) -> None:
    if head is None:
        return
    found = next((seal for seal in seals if seal.size == head.size), None)
    if found is None and (not seals or head.size > seals[-1].size):
        raise broken(
            f"the staging file is older than its last seal: {head.size} events were sealed, "
            f"{seals[-1].size if seals else 0} are here",
            hint="bring back the latest copy of the staging file",
        )
    if found is None or (found.root, found.digest(), public_key) != (head.root, head.seal, head.public_key):
        raise broken(
            f"the log is not the one whose seal over {head.size} events is kept beside the keys",
            where=Where(file="heads"),
            hint="another log was put in its place: bring back the staging file that was sealed",
        )
