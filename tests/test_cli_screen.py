"""What reaches a terminal: shown, never acted on; tables within 80 columns; JSON alone on its stream."""

from __future__ import annotations

import io
import json

import pytest

from stager.cli import progress
from stager.cli.screen import Screen
from stager.visible import fitting, visible


def _screen(**settings: bool) -> tuple[Screen, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    return Screen(out=out, err=err, **settings), out, err


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Zoë O’Neill 李", "Zoë O’Neill 李"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\r\nb\tc\0", r"a\r\nb\tc\x00"),
        ("abc\u202egpj.exe", r"abc\u202egpj.exe"),
        ("\u2066x\u2069\u200b\u2028\x9b", r"\u2066x\u2069\u200b\u2028\x9b"),
        ("\udcff", r"\udcff"),
    ],
)
def test_characters_that_act_are_shown_as_escapes(text: str, shown: str) -> None:
    """Control characters, escapes, bidi marks, line separators and lone surrogates are never sent."""
    assert visible(text) == shown


def test_signs_that_an_encoding_lacks_become_ascii() -> None:
    """Our arrows and dashes have ASCII forms; other characters become escapes."""
    assert fitting("a → b … é", "ascii") == r"a -> b ... \xe9"
    assert fitting("a → é", "utf-8") == "a → é"


def test_a_table_takes_no_cell_for_markup() -> None:
    """Brackets stay as they are, also those that rich would take for a style or a closing tag."""
    screen, out, _ = _screen()
    screen.table(("[bold]head", "n"), [("allergic to [penicillin]", 1), ("[/foo] :smile:", 22_000)])
    assert "[bold]head" in out.getvalue()
    assert "allergic to [penicillin]" in out.getvalue()
    assert "[/foo] :smile:" in out.getvalue()


def test_a_table_aligns_numbers_to_the_right_with_separators() -> None:
    """A number ends where every other number of its column ends."""
    screen, out, _ = _screen()
    screen.table(("what", "rows"), [("a", 5), ("b", 1_234_567)])
    assert out.getvalue().splitlines() == ["what       rows", "a             5", "b     1,234,567"]


def test_a_table_folds_long_cells_within_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is longer than the terminal, and nothing of the cell is lost."""
    monkeypatch.setenv("COLUMNS", "80")
    screen, out, _ = _screen()
    screen.table(("a", "b"), [("x" * 100, "y" * 100)])
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert out.getvalue().count("x") == out.getvalue().count("y") == 100


def test_control_characters_in_a_cell_are_shown() -> None:
    """A table's cells go through the same door as every other text."""
    screen, out, _ = _screen()
    screen.table(("a",), [("\x1b]0;title\x07",)])
    assert r"\x1b]0;title\x07" in out.getvalue()


def test_json_carries_the_document_alone() -> None:
    """Lines and tables are left out; the document is ASCII, so that nothing in it acts on a terminal."""
    screen, out, err = _screen(as_json=True)
    screen.say("hello")
    screen.tell("hello")
    screen.table(("a",), [("b",)])
    screen.document({"name": "\u202e\x9bé"})
    assert json.loads(out.getvalue()) == {"name": "\u202e\x9bé"}
    assert out.getvalue().isascii()
    assert err.getvalue() == ""


def test_quiet_keeps_results_and_warnings() -> None:
    """Words about the work are left out, a result and a warning are not."""
    screen, out, err = _screen(quiet=True)
    screen.tell("done")
    screen.note("working")
    screen.say("result")
    screen.warn("careful")
    assert out.getvalue() == "result\n"
    assert err.getvalue() == "careful\n"


def test_progress_is_a_line_now_and_then_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two lines are never closer than some seconds, so short work says nothing."""
    now = iter([0.0, 1.0, 6.0, 7.0, 12.0])
    monkeypatch.setattr("stager.cli.progress.time.monotonic", lambda: next(now))
    screen, out, err = _screen()
    with progress.shown(screen, "bytes") as seen:
        for done in (100, 600, 700, 1200):
            seen("x[1].csv\x1b", done, 2000)
    assert err.getvalue().splitlines() == [
        r"x[1].csv\x1b: 600 of 2,000 bytes (30%)",
        r"x[1].csv\x1b: 1,200 of 2,000 bytes (60%)",
    ]
    assert out.getvalue() == ""


def test_progress_says_nothing_with_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even on a terminal."""
    screen, _, err = _screen(quiet=True)
    monkeypatch.setattr(err, "isatty", lambda: True)
    with progress.shown(screen, "rows") as seen:
        seen("linking rows", 1, 2)
    assert err.getvalue() == ""


@pytest.mark.parametrize("unit", ["bytes", "rows"])
def test_progress_on_a_terminal_shows_a_name_without_markup(
    monkeypatch: pytest.MonkeyPatch, unit: str
) -> None:
    """A file's name is shown to the letter beside its bar."""
    screen, _, err = _screen()
    monkeypatch.setattr(err, "isatty", lambda: True)
    with progress.shown(screen, unit) as seen:
        seen("[bold]p.csv", 1, 2)
        seen("linking", 0, None)
        seen("[bold]p.csv", 2, 2)
    assert "[bold]p.csv" in err.getvalue()


def test_a_reader_who_leaves_a_long_list_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """`stager rows | head` ends quietly."""
    screen, out, _ = _screen()
    let_go: list[bool] = []
    monkeypatch.setattr(Screen, "let_go", lambda _self: let_go.append(True))
    monkeypatch.setattr(out, "flush", _broken)
    with screen.list_for_readers():
        screen.say("row")
    assert let_go == [True]


def _broken() -> None:
    raise BrokenPipeError
