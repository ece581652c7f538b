"""The ids that rows get in the tenant: computed, or drawn from the tables' own sequences."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from msgspec import Struct

from stager.publish.target_rows import DRAWN, ID, rows_for
from stager.records import Slice
from stager.row_ids import row_id_column
from stager.tenant import lineage
from stager.tenant.lineage import LineageRow
from stager.tenant.postgres import Connection
from stager.tenant.profile import IdKind, Profile, TargetTable
from stager.values import normalise

_SCHEMA = {"row_no": pl.Int32, "target_table": pl.String, "target_id": pl.Int64}


class Drawn:
    """Rows of one source with the ids that sequences gave them: row_no, target_table, target_id."""

    def __init__(self, rows: pl.DataFrame | None = None) -> None:
        self.rows = pl.DataFrame(schema=_SCHEMA) if rows is None else rows

    def __len__(self) -> int:
        return self.rows.height


class OwnIds(Struct, frozen=True):
    """Gives rows their ids. sha256: of each source by its number, in hex."""

    tenant: str
    profile: Profile
    sha256: dict[int, str]
    connection: Connection

    def give(self, part: Slice, rows: pl.DataFrame) -> tuple[pl.DataFrame, Drawn]:
        """The rows with their ids, and those left out because the tenant's lineage has them already."""
        rows = rows.with_columns(self._computed(part, rows))
        drawing = any(table.id_kind is IdKind.SEQUENCE for table in self.profile.tables_of(part.sheet.name))
        if rows.is_empty() or not drawing:
            return rows, Drawn()
        sha256 = self.sha256[part.source_id]
        kept = lineage.read_lineage(
            self.connection, part.sheet.name, bytes.fromhex(sha256), rows["row_no"][0], rows["row_no"][-1]
        )
        present = pl.DataFrame(
            [(row_no, *kept[row_no]) for row_no in rows["row_no"] if row_no in kept],
            schema=_SCHEMA,
            orient="row",
        )
        rows = rows.join(present, on="row_no", how="anti", maintain_order="left")
        return self._drawn(part, rows), Drawn(present)

    def _computed(self, part: Slice, rows: pl.DataFrame) -> pl.Series:
        ids = row_id_column(
            self.tenant, part.sheet.name, self.sha256[part.source_id], rows["row_no"].to_numpy()
        )
        return ids.alias(ID)

    def _drawn(self, part: Slice, rows: pl.DataFrame) -> pl.DataFrame:
        """A block of each table's sequence. What a rollback leaves unused stays a gap, as sequences do."""
        ids: dict[int, int] = {}
        for table, row_nos in self._by_table(part, rows):
            if row_nos and table.sequence is not None:
                block = lineage.draw_ids(self.connection, table.sequence, len(row_nos))
                ids |= dict(zip(row_nos, block, strict=True))
        return rows.with_columns(
            pl.Series(DRAWN, [ids.get(row_no) for row_no in rows["row_no"]], dtype=pl.Int64)
        )

    def _by_table(self, part: Slice, rows: pl.DataFrame) -> Iterator[tuple[TargetTable, list[int]]]:
        tables = self.profile.tables_of(part.sheet.name)
        deciding = {table.when.field for table in tables if table.when}
        values = normalise(part.sheet, rows, part.rules, deciding).values if deciding else rows
        for table in tables:
            yield table, rows_for(table, values)["row_no"].to_list()


def lineage_rows(
    sheet: str, sha256: str, table: str, row_nos: pl.Series, ids: pl.Series
) -> Iterator[LineageRow]:
    """What the tenant's lineage is to keep of these rows."""
    source = bytes.fromhex(sha256)
    for row_no, target_id in zip(row_nos, ids, strict=True):
        yield LineageRow(sheet, source, row_no, table, target_id)
