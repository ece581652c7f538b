"""What the finding screen shows: record, candidates, column; all of it literally, in any width."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.content import Content

from stager.decisions import Decision
from stager.session import Filter
from stager.session.review_views import (
    Candidate,
    CellPair,
    ColumnLook,
    Compared,
    Likeness,
    Record,
    Way,
)
from stager.sheets import PATIENTS
from tests.migration import Migration, note, patient
from tests.review_keys import WALKED, Keys, on_findings
from tests.test_ingest_records import NAUGHTY
from tui.text import MASKED
from tui.widgets.candidates import candidate_lines, room, window
from tui.widgets.evidence import look_lines
from tui.widgets.finding_panes import KEYS, way_lines
from tui.widgets.record_table import record_lines

ACTING = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})


def pair(column: str, came: str | None, made: str | None, **told: object) -> CellPair:
    base = CellPair(PATIENTS.column(column).field, column, came, None, False, made, (), False, False)
    return replace(base, **told)  # type: ignore[arg-type]


def record(*pairs: CellPair, raw: str | None = None, title: str = "Ann Archer, 1980-02-29") -> Record:
    return Record("1:2", "patients", title, "patients.csv", 3, "held", pairs, raw)


def candidate(number: int, *compared: Compared, veto: str | None = None) -> Candidate:
    why, against = ("the same Email Address",), ("another Last Name",)
    return Candidate(number, f"1:{number}", f"Person {number}", why, against, veto, compared, {"notes": 3})


def compared(ours: str | None, theirs: str | None, likeness: Likeness, *marks: tuple[int, int]) -> Compared:
    return Compared("last_name", "Last Name", ours, theirs, likeness, marks)


def plain(lines: object) -> str:
    return "\n".join(line.plain for line in lines)  # type: ignore[attr-defined]


def marked(line: Content, style: str) -> list[str]:
    """The stretches of a line in that style."""
    return [line.plain[span.start : span.end] for span in line.spans if span.style == style]


def test_a_cell_stands_beside_what_was_made_of_it() -> None:
    """Changed cells show the new value and the rule; the cell in question has a sign; blanks are gathered."""
    shown = plain(
        record_lines(
            record(
                pair("Gender", "f", "FEMALE", rules=("a listed synonym",)),
                pair("Postcode", "ZZ", None, is_subject=True),
                pair("NHS Number", "9990000018", "9990000018", protected=True),
                pair("City", "", None),
            ),
            100,
            masked=False,
            title="This record",
        )
    )
    assert "→ FEMALE  (a listed synonym)" in shown
    assert "▸ Postcode" in shown
    assert "✗ not usable as it stands" in shown
    assert "= the same" in shown
    assert "empty: City" in shown
    assert "§ sealed in the practice's database" in shown


def test_a_long_text_goes_across_the_width_with_its_line_breaks_seen() -> None:
    """Every word of a long note is there, on lines no longer than the screen, with a sign where it breaks."""
    text = "First line of the note.\n\n" + " ".join(f"word{n}" for n in range(200))
    cell = CellPair("note_text", "Clinical Note Text", text, None, False, text, (), False, True)
    lines = list(record_lines(record(cell), 60, masked=False, title="This record"))
    assert max(line.cell_length for line in lines) <= 60
    assert all(f"word{n}" in plain(lines) for n in range(200))
    assert "First line of the note.↵" in plain(lines)


def test_a_persons_correction_and_a_record_that_is_no_cells_are_told_as_such() -> None:
    """What a person typed is told from what came; what could not be parsed is shown whole."""
    typed = pair("City", "Ely?", "Ely", corrected="Ely", is_corrected=True)
    assert "✎ Ely" in plain(record_lines(record(typed), 80, masked=False, title="x"))
    shown = plain(record_lines(record(raw='a,"b\\x81,c'), 80, masked=False, title="x"))
    assert 'a,"b\\x81,c' in shown
    assert "could not be read" in shown


@pytest.mark.parametrize(
    ("likeness", "sign"),
    [
        (Likeness.AGREE, "= agree"),
        (Likeness.NEAR, "≈ near"),
        (Likeness.DIFFER, "≠ differs"),
        (Likeness.MISSING, "○ missing"),
    ],
)
def test_likeness_is_told_by_sign_and_word(likeness: Likeness, sign: str) -> None:
    """No colour is needed to tell them apart."""
    theirs = None if likeness is Likeness.MISSING else "Bee"
    lines = candidate_lines(
        [candidate(1, compared("Bea", theirs, likeness))], 80, masked=False, first=1, chosen=None
    )
    assert sign in plain(lines)


def test_what_is_near_is_marked_inside_the_value() -> None:
    """The characters that differ, and no others, carry the mark."""
    found = candidate(1, compared("001041", "001042", Likeness.NEAR, (5, 6)))
    lines = list(candidate_lines([found], 80, masked=False, first=1, chosen=None))
    (line,) = (line for line in lines if "≈ near" in line.plain)
    assert marked(line, "bold underline") == ["2"]


def test_a_veto_is_named_as_one_and_reasons_are_for_and_against() -> None:
    """Each reason has its own sign."""
    found = candidate(1, veto="two NHS numbers")
    shown = plain(candidate_lines([found], 80, masked=False, first=1, chosen=None))
    assert "✗ VETO: two NHS numbers" in shown
    assert "+ the same Email Address" in shown
    assert "− another Last Name" in shown


@pytest.mark.parametrize(("width", "beside"), [(78, 2), (118, 3), (158, 5), (238, 9)])
def test_as_many_candidates_stand_side_by_side_as_there_is_room_for(width: int, beside: int) -> None:
    """On a wall all nine; on the smallest screen two, and it says how to see the others."""
    nine = [candidate(number, compared("Bea", "Bee", Likeness.NEAR)) for number in range(1, 10)]
    shown = plain(candidate_lines(nine, width, masked=False, first=1, chosen=None))
    assert min(room(width), 9) == beside
    assert [n for n in range(1, 10) if f" {n}  Person" in shown] == list(range(1, beside + 1))
    assert ("show the others" in shown) == (beside < 9)


def test_the_window_of_candidates_stays_within_them() -> None:
    """Whatever is asked for, the candidates in sight are some that exist."""
    for first in range(-3, 15):
        seen = window(9, first, 80)
        assert 1 <= seen.first <= seen.first + seen.shown - 1 <= 9


def test_the_column_shows_what_is_allowed_and_what_a_synonym_means() -> None:
    """A value of the vocabulary, one that is read as such, and one that is neither have three signs."""
    look = ColumnLook("Gender", 40, 2, 3, (("FEMALE", 20), ("f", 2), ("see record", 1)), ("MALE", "FEMALE"))
    shown = plain(look_lines(look, PATIENTS.column("Gender"), 80, masked=False, subject="see record"))
    assert "✓ FEMALE" in shown
    assert "→ f" in shown
    assert "read as FEMALE" in shown
    assert "▸ ✗ see record" in shown


def test_hidden_values_are_nowhere() -> None:
    """Neither a record, nor candidates, nor a column show a value or how long it is."""
    cell = pair("Last Name", "Secretname", "Secretname", is_subject=True)
    found = candidate(1, compared("Secretname", "Secretnama", Likeness.NEAR, (9, 10)))
    look = ColumnLook("Last Name", 1, 0, 1, (("Secretname", 1),), ())
    shown = "\n".join(
        (
            plain(record_lines(record(cell, title="Secretname"), 80, masked=True, title="x")),
            plain(candidate_lines([found], 80, masked=True, first=1, chosen=1)),
            plain(look_lines(look, PATIENTS.column("Last Name"), 80, masked=True, subject="Secretname")),
        )
    )
    assert "Secret" not in shown
    assert MASKED in shown


@pytest.mark.parametrize("text", NAUGHTY)
def test_odd_texts_are_shown_and_act_on_nothing(text: str) -> None:
    """No control character, escape or bidi mark, and no markup taken for one, in any pane."""
    cell = pair("City", text, text, is_subject=True, corrected=text)
    found = replace(candidate(1, compared(text, text + "x", Likeness.NEAR, (0, 1))), title=text)
    look = ColumnLook("City", 1, 0, 1, ((text, 1),), ())
    lines = [
        *record_lines(record(cell, title=text), 80, masked=False, title="x"),
        *record_lines(record(raw=text, title=text), 80, masked=False, title="x"),
        *candidate_lines([found], 80, masked=False, first=1, chosen=1),
        *look_lines(look, PATIENTS.column("City"), 80, masked=False, subject=text),
    ]
    shown = plain(lines).replace("\n", "")
    assert not [char for char in shown if unicodedata.category(char) in ACTING]
    if text == "[red]x[/red]":
        assert shown.count("[red]x[/red]") >= 5


def test_every_decision_has_a_key_of_its_own() -> None:
    """All decisions, no key twice, and choosing a candidate comes first."""
    assert set(KEYS) == {decision.value for decision in Decision}
    assert len(set(KEYS.values())) == len(KEYS)
    ways = (Way(Decision.LINK, "say whose", "person", False), Way(Decision.EXCLUDE, "leave out", None, False))
    assert [keys for keys, _, _ in way_lines(ways, 3, None)] == ["1–3", "l", "x"]
    assert [keys for keys, _, _ in way_lines(ways, 3, 2)] == ["enter", "l", "x"]


@pytest.fixture
def odd(tmp_path: Path) -> Migration:
    """Patients and notes whose every free cell is one of the odd texts."""
    migration = Migration(tmp_path / "odd")
    kept = [text for text in NAUGHTY if text.strip() and "\x1a" not in text]
    people = [patient(f"N{n}", first_name=text, city=text, gender=text) for n, text in enumerate(kept)]
    notes = [note(text, text=text, note_type=text) for text in kept]
    migration.take(patients=people, notes=notes)
    migration.close()
    return migration


@pytest.mark.parametrize("size", WALKED)
def test_odd_texts_go_through_the_screen_itself(odd: Migration, size: tuple[int, int]) -> None:
    """Walking over every finding of the odd practice: nothing acts, nothing ends the program."""
    with odd.session as session:
        numbers = [finding.finding_id for finding in session.findings(Filter())]

    async def script(keys: Keys) -> list[str]:
        seen = []
        for _ in numbers[:12]:
            seen.append(keys.text)
            await keys.press("n")
        return seen

    for shown in on_findings(odd.session.settings, numbers[:: max(len(numbers) // 12, 1)], script, size=size):
        assert not [char for char in shown.replace("\n", "") if unicodedata.category(char) in ACTING]
