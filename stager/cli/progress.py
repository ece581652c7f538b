"""Progress of long work on standard error: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stager.cli.screen import Screen
from stager.visible import visible

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import ProgressColumn, TaskID

Progress = Callable[[str, int, int | None], None]
"""What is being done, how much of it is behind, and of how much (None: not known)."""

LINE_EVERY = 5.0
"""Seconds between two lines where there is no terminal."""


@contextmanager
def shown(screen: Screen, unit: str) -> Iterator[Progress]:
    """Show the progress of the work inside. unit: what is counted, "bytes" or "rows"."""
    if screen.quiet:
        yield lambda what, done, total: None
    elif screen.err.isatty():
        with _bars(screen, unit) as bars:
            yield _Tasks(bars)
    else:
        yield _Lines(screen, unit)


class _Lines:
    """Lines, never two within `LINE_EVERY` seconds, so that short work says nothing."""

    def __init__(self, screen: Screen, unit: str) -> None:
        self._screen = screen
        self._unit = unit
        self._said = time.monotonic()

    def __call__(self, what: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self._said < LINE_EVERY:
            return
        self._said = now
        share = f": {done:,} of {total:,} {self._unit} ({100 * done // total}%)" if total else ""
        self._screen.note(f"{what}{share}")


class _Tasks:
    """A bar for each thing that is being done."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int | None) -> None:
        if what not in self._tasks:
            for finished in self._tasks.values():
                self._bars.stop_task(finished)
            self._tasks[what] = self._bars.add_task(visible(what), total=total)
        self._bars.update(self._tasks[what], completed=done, total=total)


def _bars(screen: Screen, unit: str) -> Bars:
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        *_amounts(unit),
        TimeRemainingColumn(),
        console=screen.console(screen.err),
        transient=True,
    )


def _amounts(unit: str) -> tuple[ProgressColumn, ...]:
    from rich.progress import DownloadColumn, MofNCompleteColumn, ProgressColumn, Task, TransferSpeedColumn
    from rich.text import Text

    class RateColumn(ProgressColumn):
        """How many rows a second."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:,.0f} {unit}/s" if speed else "")

    return (
        (DownloadColumn(), TransferSpeedColumn()) if unit == "bytes" else (MofNCompleteColumn(), RateColumn())
    )
