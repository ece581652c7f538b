"""The panes of the finding screen: the head, the evidence in one or two columns, and what can be decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.style import Style

from stager.session.review_views import Way
from stager.sheets import SHEET, Code
from tui.widgets.candidates import candidate_lines, room
from tui.widgets.evidence import head_lines, held_lines, look_lines, rows_lines
from tui.widgets.lines import BLANK, GAP, Lines, beside, said, wrapped
from tui.widgets.record_table import record_lines

if TYPE_CHECKING:
    from stager.session.review_views import FindingView, Record

_WAY = 25
"""Cells of a terminal that a way takes at least."""

_TWO_COLUMNS = 110
"""Cells from which on the record stands beside the evidence."""

KEYS: Mapping[str, str] = {
    "link": "l",
    "accept": "a",
    "correct": "c",
    "blank": "b",
    "release": "r",
    "keep_both": "K",
    "merge": "m",
    "exclude": "x",
    "put_back": "P",
}
"""Decision → its key. What takes a row away, or makes two people one, asks before it is done."""


class Scroll(VerticalScroll, inherit_bindings=False):
    """Scrolls by arrows and by vim's keys; left and right go to the neighbouring candidates."""

    DEFAULT_CSS = """
    Scroll { padding: 0 1; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "up", show=False),
        Binding("down,j", "scroll_down", "down", show=False),
        Binding("pageup,ctrl+u", "page_up", "a page up", show=False),
        Binding("pagedown,ctrl+d,space", "page_down", "a page down", show=False),
        Binding("home,g", "scroll_home", "to the top", show=False),
        Binding("end,G", "scroll_end", "to the bottom", show=False),
    ]


class Head(Lines):
    """What the finding is."""

    DEFAULT_CSS = """
    Head { padding: 0 1; }
    """
    view: FindingView | None = None

    def show(self, view: FindingView) -> None:
        """Show this finding's head."""
        self.view = view
        self.changed()

    def lines(self, width: int) -> Iterator[Content]:
        if self.view is None:
            yield said("looking …", "dim")
        else:
            yield from head_lines(self.view, width, masked=self.masked)


class Evidence(Lines):
    """The record, the candidates or the column, and what else is held of the person."""

    view: FindingView | None = None
    first = 1
    chosen: int | None = None
    rows: Mapping[str, Sequence[Record]] = MappingProxyType({})

    def show(self, view: FindingView, rows: Mapping[str, Sequence[Record]]) -> None:
        """Show this finding, with the rows of the persons it is about; nobody is chosen yet."""
        self.view, self.rows, self.first, self.chosen = view, rows, 1, None
        self.changed()

    def choose(self, number: int | None) -> None:
        """Mark a candidate as chosen, and bring them into sight."""
        self.chosen = number
        if number is not None and not self.first <= number < self.first + room(self.content_size.width):
            self.first = number
        self.changed()

    def move(self, by: int) -> None:
        """Show the candidates further left or right."""
        count = len(self.view.candidates) if self.view else 0
        last = max(count - room(self.content_size.width) + 1, 1)
        self.first = max(1, min(self.first + by, last))
        self.changed()

    def lines(self, width: int) -> Iterator[Content]:
        view = self.view
        if view is None:
            return
        if width >= _TWO_COLUMNS and len(view.candidates) <= room(width - width * 2 // 5 - GAP):
            left = (width - GAP) * 2 // 5
            right = width - GAP - left
            yield from _columns(list(self._record(left)), list(self._beside(right)), left, right)
        elif view.candidates or _asks_for_person(view):
            yield from self._beside(width)
            yield from self._record(width)
        else:
            yield from self._record(width)
            yield from self._beside(width)

    def _record(self, width: int) -> Iterator[Content]:
        assert self.view is not None
        yield from record_lines(self.view.record, width, masked=self.masked, title="This record")
        for number, each in enumerate(self.view.related, 1):
            yield BLANK
            many = f" {number} of {len(self.view.related)}" if len(self.view.related) > 1 else ""
            yield from record_lines(each, width, masked=self.masked, title=f"The other record{many}")

    def _beside(self, width: int) -> Iterator[Content]:
        view = self.view
        assert view is not None
        if view.candidates or _asks_for_person(view):
            yield from candidate_lines(
                view.candidates, width, masked=self.masked, first=self.first, chosen=self.chosen
            )
            yield BLANK
        if view.look is not None and Code(view.line.finding.code) in _VALUE_CODES:
            column = SHEET[view.line.finding.sheet].column(view.look.column)
            yield from look_lines(view.look, column, width, masked=self.masked, subject=view.line.cell)
            yield BLANK
        if self.rows:
            yield from rows_lines(self.rows, width, masked=self.masked)
            yield BLANK
        yield from held_lines(view.held, width, masked=self.masked)


_VALUE_CODES = frozenset({Code.VALUE_SUSPECT, Code.VALUE_UNKNOWN, Code.VALUE_INVALID, Code.VALUE_MISSING})


def _asks_for_person(view: FindingView) -> bool:
    return any(way.needs == "person" for way in view.ways)


def _columns(left: list[Content], right: list[Content], wide: int, other: int) -> Iterator[Content]:
    for y in range(max(len(left), len(right))):
        parts = [left[y] if y < len(left) else BLANK, right[y] if y < len(right) else BLANK]
        yield from beside(parts, [wide, other])


class Ways(Lines):
    """What can be decided here, with its keys; a click does the same."""

    DEFAULT_CSS = """
    Ways { padding: 0 1; border-top: solid $secondary; }
    """

    class Picked(Message):
        """A decision was clicked. action: the screen's."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self) -> None:
        super().__init__()
        self._ways: tuple[tuple[str, str, str], ...] = ()
        self._status = BLANK

    def show(self, ways: tuple[tuple[str, str, str], ...], status: Content) -> None:
        """Show these ways (keys, words, action) and a line on what was done last."""
        self._ways, self._status = ways, status
        self.changed()

    def lines(self, width: int) -> Iterator[Content]:
        if self._status:
            yield from wrapped(self._status, width)
        columns = max(min(len(self._ways), width // _WAY), 1)
        each = (width - GAP * (columns - 1)) // columns
        for start in range(0, len(self._ways), columns):
            cells = [self._way(*way) for way in self._ways[start : start + columns]]
            yield from beside(cells, [each] * len(cells))

    def _way(self, keys: str, words: str, action: str) -> Content:
        link = Style.from_meta({"@click": f"screen.{action}"})
        return Content.assemble((f" {keys} ", "bold reverse"), " ", words).stylize(link)


def way_lines(ways: tuple[Way, ...], candidates: int, chosen: int | None) -> tuple[tuple[str, str, str], ...]:
    """The ways as keys, words and actions: choosing a candidate comes first where there are any."""
    shown: list[tuple[str, str, str]] = []
    person = next((way for way in ways if way.needs == "person"), None)
    if person is not None and chosen is not None:
        does = "the same …" if person.decision.value == "merge" else "their row"
        shown.append(("enter", f"{chosen}: {does}", "take"))
    elif person is not None and candidates:
        shown.append(("1" if candidates == 1 else f"1–{candidates}", "choose a candidate", "choose(1)"))
    own = [(KEYS[way.decision.value], words_of(way), f"decide('{way.decision.value}')") for way in ways]
    return (*shown, *own)


def words_of(way: Way) -> str:
    """A way in a few words; the dots say that something is asked before it is done."""
    return _SHORT[way.decision.value]


_SHORT: Mapping[str, str] = {
    "link": "find somebody else …",
    "accept": "let it stand",
    "correct": "correct it …",
    "blank": "leave it blank",
    "release": "go on without",
    "keep_both": "keep both",
    "merge": "one person: merge …",
    "exclude": "exclude the row …",
    "put_back": "put the row back",
}
"""The decisions as a reviewer reads them a hundred times a day."""
