"""One chunk into the tenant's database: its rows and its ledger row in one transaction, or nothing.

First the whole chunk is sent as it is. Where the database refuses a row, that transaction is rolled
back and the chunk is sent with care: rows that the tenant has already are left out, and what remains
is placed piece by piece, each refused row found and named.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from stager.errors import TenantUnavailable
from stager.publish.chunks import Chunk
from stager.publish.encoding import Encoded, TableRows
from stager.publish.own_ids import Drawn, lineage_rows
from stager.publish.placing import place_rows
from stager.publish.reading import ReadChunk
from stager.publish.refusals import UNWRITABLE, Refusal
from stager.tenant import ledger, lineage
from stager.tenant.copying import copy_into
from stager.tenant.ledger import LedgerEntry
from stager.tenant.postgres import Connection, DataRefused, guarded, transaction
from stager.tenant.profile import IdKind, Profile
from stager.tenant.statements import statement

SENDERS = 2
"""How many chunks go at once. Two backends keep the server's disk and processor busy; more gain nothing."""

_SECONDS_FOR_THE_LAST = 60.0
_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Sent:
    """A chunk that is in the tenant's database.

    tables: rows written now, by table. already: rows that were there before. refused: rows that are not.
    drawn: the ids that sequences gave, of all of the chunk's rows that are in.
    """

    chunk: Chunk
    tables: dict[str, int] = field(default_factory=dict)
    already: int = 0
    refused: tuple[Refusal, ...] = ()
    drawn: tuple[Drawn, ...] = ()


@dataclass(frozen=True, slots=True)
class Destination:
    """Where chunks go, and what their ledger rows say of where they come from.

    sha256: of each source by its number, in hex. seal_size, seal_root: the staging file's last seal.
    """

    tenant: str
    profile: Profile
    migration_id: str
    sha256: dict[int, str]
    seal_size: int
    seal_root: bytes

    def entry(self, chunk: Chunk, refused: Iterable[Refusal]) -> LedgerEntry:
        """The chunk's ledger row; its rows are those that are in the tenant then."""
        kept = tuple(refusal.to_ledger() for refusal in refused)
        return LedgerEntry(
            migration_id=self.migration_id,
            chunk=chunk.chunk,
            sheet=chunk.sheet,
            first_event=chunk.first_event,
            last_event=chunk.last_event,
            rows=chunk.count - len(kept),
            digest=bytes.fromhex(chunk.digest),
            refused=kept,
            seal_size=self.seal_size,
            seal_root=self.seal_root,
        )


class _SentBefore(Exception):
    """The ledger has the chunk already: what this transaction wrote is to be rolled back."""


def send(connection: Connection, to: Destination, read: ReadChunk, encoded: Encoded, slot: int | None) -> Sent:
    """Send one chunk. slot: which sender's lock to hold; None where the caller's transaction holds all.

    Raises TenantUnavailable where the connection or the server fails (whether it was committed, the ledger
    knows), IntegrityFailed where the ledger has the chunk with another content.
    """
    refused = (*read.left_out, *(_unfit(read.chunk, encoded)))
    try:
        try:
            return _send_whole(connection, to, read, encoded, refused, slot)
        except DataRefused:
            return _send_with_care(connection, to, read, encoded, refused, slot)
    except _SentBefore:
        return committed(connection, to, read.chunk, _entry_of(connection, to, read.chunk))


def committed(connection: Connection, to: Destination, chunk: Chunk, entry: LedgerEntry) -> Sent:
    """What the tenant's ledger says became of the chunk."""
    refused = tuple(Refusal.from_ledger(each) for each in entry.refused)
    drawn = Drawn()
    if any(table.id_kind is IdKind.SEQUENCE for table in to.profile.tables_of(chunk.sheet)):
        drawn = _kept(connection, to, chunk)
    return Sent(chunk, already=chunk.count - len(refused), refused=refused, drawn=(drawn,))


def await_earlier(connection: Connection, tenant: str) -> None:
    """Wait until no transaction of an earlier publisher can commit any more.

    A publisher that was killed may have sent a COMMIT that the server is still at: only after it has
    ended does the ledger say for certain which chunks are in.
    """
    with transaction(connection):
        for slot in range(SENDERS):
            _take_slot(connection, tenant, slot)


def _send_whole(
    connection: Connection,
    to: Destination,
    read: ReadChunk,
    encoded: Encoded,
    refused: tuple[Refusal, ...],
    slot: int | None,
) -> Sent:
    with transaction(connection):
        _begin(connection, to.tenant, slot)
        if not ledger.write(connection, to.entry(read.chunk, refused)):
            raise _SentBefore
        for rows in encoded.tables:
            copy_into(connection, rows.table, _columns(to.profile, rows), [rows.stream])
        drawn = [_keep_drawn(connection, to, read.chunk, rows, rows.row_nos, rows.ids) for rows in encoded.tables]
    tables = {rows.table: rows.row_nos.len() for rows in encoded.tables}
    return Sent(read.chunk, tables, len(read.present), refused, (read.present, *drawn))


def _send_with_care(
    connection: Connection,
    to: Destination,
    read: ReadChunk,
    encoded: Encoded,
    refused: tuple[Refusal, ...],
    slot: int | None,
) -> Sent:
    tables: dict[str, int] = {}
    already, drawn, source_id = len(read.present), [read.present], read.chunk.source_id
    with transaction(connection):
        _begin(connection, to.tenant, slot)
        for rows in encoded.tables:
            placed = place_rows(connection, to.profile, rows)
            refused += tuple(
                Refusal(source_id, rows.row_nos[at], said.sqlstate or "none", said.constraint, rows.table, said.column)
                for at, said in placed.refused
            )
            tables[rows.table] = len(placed.written)
            already += placed.already
            own = pl.Series(placed.written, dtype=pl.UInt32)
            drawn.append(
                _keep_drawn(connection, to, read.chunk, rows, rows.row_nos.gather(own), rows.ids.gather(own))
            )
        # After the rows here: which of them were refused is known only now.
        if not ledger.write(connection, to.entry(read.chunk, refused)):
            raise _SentBefore
    return Sent(read.chunk, tables, already, refused, tuple(drawn))


def _begin(connection: Connection, tenant: str, slot: int | None) -> None:
    if slot is not None:
        _take_slot(connection, tenant, slot)
    with guarded():
        connection.execute(statement("check_constraints_at_once"))


def _take_slot(connection: Connection, tenant: str, slot: int) -> None:
    """Hold a sender's lock until the transaction ends. It is in other hands only while an earlier
    publisher's last transaction ends."""
    until = time.monotonic() + _SECONDS_FOR_THE_LAST
    while not ledger.advisory_lock(connection, f"{tenant}/chunk/{slot}"):
        if time.monotonic() > until:
            raise TenantUnavailable(
                f"a transaction of an earlier publisher to {tenant} has not ended",
                hint="see pg_stat_activity for an application stager, end it, and run the command again",
            )
        time.sleep(_PAUSE)


def _columns(profile: Profile, rows: TableRows) -> tuple[str, ...]:
    table = profile.table(rows.table)
    assert table is not None  # the rows were encoded by this profile
    return table.column_names


def _keep_drawn(
    connection: Connection, to: Destination, chunk: Chunk, rows: TableRows, row_nos: pl.Series, ids: pl.Series
) -> Drawn:
    """Write the rows' lineage where a sequence gave their ids."""
    if ids.dtype != pl.Int64 or ids.is_empty():
        return Drawn()
    lineage.write_lineage(
        connection, lineage_rows(chunk.sheet, to.sha256[chunk.source_id], rows.table, row_nos, ids)
    )
    columns = {"row_no": row_nos.cast(pl.Int32), "target_table": [rows.table] * ids.len(), "target_id": ids}
    return Drawn(pl.DataFrame(columns, schema=Drawn().rows.schema))


def _kept(connection: Connection, to: Destination, chunk: Chunk) -> Drawn:
    rows = chunk.row_nos()
    source = bytes.fromhex(to.sha256[chunk.source_id])
    kept = lineage.read_lineage(connection, chunk.sheet, source, rows[0], rows[-1])
    found = [(row_no, *kept[row_no]) for row_no in rows if row_no in kept]
    return Drawn(pl.DataFrame(found, schema=Drawn().rows.schema, orient="row"))


def _entry_of(connection: Connection, to: Destination, chunk: Chunk) -> LedgerEntry:
    return next(each for each in ledger.read(connection, to.migration_id) if each.chunk == chunk.chunk)


def _unfit(chunk: Chunk, encoded: Encoded) -> tuple[Refusal, ...]:
    """One refusal for each row that stager itself cannot write, whichever of its columns is at fault first."""
    first = {each.row_no: each for each in reversed(encoded.unfit)}
    return tuple(
        Refusal(chunk.source_id, each.row_no, UNWRITABLE, table=each.table, column=each.column)
        for each in first.values()
    )
