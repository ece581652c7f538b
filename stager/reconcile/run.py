"""One reconciliation: what every row is linked to now, against what is known, as events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from stager import sql
from stager.event_log import EventLog
from stager.reconcile.people import BlindIndex, gather_people, read_references
from stager.reconcile.suggestions import offer_suggestions
from stager.records import slices
from stager.sheets import PATIENTS, SHEETS, Kind, Sheet
from stager.staging import Staging
from stager.values import Rules

Digester = Callable[[Sequence[bytes]], Sequence[bytes]]
"""Values → keyed digests, so that a finding can say what it is about without showing it."""

Progress = Callable[[str], None]

_SUBJECTS = {"raw": pl.String, "subject": pl.String}
_ANY_RULES = Rules(as_of=date(1970, 1, 1))  # references are trimmed and read as numbers alike under all rules
_CLINICAL = tuple(sheet for sheet in SHEETS if sheet is not PATIENTS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many events of each kind a reconciliation made; `rows` is how many rows it looked at."""

    rows: int
    linked: int
    withdrawn: int
    raised: int
    closed: int


def reconcile(
    staging: Staging,
    log: EventLog,
    *,
    digester: Digester,
    index: BlindIndex | None = None,
    tenant: str | None = None,
    progress: Progress = lambda _: None,
) -> Outcome:
    """Link and check every row that something has happened to since the last time, inside a transaction.

    Rules are those of SHEETS ("Linking"). A person's decision stands: no event of this function
    contradicts one. Every row is looked at where people themselves have changed.
    """
    whole = _find_scope(staging)
    progress("gathering references")
    references = _gather_references(staging)
    progress("finding persons")
    gather_people(staging, index, references)
    _judge(staging, references)
    progress("linking rows")
    for step in ("find_links", "known_links", "new_links", "lost_links"):
        staging.run(step)
    progress("checking rows")
    _want_findings(staging, references, digester, whole=whole)
    staging.run("new_findings", last=staging.one("last_finding"))
    staging.run("gone_findings")
    outcome = Outcome(
        rows=staging.one("count_rows_of", {"table": "scope"}),
        withdrawn=log.append_rows("link.withdrawn", "lost_link"),
        linked=log.append_rows("link.resolved", "new_link"),
        closed=log.append_rows("finding.closed", "gone_finding"),
        raised=log.append_rows("finding.raised", "new_finding"),
    )
    log.append(
        "reconcile.finished", {"sources": staging.one("count_rows_of", {"table": "source"}), "tenant": tenant}
    )
    return outcome


def _find_scope(staging: Staging) -> bool:
    after: int = staging.one("last_reconciled")
    staging.run("find_dirty", after=after)
    whole = after == 0 or bool(staging.one("people_changed", after=after))
    if not whole:
        for sheet in SHEETS:
            staging.fill("dirty", "widen_dirty", {"table": sheet.table})
    restriction = (
        ""
        if whole
        else ("semi join dirty on dirty.source_id = row_state.source_id and dirty.row_no = row_state.row_no")
    )
    staging.run("start_scope", {"restriction": restriction})
    return whole


def _gather_references(staging: Staging) -> pl.DataFrame:
    for step in (
        "find_people_linked",
        "find_practitioners_decided",
        "start_references",
        "start_decided_references",
    ):
        staging.run(step)
    for sheet in _CLINICAL:
        practitioner = "cells.practitioner_ref" if sheet.of_kind(Kind.PRACTITIONER) else "null"
        places = {"table": sheet.table, "practitioner": practitioner}
        staging.fill("reference", "gather_references", places, sheet=sheet.name)
        staging.fill("decided_reference", "gather_decided_references", {"table": sheet.table})
    _complete(staging, "reference", "patient_ref", "practitioner_ref")
    _complete(staging, "decided_reference", "patient_ref")
    raw = staging.frame("distinct_references")["raw"].sort()
    return read_references(raw, _ANY_RULES)


def _complete(staging: Staging, table: str, *fields: str) -> None:
    """Lay people's corrections over the references, and the mappings' constants under them."""
    for field in fields:
        places = {"table": table, "field": sql.identifier(field)}
        staging.run("correct_references", places, field=field)
        staging.run("fill_references", places, path=f"$.constants.{field}")


def _judge(staging: Staging, references: pl.DataFrame) -> None:
    with staging.lent(wanted=references):
        staging.run("match_references")
        for table, among in (
            ("patient_judged", ""),
            ("practitioner_judged", "where hit.rank <> 2 and coalesce(hit.role, 'PATIENT') <> 'PATIENT'"),
        ):
            staging.run("judge_references", {"among": among})
            staging.run("keep_judged", {"table": table})


def _want_findings(staging: Staging, references: pl.DataFrame, digester: Digester, *, whole: bool) -> None:
    staging.run("start_wanted_findings")
    digests = digester([text.encode() for text in references["raw"].to_list()])
    subjects = pl.DataFrame(
        {"raw": references["raw"], "subject": [digest.hex() for digest in digests]}, schema=_SUBJECTS
    )
    with staging.lent(subjects=subjects, offered=offer_suggestions(staging)):
        staging.fill("wanted_finding", "want_patient_findings")
        staging.fill("wanted_finding", "want_findings_of_people_linked")
        staging.fill("wanted_finding", "want_practitioner_findings")
        staging.run("add_suggestions")
    _want_before_birth(staging, digester)
    for sheet in SHEETS:
        staging.fill("wanted_finding", "want_repeats", {"table": sheet.table}, sheet=sheet.name, whole=whole)
    if whole:
        for step in ("want_shared_ids", "want_shared_numbers", "want_lookalikes", "want_shared_emails"):
            staging.fill("wanted_finding", step)


def _want_before_birth(staging: Staging, digester: Digester) -> None:
    staging.run("start_dated")
    for sheet in _CLINICAL:
        staging.run("rows_in_scope", sheet=sheet.name)
        column = sheet.of_kind(Kind.DATE, Kind.MOMENT)[0]
        for part in slices(staging, sheet, fields=[column.field], among="scope_of_sheet"):
            values = part.normalised([column.field]).values
            dated = values.select("source_id", "row_no", day=_local_day(sheet, part.rules)).drop_nulls()
            with staging.lent(dated_slice=dated):
                staging.fill("dated", "dated_rows", sheet=sheet.name, field=column.field)
    staging.run("find_before_birth")
    days = staging.frame("days_before_birth")["day"]
    digests = [digest.hex() for digest in digester([day.encode() for day in days.to_list()])]
    named = pl.DataFrame({"day": days, "subject": digests}, schema={"day": pl.String, "subject": pl.String})
    with staging.lent(digests=named):
        staging.fill("wanted_finding", "want_before_birth")


def _local_day(sheet: Sheet, rules: Rules) -> pl.Expr:
    column = sheet.of_kind(Kind.DATE, Kind.MOMENT)[0]
    day = pl.col(column.field)
    return day if column.kind is Kind.DATE else day.dt.convert_time_zone(rules.timezone).dt.date()
