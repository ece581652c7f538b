"""Records as they stand: read in slices of any size, among any rows, they are the same ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from stager.decisions import Decision
from stager.records import Slice, rows_frame, slices
from stager.sheets import SHEET, SHEETS, Sheet
from tests.migration import Migration, cloned, note, patient


@pytest.fixture(scope="module")
def migration(faulty: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    """The faulty practice with more files of two sheets, and one cell corrected."""
    made = cloned(faulty, tmp_path_factory.mktemp("records") / "m")
    made.take(patients=[patient(f"M{i}") for i in range(5)], notes=[note("M1", f"n{i}") for i in range(7)])
    made.decide(Decision.CORRECT, made.finding("value.unknown", "notes", 8), value="TRIAGE")
    yield made
    made.close()


def cells(parts: Iterator[Slice]) -> list[tuple[object, ...]]:
    """All cells of the slices in the order in which they came; each slice is of one source."""
    read = list(parts)
    assert all(part.cells["source_id"].unique().to_list() == [part.source_id] for part in read)
    return [row for part in read for row in part.cells.iter_rows()]


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_the_size_of_the_slices_makes_no_difference(migration: Migration, sheet: Sheet) -> None:
    """Every row of the sheet once, source by source and in the order of the rows."""
    whole = cells(slices(migration.staging, sheet))
    query = f"select source_id, row_no from {sheet.table} order by all"
    assert [row[:2] for row in whole] == migration.staging._execute(query).fetchall()
    for size in (1, 2, 3, 5):
        parts = list(slices(migration.staging, sheet, size=size))
        assert max(part.cells.height for part in parts) <= size
        assert cells(iter(parts)) == whole


@pytest.mark.parametrize("fields", [["note_type"], ["patient_ref", "note_type"], None])
def test_a_correction_is_laid_over_its_cell(migration: Migration, fields: list[str] | None) -> None:
    """Read alone, beside another one, and among all of them."""
    (first, *_) = slices(migration.staging, SHEET["notes"], fields=fields)
    assert first.cells.filter(pl.col("row_no") == 8)["note_type"].to_list() == ["TRIAGE"]


def test_rows_among_others_are_given_and_no_more(migration: Migration) -> None:
    """Of several sources and sheets, with gaps; of another sheet's rows, or those of no file, none."""
    whole = {sheet.name: cells(slices(migration.staging, sheet)) for sheet in SHEETS}
    for sheet in SHEETS:
        some = whole[sheet.name][1::3]
        others = [row[:2] for name, rows in whole.items() if name != sheet.name for row in rows]
        with migration.staging.lent(some_row=rows_frame({(99, 1), *others, *(row[:2] for row in some)})):
            for size in (1, 4, 1000):
                assert cells(slices(migration.staging, sheet, among="some_row", size=size)) == some
    with migration.staging.lent(no_row=rows_frame([])):
        assert cells(slices(migration.staging, SHEETS[0], among="no_row")) == []
