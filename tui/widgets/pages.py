"""Pages of a long list, kept while they are near the screen: a list of millions costs what a screen does."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Generic, TypeVar

Line = TypeVar("Line")

Fetch = Callable[[int, int], Awaitable[Sequence[Line]]]
"""The lines from the first number up to, and without, the second."""

PAGE = 100
"""Lines that are asked for at once: two screens of a big terminal, milliseconds of the session's time."""

_AHEAD = 2
"""Pages fetched beyond the one in sight: people go down a list, and a held key goes fast."""

_KEPT = 40


class Pages(Generic[Line]):
    """The lines of a list of `count`, fetched page by page."""

    def __init__(self, count: int, fetch: Fetch[Line]) -> None:
        self.count = count
        self._fetch = fetch
        self._pages: OrderedDict[int, Sequence[Line]] = OrderedDict()

    def line(self, row: int) -> Line | None:
        """The line, None where it is not fetched yet."""
        page = self._pages.get(row // PAGE)
        return page[row % PAGE] if page is not None and row % PAGE < len(page) else None

    def missing(self, first: int, last: int) -> int | None:
        """A page to fetch so that rows `first` to `last` can be shown; then the pages before and after."""
        return next((page for page in self._near(first, last) if page not in self._pages), None)

    async def fetch(self, page: int) -> None:
        """Fetch a page, and let go of the one that was used the longest time ago."""
        start = page * PAGE
        self._pages[page] = await self._fetch(start, min(start + PAGE, self.count))
        while len(self._pages) > _KEPT:
            self._pages.popitem(last=False)

    def _near(self, first: int, last: int) -> Iterator[int]:
        if not self.count:
            return
        top, bottom = max(first, 0) // PAGE, min(last, self.count - 1) // PAGE
        end = (self.count - 1) // PAGE
        after = range(bottom + 1, min(bottom + _AHEAD, end) + 1)
        for page in (*range(top, bottom + 1), *after, *((top - 1,) if top else ())):
            if page in self._pages:
                self._pages.move_to_end(page)
            yield page
