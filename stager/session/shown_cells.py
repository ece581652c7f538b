"""Cells of a few rows, for a screen: as they came, and what people typed in their place."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl
from msgspec import Struct, field

from stager import sql
from stager.sheets import ROW_COLUMNS, Sheet
from stager.staging import Staging

Texts = dict[str, str | None]
"""Cells by field."""


class RowCells(Struct, frozen=True):
    """A row's cells by field. line: in its file. came: none where it is malformed. typed: corrections."""

    line: int
    came: Texts = field(default_factory=dict)
    typed: Texts = field(default_factory=dict)

    @property
    def standing(self) -> Texts:
        """The cells with the corrections laid over them."""
        return self.came | self.typed


Cells = dict[tuple[int, int], RowCells]
"""Row (source_id, row_no) → its cells."""


def cells_of_rows(staging: Staging, sheet: Sheet, rows: pl.DataFrame, fields: Collection[str]) -> Cells:
    """These fields of these rows of one sheet. rows: source_id, row_no."""
    wanted = [each for each in sheet.fields if each in fields]
    found: Cells = {}
    with staging.lent(shown_row=rows):
        places = {"table": sheet.table, "fields": sql.identifiers(wanted, of="cells")}
        for source_id, row_no, line, *cells in staging.rows("cells_shown", places):
            found[source_id, row_no] = RowCells(line, dict(zip(wanted, cells, strict=True)))
        if len(found) < rows.height:
            for source_id, row_no, line in staging.rows("lines_of_malformed"):
                found.setdefault((source_id, row_no), RowCells(line))
        for source_id, row_no, name, value in staging.rows("corrections_shown"):
            if (row := found.get((source_id, row_no))) and name in row.came:
                row.typed[name] = value
    return found


def as_frame(cells: Cells, source_id: int, fields: Collection[str]) -> pl.DataFrame:
    """The rows of one source as they stand, as `stager.values.normalise` takes them."""
    rows = [
        (source, row_no, *(row.standing.get(name) for name in fields))
        for (source, row_no), row in sorted(cells.items())
        if source == source_id and row.came
    ]
    schema = dict.fromkeys(ROW_COLUMNS, pl.Int32) | dict.fromkeys(fields, pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row")
