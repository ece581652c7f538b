"""Patients whose record is incomplete: rows that are theirs and stay behind, by address, allergies first."""

from __future__ import annotations

import sys
from typing import Any, TypeAlias

import polars as pl

from stager.records import slices
from stager.report.model import IncompletePatient, MissingRow
from stager.report.named_patients import named_patients
from stager.sheets import SHEET, SHEETS, State
from stager.staging import Staging

ALLERGY, UNREADABLE = "allergy", "allergy or condition, its type is not readable"
_BACKGROUND = SHEET["background"]
_WHAT = {"background": "condition", "notes": "note", "medications": "medication"}
_ORDER = [sheet.name for sheet in SHEETS]


def incomplete_patients(staging: Staging) -> tuple[IncompletePatient, ...]:
    """Those who lack an allergy first, most of them first; then by the order of their rows."""
    rows: list[_Missing] = staging.rows("report_missing_rows")
    rejected = State.REJECTED.value
    rows += [(sheet, source, row, rejected, who) for sheet, source, row, who in named_patients(staging)]
    if not rows:
        return ()
    kinds = _kinds(staging, [(source, row) for sheet, source, row, *_ in rows if sheet == _BACKGROUND.name])
    missing: dict[str, list[tuple[int, int, int, MissingRow]]] = {}
    for sheet, source_id, row_no, state, patient in rows:
        what = kinds.get((source_id, row_no), UNREADABLE) if sheet == _BACKGROUND.name else _WHAT[sheet]
        first = 0 if what in (ALLERGY, UNREADABLE) else 1 + _ORDER.index(sheet)
        told = MissingRow(f"{source_id}:{row_no}", sheet, what, state)
        missing.setdefault(patient, []).append((first, source_id, row_no, told))
    states = dict(staging.rows("report_states_of_people"))
    found = [(who, sorted(theirs, key=lambda each: each[:3])) for who, theirs in missing.items()]
    found.sort(key=lambda each: (-_allergies(each[1]), _place(each[0])))
    return tuple(
        IncompletePatient(
            who, states.get(who, "the tenant's own"), _allergies(theirs), tuple(row for *_, row in theirs)
        )
        for who, theirs in found
    )


_Missing: TypeAlias = tuple[Any, ...]
"""sheet, source_id, row_no, state, and the patient's place."""


def _place(patient: str) -> tuple[int, int, str]:
    """For the order: staged persons by file and row, then the tenant's own by id."""
    source_id, _, row_no = patient.partition(":")
    return (int(source_id), int(row_no), "") if source_id.isdecimal() else (sys.maxsize, 0, patient)


def _allergies(theirs: list[tuple[int, int, int, MissingRow]]) -> int:
    return sum(first == 0 for first, *_ in theirs)


def _kinds(staging: Staging, rows: list[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """Rows of the background sheet → allergy or condition; none where that cannot be read."""
    frame = pl.DataFrame(sorted(rows), schema={"source_id": pl.Int32, "row_no": pl.Int32}, orient="row")
    kinds: dict[tuple[int, int], str] = {}
    with staging.lent(missing_background=frame):
        for part in slices(staging, _BACKGROUND, fields=["type"], among="missing_background"):
            for source_id, row_no, kind in part.normalised(["type"]).values.iter_rows():
                if kind in ("ALLERGY", "MEDICAL CONDITION"):
                    kinds[source_id, row_no] = ALLERGY if kind == "ALLERGY" else _WHAT["background"]
    return kinds
