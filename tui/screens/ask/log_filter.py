"""By what the log is filtered."""

from __future__ import annotations

import re

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.suggester import SuggestFromList
from textual.widgets import Input, Static

from stager.events import EVENT_KINDS
from stager.session.review_views import EventFilter
from tui.screens.ask.dialog import Dialog, Typed, told

_ROW = re.compile(r"\d+:\d+")


class AskLogFilter(Dialog[EventFilter]):
    """Asks for a kind, a person and a row; what is left empty filters nothing."""

    def __init__(self, wanted: EventFilter) -> None:
        super().__init__("Which events?")
        self._wanted = wanted

    def questions(self) -> ComposeResult:
        kinds = SuggestFromList(sorted(EVENT_KINDS))
        yield Static(Content("Kind, as finding.decided (→ completes it)"), classes="label")
        yield Typed(self._wanted.kind or "", id="kind", suggester=kinds)
        yield Static(Content("Who did it"), classes="label")
        yield Typed(self._wanted.actor or "", id="actor")
        yield Static(Content("Row, as 3:43"), classes="label")
        yield Typed(self._wanted.place or "", id="place")

    @on(Input.Submitted)
    def answer(self) -> None:
        """Go on with all three."""
        kind, actor, place = (
            told(self.query_one(f"#{name}", Input).value) for name in ("kind", "actor", "place")
        )
        if kind is not None and kind not in EVENT_KINDS:
            self.wrong("there is no such kind of event")
        elif place is not None and not _ROW.fullmatch(place):
            self.wrong("name the row by its source and number, as 3:43")
        else:
            self.dismiss(EventFilter(kind, actor, place, people=self._wanted.people))
