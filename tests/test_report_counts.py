"""Small counts: what is shown of a breakdown leaves more than one possibility for every hidden count."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from stager.report.counts import SMALL, families_of_known, parts_of_known, shown

SIZES = st.integers(0, 12)


def _possible(parts: list[int], told: list[object]) -> list[set[int]]:
    """For each hidden part the values that it may have, given the total and what the labels say."""
    total = sum(parts)
    ranges = [
        [each] if isinstance(each, int) else range(1, SMALL) if each == "<5" else range(SMALL, total + 1)
        for each in told
    ]
    fits = [values for values in itertools.product(*ranges) if sum(values) == total]
    return [{values[i] for values in fits} for i in range(len(parts))]


def test_a_count_below_five_is_never_shown() -> None:
    """None is none; one to four are "<5"; five is five."""
    assert [shown(count) for count in (0, 1, 4, 5, 1000)] == [0, "<5", "<5", 5, 1000]


def test_a_total_does_not_give_a_small_part_away() -> None:
    """The only small part of a known total takes the next larger one with it."""
    assert parts_of_known([100, 3, 20]) == [100, "<5", "≥5"]
    assert parts_of_known([100, 3, 2]) == [100, "<5", "<5"]
    assert parts_of_known([100, 20, 0]) == [100, 20, 0]


def test_hidden_parts_that_add_up_to_one_possibility_take_another_with_them() -> None:
    """1 + 1 is known from its sum; so is 1 beside a part of exactly five."""
    assert parts_of_known([1, 1, 9]) == ["<5", "<5", "≥5"]
    assert parts_of_known([1, 5, 9]) == ["<5", "≥5", "≥5"]


@settings(max_examples=150, deadline=None)
@given(st.lists(SIZES, max_size=4))
def test_no_small_count_can_be_worked_out(parts: list[int]) -> None:
    """Total and labels leave two values for each hidden part, while there is a part left to hide."""
    told = parts_of_known(parts)
    assert all(each == count or isinstance(each, str) for each, count in zip(told, parts, strict=True))
    assert not any(isinstance(each, int) and 0 < each < SMALL for each in told)
    if any(isinstance(each, int) and each for each in told):
        possible = _possible(parts, list(told))
        assert all(
            len(values) > 1 for values, each in zip(possible, told, strict=True) if isinstance(each, str)
        )


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(SIZES, max_size=3), max_size=3))
def test_a_hidden_part_shows_none_of_its_own_parts(families: list[list[int]]) -> None:
    """A part of a part never tells what the whole part hides, and nothing small is shown on either level."""
    outer, inner = families_of_known(families)
    for whole, told in zip(outer, inner, strict=True):
        assert not any(isinstance(each, int) and 0 < each < SMALL for each in (whole, *told))
        if isinstance(whole, str):
            assert all(isinstance(each, str) or each == 0 for each in told)
