"""Rejected and held records given back for correction.

A reject file holds the records as they came, in columns of their own file, with four more that say
which record each is and why it was not taken. It is UTF-8 with a byte order mark and commas, for a
spreadsheet. A cell that a spreadsheet would run as a formula gets an apostrophe in front, which
`round_trip` takes off again when the file comes back.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pyarrow as pa
from msgspec import Struct

from stager.ingest.round_trip import ROUND_TRIP, RUN
from stager.sheets import EXPLAINED, SHEETS, Code, Sheet
from stager.staging import Staging


class RejectFile(Struct, frozen=True):
    """The rejects of one source: a file name to offer, its content, and how many records it holds."""

    name: str
    sheet: str
    content: bytes
    records: int


def reject_files(staging: Staging) -> list[RejectFile]:
    """One for each source that has rejected or held records."""
    files = []
    for sheet in SHEETS:
        sources = staging.rows("columns_of_sources", sheet=sheet.name)
        for source_id, encoding, columns in sources:
            several = len(sources) > 1
            found = _reject_file(staging, sheet, source_id, encoding, json.loads(columns), several=several)
            if found.records:
                files.append(found)
    return files


def bytes_of(staging: Staging, source_id: int, byte_start: int, byte_len: int) -> bytes:
    """A stretch of a source file's bytes, cut out of its kept blocks."""
    parts = []
    for start, length, data in staging.rows(
        "blocks_of_stretch", source_id=source_id, first=byte_start, count=byte_len
    ):
        block = pa.Codec("zstd").decompress(data, decompressed_size=length, asbytes=True)
        parts.append(block[max(0, byte_start - start) : max(0, byte_start + byte_len - start)])
    return b"".join(parts)


def _reject_file(
    staging: Staging,
    sheet: Sheet,
    source_id: int,
    encoding: str,
    columns: list[dict[str, Any]],
    *,
    several: bool,
) -> RejectFile:
    own = [column for column in columns if column["header"].strip() not in ROUND_TRIP]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([*(_safe(column["header"]) for column in own), *ROUND_TRIP])
    found = staging.frame("rejected_cells", {"table": sheet.table}, source_id=source_id)
    for row in found.iter_rows(named=True):
        if row["malformed"]:
            cells = [_as_text(staging, row, encoding), *[""] * (len(own) - 1)]
        else:
            unknown = _unknown_cells(columns, row["extra"])
            cells = [
                row[each["column"]] or "" if each["column"] else unknown[each["position"]] for each in own
            ]
        address = f"{source_id}:{row['row_no']}" if several else str(row["row_no"])
        reason = "; ".join(_reason(sheet, part) for part in row["reasons"])
        writer.writerow(
            [*(_safe(cell) for cell in cells), address, row["line"], " ".join(row["codes"]), reason]
        )
    name = f"{sheet.name}-rejects{f'-{source_id}' if several else ''}.csv"
    return RejectFile(name, sheet.name, text.getvalue().encode("utf-8-sig"), found.height)


def _as_text(staging: Staging, row: dict[str, Any], encoding: str) -> str:
    """A record that could not be parsed, as far as it is text; undecodable bytes as \\xNN."""
    raw = bytes_of(staging, row["source_id"], row["byte_start"], row["byte_len"])
    return raw.decode(encoding, "backslashreplace").rstrip("\r\n").replace("\0", "\\x00")


def _unknown_cells(columns: list[dict[str, Any]], extra: str | None) -> dict[int, str]:
    """The cells of the columns that the sheet does not know, by position; their names may be stager's own."""
    unknown = [column["position"] for column in columns if not column["column"]]
    return dict(zip(unknown, json.loads(extra).values() if extra else [""] * len(unknown), strict=True))


def _reason(sheet: Sheet, part: str) -> str:
    code, field, rule = part.split("|", 2)
    column = f"{sheet.column(field).name}: " if field else ""
    return f"{column}{EXPLAINED[Code(code)]}{f' ({rule})' if rule else ''}"


def _safe(cell: str) -> str:
    bare = cell.lstrip("'")
    return f"'{cell}" if bare[:1] in RUN else cell
