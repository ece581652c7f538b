"""A record as it came beside what stager made of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from stager.errors import UsageError
from stager.ingest.rejects import bytes_of
from stager.records import rows_frame, rules_of
from stager.session.persons import TENANT, split_place, tenant_title, tenants_people, title_of
from stager.session.review_views import CellPair, Record
from stager.session.shown_cells import RowCells, as_frame, cells_of_rows
from stager.session.stories import place_of_row
from stager.sheets import PATIENTS, Column, Protection, Sheet
from stager.staging import Staging
from stager.values import CHANGES, normalise

_CALLED = {
    "background": ("name", "onset_date"),
    "notes": ("note_type", "consulted_at"),
    "medications": ("drug_name", "prescribed_on"),
}
"""By what a clinical record is called in a title."""

Pairs = tuple[CellPair, ...]


def record(staging: Staging, place: str, sheet: str, *, subject: str | None = None) -> Record:
    """The record of a row, or what is known of one of the tenant's own people.

    subject: the field that a finding is about. UsageError where there is no such row.
    """
    if place.startswith(TENANT):
        return tenants_record(staging, place)
    row = split_place(place)
    own_sheet, known = place_of_row(staging, *row)
    if own_sheet.name != sheet:
        raise UsageError(
            f"row {place} is of the {own_sheet.name} sheet", hint="name the row by its own sheet"
        )
    pairs = pairs_of_rows(staging, own_sheet, {row}, subject)[row]
    return Record(
        place=place,
        sheet=sheet,
        title=title_of_record(own_sheet, pairs) or f"row {place}",
        file=known["file_name"],
        line=known["line"],
        state=known["state"],
        pairs=pairs,
        raw=None if pairs else _raw(staging, row[0], known),
    )


def tenants_record(staging: Staging, place: str) -> Record:
    """One of the tenant's own people as the snapshot knows them."""
    known = tenants_people(staging, [place]).get(place)
    if known is None:
        raise UsageError(
            "there is no such person of the tenant's", hint="stager reconcile -t SLUG reads them"
        )
    pairs = tuple(
        CellPair(column.field, column.name, None, None, False, known[column.field], (), False, False)
        for column in PATIENTS.columns
        if known.get(column.field) is not None
    )
    return Record(place, PATIENTS.name, tenant_title(known), "", 0, "tenant", pairs)


def pairs_of_rows(
    staging: Staging, sheet: Sheet, rows: Collection[tuple[int, int]], subject: str | None = None
) -> dict[tuple[int, int], Pairs]:
    """Row → its cells in the sheet's order; none where its record could not be parsed."""
    cells = cells_of_rows(staging, sheet, rows_frame(rows), sheet.fields)
    made: dict[tuple[int, int], dict[str, str | None]] = {}
    changed: dict[tuple[int, int, str], str] = {}
    for source_id in sorted({source_id for source_id, _ in cells}):
        rules = rules_of(staging, source_id)
        read = normalise(sheet, as_frame(cells, source_id, sheet.fields), rules)
        for values in read.values.iter_rows(named=True):
            texts = {name: _text(value, rules.timezone) for name, value in values.items()}
            made[values["source_id"], values["row_no"]] = texts
        for source, row_no, field, _, rule in read.changes.iter_rows():
            changed[source, row_no, field] = CHANGES[rule].about
    return {
        row: tuple(
            _pair(column, each, made[row], changed.get((*row, column.field)), subject)
            for column in sheet.columns
            if each.came
        )
        for row, each in cells.items()
    }


def values_of(pairs: Pairs) -> dict[str, str | None]:
    """Field → the value that a reader goes by: as made, else as it stands; None where there is none."""
    return {each.field: each.made if each.made is not None else _standing(each) or None for each in pairs}


def title_of_record(sheet: Sheet, pairs: Pairs) -> str:
    """How a reviewer calls a record: a person by name and birth date, others by what and when."""
    values = values_of(pairs)
    if sheet is PATIENTS:
        return title_of(values)
    return ", ".join(text for name in _CALLED[sheet.name] if (text := values.get(name)))


def _pair(
    column: Column, row: RowCells, made: Mapping[str, str | None], rule: str | None, subject: str | None
) -> CellPair:
    name = column.field
    is_corrected = name in row.typed
    return CellPair(
        field=name,
        column=column.name,
        came=row.came[name],
        corrected=row.typed.get(name),
        is_corrected=is_corrected,
        made=made[name],
        rules=(rule,) if rule else (),
        is_subject=name == subject,
        protected=column.protection is not Protection.OPEN,
    )


def _text(value: object, timezone: str) -> str | None:
    """A value as a reader takes it: moments in the time of the place, with their distance from UTC."""
    if isinstance(value, datetime):
        return value.astimezone(ZoneInfo(timezone)).isoformat(" ", "minutes")
    return None if value is None else str(value)


def _standing(pair: CellPair) -> str:
    return ((pair.corrected if pair.is_corrected else pair.came) or "").strip()


def _raw(staging: Staging, source_id: int, known: Mapping[str, Any]) -> str:
    """A record that could not be parsed, as far as it is text; undecodable bytes as \\xNN."""
    came = bytes_of(staging, source_id, known["byte_start"], known["byte_len"])
    return came.decode(known["encoding"], "backslashreplace").rstrip("\r\n")
