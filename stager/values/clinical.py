"""Clinical codes and quantities."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl

from stager.sheets import Column
from stager.values.rules import Rules

_SNOMED = "^[1-9][0-9]{5,17}$"
_SNOMED_LONGEST = 18
_ICD10 = r"^[A-Za-z][0-9][0-9A-Za-z](?:\.?[0-9A-Za-z]{1,4})?$"
"""The second place is a digit in every ICD-10 code; with a letter there, any short word would pass."""

_QUANTITY = r"^([0-9]{1,9})(?:[ \x{a0}]*([A-Za-z]+)(?:[ \x{a0}]+[A-Za-z]+)*\.?)?$"
_NO_UNITS = (
    *("mg", "mcg", "ug", "microgram", "micrograms", "milligram", "milligrams"),
    *("hour", "hours", "day", "days", "week", "weeks", "month", "months", "year", "years"),
    *("x", "times", "daily"),
)
"""Words that make the number a strength, a duration or a factor: 28 days is no 28 of anything."""

# Verhoeff's tables: products in the dihedral group of order 10, and the permutation of each place.
_PRODUCT = tuple(
    tuple(
        ((a + b) % 5 if b < 5 else 5 + (a + b) % 5) if a < 5 else (5 + (a - b) % 5 if b < 5 else (a - b) % 5)
        for b in range(10)
    )
    for a in range(10)
)
_PERMUTED = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
_ABSENT = 10
"""Stands for the digit of a place above the number's first; it leaves the product as it is."""


def read_clinical_code(cells: pl.LazyFrame, column: Column, rules: Rules) -> pl.LazyFrame:
    """SNOMED CT identifiers as they are, ICD-10 codes in upper case; text, never a number."""
    text = pl.col("text")
    read = cells.with_columns(
        _snomed=text.map_batches(_sound, return_dtype=pl.Boolean),
        _icd=pl.when(text.str.contains(_ICD10)).then(text.str.to_uppercase()),
    )
    icd = pl.col("_icd")
    return read.with_columns(
        value=pl.coalesce(icd, text),
        issue=pl.when(text.is_not_null() & icd.is_null() & ~pl.col("_snomed")).then(pl.lit("clinical_code")),
        change=pl.when(icd != text).then(pl.lit("case")),
    )


def read_quantity(cells: pl.LazyFrame, column: Column, rules: Rules) -> pl.LazyFrame:
    """Quantities, as the number before an optional unit; suspect, and NULL, where there is none."""
    text, number, unit = pl.col("text"), pl.col("_number"), pl.col("_unit")
    read = (
        cells.with_columns(_parts=text.str.extract_groups(_QUANTITY))
        .with_columns(
            _number=pl.col("_parts").struct.field("1"),
            _unit=pl.col("_parts").struct.field("2"),
        )
        .with_columns(
            _count=pl.when(~unit.str.to_lowercase().is_in(_NO_UNITS).fill_null(value=False)).then(number)
        )
    )
    count = pl.col("_count")
    return read.with_columns(
        value=count.cast(pl.Int32),
        issue=pl.when(text.is_not_null() & count.is_null()).then(pl.lit("quantity")),
        change=pl.when(count.is_not_null() & unit.is_not_null()).then(pl.lit("quantity_unit")),
    )


def _sound(codes: pl.Series) -> pl.Series:
    """Whether each is a SNOMED CT identifier by its form and its check digit; NULL is not."""
    distinct = codes.filter(codes.str.contains(_SNOMED)).unique()
    numbers = distinct.cast(pl.Int64).to_numpy()
    products = np.zeros(len(numbers), dtype=np.int64)
    for place in range(_SNOMED_LONGEST):
        digits = np.where(numbers >= 10**place, numbers // 10**place % 10, _ABSENT)
        products = _step(place % 8)[products, digits]
    # A list: of an array polars asks whether it is masked, and numpy reads all that it has for those.
    sound = distinct.filter(pl.Series((products == 0).tolist(), dtype=pl.Boolean))
    return codes.is_in(sound.implode()).fill_null(value=False)


@cache
def _step(place: int) -> npt.NDArray[np.int64]:
    """A table: [product, digit] → the product with that digit at that place (modulo 8) taken in."""
    permuted = list(range(10))
    for _ in range(place):
        permuted = [_PERMUTED[digit] for digit in permuted]
    return np.array(
        [
            [product if digit == _ABSENT else _PRODUCT[product][permuted[digit]] for digit in range(11)]
            for product in range(10)
        ]
    )
