"""Which rows to look at: all of them, or those that what happened since the last time may have changed.

A row hangs on its own cells and decisions, on the records that equal it, and on the persons that its
references mean: those it is linked to, those that its open question names, and those whose keys it says.
So the rows in scope come out as they would if every row were looked at.

polars is imported where references are compared: mostly nothing happened that another row may hang on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from stager.sheets import SHEETS, Kind, Sheet
from stager.staging import Staging

if TYPE_CHECKING:
    import polars as pl

KEYS = ("legacy_id", "nhs_number", "email", "first_name", "last_name", "date_of_birth", "role")
"""The columns that people are found and compared by."""

REFERENCES = ("patient_ref", "practitioner_ref")

NEAR = "near"
"""The temporary table of the patients whom the rows in scope may mean."""

_MANY = 1000
"""Touched persons beyond which nearly every row would be found to hang on one of them."""

_FOUND_BY = [*REFERENCES, "legacy_id", "nhs_number", "email"]
_DATES = [column.field for sheet in SHEETS for column in sheet.of_kind(Kind.DATE, Kind.MOMENT)]
_MATTERING = sorted({*KEYS, *REFERENCES, *_DATES})


class Scope(Struct, frozen=True):
    """whole: every row. people: whether patients are to be compared. sheets: those with rows in scope.

    Rows are those of the view `scope`; where it is not whole the table `dirty` names them, too.
    """

    whole: bool
    people: bool
    sheets: tuple[Sheet, ...]

    def among(self, table: str) -> str:
        """What restricts a statement to the rows in scope, by the name that it gives to its rows."""
        if self.whole:
            return ""
        return f"semi join dirty on dirty.source_id = {table}.source_id and dirty.row_no = {table}.row_no"


_WHOLE = Scope(whole=True, people=True, sheets=SHEETS)


def find_scope(staging: Staging, *, whole: bool) -> Scope:
    """Make the view `scope`, of every row where `whole` says so or nothing less would do."""
    after: int = 0 if whole else staging.one("last_reconciled")
    found = _WHOLE if after == 0 or staging.one("snapshotted", after=after) else _changed(staging, after)
    if found.sheets:
        staging.run("start_scope", {"restriction": found.among("row_state")})
    return found


def find_near(staging: Staging, scope: Scope, references: pl.DataFrame) -> str:
    """The table of the staged patients whom the rows in scope may mean; that of all of them where nobody less
    would do. references: as `distinct_references` gives them; `reference` has those of the rows in scope.
    """
    if scope.whole or scope.people or staging.one("has_constants", keys=_FOUND_BY):
        return "row_state"
    with staging.lent(wanted=references):
        staging.run("find_near")
    return NEAR


def _changed(staging: Staging, after: int) -> Scope:
    staging.run("find_dirty", after=after, keys=_MATTERING)
    for sheet in _sheets(staging):
        staging.fill("dirty", "widen_dirty", {"table": sheet.table})
    sheets = _sheets(staging)
    if not sheets:
        return Scope(whole=False, people=False, sheets=())
    staging.run("stand_ties")
    staging.run("find_touched")
    touched: int = staging.one("count_rows_of", {"table": "touched"})
    if touched == 0:
        return Scope(whole=False, people=False, sheets=sheets)
    if touched > _MANY or staging.one("has_constants", keys=_FOUND_BY):
        return _WHOLE
    staging.fill("dirty", "rows_of_touched")
    _add_meant(staging)
    return Scope(whole=False, people=True, sheets=_sheets(staging))


def _sheets(staging: Staging) -> tuple[Sheet, ...]:
    dirty = {row[0] for row in staging.rows("sheets_of_dirty")}
    return tuple(sheet for sheet in SHEETS if sheet.name in dirty)


def _add_meant(staging: Staging) -> None:
    """Add the rows whose references say a key that a touched person has, or ever had."""
    import polars as pl

    from stager.reconcile.references import read_references

    keys = read_references(staging.frame("keys_of_touched")["text"])
    references = read_references(staging.frame("every_reference")["raw"])
    meant = pl.any_horizontal(
        pl.col(form).is_in(keys[form].drop_nulls().implode()) for form in ("text", "digits", "email")
    )
    with staging.lent(meant=references.filter(meant).select("raw")):
        staging.fill("dirty", "rows_that_mean")
