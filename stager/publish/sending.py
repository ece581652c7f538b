"""One chunk into the tenant's database: its rows and its ledger row in one transaction, or nothing.

First the whole chunk is sent as it is. Where the database refuses a row, that transaction is rolled
back and the chunk is sent with care: rows that the tenant has already are left out, and what remains
is placed piece by piece, each refused row found and named.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import polars as pl
from msgspec import Struct, field

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


class Sent(Struct, frozen=True):
    """A chunk that is in the tenant's database.

    tables: rows written now, by table. already: rows that were there before. refused: rows that are not.
    drawn: the ids that sequences gave, of all of the chunk's rows that are in.
    """

    chunk: Chunk
    tables: dict[str, int] = field(default_factory=dict)
    already: int = 0
    refused: tuple[Refusal, ...] = ()
    drawn: tuple[Drawn, ...] = ()


class Destination(Struct, frozen=True):
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


def send(
    connection: Connection, to: Destination, read: ReadChunk, encoded: Encoded, slot: int | None
) -> Sent:
    """Send one chunk. slot: which sender's lock to hold; None where the caller's transaction holds all.

    Raises TenantUnavailable where the connection or the server fails (whether it was committed, the ledger
    knows), IntegrityFailed where the ledger has the chunk with another content.
    """
    sending = _Sending(connection, to, read, encoded, slot)
    try:
        try:
            return sending.whole()
        except DataRefused:
            return sending.with_care()
    except _SentBefore:
        entries = ledger.read(connection, to.migration_id)
        return committed(connection, to, read.chunk, {each.chunk: each for each in entries}[read.chunk.chunk])


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
            take_slot(connection, tenant, slot)


class _Sending(Struct, frozen=True):
    """One chunk with all that its transaction needs."""

    connection: Connection
    to: Destination
    read: ReadChunk
    encoded: Encoded
    slot: int | None

    def whole(self) -> Sent:
        """The chunk as it is. DataRefused, and nothing written, where the database refuses a row of it."""
        known = self._known_refusals()
        with transaction(self.connection):
            self._begin()
            self._write_ledger(known)
            for rows in self.encoded.tables:
                copy_into(self.connection, rows.table, _columns(self.to.profile, rows), [rows.stream])
            drawn = [self._keep_drawn(rows, rows.row_nos, rows.ids) for rows in self.encoded.tables]
        tables = {rows.table: rows.row_nos.len() for rows in self.encoded.tables}
        present = self.read.present
        return Sent(self.read.chunk, tables, len(present), known, (present, *drawn))

    def with_care(self) -> Sent:
        """The chunk without the rows that the tenant has already, and without those that it refuses."""
        refused = [*self._known_refusals()]
        tables: dict[str, int] = {}
        already, drawn = len(self.read.present), [self.read.present]
        with transaction(self.connection):
            self._begin()
            for rows in self.encoded.tables:
                placed = place_rows(self.connection, self.to.profile, rows)
                refused += [self._refusal(rows, at, said) for at, said in placed.refused]
                tables[rows.table] = len(placed.written)
                already += placed.already
                own = pl.Series(placed.written, dtype=pl.UInt32)
                drawn.append(self._keep_drawn(rows, rows.row_nos.gather(own), rows.ids.gather(own)))
            # After the rows here: which of them were refused is known only now.
            self._write_ledger(refused)
        return Sent(self.read.chunk, tables, already, tuple(refused), tuple(drawn))

    def _begin(self) -> None:
        if self.slot is not None:
            take_slot(self.connection, self.to.tenant, self.slot)
        with guarded():
            self.connection.execute(statement("check_constraints_at_once"))

    def _write_ledger(self, refused: Iterable[Refusal]) -> None:
        if not ledger.write(self.connection, self.to.entry(self.read.chunk, refused)):
            raise _SentBefore

    def _known_refusals(self) -> tuple[Refusal, ...]:
        """Rows left out for their person's sake, and one for each row that no column can be given."""
        first = {each.row_no: each for each in reversed(self.encoded.unfit)}
        source_id = self.read.chunk.source_id
        return self.read.left_out + tuple(
            Refusal(source_id, each.row_no, UNWRITABLE, table=each.table, column=each.column)
            for each in first.values()
        )

    def _refusal(self, rows: TableRows, at: int, said: DataRefused) -> Refusal:
        return Refusal(
            self.read.chunk.source_id,
            rows.row_nos[at],
            said.sqlstate or "none",
            said.constraint,
            rows.table,
            said.column,
        )

    def _keep_drawn(self, rows: TableRows, row_nos: pl.Series, ids: pl.Series) -> Drawn:
        """Write the rows' lineage where a sequence gave their ids."""
        if ids.dtype != pl.Int64 or ids.is_empty():
            return Drawn()
        chunk = self.read.chunk
        kept = lineage_rows(chunk.sheet, self.to.sha256[chunk.source_id], rows.table, row_nos, ids)
        lineage.write_lineage(self.connection, kept)
        columns = {
            "row_no": row_nos.cast(pl.Int32),
            "target_table": [rows.table] * ids.len(),
            "target_id": ids,
        }
        return Drawn(pl.DataFrame(columns, schema=Drawn().rows.schema))


def take_slot(connection: Connection, tenant: str, slot: int) -> None:
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


def _kept(connection: Connection, to: Destination, chunk: Chunk) -> Drawn:
    rows = chunk.row_nos().to_list()
    source = bytes.fromhex(to.sha256[chunk.source_id])
    kept = lineage.read_lineage(connection, chunk.sheet, source, rows[0], rows[-1])
    found = [(row_no, *kept[row_no]) for row_no in rows if row_no in kept]
    return Drawn(pl.DataFrame(found, schema=Drawn().rows.schema, orient="row"))
