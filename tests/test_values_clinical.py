"""Clinical codes and quantities: what is known, and what is held."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from values_check import RULES, Case, check

from stager.sheets import NOTES
from stager.values import normalise


@pytest.mark.parametrize(
    "case",
    [
        ("22298006", "22298006", None, None),
        (" 73211009 ", "73211009", None, "trimmed"),
        ("10939881000119105", "10939881000119105", None, None),
        ("10939881000119104", "10939881000119104", "clinical_code", None),
        ("1.09398810001191E+16", "1.09398810001191E+16", "clinical_code", None),
        ("22298006.0", "22298006.0", "clinical_code", None),
        ("022298006", "022298006", "clinical_code", None),
        ("22298", "22298", "clinical_code", None),
        ("E11.9", "E11.9", None, None),
        ("e11.9", "E11.9", None, "case"),
        ("J45", "J45", None, None),
        ("I10X", "I10X", None, None),
        ("S72.00XA", "S72.00XA", None, None),
        ("Asthma", "Asthma", "clinical_code", None),
        ("H33..", "H33..", "clinical_code", None),
        ("J45, E11", "J45, E11", "clinical_code", None),
    ],
)
@pytest.mark.parametrize("column", ["background.clinical_code", "notes.clinical_code"])
def test_clinical_code(column: str, case: Case) -> None:
    """A code is SNOMED CT with its check digit right, or ICD-10; it stays text, and a damaged one is held."""
    check(column, case)


@pytest.mark.parametrize(
    "case",
    [
        ("28", 28, None, None),
        (" 28 ", 28, None, "trimmed"),
        ("0", 0, None, None),
        ("999999999", 999_999_999, None, None),
        ("30 tablets", 30, None, "quantity_unit"),
        ("30 soluble tablets", 30, None, "quantity_unit"),
        ("100ml", 100, None, "quantity_unit"),
        ("56 tabs.", 56, None, "quantity_unit"),
        ("1000000000", None, "quantity", None),
        ("28.0", None, "quantity", None),
        ("-1", None, "quantity", None),
        ("thirty", None, "quantity", None),
        ("1,000", None, "quantity", None),
        ("2 x 14", None, "quantity", None),
        ("30 x tablets", None, "quantity", None),
        ("28 days", None, "quantity", None),
        ("500 mg", None, "quantity", None),
        ("28 500mg tablets", None, "quantity", None),
        ("٢٨", None, "quantity", None),
    ],
)
def test_quantity(case: Case) -> None:
    """A quantity is a count before an optional unit; a strength, a duration or anything else is held."""
    check("medications.quantity", case)


_D = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_P = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 5, 7, 6, 2, 8, 3, 0, 9, 4),
    (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7),
    (9, 4, 5, 3, 1, 2, 6, 8, 7, 0),
    (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5),
    (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)


def _verhoeff(code: str) -> bool:
    """Verhoeff's check by his printed tables, digit by digit from the right."""
    product = 0
    for place, digit in enumerate(reversed(code)):
        product = _D[product][_P[place % 8][int(digit)]]
    return product == 0


def _with_check_digit(stem: int) -> str:
    return next(code for digit in range(10) if _verhoeff(code := f"{stem}{digit}"))


@given(
    st.lists(
        st.one_of(
            st.integers(10_000, 10**17 - 1).map(_with_check_digit),
            st.integers(100_000, 10**18 - 1).map(str),
        ),
        max_size=50,
    )
)
def test_the_check_digit_is_verhoeffs(codes: list[str]) -> None:
    """Numbers of any length pass exactly where Verhoeff's tables let them, all of them at once."""
    raw = pl.DataFrame(
        {"source_id": [1] * len(codes), "row_no": range(len(codes)), "clinical_code": codes},
        schema={"source_id": pl.Int32, "row_no": pl.Int32, "clinical_code": pl.String},
    )
    read = normalise(NOTES, raw, RULES, ["clinical_code"])
    assert read.values["clinical_code"].to_list() == codes
    assert read.issues["row_no"].to_list() == [row for row, code in enumerate(codes) if not _verhoeff(code)]
