"""Signing an approval: who signs, and why."""

from __future__ import annotations

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input, Static

from tui.screens.ask.dialog import Dialog, Typed, told


class Signed(Struct, frozen=True):
    """Who signs, and why."""

    name: str
    reason: str | None


class Sign(Dialog[Signed]):
    """Asks for the name that stands under the approval, and a reason. words: what is signed."""

    AUTO_FOCUS = "#reason"

    def __init__(self, question: str, words: Content, *, name: str) -> None:
        super().__init__(question)
        self._words = words
        self._signer = name

    def questions(self) -> ComposeResult:
        yield Static(self._words)
        yield Static(Content("Signed by"), classes="label")
        yield Typed(self._signer, id="name")
        yield Static(Content("Reason (may be left out); enter signs, esc does not"), classes="label")
        yield Typed(id="reason")

    @on(Input.Submitted, "#name")
    def named(self) -> None:
        """On to the reason."""
        self.query_one("#reason").focus()

    @on(Input.Submitted, "#reason")
    def answer(self) -> None:
        """Sign."""
        name = self.query_one("#name", Input).value.strip()
        if not name:
            self.wrong("an approval has a name under it")
            self.query_one("#name").focus()
            return
        self.dismiss(Signed(name, told(self.query_one("#reason", Input).value)))
