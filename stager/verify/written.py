"""What a chunk must have written into one table, against what the table holds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

import polars as pl
import pyarrow as pa

from stager.crypto.fields import row_id_bytes
from stager.crypto.keyset import Keyset
from stager.errors import IntegrityFailed, Where
from stager.publish.chunks import Chunk
from stager.publish.pgcopy import encode, fields_of, tuple_starts
from stager.publish.sealing import Sealing, sealer_of
from stager.publish.target_rows import own_ids, table_batch, text_of
from stager.tenant import published_rows
from stager.tenant.postgres import Connection
from stager.tenant.profile import IdKind, Protect, TargetTable
from stager.verify.broken import broken

ROWS = "a row of the tenant was changed after it was published; its own log may say by whom"


class Written:
    """One table's rows of one chunk, made anew."""

    def __init__(self, table: TargetTable, rows: pl.DataFrame, sealing: Sealing, chunk: Chunk) -> None:
        own = own_ids(table, rows)
        order = own.arg_sort()
        self._table, self._chunk, self._sealing = table, chunk, sealing
        self._rows = rows[order]
        self._ids = self._named(own.gather(order).to_list())
        self._open = [column for column in table.columns if column.protect is Protect.NONE]
        self._sealed = [column for column in table.columns if column.protect is not Protect.NONE]

    def require_alike(self, connection: Connection) -> None:
        """IntegrityFailed, naming the first row that is missing or differs in a column that stands open."""
        if None in self._ids:
            raise self._wrong(self._ids.index(None), "has no id in the tenant's lineage")
        names = [column.name for column in self._open]
        sealed = [column.name for column in self._sealed]
        there = published_rows.copy_out(connection, self._table, names, sealed, self._ids)
        here = encode(self._batch())
        if here != there:
            raise self._first_difference(here, there, [self._table.id_column, *names, *sealed])

    def require_opening(self, connection: Connection, keyset: Keyset, tenant: str) -> int:
        """How many protected fields were opened; IntegrityFailed for the first that holds something else."""
        if not self._sealed:
            return 0
        sealers = [sealer_of(keyset, tenant, self._table, column) for column in self._sealed]
        texts = [text_of(column, self._rows).to_list() for column in self._sealed]
        names = [column.name for column in self._sealed]
        there = published_rows.sealed_cells(connection, self._table, names, self._ids)
        opened = 0
        for place, (id_, *cells) in enumerate(there):
            bound = row_id_bytes(id_)
            for name, sealer, plain, cell in zip(
                names, sealers, (column[place] for column in texts), cells, strict=True
            ):
                if cell is None or sealer is None:
                    continue
                try:
                    found = sealer.open(cell, bound)  # type: ignore[arg-type]
                except IntegrityFailed:
                    raise self._wrong(place, "has a protected field that does not open", name) from None
                if found != (plain or "").encode():
                    raise self._wrong(place, "holds another value than the approved one", name)
                opened += 1
        return opened

    def _batch(self) -> pa.RecordBatch:
        batch = table_batch(self._table, self._rows, self._sealing, self._open)
        for column in self._sealed:
            held = text_of(column, self._rows).is_not_null()
            batch = batch.append_column(column.name, held.to_arrow())
        return batch

    def _named(self, ids: Sequence[Any]) -> list[Any]:
        uuids = self._table.id_kind is IdKind.UUID
        return [UUID(bytes=id_) if uuids and id_ is not None else id_ for id_ in ids]

    def _first_difference(self, here: bytes, there: bytes, names: Sequence[str]) -> Exception:
        wanted, found = _tuples(here), _tuples(there)
        for place, expected in enumerate(wanted):
            fields = fields_of(expected)
            if place >= len(found) or fields_of(found[place])[0] != fields[0]:
                return self._wrong(place, "is not in the tenant's table")
            if found[place] != expected:
                pairs = zip(names, fields, fields_of(found[place]), strict=True)
                name = next((name for name, one, other in pairs if one != other), None)
                return self._wrong(place, "holds another value than the approved one", name)
        return broken(f"chunk {self._chunk.chunk}: {self._table.table} holds a row of it twice")

    def _wrong(self, place: int, what: str, column: str | None = None) -> Exception:
        row = self._rows["row_no"][place]
        where = Where(
            sheet=self._table.sheet,
            row=row,
            column=f"{self._table.table}.{column}" if column else self._table.table,
        )
        return broken(
            f"chunk {self._chunk.chunk}: row {row}, {self._ids[place]} in the tenant, {what}",
            where=where,
            hint=ROWS,
        )


def _tuples(stream: bytes) -> list[bytes]:
    starts = tuple_starts(stream)
    return [stream[first:last] for first, last in pairwise(starts)]
