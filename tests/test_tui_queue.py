"""Home and the queue by keys: filtered, searched, sorted, marked, left and found again, undone, hidden."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stager.decisions import Decision
from stager.session import Choice, Filter, Settings
from stager.session.review_views import QueueFilter, QueueOrder
from tests.migration import Migration, cloned, note, patient
from tests.review_keys import MIDDLE, NARROW, SIZES, Keys, Size, at_keys, reading
from tests.test_ingest_records import NAUGHTY
from tests.test_tui_text import acting
from tui.screens.choose import Choose
from tui.screens.finding import FindingScreen
from tui.screens.home import HomeScreen
from tui.screens.queue import QueueScreen
from tui.text import MASKED
from tui.widgets.virtual_table import VirtualTable


@pytest.fixture(scope="module")
def settings(practice_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The practice, for tests that decide nothing."""
    made = cloned(practice_home, tmp_path_factory.mktemp("queue") / "read")
    made.close()
    return made.session.settings


@pytest.fixture
def own_settings(own_practice: Migration) -> Settings:
    own_practice.close()
    return own_practice.session.settings


def table(keys: Keys) -> VirtualTable[object]:
    return keys.app.screen.query_one(VirtualTable)


def shown_numbers(keys: Keys) -> list[int]:
    """The findings of the queue in order, all of them."""
    screen = keys.app.screen
    assert isinstance(screen, QueueScreen)
    assert screen.queue is not None
    return screen.queue.numbers()


def wanted(settings: Settings, order: QueueOrder = QueueOrder.NUMBER, **parts: str | None) -> list[int]:
    with reading(settings) as session:
        return session.queue(QueueFilter(**parts), order).numbers()


def test_home_shows_the_account_and_what_is_open(settings: Settings) -> None:
    """The counts on the first screen are those of stager status."""
    with reading(settings) as session:
        status = session.status()

    async def script(keys: Keys) -> str:
        return keys.words

    words = at_keys(settings, script, size=(160, 50))
    for sheet in status.sheets:
        assert all(f"{count:,} {state}" in words for state, count in sheet.states.items() if count)
    assert all(f"{count:,} " in words and code in words for code, count in status.findings.items())
    assert f"decide the {sum(status.findings.values())} findings" in words


def test_enter_on_a_code_opens_its_findings(settings: Settings) -> None:
    """The line under the cursor of home is the filter of the queue."""

    async def script(keys: Keys) -> list[int]:
        await keys.press("j", "enter")
        return shown_numbers(keys)

    with reading(settings) as session:
        counts = session.status().findings
    assert at_keys(settings, script) == wanted(settings, code=max(counts, key=lambda code: counts[code]))


def test_a_filter_leaves_what_it_says(settings: Settings) -> None:
    """What is chosen in the filter's list is what the queue holds, and F takes it away."""

    async def script(keys: Keys) -> tuple[list[int], list[int], str]:
        await keys.press("enter", "f")
        assert isinstance(keys.app.screen, Choose)
        while "▸ sheet notes" not in keys.words:
            await keys.press("j")
        await keys.press("enter")
        narrowed, words = shown_numbers(keys), keys.words
        await keys.press("F")
        return narrowed, shown_numbers(keys), words

    narrowed, everything, words = at_keys(settings, script)
    assert narrowed == wanted(settings, sheet="notes")
    assert everything == wanted(settings)
    assert f"queue: {len(narrowed)} findings" in words


def test_a_search_looks_in_the_cells(settings: Settings) -> None:
    """/ asks for a text, and the queue holds the findings whose rows have it, in any case."""

    async def script(keys: Keys) -> list[int]:
        await keys.press("enter", "slash")
        await keys.type("nobody")
        await keys.press("enter")
        return shown_numbers(keys)

    found = at_keys(settings, script)
    assert found == wanted(settings, text="NOBODY")
    assert found


def test_a_search_that_is_left_changes_nothing(settings: Settings) -> None:
    """Keys typed into the search are text and no commands; esc goes back to the queue."""

    async def script(keys: Keys) -> list[int]:
        await keys.press("enter", "slash")
        await keys.type("qu")
        await keys.press("escape")
        return shown_numbers(keys)

    assert at_keys(settings, script) == wanted(settings)


@pytest.mark.parametrize("order", QueueOrder)
def test_every_order_is_the_session_s(settings: Settings, order: QueueOrder) -> None:
    """o offers each order, and the queue is then in it."""

    async def script(keys: Keys) -> list[int]:
        await keys.press("enter", "o", *["j"] * list(QueueOrder).index(order), "enter")
        return shown_numbers(keys)

    assert at_keys(settings, script) == wanted(settings, order)


def test_everything_of_a_patient(settings: Settings) -> None:
    """e narrows the queue to the patient under the cursor."""

    async def script(keys: Keys) -> list[int]:
        await keys.press("enter", "e")
        return shown_numbers(keys)

    with reading(settings) as session:
        (first,) = session.findings(Filter(ids=(1,)))
    assert at_keys(settings, script) == wanted(settings, patient=f"{first.source_id}:{first.row_no}")


def test_marks_are_counted_and_outlive_another_order(settings: Settings) -> None:
    """space marks and goes on; marks are of findings, not of places."""

    async def script(keys: Keys) -> tuple[set[int], str]:
        await keys.press("enter", "space", "space", "j", "space", "o", "j", "enter")
        return table(keys).marks, keys.words

    marks, words = at_keys(settings, script)
    assert marks == {1, 2, 4}
    assert "3 marked" in words


def test_all_that_the_filter_leaves_is_marked(settings: Settings) -> None:
    """A marks the whole queue, however little of it is on the screen; M takes the marks away."""

    async def script(keys: Keys) -> tuple[int, int]:
        await keys.press("enter", "A")
        marked = len(table(keys).marks)
        await keys.press("M")
        return marked, len(table(keys).marks)

    assert at_keys(settings, script, size=NARROW) == (len(wanted(settings)), 0)


@pytest.mark.parametrize(
    ("keys", "row"),
    [(["j", "down", "k"], 1), (["G"], -1), (["end", "g"], 0), (["pagedown", "pageup"], 0), (["k"], 0)],
)
def test_keys_move(settings: Settings, keys: list[str], row: int) -> None:
    """Arrows and letters alike, and never beyond the ends."""

    async def script(at: Keys) -> tuple[int, bool]:
        await at.press("enter", *keys)
        return table(at).cursor, "▸" in at.text

    assert at_keys(settings, script, size=NARROW) == (row % len(wanted(settings)), True)


def test_a_click_chooses_and_a_double_click_opens(settings: Settings) -> None:
    """The mouse does what the keys do."""

    numbers = wanted(settings)

    async def script(keys: Keys) -> None:
        await keys.press("enter")
        await keys.pilot.click("#queue", offset=(20, 4))
        await keys.settled()
        assert table(keys).cursor == 3
        await keys.pilot.click("#queue", offset=(20, 6), times=2)
        await keys.settled()
        assert isinstance(keys.app.screen, FindingScreen)
        assert keys.number == numbers[5]

    at_keys(settings, script)


def test_going_on_where_one_left_off(settings: Settings) -> None:
    """The next sitting offers the filter, the order and the finding of the last; a search is not kept."""

    async def first(keys: Keys) -> int:
        await keys.press("j", "enter", "j", "j")
        return shown_numbers(keys)[2]

    async def second(keys: Keys) -> int:
        assert "goes on where you left off" in keys.words
        await keys.press("c")
        return shown_numbers(keys)[table(keys).cursor]

    assert at_keys(settings, first) == at_keys(settings, second)
    kept = list((settings.cwd / "state").rglob("*.json"))
    assert kept
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)
    assert all("text" not in json.loads(path.read_text()) for path in kept)


def test_undo_from_the_queue(own_settings: Settings) -> None:
    """u takes back the actor's own last decision: one at once, one about many only when asked."""
    with reading(own_settings) as session:
        single = session.findings(Filter(code="practitioner.unresolved"))[:1]
        many = session.findings(Filter(code="practitioner.unresolved"))[1:3]
        session.decide(single, Choice(Decision.RELEASE, reason="left"), actor="tester")
        session.decide(many, Choice(Decision.RELEASE, reason="left"), actor="tester")
    before = wanted(own_settings)

    async def script(keys: Keys) -> list[int]:
        await keys.press("enter", "u", "n")
        assert shown_numbers(keys) == before
        await keys.press("u", "y")
        sizes = [len(shown_numbers(keys))]
        await keys.press("u")
        return [*sizes, len(shown_numbers(keys))]

    assert at_keys(own_settings, script) == [len(before) + 2, len(before) + 3]


def test_another_person_s_decision_is_not_taken_back(own_settings: Settings) -> None:
    """u says that there is nothing of one's own to take back."""
    with reading(own_settings) as session:
        session.decide(
            session.findings(Filter(code="practitioner.unresolved"))[:1],
            Choice(Decision.RELEASE, reason="left"),
            actor="a colleague",
        )
    before = wanted(own_settings)
    at_keys(own_settings, lambda keys: keys.press("enter", "u"))
    assert wanted(own_settings) == before


def test_hidden_values_are_nowhere(settings: Settings) -> None:
    """p hides what patients' cells hold, in the table and below it; p again shows it."""

    async def script(keys: Keys) -> tuple[str, str, str]:
        await keys.press("enter")
        before = keys.text
        await keys.press("p")
        hidden = keys.text
        await keys.press("p")
        return before, hidden, keys.text

    before, hidden, after = at_keys(settings, script)
    assert before == after
    assert "Magnus" in before
    assert "9990387398" in before
    assert "Magnus" not in hidden
    assert "9990387398" not in hidden
    assert MASKED in hidden
    assert "VALUES HIDDEN" in hidden


@pytest.fixture(scope="module")
def naughty(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Patients and notes whose every free cell is a naughty string, each with a finding."""
    made = Migration(tmp_path_factory.mktemp("naughty"))
    texts = [text for text in NAUGHTY if text.strip()]
    people = [patient(f"N{n}", gender=text, last_name=text, city=text) for n, text in enumerate(texts)]
    made.take(patients=people, notes=[note(text, text) for text in texts])
    made.reconcile()
    made.close()
    return made.session.settings


@pytest.mark.parametrize("size", SIZES)
def test_naughty_cells_are_shown_literally(naughty: Settings, size: Size) -> None:
    """Every page of the queue shows them, and nothing of them acts."""

    async def script(keys: Keys) -> str:
        await keys.press("enter")
        seen = [keys.text]
        while table(keys).cursor < table(keys).count - 1:
            await keys.press("pagedown")
            seen.append(keys.text)
        return "\n".join(seen)

    shown = at_keys(naughty, script, size=size)
    assert acting(shown) == []
    assert "[red]x" in shown
    assert "<script>" in shown


def test_back_leads_home_and_no_further(settings: Settings) -> None:
    """esc goes back from the queue; on home it does nothing."""

    async def script(keys: Keys) -> None:
        await keys.press("enter", "escape", "escape", "backspace")
        assert isinstance(keys.app.screen, HomeScreen)

    at_keys(settings, script, size=MIDDLE)
