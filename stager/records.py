"""Records as they stand: the cells as they came, with people's corrections laid over them.

What is published and what is linked is always the normalised form of these, made anew by the same
pure rules (`stager.values`), so that no second copy of a value can drift from its source.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import polars as pl
from msgspec import Struct
from msgspec.structs import replace

from stager import sql
from stager.sheets import Sheet
from stager.staging import Staging
from stager.values import Normalised, Rules, nhs_digits, normalise

SLICE = 500_000
"""Rows of one source that are held in memory at a time."""


class Slice(Struct, frozen=True):
    """Some rows of one source: their cells (text, NULL for an absent column) and the source's rules."""

    sheet: Sheet
    source_id: int
    rules: Rules
    cells: pl.DataFrame

    def normalised(self, fields: Collection[str] | None = None) -> Normalised:
        """The typed values of these cells, and what was found about them."""
        return normalise(self.sheet, self.cells, self.rules, fields)

    def with_value(self, field: str, value: str) -> Slice:
        """The same rows with one text in every cell of a field."""
        return replace(self, cells=self.cells.with_columns(pl.lit(value).alias(field)))


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
    places = {"table": sheet.table, "among": among, "fields": sql.identifiers(wanted, of="cells")}
    rules = dict(staging.rows("rules_of_sheet", sheet=sheet.name))
    spans = [span for span in staging.rows("spans_of_rows", {"among": among}) if span[0] in rules]
    overlay = standing_corrections(staging, sheet, wanted) if spans else None
    for source_id, first, last in spans:
        for start in range(first, last + 1, size):
            upto = min(last, start + size - 1)
            among_these = {"source_id": source_id, "first": start, "last": upto}
            cells = staging.frame("cells_of_rows", places, **among_these)
            if cells.height:
                corrected_cells = corrected(cells, overlay, wanted)
                yield Slice(sheet, source_id, Rules.from_json(rules[source_id]), corrected_cells)


def rules_of(staging: Staging, source_id: int) -> Rules:
    """The rules that a source was taken in under."""
    return Rules.from_json(staging.one("rules_of_source", source_id=source_id))


def rows_frame(rows: Collection[tuple[int, int]]) -> pl.DataFrame:
    """Rows (source_id, row_no) as a table that `slices` can be among."""
    return pl.DataFrame(sorted(set(rows)), schema={"source_id": pl.Int32, "row_no": pl.Int32}, orient="row")


def valid_numbers(
    staging: Staging, sheet: Sheet, field: str, rows: Collection[tuple[int, int]]
) -> dict[tuple[int, int], str]:
    """Row (source_id, row_no) → the valid NHS number, as ten digits, that stands in the field's cell."""
    found: dict[tuple[int, int], str] = {}
    if not rows:
        return found
    with staging.lent(numbered_row=rows_frame(rows)):
        for part in slices(staging, sheet, fields=[field], among="numbered_row"):
            cells = part.normalised([field]).values
            digits = cells.select("source_id", "row_no", digits=nhs_digits(pl.col(field))).drop_nulls()
            found |= {(source_id, row_no): number for source_id, row_no, number in digits.iter_rows()}
    return found


def standing_corrections(staging: Staging, sheet: Sheet, fields: Collection[str]) -> pl.DataFrame | None:
    """What people typed in to replace cells of the sheet: source_id, row_no, field, value.

    None where no cell of these fields was ever corrected, in whatever sheet: that is told sooner.
    """
    if not any(field in fields for (field,) in staging.rows("corrected_fields")):
        return None
    return staging.frame("standing_corrections", sheet=sheet.name)


def corrected(cells: pl.DataFrame, overlay: pl.DataFrame | None, fields: Collection[str]) -> pl.DataFrame:
    """The cells with what stands in `overlay` for some of these fields in their place."""
    if overlay is None:
        return cells
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
