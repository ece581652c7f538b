"""Texts, identifiers, references and narratives: what becomes of a cell, and what is said of it."""

from __future__ import annotations

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from values_check import Case, check

from stager.values import fold_name


@pytest.mark.parametrize(
    "case",
    [
        ("Ann", "Ann", None, None),
        ("  Ann\t", "Ann", None, "trimmed"),
        ("\u00a0Ann Lee\u2003", "Ann Lee", None, "trimmed"),
        ("A\r\nB\tC", "A\r\nB\tC", None, None),
        ("a\u202eb", "a\u202eb", None, None),
        ("\u200bx", "\u200bx", None, None),
        ("O\x07B", "O\x07B", "control_character", None),
        ("O\x92Brien ", "O\x92Brien", "control_character", "trimmed"),
        ("=1+1", "=1+1", None, None),
        ("", None, "missing", None),
        (" \u00a0\n", None, "missing", None),
        (None, None, "missing", None),
    ],
)
def test_text(case: Case) -> None:
    """Text is trimmed and otherwise left alone; control characters inside hold it."""
    check("patients.first_name", case)


@pytest.mark.parametrize("case", [("", None, None, None), ("  ", None, None, None), (None, None, None, None)])
def test_optional_blank(case: Case) -> None:
    """A blank in an optional column is NULL, and nothing is said of it."""
    check("patients.city", case)


@pytest.mark.parametrize(
    "case",
    [
        ("0042", "0042", None, None),
        (" 1.23E+05 ", "1.23E+05", None, "trimmed"),
        ("1\t2", None, "identifier_control", None),
        ("1\n2", None, "identifier_control", None),
    ],
)
def test_identifier(case: Case) -> None:
    """Identifiers are trimmed, never padded or made numbers; a control character rejects."""
    check("patients.legacy_id", case)


@pytest.mark.parametrize(
    "case",
    [
        ("  a \r\n\x01\u00a0", "  a \r\n\x01\u00a0", None, None),
        ("\n \u00a0", None, "missing", None),
    ],
)
def test_narrative(case: Case) -> None:
    """A narrative is kept to the byte; one of white space alone is missing."""
    check("notes.note_text", case)


@pytest.mark.parametrize(
    "column",
    ["background.patient_ref", "notes.practitioner_ref", "medications.patient_ref"],
)
def test_reference(column: str) -> None:
    """A reference is trimmed, and otherwise to the letter."""
    check(column, (" 00-42 ", "00-42", None, "trimmed"))
    check(column, ("401 023 2137", "401 023 2137", None, None))


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("  Zoë   O'Brien-Weiß ", "zoe o brien weiss"),
        ("JOSÉ", "jose"),
        ("Jose\u0301", "jose"),
        ("Łukasz Đorđević", "lukasz dordevic"),
        ("Ægir Sørensen", "aegir sorensen"),
        ("İnönü", "inonu"),
        ("ﬁona", "fiona"),
        ("Иван", "иван"),
        ("李 小龙", "李 小龙"),
        ("--", ""),
        (None, None),
    ],
)
def test_folded_name(name: str | None, folded: str | None) -> None:
    """Names that differ by accents, case or punctuation fold to one; no script loses its letters."""
    frame = pl.DataFrame({"name": pl.Series([name], dtype=pl.String)})
    assert frame.select(fold_name(pl.col("name")))["name"].to_list() == [folded]


@given(st.text(st.characters(max_codepoint=0x24F), max_size=30))
def test_folding_is_settled(name: str) -> None:
    """Folding again changes nothing, nor does composing or decomposing the name before."""
    forms = [name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)]
    once = pl.DataFrame({"name": forms}).select(fold_name(pl.col("name")))
    assert once["name"].n_unique() == 1
    assert once.select(fold_name(pl.col("name"))).equals(once)
