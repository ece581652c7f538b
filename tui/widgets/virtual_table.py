"""A table that holds only what is near the screen: it asks for pages of lines, and draws them itself.

Every text in it is drawn literally. A cursor and marks have signs of their own beside their colours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from msgspec import Struct
from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from stager.errors import StagerError
from tui.text import fitted, line
from tui.widgets.pages import PAGE, Fetch, Pages

if TYPE_CHECKING:
    from tui.app import ReviewApp

Line = TypeVar("Line")

_GUTTER = 2
"""Cells before the first column: the cursor's sign and the mark's."""

_CURSOR, _MARK, _COMING = "▸", "●", "…"


class Column(Struct, Generic[Line], frozen=True):
    """A column. text: what a line has in it, None for nothing. width: cells it takes at least.

    share: its part of the cells that are left. secret: a patient's value, hidden with the others.
    from_width: left out of a narrower table. name: said when its heading is clicked.
    """

    header: str
    text: Callable[[Line], str | None]
    width: int
    share: int = 0
    secret: bool = False
    right: bool = False
    from_width: int = 0
    name: str = ""


class VirtualTable(ScrollView, Generic[Line], can_focus=True, inherit_bindings=False):
    """Lines with a cursor. key: what a line is marked by. marking: whether `space` marks."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "virtual-table--header",
        "virtual-table--cursor",
        "virtual-table--mark",
        "virtual-table--coming",
    }
    DEFAULT_CSS = """
    VirtualTable {
        height: 1fr; overflow-x: hidden; overflow-y: auto; background: $background; color: $foreground;
        scrollbar-size-vertical: 1;
        & > .virtual-table--header { text-style: bold; background: $panel; color: $foreground; }
        & > .virtual-table--cursor { background: $surface; text-style: bold; }
        & > .virtual-table--mark { color: $accent; text-style: bold; }
        & > .virtual-table--coming { text-style: dim; }
        &:focus > .virtual-table--cursor { background: $primary; color: $background; text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "open"),
        Binding("space", "mark", "mark", key_display="␣"),
        Binding("up,k", "by(-1)", "up", show=False),
        Binding("down,j", "by(1)", "down", show=False),
        Binding("pageup,ctrl+u", "page(-1)", "a page up", show=False),
        Binding("pagedown,ctrl+d", "page(1)", "a page down", show=False),
        Binding("home,g", "to(0)", "to the first", show=False),
        Binding("end,G", "to(-1)", "to the last", show=False),
    ]

    class Told(Message):
        """Something that a person did with a table. row: where its cursor is."""

        def __init__(self, table: VirtualTable[Any]) -> None:
            super().__init__()
            self.table = table
            self.row = table.cursor

        @property
        def control(self) -> VirtualTable[Any]:
            return self.table

    class Chosen(Told):
        """The line under the cursor was opened, by enter or a double click."""

    class Moved(Told):
        """The cursor is on another row, or its line is another or has come."""

    class Marked(Told):
        """The marks are others."""

    class Headed(Told):
        """A heading was clicked. name: of its column."""

        def __init__(self, table: VirtualTable[Any], name: str) -> None:
            super().__init__(table)
            self.name = name

    class Failed(Message):
        """A page could not be had."""

        def __init__(self, error: StagerError) -> None:
            super().__init__()
            self.error = error

    def __init__(
        self,
        columns: Sequence[Column[Line]],
        *,
        key: Callable[[Line], int] | None = None,
        empty: str = "nothing to show",
        id: str | None = None,  # noqa: A002 - textual's word
    ) -> None:
        super().__init__(id=id)
        self._columns = tuple(columns)
        self._key = key
        self._empty = empty
        self._pages: Pages[Line] | None = None
        self._fetching = False
        self.cursor = 0
        self.marks: set[int] = set()

    @property
    def count(self) -> int:
        return self._pages.count if self._pages else 0

    @property
    def line(self) -> Line | None:
        """The line under the cursor, None where there is none or it is still being fetched."""
        return self._pages.line(self.cursor) if self._pages else None

    @property
    def shown_rows(self) -> int:
        """How many rows the screen has room for."""
        return max(self.size.height - 1, 1)

    async def show(
        self, count: int, fetch: Fetch[Line], *, cursor: int = 0, empty: str | None = None
    ) -> None:
        """Show another list, with the cursor on a row; what was shown stays until its lines are there."""
        pages = Pages(count, fetch)
        cursor = max(0, min(cursor, count - 1))
        while count and pages.line(cursor) is None:
            missing = pages.missing(cursor, cursor)
            if missing is None:
                break
            await pages.fetch(missing)
        self._pages = pages
        self._empty = self._empty if empty is None else empty
        self.virtual_size = Size(self._room, count + 1)
        self.cursor = cursor
        self._bring_into_sight(middle=True)
        self.refresh()
        self.post_message(self.Moved(self))

    def mark_all(self, keys: Iterable[int]) -> None:
        """Mark exactly these."""
        self.marks = set(keys)
        self.refresh()
        self.post_message(self.Marked(self))

    def move(self, row: int) -> None:
        """Put the cursor on a row; on the nearest where there is no such row."""
        row = max(0, min(row, self.count - 1))
        if row == self.cursor:
            return
        before, self.cursor = self.cursor, row
        self.refresh_line(before + 1)
        self.refresh_line(row + 1)
        self._bring_into_sight()
        self.post_message(self.Moved(self))

    @property
    def _room(self) -> int:
        """Cells of a row: the scrollbar stands beside them."""
        return self.scrollable_content_region.width

    def on_mount(self) -> None:
        super().on_mount()  # type: ignore[no-untyped-call]
        self.watch(self.app, "masked", self._hidden_or_shown, init=False)

    def _hidden_or_shown(self) -> None:
        self.refresh()

    def on_resize(self) -> None:
        self.virtual_size = Size(self._room, self.count + 1)
        self._bring_into_sight()

    def render_line(self, y: int) -> Strip:
        width = self._room
        if y == 0:
            return self._header(width)
        if not self.count:
            words = self._empty if y == 2 and self._pages else ""
            return Strip([Segment(fitted(f"  {words}", width), self.rich_style)], width)
        row = y - 1 + self.scroll_offset.y
        if row >= self.count:
            return Strip.blank(width, self.rich_style)
        return self._row(row, width)

    def _header(self, width: int) -> Strip:
        parts = [fitted(each.header, room, right=each.right) for each, room in self._laid_out(width)]
        style = self.get_component_rich_style("virtual-table--header")
        return Strip([Segment(fitted(" " * _GUTTER + " ".join(parts), width), style)], width)

    def _row(self, row: int, width: int) -> Strip:
        found = self._pages.line(row) if self._pages else None
        here = row == self.cursor
        base = self.rich_style
        style = base + self.get_component_rich_style("virtual-table--cursor") if here else base
        if found is None:
            self._fill()
            coming = style + self.get_component_rich_style("virtual-table--coming")
            return Strip([Segment(fitted(f"{_CURSOR if here else ' '} {_COMING}", width), coming)], width)
        marked = self._key is not None and self._key(found) in self.marks
        sign = style + self.get_component_rich_style("virtual-table--mark") if marked and not here else style
        gutter = Segment((_CURSOR if here else " ") + (_MARK if marked else " "), sign)
        text = fitted(self._text(found, width), width - _GUTTER)
        return Strip([gutter, Segment(text, style)], width)

    def _text(self, found: Line, width: int) -> str:
        masked = cast("ReviewApp", self.app).masked
        parts = []
        for each, room in self._laid_out(width):
            value = each.text(found)
            shown = "" if value is None else line(value, masked=masked and each.secret)
            parts.append(fitted(shown, room, right=each.right))
        return " ".join(parts)

    def _laid_out(self, width: int) -> list[tuple[Column[Line], int]]:
        """The columns that a table of this width has room for, and the cells of each."""
        shown = [each for each in self._columns if width >= each.from_width]
        left = width - _GUTTER - sum(each.width + 1 for each in shown) + 1
        shares = sum(each.share for each in shown) or 1
        return [(each, max(each.width + max(left, 0) * each.share // shares, 1)) for each in shown]

    def _bring_into_sight(self, *, middle: bool = False) -> None:
        top, room = round(self.scroll_y), self.shown_rows
        if self.cursor < top or self.cursor >= top + room:
            above = room // 2 if middle else (0 if self.cursor < top else room - 1)
            self.scroll_to(y=max(self.cursor - above, 0), animate=False)
        self._fill()

    def _fill(self) -> None:
        """Fetch what is in sight and not there, and the pages beside it."""
        if self._pages and not self._fetching and self._missing() is not None:
            self._fetching = True
            self.run_worker(self._fetch_missing(), group="pages")

    def _missing(self) -> int | None:
        top = round(self.scroll_y)
        return self._pages.missing(top, top + self.shown_rows) if self._pages else None

    async def _fetch_missing(self) -> None:
        try:
            while self._pages and (missing := self._missing()) is not None:
                await self._pages.fetch(missing)
                self.refresh()
                if missing == self.cursor // PAGE:
                    self.post_message(self.Moved(self))
        except StagerError as error:
            self.post_message(self.Failed(error))
        finally:
            self._fetching = False

    def action_by(self, rows: int) -> None:
        """Move the cursor by some rows."""
        self.move(self.cursor + rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by what the screen shows."""
        self.move(self.cursor + pages * max(self.shown_rows - 1, 1))

    def action_to(self, row: int) -> None:
        """Move the cursor to a row; -1 is the last."""
        self.move(row if row >= 0 else self.count - 1)

    def action_choose(self) -> None:
        """Open the line under the cursor."""
        if self.count:
            self.post_message(self.Chosen(self))

    def action_mark(self) -> None:
        """Mark the line under the cursor, or take its mark away, and go on to the next."""
        found = self.line
        if found is not None and self._key is not None:
            self.marks ^= {self._key(found)}
            self.refresh_line(self.cursor + 1)
            self.move(self.cursor + 1)
            self.post_message(self.Marked(self))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return False if action == "mark" and self._key is None else super().check_action(action, parameters)

    def on_click(self, event: events.Click) -> None:
        if event.y == 0:
            self._click_heading(event.x)
            return
        row = event.y - 1 + self.scroll_offset.y
        if row < self.count:
            self.move(row)
            if event.x < _GUTTER:
                self.action_mark()
            elif event.chain == 2:
                self.action_choose()

    def _click_heading(self, x: int) -> None:
        at = _GUTTER
        for each, room in self._laid_out(self._room):
            if at <= x <= at + room and each.name:
                self.post_message(self.Headed(self, each.name))
            at += room + 1
