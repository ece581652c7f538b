"""The report as CSV: the account, the findings, the decisions and the incomplete patients, a table each.

Cells that a spreadsheet would run as a formula get an apostrophe in front.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from stager.report.model import Report
from stager.sheets import State

_RUN = ("=", "+", "-", "@", "\t", "\r")


def as_tables(report: Report) -> dict[str, bytes]:
    """File name → CSV in UTF-8 with a byte order mark, for a spreadsheet."""
    return {
        "account.csv": _table(_ACCOUNT, _account(report)),
        "files.csv": _table(_FILES, _files(report)),
        "findings.csv": _table(_FINDINGS, _findings(report)),
        "decisions.csv": _table(_DECISIONS, _decisions(report)),
        "incomplete.csv": _table(_INCOMPLETE, _incomplete(report)),
    }


_ACCOUNT = (
    "sheet",
    "records",
    *(state.value for state in State),
    "replaced",
    "expected",
    "difference",
    "balances",
)
_FILES = (
    "source",
    "sheet",
    "file",
    "sha256",
    "bytes",
    "bytes_kept",
    "records",
    "records_kept",
    "blank_lines",
)
_FINDINGS = ("sheet", "code", "meaning", "open", "decided", "closed")
_DECISIONS = ("sheet", "code", "decision", "actor", "with_reason", "rows")
_INCOMPLETE = ("patient", "patient_state", "row", "sheet", "what", "state")

_Row = Sequence[str | int | bool | None]


def _account(report: Report) -> Iterable[_Row]:
    for each in report.account:
        states = [each.states[state.value] for state in State]
        yield (
            each.sheet,
            each.records,
            *states,
            each.replaced,
            each.expected,
            each.difference,
            each.balances,
        )


def _files(report: Report) -> Iterable[_Row]:
    sha256 = {each.source_id: each.sha256 for each in report.sources}
    for sheet in report.account:
        for file in sheet.files:
            yield (
                file.source_id,
                sheet.sheet,
                file.file,
                sha256.get(file.source_id),
                file.bytes,
                file.bytes_kept,
                file.records,
                file.records_kept,
                file.blank_lines,
            )


def _findings(report: Report) -> Iterable[_Row]:
    for each in report.findings:
        yield each.sheet, each.code, each.meaning, each.open, each.decided, each.closed


def _decisions(report: Report) -> Iterable[_Row]:
    for each in report.decisions:
        yield each.sheet, each.code, each.decision, each.actor, each.with_reason, each.rows


def _incomplete(report: Report) -> Iterable[_Row]:
    for patient in report.incomplete_patients:
        for row in patient.rows:
            yield patient.patient, patient.state, row.row, row.sheet, row.what, row.state


def _table(head: Sequence[str], rows: Iterable[_Row]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _cell(cell: str | int | bool | None) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    text = str(cell)
    return f"'{text}" if isinstance(cell, str) and text.startswith(_RUN) else text
