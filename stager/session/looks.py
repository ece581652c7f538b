"""What whole columns look like, for a finding about a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from stager import sql
from stager.sheets import SHEET, Column, Kind, Sheet
from stager.staging import Staging

if TYPE_CHECKING:
    from stager.decisions import Finding
    from stager.session.review_views import ColumnLook

_MOST_VALUES = 12


class Looks:
    """Columns as they were looked at, each once: cells are facts, and only another source changes one."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str, int], ColumnLook] = {}

    def of(self, staging: Staging, finding: Finding) -> ColumnLook | None:
        """The column of a finding; None where it is about none, or about narratives: no two are alike."""
        if finding.field is None:
            return None
        sheet = SHEET[finding.sheet]
        column = sheet.column(finding.field)
        if column.kind is Kind.NARRATIVE:
            return None
        key = (sheet.name, column.field, staging.one("count_rows_of", {"table": "source"}))
        if key not in self._seen:
            self._seen[key] = _look(staging, sheet, column)
        if column.field != "role":
            return self._seen[key]
        from stager.records import rules_of  # brings polars, and every session makes its looks

        roles = rules_of(staging, finding.source_id).roles
        return replace(self._seen[key], allowed=(*column.vocabulary, *roles))


def _look(staging: Staging, sheet: Sheet, column: Column) -> ColumnLook:
    from stager.session.review_views import ColumnLook  # here: a command that shows none should not wait

    staging.run("count_values", {"table": sheet.table, "field": sql.identifier(column.field)})
    filled, rows, distinct = staging.rows("look_of_column")[0]
    return ColumnLook(
        column=column.name,
        filled=filled,
        blank=rows - filled,
        distinct=distinct,
        values=tuple(staging.rows("values_of_column", most=_MOST_VALUES)),
        allowed=column.vocabulary,
    )
