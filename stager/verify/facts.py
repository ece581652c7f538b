"""Facts against the events that registered them: files and their bytes, corrections, people, drawn ids."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any

import polars as pl
import pyarrow as pa
from msgspec import Struct

from stager.crypto.fingerprint import Fingerprinter
from stager.crypto.merkle import Tree, leaf_hashes
from stager.decisions import correction_bytes
from stager.errors import Where
from stager.ingest.making import told_digest
from stager.publish.recording import drawn_digest
from stager.publish.runs import run_frame
from stager.sheets import SHEET, SHEETS
from stager.staging import Staging
from stager.tenant import people
from stager.verify.broken import broken
from stager.verify.records import verify_records

Progress = Callable[[str, int, int | None], None]

_BLOCKS = 64
"""Blocks of a file that are unpacked at a time."""

_TOLD = {
    "file_name": "file",
    **{
        name: name
        for name in (
            "sha256",
            "size",
            "encoding",
            "confidence",
            "evidence",
            "delimiter",
            "newline",
            "content_root",
        )
    },
}
"""Column of a source → the part of source.registered that says the same."""

_KEPT = (
    "source_id",
    "sheet",
    "file_name",
    "sha256",
    "size",
    "encoding",
    "confidence",
    "evidence",
    "delimiter",
    "newline",
    "columns",
    "mapping",
    "rules",
    "content_root",
)


class Facts(Struct, frozen=True):
    """What was found in order: files, the records and bytes in them, corrections."""

    sources: int
    records: int
    bytes: int
    corrections: int


def verify_facts(staging: Staging, fingerprinter: Fingerprinter, progress: Progress) -> Facts:
    """Raises IntegrityFailed, naming the first fact that is not the one the log tells of.

    The log must have been verified before: it is what facts are held against.
    """
    told = [(sheet, source_id, json.loads(text)) for _, sheet, source_id, text in _events(staging)]
    kept = {row[0]: dict(zip(_KEPT, row, strict=True)) for row in staging.rows("source_as_kept")}
    _require_sources(staging, told, kept)
    total = sum(detail["rows"] + detail["malformed"] for _, _, detail in told)
    records = 0
    for sheet, source_id, detail in told:
        source = kept[source_id]
        _require_columns(staging, fingerprinter, sheet, source, detail)
        _require_bytes(staging, source)
        records += verify_records(staging, fingerprinter, SHEET[sheet], source, detail)
        progress("verifying records", records, total)
    corrections = _verify_corrections(staging, fingerprinter)
    _verify_people(staging, fingerprinter)
    _verify_drawn(staging)
    return Facts(len(told), records, sum(detail["size"] for _, _, detail in told), corrections)


def _events(staging: Staging) -> list[tuple[Any, ...]]:
    return staging.rows("details_of_kind", kind="source.registered")


def _require_sources(staging: Staging, told: Sequence[tuple[Any, ...]], kept: Mapping[int, Any]) -> None:
    registered = [source_id for _, source_id, _ in told]
    for source_id in registered:
        if source_id not in kept:
            raise broken(f"source {source_id} is registered in the log and is not in the staging file")
    if len(registered) != len(set(registered)) or staging.one("count_rows_of", {"table": "source"}) != len(
        registered
    ):
        strange = sorted(set(kept) - set(registered)) or sorted(kept)
        raise broken(f"source {strange[0]} is in the staging file, and the log does not register it once")
    for sheet in SHEETS:
        if stray := staging.rows("stray_rows", {"table": sheet.table}):
            raise broken(f"{stray[0][0]} holds rows of source {stray[0][1]}, which the log does not register")
        if other := staging.rows("rows_of_other_sheets", {"table": sheet.table}, sheet=sheet.name):
            raise broken(f"{sheet.table} holds rows of source {other[0][0]}, which is of another sheet")


def _require_columns(
    staging: Staging,
    fingerprinter: Fingerprinter,
    sheet: str,
    source: Mapping[str, Any],
    detail: Mapping[str, Any],
) -> None:
    source_id, where = source["source_id"], Where(file=detail["file"], sheet=sheet)
    wrong = [name for name, part in _TOLD.items() if source[name] != detail.get(part)]
    wrong += [] if source["sheet"] == sheet else ["sheet"]
    for name in ("rules", "mapping"):
        if told_digest(fingerprinter, source[name]) != detail.get(f"{name}_digest"):
            wrong.append(name)
    mapped = [
        json.loads(text)
        for _, _, of, text in staging.rows("details_of_kind", kind="column.mapped")
        if of == source_id
    ]
    found = [
        {name: part for name, part in column.items() if part is not None}
        for column in json.loads(source["columns"])
    ]
    wrong += [] if mapped == found else ["columns"]
    if wrong:
        raise broken(f"source {source_id}: its {wrong[0]} is not what the log registered", where=where)


def _require_bytes(staging: Staging, source: Mapping[str, Any]) -> None:
    """The blocks follow one another, and give the file's own SHA-256 and the registered root."""
    source_id, where = source["source_id"], Where(file=source["file_name"], sheet=source["sheet"])
    at, kept = 0, staging.rows("blocks_of_source", source_id=source_id)
    for number, (block_no, start, length) in enumerate(kept):
        if block_no != number or start != at:
            raise broken(f"source {source_id}: block {number} is missing or out of its place", where=where)
        at += length
    whole, tree = hashlib.sha256(), Tree()
    for first in range(0, len(kept), _BLOCKS):
        told = staging.rows("data_of_blocks", source_id=source_id, first=first, count=_BLOCKS)
        unpacked = [_unpacked(source_id, where, *block) for block in told]
        tree.extend(leaf_hashes(unpacked))
        for data in unpacked:
            whole.update(data)
    if at != source["size"]:
        raise broken(f"source {source_id}: {at} of its {source['size']} bytes are kept", where=where)
    if whole.hexdigest() != source["sha256"] or tree.root().hex() != source["content_root"]:
        raise broken(
            f"source {source_id}: its kept bytes are not those of the file that was taken in", where=where
        )


def _unpacked(source_id: int, where: Where, block_no: int, length: int, data: bytes) -> bytes:
    with suppress(pa.ArrowException, OSError, ValueError):
        unpacked: bytes = pa.Codec("zstd").decompress(data, decompressed_size=length, asbytes=True)
        if len(unpacked) == length:
            return unpacked
    raise broken(f"source {source_id}: block {block_no} does not unpack", where=where)


def _verify_corrections(staging: Staging, fingerprinter: Fingerprinter) -> int:
    """What people typed in is what the digests in their decisions say, and nothing was added."""
    kept = {
        correction: [row[1:] for row in rows]
        for correction, rows in groupby(staging.rows("corrections_kept"), key=lambda row: row[0])
    }
    told = staging.rows("corrections_told")
    for correction, digest, seq in told:
        cells = kept.pop(correction, None)
        if cells is None or fingerprinter.one(correction_bytes(cells)).hex() != digest:
            what = "is missing" if cells is None else "is not what was typed in"
            raise broken(f"correction {correction}, decided by event {seq}, {what}")
    if kept:
        raise broken(f"correction {min(kept)} was decided by no event")
    return len(told)


def _verify_people(staging: Staging, fingerprinter: Fingerprinter) -> None:
    known = staging.rows("last_snapshot")
    kept = staging.frame("people_kept")
    if not known:
        if kept.height:
            raise broken("the staging file holds people of the tenant, and no event says that they were read")
        return
    if fingerprinter.one(people.lines(kept)).hex() != known[0][0]:
        raise broken("the tenant's own people are not those that the last tenant.snapshotted event tells of")


def _verify_drawn(staging: Staging) -> None:
    """Ids that the tenant's sequences gave, chunk by chunk."""
    told = {
        detail["chunk"]: detail
        for *_, text in staging.rows("details_of_kind", kind="publish.chunk_committed")
        for detail in (json.loads(text),)
    }
    with staging.lent(committed_run=run_frame((chunk, each["rows"]) for chunk, each in told.items())):
        kept = staging.frame("drawn_kept")
    if stray := kept.filter(pl.col("chunk").is_null()).head(1).rows(named=True):
        raise broken(
            "an id is kept for a row that no chunk published",
            where=Where(file=f"source {stray[0]['source_id']}", row=stray[0]["row_no"]),
        )
    by_chunk = {part["chunk"][0]: part for part in kept.partition_by("chunk")}
    for chunk, detail in told.items():
        rows = [by_chunk[chunk].with_columns(pl.col("target_id").cast(pl.Int64))] if chunk in by_chunk else []
        if drawn_digest(rows) != detail.get("drawn"):
            raise broken(
                f"chunk {chunk}: the ids kept for its rows are not those that its event tells of",
                where=Where(sheet=detail["sheet"]),
            )
