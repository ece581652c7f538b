"""The records of one file: cells against the fingerprints in the log, places against its bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from stager import sql
from stager.ahead import ahead
from stager.crypto.fingerprint import Fingerprinter
from stager.errors import Where
from stager.ingest.making import fingerprints
from stager.ingest.places import PlacesDigest
from stager.sheets import Sheet
from stager.staging import Staging
from stager.verify.broken import broken

SLICE = 200_000

Runs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Of each run of bytes without a gap the first row's number (-1: a span without one), first byte, length."""


def verify_records(
    staging: Staging,
    fingerprinter: Fingerprinter,
    sheet: Sheet,
    source: Mapping[str, Any],
    detail: Mapping[str, Any],
) -> int:
    """How many records it has. Raises IntegrityFailed, naming the first row that is not as it came.

    source: as kept. detail: of its source.registered.
    """
    source_id, file = source["source_id"], source["file_name"]
    unlike = staging.rows("row_unlike_its_event", {"table": sheet.table}, source_id=source_id)
    if unlike:
        row_no, seq, gone = unlike[0]
        what = f"is not the record of which event {seq} tells" if seq else "came by no event"
        raise _wrong(file, sheet, row_no, "is missing from the staging file" if gone else what)
    places, runs, rows = PlacesDigest(), list[Runs](), 0
    absent = _absent_columns(sheet, source)
    for part in ahead(_slices(staging, sheet, source_id)):
        altered = _altered(sheet, part, fingerprinter, absent)
        if len(altered):
            raise _wrong(file, sheet, part["row_no"][altered[0]], "holds other cells than those that came")
        places.add(part)
        runs.append(_runs(part))
        rows += part.height
    spans = staging.frame("spans_as_kept", source_id=source_id)
    places.add(_NO_ROWS, spans)
    runs.append(_runs(spans))
    _require_tiled(runs, source, sheet)
    kinds = dict(spans.group_by("kind").len().iter_rows())
    found = {"rows": rows, "malformed": kinds.get("malformed", 0), "blank": kinds.get("blank", 0)}
    for name, count in found.items():
        if count != detail[name]:
            raise broken(
                f"source {source_id} came with {detail[name]} {name}, and {count} are kept",
                where=Where(file=file, sheet=sheet.name),
            )
    if places.hexdigest() != detail.get("places"):
        raise broken(
            f"source {source_id}: a line, byte range, span or unknown column is not as it came",
            where=Where(file=file, sheet=sheet.name),
        )
    return rows + int(found["malformed"])


_NO_ROWS = pl.DataFrame(
    schema={
        "row_no": pl.Int32,
        "line": pl.Int32,
        "byte_start": pl.Int64,
        "byte_len": pl.Int32,
        "extra": pl.String,
    }
)


def _slices(staging: Staging, sheet: Sheet, source_id: int) -> Iterator[pl.DataFrame]:
    places = {"table": sheet.table, "fields": sql.identifiers(sheet.fields)}
    last = staging.one("last_kept_row", {"table": sheet.table}, source_id=source_id)
    for after in range(0, last, SLICE):
        yield staging.frame("cells_as_kept", places, source_id=source_id, after=after, upto=after + SLICE)


def _absent_columns(sheet: Sheet, source: Mapping[str, Any]) -> frozenset[str]:
    """The fields that the file has no column for, which are NULL in each of its rows, and no other is."""
    named = [column["column"] for column in json.loads(source["columns"])]
    return frozenset({*sheet.fields, "extra"} - {name or "extra" for name in named})


def _altered(
    sheet: Sheet, part: pl.DataFrame, fingerprinter: Fingerprinter, absent: frozenset[str]
) -> pl.Series:
    """Places of rows with other cells than came. A fingerprint takes absent and empty cells for the same."""
    other = fingerprints(sheet, part, fingerprinter) != part["fingerprint"]
    for name in (*sheet.fields, "extra"):
        if part[name].null_count() != (part.height if name in absent else 0):
            other = other | (part[name].is_null() != (name in absent))
    return other.arg_true()


def _runs(frame: pl.DataFrame) -> Runs:
    """The rows or spans in their order, those that follow one another without a gap as one."""
    row_nos, starts, lengths = (
        frame[name].fill_null(-1).cast(pl.Int64).to_numpy() for name in ("row_no", "byte_start", "byte_len")
    )
    if not len(starts):
        return row_nos, starts, lengths
    sound = lengths > 0
    follows = (starts[1:] == starts[:-1] + lengths[:-1]) & sound[1:] & sound[:-1]
    first = np.flatnonzero(np.concatenate([[True], ~follows]))
    return row_nos[first], starts[first], np.add.reduceat(lengths, first)


def _require_tiled(runs: list[Runs], source: Mapping[str, Any], sheet: Sheet) -> None:
    """Every byte of the file lies in exactly one row or span."""
    row_nos, starts, lengths = (np.concatenate(column) for column in zip(*runs, strict=True))
    order = np.argsort(starts, kind="stable")
    row_nos, starts, lengths = row_nos[order], starts[order], lengths[order]
    ends = np.concatenate([[0], np.cumsum(lengths)])
    wrong = np.flatnonzero((starts != ends[:-1]) | (lengths <= 0))
    if len(wrong) or ends[-1] != source["size"]:
        row_no = int(row_nos[wrong[0]]) if len(wrong) else -1
        raise _wrong(
            source["file_name"],
            sheet,
            row_no if row_no > 0 else None,
            "does not begin where the record before it ends"
            if len(wrong)
            else f"the records hold {int(ends[-1])} of the file's {source['size']} bytes",
        )


def _wrong(file: str, sheet: Sheet, row_no: int | None, what: str) -> Exception:
    name = f"row {row_no} " if row_no is not None else ""
    return broken(f"{name}{what}", where=Where(file=file, sheet=sheet.name, row=row_no))
