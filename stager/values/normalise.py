"""A sheet's cells, column by column: blanks filled, each kind read by its rule, all of it reported."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

import polars as pl
from msgspec import Struct

from stager.sheets import ROW_COLUMNS, Column, Kind, Sheet
from stager.values.clinical import read_clinical_code, read_quantity
from stager.values.contact import read_email, read_phone, read_postcode
from stager.values.dates import read_date, read_moment
from stager.values.nhs import read_nhs_number
from stager.values.rules import Rules
from stager.values.text import read_identifier, read_narrative, read_text
from stager.values.verdicts import CHANGES, VERDICTS
from stager.values.words import read_word

_READERS: Mapping[Kind, Callable[[pl.LazyFrame, Column, Rules], pl.LazyFrame]] = MappingProxyType(
    {
        Kind.TEXT: read_text,
        Kind.IDENTIFIER: read_identifier,
        Kind.DATE: read_date,
        Kind.MOMENT: read_moment,
        Kind.NHS_NUMBER: read_nhs_number,
        Kind.EMAIL: read_email,
        Kind.PHONE: read_phone,
        Kind.POSTCODE: read_postcode,
        Kind.WORD: read_word,
        Kind.CLINICAL_CODE: read_clinical_code,
        Kind.QUANTITY: read_quantity,
        Kind.NARRATIVE: read_narrative,
        Kind.PATIENT: read_text,
        Kind.PRACTITIONER: read_text,
    }
)
"""Each takes a frame with `text` (trimmed, a blank NULL) and adds value, issue and change."""

_CHANGE = {"field": pl.String(), "code": pl.String(), "rule": pl.String()}
_ISSUE = {**_CHANGE, "standing": pl.Boolean()}

_FALLEN = [rule for rule, verdict in VERDICTS.items() if not verdict.standing]


class Normalised(Struct, frozen=True):
    """What the rules made of a sheet's rows.

    values: the rows in their order; source_id, row_no and each field, typed (pl.Date for dates,
        pl.Datetime('us', 'UTC') for moments, pl.Int32 for quantities, else pl.String). NULL is a
        blank, or a value that may not stand.
    issues: source_id, row_no, field, code, rule, standing: at most one for a cell.
    changes: source_id, row_no, field, code, rule: at most one for a cell, the furthest-reaching:
        a synonym's word says nothing of the white space trimmed before. None for a value that may
        not stand, and none for white space that leaves a blank.

    issues and changes hold one field after another, in the sheet's order, each in the rows' order.
    """

    values: pl.DataFrame
    issues: pl.DataFrame
    changes: pl.DataFrame


def normalise(
    sheet: Sheet, raw: pl.DataFrame, rules: Rules, fields: Collection[str] | None = None
) -> Normalised:
    """The rows' values by the rules, and what was found against and done to their cells.

    raw: source_id, row_no and text columns named by field; one that is absent counts as blank.
    fields: which fields to read; None is all of the sheet. KeyError for one that it has not.
    UsageError: a synonym of the rules stands for a word outside the vocabulary.
    """
    columns = _asked(sheet, fields)
    readings = pl.collect_all([_reading(raw, column, rules) for column in columns], engine="in-memory")
    rows = raw.select(ROW_COLUMNS)
    told = list(zip(columns, readings, strict=True))
    return Normalised(
        values=rows.with_columns(reading["value"].alias(column.field) for column, reading in told),
        issues=pl.concat([_none_yet(rows, _ISSUE), *(_issues(rows, *one) for one in _told(told, "issue"))]),
        changes=pl.concat(
            [_none_yet(rows, _CHANGE), *(_changes(rows, *one) for one in _told(told, "change"))]
        ),
    )


def _told(
    readings: Sequence[tuple[Column, pl.DataFrame]], what: str
) -> Iterator[tuple[Column, pl.DataFrame]]:
    """The columns of which something is told: of most there is nothing, and to ask costs time."""
    return ((column, reading) for column, reading in readings if reading[what].null_count() < reading.height)


def _asked(sheet: Sheet, fields: Collection[str] | None) -> tuple[Column, ...]:
    if fields is None:
        return sheet.columns
    wanted = {sheet.column(field).field for field in fields}
    return tuple(column for column in sheet.columns if column.field in wanted)


def _reading(raw: pl.DataFrame, column: Column, rules: Rules) -> pl.LazyFrame:
    """The column's value, issue and change, row by row."""
    filling, filled_by = _filling(column, rules)
    kept = pl.col("cell" if column.kind is Kind.NARRATIVE else "_trimmed")
    cells = pl.LazyFrame({"cell": _cells(raw, column)}).with_columns(
        _trimmed=pl.col("cell").str.strip_chars()
    )
    given = cells.with_columns(_given=pl.when(pl.col("_trimmed") != "").then(kept))
    text = given.with_columns(text=pl.coalesce("_given", pl.lit(filling, pl.String)))
    return (
        _READERS[column.kind](text, column, rules)
        .with_columns(issue=_with_missing(column))
        .with_columns(_stands=~pl.col("issue").is_in(_FALLEN).fill_null(value=False))
        .select(
            value=pl.when("_stands").then("value"),
            issue="issue",
            change=pl.when("_stands").then(_furthest_change(filled_by)),
        )
    )


def _cells(raw: pl.DataFrame, column: Column) -> pl.Series:
    if column.field not in raw.columns:
        return pl.repeat(None, raw.height, dtype=pl.String, eager=True)
    return raw[column.field].cast(pl.String)


def _filling(column: Column, rules: Rules) -> tuple[str | None, str | None]:
    """What fills the column's blanks, and by which rule."""
    if constant := rules.constants.get(column.field, "").strip():
        return constant, "constant"
    return column.default, "default" if column.default else None


def _with_missing(column: Column) -> pl.Expr:
    if not column.required:
        return pl.col("issue")
    return pl.when(pl.col("text").is_null()).then(pl.lit("missing")).otherwise("issue")


def _furthest_change(filled_by: str | None) -> pl.Expr:
    given = pl.col("_given")
    return (
        pl.when(given.is_null())
        .then(pl.lit(filled_by, pl.String))
        .when(pl.col("change").is_not_null())
        .then("change")
        .when(given != pl.col("cell"))
        .then(pl.lit("trimmed"))
    )


def _none_yet(rows: pl.DataFrame, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """A frame of no findings, so that there is one where no field was asked for."""
    return rows.clear().with_columns(pl.lit(None, dtype).alias(name) for name, dtype in columns.items())


def _issues(rows: pl.DataFrame, column: Column, reading: pl.DataFrame) -> pl.DataFrame:
    codes = {rule: verdict.code_for(column).value for rule, verdict in VERDICTS.items()}
    standing = {rule: verdict.standing for rule, verdict in VERDICTS.items()}
    found = _named(rows, column, reading["issue"], codes)
    return found.with_columns(standing=pl.col("rule").replace_strict(standing, return_dtype=pl.Boolean))


def _changes(rows: pl.DataFrame, column: Column, reading: pl.DataFrame) -> pl.DataFrame:
    codes = {rule: change.code.value for rule, change in CHANGES.items()}
    return _named(rows, column, reading["change"], codes)


def _named(rows: pl.DataFrame, column: Column, rules: pl.Series, codes: Mapping[str, str]) -> pl.DataFrame:
    """The rows that a rule is named for, with their field, the rule's code and the rule."""
    return (
        rows.with_columns(rule=rules)
        .filter(pl.col("rule").is_not_null())
        .select(
            *ROW_COLUMNS,
            field=pl.lit(column.field),
            code=pl.col("rule").replace_strict(dict(codes), return_dtype=pl.String),
            rule="rule",
        )
    )
