"""Two values held against each other: agree, near, differ, missing, and where they differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stager.session.comparing import compare
from stager.session.review_views import Likeness
from stager.sheets import PATIENTS, Column

AGREE, NEAR, DIFFER, MISSING = Likeness


def column(name: str) -> Column:
    return PATIENTS.column(name)


CASES = [
    ("first_name", "Zoë", "ZOE", AGREE),
    ("last_name", "O'Brien", "O Brien", AGREE),
    ("last_name", "Smith", "Smyth", NEAR),
    ("last_name", "Weiß", "Weiss", AGREE),
    ("first_name", "Ann", "Amy", DIFFER),
    ("first_name", "Ann", "Anne", NEAR),
    ("nhs_number", "999 038 5173", "9990385173", AGREE),
    ("nhs_number", "9990385173", "9990385713", NEAR),
    ("nhs_number", "9990385173", "4010232137", DIFFER),
    ("date_of_birth", "1980-03-04", "1980-04-03", NEAR),
    ("date_of_birth", "1980-03-04", "1980-03-05", NEAR),
    ("date_of_birth", "1980-03-04", "1979-03-05", DIFFER),
    ("legacy_id", "0123", "123", NEAR),
    ("legacy_id", "1.2E+05", "120000", NEAR),
    ("legacy_id", "AB1", "ab1", NEAR),
    ("legacy_id", "0123", "0123", AGREE),
    ("legacy_id", "1001", "2002", DIFFER),
    ("mobile_phone", "07700 900123", "07700900123", AGREE),
    ("gender", "MALE", "FEMALE", DIFFER),
    ("email", "A@Example.org", "a@example.org", AGREE),
    ("postcode", "SW1A 1AA", "SW1A 2AA", NEAR),
    ("postcode", "SW1A 1AA", "SW1A 2AB", DIFFER),
    ("city", "", "London", MISSING),
    ("city", None, None, MISSING),
]


@pytest.mark.parametrize(("name", "ours", "theirs", "likeness"), CASES)
def test_values_compare_as_a_person_would(
    name: str, ours: str | None, theirs: str | None, likeness: Likeness
) -> None:
    """Names without accents and case, numbers by their digits, dates also with day and month swapped."""
    assert compare(column(name), ours, theirs).likeness is likeness
    assert compare(column(name), theirs, ours).likeness is likeness


@pytest.mark.parametrize(
    ("ours", "theirs", "marks"),
    [
        ("Smith", "Smyth", ((2, 3),)),
        ("Smith", "Smithe", ((5, 6),)),
        ("Smithe", "Smith", ((4, 5),)),
        ("Xmith", "Smith", ((0, 1),)),
        ("Smith", "mith", ((0, 1),)),
    ],
)
def test_the_difference_is_marked_inside_the_text(ours: str, theirs: str, marks: object) -> None:
    """By the candidate's own characters; where one is left out, the character beside the gap."""
    assert compare(column("last_name"), ours, theirs).marks == marks


TEXT = st.text("abcdé12 -'", max_size=12)


@given(TEXT, TEXT, st.sampled_from(PATIENTS.columns))
def test_marks_lie_within_the_text_and_only_where_it_is_near(ours: str, theirs: str, of: Column) -> None:
    """In order, apart from each other; and what agrees, differs or is missing has none."""
    found = compare(of, ours, theirs)
    if found.likeness is not NEAR:
        assert found.marks == ()
        return
    ends = [0, *(end for mark in found.marks for end in mark), len(theirs)]
    assert ends == sorted(ends)
    assert all(start < stop for start, stop in found.marks)


@given(TEXT, st.sampled_from(PATIENTS.columns))
def test_a_value_agrees_with_itself(text: str, of: Column) -> None:
    """Unless it is none."""
    assert compare(of, text, text).likeness is (AGREE if text else MISSING)
