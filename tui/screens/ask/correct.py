"""What a cell should say: typed, or chosen from the words that its column allows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.suggester import SuggestFromList
from textual.widgets import Input, Static

from stager.errors import StagerError
from stager.visible import visible
from tui.screens.ask.dialog import Agreed, Dialog, Typed, told
from tui.text import cell

Decide = Callable[[str, str | None], Awaitable[None]]
"""Makes the decision with the value and the reason; raises StagerError where the value will not do."""


class AskValue(Dialog[Agreed]):
    """Asks for a cell's value, and stays until one is taken.

    column, rule: whose value, and what it must be. allowed: the words of its vocabulary. came: what stands
    there now. decide: makes the decision. required: there is none without a reason.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "word(-1)", "word before", show=False, priority=True),
        Binding("down", "word(1)", "words", key_display="↓", priority=True),
    ]
    AUTO_FOCUS = "#value"

    def __init__(
        self,
        question: str,
        *,
        rule: str,
        allowed: Sequence[str],
        came: str | None,
        decide: Decide,
        reason: str | None = None,
        required: bool = False,
    ) -> None:
        super().__init__(question)
        self._rule, self._allowed, self._came = rule, tuple(allowed), came
        self._decide, self._reason, self._required = decide, reason, required

    def questions(self) -> ComposeResult:
        yield Static(Content.assemble("now: ", cell(self._came, masked=self.masked)))
        yield Static(Content(f"rule: {self._rule}"), classes="label")
        if self._allowed:
            yield Static(Content(f"allowed (↓): {', '.join(self._allowed)}"), classes="label")
        suggester = SuggestFromList(self._allowed, case_sensitive=False) if self._allowed else None
        yield Static(Content("It should be (enter takes it)"), classes="label")
        yield Typed(self._first(), id="value", suggester=suggester, password=self.masked)
        yield Static(
            Content(f"Reason ({'required' if self._required else 'may be left out'})"), classes="label"
        )
        yield Typed(self._reason or "", id="reason")

    def _first(self) -> str:
        """What came, to be mended, where it can be typed: one line of characters that are seen."""
        came = self._came or ""
        return "" if self._allowed or visible(came) != came or len(came) > 200 else came

    @on(Input.Submitted, "#value")
    @on(Input.Submitted, "#reason")
    async def answer(self) -> None:
        """Decide with the value; stay where it will not do."""
        value = self.query_one("#value", Input).value
        reason = told(self.query_one("#reason", Input).value)
        if not value.strip():
            self.wrong("type the value, or esc and b to leave the cell blank")
        elif self._required and reason is None:
            self.wrong("this decision needs a reason")
            self.query_one("#reason").focus()
        else:
            self.run_worker(self._try(value, reason), exclusive=True)

    async def _try(self, value: str, reason: str | None) -> None:
        try:
            await self._decide(value, reason)
        except StagerError as error:
            self.wrong(error.message)
        else:
            self.dismiss(Agreed(reason))

    def action_word(self, by: int) -> None:
        """Take the next of the allowed words, or the one before."""
        if not self._allowed:
            return
        line = self.query_one("#value", Input)
        at = self._allowed.index(line.value) + by if line.value in self._allowed else (0 if by > 0 else -1)
        line.value = self._allowed[at % len(self._allowed)]
        line.cursor_position = len(line.value)
