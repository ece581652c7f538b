"""NHS numbers: ten digits with a modulus-11 check digit, placeholders, and the ranges ever issued.

The scheme is shared by the United Kingdom and Ireland. Ranges, check digit included (sources: the
documentation and constants of the `nhs-number` library; the NHS Data Dictionary's NHS NUMBER):

    0101000000 – 3112999999  Scotland: CHI numbers, DDMMYY of the birth and four digits
    3200000000 – 3999999999  Northern Ireland: Health and Care Numbers
    4000000000 – 4999999999  England, Wales, Isle of Man
    6000000000 – 7999999999  England, Wales, Isle of Man
    8000000000 – 8599999999  Republic of Ireland, within the Individual Health Identifier
    9990000000 – 9999999999  for tests, never issued to a person

Everything else was never issued to a patient.
"""

from __future__ import annotations

import polars as pl

from stager.sheets import Column
from stager.values.rules import Rules

_TEN_DIGITS = r"^[0-9](?:[\t\p{Zs}\p{Pd}\x{2212}]*[0-9]){9}$"
"""Ten ASCII digits, blanks and dashes of any kind between them. `\\d` would match other scripts'."""

_ISSUED = ((3_200_000_000, 4_999_999_999), (6_000_000_000, 8_599_999_999))
_TEST = (9_990_000_000, 9_999_999_999)
_REPDIGIT = 1_111_111_111


def nhs_digits(reference: pl.Expr) -> pl.Expr:
    """The ten digits of a valid NHS number, or NULL.

    Outer white space, and blanks and dashes between the digits, are taken out. Placeholders are
    not valid, though they pass the check. Ranges are not looked at: a person may let them stand.
    """
    return reference.map_batches(_valid, return_dtype=pl.String, is_elementwise=True)


def read_nhs_number(cells: pl.LazyFrame, column: Column, rules: Rules) -> pl.LazyFrame:
    """NHS numbers, as their ten digits."""
    digits = pl.col("_digits")
    return _checked(cells).with_columns(
        value=digits,
        issue=_issue(rules),
        change=pl.when(digits != pl.col("text")).then(pl.lit("nhs_spacing")),
    )


def _valid(references: pl.Series) -> pl.Series:
    cells = pl.LazyFrame({"text": references.str.strip_chars()})
    sound = pl.col("_sound") & ~pl.col("_repdigit")
    return _checked(cells).select(pl.when(sound).then("_digits").alias(references.name)).collect().to_series()


def _checked(cells: pl.LazyFrame) -> pl.LazyFrame:
    """Adds _digits, _number, _sound (check digit right) and _repdigit, each NULL without ten digits.

    In stages: as one expression polars would extract the digits anew for each of nine weights.
    """
    text, number, first = pl.col("text"), pl.col("_number"), pl.col("_first")
    weighted = pl.sum_horizontal((first // 10 ** (8 - place)) % 10 * (10 - place) for place in range(9))
    return (
        cells.with_columns(_spaced=pl.when(text.str.contains(_TEN_DIGITS)).then(text))
        .with_columns(
            _digits=pl.when(pl.col("_spaced").str.len_bytes() == 10)
            .then(pl.col("_spaced"))
            .otherwise(pl.col("_spaced").str.replace_all("[^0-9]", ""))
        )
        .with_columns(_number=pl.col("_digits").cast(pl.Int64))
        .with_columns(_first=(number // 10).cast(pl.UInt32), _last=(number % 10).cast(pl.UInt32))
        .with_columns(_weighted=weighted)
        .with_columns(
            _sound=(11 - pl.col("_weighted") % 11) % 11 == pl.col("_last"),
            _repdigit=number % _REPDIGIT == 0,
        )
    )


def _issue(rules: Rules) -> pl.Expr:
    number = pl.col("_number")
    test = number.is_between(*_TEST)
    in_order = _issued() | test if rules.synthetic else _issued()
    return (
        pl.when(pl.col("text").is_null())
        .then(None)
        .when(pl.col("_repdigit"))
        .then(pl.lit("nhs_placeholder"))
        .when(~pl.col("_sound").fill_null(value=False))
        .then(pl.lit("nhs_check"))
        .when(in_order)
        .then(None)
        .when(test)
        .then(pl.lit("nhs_test_range"))
        .otherwise(pl.lit("nhs_range"))
    )


def _issued() -> pl.Expr:
    number = pl.col("_number")
    day, month = number // 100_000_000, number // 1_000_000 % 100
    longest = pl.when(month == 2).then(29).when(month.is_in([4, 6, 9, 11])).then(30).otherwise(31)
    chi = month.is_between(1, 12) & day.is_between(1, longest)
    return chi | pl.any_horizontal(number.is_between(*bounds) for bounds in _ISSUED)
