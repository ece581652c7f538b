"""Text from outside on a screen: literal, seen whatever it is made of, in the room it is given, or hidden."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.test_ingest_records import NAUGHTY
from tui.text import ABSENT, EMPTY, MASKED, cell, fitted, line

ACTING = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})


def acting(text: str) -> list[str]:
    """The characters that a terminal would act on, or that could not be seen."""
    return [char for char in text if unicodedata.category(char) in ACTING and char != "\n"]


@pytest.mark.parametrize("text", NAUGHTY)
def test_naughty_strings_act_nowhere(text: str) -> None:
    """Controls, escapes and bidi marks become signs, in a table's line and in a cell."""
    for shown in (line(text), cell(text).plain, cell(text, lines=True).plain):
        assert acting(shown) == []
    assert "\n" not in line(text) + cell(text).plain


@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_no_text_acts(text: str) -> None:
    """Whatever a cell holds, nothing of it is sent that a terminal would act on."""
    assert acting(line(text)) == []
    assert acting(cell(text, lines=True).plain) == []


@pytest.mark.parametrize(
    "text", ["allergic to [penicillin]", "[/foo]", "[red]x[/red]", "[@click=app.leave]x[/]", "\\[x", "$error"]
)
def test_brackets_are_no_markup(text: str) -> None:
    """A cell's brackets stand as they are, and none of them styles or links anything."""
    assert cell(text).plain == text
    assert cell(text).spans == []
    assert line(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a↵b"),
        ("a\r\nb", "a\\r↵b"),
        ("a\tb", "a⇥b"),
        (" a b ", "·a b·"),
        ("  ", "··"),
        ("a\xa0b", "a\\xa0b"),
        ("a\u202eb", "a\\u202eb"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("José 田中", "José 田中"),
        ("", ""),
    ],
)
def test_what_cannot_be_seen_is_shown(text: str, shown: str) -> None:
    """Line breaks, tabs, spaces at the ends and marks of direction have signs."""
    assert line(text) == shown


def test_a_sign_is_told_from_text_without_colour() -> None:
    """A line break's sign is in reverse; the same sign typed by somebody is not."""
    spans = [(span.start, span.end, span.style) for span in cell("a\nb").spans]
    assert spans == [(1, 2, "reverse")]
    assert cell("a↵b").spans == []


def test_lines_go_on_after_the_sign() -> None:
    """A note's lines are lines, each ended by the sign."""
    assert cell("first\nsecond", lines=True).plain == "first↵\nsecond"


def test_marks_stand_on_the_characters_they_are_about() -> None:
    """A mark counts the value's characters, also where signs before it are longer than they."""
    shown = cell("\u202eSmyth", marks=[(3, 4)])
    marked = [shown.plain[span.start : span.end] for span in shown.spans if span.style != "reverse"]
    assert marked == ["y"]


@pytest.mark.parametrize("text", ["x", "a name", "long " * 500, "\n"])
def test_hidden_values_are_alike(text: str) -> None:
    """Of a hidden value not even the length is shown; that there is none may be seen."""
    assert line(text, masked=True) == cell(text, masked=True).plain == MASKED
    assert line("", masked=True) == ""
    assert cell("", masked=True).plain == EMPTY
    assert line(None, masked=True) == cell(None, masked=True).plain == ABSENT


def test_a_mebibyte_is_cut_and_says_so() -> None:
    """A cell of a million characters does not stop the screen."""
    assert cell("x" * 1_048_576).plain.endswith("… 848,576 more characters")


@given(st.text(max_size=30), st.integers(0, 40), st.booleans())
def test_a_text_takes_the_room_it_is_given(text: str, width: int, right: bool) -> None:
    """Wide and combining characters counted, a fitted text fills its cells exactly."""
    assert cell_len(fitted(line(text), width, right=right)) == width
