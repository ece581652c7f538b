"""The whole log, the newest first, filtered by kind, person, row, or to what people did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from stager.session.review_views import EventFilter, LogLine
from stager.visible import visible
from stager.wording import counted
from tui.screens.ask.log_filter import AskLogFilter
from tui.screens.base import ReviewScreen
from tui.widgets.timeline import EventDetail, event_columns
from tui.widgets.virtual_table import VirtualTable

if TYPE_CHECKING:
    from stager.session.log_reading import Events


class LogScreen(ReviewScreen):
    """Every event of the migration."""

    TITLE_WORDS = "The log"
    ABOUT = (
        "Every event, the newest first; none holds a patient's value. / filters it by kind, person or row, "
        "o shows only what people did, enter opens the history of the event's row."
    )
    AUTO_FOCUS = "VirtualTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", key_display="/", tooltip="Filter by kind, person or row"),
        Binding("o", "people", "people only", tooltip="Only what people did, or everything"),
        Binding("backslash", "clear", "all", key_display="\\", tooltip="Show the whole log again"),
    ]
    DEFAULT_CSS = """
    LogScreen #wanted { padding: 0 1; color: $secondary; }
    """

    def __init__(self, wanted: EventFilter | None = None) -> None:
        super().__init__()
        self._wanted = wanted or EventFilter()
        self._log: Events | None = None

    def body(self) -> ComposeResult:
        yield Static(Content(), id="wanted")
        yield VirtualTable(event_columns(rows=True), empty="no event is like that")
        yield EventDetail()

    async def load(self) -> None:
        wanted = self._wanted
        log = await self.ask(lambda session: session.events(wanted))
        self._log = log

        async def fetch(start: int, stop: int) -> Sequence[LogLine]:
            return await self.ask(lambda session: log.page(start, stop))

        self.query_one("#wanted", Static).update(Content(f"{counted(log.count, 'event')}: {_words(wanted)}"))
        table = self.query_one(VirtualTable)
        await table.show(log.count, fetch)
        self.query_one(EventDetail).show(table.line)

    @on(VirtualTable.Moved)
    def tell(self, event: VirtualTable.Moved) -> None:
        """Show the event under the cursor in full."""
        self.query_one(EventDetail).show(event.table.line)

    @on(VirtualTable.Chosen)
    def open_row(self, event: VirtualTable.Chosen) -> None:
        """Open the history of the row that the event is about."""
        from tui.screens.timeline import TimelineScreen

        found: LogLine | None = event.table.line
        if found is None or found.place is None or found.sheet is None:
            self.review.say("this event is not about one row")
        else:
            self.app.push_screen(TimelineScreen(found.place, found.sheet))

    def action_people(self) -> None:
        """Show only what people did, or everything again."""
        self._filter(replace(self._wanted, people=not self._wanted.people))

    def action_clear(self) -> None:
        """Show the whole log."""
        self._filter(EventFilter())

    def action_filter(self) -> None:
        """Ask by what to filter."""
        self.do(self._ask_filter())

    async def _ask_filter(self) -> None:
        wanted = await self.app.push_screen_wait(AskLogFilter(self._wanted))
        if wanted is not None:
            self._filter(wanted)

    def _filter(self, wanted: EventFilter) -> None:
        self._wanted = wanted
        self.do(self.load(), group="load", exclusive=True)


def _words(wanted: EventFilter) -> str:
    """The filter in words."""
    parts = [
        *([f"kind {wanted.kind}"] if wanted.kind else []),
        *([f"by {visible(wanted.actor)}"] if wanted.actor else []),
        *([f"row {wanted.place}"] if wanted.place else []),
        *(["what people did"] if wanted.people else []),
    ]
    return ", ".join(parts) or "the whole log"
