"""Dates and moments: read by one stated form, never guessed, and set against the calendar and the clock."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Literal

import polars as pl
from polars.expr.whenthen import Then

from stager.sheets import Column
from stager.values.formats import Format
from stager.values.rules import Rules

BIRTH = "date_of_birth"
"""The one date that is not clinical: it rejects its row where the others hold it."""

LONGEST_LIFE = 130
"""Years; a birth longer ago is a mistyped one."""

_TOLD = pl.Struct({"utc": pl.Datetime("us", "UTC"), "clock": pl.String})

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
    text, local = pl.col("text"), pl.col("_local")
    read = cells.with_columns(
        _local=pl.coalesce(_moment(text, rules.moments), _day(text, rules.dates).cast(pl.Datetime("us")))
    ).with_columns(_told=local.map_batches(lambda times: _told(times, rules.timezone), return_dtype=_TOLD))
    return read.with_columns(
        value=pl.col("_told").struct.field("utc"),
        issue=_unreadable("moment", local)
        .when(local >= _midnight(rules.as_of + timedelta(days=1)))
        .then(pl.lit("future"))
        .otherwise(pl.col("_told").struct.field("clock")),
        change=pl.lit(None, pl.String),
    )


def _told(local: pl.Series, timezone: str) -> pl.Series:
    """Each local time in UTC, and the clock change it lies in: few do, and only these are looked at twice."""
    utc = _utc(local, timezone, ambiguous="null")
    clock = pl.repeat(None, len(local), dtype=pl.String, eager=True)
    odd = (local.is_not_null() & utc.is_null()).arg_true()
    if len(odd):
        times = local.gather(odd)
        first = _utc(times, timezone, ambiguous="earliest")
        # The local time by the offset of a day earlier, which is the offset before a clock change.
        before = _utc(times.dt.offset_by("-1d"), timezone, ambiguous="earliest").dt.offset_by("24h")
        skipped = first.is_null()
        utc = utc.scatter(odd, before.zip_with(skipped, first))
        said = pl.Series(["clock_repeated", "clock_skipped"]).gather(skipped.cast(pl.UInt32))
        clock = clock.scatter(odd, said)
    return pl.DataFrame({"utc": utc, "clock": clock}).to_struct(local.name)


def _utc(local: pl.Series, timezone: str, *, ambiguous: Literal["earliest", "null"]) -> pl.Series:
    zoned = local.dt.replace_time_zone(timezone, ambiguous=ambiguous, non_existent="null")
    return zoned.dt.convert_time_zone("UTC")


def _day(text: pl.Expr, form: Format) -> pl.Expr:
    of_form = pl.when(text.str.contains(form.pattern)).then(text)
    day = of_form.str.to_date(form.strptime, strict=False)
    return pl.when(day >= _FIRST_DAY).then(day)


def _moment(text: pl.Expr, form: Format) -> pl.Expr:
    # Parsed before it is held against the form: to set aside the texts that fit takes longer than to parse
    # them. Without the parser's cache, for few moments are alike.
    moment = text.str.to_datetime(form.strptime, time_unit="us", strict=False, cache=False)
    fits = text.str.contains(form.pattern) & (moment >= _midnight(_FIRST_DAY))
    return pl.when(fits).then(moment)


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
