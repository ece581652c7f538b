"""Finding a person to link a row to, or to merge a record into: by any words of their record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Footer, Input, Static

from stager.errors import StagerError
from stager.session.review_views import Record
from stager.wording import counted
from tui.screens.ask.dialog import Dialog, Typed
from tui.widgets.record_table import whereabouts
from tui.widgets.virtual_table import Column, VirtualTable

if TYPE_CHECKING:
    from tui.desk import Desk

_MOST = 50
_WAIT = 0.2
"""Seconds without a key after which is searched."""


def _cell(field: str) -> Column[Record]:
    widths = {"legacy_id": 10, "nhs_number": 12, "postcode": 9, "email": 20}
    names = {"legacy_id": "ID", "nhs_number": "NHS Number", "postcode": "Postcode", "email": "Email"}

    def text(record: Record) -> str | None:
        return next((pair.made or pair.came for pair in record.pairs if pair.field == field), "")

    from_width = {"postcode": 76, "email": 100}.get(field, 0)
    return Column(names[field], text, widths[field], secret=True, from_width=from_width)


class AskPerson(Dialog[Record]):
    """Asks for a person. Every word typed must stand in their ID, name, birth date, number or address."""

    DEFAULT_CSS = """
    AskPerson { align: center middle;
        & > Vertical { width: 120; max-width: 98%; height: 90%; border: round $primary;
            background: $surface; }
        VirtualTable { background: $surface; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "list", "to the list", key_display="↓", priority=False),
    ]
    AUTO_FOCUS = "#search"

    def __init__(self, question: str, desk: Desk) -> None:
        super().__init__(question)
        self._desk = desk
        self._found: Sequence[Record] = ()

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content(self._question), classes="question")
            yield Typed(id="search", placeholder="name, birth date, NHS number, ID, email or postcode")
            yield Static(Content(), id="count", classes="label")
            yield VirtualTable(
                [
                    Column("Person", lambda record: record.title, 24, share=1, secret=True),
                    *(_cell(field) for field in ("legacy_id", "nhs_number", "postcode", "email")),
                    Column("State", whereabouts, 10, share=1, from_width=120),
                ],
                empty="nobody has all of these words",
            )
            yield Static(Content(), classes="wrong")
        yield Footer(compact=True)

    @on(Input.Changed, "#search")
    def typed(self, event: Input.Changed) -> None:
        """Search when nothing more is typed for a moment."""
        self.run_worker(self._search(event.value, _WAIT), group="search", exclusive=True)

    @on(Input.Submitted, "#search")
    def entered(self) -> None:
        """On to the list."""
        self.action_list()

    @on(VirtualTable.Chosen)
    def answer(self, event: VirtualTable.Chosen) -> None:
        """Go back with the person."""
        if event.row < len(self._found):
            self.dismiss(self._found[event.row])

    def action_list(self) -> None:
        """Go to the list of those found."""
        self.query_one(VirtualTable).focus()

    async def _search(self, text: str, wait: float) -> None:
        import asyncio

        await asyncio.sleep(wait)
        try:
            found = (
                await self._desk.ask(lambda session: session.find_people(text, _MOST)) if text.strip() else []
            )
        except StagerError as error:
            self.wrong(error)
            return
        self._found = found

        async def fetch(start: int, stop: int) -> Sequence[Record]:
            return found[start:stop]

        some = (
            f"the first {_MOST}: type more"
            if len(found) >= _MOST
            else counted(len(found), "person", "persons")
        )
        self.query_one("#count", Static).update(Content(some if text.strip() else ""))
        await self.query_one(VirtualTable).show(len(found), fetch)
