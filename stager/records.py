"""Records as they stand: the cells as they came, with people's corrections laid over them.

What is published and what is linked is always the normalised form of these, made anew by the same
pure rules (`stager.values`), so that no second copy of a value can drift from its source.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import polars as pl

from stager import sql
from stager.sheets import Sheet
from stager.staging import Staging
from stager.values import Normalised, Rules, normalise

SLICE = 500_000
"""Rows of one source that are held in memory at a time."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Some rows of one source: their cells (text, NULL for an absent column) and the source's rules."""

    sheet: Sheet
    source_id: int
    rules: Rules
    cells: pl.DataFrame

    def normalised(self, fields: Collection[str] | None = None) -> Normalised:
        """The typed values of these cells, and what was found about them."""
        return normalise(self.sheet, self.cells, self.rules, fields)


def slices(
    staging: Staging,
    sheet: Sheet,
    *,
    fields: Collection[str] | None = None,
    among: str = "row_state",
    size: int = SLICE,
) -> Iterator[Slice]:
    """The sheet's parsed rows that stand in the table `among`, source by source, in row order.

    fields: the columns wanted, all by default. among: a table with source_id and row_no.
    """
    wanted = [column.field for column in sheet.columns if fields is None or column.field in fields]
    overlay = staging.frame("standing_corrections", sheet=sheet.name)
    for source_id, rules, last in staging.rows("sources_of_sheet", {"table": sheet.table}, sheet=sheet.name):
        after = 0
        while after < last:
            cells = staging.frame(
                "cells_of_rows",
                {"table": sheet.table, "among": among, "fields": sql.identifiers(wanted, of="cells")},
                source_id=source_id,
                after=after,
                upto=after + size,
            )
            if cells.height:
                yield Slice(sheet, source_id, Rules.from_json(rules), _corrected(cells, overlay, wanted))
            after += size


def rules_of(staging: Staging, source_id: int) -> Rules:
    """The rules that a source was taken in under."""
    return Rules.from_json(staging.one("rules_of_source", source_id=source_id))


def _corrected(cells: pl.DataFrame, overlay: pl.DataFrame, fields: Collection[str]) -> pl.DataFrame:
    keys = ["source_id", "row_no"]
    for field in sorted(set(overlay["field"].to_list()) & set(fields)):
        typed = overlay.filter(pl.col("field") == field).select(
            *keys, pl.col("value").alias("_value"), pl.lit(value=True).alias("_corrected")
        )
        cells = (
            cells.join(typed, on=keys, how="left", maintain_order="left")
            .with_columns(
                pl.when(pl.col("_corrected")).then(pl.col("_value")).otherwise(pl.col(field)).alias(field)
            )
            .drop("_value", "_corrected")
        )
    return cells
