"""The queue of findings: their numbers in order, and the lines of a page when one is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from stager import sql
from stager.decisions import Finding
from stager.records import rows_frame
from stager.session.persons import NAMING, TENANT, split_place, titles
from stager.session.review_views import QueueFilter, QueueLine, QueueOrder
from stager.session.shown_cells import Cells, RowCells, cells_of_rows
from stager.sheets import PATIENTS, SHEET, SHEETS
from stager.staging import Staging

Assignments = dict[int, tuple[str, str | None]]
"""Finding → the colleague asked, and the note."""

_SHEET_ORDER = (
    "case finding.sheet "
    + " ".join(f"when '{sheet.name}' then {n}" for n, sheet in enumerate(SHEETS))
    + " end"
)
_ROW_ORDER = f"{_SHEET_ORDER}, finding.source_id, finding.row_no"
_PERSON_SOURCE, _PERSON_ROW = (
    f"case when finding.sheet = 'patients' then finding.{own} else row_state.{linked} end nulls last"
    for own, linked in (("source_id", "patient_source"), ("row_no", "patient_row"))
)
_ALIKE = "finding.sheet, finding.code, finding.field, finding.subject"
_ORDERS = {
    QueueOrder.NUMBER: "finding.finding_id",
    QueueOrder.CODE: f"finding.code, {_ROW_ORDER}",
    QueueOrder.ROW: _ROW_ORDER,
    QueueOrder.COLUMN: f"{_SHEET_ORDER}, finding.field nulls last",
    QueueOrder.PATIENT: f"{_PERSON_SOURCE}, {_PERSON_ROW}, row_state.patient_person, {_ROW_ORDER}",
    QueueOrder.ALIKE: f"count(*) over (partition by {_ALIKE}) desc, {_SHEET_ORDER}, {_ALIKE}",
}
_FACETS = {"code": "code", "sheet": "sheet", "column": "field"}


class Queue:
    """Findings in order: their numbers only, until a page of them is asked for.

    It is of the moment it was made in: findings decided since still have their place in it, and a page
    shows each as it stands when it is asked for.
    """

    def __init__(self, staging: Staging, wanted: QueueFilter, order: QueueOrder) -> None:
        self._staging = staging
        self._wanted = _Wanted(staging, wanted)
        self._numbers: npt.NDArray[np.int64] = self._wanted.frame("queue_ids", {"order": _ORDERS[order]})[
            "finding_id"
        ].to_numpy()

    @property
    def count(self) -> int:
        return len(self._numbers)

    def page(self, start: int, stop: int) -> list[QueueLine]:
        """The lines from `start` up to, and without, `stop`; fewer at the end."""
        return lines(self._staging, self._numbers[max(start, 0) : max(stop, 0)].tolist())

    def numbers(self, start: int = 0, stop: int | None = None) -> list[int]:
        """The findings' numbers, without looking at them."""
        return list(self._numbers[start:stop].tolist())

    def position(self, finding_id: int) -> int | None:
        """Where a finding stands, from 0; None where it is not in the queue."""
        found = np.flatnonzero(self._numbers == finding_id)
        return int(found[0]) if len(found) else None

    def facets(self) -> dict[str, dict[str, int]]:
        """How many findings each code, sheet and column (by its field) has, the most frequent first.

        Each under the other parts of the filter and without its own: so that another one may be chosen.
        """
        return {name: self._wanted.facet(column) for name, column in _FACETS.items()}


class _Wanted:
    """A filter as conditions of SQL."""

    def __init__(self, staging: Staging, wanted: QueueFilter) -> None:
        self._staging = staging
        self._own = {
            name: (f"finding.{sql.identifier(name)} = ${name}", value)
            for name in ("code", "sheet", "field")
            if (value := getattr(wanted, name)) is not None
        }
        self._rest: list[str] = []
        self._parameters: dict[str, Any] = {}
        self._lent: dict[str, pl.DataFrame] = {}
        self._add_state(wanted.state)
        self._add_patient(wanted.patient)
        self._add_row(wanted.row)
        self._add_assigned(wanted.assigned_to)
        self._add_text(wanted.text)

    def frame(self, name: str, places: dict[str, str], without: str | None = None) -> pl.DataFrame:
        own = {key: each for key, each in self._own.items() if key != without}
        conditions = [*self._rest, *(condition for condition, _ in own.values())]
        parameters = self._parameters | {key: value for key, (_, value) in own.items()}
        with self._staging.lent(**self._lent):
            everything = {"conditions": " and ".join(conditions) or "true", **places}
            return self._staging.frame(name, everything, **parameters)

    def facet(self, column: str) -> dict[str, int]:
        found = self.frame("queue_facet", {"column": f"finding.{sql.identifier(column)}"}, without=column)
        return dict(found.iter_rows())

    def _add_state(self, state: str | None) -> None:
        if state is not None:
            self._rest.append("finding.state = $state")
            self._parameters["state"] = state
        if state == "open":
            self._rest.append("row_state.state <> 'excluded'")

    def _add_patient(self, place: str | None) -> None:
        if place is None:
            return
        condition, parameters = of_person(place)
        self._rest.append(condition)
        self._parameters |= parameters

    def _add_row(self, place: str | None) -> None:
        if place is None:
            return
        source_id, row_no = split_place(place)
        self._rest.append("finding.source_id = $row_source and finding.row_no = $row_row")
        self._parameters |= {"row_source": source_id, "row_row": row_no}

    def _add_assigned(self, name: str | None) -> None:
        if name is None:
            return
        asked = assignments(self._staging)
        ids = [number for number, (to, _) in asked.items() if not name or to == name]
        self._lent["asked_finding"] = pl.DataFrame({"finding_id": ids}, schema={"finding_id": pl.Int64})
        chosen = "finding.finding_id in (select finding_id from asked_finding)"
        self._rest.append(chosen if name else f"not {chosen}")

    def _add_text(self, text: str | None) -> None:
        if not text:
            return
        self._lent["text_row"] = self._rows_with(text)
        self._rest.append("(finding.source_id, finding.row_no) in (select (source_id, row_no) from text_row)")

    def _rows_with(self, text: str) -> pl.DataFrame:
        """The rows with findings of which a cell, as it came or as corrected, holds the text."""
        with self._staging.lent(**self._lent):
            conditions = " and ".join(self._rest) or "true"
            self._staging.run("rows_meant", {"conditions": conditions}, **self._parameters)
        found = [self._staging.frame("corrections_with_text", text=text)]
        for sheet in SHEETS:
            contains = " or ".join(
                f"contains(lower({sql.identifier(field)}), lower($text))"
                for field in (*sheet.fields, "extra")
            )
            places = {"table": sheet.table, "contains": contains}
            found.append(self._staging.frame("rows_with_text", places, text=text))
        return pl.concat(found).unique()


def of_person(place: str) -> tuple[str, dict[str, Any]]:
    """The condition on `row_state` for a person's own row and those linked to them; its parameters."""
    if place.startswith(TENANT):
        return "row_state.patient_person = $person", {"person": place.removeprefix(TENANT)}
    source_id, row_no = split_place(place)
    own = "row_state.source_id = $person_source and row_state.row_no = $person_row"
    linked = "row_state.patient_source = $person_source and row_state.patient_row = $person_row"
    return f"(({own}) or ({linked}))", {"person_source": source_id, "person_row": row_no}


def assignments(staging: Staging) -> Assignments:
    """Whom each finding is assigned to now, and the note to it."""
    return {number: (to, note) for number, to, note in staging.rows("assignments")}


def lines(staging: Staging, numbers: Sequence[int]) -> list[QueueLine]:
    """These findings as lines, in this order; those that are not there are left out."""
    if not numbers:
        return []
    shown = pl.DataFrame({"finding_id": numbers}, schema={"finding_id": pl.Int64}).with_row_index("position")
    with staging.lent(shown=shown):
        found = staging.frame("findings_shown").to_dicts()
    cells = _cells(staging, found)
    persons = titles(staging, {row["person"] for row in found if row["person"]}, cells)
    asked = assignments(staging)
    return [_line(row, cells, persons, asked) for row in found]


def _cells(staging: Staging, found: Sequence[dict[str, Any]]) -> Cells:
    """The cells that the findings are about, and the references where their rows have no person."""
    cells: Cells = {}
    for sheet in SHEETS:
        theirs = [row for row in found if row["sheet"] == sheet.name]
        if theirs:
            fields = {row["field"] for row in theirs if row["field"]}
            fields |= set(NAMING) if sheet is PATIENTS else {"patient_ref"}
            rows = rows_frame({(row["source_id"], row["row_no"]) for row in theirs})
            cells.update(cells_of_rows(staging, sheet, rows, fields))
    return cells


def _line(row: dict[str, Any], cells: Cells, persons: dict[str, str], asked: Assignments) -> QueueLine:
    finding = Finding(**{name: row[name] for name in Finding.__struct_fields__})
    place = cells.get(finding.place, RowCells(0))
    own = place.standing
    to, note = asked.get(finding.finding_id, (None, None))
    return QueueLine(
        finding=finding,
        file=row["file_name"],
        line=place.line,
        column=SHEET[finding.sheet].column(finding.field).name if finding.field else None,
        cell=own.get(finding.field) if finding.field else None,
        person=persons.get(row["person"]) or own.get("patient_ref") or None,
        suggestions=suggestion_count(finding),
        assigned_to=to,
        note=note,
    )


def suggestion_count(finding: Finding) -> int:
    """How many persons the rules suggest."""
    return (finding.suggestions or "").count('"patient"')
