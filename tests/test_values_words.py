"""Words of a vocabulary, and what fills a blank."""

from __future__ import annotations

from datetime import date

import pytest
from values_check import AS_OF, Case, check

from stager.values import Rules


@pytest.mark.parametrize(
    "case",
    [
        ("MALE", "MALE", None, None),
        (" MALE ", "MALE", None, "trimmed"),
        ("male", "MALE", None, "case"),
        ("not stated", "NOT_STATED", None, "case"),
        ("Not - Stated", "NOT_STATED", None, "case"),
        (" m ", "MALE", None, "synonym"),
        ("Woman", "FEMALE", None, "synonym"),
        ("Mâle", "Mâle", "vocabulary", None),
        ("?", "?", "vocabulary", None),
    ],
)
def test_word(case: Case) -> None:
    """A word takes the vocabulary's spelling; an unknown one is kept, and held."""
    check("patients.gender", case)


@pytest.mark.parametrize(
    "case",
    [
        ("allergy", "ALLERGY", None, "case"),
        ("Condition", "MEDICAL CONDITION", None, "synonym"),
        ("Intolerance", None, "vocabulary_required", None),
        ("", None, "missing", None),
    ],
)
def test_required_word(case: Case) -> None:
    """The word that decides a row's table holds the row where it is unknown, and cannot stand."""
    check("background.type", case)


@pytest.mark.parametrize(
    ("column", "default"),
    [
        ("patients.role", "PATIENT"),
        ("background.severity", "UNSPECIFIED"),
        ("background.status", "ACTIVE"),
        ("notes.note_type", "OTHER"),
        ("medications.status", "ACTIVE"),
    ],
)
def test_default(column: str, default: str) -> None:
    """A blank takes the column's default."""
    for blank in ("", "  ", None):
        check(column, (blank, default, None, "default"))


@pytest.mark.parametrize(
    ("synonyms", "case"),
    [
        ({" Boy ": "male"}, ("BOY", "MALE", None, "synonym")),
        ({"m": "FEMALE"}, ("M", "FEMALE", None, "synonym")),
        ({"other": "NOT_STATED"}, ("OTHER", "NOT_STATED", None, "synonym")),
        ({"Straße": "OTHER"}, ("STRASSE", "OTHER", None, "synonym")),
        ({}, ("BOY", "BOY", "vocabulary", None)),
    ],
)
def test_synonyms_of_the_source(synonyms: dict[str, str], case: Case) -> None:
    """A source's own synonyms, folded like the words, win over the sheet's words and synonyms."""
    check("patients.gender", case, Rules(as_of=AS_OF, synonyms={"gender": synonyms}))


def test_roles_of_the_tenant() -> None:
    """A tenant's roles are words of the role column, and of no other."""
    rules = Rules(as_of=AS_OF, roles=("PHARMACIST",))
    check("patients.role", ("pharmacist", "PHARMACIST", None, "case"), rules)
    check("patients.gender", ("PHARMACIST", "PHARMACIST", "vocabulary", None), rules)


@pytest.mark.parametrize(
    ("column", "constant", "value", "issue"),
    [
        ("patients.gender", " m ", "MALE", None),
        ("patients.role", "CLINICIAN", "CLINICIAN", None),
        ("patients.city", "Leeds", "Leeds", None),
        ("background.onset_date", "1900-01-01", date(1900, 1, 1), None),
        ("patients.gender", "?", "?", "vocabulary"),
        ("notes.note_text", "(none)", "(none)", None),
    ],
)
def test_constant(column: str, constant: str, value: object, issue: str | None) -> None:
    """A constant fills blank and absent cells, before the default, and is read as a cell is."""
    rules = Rules(as_of=AS_OF, constants={column.split(".")[1]: constant})
    for blank in ("", " ", None):
        check(column, (blank, value, issue, "constant"), rules)
