"""The ledger: what of a migration is in the tenant's database, kept there by the chunk's own transaction.

After a crash on either side it alone says which chunks were committed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

import psycopg
from msgspec import Struct
from psycopg.types.json import Jsonb

from stager.errors import IntegrityFailed, StagerError
from stager.tenant.postgres import Connection, guarded
from stager.tenant.statements import statement


class LedgerEntry(Struct, frozen=True, kw_only=True):
    """One committed chunk.

    first_event, last_event: the approval events that it carried out, by seq.
    rows: how many were written. digest: SHA-256 of what was to be written.
    refused: the rows that the database refused, by address, SQLSTATE and constraint; no values.
    seal_size, seal_root: size and root of the event tree at the last seal before the chunk.
    written_at: the transaction's time by the tenant's clock; None before it is written.
    """

    migration_id: str
    chunk: int
    sheet: str
    first_event: int
    last_event: int
    rows: int
    digest: bytes
    refused: tuple[Mapping[str, object], ...]
    seal_size: int
    seal_root: bytes
    written_at: datetime | None = None

    @property
    def content(self) -> tuple[object, ...]:
        """What must be equal when the same chunk is written again; the seal may have moved on."""
        return (self.sheet, self.first_event, self.last_event, self.digest)


def advisory_lock(connection: Connection, slug: str) -> bool:
    """Take the tenant's publishing lock until the transaction ends; False if another holds it.

    Raises StagerError outside a transaction, where the lock would be gone at once.
    """
    if connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
        raise StagerError("the tenant's lock was asked for outside a transaction")
    with guarded():
        row = connection.execute(statement("try_lock_tenant"), [_lock_key(slug)]).fetchone()
    return row is not None and bool(row[0])


def _lock_key(slug: str) -> int:
    digest = hashlib.sha256(b"stager/advisory-lock/1\0" + slug.encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def read(connection: Connection, migration_id: str) -> list[LedgerEntry]:
    """The migration's committed chunks in order."""
    with guarded():
        rows = connection.execute(statement("read_ledger"), [migration_id]).fetchall()
    return [_entry(row) for row in rows]


def write(connection: Connection, entry: LedgerEntry) -> bool:
    """Write the entry in the current transaction; False if the chunk was committed before.

    To be called before the chunk's rows are sent: where it returns False they must not be.

    Raises IntegrityFailed if the chunk was committed with another content.
    """
    values = [
        *(entry.migration_id, entry.chunk, entry.sheet, entry.first_event, entry.last_event),
        *(entry.rows, entry.digest, Jsonb(list(entry.refused)), entry.seal_size, entry.seal_root),
    ]
    with guarded():
        if connection.execute(statement("write_ledger_entry"), values).fetchone() is not None:
            return True
        row = connection.execute(statement("read_ledger_entry"), [entry.migration_id, entry.chunk]).fetchone()
    if row is None or _entry(row).content != entry.content:
        raise IntegrityFailed(
            f"the tenant's ledger has chunk {entry.chunk} of this migration with another content",
            hint="`stager verify` compares the staging file with the ledger; nothing was written",
        )
    return False


def _entry(row: tuple[object, ...]) -> LedgerEntry:
    names = LedgerEntry.__struct_fields__
    values = dict(zip(names, row, strict=True))
    values["refused"] = tuple(values["refused"])  # type: ignore[arg-type]
    return LedgerEntry(**values)  # type: ignore[arg-type]
