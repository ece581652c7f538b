"""Odd texts on every screen where text from outside can stand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from textual import events
from textual.screen import Screen

from stager.decisions import Choice, Decision
from stager.session import Filter, Settings
from tests.migration import Migration, cloned, note, patient
from tests.review_keys import WIDE, Keys, at_keys, on_findings, reading
from tests.test_ingest_records import NAUGHTY
from tests.test_tui_text import acting
from tui.screens.ask.assign import AskColleague
from tui.screens.ask.bulk import AskWay
from tui.screens.ask.correct import AskValue
from tui.screens.ask.look import Look
from tui.screens.ask.person import AskPerson
from tui.screens.queue import QueueScreen
from tui.text import line
from tui.widgets.virtual_table import VirtualTable

MARKUP = ["[penicillin]", "[/foo]", "[@click=app.quit]x[/]"]
TEXTS = [text for text in [*NAUGHTY, *MARKUP] if text.strip()]
PASTED = "".join(text for text in TEXTS if len(text.splitlines()) == 1)
"""One line, as a terminal hands it over."""

ODD_NAME = "[penicillin] \u202e\x1b[31m\x07[b]"
"""A folder's and a file's name that a terminal, or a reader of markup, would act on."""

FIELDS = ("first_name", "last_name", "date_of_birth", "nhs_number", "gender", "postcode", "email")
"""Cells of a patient that the dialogs show."""


def drawn(keys: Keys) -> str:
    """What the screen draws, spaces at the ends of lines and all; nothing of it acts."""
    strips = keys.app.screen._compositor.render_strips()
    shown = "\n".join(strip.text for strip in strips)
    assert acting(shown) == []
    assert not [segment for strip in strips for segment in strip if segment.control]
    return shown


async def seen_after(keys: Keys, *names: str) -> str:
    """All that is drawn while these keys are pressed one by one."""
    shown = []
    for name in names:
        await keys.press(name)
        shown.append(drawn(keys))
    return "\n".join(shown)


async def every_line(keys: Keys, key: str = "pagedown") -> str:
    """What is drawn on the way to the end of the table that is shown."""
    table = keys.app.screen.query_one(VirtualTable)
    shown = [drawn(keys)]
    while table.cursor < table.count - 1:
        shown.append(await seen_after(keys, key))
    return "\n".join(shown)


async def paste(keys: Keys, text: str) -> str:
    """What is drawn when the terminal has handed over a text that was pasted."""
    keys.app.post_message(events.Paste(text))
    await keys.settled()
    return drawn(keys)


def stands(shown: str, texts: Sequence[str]) -> None:
    """Every one of the texts is among what was drawn, as it is or by its signs."""
    assert [text for text in texts if line(text) not in shown] == []


@pytest.fixture(scope="module")
def odd_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Odd texts in every kind of cell, from files with odd names: closed, to clone from."""
    made = Migration(tmp_path_factory.mktemp("odd") / "home")
    step = len(FIELDS)
    spread = [TEXTS[at : at + step] for at in range(0, len(TEXTS), step)]
    people = [
        *(patient(f"S{n}", **dict(zip(FIELDS, texts, strict=False))) for n, texts in enumerate(spread)),
        *(patient(f"P{n}", first_name=text, postcode=text, gender=text) for n, text in enumerate(TEXTS)),
    ]
    notes = [note(text, text, practitioner_ref="", note_type=text) for text in TEXTS]
    files = (("patients", people), ("notes", notes))
    made.ingest(*(made.write(f"{sheet} {ODD_NAME}.csv", sheet, rows) for sheet, rows in files))
    made.reconcile()
    made.close()
    return made.folder


@pytest.fixture
def odd(odd_home: Path, tmp_path: Path) -> Settings:
    """The odd practice, to decide in."""
    return cloned(odd_home, tmp_path / "odd").session.settings


def numbers_of(settings: Settings, **wanted: str) -> list[int]:
    with reading(settings) as session:
        return [each.finding_id for each in session.findings(Filter(**wanted))]  # type: ignore[arg-type]


def cells_of(settings: Settings, numbers: Sequence[int]) -> list[str]:
    with reading(settings) as session:
        return [each.cell or "" for each in session.finding_lines(numbers)]


def test_odd_cells_stand_in_the_question_about_many(odd: Settings) -> None:
    """The whole set, what is asked about its column, and the look before it is done."""
    cells = cells_of(odd, numbers_of(odd, code="value.unknown", field="gender"))
    assert len(cells) > 30

    async def script(keys: Keys) -> str:
        await push(keys, QueueScreen(code="value.unknown"))
        await seen_after(keys, "A", "d")
        assert isinstance(keys.app.screen, AskWay)
        shown = await every_line(keys)
        shown += await seen_after(keys, "x")
        assert isinstance(keys.app.screen, Look)
        return shown + await seen_after(keys, "escape", "escape", "escape")

    stands(at_keys(odd, script, size=WIDE), cells)


async def push(keys: Keys, screen: Screen[None]) -> None:
    keys.app.push_screen(screen)
    await keys.settled()


def test_odd_persons_stand_in_the_search_and_in_the_look_before_a_link(odd: Settings) -> None:
    """All who are found are listed literally, and so is the one who is chosen."""
    numbers = numbers_of(odd, code="link.unresolved")[:1]

    async def script(keys: Keys) -> str:
        await keys.press("l")
        assert isinstance(keys.app.screen, AskPerson)
        for text in TEXTS:
            await paste(keys, text)
        await keys.press("ctrl+u")
        await keys.type("p")
        await keys.until(lambda: keys.app.screen.query_one(VirtualTable).count >= len(TEXTS))
        await keys.press("enter")
        shown = await every_line(keys)
        return shown + await seen_after(keys, "g", "enter", "escape")

    shown = on_findings(odd, numbers, script, size=WIDE)
    stands(shown, MARKUP)
    assert "\\x1b[31m" in shown
    assert "\\u202e" in shown


def test_odd_cells_stand_in_the_dialogs_of_one_finding(odd: Settings) -> None:
    """What a cell says now, what would be left out, and the reason that somebody pastes."""
    with reading(odd) as session:
        found = session.findings(Filter(sheet="patients", field="gender"))
    numbers = [each.finding_id for each in [*found[:4], found[-2]]]

    async def script(keys: Keys) -> str:
        shown = []
        for _ in numbers:
            for key, kind in (("c", AskValue), ("x", Look)):
                await keys.press(key)
                if isinstance(keys.app.screen, kind):
                    shown += [drawn(keys), await seen_after(keys, "escape")]
            await keys.press("n")
        await keys.press("w")
        return "\n".join([*shown, await paste(keys, PASTED[-60:])])

    shown = on_findings(odd, numbers, script, size=WIDE)
    assert shown.count("now: ") >= len(numbers)
    stands(shown, [*MARKUP, "[red]x[/red]"])


def test_odd_notes_and_reasons_stand_in_the_log_and_the_history(odd: Settings) -> None:
    """Who was asked what, by whom, and why something was decided: in the lists, in full, in the dialog."""
    sayable = [text.strip() for text in TEXTS if text.isprintable()]
    notes = [*MARKUP, *("|".join(sayable[at : at + 6]) for at in range(0, len(sayable), 6))]
    reasons = [*MARKUP, *("|".join(TEXTS[at : at + 9]) for at in range(0, len(TEXTS), 9))]
    with reading(odd) as session:
        about, *others = session.findings(Filter(code="link.unresolved"))
        for finding, text in zip(others, reasons, strict=False):
            session.decide([finding], Choice(Decision.EXCLUDE, reason=text), actor=text)
        for text in notes:
            session.assign([about], text, text, actor=text)

    async def script(keys: Keys) -> tuple[str, str]:
        await keys.press("at")
        assert isinstance(keys.app.screen, AskColleague)
        await seen_after(keys, "escape", "h", "g")
        history = await every_line(keys, "j")
        await keys.press("escape", "escape", "l", "o")
        return history, await every_line(keys)

    history, log = on_findings(odd, [about.finding_id], script, size=WIDE)
    stands(history, notes)
    stands(log, [*MARKUP, *notes])


def test_odd_texts_stand_in_the_search_and_the_filters_of_the_queue(odd: Settings) -> None:
    """What is pasted into the search, what is said of it, and the findings of one patient."""

    async def script(keys: Keys) -> str:
        await push(keys, QueueScreen())
        await keys.press("slash")
        shown = [await paste(keys, PASTED)]
        shown.append(await seen_after(keys, "enter", "F", "slash", "ctrl+u"))
        await paste(keys, "[penicillin]")
        shown.append(await seen_after(keys, "enter", "e", "f", "escape", "enter", "escape"))
        return "\n".join(shown)

    stands(at_keys(odd, script, size=WIDE), MARKUP)
