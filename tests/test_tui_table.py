"""The table that holds only what is near the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tui.widgets.account_bars import shared
from tui.widgets.pages import PAGE, Pages


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
