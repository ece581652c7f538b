"""Deciding by keys: shown at once, taken back step by step, with a look before what takes away."""

from __future__ import annotations

from typing import Any

import pytest

from stager.decisions import Finding
from stager.session import Filter, Settings
from stager.session.review_views import EventFilter
from tests.migration import Migration
from tests.review_keys import NARROW, Keys, at_keys, on_findings, reading
from tui.screens.ask.correct import AskValue
from tui.screens.ask.look import Look
from tui.screens.finding import FindingScreen
from tui.screens.timeline import TimelineScreen


@pytest.fixture
def settings(own_practice: Migration) -> Settings:
    """Where the practice is, with nobody at work on it."""
    own_practice.close()
    return own_practice.session.settings


def numbers_of(settings: Settings, code: str, **wanted: Any) -> list[int]:
    with reading(settings) as session:
        return [finding.finding_id for finding in session.findings(Filter(code=code, **wanted))]


def finding_of(settings: Settings, number: int) -> Finding:
    with reading(settings) as session:
        (found,) = session.findings(Filter(ids=(number,), state=None))
    return found


def decisions_of(settings: Settings) -> list[dict[str, object]]:
    """What people decided, the first thing first."""
    with reading(settings) as session:
        log = session.events(EventFilter(kind="finding.decided"))
        return [line.event.detail for line in log.page(0, log.count)[::-1]]


def kinds_of(settings: Settings) -> list[str]:
    with reading(settings) as session:
        log = session.events(EventFilter(people=True))
        return [line.event.kind for line in log.page(0, log.count)[::-1]]


def test_a_candidate_is_taken_by_two_keys_and_the_next_finding_follows(settings: Settings) -> None:
    """A digit chooses, enter links; the decision is told, and the next open finding is shown."""
    numbers = numbers_of(settings, "link.unresolved")[:2]

    async def script(keys: Keys) -> tuple[str, str, int]:
        place = keys.view.candidates[0].place
        await keys.press("1")
        assert "✓ chosen" in keys.text
        await keys.press("enter")
        return place, keys.words, keys.number

    place, words, shown = on_findings(settings, numbers, script)
    assert "✓ linked" in words
    assert shown == numbers[1]
    assert [(each["decision"], each["target"]) for each in decisions_of(settings)] == [("link", place)]


def test_enter_takes_nobody_before_one_is_chosen(settings: Settings) -> None:
    """There is no linking by a single key."""
    numbers = numbers_of(settings, "link.unresolved")[:1]
    on_findings(settings, numbers, lambda keys: keys.press("enter"))
    assert decisions_of(settings) == []


def test_decisions_are_taken_back_however_many_steps(settings: Settings) -> None:
    """Each u takes back the newest decision that stands and shows its finding again."""
    numbers = numbers_of(settings, "practitioner.unresolved")[:3]

    async def script(keys: Keys) -> list[int]:
        await keys.press("r", "r", "r")
        seen = []
        for _ in numbers:
            await keys.press("u")
            seen.append(keys.number)
        return seen

    assert on_findings(settings, numbers, script) == numbers[::-1]
    assert {finding_of(settings, number).state for number in numbers} == {"open"}
    assert kinds_of(settings)[-6:] == ["finding.decided"] * 3 + ["decision.undone"] * 3


@pytest.mark.parametrize("leave", ["escape", "n"])
def test_excluding_asks_first(settings: Settings, leave: str) -> None:
    """A look at the row comes between the key and the deed, and leaving it decides nothing."""
    numbers = numbers_of(settings, "row.malformed")[:1]

    async def script(keys: Keys) -> None:
        await keys.press("x")
        assert isinstance(keys.app.screen, Look)
        await keys.press(leave)
        assert isinstance(keys.app.screen, FindingScreen)

    on_findings(settings, numbers, script)
    assert decisions_of(settings) == []


def test_merging_shows_both_records_first(settings: Settings) -> None:
    """Both names stand in the look, and y merges with the reason that was typed."""
    numbers = numbers_of(settings, "patient.duplicate")[:1]

    async def script(keys: Keys) -> None:
        ours, theirs = keys.view.record.title, keys.view.candidates[0].title
        await keys.press("1", "enter")
        assert ours in keys.words
        assert theirs in keys.words
        await keys.press("w")
        await keys.type("same phone")
        await keys.press("enter", "y")

    on_findings(settings, numbers, script)
    (made,) = decisions_of(settings)
    assert (made["decision"], made["reason"]) == ("merge", "same phone")


def test_a_value_that_will_not_do_is_refused_in_the_question(settings: Settings) -> None:
    """The question stays and says so; the arrow offers the words that are allowed; enter takes one."""
    numbers = numbers_of(settings, "value.unknown", field="gender")[:1]

    async def script(keys: Keys) -> None:
        await keys.press("c")
        await keys.type("xx")
        await keys.press("enter")
        assert isinstance(keys.app.screen, AskValue)
        assert "✗ the new value fails" in keys.words
        await keys.press("down", "enter")
        assert isinstance(keys.app.screen, FindingScreen)

    on_findings(settings, numbers, script)
    assert finding_of(settings, numbers[0]).state == "decided"


def test_the_same_for_all_alike_is_one_event_and_one_undo(settings: Settings) -> None:
    """The exact set is shown and asked about once."""
    with reading(settings) as session:
        found = session.findings(Filter())
        first, alike = max(
            ((each, session.alike(each.finding_id)) for each in found), key=lambda each: len(each[1])
        )
    assert len(alike) > 1

    async def script(keys: Keys) -> str:
        await keys.press("equals_sign")
        for each in alike:
            assert f"{each.sheet} {each.source_id}:{each.row_no}" in keys.text
        await keys.press("x")
        shown = keys.words
        await keys.press("y")
        return shown

    shown = on_findings(settings, [first.finding_id], script)
    assert f"{len(alike)} findings" in shown
    (made,) = decisions_of(settings)
    assert made["count"] == len({each.place for each in alike})

    at_keys(settings, lambda keys: keys.press("u", "y"))
    with reading(settings) as session:
        assert {line.state for line in session.rows() if "excluded" in line.state} == set()


def test_a_reason_goes_with_the_next_decision_only(settings: Settings) -> None:
    """w asks for it; the decision after has none."""
    numbers = numbers_of(settings, "practitioner.unresolved")[:2]

    async def script(keys: Keys) -> None:
        await keys.press("w")
        await keys.type("left in 2019")
        await keys.press("enter")
        assert "left in 2019" in keys.words
        await keys.press("r", "r")

    on_findings(settings, numbers, script)
    assert [each.get("reason") for each in decisions_of(settings)] == ["left in 2019", None]


def test_what_is_skipped_comes_round_again(settings: Settings) -> None:
    """s leaves a finding open; when the others are decided it is shown again."""
    numbers = numbers_of(settings, "practitioner.unresolved")[:3]

    async def script(keys: Keys) -> int:
        await keys.press("s", "r", "r")
        return keys.number

    assert on_findings(settings, numbers, script) == numbers[0]
    assert finding_of(settings, numbers[0]).state == "open"


def test_a_colleague_is_asked(settings: Settings) -> None:
    """The name and the question stand on the finding, which stays open."""
    numbers = numbers_of(settings, "link.conflict")[:1]

    async def script(keys: Keys) -> str:
        await keys.press("at")
        await keys.type("lee")
        await keys.press("enter")
        await keys.type("ours")
        await keys.press("enter")
        return keys.words

    assert "@ lee was asked: ours" in on_findings(settings, numbers, script)
    assert finding_of(settings, numbers[0]).state == "open"


def test_somebody_else_is_found_by_name_and_looked_at_before_the_link(settings: Settings) -> None:
    """l searches as one types; the person chosen is shown beside the row before anything is decided."""
    numbers = numbers_of(settings, "link.unresolved")[:1]

    async def script(keys: Keys) -> None:
        await keys.press("l")
        await keys.type("selina")
        await keys.until(lambda: "1 person" in keys.words)
        await keys.press("enter", "enter")
        assert isinstance(keys.app.screen, Look)
        assert "Selina Doubletake" in keys.words
        await keys.press("y")

    on_findings(settings, numbers, script)
    assert [each["decision"] for each in decisions_of(settings)] == ["link"]


def test_a_read_only_copy_decides_nothing(settings: Settings) -> None:
    """No key of a decision does anything, and the screen says why."""
    numbers = numbers_of(settings, "practitioner.unresolved")[:1]

    async def script(keys: Keys) -> str:
        await keys.press("r", "x", "c", "at")
        return keys.words

    assert "read-only copy" in on_findings(settings, numbers, script, read_only=True)
    assert decisions_of(settings) == []


def test_hidden_values_stay_hidden_on_every_screen_of_a_finding(settings: Settings) -> None:
    """After p no name of the record is on the finding, its history, or a look at it."""
    numbers = numbers_of(settings, "patient.duplicate")[:1]

    async def script(keys: Keys) -> list[str]:
        names = [
            each.came or "" for each in keys.view.record.pairs if each.field in ("last_name", "nhs_number")
        ]
        await keys.press("p")
        seen = [keys.words]
        for way in (("h",), ("escape", "x"), ("escape", "1", "enter"), ("escape", "c")):
            await keys.press(*way)
            seen.append(keys.words)
        assert len(set(seen)) == 5
        return [name for name in names for words in seen if name in words]

    assert on_findings(settings, numbers, script) == []


def test_the_history_of_a_row_tells_what_was_decided(settings: Settings) -> None:
    """h shows the row's events, the decision among them."""
    numbers = numbers_of(settings, "practitioner.unresolved")[:1]

    async def script(keys: Keys) -> str:
        await keys.press("r", "h")
        assert isinstance(keys.app.screen, TimelineScreen)
        return keys.words

    assert "released" in on_findings(settings, numbers, script, size=NARROW)


def test_the_log_is_filtered_by_what_people_did_and_by_kind(settings: Settings) -> None:
    """o leaves what people did, / one kind."""

    async def script(keys: Keys) -> tuple[str, str]:
        await keys.press("l", "o")
        people = keys.words
        await keys.press("slash")
        await keys.type("source.registered")
        await keys.press("enter")
        return people, keys.words

    people, kind = at_keys(settings, script)
    assert "what people did" in people
    assert "4 events: kind source.registered" in kind
