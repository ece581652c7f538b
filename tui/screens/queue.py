"""The queue: the findings to decide, filtered, searched and sorted, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from msgspec.structs import replace
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, Static

from stager.session.queue import Queue
from stager.session.review_views import QueueFilter, QueueLine, QueueOrder
from stager.sheets import EXPLAINED, Code
from stager.wording import counted
from tui.memory import Place
from tui.screens.ask.dialog import Typed
from tui.screens.base import ReviewScreen
from tui.screens.choose import Choose
from tui.screens.filtering import ORDER_WORDS, Change, filter_options, filter_words, order_options, patient_of
from tui.text import cell, line
from tui.widgets.top_bar import TopBar
from tui.widgets.virtual_table import Column, VirtualTable
from tui.words import code_words, column_name

COLUMNS: Sequence[Column[QueueLine]] = (
    Column("no.", lambda each: f"{each.finding.finding_id:,}", 6, right=True, name="number"),
    Column("finding", lambda each: code_words(each.finding.code), 20, share=1, name="code"),
    Column("row", lambda each: f"{each.finding.sheet} {each.finding.row_no:,}", 16, name="row"),
    Column("column", lambda each: each.column, 18, from_width=110, name="column"),
    Column("value", lambda each: each.cell, 10, share=2, secret=True, name="alike"),
    Column("whose", lambda each: each.person, 16, share=2, secret=True, name="patient"),
    Column("fits", lambda each: _number(each.suggestions), 4, right=True, from_width=100),
    Column("asked", lambda each: each.assigned_to or "", 12, from_width=120),
)


def _number(count: int) -> str:
    return f"{count:,}" if count else ""


class QueueScreen(ReviewScreen):
    """The findings that a filter leaves, as a table. code: these only; resume: as it was left."""

    TITLE_WORDS = "queue"
    ABOUT = (
        "The findings that people must decide. Enter opens one; there it is decided. space marks findings, "
        "and d decides all that are marked, alike. f filters, / searches in the rows' cells, o sorts. What "
        "was decided leaves the queue; u takes it back."
    )
    DEFAULT_CSS = """
    QueueScreen {
        #filter { height: 1; padding: 0 1; color: $foreground; }
        #search { display: none; height: 1; border: none; padding: 0 1; &:focus { border: none; } }
        #search.asked { display: block; }
        #about { height: 3; padding: 0 1; background: $panel; color: $foreground; text-wrap: nowrap;
            text-overflow: ellipsis; }
    }
    """
    AUTO_FOCUS = "#queue"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "search", key_display="/", tooltip="Search in the rows' cells"),
        Binding("f", "filter", "filter", tooltip="Filter by code, sheet, column, who was asked"),
        Binding("F", "no_filter", "no filter", show=False, tooltip="Show every open finding"),
        Binding("e", "patient", "patient", show=False, tooltip="Show all findings of this patient"),
        Binding("o", "order", "sort", show=False, tooltip="Sort the queue"),
        Binding("d", "decide", "decide", tooltip="Decide all marked findings alike"),
        Binding("A", "mark_all", "mark all", show=False, tooltip="Mark all findings that the filter leaves"),
        Binding("M", "unmark", "unmark", show=False, tooltip="Take all marks away"),
        Binding("s", "skip", "skip", show=False, tooltip="Go on to the next finding"),
    ]

    def __init__(self, *, code: str | None = None, resume: bool = False) -> None:
        super().__init__()
        self._wanted = QueueFilter(code=code)
        self._order = QueueOrder.NUMBER
        self._resume = resume
        self.queue: Queue | None = None
        self._at: int | None = None

    def body(self) -> ComposeResult:
        yield Static(id="filter")
        yield Typed(
            placeholder="text in the rows' cells; enter searches, esc leaves", id="search", compact=True
        )
        yield VirtualTable(
            COLUMNS, key=lambda each: each.finding.finding_id, id="queue", empty="opening the queue …"
        )
        yield Static(id="about")

    async def load(self) -> None:
        at = self.review.last_finding
        if self._resume:
            at, self._resume = self._as_left(), False
        self.query_one("#filter", Static).update(Content("looking …"))
        wanted, order = self._wanted, self._order
        queue = await self.ask(lambda session: session.queue(wanted, order))
        position = queue.position(at) if at is not None else None
        table = self.query_one(VirtualTable)
        table.marks &= set(queue.numbers()) if table.marks else set()
        self.queue = queue
        await table.show(
            queue.count,
            lambda start, stop: self.ask(lambda _: queue.page(start, stop)),
            cursor=table.cursor if position is None else position,
            empty=self._nothing(),
        )
        self._say_what()

    def redraw(self) -> None:
        self.query_one(Input).password = self.review.masked
        self._say_what()
        self._say_about()

    def _as_left(self) -> int | None:
        status = self.review.status
        left = self.review.memory.place(status.migration_id) if status else Place()
        self._wanted = QueueFilter(code=left.code, sheet=left.sheet, field=left.field)
        self._order = next((each for each in QueueOrder if each.value == left.order), QueueOrder.NUMBER)
        return left.finding

    def _nothing(self) -> str:
        return (
            "no finding is open: nothing is left to decide"
            if self._wanted == QueueFilter()
            else "no finding is left by this filter; F takes it away"
        )

    def _say_what(self) -> None:
        table = self.query_one(VirtualTable)
        marked = f" · {len(table.marks):,} marked" if table.marks else ""
        self.query_one(TopBar).retitle(f"queue: {counted(table.count, 'finding')}{marked}")
        parts = list(filter_words(self._wanted, masked=self.review.masked))
        shown = " · ".join(parts) if parts else "every open finding"
        words = Content.assemble((shown, "bold" if parts else ""), f" · by {ORDER_WORDS[self._order]}")
        self.query_one("#filter", Static).update(words)
        self.refresh_bindings()

    @on(VirtualTable.Moved)
    def _say_about(self) -> None:
        found = self.query_one(VirtualTable).line
        self._at = found.finding.finding_id if isinstance(found, QueueLine) else self._at
        shown = _about(found, masked=self.review.masked) if isinstance(found, QueueLine) else Content("")
        self.query_one("#about", Static).update(shown)

    @on(VirtualTable.Marked)
    def _marked(self) -> None:
        self._say_what()

    @on(VirtualTable.Chosen)
    def open_finding(self, event: VirtualTable.Chosen) -> None:
        """Show the finding."""
        if self.queue is not None:
            self._keep_place()
            self.review.open_finding(self.queue, event.row)

    @on(VirtualTable.Headed)
    def sort_by(self, event: VirtualTable.Headed) -> None:
        """Sort by the column whose heading was clicked."""
        self._sort(QueueOrder(event.name))

    def on_unmount(self) -> None:
        self._keep_place()

    def _keep_place(self) -> None:
        status, wanted = self.review.status, self._wanted
        if status and self._at is not None:
            place = Place(wanted.code, wanted.sheet, wanted.field, self._order.value, self._at)
            self.review.memory.keep_place(status.migration_id, place)

    def _narrow(self, change: Change) -> None:
        """Show what is left when a part of the filter is another."""
        self._wanted = change(self._wanted)
        self._reload()

    def _reload(self) -> None:
        found = self.query_one(VirtualTable).line
        self.review.last_finding = found.finding.finding_id if isinstance(found, QueueLine) else None
        self.do(self.load(), group="load", exclusive=True)

    def _sort(self, order: QueueOrder) -> None:
        self._order = order
        self._reload()

    def action_search(self) -> None:
        """Ask for a text."""
        field = self.query_one(Input)
        field.password = self.review.masked
        field.value = self._wanted.text or ""
        field.add_class("asked")
        field.focus()

    @on(Input.Submitted)
    def search(self, event: Input.Submitted) -> None:
        """Show the findings whose rows hold the text."""
        self._hide_search()
        self._narrow(lambda wanted: replace(wanted, text=event.value or None))

    def _hide_search(self) -> None:
        self.query_one(Input).remove_class("asked")
        self.query_one(VirtualTable).focus()

    def action_back(self) -> None:
        """Leave the search, else go back."""
        if self.query_one(Input).has_class("asked"):
            self._hide_search()
        else:
            super().action_back()

    def action_filter(self) -> None:
        """Choose what the queue is narrowed to."""
        self.do(self._choose_filter(), group="filter")

    async def _choose_filter(self) -> None:
        queue, wanted, actor = self.queue, self._wanted, self.review.actor
        if queue is None:
            return
        facets = await self.ask(lambda _: queue.facets())
        chosen = await self.app.push_screen_wait(Choose("Show only", filter_options(wanted, facets, actor)))
        if chosen:
            self._narrow(chosen.thing)

    def action_no_filter(self) -> None:
        """Show every open finding."""
        self._narrow(lambda _: QueueFilter())

    def action_order(self) -> None:
        """Choose how the queue is sorted."""
        self.do(self._choose_order(), group="filter")

    async def _choose_order(self) -> None:
        chosen = await self.app.push_screen_wait(Choose("Sort by", order_options(self._order)))
        if chosen:
            self._sort(chosen.thing)

    def action_patient(self) -> None:
        """Show all findings of the patient under the cursor."""
        found = self.query_one(VirtualTable).line
        if isinstance(found, QueueLine):
            self.do(self._only_patient(found), group="filter")

    async def _only_patient(self, found: QueueLine) -> None:
        place = await self.ask(lambda session: patient_of(session, found.finding))
        if place is None:
            self.review.say("this row is linked to no patient yet")
        else:
            self._narrow(lambda _: QueueFilter(patient=place))

    def action_decide(self) -> None:
        """Decide all that are marked, alike; the set is shown and asked about first."""
        from tui.screens.ask.bulk import decide_marked

        marks = sorted(self.query_one(VirtualTable).marks)
        if marks:
            self.do(decide_marked(self, marks), group="decide")
        else:
            self.review.say("nothing is marked: space marks the finding under the cursor")

    def action_mark_all(self) -> None:
        """Mark all that the filter leaves."""
        if self.queue is not None:
            self.query_one(VirtualTable).mark_all(self.queue.numbers())

    def action_unmark(self) -> None:
        """Take all marks away."""
        self.query_one(VirtualTable).mark_all(())

    def action_skip(self) -> None:
        """Go on to the next finding."""
        self.query_one(VirtualTable).action_by(1)


def _about(found: QueueLine, *, masked: bool) -> Content:
    """What the narrow table leaves out, of the finding under the cursor: three lines."""
    finding = found.finding
    column = f"{column_name(finding.field, finding.sheet)}: " if finding.field else ""
    whose = Content.assemble(" · ", cell(found.person, masked=masked)) if found.person else Content()
    value = cell(found.cell, masked=masked) if found.cell is not None else Content("")
    note = Content.assemble(": ", cell(found.note, masked=masked)) if found.note else Content()
    asked = (
        Content.assemble((f"  asked {line(found.assigned_to)}", "italic"), note)
        if found.assigned_to
        else Content()
    )
    return Content("\n").join(
        [
            Content.assemble((f"{column}{EXPLAINED[Code(finding.code)]}", "bold")),
            Content.assemble(f"{line(found.file)} line {found.line:,}", whose),
            Content.assemble(value, asked),
        ]
    )
