"""A list to choose one thing from, laid over the screen that asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from tui.widgets.virtual_table import Column, VirtualTable

Thing = TypeVar("Thing")

_AROUND = 5
"""Lines of the dialog beside its options: border, question, heading, footer."""


class Option(Struct, Generic[Thing], frozen=True):
    """A line to choose. kind: what it is a choice of; count: how many it would leave, None if not known."""

    thing: Thing
    kind: str
    words: str
    count: int | None = None
    chosen: bool = False


class Choose(ModalScreen[Option[Thing] | None], Generic[Thing]):
    """Dismissed with the option that was chosen, or None."""

    DEFAULT_CSS = """
    Choose {
        align: center middle;
        & > Vertical { width: 70; max-width: 95%; max-height: 90%; border: round $primary;
            background: $surface; }
        .question { text-style: bold; padding: 0 1; }
        VirtualTable { background: $surface; }
        VirtualTable > .virtual-table--header { background: $surface; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace,q", "leave", "back", key_display="esc")
    ]

    def __init__(self, question: str, options: Sequence[Option[Thing]]) -> None:
        super().__init__()
        self._question = question
        self._options = options
        self._at = next((row for row, each in enumerate(options) if each.chosen), 0)

    def compose(self) -> ComposeResult:
        columns: list[Column[Option[Thing]]] = [
            Column("", lambda each: "✓" if each.chosen else "", 1),
            Column("", lambda each: each.kind, 8),
            Column("", lambda each: each.words, 20, share=1),
            Column("", lambda each: "" if each.count is None else f"{each.count:,}", 10, right=True),
        ]
        with Vertical():
            yield Static(Content(self._question), classes="question")
            yield VirtualTable(columns)
            yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(Vertical).styles.height = len(self._options) + _AROUND
        self.run_worker(self._show())

    async def _show(self) -> None:
        async def fetch(start: int, stop: int) -> Sequence[Option[Thing]]:
            return self._options[start:stop]

        await self.query_one(VirtualTable).show(len(self._options), fetch, cursor=self._at)

    @on(VirtualTable.Chosen)
    def answer(self, event: VirtualTable.Chosen) -> None:
        """Go back with what was chosen."""
        self.dismiss(self._options[event.row])

    def action_leave(self) -> None:
        """Go back without choosing."""
        self.dismiss(None)
