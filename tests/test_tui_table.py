"""The table that holds only what is near the screen."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence

import pytest
from textual.app import ComposeResult

from tests.migration import Migration
from tests.review_keys import Keys, at_keys
from tui.screens.base import ReviewScreen
from tui.widgets.account_bars import shared
from tui.widgets.pages import PAGE, Pages
from tui.widgets.virtual_table import Column, VirtualTable


class Source:
    """Lines that are their own numbers; counts what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    async def __call__(self, start: int, stop: int) -> Sequence[int]:
        self.asked.append((start, stop))
        return range(start, stop)


async def filled(pages: Pages[int], first: int, last: int) -> None:
    while (missing := pages.missing(first, last)) is not None:
        await pages.fetch(missing)


def test_what_is_in_sight_comes_first() -> None:
    """The pages in sight are fetched before their neighbours, and nothing beyond."""
    source = Source()
    pages = Pages(1_000_000, source)
    asyncio.run(filled(pages, 5 * PAGE + 10, 6 * PAGE + 10))
    numbers = [start // PAGE for start, _ in source.asked]
    assert numbers[:2] == [5, 6]
    assert sorted(numbers) == [4, 5, 6, 7, 8]
    assert pages.line(5 * PAGE + 10) == 5 * PAGE + 10
    assert pages.line(0) is None


def test_a_long_way_costs_no_memory() -> None:
    """A list of a million lines that is walked through keeps only the pages of late."""
    source = Source()
    pages = Pages(1_000_000, source)
    for row in range(0, 20_000, 50):
        asyncio.run(filled(pages, row, row + 50))
    assert sum(pages.line(row) is not None for row in range(1_000_000)) <= 42 * PAGE


@pytest.mark.parametrize("count", [0, 1, PAGE - 1, PAGE, PAGE + 1])
def test_the_end_is_no_page_too_many(count: int) -> None:
    """A list's last page is as long as what is left, and none is asked for beyond it."""
    source = Source()
    pages = Pages(count, source)
    asyncio.run(filled(pages, 0, count + 50))
    assert sum(stop - start for start, stop in source.asked) == count
    assert pages.line(count) is None


@pytest.mark.parametrize("counts", [{"a": 1}, {"a": 999_999, "b": 1}, {"a": 3, "b": 0, "c": 5}, {}])
def test_a_bar_is_as_long_as_it_is_told(counts: dict[str, int]) -> None:
    """Whatever is there has a cell at least, whatever is not has none, and together they fill the bar."""
    cells = shared(counts, 40)
    assert sum(cells.values()) == (40 if counts else 0)
    assert {name for name, count in cells.items() if count} == {
        name for name, count in counts.items() if count
    }


class Long(ReviewScreen):
    """A hundred thousand lines of six columns."""

    def __init__(self) -> None:
        super().__init__()
        self.source = Source()

    def body(self) -> ComposeResult:
        columns = [Column(f"column {n}", lambda row: f"{row:,} of them", 12, share=1) for n in range(6)]
        yield VirtualTable(columns, key=lambda row: row)

    async def load(self) -> None:
        await self.query_one(VirtualTable).show(100_000, self.source)


def test_a_key_in_a_hundred_thousand_lines_takes_no_time(own_practice: Migration) -> None:
    """A key's share of the processor, drawing included, is under 50 ms; few pages are read."""
    own_practice.close()
    screen = Long()
    presses = [
        "down",
        "j",
        "pagedown",
        "end",
        "k",
        "pageup",
        "home",
        "G",
        "ctrl+u",
        "g",
        "ctrl+d",
        "space",
    ] * 3

    async def script(keys: Keys) -> list[float]:
        keys.app.push_screen(screen)
        await keys.settled()
        spent = []
        for key in presses:
            before = time.process_time()
            await keys.pilot.press(key)
            spent.append(time.process_time() - before)
        assert keys.app.screen is screen
        return spent

    spent = at_keys(own_practice.session.settings, script, size=(160, 50))
    assert statistics.median(spent) < 0.05
    assert statistics.mean(spent) < 0.05
    assert len(screen.source.asked) < 2 * len(presses)
