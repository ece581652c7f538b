"""Patients whose record is incomplete: rows that are theirs and stay behind, by address, allergies first."""

from __future__ import annotations

import polars as pl

from stager.records import slices
from stager.report.model import IncompletePatient, MissingRow
from stager.sheets import SHEET, SHEETS
from stager.staging import Staging

ALLERGY, UNREADABLE = "allergy", "allergy or condition, its type is not readable"
_BACKGROUND = SHEET["background"]
_WHAT = {"background": "condition", "notes": "note", "medications": "medication"}
_ORDER = [sheet.name for sheet in SHEETS]


def incomplete_patients(staging: Staging) -> tuple[IncompletePatient, ...]:
    """Those who lack an allergy first, most of them first; then by the order of their rows."""
    rows = staging.rows("report_missing_rows")
    if not rows:
        return ()
    kinds = _kinds(staging, [(source, row) for sheet, source, row, *_ in rows if sheet == _BACKGROUND.name])
    missing: dict[tuple[int, int, str, str], list[tuple[int, int, int, MissingRow]]] = {}
    for sheet, source_id, row_no, state, patient_source, patient_row, person, patient_state in rows:
        patient = f"tenant:{person}" if patient_source is None else f"{patient_source}:{patient_row}"
        what = kinds.get((source_id, row_no), UNREADABLE) if sheet == _BACKGROUND.name else _WHAT[sheet]
        first = 0 if what in (ALLERGY, UNREADABLE) else 1 + _ORDER.index(sheet)
        told = MissingRow(f"{source_id}:{row_no}", sheet, what, state)
        key = (patient_source or 0, patient_row or 0, patient, patient_state or "the tenant's own")
        missing.setdefault(key, []).append((first, source_id, row_no, told))
    found = [(key, sorted(theirs, key=lambda each: each[:3])) for key, theirs in missing.items()]
    found.sort(key=lambda each: (-_allergies(each[1]), each[0]))
    return tuple(
        IncompletePatient(patient, state, _allergies(theirs), tuple(row for *_, row in theirs))
        for (_, _, patient, state), theirs in found
    )


def _allergies(theirs: list[tuple[int, int, int, MissingRow]]) -> int:
    return sum(first == 0 for first, *_ in theirs)


def _kinds(staging: Staging, rows: list[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """Rows of the background sheet → whether each is an allergy or a condition; none where it is unreadable."""
    frame = pl.DataFrame(
        sorted(rows), schema={"source_id": pl.Int32, "row_no": pl.Int32}, orient="row"
    )
    kinds: dict[tuple[int, int], str] = {}
    with staging.lent(missing_background=frame):
        for part in slices(staging, _BACKGROUND, fields=["type"], among="missing_background"):
            for source_id, row_no, kind in part.normalised(["type"]).values.iter_rows():
                if kind in ("ALLERGY", "MEDICAL CONDITION"):
                    kinds[source_id, row_no] = ALLERGY if kind == "ALLERGY" else _WHAT["background"]
    return kinds
