"""A look before a decision that takes something away or touches many: yes or no, and a reason."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import HorizontalGroup, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Static

from tui.screens.ask.dialog import Agreed, Dialog, Typed, told


class Look(Dialog[Agreed]):
    """Shows what a decision is about; `y` agrees, `n` leaves, `w` gives a reason.

    words: what is looked at. reason: known already. required: there is no agreeing without one.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "agree", "yes, do it"),
        Binding("n", "leave", "no"),
        Binding("w", "reason", "give a reason"),
    ]
    DEFAULT_CSS = """
    Look Button { margin-right: 2; }
    Look Typed { border: none; height: 1; background: $panel; &:focus { border: none; } }
    """
    AUTO_FOCUS = "#no"

    def __init__(
        self, question: str, words: Content, *, reason: str | None = None, required: bool = False
    ) -> None:
        super().__init__(question)
        self._words = words
        self._reason = reason
        self._required = required

    def questions(self) -> ComposeResult:
        with VerticalScroll(classes="looked"):
            yield Static(self._words)
        yield Static(
            Content("Reason (required)" if self._required else "Reason (w; may be left out)"), classes="label"
        )
        yield Typed(self._reason or "", id="reason")
        with HorizontalGroup():
            yield Button("No (n)", id="no", compact=True)
            yield Button("Yes (y)", id="yes", compact=True)

    @on(Button.Pressed)
    def answer(self, event: Button.Pressed) -> None:
        """Answer by a button."""
        if event.button.id == "yes":
            self.action_agree()
        else:
            self.dismiss(None)

    @on(Input.Submitted)
    def reasoned(self) -> None:
        """The reason is typed: back to yes and no."""
        self.query_one("#no").focus()

    def action_reason(self) -> None:
        """Give a reason."""
        self.query_one("#reason").focus()

    def action_agree(self) -> None:
        """Agree."""
        reason = told(self.query_one("#reason", Input).value)
        if self._required and reason is None:
            self.wrong("this decision needs a reason")
            self.action_reason()
            return
        self.dismiss(Agreed(reason))
