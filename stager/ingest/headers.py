"""Headers: which sheet a file is, and which of its columns are ours.

A header claims a column of a sheet by, strongest first: the mapping profile, its name (to the letter, or
folded), an alias. The strongest claim has the column; a weaker one leaves its header unknown, and unknown
columns are kept. Two claims of one strength are a duplicated header and refuse the file.

The sheet is the one whose required columns are all there. Where several are, the one with more names to
the letter, then with more columns; where that does not tell either, the file is refused and `--sheet`
asked for.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping as Table
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from stager.errors import InputRefused, Where
from stager.ingest.mapping import Mapping
from stager.sheets import SHEET, SHEETS, Column, Sheet, fold_header

MOST_COLUMNS = 1000
_NEAR, _SURE = 0.6, 0.8
"""How like a header must be to be shown as the nearest: one that may be a patient's cell, more so."""


class How(StrEnum):
    """How a header was matched."""

    EXACT = "exact"
    FOLDED = "folded"
    ALIAS = "alias"
    MAPPING = "mapping"
    UNKNOWN = "unknown"


_STRENGTH = {How.ALIAS: 1, How.FOLDED: 2, How.EXACT: 2, How.MAPPING: 3}


class ColumnMatch(Struct, frozen=True):
    """One column of the file: its header as it came, its place from 0, the sheet's field or None, and how."""

    header: str
    position: int
    field: str | None
    how: How


class SheetMatch(Struct, frozen=True):
    """How one sheet fits a file's headers.

    missing: required columns that neither a header nor a constant gives. clash: headers that claim one
    column.
    """

    sheet: Sheet
    columns: tuple[ColumnMatch, ...]
    missing: tuple[Column, ...]
    clash: tuple[str, ...]

    @property
    def matched(self) -> int:
        return sum(column.field is not None for column in self.columns)

    @property
    def is_strange(self) -> bool:
        """Whether next to nothing of the header is the sheet's: no column, or one by an alias alone."""
        known = [column.how for column in self.columns if column.field is not None]
        return not known or known == [How.ALIAS]

    @property
    def rank(self) -> tuple[int, int]:
        exact = sum(column.how in (How.EXACT, How.MAPPING) for column in self.columns)
        return exact, self.matched


def recognise(
    by_delimiter: Table[str, Sequence[str]], sheet_name: str | None, mapping: Mapping | None, where: Where
) -> tuple[str, SheetMatch]:
    """The delimiter and the sheet under which the header is one of ours.

    by_delimiter: each delimiter that may be the file's → the header's cells under it. sheet_name:
    `--sheet`. Raises InputRefused for a header of no sheet, of several, with duplicates or with too many
    columns.
    """
    sheets = _sheets(sheet_name, mapping, where)
    if max(map(len, by_delimiter.values())) > MOST_COLUMNS:
        raise InputRefused(
            f"the file has more than {MOST_COLUMNS:,} columns",
            where=where,
            hint="export the columns of one sheet; `stager sheets` lists them",
        )
    found = {
        delimiter: [match_sheet(headers, sheet, mapping) for sheet in sheets]
        for delimiter, headers in by_delimiter.items()
    }
    whole = {delimiter: [m for m in matches if not m.missing] for delimiter, matches in found.items()}
    if not any(whole.values()):
        raise _not_a_sheet(found, mapping, where)
    delimiter = max(whole, key=lambda d: max((m.matched for m in whole[d]), default=0))
    chosen = _one_of(whole[delimiter], where)
    _refuse_duplicates(by_delimiter[delimiter], chosen, where)
    _refuse_unused(by_delimiter[delimiter], chosen, mapping, where)
    return delimiter, chosen


def _sheets(sheet_name: str | None, mapping: Mapping | None, where: Where) -> tuple[Sheet, ...]:
    if sheet_name is not None and sheet_name not in SHEET:
        raise InputRefused(
            "there is no sheet of that name", where=where, hint=f"--sheet is one of {', '.join(SHEET)}"
        )
    told = mapping.sheet if mapping else None
    if sheet_name and told and sheet_name != told:
        raise InputRefused(
            f"--sheet says {sheet_name} and the mapping {mapping.name if mapping else ''} is for {told}",
            where=where,
            hint="use the mapping of that sheet",
        )
    name = sheet_name or told
    return (SHEET[name],) if name else SHEETS


def match_sheet(headers: Sequence[str], sheet: Sheet, mapping: Mapping | None) -> SheetMatch:
    """Which of the headers are columns of this sheet."""
    claims = [_claim(header, sheet, mapping) for header in headers]
    strongest: dict[str, int] = {}
    for field, how in claims:
        if field:
            strongest[field] = max(strongest.get(field, 0), _STRENGTH[how])
    columns = tuple(
        ColumnMatch(header, place, field, how)
        if field and strongest.get(field) == _STRENGTH[how]
        else ColumnMatch(header, place, None, How.UNKNOWN)
        for place, (header, (field, how)) in enumerate(zip(headers, claims, strict=True))
    )
    given = Counter(column.field for column in columns if column.field)
    twice = next((field for field, times in given.items() if times > 1), None)
    return SheetMatch(
        sheet,
        columns,
        missing=tuple(
            column
            for column in sheet.required
            if column.field not in given and not (mapping and mapping.gives(column))
        ),
        clash=tuple(column.header for column in columns if twice and column.field == twice),
    )


def _claim(header: str, sheet: Sheet, mapping: Mapping | None) -> tuple[str | None, How]:
    name, folded = header.strip(), fold_header(header)
    mapped = mapping.column_for(sheet, header) if mapping else None
    if mapped:
        return mapped.field, How.MAPPING
    tests = (
        (How.EXACT, lambda column: name == column.name),
        (How.FOLDED, lambda column: folded == fold_header(column.name)),
        (How.ALIAS, lambda column: folded in map(fold_header, column.aliases)),
    )
    for how, holds in tests:
        for column in sheet.columns:
            if folded and holds(column):
                return column.field, how
    return None, How.UNKNOWN


def _one_of(matches: list[SheetMatch], where: Where) -> SheetMatch:
    best = max(match.rank for match in matches)
    top = [match for match in matches if match.rank == best]
    if len(top) > 1:
        raise InputRefused(
            f"the header fits several sheets: {', '.join(match.sheet.name for match in top)}",
            where=where,
            hint="say which one with --sheet",
        )
    return top[0]


def _refuse_duplicates(headers: Sequence[str], chosen: SheetMatch, where: Where) -> None:
    trimmed = Counter(header.strip() for header in headers if header.strip())
    twice = chosen.clash or tuple(header for header, times in trimmed.items() if times > 1)
    if twice:
        column = next((c.field for c in chosen.columns if c.field and c.header == twice[0]), None)
        meant = f", each meaning {chosen.sheet.column(column).name}" if column else ""
        raise InputRefused(
            f"the header has a column twice: {', '.join(_shown(header) for header in twice)}{meant}",
            where=where,
            hint="rename or remove one of them, or choose one with a --mapping profile",
        )


def _refuse_unused(headers: Sequence[str], chosen: SheetMatch, mapping: Mapping | None, where: Where) -> None:
    """A profile made for one sheet that names a header the file has not: a column would be lost unseen."""
    if mapping and (refusal := _unused(headers, chosen, mapping, where)):
        raise refusal


def _unused(headers: Sequence[str], match: SheetMatch, mapping: Mapping, where: Where) -> InputRefused | None:
    """What to say of the profile's first name that is no header of the file.

    A profile for any sheet serves several files: its names count where they stand for a missing column.
    """
    folded = {fold_header(header): header for header in headers}
    missing = {column.name for column in match.missing}
    for theirs, ours in mapping.columns.items():
        if fold_header(theirs) not in folded and (mapping.sheet or ours in missing):
            near = difflib.get_close_matches(
                fold_header(theirs), folded, n=1, cutoff=_SURE if match.is_strange else _NEAR
            )
            return InputRefused(
                f"the mapping {mapping.name} names a column that the file has not: {_shown(theirs)}",
                where=where,
                hint=f"nearest header seen: {_shown(folded[near[0]])}" if near else "correct the mapping",
            )
    return None


def _not_a_sheet(found: Table[str, list[SheetMatch]], mapping: Mapping | None, where: Where) -> InputRefused:
    """What the nearest sheet lacks, or what each sheet needs where none is near.

    A file without a header line has a patient's cells where the headers should be: then nothing seen is
    shown.
    """
    matches = [match for matches in found.values() for match in matches]
    nearest = max(matches, key=lambda m: (m.matched, -len(m.missing), len(m.columns)))
    tried = {match.sheet.name: match.sheet for match in matches}
    expected = "; ".join(map(_needs, tried.values() if nearest.is_strange else [nearest.sheet]))
    headers = [column.header for column in nearest.columns]
    is_record = any(re.search("[0-9]{4}", header) for header in headers)
    unused = _unused(headers, nearest, mapping, where) if mapping else None
    if unused and not (is_record and nearest.is_strange):
        return unused
    if is_record:
        return InputRefused(
            "the first line looks like a record, not like the header of a sheet",
            where=where,
            hint=f"the first line must be the header, which names the columns: {expected}",
        )
    if nearest.is_strange and len(tried) > 1:
        required = {column.name: column for sheet in tried.values() for column in sheet.required}
        wanted = tuple(required.values())
        message = f"the header is that of none of the sheets {', '.join(tried)}"
        expected = f"the first line must be the header, which names the columns: {expected}"
    else:
        wanted = nearest.missing
        lacks = ", ".join(column.name for column in wanted)
        message = f"the header lacks required columns of the sheet {nearest.sheet.name}: {lacks}"
    near = [text for column in wanted if (text := _nearest_header(column, nearest))]
    return InputRefused(
        message, where=where, hint="; ".join([expected, *near, "a --mapping profile can name them"])
    )


def _needs(sheet: Sheet) -> str:
    return f"{sheet.name} needs the columns {', '.join(column.name for column in sheet.required)}"


def _nearest_header(column: Column, match: SheetMatch) -> str | None:
    """The header that may mean this column; under a strange header only one that hardly is a cell."""
    free = {fold_header(c.header): c.header for c in match.columns if c.field is None}
    names = (column.name,) if match.is_strange else (column.name, *column.aliases)
    cutoff = _SURE if match.is_strange else 0.7
    for name in names:
        near = difflib.get_close_matches(fold_header(name), free, n=1, cutoff=cutoff)
        if near:
            return f"nearest header to {column.name} seen: {_shown(free[near[0]])}"
    return None


def _shown(header: str) -> str:
    """A header for a message: one line, no control characters, not long."""
    plain = "".join(char if char.isprintable() else "·" for char in header.strip())
    return f'"{plain[:60]}{"…" if len(plain) > 60 else ""}"'
