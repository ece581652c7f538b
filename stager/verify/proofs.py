"""Proofs over the log: that an event is in it, that a seal continues an earlier one, what befell one person.

Each proof stands by itself beside a signed checkpoint; whoever has the public key checks it without
the staging file (docs/evidence.md says how).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import polars as pl
from msgspec import Struct

from stager.crypto.merkle_proofs import Prover, verify_consistency, verify_inclusion
from stager.crypto.signing import Signer
from stager.errors import UsageError
from stager.event_log import Seal, last_seal
from stager.staging import Staging
from stager.verify.notes import Checkpoint, NoteKey, origin, sign_note


class Inclusion(Struct, frozen=True):
    """That the event `seq` is the leaf at `index` of the tree of `size` events with `root`."""

    seq: int
    index: int
    size: int
    leaf: bytes
    path: tuple[bytes, ...]
    root: bytes

    def holds(self) -> bool:
        return verify_inclusion(self.leaf, self.index, self.size, self.path, self.root)

    def to_json(self) -> dict[str, Any]:
        """The proof, hashes in hex."""
        return {"index": self.index, "leaf": self.leaf.hex(), "path": [each.hex() for each in self.path]}


class Consistency(Struct, frozen=True):
    """That the log sealed by seal `first` is the beginning of the one sealed by seal `second`."""

    first: Seal
    second: Seal
    path: tuple[bytes, ...]

    def holds(self) -> bool:
        return verify_consistency(
            self.first.size, self.second.size, self.first.root, self.second.root, self.path
        )

    def to_json(self) -> dict[str, Any]:
        """The proof, hashes in hex."""
        sides = {
            name: {"seal": seal.seal_no, "size": seal.size, "root": seal.root.hex()}
            for name, seal in (("first", self.first), ("second", self.second))
        }
        return {**sides, "path": [each.hex() for each in self.path]}


class Evidence(Struct, frozen=True):
    """Everything that befell one person's rows, as a document for JSON; no value of theirs is in it."""

    rows: int
    events: int
    document: dict[str, Any]


class Proofs:
    """Makes proofs against the staging file's last seal. It reads the leaves once, when first asked."""

    def __init__(self, staging: Staging, signer: Signer) -> None:
        """UsageError where nothing is sealed yet."""
        seal = last_seal(staging)
        if seal is None:
            raise UsageError(
                "nothing is sealed yet, so there is nothing to prove", hint="stager ingest FILE…"
            )
        self._staging, self._signer, self.seal = staging, signer, seal

    @property
    def key(self) -> NoteKey:
        """The migration's public key under its log's name."""
        return NoteKey(origin(self._staging.migration_id), self._signer.public_key)

    def checkpoint(self) -> str:
        """The last seal's tree as a signed checkpoint."""
        name = self.key.name
        return sign_note(Checkpoint(name, self.seal.size, self.seal.root).text, name, self._signer)

    def inclusion(self, seq: int) -> Inclusion:
        """The proof for one event; UsageError where there is none of that number."""
        if not 1 <= seq <= self.seal.size:
            raise UsageError(f"there is no sealed event {seq}", hint=f"events are from 1 to {self.seal.size}")
        index = seq - 1
        leaf = self._leaves[index * 32 : seq * 32]
        path = tuple(self._prover.inclusion(index))
        return Inclusion(seq, index, self.seal.size, leaf, path, self.seal.root)

    def consistency(self, first: int, second: int) -> Consistency:
        """The proof that seal number `second` continues seal number `first`; UsageError where one is not."""
        seals = {row[0]: Seal(*row[:-1]) for row in self._staging.rows("seals_in_order")}
        if first not in seals or second not in seals or first > second:
            raise UsageError(
                f"there are no seals {first} and, after it, {second}",
                hint=f"seals are from 1 to {self.seal.seal_no}",
            )
        earlier, later = seals[first], seals[second]
        return Consistency(
            earlier, later, tuple(Prover(self._leaves[: 32 * later.size]).consistency(earlier.size))
        )

    def of_person(self, legacy_id: str) -> Evidence:
        """What befell the rows of one person of the practice: their own, and those linked to them.

        legacy_id: their LegacyPatientID. UsageError where no row is theirs.
        """
        rows = self._staging.frame("rows_of_person", legacy_id=legacy_id.strip())
        if rows.is_empty():
            raise UsageError(
                "no row has that LegacyPatientID", hint="stager rows --sheet patients shows them"
            )
        with self._staging.lent(persons_row=rows.select("source_id", "row_no")):
            events = self._staging.frame("events_of_rows")
        document = {
            "format": "stager/person/1",
            "legacy_id": legacy_id,
            "checkpoint": self.checkpoint(),
            "public_key": str(self.key),
            "rows": rows.to_dicts(),
            "events": [self._proved(event) for event in events.iter_rows(named=True)],
        }
        return Evidence(rows.height, events.height, document)

    def _proved(self, event: dict[str, Any]) -> dict[str, Any]:
        proof = self.inclusion(event["seq"]).to_json()
        return {**event, "index": proof["index"], "path": proof["path"]}

    @cached_property
    def _leaves(self) -> bytes:
        parts: list[bytes] = []
        for batch in self._staging.batches("leaves_after", after=0, batch_rows=500_000):
            parts += pl.Series(batch.column(0)).to_list()
        return b"".join(parts[: self.seal.size])

    @cached_property
    def _prover(self) -> Prover:
        return Prover(self._leaves)
