"""The report built from a staging file, set-wise: counts, addresses and digests, and no patient's value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from stager import __version__
from stager.account import SheetAccount, account
from stager.event_log import last_seal
from stager.projections import standing
from stager.report.counts import parts_of_known, shown
from stager.report.findings import age, bulk_decisions, decision_counts, finding_counts
from stager.report.incomplete import incomplete_patients
from stager.report.model import (
    FORMAT,
    Change,
    FileBalance,
    Links,
    MappedColumn,
    Migration,
    Reading,
    Report,
    Seals,
    SheetBalance,
    SourceFile,
    StateRows,
    Target,
    Versions,
)
from stager.report.moments import moment
from stager.report.publishing import approvals, runs
from stager.sheets import PATIENTS, SHEET
from stager.staging import Staging
from stager.values import RULES_VERSION
from stager.values.verdicts import CHANGES

MOST_RUNS = 1_000
"""Runs of rows that are listed for one state of a sheet."""

CERTAINTY = {
    "legacy_id": "exact: one person has this practice number, to the letter",
    "nhs_number": "exact: one person has these ten digits, and their check digit is right",
    "email": "exact but for case: one person has this address",
    "decision": "a person decided",
    None: "no patient",
}
"""How sure a link is, by the rule that made it."""


class Beside(Struct, frozen=True):
    """What a report says that the staging file does not hold.

    made_at: microseconds since 1970 UTC. public_key: as it is handed on. past: whether the staging file
    is looked at as it was. person: what befell one person's rows, with proofs.
    """

    made_at: int
    public_key: str
    target: Target | None = None
    past: bool = False
    person: dict[str, Any] | None = None


def build(staging: Staging, beside: Beside) -> Report:
    """The report of the migration as it stands, or as it was inside `projections.as_of`."""
    sheets = account(staging)
    _, _, last = staging.rows("report_span")[0]
    return Report(
        format=FORMAT,
        migration=_migration(staging, beside),
        balances=all(sheet.balances for sheet in sheets),
        account=_account(staging, sheets),
        sources=tuple(_source(row) for row in staging.frame("report_sources").iter_rows(named=True)),
        links=tuple(_links(staging, sheets)),
        findings=finding_counts(staging),
        decisions=decision_counts(staging),
        bulk_decisions=bulk_decisions(staging),
        decisions_taken_back=shown(staging.one("report_count_of_kind", kind="decision.undone")),
        open_findings=age(staging, last if beside.past and last else beside.made_at),
        changes=tuple(_changes(staging, sheets)),
        incomplete_patients=incomplete_patients(staging),
        approvals=approvals(staging),
        approvals_voided=shown(staging.one("report_count_of_kind", kind="approval.voided")),
        runs=runs(staging),
        target=beside.target,
        seals=_seals(staging, beside.public_key),
        versions=_versions(staging),
        person=beside.person,
    )


def _migration(staging: Staging, beside: Beside) -> Migration:
    events, first, last = staging.rows("report_span")[0]
    return Migration(
        id=staging.migration_id,
        tenant=standing(staging, "tenant"),
        synthetic=standing(staging, "synthetic") is not None,
        events=events,
        began_at=moment(first),
        last_event_at=moment(last),
        made_at=moment(beside.made_at) or "",
        past=beside.past,
    )


def _account(staging: Staging, sheets: Sequence[SheetAccount]) -> tuple[SheetBalance, ...]:
    rows: dict[str, dict[str, StateRows]] = {}
    for sheet, state, listed, count in staging.rows("report_rows_by_state", most=MOST_RUNS):
        rows.setdefault(sheet, {})[state] = StateRows(listed, max(0, count - MOST_RUNS))
    return tuple(_balance(sheet, rows.get(sheet.sheet, {})) for sheet in sheets)


def _balance(sheet: SheetAccount, rows: dict[str, StateRows]) -> SheetBalance:
    return SheetBalance(
        sheet=sheet.sheet,
        title=SHEET[sheet.sheet].title,
        records=sheet.records,
        replaced=sheet.replaced,
        states=sheet.states,
        rows=rows,
        expected=sheet.expected,
        difference=sheet.difference,
        balances=sheet.balances,
        files=tuple(
            FileBalance(
                source_id=each.source_id,
                file=each.file,
                bytes=each.size,
                bytes_kept=each.bytes_kept,
                records=each.registered,
                records_kept=each.kept,
                blank_lines=each.blank,
                balances=each.balances,
            )
            for each in sheet.files
        ),
    )


def _source(row: dict[str, Any]) -> SourceFile:
    sheet = SHEET[row["sheet"]]
    columns = tuple(
        MappedColumn(
            position=each["position"],
            header=each["header"],
            column=sheet.column(each["column"]).name if each["column"] else None,
            how=each["how"],
        )
        for each in json.loads(row.pop("columns"))
    )
    mapping = json.loads(row.pop("mapping") or "{}").get("name")
    rules = json.loads(row.pop("rules"))
    reading = Reading(
        mapping=mapping,
        timezone=rules["timezone"],
        date_format=rules["date_format"],
        datetime_format=rules["datetime_format"],
        constants=tuple(sheet.column(each).name for each in rules["constants"]),
        synonyms=tuple(sheet.column(each).name for each in rules["synonyms"]),
        rules_version=rules["version"],
    )
    row["registered_at"] = moment(row["registered_at"])
    return SourceFile(
        **{"file" if name == "file_name" else name: part for name, part in row.items()},
        reading=reading,
        columns=columns,
    )


def _links(staging: Staging, sheets: Iterable[SheetAccount]) -> Iterable[Links]:
    """Every row of a clinical sheet has one rule or none, so that the sheet's records are their total."""
    found: dict[str, dict[str | None, int]] = {}
    for sheet, rule, rows in staging.rows("report_links"):
        found.setdefault(sheet, {})[rule] = rows
    for each in sheets:
        if each.sheet == PATIENTS.name or each.sheet not in found:
            continue
        rules = [*(rule for rule in CERTAINTY if rule in found[each.sheet])]
        rules += sorted(rule for rule in found[each.sheet] if rule not in CERTAINTY and rule is not None)
        counts = parts_of_known([found[each.sheet][rule] for rule in rules])
        for rule, rows in zip(rules, counts, strict=True):
            yield Links(each.sheet, rule, CERTAINTY.get(rule, ""), rows)


def _changes(staging: Staging, sheets: Iterable[SheetAccount]) -> Iterable[Change]:
    """A column's cells are a file's records, so those that no rule touched are the rest of a known total."""
    records = {each.source_id: each.registered for sheet in sheets for each in sheet.files}
    columns: dict[tuple[int, str, str], list[tuple[str, str, int]]] = {}
    for source_id, sheet, kind, field, rule, cells in staging.rows("report_changes"):
        columns.setdefault((source_id, sheet, field), []).append((kind, rule, cells))
    for (source_id, sheet, field), rules in columns.items():
        cells = [count for _, _, count in rules]
        counts = parts_of_known([*cells, max(0, records.get(source_id, 0) - sum(cells))])
        for (kind, rule, _), count in zip(rules, counts, strict=False):
            name, meaning = SHEET[sheet].column(field).name, CHANGES[rule].about if rule in CHANGES else ""
            yield Change(source_id, sheet, name, kind, rule, meaning, count)


def _seals(staging: Staging, public_key: str) -> Seals:
    seal = last_seal(staging)
    return Seals(
        count=staging.one("report_seals"),
        size=seal.size if seal else 0,
        root=seal.root.hex() if seal else None,
        at=moment(seal.at) if seal else None,
        signature=seal.signature.hex() if seal else None,
        public_key=public_key,
    )


def _versions(staging: Staging) -> Versions:
    opened = staging.rows("report_opened_by")
    return Versions(
        __version__, opened[0][0] if opened else None, RULES_VERSION, int(staging.fact("schema_version"))
    )
