"""The rendered specification says what the sheets say, and docs/sheets.md is that rendering."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from stager.sheets import EXPLAINED, PATIENTS, SHEETS, Sheet
from stager.specification import as_dict, as_markdown, columns_table, sheet_markdown, template_csv

PAGE = Path(__file__).parent.parent / "docs" / "sheets.md"


def test_the_page_is_the_rendering() -> None:
    """docs/sheets.md is as_markdown(), to the letter; write that to the page when the sheets change."""
    assert PAGE.read_text(encoding="utf-8") == as_markdown()


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_a_section_names_all_that_a_sheet_accepts(sheet: Sheet) -> None:
    """Every column, word, synonym and alias of a sheet stands in its section."""
    section = sheet_markdown(sheet)
    for column in sheet.columns:
        for said in (column.name, *column.vocabulary, *column.synonyms, *column.aliases, column.about):
            assert said in section


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_a_table_is_well_formed(sheet: Sheet) -> None:
    """A table has a line for each column, and each line as many cells as the headings."""
    lines = columns_table(sheet).splitlines()
    assert len(lines) == len(sheet.columns) + 2
    assert {line.count("|") for line in lines} == {8}


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_a_template_is_the_header(sheet: Sheet) -> None:
    """A template parses as one record: the sheet's headers in order."""
    assert list(csv.reader([template_csv(sheet)])) == [[column.name for column in sheet.columns]]
    assert template_csv(sheet).endswith("\r\n")


def test_the_dict_is_json() -> None:
    """The specification survives JSON and holds every sheet, column and code."""
    held = json.loads(json.dumps(as_dict()))
    assert held == as_dict()
    assert [sheet["name"] for sheet in held["sheets"]] == [sheet.name for sheet in SHEETS]
    assert held["sheets"][0]["columns"][0]["field"] == PATIENTS.fields[0]
    assert set(held["codes"]) == {code.value for code in EXPLAINED}
