"""The history of a row, or of a patient with all that is linked to them, the first thing first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from stager.session.review_views import LogLine, Record
from stager.sheets import PATIENTS
from tui.screens.base import ReviewScreen
from tui.widgets.lines import Lines
from tui.widgets.record_table import record_lines
from tui.widgets.timeline import EventDetail, event_columns
from tui.widgets.top_bar import TopBar
from tui.widgets.virtual_table import VirtualTable


class TimelineScreen(ReviewScreen):
    """What happened to a row, event by event. place: SOURCE:ROW, or tenant:ID."""

    TITLE_WORDS = "History"
    ABOUT = (
        "Everything that happened to this row, the first thing first; of a patient also what happened to the "
        "rows linked to them."
    )
    AUTO_FOCUS = "VirtualTable"
    DEFAULT_CSS = """
    TimelineScreen Title { padding: 0 1; }
    """
    COLUMNS: ClassVar = event_columns(rows=True)

    def __init__(self, place: str, sheet: str) -> None:
        super().__init__()
        self._place, self._sheet = place, sheet
        self._events: Sequence[LogLine] = ()

    def body(self) -> ComposeResult:
        yield Title()
        yield VirtualTable(self.COLUMNS, empty="nothing happened to it yet")
        yield EventDetail()

    async def load(self) -> None:
        place, sheet = self._place, self._sheet
        record, events = await self.ask(
            lambda session: (session.record(place, sheet), session.timeline(place, sheet))
        )
        whose = (
            "History of a patient and their rows"
            if sheet == PATIENTS.name
            else f"History of {sheet} row {place}"
        )
        self.query_one(TopBar).retitle(whose)
        self.query_one(Title).show(record)
        self._events = events

        async def fetch(start: int, stop: int) -> Sequence[LogLine]:
            return events[start:stop]

        await self.query_one(VirtualTable).show(len(events), fetch, cursor=len(events) - 1)

    def redraw(self) -> None:
        self.query_one(Title).changed()

    @on(VirtualTable.Moved)
    def tell(self, event: VirtualTable.Moved) -> None:
        """Show the event under the cursor in full."""
        self.query_one(EventDetail).show(self._events[event.row] if event.row < len(self._events) else None)


class Title(Lines):
    """Which record it is."""

    record: Record | None = None

    def show(self, record: Record) -> None:
        """Show this record's name and address."""
        self.record = record
        self.changed()

    def lines(self, width: int):  # type: ignore[no-untyped-def]
        if self.record is not None:
            yield from list(record_lines(self.record, width, masked=self.masked, title=""))[1:2]
