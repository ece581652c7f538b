"""Dates and moments: the forms that are read, the calendar, and the change of the clock."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from values_check import AS_OF, RULES, Case, check

from stager.sheets import BACKGROUND, NOTES
from stager.values import Rules, normalise


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    "case",
    [
        ("1990-01-31", date(1990, 1, 31), None, None),
        (" 1990-01-31 ", date(1990, 1, 31), None, "trimmed"),
        ("2024-02-29", date(2024, 2, 29), None, None),
        ("2023-02-29", None, "date", None),
        ("1990-1-31", None, "date", None),
        ("31/01/1990", None, "date", None),
        ("1990-01-31 00:00:00", None, "date", None),
        ("١٩٩٠-01-31", None, "date", None),
        ("2026-11-22", date(2026, 11, 22), None, None),
        ("2026-11-23", None, "birth_future", None),
        ("1896-11-22", date(1896, 11, 22), None, None),
        ("1896-11-21", None, "birth_age", None),
        ("", None, "missing", None),
    ],
)
def test_date_of_birth(case: Case) -> None:
    """A birth is a real day in ISO form, not in the future, not over 130 years ago; else it rejects."""
    check("patients.date_of_birth", case)


@pytest.mark.parametrize(
    "case",
    [
        ("2026-11-23", date(2026, 11, 23), "future", None),
        ("1700-01-01", date(1700, 1, 1), None, None),
        ("0000-01-01", None, "date", None),
    ],
)
@pytest.mark.parametrize("column", ["background.onset_date", "medications.prescribed_on"])
def test_clinical_date(column: str, case: Case) -> None:
    """A clinical date in the future holds its row and may stand."""
    check(column, case)


@pytest.mark.parametrize(
    ("stated", "case"),
    [
        ("%d/%m/%Y", ("31/01/1990", date(1990, 1, 31), None, None)),
        ("%d/%m/%Y", ("1/2/1990", date(1990, 2, 1), None, None)),
        ("%d/%m/%Y", ("01/31/1990", None, "date", None)),
        ("%d/%m/%Y", ("1990-01-31", None, "date", None)),
        ("%d/%m/%Y", ("1/ 2/1990", None, "date", None)),
        ("%d/%m/%Y", ("01/02/90", None, "date", None)),
        ("%d-%b-%Y", ("31-Jan-1990", date(1990, 1, 31), None, None)),
        ("%d %B %Y", ("31 January 1990", date(1990, 1, 31), None, None)),
        ("%Y.%m.%d 00:00", ("1990.01.31 00:00", date(1990, 1, 31), None, None)),
        ("%Y.%m.%d 00:00", ("1990.01.31 23:30", None, "date", None)),
    ],
)
def test_stated_date_format(stated: str, case: Case) -> None:
    """A stated format replaces the ISO form, and is matched to the letter."""
    check("patients.date_of_birth", case, Rules(as_of=AS_OF, date_format=stated))


@pytest.mark.parametrize(
    "case",
    [
        ("2024-01-15 09:30", utc(2024, 1, 15, 9, 30), None, None),
        ("2024-07-15 09:30", utc(2024, 7, 15, 8, 30), None, None),
        ("2024-07-15", utc(2024, 7, 14, 23), None, None),
        ("2024-07-15T09:30", None, "moment", None),
        ("2024-07-15 09:30:00", None, "moment", None),
        ("2024-07-15  09:30", None, "moment", None),
        ("2024-07-15 24:00", None, "moment", None),
        ("2024-07-15 9:30", None, "moment", None),
        ("2024-03-31 00:59", utc(2024, 3, 31, 0, 59), None, None),
        ("2024-03-31 01:00", utc(2024, 3, 31, 1), "clock_skipped", None),
        ("2024-03-31 01:59", utc(2024, 3, 31, 1, 59), "clock_skipped", None),
        ("2024-03-31 02:00", utc(2024, 3, 31, 1), None, None),
        ("2024-10-27 00:59", utc(2024, 10, 26, 23, 59), None, None),
        ("2024-10-27 01:00", utc(2024, 10, 27, 0), "clock_repeated", None),
        ("2024-10-27 01:59", utc(2024, 10, 27, 0, 59), "clock_repeated", None),
        ("2024-10-27 02:00", utc(2024, 10, 27, 2), None, None),
        ("2026-11-22 23:59", utc(2026, 11, 22, 23, 59), None, None),
        ("2026-11-23 00:00", utc(2026, 11, 23), "future", None),
        ("2027-03-28 01:30", utc(2027, 3, 28, 1, 30), "future", None),
    ],
)
def test_moment(case: Case) -> None:
    """A moment is London time unless said otherwise; what the clock skips or repeats is a finding."""
    check("notes.consulted_at", case)


@pytest.mark.parametrize(
    ("rules", "case"),
    [
        ({"timezone": "Asia/Kolkata"}, ("2024-07-15 09:30", utc(2024, 7, 15, 4), None, None)),
        ({"timezone": "America/New_York"}, ("2026-11-22 23:00", utc(2026, 11, 23, 4), None, None)),
        ({"date_format": "%d/%m/%Y"}, ("15/01/2024", utc(2024, 1, 15), None, None)),
        ({"date_format": "%d/%m/%Y"}, ("2024-01-15", None, "moment", None)),
        (
            {"datetime_format": "%d/%m/%Y %H:%M:%S"},
            ("15/01/2024 09:30:15", utc(2024, 1, 15, 9, 30, 15), None, None),
        ),
        (
            {"datetime_format": "%d/%m/%Y %I:%M %p"},
            ("15/01/2024 1:05 pm", utc(2024, 1, 15, 13, 5), None, None),
        ),
        ({"datetime_format": "%d/%m/%Y %H:%M"}, ("2024-01-15", utc(2024, 1, 15), None, None)),
        ({"datetime_format": "%d/%m/%Y %H:%M"}, ("2024-01-15 09:30", None, "moment", None)),
    ],
)
def test_moment_by_other_rules(rules: dict[str, Any], case: Case) -> None:
    """The zone and the formats of a moment are the migration's; the future is by the local day."""
    check("notes.consulted_at", case, Rules(as_of=AS_OF, **rules))


def _cells(field: str, cells: list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {"source_id": [1] * len(cells), "row_no": range(len(cells)), field: cells},
        schema={"source_id": pl.Int32, "row_no": pl.Int32, field: pl.String},
    )


_DATE_LIKE = st.one_of(
    st.dates().map(str),
    st.from_regex(r"\A[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}\Z"),
    st.text("0123456789-/ T:+", max_size=12),
)


@given(st.lists(_DATE_LIKE.filter(str.strip), max_size=50))
def test_any_date(cells: list[str]) -> None:
    """A date is read exactly where it is ten ISO characters of a day in the calendar."""

    def plainly(cell: str) -> date | None:
        try:
            return date.fromisoformat(cell) if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", cell) else None
        except ValueError:
            return None

    read = normalise(BACKGROUND, _cells("onset_date", cells), RULES, ["onset_date"])
    assert read.values["onset_date"].to_list() == [plainly(cell.strip()) for cell in cells]


_ZONES = ("Europe/London", "Europe/Dublin", "America/New_York", "Australia/Lord_Howe", "America/Havana")


@cache
def _near_clock_changes(zone: str) -> st.SearchStrategy[datetime]:
    """Minutes of any day, most within three hours of a change of the zone's clock."""
    days = [datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(9000)]
    offsets = [day.astimezone(ZoneInfo(zone)).utcoffset() for day in days]
    changes = [
        day.replace(tzinfo=None)
        for day, before, after in zip(days, offsets, offsets[1:], strict=False)
        if before != after
    ]
    near = st.builds(
        lambda day, minutes: day + timedelta(minutes=minutes),
        st.sampled_from(changes),
        st.integers(-180, 1620),
    )
    return st.one_of(near, st.datetimes(datetime(1972, 1, 1), datetime(2026, 11, 21)))


def _plainly(local: datetime, zone: ZoneInfo) -> tuple[datetime, str | None]:
    """PEP 495: fold 0 is the first of a repeated time, and the offset before a skipped one."""
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    utc = first.astimezone(UTC)
    if utc.astimezone(zone).replace(tzinfo=None) != local:
        return utc, "clock_skipped"
    return utc, None if first.utcoffset() == second.utcoffset() else "clock_repeated"


@pytest.mark.parametrize("zone", _ZONES)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_any_moment(zone: str, data: st.DataObject) -> None:
    """Any minute in any zone is the moment, and the finding, that PEP 495 makes of it."""
    minutes = data.draw(st.lists(_near_clock_changes(zone), max_size=50))
    cells = [f"{minute:%Y-%m-%d %H:%M}" for minute in minutes]
    read = normalise(
        NOTES, _cells("consulted_at", cells), Rules(as_of=AS_OF, timezone=zone), ["consulted_at"]
    )
    expected = [_plainly(datetime.fromisoformat(cell), ZoneInfo(zone)) for cell in cells]
    assert read.values["consulted_at"].to_list() == [utc for utc, _ in expected]
    issues = {row: rule for row, (_, rule) in enumerate(expected) if rule}
    assert dict(zip(read.issues["row_no"], read.issues["rule"], strict=True)) == issues
