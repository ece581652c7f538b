"""Asking a colleague about findings: who, and what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input, Static

from stager.session import Filter
from stager.wording import counted
from tui.screens.ask.dialog import Dialog, Typed, told

if TYPE_CHECKING:
    from tui.screens.base import ReviewScreen


class Asked(Struct, frozen=True):
    """Who is asked, "" to take the question back, and what."""

    to: str
    note: str | None


class AskColleague(Dialog[Asked]):
    """Asks whom to ask, and what. Known: who was asked already, and what."""

    def __init__(self, question: str, *, to: str | None = None, note: str | None = None) -> None:
        super().__init__(question)
        self._to, self._note = to, note

    def questions(self) -> ComposeResult:
        yield Static(Content("Who is asked; empty takes the question back"), classes="label")
        yield Typed(self._to or "", id="to")
        yield Static(
            Content("The question (enter asks it); it stands in the log: no patient's name in it"),
            classes="label",
        )
        yield Typed(self._note or "", id="note", max_length=500)

    @on(Input.Submitted, "#to")
    def named(self) -> None:
        """On to the question."""
        self.query_one("#note").focus()

    @on(Input.Submitted, "#note")
    def answer(self) -> None:
        """Go on with both."""
        name = self.query_one("#to", Input).value.strip()
        self.dismiss(Asked(name, told(self.query_one("#note", Input).value)))


async def ask_colleague(
    screen: ReviewScreen, numbers: Sequence[int], *, to: str | None = None, note: str | None = None
) -> bool:
    """Ask a colleague about these findings; whether anybody was asked. Run it in a worker."""
    question = f"Ask a colleague about {counted(len(numbers), 'finding')}"
    asked = await screen.app.push_screen_wait(AskColleague(question, to=to, note=note))
    if asked is None or (not asked.to and not to):
        return False
    actor = screen.review.actor
    await screen.ask(
        lambda session: session.assign(
            session.findings(Filter(ids=tuple(numbers))), asked.to, asked.note, actor=actor
        )
    )
    screen.review.facts_changed(f"{asked.to} is asked" if asked.to else "the question is taken back")
    return True
