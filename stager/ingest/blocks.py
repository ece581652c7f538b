"""Blocks: the rows and spans of a stretch of a file, and the check that they account for every byte of it.

The check reads what is handed out, not what it was made from.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import polars as pl
from msgspec import Struct

from stager.errors import IntegrityFailed
from stager.ingest.grammar import Kind
from stager.ingest.headers import ColumnMatch
from stager.ingest.lines import Lines, Offsets
from stager.ingest.records import Records
from stager.sheets import Sheet

_PLACE = {"row_no": pl.Int32, "line": pl.Int32, "byte_start": pl.Int64, "byte_len": pl.Int32}
_SPAN = {
    "row_no": pl.Int32,
    "line": pl.Int32,
    "line_count": pl.Int32,
    "byte_start": pl.Int64,
    "byte_len": pl.Int32,
    "kind": pl.String,
    "reason": pl.String,
}
Span: TypeAlias = tuple[int | None, int, int, int, int, str, str | None]


class Block(Struct):
    """A stretch of the file and what is in it.

    byte_start, byte_len: its place in the file. data: its bytes as they are; all blocks' data make the
    file. rows: row_no, line, byte_start, byte_len, every field of the sheet (NULL where the file has no
    such column), extra (JSON object of the unknown columns, NULL where there are none). spans: what is no
    row: row_no (for malformed records), line, line_count, byte_start, byte_len, kind (bom, header, blank,
    malformed), reason.
    """

    byte_start: int
    byte_len: int
    data: bytes
    rows: pl.DataFrame
    spans: pl.DataFrame


class Placed:
    """Records of one block with their places in the file."""

    def __init__(self, lines: Lines, records: Records, row_no: int, line: int, at: int) -> None:
        self.records = records
        counted = records.kind != Kind.BLANK
        self.row_no = row_no - 1 + np.cumsum(counted)
        self.next_row = row_no + int(counted.sum())
        self.line = line + records.first
        starts, ends = lines.file_at[records.first], lines.file_at[records.first + records.count]
        self.byte_start, self.byte_len = at + starts, ends - starts

    def of(self, places: Offsets) -> dict[str, Offsets]:
        return {name: getattr(self, name)[places] for name in _PLACE}


class Rows:
    """Builds the rows of a block: the sheet's fields in its order, the unknown columns together as JSON."""

    def __init__(self, sheet: Sheet, columns: tuple[ColumnMatch, ...]) -> None:
        at = {column.field: column.position for column in columns if column.field}
        self._cells = [
            (pl.col(str(at[name])) if name in at else pl.lit(None, dtype=pl.String)).alias(name)
            for name in sheet.fields
        ]
        self._cells.append(_extra(columns).alias("extra"))

    def __call__(self, cells: pl.DataFrame, made: Placed) -> pl.DataFrame:
        legal = np.flatnonzero(made.records.kind == Kind.LEGAL)
        placed = cells.with_columns(
            pl.Series(f"at {name}", values, dtype=_PLACE[name]) for name, values in made.of(legal).items()
        )
        return placed.select([pl.col(f"at {name}").alias(name) for name in _PLACE] + self._cells)


def _extra(columns: tuple[ColumnMatch, ...]) -> pl.Expr:
    """The unknown columns as a JSON object; one without a header goes by its place, counted from 1."""
    unknown = [column for column in columns if column.field is None]
    if not unknown:
        return pl.lit(None, dtype=pl.String)
    taken = {column.header for column in columns}
    named = []
    for column in unknown:
        name = column.header
        if not name.strip():
            name = f"column {column.position + 1}"
            while name in taken:
                name += "*"
        named.append(pl.col(str(column.position)).alias(name))
    return pl.struct(named).struct.json_encode()


def spans_of(before: list[Span], made: Placed) -> pl.DataFrame:
    places = np.flatnonzero(made.records.kind != Kind.LEGAL)
    kinds, reason = made.records.kind[places].tolist(), made.records.reason
    malformed = [kind == Kind.MALFORMED for kind in kinds]
    numbers = made.row_no[places].tolist()
    found = pl.DataFrame(
        {
            "row_no": [number if bad else None for number, bad in zip(numbers, malformed, strict=True)],
            "line": made.line[places],
            "line_count": made.records.count[places],
            "byte_start": made.byte_start[places],
            "byte_len": made.byte_len[places],
            "kind": ["malformed" if bad else "blank" for bad in malformed],
            "reason": [reason[place].value if place in reason else None for place in places.tolist()],
        },
        schema=_SPAN,
    )
    return pl.concat([pl.DataFrame(before, schema=_SPAN, orient="row"), found])


def check_account(block: Block, at: int) -> None:
    """Each byte of the block lies in one row or span, and the block begins where the last one ended.

    Raises IntegrityFailed otherwise.
    """
    starts = np.concatenate([frame["byte_start"].to_numpy() for frame in (block.rows, block.spans)])
    lengths = np.concatenate([frame["byte_len"].to_numpy() for frame in (block.rows, block.spans)])
    order = np.argsort(starts, kind="stable")
    ends = starts[order] + lengths[order]
    whole = (
        block.byte_start == at
        and block.byte_len == len(block.data)
        and len(starts) > 0
        and bool((lengths > 0).all())
        and starts[order[0]] == at
        and ends[-1] == at + block.byte_len
        and bool((starts[order][1:] == ends[:-1]).all())
    )
    if not whole:
        raise IntegrityFailed("the bytes of a block are not each in exactly one record")
