"""The event log: appended to, sealed by each command, never altered.

Rows' events are written set-wise by a query; a person's decision one by one. Every event carries the
Merkle leaf over all its columns; `seal` closes a command with a signed root over the whole log
(RFC 9162, section 2.1) that names the seal before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stager.crypto.merkle import Tree
from stager.crypto.signing import Signer
from stager.errors import IntegrityFailed
from stager.events import EVENT_KINDS
from stager.staging import Staging

Clock = Callable[[], int]
"""Gives microseconds since 1970-01-01 UTC."""


def system_clock() -> int:
    """The machine's clock."""
    return int(datetime.now(UTC).timestamp() * 1_000_000)


@dataclass(frozen=True, slots=True)
class Seal:
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
        self.actor = actor
        self.at = clock()
        self.head: int = staging.one("event_head")

    def append(
        self,
        kind: str,
        detail: Mapping[str, Any] | None = None,
        *,
        sheet: str | None = None,
        source_id: int | None = None,
        row_no: int | None = None,
        finding_id: int | None = None,
    ) -> int:
        """Append one event; its seq."""
        self.head += 1
        self._staging.run(
            "append_event",
            seq=self.head,
            at=self.at,
            actor=self.actor,
            kind=kind,
            version=EVENT_KINDS[kind].version,
            sheet=sheet,
            source_id=source_id,
            row_no=row_no,
            finding_id=finding_id,
            detail=compact(detail or {}),
        )
        return self.head

    def append_rows(self, kind: str, table: str) -> int:
        """Append one event of a kind for each row of a table lent or temporary; how many.

        The table has sheet, source_id, row_no, finding_id (or NULL) and detail (JSON text) and is
        appended in the order of source_id, row_no, finding_id.
        """
        before, count = self.head, self._staging.one("count_rows_of", {"table": table})
        if count == 0:
            return 0
        self._staging.run(
            "append_events",
            {"table": table},
            head=before,
            at=self.at,
            actor=self.actor,
            kind=kind,
            version=EVENT_KINDS[kind].version,
        )
        self.head = self._staging.one("event_head")
        if self.head != before + count or self._staging.one("count_rows_of", {"table": "event"}) != self.head:
            raise IntegrityFailed(
                f"{count} events of {kind} were to be appended, and the log holds {self.head - before} more",
                hint="nothing was changed; run the command again, and report this",
            )
        return int(count)

    def seal(self, signer: Signer) -> Seal | None:
        """Seal what was appended since the last seal; None where nothing was."""
        last = last_seal(self._staging)
        tree = Tree.from_bytes(self._staging.one("seal_tree", seal_no=last.seal_no)) if last else Tree()
        first_seq = last.last_seq + 1 if last else 1
        if first_seq > self.head:
            return None
        for batch in self._staging.batches("leaves_after", after=first_seq - 1, batch_rows=500_000):
            tree.extend(b"".join(batch.column(0).to_pylist()))
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


def last_seal(staging: Staging) -> Seal | None:
    """The newest seal of the log, or None for a log without any."""
    found = staging.rows("last_seal")
    return Seal(*found[0]) if found else None


def compact(detail: Mapping[str, Any]) -> str:
    """A detail as JSON, keys sorted, no spaces, parts that are None left out."""
    kept = {key: value for key, value in detail.items() if value is not None}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _parts(seal: Seal) -> dict[str, Any]:
    return {name: getattr(seal, name) for name in Seal.__dataclass_fields__}
