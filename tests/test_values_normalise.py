"""Whole sheets: what normalise promises of its three frames, whatever the cells hold."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from values_check import AS_OF, RULES

from stager.errors import StagingUnavailable, UsageError
from stager.sheets import PATIENTS, SHEETS, Kind, Sheet
from stager.values import CHANGES, RULES_VERSION, VERDICTS, Rules, normalise

TYPES: dict[Kind, pl.DataType] = {
    Kind.DATE: pl.Date(),
    Kind.MOMENT: pl.Datetime("us", "UTC"),
    Kind.QUANTITY: pl.Int32(),
}
ROW: dict[str, pl.DataType] = {"source_id": pl.Int32(), "row_no": pl.Int32()}
CHANGED: dict[str, pl.DataType] = {"field": pl.String(), "code": pl.String(), "rule": pl.String()}
ISSUES = CHANGED | {"standing": pl.Boolean()}


def sheet_of(sheet: Sheet, cells: list[list[str | None]]) -> pl.DataFrame:
    """Rows of a sheet, a list of cells each."""
    rows = [(1, number, *row) for number, row in enumerate(cells, start=1)]
    return pl.DataFrame(rows, schema=ROW | dict.fromkeys(sheet.fields, pl.String()), orient="row")


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
@pytest.mark.parametrize("height", [0, 2])
def test_types(sheet: Sheet, height: int) -> None:
    """The frames have their types with no rows, no columns and no findings, too."""
    read = normalise(sheet, sheet_of(sheet, [[None] * len(sheet.columns)] * height).select(*ROW), RULES)
    typed = {column.field: TYPES.get(column.kind, pl.String()) for column in sheet.columns}
    assert read.values.schema == pl.Schema(ROW | typed)
    assert read.issues.schema == pl.Schema(ROW | ISSUES)
    assert read.changes.schema == pl.Schema(ROW | CHANGED)
    assert read.values.height == height


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_absent_columns_are_blank(sheet: Sheet) -> None:
    """A column that the file has not is missing where it is required, and else NULL or its default."""
    read = normalise(sheet, pl.DataFrame({"source_id": [1], "row_no": [1]}), RULES)
    assert read.issues["field"].to_list() == [column.field for column in sheet.required]
    assert set(read.issues["code"]) == {"value.missing"}
    values = read.values.row(0, named=True)
    assert all(values[column.field] == column.default for column in sheet.columns)


def test_fields_asked_for() -> None:
    """Only the fields asked for are read, in the sheet's order; another sheet's field is refused."""
    raw = pl.DataFrame({"source_id": [1], "row_no": [1], "city": ["Leeds "], "gender": ["?"]})
    read = normalise(PATIENTS, raw, RULES, {"gender", "city"})
    assert read.values.columns == ["source_id", "row_no", "gender", "city"]
    assert (read.issues.height, read.changes.height) == (1, 1)
    nothing = normalise(PATIENTS, raw, RULES, ())
    assert (nothing.values.columns, nothing.issues.height) == (["source_id", "row_no"], 0)
    with pytest.raises(KeyError):
        normalise(PATIENTS, raw, RULES, {"drug_name"})


_CELL = st.one_of(
    st.none(),
    st.sampled_from(
        ["", " ", "2024-02-29", " 2024-02-29 10:00", "m", "4010232137", "28 tablets", "E11.9", "a@b.co"]
    ),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
)


@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
@given(data=st.data())
def test_any_cells(sheet: Sheet, data: st.DataObject) -> None:
    """Whatever the cells hold: one issue and one change at most for each, NULL for what may not stand,
    and a text that differs from its cell never without a change."""
    width = len(sheet.columns)
    cells = data.draw(st.lists(st.lists(_CELL, min_size=width, max_size=width), max_size=6))
    raw = sheet_of(sheet, cells)
    read = normalise(sheet, raw, RULES)
    issues = {(row[1], row[2]): row[3:] for row in read.issues.iter_rows()}
    changes = {(row[1], row[2]): row[3:] for row in read.changes.iter_rows()}
    assert (len(issues), len(changes)) == (read.issues.height, read.changes.height)
    for number, (before, after) in enumerate(
        zip(raw.rows(named=True), read.values.rows(named=True), strict=True), 1
    ):
        for column in sheet.columns:
            cell, value = before[column.field], after[column.field]
            _, rule, standing = issues.get((number, column.field), (None, None, True))
            change = changes.get((number, column.field))
            assert (rule in VERDICTS and VERDICTS[rule].standing is standing) or rule is None
            if not standing:
                assert (value, change) == (None, None)
            elif isinstance(value, str):
                assert (change is not None) == (value != cell)
                assert change is None or CHANGES[change[1]].code.value == change[0]
            elif value is None:
                assert not (cell or "").strip()


def test_rows_keep_their_order() -> None:
    """A sheet of many morsels comes out row for row, findings in the rows' order."""
    height = 300_000
    raw = pl.DataFrame({"source_id": 1, "row_no": range(height, 0, -1)}).with_columns(
        legacy_id=pl.format("P{}", "row_no"),
        gender=pl.when(pl.col("row_no") % 3 == 0).then(pl.lit("m")).otherwise(pl.lit("?")),
        mobile_phone=pl.format("0770{}", pl.col("row_no") + 9_000_000),
        nhs_number=pl.lit(" 4010232137"),
    )
    read = normalise(PATIENTS, raw, RULES, ["legacy_id", "gender", "mobile_phone", "nhs_number"])
    assert read.values["row_no"].equals(raw["row_no"])
    assert read.values["legacy_id"].equals(raw["legacy_id"])
    assert read.values["mobile_phone"].equals(raw["mobile_phone"])
    assert read.issues["row_no"].equals(raw.filter(pl.col("gender") == "?")["row_no"])
    synonyms = read.changes.filter(pl.col("rule") == "synonym")
    assert synonyms["row_no"].equals(raw.filter(pl.col("gender") == "m")["row_no"])


def test_a_synonym_for_no_word_is_refused() -> None:
    """A synonym that stands for no word of the vocabulary is refused, naming the column."""
    rules = Rules(as_of=AS_OF, synonyms={"gender": {"x": "NEITHER"}})
    raw = pl.DataFrame({"source_id": [1], "row_no": [1], "gender": ["planted cell"]})
    with pytest.raises(UsageError) as refused:
        normalise(PATIENTS, raw, rules)
    assert "Gender" in str(refused.value)
    assert "planted" not in str(refused.value) + refused.value.hint


@pytest.mark.parametrize(
    "rules",
    [
        {"date_format": "%d/%m/%y"},
        {"date_format": "%d/%m"},
        {"date_format": "%d/%d/%Y"},
        {"date_format": "%d/%m/%B/%Y"},
        {"date_format": "%d/%m/%Y %H:%M"},
        {"date_format": "dd/mm/yyyy"},
        {"date_format": "%d/%m/%Y%"},
        {"datetime_format": "%d/%m/%Y"},
        {"datetime_format": "%d/%m/%Y %I:%M"},
        {"datetime_format": "%d/%m/%Y %H:%M %p"},
        {"timezone": "Europe/Lundon"},
        {"timezone": "../etc/passwd"},
    ],
)
def test_rules_that_cannot_be_used(rules: dict[str, str]) -> None:
    """A zone or a format that would leave something to guess is refused when the rules are made."""
    with pytest.raises(UsageError):
        Rules(as_of=AS_OF, **rules)  # type: ignore[arg-type]


def test_rules_survive_json() -> None:
    """Rules come back from their JSON, and the same rules give the same text."""
    rules = Rules(
        as_of=date(2026, 2, 28),
        timezone="Europe/Dublin",
        date_format="%d/%m/%Y",
        datetime_format="%d/%m/%Y %H:%M",
        synonyms={"gender": {"Garçon": "MALE", "a": "OTHER"}},
        constants={"role": "PATIENT", "city": "Leeds"},
        synthetic=True,
        roles=("PHARMACIST", "NURSE"),
    )
    back = Rules.from_json(rules.to_json())
    assert back == rules
    assert back.to_json() == rules.to_json()
    assert Rules.from_json(RULES.to_json()) == RULES


def test_later_rules_are_refused() -> None:
    """Rules of a later version are not read as if they were known."""
    later = RULES.to_json().replace(f'"version": {RULES_VERSION}', f'"version": {RULES_VERSION + 1}')
    with pytest.raises(StagingUnavailable):
        Rules.from_json(later)
