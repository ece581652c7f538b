"""A mapping profile: what a practice's export calls things, told in a TOML file and kept with the
migration.

    sheet = "patients"                  # optional: the sheet that it is for
    date_format = "%d/%m/%Y"            # how its dates are written; without it the sheets' ISO form
    datetime_format = "%d/%m/%Y %H:%M"
    timezone = "Europe/London"
    synthetic = true                    # made-up people: NHS numbers of the test range are in order

    [columns]                           # "their header" = "our column"
    "Pt Ref" = "LegacyPatientID"
    [synonyms.Gender]                   # "their word" = "our word"
    "1" = "MALE"
    [constants]                         # our column = its value where the file has none
    "Role" = "PATIENT"
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Collection, Iterable
from collections.abc import Mapping as Table
from datetime import date
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct, field

from stager.errors import UsageError, Where
from stager.sheets import SHEET, SHEETS, Column, Kind, Sheet, fold_header, fold_word
from stager.values import Rules

_KEYS = (
    "sheet",
    "columns",
    "date_format",
    "datetime_format",
    "timezone",
    "synthetic",
    "synonyms",
    "constants",
)
_ONE_PERSONS = (Kind.IDENTIFIER, Kind.PATIENT, Kind.NHS_NUMBER, Kind.EMAIL)


class Mapping(Struct, frozen=True):
    """A mapping profile, read and checked.

    name: its file's name. sheet: the sheet it is for, None for any. columns: their header → our column's
    name. synonyms: our column's name → their word → our word. constants: our column's name → its value
    where a cell is blank or the column absent. date_format, datetime_format: strptime. timezone: IANA
    name. synthetic: the people are made up.
    """

    name: str
    sheet: str | None = None
    columns: Table[str, str] = field(default_factory=dict)
    date_format: str | None = None
    datetime_format: str | None = None
    timezone: str | None = None
    synthetic: bool = False
    synonyms: Table[str, Table[str, str]] = field(default_factory=dict)
    constants: Table[str, str] = field(default_factory=dict)

    def column_for(self, sheet: Sheet, header: str) -> Column | None:
        """The column of the sheet that this header is mapped to: to the letter, else folded."""
        for key in (str.strip, fold_header):
            for theirs, ours in self.columns.items():
                if key(theirs) == key(header) and key(header) and (column := _named(sheet, ours)):
                    return column
        return None

    def gives(self, column: Column) -> bool:
        """Whether a constant stands for this column where the file has none."""
        return column.name in self.constants

    def constants_for(self, sheet: Sheet) -> dict[str, str]:
        """The sheet's constants by field. Raises UsageError for a word that this sheet does not know."""
        return {
            column.field: _checked(column, value, self._where(sheet))
            for ours, value in self.constants.items()
            if (column := _named(sheet, ours))
        }

    def synonyms_for(self, sheet: Sheet) -> dict[str, dict[str, str]]:
        """The sheet's synonyms: field → folded word → word of the vocabulary. Raises UsageError as above."""
        return {
            column.field: {
                fold_word(theirs): _checked(column, word, self._where(sheet))
                for theirs, word in words.items()
            }
            for ours, words in self.synonyms.items()
            if (column := _named(sheet, ours))
        }

    def require_fit(self, sheet: Sheet) -> None:
        """Raises UsageError where a synonym or a constant is no word of this sheet."""
        self.synonyms_for(sheet)
        self.constants_for(sheet)

    def to_json(self) -> str:
        """The profile as JSON: the same profile gives the same text, whatever order it was written in."""
        told = {
            "name": self.name,
            "sheet": self.sheet,
            "columns": dict(self.columns),
            "date_format": self.date_format,
            "datetime_format": self.datetime_format,
            "timezone": self.timezone,
            "synthetic": self.synthetic,
            "synonyms": {ours: dict(words) for ours, words in self.synonyms.items()},
            "constants": dict(self.constants),
        }
        return json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    def _where(self, sheet: Sheet | None) -> Where:
        return Where(file=self.name, sheet=sheet.name if sheet else None)


def load_mapping(path: Path) -> Mapping:
    """The mapping profile at `path`. Raises UsageError for one that cannot be used, naming the key."""
    where = Where(file=path.name)
    if not path.is_file():
        raise UsageError(
            "there is no such mapping file", where=where, hint="check the name given with --mapping"
        )
    try:
        told = tomllib.loads(path.read_bytes().decode("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the mapping cannot be read: {_cause(error)}",
            where=where,
            hint="it is a TOML file in UTF-8, with the tables columns, synonyms and constants",
        ) from None
    _known(told, _KEYS, "key", where)
    sheet = _sheet(told.get("sheet"), where)
    mapping = Mapping(
        name=path.name,
        sheet=sheet.name if sheet else None,
        columns=_columns(told.get("columns", {}), sheet, where),
        date_format=_optional_text(told, "date_format", where),
        datetime_format=_optional_text(told, "datetime_format", where),
        timezone=_optional_text(told, "timezone", where),
        synthetic=_boolean(told.get("synthetic", False), where),
        synonyms=_synonyms(told.get("synonyms", {}), sheet, where),
        constants=_constants(told.get("constants", {}), sheet, where),
    )
    _require_readable(mapping, where)
    return mapping


def _require_readable(mapping: Mapping, where: Where) -> None:
    """Builds the rules of the profile's formats and zone, which refuse what they cannot read by."""
    try:
        Rules(
            as_of=date.min,
            timezone=mapping.timezone or "Europe/London",
            date_format=mapping.date_format,
            datetime_format=mapping.datetime_format,
        )
    except UsageError as error:
        raise UsageError(error.message, where=where, hint=error.hint) from None


def _cause(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or "no such file"
    return (
        f"not TOML in UTF-8 ({error})" if isinstance(error, tomllib.TOMLDecodeError) else "not TOML in UTF-8"
    )


def _known(words: Iterable[str], allowed: Collection[str], what: str, where: Where) -> None:
    for word in words:
        if word not in allowed:
            near = difflib.get_close_matches(word, allowed, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(allowed))}"
            raise UsageError(f"the mapping has an unknown {what}: {word}", where=where, hint=hint)


def _sheet(name: object, where: Where) -> Sheet | None:
    if name is None:
        return None
    text = _text(name, "sheet", where)
    _known([text], SHEET, "sheet", where)
    return SHEET[text]


def _text(value: object, key: str, where: Where) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"the mapping's {key} must be text, in quotes and not blank", where=where)
    return value


def _optional_text(told: Table[str, object], key: str, where: Where) -> str | None:
    return _text(told[key], key, where) if key in told else None


def _table(value: object, key: str, where: Where) -> dict[str, object]:
    if not isinstance(value, dict):
        raise UsageError(f"the mapping's [{key}] must be a table", where=where)
    return value


def _boolean(value: object, where: Where) -> bool:
    if not isinstance(value, bool):
        raise UsageError("the mapping's synthetic must be true or false", where=where)
    return value


def _named(sheet: Sheet, ours: str) -> Column | None:
    return next((c for c in sheet.columns if ours in (c.name, c.field)), None)


def _candidates(ours: str, sheet: Sheet | None, where: Where) -> list[Column]:
    """The columns that this name may mean: of the profile's sheet, or of any."""
    sheets = (sheet,) if sheet else SHEETS
    _known([ours], {n for s in sheets for c in s.columns for n in (c.name, c.field)}, "column", where)
    return [column for s in sheets if (column := _named(s, ours))]


def _columns(value: object, sheet: Sheet | None, where: Where) -> Table[str, str]:
    columns: dict[str, str] = {}
    for theirs, told in _table(value, "columns", where).items():
        name = _candidates(_text(told, f"column for {theirs}", where), sheet, where)[0].name
        if sheet and name in columns.values():
            raise UsageError(f"the mapping gives {name} two columns", where=where)
        columns[theirs] = name
    return MappingProxyType(columns)


def _checked(column: Column, value: str, where: Where) -> str:
    """The value, or the vocabulary's spelling of it."""
    if column.kind in _ONE_PERSONS:
        raise UsageError(
            f"{column.name} names one person and cannot be a constant",
            where=where,
            hint="map one of the file's columns to it under [columns]",
        )
    if column.kind is not Kind.WORD:
        return value
    words = {fold_word(word): word for word in column.vocabulary}
    if fold_word(value) not in words:
        raise UsageError(
            f"the mapping has a word that {column.name} does not know: {value}",
            where=where,
            hint=f"{column.name} is one of {', '.join(column.vocabulary)}",
        )
    return words[fold_word(value)]


def _checked_by_any(columns: list[Column], value: str, where: Where) -> str:
    """The value as the first of the columns that accepts it spells it; the last one's error if none does."""
    for column in columns[:-1]:
        try:
            return _checked(column, value, where)
        except UsageError:
            continue
    return _checked(columns[-1], value, where)


def _synonyms(value: object, sheet: Sheet | None, where: Where) -> Table[str, Table[str, str]]:
    found: dict[str, Table[str, str]] = {}
    for ours, told in _table(value, "synonyms", where).items():
        columns = _candidates(ours, sheet, where)
        if any(column.kind is not Kind.WORD for column in columns):
            raise UsageError(f"{ours} has no vocabulary that a synonym could stand for", where=where)
        words: dict[str, str] = {}
        for theirs, word in _table(told, f"synonyms.{ours}", where).items():
            ourword = _checked_by_any(columns, _text(word, f"synonym for {theirs}", where), where)
            if any(fold_word(theirs) == fold_word(other) and ourword != words[other] for other in words):
                raise UsageError(f"the mapping gives {theirs} two meanings in {ours}", where=where)
            words[theirs] = ourword
        found[columns[0].name] = MappingProxyType(words)
    return MappingProxyType(found)


def _constants(value: object, sheet: Sheet | None, where: Where) -> Table[str, str]:
    found: dict[str, str] = {}
    for ours, told in _table(value, "constants", where).items():
        columns = _candidates(ours, sheet, where)
        found[columns[0].name] = _checked_by_any(columns, _text(told, f"constant {ours}", where), where)
    return MappingProxyType(found)
