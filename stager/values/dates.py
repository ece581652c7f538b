"""Dates and moments: read by one stated form, never guessed, and set against the calendar and the clock."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import polars as pl
from polars.expr.whenthen import Then

from stager.sheets import Column
from stager.values.formats import Format
from stager.values.rules import Rules

BIRTH = "date_of_birth"
"""The one date that is not clinical: it rejects its row where the others hold it."""

LONGEST_LIFE = 130
"""Years; a birth longer ago is a mistyped one."""

_FIRST_DAY = date(1, 1, 1)
"""The parser knows a year 0, calendars and databases do not."""


def read_date(cells: pl.LazyFrame, column: Column, rules: Rules) -> pl.LazyFrame:
    """Dates, as pl.Date. A birth must be neither in the future nor over 130 years ago."""
    read = cells.with_columns(_day=_day(pl.col("text"), rules.dates))
    day = pl.col("_day")
    return read.with_columns(
        value=day,
        issue=_unreadable("date", day).otherwise(_calendar(column, day, rules.as_of)),
        change=pl.lit(None, pl.String),
    )


def read_moment(cells: pl.LazyFrame, column: Column, rules: Rules) -> pl.LazyFrame:
    """Moments, as pl.Datetime in UTC, from local times; a date alone is its local midnight.

    A time that the clock change repeats is its first occurrence. One that it skips is read with
    the offset before the change (PEP 495, fold 0): 01:30 becomes 02:30.
    """
    text, local, utc = pl.col("text"), pl.col("_local"), pl.col("_utc")
    read = cells.with_columns(
        _local=pl.coalesce(_moment(text, rules.moments), _day(text, rules.dates).cast(pl.Datetime("us")))
    ).with_columns(
        _utc=local.dt.replace_time_zone(rules.timezone, ambiguous="earliest", non_existent="null"),
        _once=local.dt.replace_time_zone(rules.timezone, ambiguous="null", non_existent="null"),
    )
    return read.with_columns(
        value=pl.coalesce(
            utc.dt.convert_time_zone("UTC"),
            _by_the_day_before(pl.when(utc.is_null()).then(local), rules.timezone),
        ),
        issue=_unreadable("moment", local)
        .when(local >= _midnight(rules.as_of + timedelta(days=1)))
        .then(pl.lit("future"))
        .when(local.is_not_null() & utc.is_null())
        .then(pl.lit("clock_skipped"))
        .when(local.is_not_null() & pl.col("_once").is_null())
        .then(pl.lit("clock_repeated")),
        change=pl.lit(None, pl.String),
    )


def _day(text: pl.Expr, form: Format) -> pl.Expr:
    day = _of_form(text, form).str.to_date(form.strptime, strict=False)
    return pl.when(day >= _FIRST_DAY).then(day)


def _moment(text: pl.Expr, form: Format) -> pl.Expr:
    moment = _of_form(text, form).str.to_datetime(form.strptime, time_unit="us", strict=False)
    return pl.when(moment >= _midnight(_FIRST_DAY)).then(moment)


def _of_form(text: pl.Expr, form: Format) -> pl.Expr:
    return pl.when(text.str.contains(form.pattern)).then(text)


def _unreadable(rule: str, read: pl.Expr) -> Then:
    return pl.when(pl.col("text").is_not_null() & read.is_null()).then(pl.lit(rule))


def _calendar(column: Column, day: pl.Expr, as_of: date) -> pl.Expr:
    future = pl.when(day > as_of)
    if column.field != BIRTH:
        return future.then(pl.lit("future"))
    return (
        future.then(pl.lit("birth_future"))
        .when(day < _years_before(as_of, LONGEST_LIFE))
        .then(pl.lit("birth_age"))
    )


def _years_before(day: date, years: int) -> date:
    if (day.month, day.day) == (2, 29):
        day = day.replace(day=28)
    return day.replace(year=day.year - years)


def _midnight(day: date) -> datetime:
    """For comparing: to make a date of each moment takes longer than all the rest."""
    return datetime.combine(day, time())


def _by_the_day_before(local: pl.Expr, timezone: str) -> pl.Expr:
    """The local time by the offset of a day earlier, which is the offset before a clock change."""
    earlier = local.dt.offset_by("-1d").dt.replace_time_zone(
        timezone, ambiguous="earliest", non_existent="null"
    )
    return earlier.dt.convert_time_zone("UTC").dt.offset_by("24h")
