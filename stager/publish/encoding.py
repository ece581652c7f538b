"""Making a chunk ready to send: cells to values, values to columns, protected fields sealed, all encoded.

The costly part of publishing, and pure: `handing` has it done in processes of its own, which are handed the
keys when they start and never by their arguments.
"""

from __future__ import annotations

import polars as pl
from msgspec import Struct

from stager.crypto.keyset import Keyset
from stager.errors import StagerError, Where, without_values
from stager.publish.pgcopy import encode
from stager.publish.sealing import Sealing
from stager.publish.target_rows import needed_fields, own_ids, rows_for, table_batch, unwritable
from stager.sheets import SHEET
from stager.tenant.profile import Profile
from stager.values import Rules, normalise


class RowsToSend(Struct, frozen=True):
    """What a chunk is made from.

    rules: the source's rules as JSON. rows: row_no and the fields' cells as they stand, and what
    `target_rows` names beside them.
    """

    chunk: int
    sheet: str
    rules: str
    rows: pl.DataFrame


class TableRows(Struct, frozen=True):
    """One table's part of a chunk: row numbers, ids, and the rows as a binary COPY stream."""

    table: str
    row_nos: pl.Series
    ids: pl.Series
    stream: bytes


class Unfit(Struct, frozen=True):
    """A row with a value that a column of its table cannot be given."""

    row_no: int
    table: str
    column: str


class Encoded(Struct, frozen=True):
    """A chunk ready to be sent."""

    chunk: int
    tables: tuple[TableRows, ...]
    unfit: tuple[Unfit, ...]


class Encoder:
    """Encodes the chunks of one tenant."""

    def __init__(self, keyset: Keyset, tenant: str, profile: Profile) -> None:
        self._profile = profile
        self._sealing = Sealing(keyset, tenant, profile)
        self._fields = {sheet: needed_fields(profile, sheet) for sheet in SHEET}

    def encode(self, part: RowsToSend) -> Encoded:
        """The chunk's rows table by table. StagerError, without a value in it, where that fails."""
        if part.rows.is_empty():
            return Encoded(part.chunk, (), ())
        where = Where(sheet=part.sheet)
        return without_values(lambda: self._encoded(part), "rows could not be made ready", where)

    def _encoded(self, part: RowsToSend) -> Encoded:
        found = normalise(SHEET[part.sheet], part.rows, Rules.from_json(part.rules), self._fields[part.sheet])
        beside = [name for name in part.rows.columns if name.startswith("_")]
        values = pl.concat([found.values, part.rows.select(beside)], how="horizontal")
        tables, unfit = [], []
        for table in self._profile.tables_of(part.sheet):
            rows = rows_for(table, values)
            for column, row_nos in unwritable(table, rows).items():
                unfit += [Unfit(row_no, table.table, column) for row_no in row_nos]
            rows = rows.filter(~pl.col("row_no").is_in([each.row_no for each in unfit]))
            if rows.height:
                stream = encode(table_batch(table, rows, self._sealing))
                tables.append(TableRows(table.table, rows["row_no"], own_ids(table, rows), stream))
        placed = sum(table.row_nos.len() for table in tables) + len({each.row_no for each in unfit})
        if placed != values.height:
            raise StagerError("a row goes to none of its sheet's tables", where=Where(sheet=part.sheet))
        return Encoded(part.chunk, tuple(tables), tuple(unfit))
