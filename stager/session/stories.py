"""One row's story, from its file's bytes to the tenant, without its values; and these when asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from stager import sql
from stager.errors import UsageError, Where
from stager.event_log import EventLog
from stager.ingest.rejects import bytes_of
from stager.projections import standing
from stager.records import rows_frame, slices
from stager.row_ids import row_id
from stager.session.views import (
    CellChange,
    ChunkStory,
    EventLine,
    LinkStory,
    RowCell,
    RowStory,
    RowValues,
    iso,
)
from stager.sheets import SHEET, Sheet, State
from stager.staging import Staging
from stager.values.verdicts import CHANGES

_CHANGES = ("value.normalised", "value.defaulted")


def story(staging: Staging, source_id: int, row_no: int) -> RowStory:
    """Where a row came from and every event about it."""
    sheet, place = place_of_row(staging, source_id, row_no)
    slug = standing(staging, "tenant")
    target = place["target_id"]
    if target is None and place["state"] == State.PUBLISHED.value and slug:
        target = str(row_id(slug, sheet.name, place["sha256"], row_no))
    events = tuple(
        EventLine(seq, iso(at), actor, kind, json.loads(detail))
        for seq, at, actor, kind, detail in staging.rows("events_of_row", source_id=source_id, row_no=row_no)
    )
    return RowStory(
        sheet=sheet.name,
        source_id=source_id,
        row=row_no,
        **{name: place[name] for name in ("state", "sha256", "encoding", "line", "byte_start", "byte_len")},
        file=place["file_name"],
        target_id=target,
        link=_link(staging, source_id, row_no, place),
        changes=_changes(sheet, events),
        approval=next((each for each in events if each.seq == place["approval_seq"]), None),
        chunk=_chunk(events, place["chunk_seq"]),
        events=events,
    )


def values(staging: Staging, log: EventLog, source_id: int, row_no: int, field: str | None) -> RowValues:
    """The row's cells and bytes, or one cell with its record; the event that says so is appended first."""
    sheet, place = place_of_row(staging, source_id, row_no)
    seq = log.append(
        "values.shown",
        {"rows": f"{source_id}:{row_no}", "field": field},
        sheet=sheet.name,
        source_id=source_id,
    )
    record = b"" if field else bytes_of(staging, source_id, place["byte_start"], place["byte_len"])
    fields = sheet.fields if field is None else (field,)
    return RowValues(seq, record, _cells(staging, sheet, source_id, row_no, fields))


def place_of_row(staging: Staging, source_id: int, row_no: int) -> tuple[Sheet, dict[str, Any]]:
    """A row's sheet, and where it stands: in its file, in its state, with its links. UsageError for none."""
    sheet = staging.rows("sheet_of_source", source_id=source_id)
    found = (
        staging.frame(
            "place_of_row", {"table": SHEET[sheet[0][0]].table}, source_id=source_id, row_no=row_no
        ).to_dicts()
        if sheet
        else []
    )
    if not found:
        raise UsageError(
            "there is no such row",
            where=Where(sheet=sheet[0][0] if sheet else None, row=row_no),
            hint="stager rows lists them",
        )
    return SHEET[sheet[0][0]], found[0]


def _link(staging: Staging, source_id: int, row_no: int, place: dict[str, Any]) -> LinkStory | None:
    if place["patient"] is None and place["practitioner"] is None:
        return None
    link = (place["patient"], place["practitioner"], place["via"])
    decided = staging.rows("decided_link", source_id=source_id, row_no=row_no)
    if place["via"] != "decision" or not decided:
        return LinkStory(*link)
    seq, by, reason = decided[0]
    return LinkStory(*link, by=by, reason=reason, seq=seq)


def _changes(sheet: Sheet, events: Sequence[EventLine]) -> tuple[CellChange, ...]:
    found = []
    for each in events:
        if each.kind in _CHANGES:
            field, rule = str(each.detail["field"]), str(each.detail["rule"])
            meaning = CHANGES[rule].about if rule in CHANGES else ""
            found.append(CellChange(field, sheet.column(field).name, each.kind, rule, meaning, each.seq))
    return tuple(found)


def _chunk(events: Sequence[EventLine], seq: int | None) -> ChunkStory | None:
    for each in events:
        if each.seq == seq:
            detail: dict[str, Any] = each.detail
            return ChunkStory(detail["run"], detail["chunk"], detail["digest"], each.seq, each.at)
    return None


def _cells(
    staging: Staging, sheet: Sheet, source_id: int, row_no: int, fields: Sequence[str]
) -> tuple[RowCell, ...]:
    """The cells of a row; none where its record could not be parsed."""
    came = staging.frame(
        "cells_of_row",
        {"table": sheet.table, "fields": sql.identifiers(fields)},
        source_id=source_id,
        row_no=row_no,
    )
    if came.is_empty():
        return ()
    with staging.lent(told_row=rows_frame([(source_id, row_no)])):
        part = next(slices(staging, sheet, fields=fields, among="told_row"))
    published = part.normalised(fields).values
    found = []
    for name in fields:
        as_it_came, as_it_stands, value = came[name][0], part.cells[name][0], published[name][0]
        changed = as_it_stands != as_it_came
        found.append(
            RowCell(
                field=name,
                column=sheet.column(name).name,
                came=as_it_came,
                corrected=as_it_stands if changed else None,
                is_corrected=changed,
                published=None if value is None else str(value),
            )
        )
    return tuple(found)
