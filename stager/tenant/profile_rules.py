"""What must hold in a target profile, so that no value is dropped, left open or put where it cannot be.

Each rule raises UsageError with the place and what to write instead.
"""

from __future__ import annotations

import re
from datetime import date, datetime

from stager.errors import UsageError
from stager.sheets import SHEET, SHEETS, Kind, Protection, Sheet
from stager.tenant.profile import (
    Constant,
    Derived,
    IdKind,
    Profile,
    Protect,
    Source,
    TargetColumn,
    TargetTable,
)

TEXT_TYPES = ("text", "varchar")
_WHOLE_NUMBERS = ("smallint", "integer", "bigint")
_PLAIN_TYPES = (*TEXT_TYPES, *_WHOLE_NUMBERS, "boolean", "date", "timestamptz", "bytea", "uuid")
_TYPE = re.compile(rf"(?:{'|'.join(_PLAIN_TYPES)})|varchar\([1-9]\d*\)")

_HOLDS_SEALED = {Protect.AES_256_GCM: ("bytea",), Protect.FERNET: ("text", "bytea")}
_HOLDS_KIND = {
    Kind.DATE: ("date", *TEXT_TYPES),
    Kind.MOMENT: ("timestamptz",),
    Kind.QUANTITY: (*_WHOLE_NUMBERS, *TEXT_TYPES),
}


def check_column(column: TargetColumn, sheet: Sheet, *, said_protect: bool, place: str) -> None:
    """The rules of one column by itself.

    said_protect: whether the profile wrote `protect`, rather than leaving it to the sheet.
    """
    if not _TYPE.fullmatch(column.type):
        raise UsageError(f"{place}: type {column.type!r} is not known", hint=", ".join(_PLAIN_TYPES))
    _check_protection(column, sheet, said_protect=said_protect, place=place)
    _check_holds(column, sheet, place)
    _check_values(column, sheet, place)
    if column.field is not None and sheet.column(column.field).kind is Kind.PATIENT:
        raise UsageError(
            f"{place}: a patient reference may be an NHS number and is never written",
            hint='derived = "patient" writes the id of the patient it was linked to',
        )
    if column.index_of is not None:
        if sheet.column(column.index_of).protection is not Protection.ENCRYPTED_INDEXED:
            raise UsageError(
                f"{place}: {column.index_of} may have no blind index",
                hint="a field of few values is given away by one",
            )
        if column.type != "bytea":
            raise UsageError(f"{place}: a blind index is 16 bytes, so its type is bytea")


def _check_protection(column: TargetColumn, sheet: Sheet, *, said_protect: bool, place: str) -> None:
    if column.protect is Protect.NONE:
        return
    if column.field is None and column.derived not in (Derived.USERNAME, Derived.DRUG):
        raise UsageError(f"{place}: ids, constants and blind indexes cannot be protected")
    if column.values or column.absent is not None or column.unique:
        raise UsageError(f"{place}: a protected column can have no values, absent or unique")
    holders = _HOLDS_SEALED[column.protect]
    if column.type in holders:
        return
    why = "" if said_protect or not column.field else f" ({column.field} is protected by default)"
    raise UsageError(
        f"{place}: type {column.type} cannot hold {column.protect.value}{why}",
        hint=f'type = "{holders[0]}", or protect = "none" to leave it open for everyone who reads the table',
    )


def _check_holds(column: TargetColumn, sheet: Sheet, place: str) -> None:
    """The type can hold what the column's source gives."""
    if column.protect is not Protect.NONE or column.source is Source.INDEX_OF:
        return
    if column.constant is not None:
        _check_fits(column.constant, column, f"{place}, constant")
        return
    if column.absent is not None:
        _check_fits(column.absent, column, f"{place}, absent")
    if column.derived is not None and column.derived.is_person:
        allowed: tuple[str, ...] = tuple(kind.type for kind in IdKind)
    elif column.field is not None and not column.values:
        allowed = _HOLDS_KIND.get(sheet.column(column.field).kind, TEXT_TYPES)
    elif column.values:
        allowed = (*TEXT_TYPES, *_WHOLE_NUMBERS, "boolean")
    else:
        allowed = TEXT_TYPES
    if column.base_type not in allowed:
        raise UsageError(
            f"{place}: type {column.type} cannot hold its values", hint=f"one of {', '.join(allowed)}"
        )


def _check_fits(value: Constant, column: TargetColumn, place: str) -> None:
    fits: dict[str, type] = {
        **dict.fromkeys(TEXT_TYPES, str),
        **dict.fromkeys(_WHOLE_NUMBERS, int),
        "boolean": bool,
        "date": date,
        "timestamptz": datetime,
    }
    # By the exact type: to Python a bool is an int and a moment is a date.
    if type(value) is not fits.get(column.base_type):
        raise UsageError(f"{place}: does not fit the type {column.type}")


def _check_values(column: TargetColumn, sheet: Sheet, place: str) -> None:
    if not column.values:
        return
    vocabulary = sheet.column(column.field).vocabulary if column.field else ()
    if not vocabulary:
        raise UsageError(f"{place}: values go with a field that has a vocabulary")
    mapped = dict(column.values)
    if missing := [word for word in vocabulary if word not in mapped]:
        raise UsageError(f"{place}: values says nothing of {', '.join(missing)}")
    # A tenant's own list may add roles; every other vocabulary is closed.
    if column.field != "role" and (extra := [word for word in mapped if word not in vocabulary]):
        raise UsageError(f"{place}: values has {', '.join(extra)}, which the sheet never holds")
    for word, value in column.values:
        _check_fits(value, column, f"{place}, values, {word}")


def check_profile(profile: Profile, place: str) -> None:
    """The rules between columns and between tables."""
    names = [table.table for table in profile.tables]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"{place}: two tables are named {', '.join(sorted(twice))}")
    if len(profile.tables_of("patients")) != 1:
        raise UsageError(f"{place}: people stand in one table", hint='one [[tables]] with sheet = "patients"')
    for sheet in SHEETS:
        _check_sheet(profile, sheet, place)
    for table in profile.tables:
        _check_table(table, profile, f"{place}, table {table.table}")


def _check_sheet(profile: Profile, sheet: Sheet, place: str) -> None:
    """Each row of the sheet goes to exactly one table."""
    tables = profile.tables_of(sheet.name)
    if not tables:
        raise UsageError(f"{place}: no table takes the sheet {sheet.name}")
    conditions = [table.when for table in tables if table.when]
    if not conditions and len(tables) == 1:
        return
    fields = {condition.field for condition in conditions}
    if len(conditions) != len(tables) or len(fields) != 1:
        raise UsageError(f"{place}: the tables of the sheet {sheet.name} must each have a when, on one field")
    words = sorted(word for condition in conditions for word in condition.words)
    if words != sorted(sheet.column(fields.pop()).vocabulary):
        raise UsageError(
            f"{place}: the tables of the sheet {sheet.name} must take each word of when exactly once"
        )


def _check_table(table: TargetTable, profile: Profile, place: str) -> None:
    if table.id_column in {column.name for column in table.columns}:
        raise UsageError(f"{place}: {table.id_column} is the id column and stager's to fill")
    derived = {column.derived for column in table.columns}
    if table.sheet != "patients" and Derived.PATIENT not in derived:
        raise UsageError(f"{place}: no column holds the patient", hint='patient_id = { derived = "patient" }')
    person = profile.people.id_kind.type
    for column in table.columns:
        if column.derived and column.derived.is_person and column.type != person:
            raise UsageError(f"{place}, column {column.name}: refers to a person, whose id is {person}")
    _check_nothing_dropped(table, place)
    _check_nothing_leaks(table, place)


def _check_nothing_dropped(table: TargetTable, place: str) -> None:
    written = {column.field for column in table.columns if column.field}
    written |= {field for column in table.columns if column.derived for field in _wholly(column.derived)}
    written |= {table.when.field} if table.when else set()
    dropped = [f for f in SHEET[table.sheet].fields if f not in written and f not in table.left_out]
    if dropped:
        raise UsageError(
            f"{place}: nothing holds {', '.join(dropped)}",
            hint="give each a column, or name it in left_out to leave it unwritten",
        )


def _wholly(derived: Derived) -> tuple[str, ...]:
    """The fields that can be read back from a derived value; a username holds one of two."""
    return () if derived is Derived.USERNAME else derived.fields


def _check_nothing_leaks(table: TargetTable, place: str) -> None:
    """A field sealed in one column must not stand open in another that is made from it."""
    sealers = [column for column in table.columns if column.protect is not Protect.NONE]
    sealed = {field for column in sealers for field in _read_by(column)}
    for column in table.columns:
        open_copy = column.protect is Protect.NONE and column.source is not Source.INDEX_OF
        if open_copy and (shown := sorted(sealed & set(_read_by(column)))):
            raise UsageError(
                f"{place}, column {column.name}: shows {', '.join(shown)}, sealed in another column"
            )


def _read_by(column: TargetColumn) -> tuple[str, ...]:
    if column.field:
        return (column.field,)
    return column.derived.fields if column.derived else ()
