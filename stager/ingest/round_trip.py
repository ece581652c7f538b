"""A reject file that came back corrected, read as the original: see `rejects`."""

from __future__ import annotations

import json
from collections.abc import Sequence

import polars as pl

from stager.sheets import Sheet

ROUND_TRIP = ("stager_row", "stager_line", "stager_code", "stager_reason")
"""The columns that are added; `stager_row` is "source:row" where the sheet has several files."""

RUN = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""

_MARKED = r"^'+[=+\-@\t\r]"


def is_round_trip(headers: Sequence[str]) -> bool:
    """Whether a file with these headers is a reject file that came back."""
    return set(ROUND_TRIP) <= {header.strip() for header in headers}


def restored(cells: pl.DataFrame, sheet: Sheet) -> pl.DataFrame:
    """The cells of a file that came back, without the apostrophes that were put in front."""
    return cells.with_columns(
        pl.when(pl.col(name).str.contains(_MARKED))
        .then(pl.col(name).str.slice(1))
        .otherwise(pl.col(name))
        .alias(name)
        for name in sheet.fields
    )


def own_extra(extra: pl.Expr) -> pl.Expr:
    """The unknown columns of a record as JSON, without those that stager added; NULL where none is left."""
    return (
        pl.when(extra.str.contains('"stager_row"', literal=True))
        .then(extra.map_elements(_without_added, return_dtype=pl.String))
        .otherwise(extra)
    )


def _without_added(extra: str) -> str | None:
    own = {name: cell for name, cell in json.loads(extra).items() if name.strip() not in ROUND_TRIP}
    shown = {_unmarked(name): _unmarked(cell) for name, cell in own.items()}
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")) if shown else None


def _unmarked(cell: str) -> str:
    bare = cell.lstrip("'")
    return cell[1:] if bare != cell and bare[:1] in RUN else cell
