"""Reading a target profile's TOML: each key's meaning, what is filled in where a key is left out.

What must hold between columns, tables and sheets is in `profile_rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from stager.errors import UsageError
from stager.sheets import SHEET, SHEETS, Column, Kind, Protection, Sheet
from stager.tenant.profile import (
    Condition,
    Constant,
    Derived,
    IdKind,
    Profile,
    Protect,
    Source,
    TargetColumn,
    TargetTable,
)
from stager.tenant.profile_rules import check_column, check_profile
from stager.tenant.toml_files import (
    Toml,
    flag_of,
    read_toml,
    refuse_unknown,
    suggestion,
    table_of,
    text_of,
    texts_of,
)

_TOP_KEYS = ("name", "format", "tables")
_TABLE_KEYS = ("sheet", "table", "when", "id", "columns", "left_out", "bulk_load")
_ID_KEYS = ("column", "kind", "sequence")
_SOURCES = tuple(source.value for source in Source)
_COLUMN_KEYS = (*_SOURCES, "type", "protect", "values", "absent", "nullable", "unique")

_NATURAL_TYPE = {Kind.DATE: "date", Kind.MOMENT: "timestamptz", Kind.QUANTITY: "integer"}
_SEALED_TYPE = {Protect.AES_256_GCM: "bytea", Protect.FERNET: "text"}

Word = TypeVar("Word", bound=Enum)


def load_profile(name_or_path: str | Path) -> Profile:
    """See `Profile.load`."""
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(".toml") or "/" in text:
        path = Path(name_or_path)
        return read_profile(read_toml(path), path.name, path.stem)
    folder = Path(__file__).parent / "profiles"
    built_in = sorted(path.stem for path in folder.glob("*.toml"))
    if text not in built_in:
        raise UsageError(
            f"there is no target profile {text!r}",
            hint=f"built in: {', '.join(built_in)}; or the path of a .toml file",
        )
    path = folder / f"{text}.toml"
    return read_profile(read_toml(path), path.name, text)


def read_profile(document: Toml, place: str, name: str) -> Profile:
    """The profile that a TOML document declares; UsageError where it cannot be.

    place: how messages call the document. name: the profile's where the document gives none.
    """
    refuse_unknown(document, _TOP_KEYS, place)
    form = _word(document, "format", place, Protect, Protect.AES_256_GCM)
    if form is Protect.NONE:
        raise UsageError(f"{place}: format says how protected columns are sealed; it cannot be none")
    given = document.get("tables", [])
    if not isinstance(given, list) or not all(isinstance(table, dict) for table in given):
        raise UsageError(f"{place}: tables must be written as [[tables]]")
    people_ids = _people_ids(given, place)
    tables = [_table(table, place, form, people_ids) for table in given]
    order = [sheet.name for sheet in SHEETS]
    tables.sort(key=lambda table: order.index(table.sheet))
    profile = Profile(name=text_of(document, "name", place, name), format=form, tables=tuple(tables))
    check_profile(profile, place)
    return profile


def _people_ids(tables: list[Toml], place: str) -> IdKind:
    """The id kind of the people's table: every other table's references have its type."""
    for table in tables:
        if table.get("sheet") == "patients":
            return _word(table_of(table, "id", place), "kind", place, IdKind, IdKind.UUID)
    raise UsageError(f"{place}: no table takes the sheet patients")


def _table(given: Toml, place: str, form: Protect, people_ids: IdKind) -> TargetTable:
    name = text_of(given, "table", f"{place} [[tables]]")
    place = f"{place}, table {name}"
    refuse_unknown(given, _TABLE_KEYS, place)
    sheet_name = text_of(given, "sheet", place)
    if sheet_name not in SHEET:
        raise UsageError(f"{place}: there is no sheet {sheet_name!r}", hint=suggestion(sheet_name, SHEET))
    sheet = SHEET[sheet_name]
    id_ = table_of(given, "id", place)
    refuse_unknown(id_, _ID_KEYS, f"{place}, id")
    id_column = text_of(id_, "column", f"{place}, id", "id")
    id_kind = _word(id_, "kind", f"{place}, id", IdKind, IdKind.UUID)
    columns = table_of(given, "columns", place)
    return TargetTable(
        sheet=sheet.name,
        table=name,
        when=_condition(table_of(given, "when", place), sheet, place),
        id_column=id_column,
        id_kind=id_kind,
        sequence=_sequence(id_, id_kind, f"{name}_{id_column}_seq", place),
        columns=tuple(
            _column(key, value, sheet, f"{place}, column {key}", form=form, people_ids=people_ids)
            for key, value in columns.items()
        ),
        left_out=tuple(
            _field(field, sheet, f"{place}, left_out").field for field in texts_of(given, "left_out", place)
        ),
        bulk_load=flag_of(given, "bulk_load", place, default=False),
    )


def _sequence(id_: Toml, kind: IdKind, usual: str, place: str) -> str | None:
    """Postgres names a serial's or an identity's sequence after its table and column."""
    if kind is IdKind.SEQUENCE:
        return text_of(id_, "sequence", f"{place}, id", usual)
    if "sequence" in id_:
        raise UsageError(f'{place}, id: a sequence goes with kind = "sequence"')
    return None


def _condition(given: Toml, sheet: Sheet, place: str) -> Condition | None:
    if not given:
        return None
    if len(given) != 1:
        raise UsageError(f"{place}: when names one field")
    [(name, words)] = given.items()
    column = _field(name, sheet, f"{place}, when")
    listed = [words] if isinstance(words, str) else words
    if not isinstance(listed, list) or not listed or not set(listed) <= set(column.vocabulary):
        raise UsageError(
            f"{place}, when: {name} must be words of its vocabulary", hint=", ".join(column.vocabulary)
        )
    return Condition(field=column.field, words=tuple(listed))


def _column(
    name: str, given: Any, sheet: Sheet, place: str, *, form: Protect, people_ids: IdKind
) -> TargetColumn:
    """One column; a bare text is the field that it holds."""
    table: Toml = {"field": given} if isinstance(given, str) else given
    if not isinstance(table, Mapping):
        raise UsageError(f"{place}: must be a field's name or a table")
    refuse_unknown(table, _COLUMN_KEYS, place)
    sources = [key for key in _SOURCES if key in table]
    if len(sources) != 1:
        raise UsageError(f"{place}: exactly one of {', '.join(_SOURCES)} says where its values come from")
    source = Source(sources[0])
    field = _field(text_of(table, "field", place), sheet, place) if source is Source.FIELD else None
    indexed = _field(text_of(table, "index_of", place), sheet, place) if source is Source.INDEX_OF else None
    derived = _derived(table, sheet, place) if source is Source.DERIVED else None
    protected_by_default = field is not None and field.protection is not Protection.OPEN
    protect = _word(table, "protect", place, Protect, form if protected_by_default else Protect.NONE)
    column = TargetColumn(
        name=name,
        type=text_of(table, "type", place, _usual_type(field, derived, source, protect, people_ids)),
        source=source,
        field=field.field if field else None,
        derived=derived,
        constant=_constant(table, "constant", place),
        index_of=indexed.field if indexed else None,
        protect=protect,
        values=_values(table_of(table, "values", place), place),
        absent=_constant(table, "absent", place),
        nullable=flag_of(table, "nullable", place, default=_usually_nullable(field, derived, source, table)),
        unique=flag_of(table, "unique", place, default=False),
    )
    check_column(column, sheet, said_protect="protect" in table, place=place)
    return column


def _usual_type(
    field: Column | None, derived: Derived | None, source: Source, protect: Protect, people_ids: IdKind
) -> str:
    if protect is not Protect.NONE:
        return _SEALED_TYPE[protect]
    if source is Source.INDEX_OF:
        return "bytea"
    if derived is not None and derived.is_person:
        return people_ids.type
    return _NATURAL_TYPE.get(field.kind, "text") if field else "text"


def _usually_nullable(field: Column | None, derived: Derived | None, source: Source, given: Toml) -> bool:
    """Not where the sheet always has a value, or the profile gives one."""
    if "absent" in given or source is Source.CONSTANT:
        return False
    if field is not None:
        return not (field.required or field.default is not None)
    return source is Source.INDEX_OF or derived is Derived.PRACTITIONER


def _field(name: str, sheet: Sheet, place: str) -> Column:
    if name not in sheet.fields:
        raise UsageError(
            f"{place}: the sheet {sheet.name} has no field {name!r}", hint=suggestion(name, sheet.fields)
        )
    return sheet.column(name)


def _derived(given: Toml, sheet: Sheet, place: str) -> Derived:
    derived = _word(given, "derived", place, Derived, None)
    if not set(derived.fields) <= set(sheet.fields):
        raise UsageError(f"{place}: {derived.value} cannot be made from the sheet {sheet.name}")
    return derived


def _word(given: Toml, key: str, place: str, words: type[Word], default: Word | None) -> Word:
    known = {word.value: word for word in words}
    text = text_of(given, key, place, default.value if default else None)
    if text not in known:
        raise UsageError(f"{place}: {key} {text!r} is not known", hint=suggestion(text, known))
    return known[text]


def _constant(given: Toml, key: str, place: str) -> Constant | None:
    value = given.get(key)
    if value is None or isinstance(value, str | int | bool | date):
        if not isinstance(value, datetime) or value.tzinfo is not None:
            return value
        raise UsageError(f"{place}: {key} must be a moment with its offset, e.g. 2026-01-01T00:00:00Z")
    raise UsageError(f"{place}: {key} must be a text, a whole number, true or false, a date or a moment")


def _values(given: Toml, place: str) -> tuple[tuple[str, Constant], ...]:
    pairs = []
    for word in given:
        value = _constant(given, word, f"{place}, values")
        assert value is not None  # TOML has no null
        pairs.append((word, value))
    return tuple(pairs)
