"""The reason for the next decision."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input, Static

from tui.screens.ask.dialog import Agreed, Dialog, Typed, told


class AskReason(Dialog[Agreed]):
    """Asks why. Enter gives the reason; an empty one takes an earlier one back unless it is required."""

    def __init__(self, question: str, *, reason: str | None = None, required: bool = False) -> None:
        super().__init__(question)
        self._reason = reason
        self._required = required

    def questions(self) -> ComposeResult:
        yield Static(
            Content("It stands in the log: no patient's name in it. Enter keeps it."), classes="label"
        )
        yield Typed(self._reason or "", id="reason")

    @on(Input.Submitted)
    def answer(self, event: Input.Submitted) -> None:
        """Go on with the reason."""
        reason = told(event.value)
        if self._required and reason is None:
            self.wrong("this decision needs a reason")
            return
        self.dismiss(Agreed(reason))
