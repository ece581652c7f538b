"""The findings that the rows in scope call for now, in the temporary table `wanted_finding`."""

from __future__ import annotations

import polars as pl

from stager import sql
from stager.reconcile.references import Digester
from stager.reconcile.scope import Scope
from stager.reconcile.suggestions import offer_suggestions
from stager.records import slices
from stager.sheets import PATIENTS, SHEETS, Code, Kind, Sheet
from stager.staging import Staging
from stager.values import Rules

_CLINICAL = tuple(sheet for sheet in SHEETS if sheet is not PATIENTS)
_SHARED = {"legacy_id": Code.PATIENT_ID_SHARED, "nhs_number": Code.PATIENT_DUPLICATE}


def want_of_links(staging: Staging, digester: Digester, *, people: bool) -> None:
    """What the references of the rows call for, and with `people` what all patients do among each other."""
    with staging.lent(offered=offer_suggestions(staging)):
        staging.fill("wanted_finding", "want_link_findings")
    _want_before_birth(staging, digester)
    if people:
        for field, code in _SHARED.items():
            places = {"key": sql.identifier(field)}
            staging.fill("wanted_finding", "want_shared_keys", places, code=code.value, field=field)
        for step in ("want_lookalikes", "want_shared_emails"):
            staging.fill("wanted_finding", step)


def want_repeats(staging: Staging, scope: Scope) -> None:
    """What records call for that are the same to the letter."""
    for sheet in scope.sheets:
        staging.run("find_twice" if scope.whole else "find_twice_of_dirty", {"table": sheet.table})
        if staging.one("count_rows_of", {"table": "twice"}):
            staging.fill("wanted_finding", "want_repeats", {"table": sheet.table}, sheet=sheet.name)


def _want_before_birth(staging: Staging, digester: Digester) -> None:
    staging.run("maybe_before_birth")
    early = {row[0] for row in staging.rows("count_by_sheet", {"table": "maybe_early"})}
    dated = [part for sheet in _CLINICAL if sheet.name in early for part in _dates(staging, sheet)]
    if not dated:
        return
    with staging.lent(dated=pl.concat(dated)):
        staging.run("find_before_birth")
    days = staging.frame("days_before_birth")["day"]
    digests = [digest.hex() for digest in digester([day.encode() for day in days.to_list()])]
    named = pl.DataFrame({"day": days, "subject": digests}, schema={"day": pl.String, "subject": pl.String})
    with staging.lent(digests=named):
        staging.fill("wanted_finding", "want_before_birth")


def _dates(staging: Staging, sheet: Sheet) -> list[pl.DataFrame]:
    """The local days of the rows in `maybe_early`, read by the rules of their sources."""
    field = sheet.of_kind(Kind.DATE, Kind.MOMENT)[0].field
    return [
        part.normalised([field])
        .values.select("source_id", "row_no", field=pl.lit(field), day=_local_day(sheet, part.rules))
        .drop_nulls()
        for part in slices(staging, sheet, fields=[field], among="maybe_early")
    ]


def _local_day(sheet: Sheet, rules: Rules) -> pl.Expr:
    column = sheet.of_kind(Kind.DATE, Kind.MOMENT)[0]
    day = pl.col(column.field)
    return day if column.kind is Kind.DATE else day.dt.convert_time_zone(rules.timezone).dt.date()
