"""How the tests of values read one cell, and slow, obvious versions of the check digits."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from stager.sheets import SHEET
from stager.values import Rules, normalise

AS_OF = date(2026, 11, 22)
RULES = Rules(as_of=AS_OF)
"""The rules that a case is read by where it states no others."""

Case = tuple[str | None, Any, str | None, str | None]
"""A cell, its value, the rule said against it, the rule of what was done to it."""

CODES = {
    "missing": ("value.missing", False),
    "date": ("value.invalid", False),
    "moment": ("value.invalid", False),
    "birth_future": ("value.invalid", False),
    "birth_age": ("value.invalid", False),
    "identifier_control": ("value.invalid", False),
    "nhs_check": ("value.suspect", False),
    "nhs_placeholder": ("value.suspect", False),
    "quantity": ("value.suspect", False),
    "vocabulary": ("value.unknown", True),
    "vocabulary_required": ("value.unknown", False),
}
"""Rule → code and standing, for all but the suspect values that may stand."""


def check(column: str, case: Case, rules: Rules = RULES) -> None:
    """Reads the cell alone in its column and compares all that comes of it."""
    cell, value, issue, change = case
    sheet, field = column.split(".")
    raw = pl.DataFrame({"source_id": [7], "row_no": [3], field: pl.Series([cell], dtype=pl.String)})
    read = normalise(SHEET[sheet], raw, rules, [field])
    assert read.values.rows() == [(7, 3, value)]
    code, standing = CODES.get(issue or "", ("value.suspect", True))
    assert read.issues.rows() == ([(7, 3, field, code, issue, standing)] if issue else [])
    code = "value.defaulted" if change in {"constant", "default"} else "value.normalised"
    assert read.changes.rows() == ([(7, 3, field, code, change)] if change else [])


def nhs_check_digit(nine: str) -> int:
    """The modulus-11 check digit of nine digits; 10 where no number can be made of them."""
    total = sum(weight * int(digit) for weight, digit in zip(range(10, 1, -1), nine, strict=True))
    return (11 - total % 11) % 11
