"""NHS numbers: spacing, check digit, placeholders and ranges."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from values_check import AS_OF, RULES, Case, check, nhs_check_digit

from stager.values import Rules, nhs_digits


@pytest.mark.parametrize(
    "case",
    [
        ("4010232137", "4010232137", None, None),
        ("401 023 2137", "4010232137", None, "nhs_spacing"),
        ("401-023-2137", "4010232137", None, "nhs_spacing"),
        (" 401\u00a0023\u20112137 ", "4010232137", None, "nhs_spacing"),
        (" 4010232137 ", "4010232137", None, "trimmed"),
        ("4010232138", None, "nhs_check", None),
        ("401023213", None, "nhs_check", None),
        ("04010232137", None, "nhs_check", None),
        ("4010232137.0", None, "nhs_check", None),
        ("4.01E+09", None, "nhs_check", None),
        ("-4010232137", None, "nhs_check", None),
        ("401.023.2137", None, "nhs_check", None),
        ("٤٠١٠٢٣٢١٣٧", None, "nhs_check", None),
        ("401023213" + "\uff17", None, "nhs_check", None),
        ("none", None, "nhs_check", None),
    ],
)
def test_nhs_number(case: Case) -> None:
    """An NHS number is its ten digits, its check digit right; else it is nothing."""
    check("patients.nhs_number", case)


@pytest.mark.parametrize("digit", "0123456789")
def test_nhs_placeholder(digit: str) -> None:
    """One digit ten times passes the check, and is no number, in made-up data too."""
    for rules in (RULES, Rules(as_of=AS_OF, synthetic=True)):
        check("patients.nhs_number", (digit * 10, None, "nhs_placeholder", None), rules)


def test_nhs_synthetic() -> None:
    """In made-up data the test range is in order, other ranges never issued are not."""
    rules = Rules(as_of=AS_OF, synthetic=True)
    check("patients.nhs_number", ("999 000 0018", "9990000018", None, "nhs_spacing"), rules)
    check("patients.nhs_number", ("9434765919", "9434765919", "nhs_range", None), rules)


@pytest.mark.parametrize(
    ("nine", "issue"),
    [
        ("010000003", "nhs_range"),
        ("000101002", "nhs_range"),
        ("010101003", None),
        ("290201002", None),
        ("300201002", "nhs_range"),
        ("310401001", "nhs_range"),
        ("311299999", None),
        ("311300000", "nhs_range"),
        ("319999999", "nhs_range"),
        ("320000001", None),
        ("399999998", None),
        ("400000001", None),
        ("499999998", None),
        ("500000002", "nhs_range"),
        ("599999999", "nhs_range"),
        ("600000001", None),
        ("799999998", None),
        ("800000002", None),
        ("859999998", None),
        ("860000001", "nhs_range"),
        ("900000000", "nhs_range"),
        ("998999999", "nhs_range"),
        ("999000001", "nhs_test_range"),
        ("999999998", "nhs_test_range"),
    ],
)
def test_nhs_range(nine: str, issue: str | None) -> None:
    """A number of a range that was never issued is suspect, and may stand."""
    digit = nhs_check_digit(nine)
    assert digit < 10
    check("patients.nhs_number", (f"{nine}{digit}", f"{nine}{digit}", issue, None))


_NINE = st.integers(0, 999_999_999).map("{:09}".format)
_SPACED = st.builds(
    lambda nine, digit, gap: gap.join((nine[:3], nine[3:6], nine[6:] + digit)),
    _NINE,
    st.sampled_from("0123456789"),
    st.sampled_from(["", " ", "-", "\u00a0", "\u2013", " - "]),
)


def _plainly(reference: str) -> str | None:
    """What nhs_digits must give, digit by digit."""
    digits = re.sub("[ \u00a0\u2013-]", "", reference)
    if not re.fullmatch("[0-9]{10}", digits) or len(set(digits)) == 1:
        return None
    return digits if nhs_check_digit(digits[:9]) == int(digits[9]) else None


@given(st.lists(st.one_of(_SPACED, _NINE.map(lambda nine: f"{nine}{nhs_check_digit(nine)}"))))
def test_nhs_digits_are_those_of_the_check(references: list[str]) -> None:
    """nhs_digits agrees, for any numbers in any spacing, with the check done digit by digit."""
    frame = pl.DataFrame({"reference": pl.Series(references, dtype=pl.String)})
    found = frame.select(nhs_digits(pl.col("reference")))["reference"]
    assert found.to_list() == [_plainly(reference) for reference in references]


def test_nhs_digits_in_a_lazy_frame() -> None:
    """nhs_digits gives what it gives row by row in a streamed frame of many morsels, NULLs and all."""
    references = ["4010232137", None, "P1", "0000000000", " 401 023 2137 "] * 50_000
    frame = pl.LazyFrame({"reference": references})
    found = frame.select(digits=nhs_digits(pl.col("reference"))).collect(engine="streaming")
    assert found["digits"].to_list() == ["4010232137", None, None, None, "4010232137"] * 50_000
