"""The event log: appended to, sealed by each command, never altered.

Rows' events are written set-wise; a person's decision one by one. Every event carries the Merkle leaf over
all its columns; `seal` closes a command with a signed root over the whole log (RFC 9162, section 2.1) that
names the seal before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from stager.ahead import made_ahead
from stager.crypto.merkle import Subtree, Tree
from stager.crypto.signing import Signer
from stager.errors import IntegrityFailed
from stager.events import EVENT_KINDS
from stager.ready_events import ReadyEvents, Stamp, leaf_of
from stager.staging import ROW_GROUP, Staging

if TYPE_CHECKING:
    import polars as pl

STRETCH = ROW_GROUP
"""Events that are made ready, written or hashed at a time."""

Clock = Callable[[], int]
"""Gives microseconds since 1970-01-01 UTC."""


def system_clock() -> int:
    """The machine's clock."""
    return int(datetime.now(UTC).timestamp() * 1_000_000)


class Seal(Struct, frozen=True):
    """A signed head of the log. root, previous: SHA-256 digests; signature: Ed25519 over `message`."""

    seal_no: int
    at: int
    first_seq: int
    last_seq: int
    size: int
    root: bytes
    previous: bytes
    signature: bytes = b""

    def message(self) -> bytes:
        """What is signed: every part, each on a line of its own under a name of the format."""
        parts = (
            self.seal_no,
            self.at,
            self.first_seq,
            self.last_seq,
            self.size,
            self.root.hex(),
            self.previous.hex(),
        )
        return ("stager/seal/1\n" + "\n".join(str(part) for part in parts) + "\n").encode()

    def digest(self) -> bytes:
        """What the next seal names: SHA-256 over the message and the signature."""
        return hashlib.sha256(self.message() + self.signature).digest()


class EventLog:
    """Appends one command's events by one actor at one moment, and seals them."""

    def __init__(self, staging: Staging, actor: str, clock: Clock = system_clock) -> None:
        self._staging = staging
        self.stamp = Stamp(actor, clock())
        self.head: int = staging.one("event_head")
        self._hashed: dict[int, list[Subtree]] = {}  # by the first event's number

    @property
    def actor(self) -> str:
        """Who appends."""
        return self.stamp.actor

    @property
    def at(self) -> int:
        """When, in microseconds since 1970-01-01 UTC: one moment for the whole command."""
        return self.stamp.at

    def append(
        self,
        kind: str,
        detail: Mapping[str, Any] | None = None,
        *,
        sheet: str | None = None,
        source_id: int | None = None,
        row_no: int | None = None,
        finding_id: int | None = None,
        seq: int | None = None,
    ) -> int:
        """Append one event; its seq, which is the next one or that which was reserved for it."""
        number = self.reserve(1) if seq is None else seq
        event = {
            "seq": number,
            "at": self.at,
            "actor": self.actor,
            "kind": kind,
            "version": EVENT_KINDS[kind].version,
            "sheet": sheet,
            "source_id": source_id,
            "row_no": row_no,
            "finding_id": finding_id,
            "detail": compact(detail or {}),
        }
        self._staging.run("append_event", **event, leaf=leaf_of(event.values()))
        return number

    def append_rows(self, kind: str, table: str) -> int:
        """Append one event of a kind for each row of a table lent or temporary; how many.

        The table has sheet, source_id, row_no, finding_id (or NULL) and detail (JSON text) and is
        appended in the order of source_id, row_no, finding_id.
        """
        count: int = self._staging.one("count_rows_of", {"table": table})
        if not count:
            return 0
        before = self.head
        few = count <= STRETCH
        with nullcontext() if few else self._staging.one_processor():
            parts = self._ordered_rows(table, few=few)
            for ready in made_ahead(lambda part: self.stamp.ready(kind, *part), parts):
                self.append_ready(self.keep(ready))
        if self.head - before != count:
            raise self._incomplete()
        return count

    def _ordered_rows(self, table: str, *, few: bool) -> Iterator[tuple[pl.DataFrame, int]]:
        """The table's rows in their order, not too many at a time, with the first of their numbers."""
        places = {"table": table}
        for source, last_source, row, last_row in self._staging.rows(
            "stretches_of_rows", places, few=few, stretch=STRETCH
        ):
            among = {"source": source, "last_source": last_source, "row": row, "last_row": last_row}
            rows = self._staging.frame("ordered_rows", places, **among)
            yield rows, self.reserve(rows.height)

    def reserve(self, count: int) -> int:
        """Keep the next numbers for events that are made ready later; the first of them."""
        first = self.head + 1
        self.head += count
        return first

    def keep(self, ready: ReadyEvents) -> pl.DataFrame:
        """What was made ready under numbers reserved for it, as `append_ready` takes it; its tree is kept."""
        self._hashed[ready.first] = ready.subtrees
        return ready.frame()

    def append_ready(self, events: pl.DataFrame) -> None:
        """Append what `keep` gave."""
        if events.height:
            with self._staging.lent(ready_events=events):
                self._staging.run("append_ready")

    def seal(self, signer: Signer) -> Seal | None:
        """Seal what was appended since the last seal; None where nothing was.

        IntegrityFailed where the log does not hold each number once, from 1 to its head.
        """
        last = last_seal(self._staging)
        tree = Tree.from_bytes(self._staging.one("seal_tree", seal_no=last.seal_no)) if last else Tree()
        first_seq = tree.size + 1
        self._require_each_once(first_seq)
        if first_seq > self.head:
            return None
        self._extend(tree)
        unsigned = Seal(
            seal_no=last.seal_no + 1 if last else 1,
            at=self.at,
            first_seq=first_seq,
            last_seq=self.head,
            size=tree.size,
            root=tree.root(),
            previous=last.digest() if last else bytes(32),
        )
        seal = Seal(**{**_parts(unsigned), "signature": signer.sign(unsigned.message())})
        self._staging.run("append_seal", **_parts(seal), tree=tree.to_bytes())
        return seal

    def _require_each_once(self, first_seq: int) -> None:
        """What the file holds is counted: DuckDB 1.5.5 was seen to lose rows without a word."""
        if self._staging.one("count_rows_of", {"table": "event"}) != self.head:
            raise self._incomplete()
        for after in range(first_seq - 1, self.head, STRETCH):
            upto = min(after + STRETCH, self.head)
            if self._staging.one("count_seqs", after=after, upto=upto) != upto - after:
                raise self._incomplete()

    def _extend(self, tree: Tree) -> None:
        """Add the leaves of what was appended: most were hashed when they were made ready."""
        for first in sorted(self._hashed):
            self._extend_by_kept(tree, first - 1)
            for subtree in self._hashed[first]:
                tree.add(subtree)
        self._hashed.clear()
        self._extend_by_kept(tree, self.head)

    def _extend_by_kept(self, tree: Tree, last: int) -> None:
        if tree.size < last:
            kept = self._staging.rows("leaves_between", after=tree.size, last=last)
            tree.extend(b"".join(leaf for (leaf,) in kept))

    def _incomplete(self) -> IntegrityFailed:
        return IntegrityFailed(
            f"the log does not hold each of its events from 1 to {self.head} once",
            hint="nothing was changed; run the command again, and report this",
        )


def last_seal(staging: Staging) -> Seal | None:
    """The newest seal of the log, or None for a log without any."""
    found = staging.rows("last_seal")
    return Seal(*found[0]) if found else None


def compact(detail: Mapping[str, Any]) -> str:
    """A detail as JSON, keys sorted, no spaces, parts that are None left out."""
    kept = {key: value for key, value in detail.items() if value is not None}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _parts(seal: Seal) -> dict[str, Any]:
    return {name: getattr(seal, name) for name in Seal.__struct_fields__}
